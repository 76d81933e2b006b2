"""Gradient descent: a rate that suits the curvature, and the weights of the least loss."""

import itertools
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes, load_iris, load_wine, make_friedman1, make_moons
from sklearn.exceptions import ConvergenceWarning

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._data.rows import Rows
from sklearn_twolayer._fit.monitor import Deadline
from sklearn_twolayer._network.backprop import TwoLayerNetwork, directional_derivative
from sklearn_twolayer._network.losses import (
    BinaryLogLoss,
    LogisticSquaredError,
    MulticlassLogLoss,
    SquaredError,
)
from sklearn_twolayer._network.objective import MeanLoss, PenalisedLoss, Penalty
from sklearn_twolayer._network.scale import Standardization

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(60, 3))
LOSSES = [SquaredError(), LogisticSquaredError(), BinaryLogLoss(), MulticlassLogLoss()]


def mean_loss_of(loss, activation, *, weight=None, is_sparse=False):
    is_softmax = loss.output_activation == "softmax"
    y = RANDOM.randint(3, size=60) if is_softmax else RANDOM.uniform(size=(60, 3))
    network = TwoLayerNetwork(3, 4, 3, activation)
    scale = Standardization(X.mean(axis=0), X.std(axis=0), np.zeros(3), np.ones(3))
    rows = sparse.csr_array(X) if is_sparse else X
    return MeanLoss(
        network,
        loss,
        Rows(rows, y, weight, standardization=scale, dtype=np.float64, block_size=17),
    )


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("weight", [None, RANDOM.uniform(0.5, 2, size=60)])
@pytest.mark.parametrize("activation", ["logistic", "tanh", "softplus"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_products_with_the_matrix_need_no_matrix(loss, activation, weight, is_sparse):
    mean_loss = mean_loss_of(loss, activation, weight=weight, is_sparse=is_sparse)
    params, v = RANDOM.normal(size=(2, mean_loss.network.n_params))
    with mean_loss.rows:
        _, _, matrix = mean_loss.gauss_newton(params)
        product = mean_loss.pulled_back(directional_derivative, params, v)
        np.testing.assert_allclose(product, matrix @ v, rtol=1e-9, atol=1e-12)
        for alpha in (0.1, 100.0):
            penalty = Penalty.fixed(mean_loss.network, alpha)
            found = PenalisedLoss(mean_loss, penalty).largest_curvature(params)
            expected = np.linalg.eigvalsh(matrix + np.diag(penalty.per_weight))[-1]
            assert 0.75 * expected < found <= expected * (1 + 1e-12)


def test_a_logistic_output_visibly_learns_by_default():
    X = np.random.RandomState(0).normal(size=(300, 2))
    y = 1 / (1 + np.exp(-3 * X[:, 0] * X[:, 1]))
    model = TwoLayerRegressor(
        solver="gd", output_activation="logistic", alpha=1e-4, tol=0, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="max_iter=2000"):
        model.fit(X, y)
    assert model.score(X, y) > 0.8
    linear = 1 / (1 + np.exp(X[:, 1] - 2 * X[:, 0]))
    with pytest.warns(ConvergenceWarning, match="max_iter=2000"):
        assert model.set_params(alpha="auto").fit(X, linear).score(X, linear) > 0.9


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_hidden", [5, 50])
@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu", "softplus", "identity"])
def test_ordinary_problems_do_not_diverge(activation, n_hidden):
    settings = {"solver": "gd", "activation": activation, "max_iter": 200, "random_state": 0}
    friedman = make_friedman1(200, noise=1.0, random_state=0)
    for data in (load_diabetes(return_X_y=True), friedman):
        model = TwoLayerRegressor(n_hidden, **settings).fit(*data)
        assert model.loss_ < 0.75
    for data in (load_iris(return_X_y=True), load_wine(return_X_y=True), make_moons(200)):
        model = TwoLayerClassifier(n_hidden, **settings).fit(*data)
        assert model.loss_ < 0.6 * np.log(len(model.classes_)) + 0.05


SWINGING = {"activation": "tanh", "solver": "gd", "alpha": 1e-3, "tol": 0, "random_state": 0}


def swinging(max_iter=2000, **parameters):
    """A fit at a rate that is a little too large, its warning, and the textbook's last loss."""
    X = np.linspace(-3, 3, 60)[:, None]
    y = np.sin(2 * X[:, 0])
    model = TwoLayerRegressor(8, learning_rate=0.5, max_iter=max_iter, **SWINGING, **parameters)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y, X_val=X, y_val=y)
    return model, X, y, [str(warning.message) for warning in caught]


def test_the_weights_of_the_least_loss_are_published():
    model, X, y, _ = swinging()
    curve = model.loss_curve_
    assert len(curve) == model.n_iter_ == 2000
    assert curve[-1] > 1.001 * min(curve)
    assert model.loss_ == model.best_loss_ == min(curve)
    assert model.loss_and_gradient(X, y)[0] == pytest.approx(min(curve), rel=1e-9)


def test_a_loss_that_swings_is_told():
    model, _, _, messages = swinging()
    (message,) = messages
    best = int(np.argmin(model.loss_curve_)) + 1
    assert message.startswith(f"The loss of gradient descent swings: it was {model.loss_:.4g} in")
    assert f"in iteration {best}, whose weights are kept" in message
    assert "learning_rate=0.5. Try learning_rate=0.17." in message


def test_a_loss_that_swings_is_told_where_time_has_run_out(monkeypatch):
    """It was told in the place of the time, of which nothing was said."""
    looks = itertools.count(1)
    monkeypatch.setattr(Deadline, "is_over", lambda self: next(looks) >= 2000)
    model, _, _, messages = swinging(max_iter=3000, max_time=100)
    assert model.n_iter_ == 2000
    assert messages[0].startswith("The fit ended at max_time=100 seconds before it converged")
    assert messages[1].startswith("The loss of gradient descent swings")
    assert len(messages) == 2


def test_a_loss_that_swings_is_not_told_where_the_validation_score_decides():
    """The weights that are kept are not those of the least loss."""
    model, _, _, messages = swinging(early_stopping=True, n_iter_no_change=2000)
    assert model.loss_curve_[-1] > 1.001 * min(model.loss_curve_)
    assert not any("swings" in message for message in messages)


@pytest.mark.parametrize("learning_rate", [0.05, "auto"])
def test_a_loss_that_falls_is_not(learning_rate):
    X = np.linspace(-3, 3, 60)[:, None]
    model = TwoLayerRegressor(8, learning_rate=learning_rate, max_iter=50, **SWINGING)
    with pytest.warns(ConvergenceWarning, match="stopped at max_iter=50"):
        model.fit(X, np.sin(2 * X[:, 0]))
    assert model.loss_ == model.loss_curve_[-1]
