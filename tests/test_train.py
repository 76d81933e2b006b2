"""From settings to a minimiser: each solver gets what it needs and nothing else."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._auto import Settings
from sklearn_twolayer._curvature import DenseCurvature, LowRankCurvature
from sklearn_twolayer._losses import SquaredError
from sklearn_twolayer._network import TwoLayerNetwork
from sklearn_twolayer._objective import Objective, penalty_groups
from sklearn_twolayer._quadratic_model import QuadraticModel
from sklearn_twolayer._rows import Rows
from sklearn_twolayer._standardize import Standardization
from sklearn_twolayer._stochastic import StochasticState
from sklearn_twolayer._train import train

PENALTY = np.array([0.01, 0, 0.01, 0])  # of W1, b1, W2, b2
SOLVERS = ["gd", "sgd", "adam", "lbfgs", "lm"]
X = np.random.RandomState(0).normal(size=(60, 3))
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)


def problem(n_rows=30, n_features=3, n_hidden=4, n_outputs=2, y_scale=1.0):
    """An objective, its rows and a start."""
    random = np.random.RandomState(0)
    network = TwoLayerNetwork(n_features, n_hidden, n_outputs, "tanh")
    rows = Rows(
        random.normal(size=(n_rows, n_features)),
        y_scale * random.normal(size=(n_rows, n_outputs)),
        random.uniform(0.5, 2, size=n_rows),
        standardization=Standardization.none(n_features, n_outputs),
        dtype=np.float64,
        block_size=8,
    )
    objective = Objective(network, SquaredError(), PENALTY[penalty_groups(network)])
    return objective, rows, random.normal(size=network.n_params)


def run(solver, objective, rows, start, *, max_iter=5, callback=None, **parameters):
    estimator = TwoLayerRegressor(solver=solver, tol=0.0, **parameters)
    settings = Settings(solver, 0.01, 0.01, 7, max_iter)
    random_state = np.random.RandomState(1)
    with rows:
        return train(
            estimator,
            settings,
            objective,
            rows,
            start.copy(),
            random_state,
            callback or (lambda params, value: None),
        )


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_lowers_the_objective_and_reports_it(solver):
    objective, rows, start = problem()
    values = []

    def callback(params, value):
        assert params.shape == start.shape
        values.append(value)

    result = run(solver, objective, rows, start, callback=callback)
    assert len(values) == result.nit == 5
    assert result.fun == min(values) < objective.value(start, rows)
    assert objective.value(result.x, rows) == pytest.approx(result.fun, rel=1e-14)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_callback_that_stops_ends_every_solver(solver):
    def callback(params, value):
        raise StopIteration

    assert run(solver, *problem(), callback=callback).nit == 1


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_start_without_a_finite_loss_is_refused(solver):
    with pytest.raises(ValueError, match="loss is not finite at the starting weights"):
        run(solver, *problem(y_scale=1e200))


def test_gd_takes_exactly_the_textbook_steps():
    objective, rows, start = problem()
    expected = start.copy()
    for _ in range(5):
        expected -= 0.01 * objective.loss_and_gradient(expected, rows)[1]
    assert np.array_equal(run("gd", objective, rows, start).x, expected)


@pytest.mark.parametrize(
    ("n_rows", "curvature"),
    [(11, LowRankCurvature), (12, LowRankCurvature), (13, DenseCurvature), (50, DenseCurvature)],
)
def test_the_smaller_of_the_two_matrices_is_factorised(n_rows, curvature):
    objective, rows, start = problem(n_rows)  # p = 26, two residuals in a row
    assert objective.network.n_params == 26
    model = QuadraticModel(objective, rows)
    assert isinstance(model(start, objective.penalty)[2], curvature)


def test_primal_and_dual_training_agree():
    objective, rows, start = problem(n_rows=12)
    twice = Rows(
        np.repeat(rows.X, 4, axis=0),
        np.repeat(rows.y, 4, axis=0),
        np.repeat(rows.weight / 4, 4),
        standardization=rows.standardization,
        dtype=np.float64,
        block_size=8,
    )
    dual, primal = (run("lm", objective, data, start) for data in (rows, twice))
    np.testing.assert_allclose(dual.x, primal.x, rtol=1e-8, atol=1e-10)


def test_without_shuffling_the_random_state_is_not_touched():
    objective, rows, start = problem()
    still = run("sgd", objective, rows, start, shuffle=False)
    again = run("sgd", objective, rows, start, shuffle=False)
    other = run("sgd", objective, rows, start, shuffle=True)
    assert np.array_equal(still.x, again.x)
    assert not np.array_equal(still.x, other.x)


def test_momentum_reaches_sgd():
    objective, rows, start = problem()
    plain = run("sgd", objective, rows, start, momentum=0.0)
    heavy = run("sgd", objective, rows, start, momentum=0.9, nesterovs_momentum=False)
    nesterov = run("sgd", objective, rows, start, momentum=0.9, nesterovs_momentum=True)
    assert plain.fun > heavy.fun
    assert not np.array_equal(heavy.x, nesterov.x)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_the_stochastic_solvers_hand_on_their_moments(solver):
    state = run(solver, *problem(), warm_start=True).state
    assert isinstance(state, StochasticState)
    assert state.n_steps == 5 * 5  # epochs of ceil(30 / 7) batches
    assert state.rule_state is not None


def test_lm_hands_on_its_damping():
    result = run("lm", *problem())
    assert result.state == result.damping > 0


@pytest.mark.parametrize("warm_start", [False, True])
def test_only_a_warm_start_uses_the_state_of_the_last_fit(warm_start):
    objective, rows, start = problem()
    cold = run("lm", objective, rows, start, max_iter=1)
    estimator = SimpleNamespace(tol=0.0, warm_start=warm_start, _training_state=1e9, solver_="lm")
    settings = Settings("lm", 0.01, None, 7, 1)
    with rows:
        found = train(estimator, settings, objective, rows, start, None, lambda params, value: None)
    step, cold_step = (np.linalg.norm(result.x - start) for result in (found, cold))
    assert (step < 1e-3 * cold_step) == warm_start


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("learning_rate", [1e3, 1e6, 1e12])
@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_gd_that_diverges_proposes_a_learning_rate_until_one_works(Estimator, learning_rate):
    model = Estimator(10, solver="gd", alpha=0.01, max_iter=300, random_state=0)
    start = model.set_params(learning_rate=1e-9).fit(X, Y).loss_
    refusals = 0
    while True:
        try:
            model.set_params(learning_rate=learning_rate).fit(X, Y)
            break
        except ValueError as error:
            refusals += 1
            proposal = re.search(r"diverged.*Try learning_rate=([^,]+),", str(error))
            assert float(proposal[1]) == pytest.approx(learning_rate / 10, rel=1e-2)
            learning_rate = float(proposal[1])
    assert refusals > 0
    assert model.loss_ < start


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("learning_rate", [1e-300, 1e3, 1e100, 1e200, 1e308])
@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_no_learning_rate_ends_in_nan(Estimator, solver, schedule, learning_rate):
    settings = {"solver": solver, "learning_rate_schedule": schedule, "max_iter": 20}
    model = Estimator(4, learning_rate=learning_rate, random_state=0, **settings).fit(X, Y)
    assert np.isfinite(model.loss_)
    assert np.isfinite(model.loss_curve_).all()
    assert all(np.isfinite(array).all() for array in model.coefs_ + model.intercepts_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", SOLVERS)
def test_lm_and_lbfgs_need_no_learning_rate_and_the_others_follow_theirs(solver):
    settings = {"solver": solver, "alpha": 0.01, "max_iter": 3, "random_state": 0}
    slow = TwoLayerRegressor(4, learning_rate=1e-9, **settings).fit(X, Y)
    fast = TwoLayerRegressor(4, learning_rate=1e-2, **settings).fit(X, Y)
    assert np.array_equal(slow.predict(X), fast.predict(X)) == (solver in ("lm", "lbfgs"))


@pytest.mark.parametrize("solver", ["lbfgs", "adam", "sgd"])
def test_a_gradient_that_is_not_finite_at_the_start_is_refused(solver):
    """The loss itself is finite in float32, its gradient is not."""
    model = TwoLayerRegressor(
        4, activation="identity", standardize=False, alpha=0.0, solver=solver, random_state=0
    )
    X = np.full((20, 2), 8e18, np.float32)
    with pytest.raises(ValueError, match=r"not finite.*[Ss]cale them"):
        model.fit(X, np.zeros(20, np.float32))


@pytest.mark.parametrize(("alpha", "bends"), [(0.0, True), ("evidence", False)])
def test_steps_bend_where_the_loss_has_become_small(alpha, bends, monkeypatch):
    x = np.linspace(-1, 1, 60)[:, None]
    seen, acceleration = [], QuadraticModel.acceleration

    def record(model, params, v):
        seen.append(model.value(params, 0 * params))
        return acceleration(model, params, v)

    monkeypatch.setattr(QuadraticModel, "acceleration", record)
    TwoLayerRegressor(6, alpha=alpha, random_state=0).fit(x, np.sin(6 * x[:, 0]))
    assert bool(seen) == bends
    assert all(value < 0.02 for value in seen)
