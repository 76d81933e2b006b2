"""What makes it fast changes nothing: blocks, threads, shortcuts and steps in place."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._losses import BinaryLogLoss, MulticlassLogLoss, SquaredError
from sklearn_twolayer._network import TwoLayerNetwork, _product, _product_over_rows
from sklearn_twolayer._objective import Objective
from sklearn_twolayer._rows import Rows, SingleThreadedBLAS
from sklearn_twolayer._standardize import Standardization
from sklearn_twolayer._stochastic import adam, sgd
from sklearn_twolayer._workspace import Workspace

N_ROWS, N_FEATURES, N_HIDDEN = 3001, 6, 9
LOSSES = {"squared": (SquaredError, 1), "squared3": (SquaredError, 3)}
LOSSES |= {"binary": (BinaryLogLoss, 1), "classes": (MulticlassLogLoss, 4)}
ALL_LOSSES = pytest.mark.parametrize(("loss_class", "k"), LOSSES.values(), ids=LOSSES)
KINDS = pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])


@pytest.fixture
def set_threads(monkeypatch):
    """``set_threads(n)``: as on a machine where BLAS would use n threads."""
    return lambda n: monkeypatch.setattr(SingleThreadedBLAS, "n_threads", n)


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
        penalty = rng.uniform(0, 0.1, size=self.network.n_params)
        self.objective = Objective(self.network, loss_class(), penalty)
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
            return self.objective.loss_and_gradient(self.params, rows)

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
        loss, delta = self.objective.loss.loss_and_delta(self.y, A1 @ W2 + b2)
        delta = delta * (self.weight / self.weight.sum())[:, None]
        d1 = (delta @ W2.T) * dg
        parts = (X.T @ d1, d1.sum(axis=0), A1.T @ delta, delta.sum(axis=0))
        gradient = np.concatenate([part.ravel() for part in parts])
        penalty = self.objective.penalty
        value = np.average(loss, weights=self.weight) + 0.5 * penalty @ params**2
        return value, gradient + penalty * params


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


@pytest.mark.parametrize("h", [1, 7, 100, 900])
@pytest.mark.parametrize("n", [1, 31, 128, 129, 1000, 4096])
def test_stacked_products(n, h):
    """Products in stacks, with and without remainders, are the products."""
    rng = np.random.default_rng(0)
    X, W, D = rng.normal(size=(n, 33)), rng.normal(size=(33, h)), rng.normal(size=(n, h))
    found = _product(X, W, out=np.full((n, h), np.nan))
    np.testing.assert_allclose(found, X @ W, rtol=1e-12, atol=1e-12)
    found = np.full((33, h), np.nan)
    _product_over_rows(X, D, found, Workspace())
    np.testing.assert_allclose(found, X.T @ D, rtol=1e-11, atol=1e-11)


def test_tanh_form_of_a_logistic_network():
    """The same prediction, and a gradient that the chain rule carries back."""
    network = TwoLayerNetwork(3, 4, 2, "logistic")
    rng = np.random.default_rng(0)
    params, X1 = (
        rng.normal(size=network.n_params),
        np.column_stack([rng.normal(size=(7, 3)), np.ones(7)]),
    )
    delta = rng.normal(size=(7, 2))
    Z2, A1 = network.forward(params, X1)
    Z2, gradient = Z2.copy(), network.backward(params, X1, A1, delta).copy()
    twin = network.tanh_form
    moved = network.to_tanh_form(params.copy())
    found, A1 = twin.forward(moved, X1)
    np.testing.assert_allclose(found, Z2, rtol=1e-13, atol=1e-14)
    found = network.from_tanh_form(twin.backward(moved, X1, A1, delta).copy())
    np.testing.assert_allclose(found, gradient, rtol=1e-12, atol=1e-13)
    assert twin.tanh_form is twin


def test_adjoint_of_the_tanh_form_takes_columns():
    network = TwoLayerNetwork(3, 4, 2, "logistic")
    columns = np.random.default_rng(0).normal(size=(network.n_params, 5))
    expected = np.column_stack([network.from_tanh_form(column.copy()) for column in columns.T])
    np.testing.assert_array_equal(network.from_tanh_form(columns.copy()), expected)
    np.testing.assert_array_equal(network.from_tanh_form(columns.T.copy().T), expected)


PEAK_SHARE = 0.5  # of one (n_samples, n_hidden) array


def peak_of(function):
    """Bytes that NumPy and Python allocate at most, beyond what was there before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        function()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("solver", ["gd", "sgd", "adam", "lbfgs", "lm"])
