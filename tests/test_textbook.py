"""The update rules of a sigmoid-sigmoid network, written out by hand, as oracles.

Nothing here but scalars, loops and the chain rule: the package must take the same
step. The squared error is (a2 - y)^2 without a factor 1/2, averaged over outputs
and rows; the log loss is summed over outputs and averaged over rows.
"""

import math
from itertools import product

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._data.rows import Rows
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.losses import BinaryLogLoss, LogisticSquaredError
from sklearn_twolayer._network.objective import MeanLoss
from sklearn_twolayer._network.scale import Standardization
from sklearn_twolayer._optimize.full_batch import gradient_descent

SQUARED_ERROR, LOG_LOSS = "squared error", "log loss"
LOSSES = {SQUARED_ERROR: LogisticSquaredError, LOG_LOSS: BinaryLogLoss}
N_FEATURES, N_HIDDEN, LEARNING_RATE = 2, 3, 0.7

BOTH_LOSSES = pytest.mark.parametrize("loss", LOSSES)
ROWS = pytest.mark.parametrize("n_rows", [1, 2, 3])
OUTPUTS = pytest.mark.parametrize("n_outputs", [1, 2])


def sigma(z):
    return 1 / (1 + math.exp(-z))


def textbook_row_gradients(loss, x, y, W1, b1, W2, b2):
    """dL/dW1, dL/db1, dL/dW2, dL/db2 of one row, with L the loss of that row."""
    f, h, k = len(x), len(b1), len(b2)
    a1 = [sigma(sum(x[i] * W1[i][j] for i in range(f)) + b1[j]) for j in range(h)]
    a2 = [sigma(sum(a1[j] * W2[j][c] for j in range(h)) + b2[c]) for c in range(k)]
    if loss == SQUARED_ERROR:
        # L = 1/k sum_c (a2_c - y_c)^2 and da2/dz2 = a2 (1 - a2)
        delta2 = [2 / k * (a2[c] - y[c]) * a2[c] * (1 - a2[c]) for c in range(k)]
    else:
        # L = -sum_c y_c ln a2_c + (1 - y_c) ln(1 - a2_c): the factor a2 (1 - a2) cancels
        delta2 = [a2[c] - y[c] for c in range(k)]
    delta1 = [sum(delta2[c] * W2[j][c] for c in range(k)) * a1[j] * (1 - a1[j]) for j in range(h)]
    dW1 = [[x[i] * delta1[j] for j in range(h)] for i in range(f)]
    dW2 = [[a1[j] * delta2[c] for c in range(k)] for j in range(h)]
    return dW1, delta1, dW2, delta2


def textbook_step(loss, X, Y, W1, b1, W2, b2):
    """For every weight and bias: w <- w - learning_rate (1/n) sum_rows dL/dw."""
    n = len(X)
    W1, W2 = [list(row) for row in W1], [list(row) for row in W2]
    b1, b2 = list(b1), list(b2)
    gradients = [textbook_row_gradients(loss, x, y, W1, b1, W2, b2) for x, y in zip(X, Y)]
    for dW1, db1, dW2, db2 in gradients:
        for j in range(len(b1)):
            for i in range(len(W1)):
                W1[i][j] -= LEARNING_RATE * dW1[i][j] / n
            b1[j] -= LEARNING_RATE * db1[j] / n
        for c in range(len(b2)):
            for j in range(len(W2)):
                W2[j][c] -= LEARNING_RATE * dW2[j][c] / n
            b2[c] -= LEARNING_RATE * db2[c] / n
    return [np.array(part) for part in (W1, b1, W2, b2)]


def random_data(loss, n_rows, n_outputs):
    """X, Y and starting weights; every class of Y is there where rows allow it."""
    rng = np.random.default_rng(n_rows)
    X = rng.normal(size=(n_rows, N_FEATURES))
    Y = rng.uniform(size=(n_rows, n_outputs))
    if loss == LOG_LOSS:
        Y = (np.add.outer(np.arange(n_rows), np.arange(n_outputs)) % 2).astype(float)
    shapes = (N_FEATURES, N_HIDDEN), N_HIDDEN, (N_HIDDEN, n_outputs), n_outputs
    return X, Y, [rng.normal(size=shape) for shape in shapes]


