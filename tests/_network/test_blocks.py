"""Blocks, threads and dtypes change nothing of the objective but rounding."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_twolayer._data.rows import Rows
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.losses import BinaryLogLoss, MulticlassLogLoss, SquaredError
from sklearn_twolayer._network.objective import MeanLoss, PenalisedLoss, Penalty
from sklearn_twolayer._network.scale import Standardization

N_ROWS, N_FEATURES, N_HIDDEN = 3001, 6, 9
LOSSES = {"squared": (SquaredError, 1), "squared3": (SquaredError, 3)}
LOSSES |= {"binary": (BinaryLogLoss, 1), "classes": (MulticlassLogLoss, 4)}
ALL_LOSSES = pytest.mark.parametrize(("loss_class", "k"), LOSSES.values(), ids=LOSSES)
KINDS = pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])


class Problem:
    """Random rows, weights and a network, with loss and gradient by the textbook."""

    def __init__(self, loss_class, k, activation="logistic", n_features=N_FEATURES):
        rng = np.random.default_rng(0)
        f, h = n_features, N_HIDDEN
        X = rng.normal(1, 2, size=(N_ROWS, f)) * (rng.uniform(size=(N_ROWS, f)) < 0.7)
        self.X, self.weight = X, rng.uniform(0.5, 2, size=N_ROWS)
        if loss_class is MulticlassLogLoss:
            self.y = rng.integers(k, size=N_ROWS)
        elif loss_class is BinaryLogLoss:
            self.y = rng.integers(2, size=(N_ROWS, 1)).astype(float)
        else:
            self.y = rng.normal(size=(N_ROWS, k))
        self.standardization = Standardization(
            X.mean(axis=0), X.std(axis=0), np.zeros(k), np.ones(k)
        )
        self.activation = activation
        self.network = TwoLayerNetwork(f, h, k, activation)
        self.loss = loss_class()
        strengths = rng.uniform(0, 0.1, size=self.network.n_params)
        self.penalty = Penalty(np.arange(self.network.n_params), strengths)
        self.params = rng.normal(size=self.network.n_params)

    def rows(self, block_size, is_sparse=False, dtype=np.float64):
        return Rows(
            sparse.csr_array(self.X) if is_sparse else self.X,
            self.y if self.y.dtype.kind == "i" else self.y.astype(dtype),
            self.weight.astype(dtype),
            standardization=self.standardization,
            dtype=dtype,
            block_size=block_size,
        )

    def loss_and_gradient(self, *args, **options):
        with self.rows(*args, **options) as rows:
            mean_loss = MeanLoss(self.network, self.loss, rows)
            return PenalisedLoss(mean_loss, self.penalty).value_and_gradient(self.params)

    def textbook(self):
        """F and its gradient from the formulas of the derivation, in whole arrays."""
        network, params = self.network, self.params
        W1, b1, W2, b2 = network.unpack(params)
        X = (self.X - self.standardization.mean) / self.standardization.scale
        Z1 = X @ W1 + b1
        A1, dg = {
            "logistic": lambda z: (1 / (1 + np.exp(-z)), np.exp(-z) / (1 + np.exp(-z)) ** 2),
            "tanh": lambda z: (np.tanh(z), 1 / np.cosh(z) ** 2),
            "relu": lambda z: (np.maximum(z, 0), 1.0 * (z > 0)),
        }[self.activation](Z1)
        loss, delta = self.loss.loss_and_delta(self.y, A1 @ W2 + b2)
        delta = delta * (self.weight / self.weight.sum())[:, None]
        d1 = (delta @ W2.T) * dg
        parts = (X.T @ d1, d1.sum(axis=0), A1.T @ delta, delta.sum(axis=0))
        gradient = np.concatenate([part.ravel() for part in parts])
        alpha = self.penalty.strengths
        value = np.average(loss, weights=self.weight) + 0.5 * alpha @ params**2
        return value, gradient + alpha * params


@KINDS
@ALL_LOSSES
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("block_size", [64, 100, 1000, 10_000])
def test_loss_and_gradient(block_size, n_threads, loss_class, k, is_sparse, set_threads):
    """Blocks of any size, on one thread and on two, dense and sparse: the textbook's numbers."""
    set_threads(n_threads)
    problem = Problem(loss_class, k)
    value, gradient = problem.loss_and_gradient(block_size, is_sparse)
    expected, expected_gradient = problem.textbook()
    assert value == pytest.approx(expected, rel=1e-12)
    scale = np.abs(expected_gradient).max()
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-12, atol=1e-12 * scale)


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu"])
@pytest.mark.parametrize("n_features", [3, 20])
def test_shortcut_of_one_output(n_features, activation):
    """With fewer features than hidden units the (n, h) delta is not formed."""
    problem = Problem(SquaredError, 1, activation, n_features=n_features)
    gradient = problem.loss_and_gradient(1000)[1]
    expected = problem.textbook()[1]
    scale = np.abs(expected).max()
    np.testing.assert_allclose(gradient, expected, rtol=1e-11, atol=1e-12 * scale)


@KINDS
@ALL_LOSSES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_number_of_threads_changes_no_bit(dtype, loss_class, k, is_sparse, set_threads):
    problem = Problem(loss_class, k)
    results = []
    for n_threads in (1, 2, 3, 16):
        set_threads(n_threads)
        results.append(problem.loss_and_gradient(64, is_sparse, dtype))
    for value, gradient in results[1:]:
        assert value == results[0][0]
        np.testing.assert_array_equal(gradient, results[0][1])


@ALL_LOSSES
def test_float32_stays_near_float64(loss_class, k):
    problem = Problem(loss_class, k)
    value, gradient = problem.loss_and_gradient(100)
    single, single_gradient = problem.loss_and_gradient(100, dtype=np.float32)
    assert single == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(single_gradient, gradient, atol=2e-6 * np.abs(gradient).max())
