"""What makes it fast changes nothing: blocks, threads, shortcuts and steps in place."""

import tracemalloc
from itertools import product

import numpy as np
import pytest

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._data.rows import Rows
from sklearn_twolayer._optimize.stochastic import adam, sgd

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


@pytest.mark.parametrize(
    ("Estimator", "solver"),
    [
        *product([TwoLayerRegressor], ["gd", "sgd", "adam", "lbfgs", "lm"]),
        *product([TwoLayerClassifier], ["adam", "lm"]),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_no_array_of_samples_times_hidden(Estimator, solver, set_threads, monkeypatch):
    """Neither in fit nor in predict. Small blocks stand for a large number of rows."""
    set_threads(1)  # each has blocks of its own
    monkeypatch.setattr("sklearn_twolayer._data.rows.BLOCK_BYTES", 2**14)
    n, h = 20_000, 50
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 2))
    y = X[:, 0] > 0 if Estimator is TwoLayerClassifier else X[:, 0]
    model = Estimator(h, solver=solver, alpha=0.01, max_iter=1, random_state=0)
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
