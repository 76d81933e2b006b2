"""The recipe of docs/deployment.md for error bars without the package, in its whole scope."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from sklearn_twolayer import TwoLayerRegressor

DOCUMENT = Path(__file__).parents[1] / "docs" / "deployment.md"
X, Y = load_diabetes(return_X_y=True)
WIDE = np.random.default_rng(0).normal(size=(30, 300))
#: Activation -> the operators that the page names, in the place of those of logistic units.
OPERATORS = re.compile(r"`A1 = (\w+) \(Z1\)` and `slope = ([^`]+)`")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """The names that the python blocks of the section define, up to the ONNX form."""
    section = DOCUMENT.read_text(encoding="utf-8").split("## Error bars without the package")[1]
    namespace, onnx = {}, section.index("**In ONNX**")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("recipe"))
        for block in re.findall(r"^```python\n(.*?)^```$", section[:onnx], re.M | re.S):
            exec(block, namespace)
    return namespace | {"onnx": section[onnx:]}


def agree(recipe, model, rows):
    answer, forms = recipe["prediction_and_std"], recipe["forms_of"](model)
    members = [answer(rows, form, model.activation) for form in forms]
    predictions, stds = np.array(members).transpose(1, 0, 2)
    found = [predictions.mean(axis=0), np.sqrt((stds**2).mean(axis=0) + predictions.var(axis=0))]
    np.testing.assert_allclose(found, model.predict(rows, return_std=True), rtol=1e-6)


CASES = {
    "many weights": {"n_hidden": 60},
    "early stopping": {"early_stopping": True, "solver": "lbfgs"},
    "adam": {"solver": "adam"},
    "as it is": {"standardize": False},
    "evidence": {"alpha": "evidence"},
    "committee": {"n_members": 3, "alpha": "ard"},
    **{name: {"activation": name} for name in ("tanh", "relu", "softplus", "identity")},
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_it_predicts_what_the_package_predicts(recipe, options):
    options = {"n_hidden": 5, "alpha": 0.03, "max_iter": 20, "random_state": 0} | options
    agree(recipe, TwoLayerRegressor(**options).fit(X, Y), X[:50])


def test_of_rows_with_weights(recipe):
    weight = np.random.default_rng(1).integers(1, 5, size=len(Y))
    agree(recipe, TwoLayerRegressor(4, alpha=0.1, random_state=0).fit(X, Y, weight), X[:50])


def test_of_more_columns_than_rows(recipe):
    model = TwoLayerRegressor(4, alpha=0.1, random_state=0).fit(WIDE, WIDE[:, 0])
    agree(recipe, model, WIDE + 1)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_operators_of_other_units(recipe, activation, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="onnxruntime comes with the test extra")
    operators = {name.lower(): (name, slope) for name, slope in OPERATORS.findall(recipe["onnx"])}
    name, slope = operators[activation]
    (block,) = re.findall(r"^```python\n(.*?)^```$", recipe["onnx"], re.M | re.S)
    block = block.replace("Sigmoid (Z1)", f"{name} (Z1)").replace("Sub (A1, A1_squared)", slope)
    if "one" in slope:
        block = block.replace('constants |= {"zeros"', 'constants |= {"one": np.ones(1), "zeros"')
    model = TwoLayerRegressor(5, activation=activation, alpha=0.1, random_state=0).fit(X, Y)
    (form,) = recipe["forms_of"](model)
    monkeypatch.chdir(tmp_path)
    np.savez("error_bars.npz", **form)
    exec(block, {"np": np, "X": X, "std": model.predict(X, return_std=True)[1]})