@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_no_array_of_samples_times_hidden(Estimator, solver, monkeypatch):
    """Neither in fit nor in predict. Small blocks stand for a large number of rows."""
    monkeypatch.setattr("sklearn_twolayer._rows._memory.BLOCK_BYTES", 2**14)
    n, h = 40_000, 50
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 2))
    y = X[:, 0] > 0 if Estimator is TwoLayerClassifier else X[:, 0]
    model = Estimator(h, solver=solver, max_iter=1, random_state=0)
    assert peak_of(lambda: model.fit(X, y)) < PEAK_SHARE * n * h * X.itemsize
    assert peak_of(lambda: model.predict(X)) < PEAK_SHARE * n * h * X.itemsize


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_few_rows_are_predicted_as_many():
    """One row alone, among few, and among many."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1000, 3)), rng.normal(size=(1000, 2))
    for dtype in (np.float32, np.float64):
        model = TwoLayerRegressor(5, solver="lm", max_iter=3, tol=1, random_state=0)
        model.fit(X.astype(dtype), y)
        many = model.predict(X)
        for n in (1, 100):
            few = model.predict(X[:n])
            assert few.dtype == many.dtype == dtype
            np.testing.assert_allclose(few, many[:n], rtol=1e-4 if dtype is np.float32 else 1e-12)


def gradients(n_steps):
    return np.random.default_rng(1).normal(size=(n_steps, 5))


def test_adam_in_place_is_kingma_and_ba():
    """Algorithm 1, with the memory of the last step lent to the next."""
    m, v, last, state = np.zeros(5), np.zeros(5), None, None
    for t, gradient in enumerate(gradients(20), start=1):
        m = 0.9 * m + (1 - 0.9) * gradient
        v = 0.999 * v + (1 - 0.999) * gradient**2
        m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
        last = adam(gradient, state, out=last)
        found, state = last
        np.testing.assert_allclose(found, m_hat / (np.sqrt(v_hat) + 1e-8), rtol=1e-12)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_in_place_is_momentum(nesterov):
    """Polyak's u <- momentum u + gradient; Sutskever et al. step along gradient + momentum u."""
    u, last, state = np.zeros(5), None, None
    for gradient in gradients(20):
        u = 0.9 * u + gradient
        last = sgd(gradient, state, momentum=0.9, nesterov=nesterov, out=last)
        found, state = last
        np.testing.assert_allclose(found, gradient + 0.9 * u if nesterov else u, rtol=1e-13)


@pytest.mark.parametrize("rule", [adam, lambda *a, **b: sgd(*a, momentum=0.9, nesterov=True, **b)])
def test_lent_memory_is_used(rule):
    """In place where memory is lent, and the arguments stay as they were where not."""
    gradient = gradients(1)[0]
    kept = gradient.copy()
    first = rule(gradient, None)
    second = rule(gradient, first[1], out=first)
    assert second[0] is first[0]
    third = rule(gradient, second[1])
    assert third[0] is not second[0]
    np.testing.assert_array_equal(gradient, kept)


def test_settings_of_the_caller_reach_other_threads(set_threads):
    """``np.errstate`` of the caller holds in the blocks that run on other threads."""
    set_threads(2)
    rows = Rows(
        np.full((64, 1), 1e308), None, None, standardization=None, dtype=float, block_size=8
    )
    with rows, np.errstate(over="ignore"):
        (total,) = rows.sum(lambda X, y, weight: ((X * 10).sum(),))
    assert np.isinf(total)
