"""``loss_and_gradient`` of fitted estimators against central differences."""

from copy import deepcopy

import numpy as np
import pytest
from gradient_check import check_gradient
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor


def estimator_and_targets(kind, rng, n_rows):
    """An unfitted estimator and targets of a kind."""
    if kind.startswith("classifier"):
        y = {
            "classifier-binary": rng.permutation(np.arange(n_rows) % 2),
            "classifier-multiclass": rng.permutation(np.arange(n_rows) % 3),
            "classifier-multilabel": rng.integers(2, size=(n_rows, 2)),
        }[kind]
        return TwoLayerClassifier(class_weight={0: 2.0}), y
    if kind == "regressor-logistic":
        return TwoLayerRegressor(output_activation="logistic"), rng.uniform(size=n_rows)
    n_outputs = {"regressor": 1, "regressor-two": 2}[kind]
    return TwoLayerRegressor(), 5 + 3 * rng.normal(size=(n_rows, n_outputs))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("standardize", [False, True], ids=["raw", "standardized"])
@pytest.mark.parametrize(
    "kind",
    [
        "regressor",
        "regressor-two",
        "regressor-logistic",
        "classifier-binary",
        "classifier-multiclass",
        "classifier-multilabel",
    ],
)
def test_gradient_of_fitted_estimator(kind, standardize, is_sparse):
    """``loss_and_gradient`` is the derivative in ``coefs_`` and ``intercepts_``."""
    rng = np.random.default_rng(0)
    X = 2 + rng.normal(size=(30, 3)) * [0.5, 1, 2]
    if is_sparse:
        X = sparse.csr_array(X * (rng.uniform(size=X.shape) < 0.5))
    sample_weight = rng.uniform(0.2, 2, size=30)
    model, y = estimator_and_targets(kind, rng, 30)
    model.set_params(n_hidden=4, solver="gd", max_iter=5, standardize=standardize, alpha=0.1)
    model.set_params(random_state=0).fit(X, y, sample_weight)

    def fun(flat):
        copy = deepcopy(model)
        position = 0
        for array in copy.coefs_ + copy.intercepts_:
            array[...] = flat[position : position + array.size].reshape(array.shape)
            position += array.size
        loss, coef_gradients, intercept_gradients = copy.loss_and_gradient(X, y, sample_weight)
        return loss, np.concatenate([d.ravel() for d in coef_gradients + intercept_gradients])

    weights = np.concatenate([array.ravel() for array in model.coefs_ + model.intercepts_])
    check_gradient(fun, weights)


def test_loss_of_estimator_is_the_loss_of_its_fit():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    model = TwoLayerRegressor(n_hidden=4, solver="gd", max_iter=7, random_state=0)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    assert model.loss_and_gradient(X, y)[0] == pytest.approx(model.loss_, rel=1e-12)
