"""Warm starts on rows of which the weights say nothing: shifted to their level, or drawn anew."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.utils import check_random_state

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._data.table import Table
from sklearn_twolayer._data.targets import RealTargets
from sklearn_twolayer._fit.parameters import checked
from sklearn_twolayer._fit.run import pose
from sklearn_twolayer._fit.weights import Resume, WarmStart, near_the_rows
from sklearn_twolayer._network.scale import Standardization

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(120, 3))
SIGNAL = np.sin(2 * X[:, 0]) + X[:, 1]
Y = SIGNAL + 0.1 * RANDOM.normal(size=120)
WEIGHT = RANDOM.uniform(0.2, 2, size=120)
SETTINGS = {"n_hidden": 5, "alpha": 1e-3, "random_state": 0}
SOLVERS = [{"solver": "lm"}, {"solver": "lbfgs"}, {"solver": "adam", "max_iter": 300}]
LEFT = pytest.warns(UserWarning, match="the weights of the last fit lose")
quietly = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def started(y, params=None, **parameters):
    """A problem of rows with these targets, and what becomes of a start from a fit to others."""
    settings = checked(TwoLayerRegressor(**{**SETTINGS, **parameters}).get_params(), "")
    n_outputs = 1 if y.ndim == 1 else y.shape[1]
    table = Table(X, y.reshape(len(y), -1), WEIGHT, encoded=y.reshape(len(y), -1))
    targets = RealTargets(n_outputs, y.ndim == 1, "identity", None, (False,) * n_outputs)
    problem, settings = pose(settings, targets, table)
    if params is None:
        params = 0.1 * np.random.RandomState(1).normal(size=problem.network.n_params)
    resume = Resume("lm", 7.0)
    scale = Standardization.none(3, n_outputs)  # that of other rows
    behind = {"is_assigned": False, "scale": scale}
    start = WarmStart(*problem.weights(params), targets, resume, **behind)
    return problem, settings, start


def near(problem, settings, start, seed=0):
    """The start that becomes of one, and what is told."""
    random_state = check_random_state(seed)
    found, told = near_the_rows(replace(problem, start=start), settings, random_state)
    assert random_state.randint(2**31) == check_random_state(seed).randint(2**31)
    return found.start, told


@quietly
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
@pytest.mark.parametrize("factor", [1, 100])
def test_a_regression_learns_rows_of_another_level(factor, standardize, solver):
    """It went to the constant, or to weights of hundreds, which new rows contradict by far."""
    model = TwoLayerRegressor(**SETTINGS, **solver, standardize=standardize, warm_start=True)
    cold = clone(model).fit(X, Y)
    model.fit(X, factor * Y + 1000 * factor)
    with LEFT:
        model.fit(X, Y)
    assert model.score(X, SIGNAL) > cold.score(X, SIGNAL) - 0.03
    assert np.abs(model.coefs_[1]).max() < 3 * np.abs(cold.coefs_[1]).max()


def test_the_default_learns_rows_of_another_level():
    model = TwoLayerRegressor(random_state=0, warm_start=True).fit(X, Y + 1000)
    with LEFT:
        model.fit(X, Y)
    assert model.score(X, SIGNAL) > 0.97
    assert model.loss_curve_[0] < 0.5


@quietly
@pytest.mark.parametrize(
    ("Estimator", "y"),
    [
        (TwoLayerRegressor, Y),
        (TwoLayerClassifier, 1 * (Y > 0)),
        (TwoLayerClassifier, np.digitize(Y, [0, 1])),
    ],
)
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_what_says_nothing_of_the_rows_is_drawn_anew(Estimator, y, solver, capsys):
    model = Estimator(**SETTINGS, **solver, warm_start=True)
    cold = clone(model).fit(X, y)
    model.fit(1.001 * X, y.max() - y)  # rows in other units
    model.set_params(verbose=1).fit(X, y)
    assert "the weights of the last fit lose" in capsys.readouterr().out
    for W, other in zip(model.coefs_ + model.intercepts_, cold.coefs_ + cold.intercepts_):
        assert_array_equal(W, other)


def test_only_the_level_is_shifted_by_the_weighted_mean_residual():
    """Where the rest of the network is right; the damping of the other problem is left behind."""
    y = np.c_[Y, X[:, 2]]
    model = TwoLayerRegressor(**SETTINGS, solver="lm").fit(X, y, WEIGHT)
    moved = y + np.array([1000.0, -30.0])
    problem, settings, start = started(moved, solver="lm")
    start = replace(start, coefs=model.coefs_, intercepts=model.intercepts_)
    shifted, (warning,) = near(problem, settings, start)
    assert "b2 has been shifted" in str(warning)
    assert shifted.coefs is start.coefs
    assert shifted.resume is None
    assert_array_equal(shifted.intercepts[0], start.intercepts[0])
    residual = np.average(moved - model.predict(X), axis=0, weights=WEIGHT)
    assert_allclose(shifted.intercepts[1] - start.intercepts[1], residual, rtol=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_units_that_answer_the_same_for_all_rows_are_no_start(seed):
    """Shifted they would lose less than weights that are drawn, and learn from no slope."""
    y = np.sin(2 * X[:, 0])
    problem, settings, start = started(y)
    W1, b1 = np.ones((3, 5)), np.full(5, 100.0)
    start = replace(start, coefs=[W1, np.ones((5, 1))], intercepts=[b1, np.array([1000.0])])
    found, (warning,) = near(problem, settings, start, seed)
    assert found is None
    assert "begun with drawn ones" in str(warning)


def test_weights_of_the_same_rows_stay_though_a_step_was_too_long():
    """Else a loop of short fits would begin anew for ever."""
    problem, settings, start = started(Y)
    b1, b2 = start.intercepts
    foreign = replace(start, intercepts=[b1, b2 + 2 * Y.std()])
    found, _ = near(problem, settings, foreign)
    assert found is not foreign
    of_these_rows = replace(foreign, scale=problem.scale)
    found, said = near(problem, settings, of_these_rows)
    assert found is of_these_rows
    assert said == []


@pytest.mark.parametrize("why", ["it is near", "a stream", "assigned", "nothing to lose"])
def test_other_starts_stay_as_they_are(why):
    y = np.full(120, 3.0) if why == "nothing to lose" else Y
    problem, settings, start = started(y)
    far = replace(start, intercepts=[start.intercepts[0], start.intercepts[1] + 1000])
    start = start if why == "it is near" else far
    if why == "nothing to lose":
        problem = replace(problem, targets=replace(problem.targets, is_constant=(True,)))
    if why == "a stream":
        settings = replace(settings, is_stream=True)
    if why == "assigned":
        start = replace(start, is_assigned=True)
    found, said = near(problem, settings, start)
    assert found is start
    assert said == []


@quietly
@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
@pytest.mark.parametrize("solver", ["gd", "sgd", "adam", "lbfgs", "lm"])
@pytest.mark.parametrize("standardize", [True, False])
def test_a_loop_of_single_iterations_warns_of_no_start(Estimator, solver, standardize):
    """Networks that have hardly begun to learn lose about as much as those that have not."""
    scale = 1.0 if standardize else 0.01
    y = scale * Y if Estimator is TwoLayerRegressor else Y > 1.5
    settings = {**SETTINGS, "solver": solver, "standardize": standardize, "max_iter": 1}
    model = Estimator(**settings, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("ignore", "solver=")
        for _ in range(5):
            model.fit(X, y)


@quietly
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_assigned_weights_are_where_the_fit_starts(dtype):
    """However much they lose: one step of almost no length leaves them there."""
    settings = {**SETTINGS, "solver": "gd", "learning_rate": 1e-12, "max_iter": 1}
    model = TwoLayerRegressor(**settings, warm_start=True).fit(X.astype(dtype), Y)
    b2 = model.intercepts_[1] + 1000
    model.intercepts_ = [model.intercepts_[0], b2]
    model.fit(X.astype(dtype), Y)
    assert_allclose(model.intercepts_[1], b2, rtol=1e-6)


@quietly
def test_early_stopping_goes_along():
    model = TwoLayerRegressor(random_state=0, early_stopping=True, warm_start=True)
    model.fit(X, Y + 1000)
    with LEFT:
        model.fit(X, Y)
    assert r2_score(SIGNAL, model.predict(X)) > 0.9
