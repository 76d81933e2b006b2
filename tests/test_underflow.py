"""NumPy may be told to raise errors: what is too small for a float is none, but zero."""

import numpy as np
import pytest

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(60, 3))
FAR = 1e3 * X
CLASSES = np.digitize(X[:, 0], [-0.5, 0.5])
CASES = [
    pytest.param(TwoLayerRegressor, np.sin(2 * X[:, 0]), id="one target"),
    pytest.param(TwoLayerRegressor, X[:, :2] ** 2, id="two targets"),
    pytest.param(TwoLayerClassifier, CLASSES > 0, id="two classes"),
    pytest.param(TwoLayerClassifier, CLASSES, id="three classes"),
    pytest.param(TwoLayerClassifier, np.c_[CLASSES > 0, CLASSES > 1].astype(int), id="labels"),
]
METHODS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "transform",
    "input_gradient",
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def raising():
    with np.errstate(all="raise"):
        yield


def answers(model, y):
    """What all methods say of rows at which units are saturated."""
    found = [getattr(model, name)(FAR) for name in METHODS if hasattr(model, name)]
    if isinstance(model, TwoLayerRegressor):
        found += model.predict(FAR, return_std=True)
    else:
        found.append(model.predict_proba(FAR, moderated=True))
    loss, *gradients = model.loss_and_gradient(FAR, y)
    return [*found, model.score(FAR, y), loss, *(part for parts in gradients for part in parts)]


@pytest.mark.parametrize("activation", ["logistic", "softplus"])
@pytest.mark.parametrize(("Estimator", "y"), CASES)
def test_underflow_is_no_error_of_a_prediction(Estimator, y, activation, raising):
    settings = {"activation": activation, "alpha": 1e-3, "max_iter": 20, "random_state": 0}
    model = Estimator(4, **settings).fit(X, y)
    found = answers(model, y)
    with np.errstate(under="ignore"):
        expected = answers(model, y)
    assert all(map(np.array_equal, found, expected))


@pytest.mark.parametrize("solver", ["auto", "lm", "lbfgs", "adam", "sgd", "gd"])
@pytest.mark.parametrize(("Estimator", "y"), CASES)
def test_nor_of_a_fit(Estimator, y, solver, raising):
    alpha = "auto" if solver == "auto" else 1e-3
    settings = {"solver": solver, "alpha": alpha, "max_iter": 10, "random_state": 0}
    model = Estimator(4, standardize=False, **settings).fit(FAR, y)  # of saturated units
    assert np.isfinite(model.coefs_[0]).all()


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize(("Estimator", "y"), CASES)
def test_nor_in_a_stream(Estimator, y, solver, raising):
    model = Estimator(4, solver=solver, alpha=1e-3, random_state=0)
    classes = np.arange(2) if y.ndim == 2 else np.unique(y)
    named = {"classes": classes} if Estimator is TwoLayerClassifier else {}
    for factor in (1, 1e3):
        model.partial_fit(factor * X, y, **named)


@pytest.mark.parametrize(("Estimator", "y"), CASES)
def test_nor_in_partitions_that_are_computed_here(Estimator, y, raising):
    dask = pytest.importorskip("dask")
    array = pytest.importorskip("dask.array")
    rows, targets = (array.from_array(part, (20, -1)[: part.ndim]) for part in (FAR, y))
    with dask.config.set(scheduler="synchronous"):
        model = Estimator(4, alpha=1e-3, max_iter=20, random_state=0).fit(rows / 1e3, targets)
        found = model.transform(rows).compute()
        model.score(rows, targets)
        model.predict(rows).compute()
    assert np.array_equal(found, model.transform(FAR))
