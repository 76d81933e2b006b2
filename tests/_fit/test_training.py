"""From settings to a minimiser: each solver gets what it needs, and what comes out is whole."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_twolayer import TwoLayerRegressor
from sklearn_twolayer._bayes.choose_penalty import Search
from sklearn_twolayer._data.rows import Rows
from sklearn_twolayer._data.table import Table
from sklearn_twolayer._data.targets import RealTargets
from sklearn_twolayer._fit.auto import choose_width
from sklearn_twolayer._fit.monitor import Deadline, Monitor, Stop, Watch
from sklearn_twolayer._fit.parameters import Plan, checked
from sklearn_twolayer._fit.results import whole_members, why_unfinished
from sklearn_twolayer._fit.run import (
    Problem,
    fit_member,
    fit_members,
    pose,
)
from sklearn_twolayer._fit.training import TRIAL_STEPS, Fit, Training
from sklearn_twolayer._fit.weights import Resume, WarmStart
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.curvature import DenseCurvature, LowRankCurvature
from sklearn_twolayer._network.objective import MeanLoss, PenalisedLoss, Penalty
from sklearn_twolayer._network.scale import Standardization
from sklearn_twolayer._optimize.full_batch import CONVERGED, OUT_OF_ITERATIONS
from sklearn_twolayer._optimize.stochastic import StochasticState

SOLVERS = ["gd", "sgd", "adam", "lbfgs", "lm"]
ALPHA = 0.01


def settings_of(solver, **parameters):
    """Settings without "auto"."""
    asked = {
        "n_hidden": 4,
        "activation": "tanh",
        "alpha": ALPHA,
        "learning_rate": 0.01,
        "batch_size": 7,
        "max_iter": 5,
        "tol": 0.0,
    }
    estimator = TwoLayerRegressor(solver=solver, **{**asked, **parameters})
    return Plan(**vars(checked(estimator.get_params(), "TwoLayerRegressor")))


def posed(n_rows=30, n_features=3, n_hidden=4, n_outputs=2, y_scale=1.0):
    """A problem, and a start."""
    random = np.random.RandomState(0)
    X = random.normal(size=(n_rows, n_features))
    y = y_scale * random.normal(size=(n_rows, n_outputs))
    table = Table(X, y, random.uniform(0.5, 2, size=n_rows), encoded=y)
    targets = RealTargets(n_outputs, False, "identity")
    network = TwoLayerNetwork(n_features, n_hidden, n_outputs, "tanh")
    scale = Standardization.none(n_features, n_outputs)
    problem = Problem(targets, scale, table, network=network)
    return problem, random.normal(size=network.n_params)


def warm(problem, params, resume=None):
    """The start of a training from weights: copies of them."""
    W1, b1, W2, b2 = (array.copy() for array in problem.network.unpack(params))
    return WarmStart([W1, W2], [b1, b2], problem.targets, resume)


def warmed(problem, params, resume=None):
    """The problem of a network that goes on from weights."""
    return replace(problem, start=warm(problem, params, resume))


def small_blocks(problem):
    """The rows of a problem, in several blocks."""
    table = problem.table
    options = {"standardization": problem.scale, "dtype": np.float64, "block_size": 8}
    return Rows(table.X, table.encoded, table.weight, **options)


class Recorder(Monitor):
    """Notes the weights, the value and the fit that is kept in each step, and may stop at one."""

    def __init__(self, settings, stop_at=None):
        super().__init__(settings, Deadline())
        self.stop_at, self.seen = stop_at, []

    def step(self, params, value, kept):
        """Note it."""
        super().step(params, value, kept)
        self.seen.append((params, value, self.kept()))
        if len(self.seen) == self.stop_at:
            raise Stop


def run(solver, problem, params, *, stop_at=None, resume=None, **parameters):
    """The fit, and what the monitor saw."""
    settings, problem = settings_of(solver, **parameters), warmed(problem, params, resume)
    monitor = Recorder(settings, stop_at)
    random_state = np.random.RandomState(1)
    with small_blocks(problem) as rows:
        mean_loss = mean_loss_of(problem, rows, is_textbook=solver == "gd")
        training = Training(problem, settings, mean_loss, monitor, random_state)
        return training.run(), monitor


def mean_loss_of(problem, rows, is_textbook=False):
    """The mean loss of the rows."""
    return MeanLoss(problem.network, problem.targets.loss, rows, is_textbook)


def objective(problem, params, alpha=ALPHA):
    """F and its gradient, without a training."""
    with small_blocks(problem) as rows:
        mean_loss = mean_loss_of(problem, rows, is_textbook=True)
        penalised = PenalisedLoss(mean_loss, Penalty.fixed(problem.network, alpha))
        return penalised.value_and_gradient(params)


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_lowers_the_objective_and_reports_it(solver):
    problem, params = posed()
    fit, monitor = run(solver, problem, params)
    values = [value for _, value, _ in monitor.seen]
    assert all(weights.shape == params.shape for weights, _, _ in monitor.seen)
    assert len(values) == len(fit.curve) == len(fit.steps) == monitor.n_steps == 5
    assert fit.curve == tuple(values)
    assert fit.steps == (0, 1, 2, 3, 4)
    assert fit.loss == min(values) < objective(problem, params)[0]
    assert objective(problem, fit.params)[0] == pytest.approx(fit.loss, rel=1e-14)


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_stops_a_training_goes_through_every_solver(solver):
    with pytest.raises(Stop):
        run(solver, *posed(), stop_at=1)


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_is_kept_in_a_step_is_what_a_training_of_so_many_steps_returns(solver):
    """Where the schedule of the learning rate does not depend on ``max_iter``."""
    options = {"learning_rate_schedule": "constant"}
    _, monitor = run(solver, *posed(), **options)
    for n_steps, (_, value, kept) in enumerate(monitor.seen, start=1):
        expected, _ = run(solver, *posed(), max_iter=n_steps, **options)
        np.testing.assert_array_equal(kept.params, expected.params)
        assert (kept.curve, kept.steps) == (expected.curve, expected.steps)
        assert kept.loss == expected.loss <= value
        assert (kept.resume is None) == (expected.resume is None)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_start_without_a_finite_loss_is_refused(solver):
    with pytest.raises(ValueError, match="loss is not finite at the starting weights"):
        run(solver, *posed(y_scale=1e200))


def test_gd_takes_exactly_the_textbook_steps():
    problem, params = posed()
    expected = params.copy()
    for _ in range(5):
        expected -= 0.01 * objective(problem, expected)[1]
    assert np.array_equal(run("gd", problem, params)[0].params, expected)


@pytest.mark.parametrize(
    ("n_rows", "curvature"),
    [(9, LowRankCurvature), (10, LowRankCurvature), (11, DenseCurvature), (50, DenseCurvature)],
)
@pytest.mark.parametrize("small", [25, 26])
def test_the_cheaper_of_the_two_matrices_is_factorised(small, n_rows, curvature, monkeypatch):
    monkeypatch.setattr("sklearn_twolayer._network.objective.SMALL_MATRIX", small)
    problem, params = posed(n_rows)  # p = 26, two residuals in a row
    assert problem.network.n_params == 26
    with small_blocks(problem) as rows:
        mean_loss = mean_loss_of(problem, rows)
        expected = curvature if small < 26 else DenseCurvature
        assert isinstance(mean_loss.quadratic(params)[2], expected)


@pytest.mark.usefixtures("dual_form")
def test_primal_and_dual_training_agree():
    problem, params = posed(n_rows=12)
    table = problem.table
    y, weight = np.repeat(table.y, 4, axis=0), np.repeat(table.weight / 4, 4)
    twice = replace(problem, table=Table(np.repeat(table.X, 4, axis=0), y, weight, encoded=y))
    dual, primal = (run("lm", each, params)[0] for each in (problem, twice))
    np.testing.assert_allclose(dual.params, primal.params, rtol=1e-8, atol=1e-10)


def test_without_shuffling_the_random_state_is_not_touched():
    still, again, other = (
        run("sgd", *posed(), shuffle=shuffle)[0].params for shuffle in (False, False, True)
    )
    assert np.array_equal(still, again)
    assert not np.array_equal(still, other)


def test_momentum_reaches_sgd():
    plain, _ = run("sgd", *posed(), momentum=0.0)
    heavy, _ = run("sgd", *posed(), momentum=0.9, nesterovs_momentum=False)
    nesterov, _ = run("sgd", *posed(), momentum=0.9, nesterovs_momentum=True)
    assert plain.loss > heavy.loss
    assert not np.array_equal(heavy.params, nesterov.params)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_the_stochastic_solvers_hand_on_their_moments(solver):
    state = run(solver, *posed())[0].resume
    assert isinstance(state, StochasticState)
    assert state.n_steps == 5 * 5  # epochs of ceil(30 / 7) batches
    assert state.rule_state is not None


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_warm_start_goes_on_from_the_published_weights_and_not_from_the_last_step(solver):
    """Which may be elsewhere: published are the weights of the least loss, or the user's own."""
    problem, params = posed()
    last = np.full_like(params, 7.0)
    resume = Resume(solver, StochasticState(last, last))
    fit, _ = run(solver, problem, params, resume=resume, learning_rate=1e-9, max_iter=1)
    np.testing.assert_allclose(fit.params, params, atol=1e-6)