def plain_objective(loss, X, Y):
    """F without penalty and standardisation."""
    network = TwoLayerNetwork(X.shape[1], N_HIDDEN, Y.shape[1], "logistic")
    identity = Standardization.none(X.shape[1], Y.shape[1])
    rows = Rows(X, Y, None, standardization=identity, dtype=np.float64, block_size=128)
    return MeanLoss(network, LOSSES[loss](), rows, is_textbook=True)


def package_gradients(loss, X, Y, weights):
    """dF/dW1, dF/db1, dF/dW2, dF/db2 by the package."""
    objective = plain_objective(loss, X, Y)
    W1, b1, W2, b2 = weights
    params = objective.network.pack([W1, W2], [b1, b2], float)
    return objective.network.unpack(objective.value_and_gradient(params)[1])


@OUTPUTS
@ROWS
@BOTH_LOSSES
def test_step_of_gradient_descent(loss, n_rows, n_outputs):
    X, Y, (W1, b1, W2, b2) = random_data(loss, n_rows, n_outputs)
    objective = plain_objective(loss, X, Y)
    result = gradient_descent(
        objective.value_and_gradient,
        objective.network.pack([W1, W2], [b1, b2], float),
        learning_rate=LEARNING_RATE,
        max_iter=1,
        tol=0,
        callback=lambda step: None,
    )
    expected = textbook_step(loss, X, Y, W1, b1, W2, b2)
    for found, part in zip(objective.network.unpack(result.x), expected):
        np.testing.assert_allclose(found, part, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("loss", "n_rows", "n_outputs"),
    [
        case
        for case in product(LOSSES, (1, 2, 3), (1, 2))
        if case != (LOG_LOSS, 1, 1)  # one row has one class only
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_step_of_estimator(loss, n_rows, n_outputs):
    """From assigned weights, by ``warm_start``."""
    X, Y, (W1, b1, W2, b2) = random_data(loss, n_rows, n_outputs)
    if loss == SQUARED_ERROR:
        model = TwoLayerRegressor(output_activation="logistic")
    else:
        model = TwoLayerClassifier()
    model.set_params(
        n_hidden=N_HIDDEN,
        activation="logistic",
        solver="gd",
        learning_rate=LEARNING_RATE,
        max_iter=1,
        tol=0,
        alpha=0,
        standardize=False,
        warm_start=True,
    )
    y = Y[:, 0] if n_outputs == 1 else Y
    model.fit(X, y)
    model.coefs_, model.intercepts_ = [W1, W2], [b1, b2]
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    W1, b1, W2, b2 = textbook_step(loss, X, Y, W1, b1, W2, b2)
    expected = [W1, W2, b1, b2]
    for found, part in zip(model.coefs_ + model.intercepts_, expected, strict=True):
        np.testing.assert_allclose(found, part, rtol=1e-12, atol=1e-15)


def test_rules_differ_by_the_derivative_of_the_output():
    """Gradient under squared error = 2 g'(z2) * gradient under log loss, for every weight."""
    X, Y, weights = random_data(LOG_LOSS, 1, 1)
    W1, b1, W2, b2 = weights
    x = X[0]
    a1 = [sigma(sum(x[i] * W1[i, j] for i in range(N_FEATURES)) + b1[j]) for j in range(N_HIDDEN)]
    a2 = sigma(sum(a1[j] * W2[j, 0] for j in range(N_HIDDEN)) + b2[0])
    factor = 2 * a2 * (1 - a2)
    squared = package_gradients(SQUARED_ERROR, X, Y, weights)
    log = package_gradients(LOG_LOSS, X, Y, weights)
    for dW_squared, dW_log in zip(squared, log, strict=True):
        np.testing.assert_allclose(dW_squared, factor * dW_log, rtol=1e-12)


def test_saturated_wrong_answer_learns_only_under_log_loss():
    """With z2 = -40 for y = 1, g'(z2) is 4e-18 and the squared error stalls."""
    X, Y = np.zeros((1, N_FEATURES)), np.ones((1, 1))
    weights = [
        np.zeros((N_FEATURES, N_HIDDEN)),
        np.zeros(N_HIDDEN),
        np.zeros((N_HIDDEN, 1)),
        np.array([-40.0]),
    ]
    db2_squared = package_gradients(SQUARED_ERROR, X, Y, weights)[3]
    db2_log = package_gradients(LOG_LOSS, X, Y, weights)[3]
    assert abs(db2_squared[0]) < 1e-16
    assert db2_log[0] == pytest.approx(-1)
