"""Against an independent implementation: scikit-learn's MLP with the same weights."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

ACTIVATIONS = ["logistic", "tanh", "relu", "identity"]
N_ROWS, N_FEATURES, N_HIDDEN = 50, 4, 7
RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(N_ROWS, N_FEATURES))
X_NEW = 3 * RANDOM.normal(size=(200, N_FEATURES))
SCORES = X @ RANDOM.normal(size=(N_FEATURES, 3))
WEIGHT = RANDOM.uniform(0.5, 2, size=N_ROWS)
REGRESSION = [pytest.param(SCORES[:, 0], id="1 output"), pytest.param(SCORES, id="3 outputs")]
CLASSIFICATION = [
    pytest.param((SCORES[:, 0] > 0).astype(int), id="two classes"),
    pytest.param(np.array(["b", "c", "a"])[SCORES.argmax(axis=1)], id="three classes"),
    pytest.param((SCORES > 0).astype(int), id="labels"),
]
#: With these, each fit of MLP is one step w <- w - dF/dw on all rows, from its ``coefs_``.
ONE_STEP = {
    "solver": "sgd",
    "learning_rate_init": 1.0,
    "momentum": 0.0,
    "nesterovs_momentum": False,
    "batch_size": N_ROWS,
    "shuffle": False,
    "warm_start": True,
    "max_iter": 1,
}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def same_weights(Ours, Theirs, y, activation, *, scale=1.0, alpha=0.0, their_alpha=0.0):
    """Ours and theirs, with the same random weights."""
    settings = {"activation": activation, "max_iter": 1, "standardize": False}
    ours = Ours(N_HIDDEN, alpha=alpha, **settings).fit(X, y)
    settings = {"activation": activation, "hidden_layer_sizes": (N_HIDDEN,), **ONE_STEP}
    theirs = Theirs(alpha=their_alpha, **settings).fit(X, y)
    random = np.random.RandomState(1)
    for name in ("coefs_", "intercepts_"):
        shapes = [array.shape for array in getattr(theirs, name)]
        assert [array.shape for array in getattr(ours, name)] == shapes
        arrays = [scale * random.normal(size=shape) for shape in shapes]
        setattr(ours, name, arrays)
        setattr(theirs, name, [array.copy() for array in arrays])
    return ours, theirs


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("y", REGRESSION)
def test_predictions_are_equal(y, activation, scale):
    ours, theirs = same_weights(TwoLayerRegressor, MLPRegressor, y, activation, scale=scale)
    found, expected = ours.predict(X_NEW), theirs.predict(X_NEW)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-12)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("y", CLASSIFICATION)
def test_probabilities_are_equal(y, activation, scale):
    ours, theirs = same_weights(TwoLayerClassifier, MLPClassifier, y, activation, scale=scale)
    for name in ("classes_", "n_outputs_", "out_activation_"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name))
    found, expected = ours.predict_proba(X_NEW), theirs.predict_proba(X_NEW)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-12
    assert np.array_equal(ours.predict(X_NEW), theirs.predict(X_NEW))
    assert ours.score(X, y) == theirs.score(X, y)


def objective_of_mlp(theirs, y, weight):
    """The objective and its gradient: what one step reports, and how it moves the weights."""
    before = [array.copy() for array in theirs.coefs_ + theirs.intercepts_]
    theirs.fit(X, y, sample_weight=weight)
    after = theirs.coefs_ + theirs.intercepts_
    return theirs.loss_, [old - new for old, new in zip(before, after)]


def our_objective(ours, y, weight):
    loss, coef_gradients, intercept_gradients = ours.loss_and_gradient(X, y, weight)
    return loss, coef_gradients + intercept_gradients


def assert_gradients_equal(found, expected, factor):
    for ours, theirs in zip(found, expected, strict=True):
        assert np.abs(ours - factor * theirs).max() <= 1e-12 * max(1, np.abs(ours).max())


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("y", CLASSIFICATION)
def test_log_loss_and_gradient_are_equal(y, activation, alpha, weight):
    """MLP's alpha is ours times S."""
    S = N_ROWS if weight is None else weight.sum()
    pair = TwoLayerClassifier, MLPClassifier, y, activation
    ours, theirs = same_weights(*pair, scale=0.5, alpha=alpha, their_alpha=alpha * S)
    loss, gradient = our_objective(ours, y, weight)
    expected_loss, expected_gradient = objective_of_mlp(theirs, y, weight)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    assert_gradients_equal(gradient, expected_gradient, 1)


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("y", REGRESSION)
def test_squared_error_and_gradient_are_equal(y, activation, alpha, weight):
    """MLP halves the squared error: its alpha is ours times S / 2.

    Its gradient for k outputs is that of k / 2 times our squared error, so there its
    alpha is ours times k S / 2.
    """
    S, k = (N_ROWS if weight is None else weight.sum()), y[0].size
    pair = TwoLayerRegressor, MLPRegressor, y, activation
    ours, theirs = same_weights(*pair, scale=0.5, alpha=alpha, their_alpha=alpha * S / 2)
    loss, gradient = our_objective(ours, y, weight)
    assert loss == pytest.approx(2 * objective_of_mlp(theirs, y, weight)[0], rel=1e-12)
    _, theirs = same_weights(*pair, scale=0.5, their_alpha=alpha * k * S / 2)
    assert_gradients_equal(gradient, objective_of_mlp(theirs, y, weight)[1], 2 / k)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("y", [*REGRESSION[:1], *CLASSIFICATION])
def test_gd_takes_the_steps_of_mlp_with_plain_sgd(y, alpha):
    pair, half = (TwoLayerClassifier, MLPClassifier), 1
    if y.dtype == float:
        pair, half = (TwoLayerRegressor, MLPRegressor), 2
    alphas = {"alpha": half * alpha, "their_alpha": alpha * N_ROWS}
    ours, theirs = same_weights(*pair, y, "tanh", scale=0.3, **alphas)
    ours.set_params(solver="gd", warm_start=True, max_iter=20, tol=0, learning_rate=0.1 / half)
    ours.fit(X, y)
    theirs.set_params(learning_rate_init=0.1)
    for _ in range(20):
        theirs.fit(X, y)
    for W, expected in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_):
        np.testing.assert_allclose(W, expected, rtol=1e-10, atol=1e-12)
