"""What "auto" means to a fit: the solver that it takes, and from how many starts."""

import numpy as np
import pytest

from sklearn_twolayer import TwoLayerRegressor
from sklearn_twolayer._data import table
from sklearn_twolayer._fit import auto


def test_several_starts_find_the_best_valley_that_one_often_misses():
    """Two bells on a slope (after Rust 1996, Gauss1); of one start, one in five misses it."""
    x = np.linspace(0, 250, 125)
    bells = 110 * np.exp(-(((x - 67) / 23) ** 2)) + 72 * np.exp(-(((x - 111) / 18) ** 2))
    y = 98 * np.exp(-0.01 * x) + bells + np.random.RandomState(0).normal(size=125)
    several, one = (
        [
            TwoLayerRegressor(5, alpha=0.0, random_state=seed, warm_start=warm_start)
            .fit(x[:, None], y)
            .loss_
            for seed in range(20)
        ]
        for warm_start in (False, True)
    )
    best = 1.1 * min(several + one)
    assert np.mean(np.array(several) < best) >= 0.9
    assert np.mean(np.array(one) < best) < 0.9


def test_a_fit_publishes_the_solver_it_took(monkeypatch):
    X = np.random.RandomState(0).normal(size=(30, 2))
    model = TwoLayerRegressor(3, alpha=0.01, max_iter=1000, random_state=0)
    assert model.fit(X, X[:, 0]).solver_ == "lm"
    monkeypatch.setattr(auto, "MAX_GAUSS_NEWTON_SIZE", 1)
    assert model.fit(X, X[:, 0]).solver_ == "lbfgs"
    monkeypatch.setattr(auto, "MAX_FULL_BATCH_COST", 1)
    assert model.fit(X, X[:, 0]).solver_ == "adam"
    assert model.solver == "auto"


def test_a_solver_that_is_affordable_for_the_rows_is_so_whatever_they_weigh(monkeypatch):
    monkeypatch.setattr(auto, "MAX_GAUSS_NEWTON_COST", 13**2 * 60)
    X = np.random.RandomState(0).normal(size=(40, 2))
    model = TwoLayerRegressor(3, alpha=0.01, max_iter=500)
    assert model.fit(X, X[:, 0]).solver_ == "lm"
    assert model.fit(X, X[:, 0], sample_weight=np.full(40, 2)).solver_ == "lm"
    assert model.fit(X.repeat(2, axis=0), X[:, 0].repeat(2)).solver_ == "lm"
    monkeypatch.setattr(table, "MOST_SORTED", 0)  # of larger tables copies are rows
    assert model.fit(X.repeat(2, axis=0), X[:, 0].repeat(2)).solver_ == "lbfgs"


@pytest.mark.parametrize("solver", ["lm", "lbfgs"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_few_more_iterations_on_many_rows_do_no_harm(solver):
    """A warm start begins on all of them: on a part they would be spent on what it had learned."""
    random = np.random.RandomState(0)
    X = random.normal(size=(8000, 5))
    y = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + 0.1 * random.normal(size=8000)
    model = TwoLayerRegressor(10, solver=solver, warm_start=True, random_state=0)
    before = model.fit(X, y).score(X, y)
    assert model.set_params(max_iter=5).fit(X, y).score(X, y) > before - 0.02


def test_many_rows_are_fitted_from_a_part_of_them(capsys):
    """On which the penalties are found; the weights, and F, are those of all rows."""
    random = np.random.RandomState(0)
    X = random.uniform(-3, 3, size=(2000, 1))
    y = np.sin(2 * X[:, 0]) + 0.1 * random.normal(size=2000)
    model = TwoLayerRegressor(10, random_state=0, verbose=1)
    assert model.fit(X[:1999], y[:1999]).score(X, y) > 0.97
    assert "of all rows" not in capsys.readouterr().out
    assert model.fit(X, y).score(X, y) > 0.97
    assert "of all rows" in capsys.readouterr().out
    assert np.isclose(model.loss_and_gradient(X, y)[0], model.loss_, rtol=1e-6)


@pytest.mark.parametrize(
    ("n_targets", "is_collection"), [(1, False), (2, False), (1, True), (2, True)]
)
def test_lbfgs_finds_its_penalty_on_a_part_of_many_rows(n_targets, is_collection):
    """By lm; F under it is that of all rows, and is minimised over all of them."""
    random = np.random.RandomState(0)
    X = random.uniform(-1, 1, size=(2400, 2)).round(6)
    y = np.column_stack([np.sin(4 * X[:, 0]), X[:, 0] * X[:, 1]])[:, :n_targets]
    noisy = y + 0.02 * random.normal(size=y.shape)
    rows = X, noisy
    if is_collection:
        dask_array = pytest.importorskip("dask.array")
        rows = [dask_array.from_array(array, chunks=(800, -1)) for array in rows]
    model = TwoLayerRegressor(8, solver="lbfgs", random_state=0).fit(*rows)
    assert len(model.penalty_) in (4, 5)
    assert (model.penalty_ > 0).all()  # those of 1 / S leave the biases free
    loss, W, b = model.loss_and_gradient(X, noisy)
    assert model.loss_ == pytest.approx(loss, rel=1e-6)
    assert max(np.abs(part).max() for part in W + b) < 1e-2
    plain = TwoLayerRegressor(8, solver="lbfgs", alpha=1 / 2400, random_state=0).fit(*rows)
    errors = [
        np.sqrt(np.mean((each.predict(X).reshape(y.shape) - y) ** 2)) for each in (model, plain)
    ]
    assert errors[0] < 0.7 * errors[1]