@pytest.mark.parametrize(("is_stream", "is_changed"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_the_moments_go_on_under_a_new_schedule(solver, is_stream, is_changed):
    """From the published average; a stream goes on from its last step, if that is still its own."""
    problem, average = posed()
    last, moments = average + 1, (object(), object())
    state = StochasticState(last, average, rule_state=moments, n_steps=7, progress=1.0)
    resume = Resume(solver, state, np.random.RandomState(0) if is_stream else None)
    params = average + 2 if is_changed else average
    problem = warmed(problem, params, resume)
    settings = replace(settings_of(solver), is_stream=is_stream)
    with small_blocks(problem) as rows:
        training = Training(problem, settings, mean_loss_of(problem, rows), Recorder(settings))
        start, found = training._start()
    assert found.rule_state is moments
    assert (found.n_steps, found.progress) == (7, 0.0)
    np.testing.assert_array_equal(start, params)
    np.testing.assert_array_equal(found.average, params)
    goes_on = is_stream and not is_changed
    np.testing.assert_array_equal(found.params, last if goes_on else params)


def test_lm_hands_on_its_damping_and_goes_on_with_it():
    problem, params = posed()
    cold, _ = run("lm", problem, params, max_iter=1)
    assert cold.resume > 0
    found, _ = run("lm", problem, params, max_iter=1, resume=Resume("lm", 1e9))
    step, cold_step = (np.linalg.norm(fit.params - params) for fit in (found, cold))
    assert step < 1e-3 * cold_step
    other, _ = run("lm", problem, params, max_iter=1, resume=Resume("adam", 1e9))
    np.testing.assert_array_equal(other.params, cold.params)


def test_a_minimisation_of_no_step_is_kept_too():
    """From the minimum no step goes down, but the penalty may be another one."""
    problem, params = posed()
    settings = settings_of("lm", max_iter=2000, tol=1e-14, activation="identity")
    network = TwoLayerNetwork(3, 4, 2, "identity")
    problem, penalty = replace(problem, network=network), Penalty.fixed(network, ALPHA)
    with small_blocks(problem) as rows:
        monitor = Recorder(settings)
        training = Training(problem, settings, mean_loss_of(problem, rows), monitor)
        for _ in range(10):
            fit = training.minimize(Fit(params), penalty, max_iter=2000)
            params = fit.params
        n_steps = monitor.n_steps
        monitor.kept = None
        training.minimize(Fit(params), penalty, max_iter=2000)
    assert monitor.n_steps == n_steps
    assert monitor.kept().loss == fit.loss
    assert monitor.kept().curve == ()


# Several starts


class Starts(Training):
    """A training from several starts, known by number: ``loss`` after the trial, and at the end."""

    def __init__(self, loss, status=None, end=None, stop_at=None):
        later = iter(range(1, len(loss)))
        problem = SimpleNamespace(draw_start=lambda random_state, settings: next(later))
        settings = replace(settings_of("lm", max_iter=50), n_starts=len(loss))
        super().__init__(problem, settings, None, Recorder(settings))
        self.loss, self.end, self.stop_at = loss, end or {}, stop_at
        self.status = status or [OUT_OF_ITERATIONS] * len(loss)
        self.calls, self.kept = [], []

    def minimize(self, before, penalty, *, max_iter, keep=None):
        """Note the call, and what is kept at its end."""
        params, state = before.params, before.resume
        self.calls.append((params, max_iter, state))
        loss = self.loss[params] if state is None else self.end.get(params, self.loss[params])
        curve, steps = before.curve + (0.0,) * max_iter, before.steps + (0,) * max_iter
        way = {"curve": curve, "steps": steps, "resume": params + 0.5}
        fit = Fit(params, penalty, loss, status=self.status[params], **way)
        self.kept.append(fit if keep is None else keep(fit))
        if params == self.stop_at:
            raise Stop
        return fit

    def found(self):
        """Which start was kept in each stage, and the fit."""
        fit = self._best_of(0, None)
        return [kept.params for kept in self.kept], fit


def test_the_best_two_starts_go_on():
    training = Starts([3.0, 1.0, 4.0, 2.0])
    stages, fit = training.found()
    assert [*stages, fit.params] == [0, 1, 1, 1, 1, 1, 1]
    trials = [(start, TRIAL_STEPS, None) for start in range(4)]
    assert training.calls == [*trials, (1, 30, 1.5), (3, 30, 3.5)]
    assert len(fit.curve) == len(fit.steps) == len(training.kept[-1].curve) == 50


def test_the_second_may_win_in_the_end():
    stages, fit = Starts([3.0, 1.0, 2.0], end={1: 0.9, 2: 0.5}).found()
    assert stages == [0, 1, 1, 1, 2]
    assert (fit.params, fit.loss) == (2, 0.5)


def test_among_equal_starts_the_first_goes_on():
    stages, fit = Starts([1.0, 1 - 1e-9, 1.0]).found()
    assert [*stages, fit.params] == [0, 0, 0, 0, 0, 0]


def test_a_start_that_has_converged_does_not_go_on():
    training = Starts([1.0, 2.0], [CONVERGED, CONVERGED])
    stages, fit = training.found()
    assert [*stages, fit.params] == [0, 0, 0]
    assert len(training.calls) == 2


def test_a_stop_ends_the_starts_and_keeps_the_best():
    training = Starts([2.0, 1.0, 1.5, 0.1], stop_at=2)
    with pytest.raises(Stop):
        training.found()
    assert [kept.params for kept in training.kept] == [0, 1, 1]


def by_left_out_rows(losses, stop_at=None):
    """The start that is taken of some whose left-out rows lose so much, and what is kept."""
    training = Starts(losses, stop_at=stop_at)
    training.search_of_penalties = lambda: Search(None, None, 50, training.minimize, 3)

    def strategy(search, start):
        fit = search.minimize(start, None, max_iter=1, keep=lambda running: running)
        return replace(fit, left_out_share=losses[fit.params])

    try:
        found = training._best_by_left_out_rows(strategy, 0).params
    except Stop:
        found = None
    return found, [fit.params for fit in training.kept]


@pytest.mark.parametrize(
    ("losses", "best"),
    [([0.3, 0.1, 0.2], 1), ([0.3, 0.299, np.inf], 0), ([np.inf, np.inf, 0.9], 2)],
)
def test_of_starts_by_the_evidence_the_one_that_predicts_left_out_rows_best_is_taken(losses, best):
    """While another is under way the best before it is kept, which is whole."""
    found, kept = by_left_out_rows(losses)
    assert found == best
    assert kept == [0, 0, 1 if losses[1] < 0.2 else 0]


def test_a_stop_in_a_later_start_keeps_the_best_before_it():
    assert by_left_out_rows([0.3, 0.1, 0.0], stop_at=2) == (None, [0, 0, 1])


# Learning under a weaker penalty


def test_learning_takes_at_most_half_of_the_steps_and_is_kept_with_its_way():
    problem = warmed(*posed())
    settings = replace(settings_of("lbfgs", max_iter=20), learning_alpha=0.001, alpha=0.01)
    monitor = Recorder(settings)
    with small_blocks(problem) as rows:
        training = Training(problem, settings, mean_loss_of(problem, rows), monitor)
        fit = training.run()
    strengths = [kept.penalty.strengths[0] for _, _, kept in monitor.seen]
    assert strengths == [0.001] * 10 + [0.01] * 10
    for n_steps, (weights, _, kept) in enumerate(monitor.seen, start=1):
        assert kept.steps == tuple(range(n_steps))
        assert len(kept.curve) == n_steps
        value, _ = objective(problem, weights, kept.penalty.strengths[0])
        assert kept.loss == kept.curve[-1] == pytest.approx(value, rel=1e-12)
    assert fit.penalty.strengths[0] == 0.01
    assert fit.steps == tuple(range(20))


def test_a_fit_goes_on_from_the_compared_network_whose_loss_is_least():
    """Wherever a drawn start leads: rounding may have decided that it is a worse valley."""
    problem, worse = posed()
    settings = settings_of("lbfgs", max_iter=20, alpha=ALPHA)
    penalty = Penalty.fixed(problem.network, ALPHA)
    with small_blocks(problem) as rows:
        training = Training(
            warmed(problem, worse), settings, mean_loss_of(problem, rows), Recorder(settings)
        )
        better = training.minimize(Fit(worse), penalty, max_iter=3)
        for compared in [(worse, better.params), (better.params, worse)]:
            training.settings = replace(settings, learning_alpha=ALPHA / 10, compared=compared)
            fit = training.run()
            assert fit.curve[0] < better.loss
            assert 3 < len(fit.curve) == len(fit.steps) <= 20
            assert fit.penalty.strengths[0] == ALPHA


# Members


def test_a_member_that_is_stopped_is_the_fit_that_was_kept():
    problem, _ = posed()
    settings = settings_of("gd")
    stopped = Watch(Deadline(), _Asking(3))
    fit = fit_member(problem, settings, np.random.RandomState(0), watch=stopped)
    whole = settings_of("gd", max_iter=3)
    expected = fit_member(problem, whole, np.random.RandomState(0), watch=Watch(Deadline()))
    np.testing.assert_array_equal(fit.params, expected.params)
    assert fit.curve == expected.curve
    assert fit.ending is None
    assert fit.posterior is not None


class _Asking:
    """A task whose callbacks ask to stop after so many iterations."""

    def __init__(self, n_iterations):
        self.left = n_iterations

    def iteration(self, weights):
        self.left -= 1
        return self.left == 0


def test_a_member_whose_turn_never_came_is_not_whole():
    problem, _ = posed()
    settings, deadline = settings_of("gd", n_members=3, n_jobs=1), Deadline()
    deadline.interrupt()
    watch = Watch(deadline)
    fits = fit_members(problem, settings, np.random.RandomState(0), watch=watch)
    assert [fit.params is None for fit in fits] == [False, True]  # the third as the second
    assert whole_members(fits) == fits[:1]
    attributes = {"n_iter_": 1, "loss_": fits[0].loss}
    (complaint,) = why_unfinished(settings, fits, fits[:1], attributes)
    assert "1 of 3 members" in complaint


def test_whole_members_are_those_that_were_not_cut_short():
    params = np.zeros(1)
    cut, whole, none = Fit(params, ending="interrupt"), Fit(params), Fit(ending="interrupt")
    assert whole_members([cut, whole, none]) == [whole]
    assert whole_members([cut, none]) == [cut]


@pytest.mark.parametrize(
    ("losses", "kept"),
    [
        ([0.1, 0.19, 0.21, np.inf], [0.1, 0.19]),
        ([0.3, 0.1, 0.15], [0.1, 0.15]),
        ([np.inf, np.inf], [np.inf, np.inf]),
        ([None, None], [None, None]),
        ([0.0, 1e-9, 1e-7], [0.0, 1e-9]),
    ],
)
def test_members_that_predict_left_out_rows_far_worse_than_the_best_are_left_out(losses, kept):
    members = whole_members([Fit(np.ones(1), left_out_share=loss) for loss in losses])
    assert [fit.left_out_share for fit in members] == kept


@dataclass(frozen=True)
class Bars:
    temperature: float = 1.75


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([0.1, 0.15, 0.19], [1.75] * 3),
        ([0.1, 0.3, 0.15], [1.5 * 1.75] * 2),
        ([0.3, 0.1, np.inf], [2 * 1.75]),
        ([0.1, 0.15, 0.5, 0.3, 0.2], [1.5 * 1.75] * 3),
        ([0.1], [1.75]),
        ([np.inf, np.inf], [1.75] * 2),
        ([None, None], [1.75] * 2),
    ],
)
def test_members_that_are_left_when_others_were_left_out_have_wider_bars(losses, expected):
    fits = [Fit(np.ones(1), left_out_share=loss, posterior=Bars()) for loss in losses]
    found = [fit.posterior.temperature for fit in whole_members(fits)]
    assert found == pytest.approx(expected)


def test_members_that_the_clock_took_widen_no_bars():
    whole = Fit(np.ones(1), left_out_share=0.1, posterior=Bars())
    cut = replace(whole, left_out_share=1.0, ending="interrupt")
    assert whole_members([whole, cut, Fit(ending="interrupt")]) == [whole]


def test_a_problem_is_posed_with_the_width_of_a_warm_start():
    problem, params = posed()
    asked = settings_of("lbfgs", n_hidden="auto", warm_start=True)
    rows = problem.targets, problem.table
    posed_problem, settings = pose(asked, *rows, start=warm(problem, params))
    assert settings.n_hidden == posed_problem.network.n_hidden == 4
    assert pose(asked, *rows)[1].n_hidden == choose_width(problem.size)
