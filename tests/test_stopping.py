"""Fits that end before they have converged: ``max_time`` and KeyboardInterrupt."""

import signal
import warnings

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._fit import monitor, run
from sklearn_twolayer._network.objective import MeanLoss

ESTIMATORS = [TwoLayerRegressor, TwoLayerClassifier]
X = np.random.RandomState(0).normal(size=(80, 3))
Y = (np.sin(2 * X[:, 0]) + 0.4 * np.random.RandomState(1).normal(size=80) > 0).astype(int)
#: Solver and alpha of each way through the minimisers.
WAYS = [
    ("gd", 0.01),
    ("sgd", 0.01),
    ("adam", 0.01),
    ("lbfgs", 0.01),
    ("lm", 0.01),
    ("lm", "evidence"),
    ("lm", "ard"),
    ("lm", "auto"),
]
EVERY_WAY = pytest.mark.parametrize(("solver", "alpha"), WAYS)
TOO_LATE = "The fit ended at max_time="
INTERRUPTED = "Training interrupted by the user"


@pytest.fixture(autouse=True)
def a_penalty_that_is_chosen_on_the_way(request):
    """A classifier with alpha="auto" chooses before it fits: tests/test_compared_penalties.py."""
    case = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    if case.get("Estimator") is TwoLayerClassifier and case.get("alpha") == "auto":
        pytest.skip("the penalty is chosen before the fit")


def network(Estimator=TwoLayerRegressor, **parameters):
    return Estimator(**{"n_hidden": 5, "random_state": 0, "tol": 0, **parameters})


@pytest.fixture
def clock(monkeypatch):
    """A clock that advances by a second whenever it is read."""

    class Clock:
        seconds = 0

        def __call__(self):
            self.seconds += 1
            return self.seconds

    clock = Clock()
    monkeypatch.setattr(monitor, "perf_counter", clock)
    return clock


def fit_until(message, model, X=X, y=Y, **arguments):
    """Fit, expecting the one warning that ``message`` begins; how many iterations there were."""
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        model.fit(X, y, **arguments)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    return model


def fit_to_the_end(model):
    """Fit, whether or not it converges."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, Y)


def assert_whole(model, y=Y):
    """Everything that a fit publishes is there and belongs together."""
    assert np.isfinite(model.predict(X)).all()
    assert len(model.loss_curve_) == model.n_iter_
    scores, curve = model.validation_scores_, model.validation_loss_curve_
    assert scores is None or len(scores) == len(curve) == len(model.loss_curve_)
    best = np.argmax(scores) if model.early_stopping else -1
    expected = min(model.loss_curve_) if model.solver_ in ("sgd", "adam") else None
    if expected is None or model.early_stopping:
        expected = model.loss_curve_[best]
    assert model.loss_ == pytest.approx(expected, rel=1e-12)
    if not model.early_stopping:
        assert model.loss_and_gradient(X, y)[0] == pytest.approx(model.loss_, rel=1e-6)
    if model.alpha in ("evidence", "ard"):
        assert np.isfinite(model.log_marginal_likelihood_)
    if model._learned_.posteriors and isinstance(model, TwoLayerRegressor):
        assert (model.predict(X, return_std=True)[1] > 0).all()


class Interrupt:
    """A method of the mean loss that raises KeyboardInterrupt at its k-th call."""

    def __init__(self, function, k):
        self.function, self.k, self.n_calls = function, k, 0

    def __call__(self, *arguments, **options):
        self.n_calls += 1
        if self.n_calls == self.k:
            raise KeyboardInterrupt
        return self.function(*arguments, **options)

    def __get__(self, instance, owner):
        return lambda *arguments, **options: self(instance, *arguments, **options)


#: What each solver evaluates once or more in each iteration.
EVALUATED = {
    "gd": "value_and_gradient",
    "lbfgs": "value_and_gradient",
    "sgd": "batch_gradient",
    "adam": "batch_gradient",
    "lm": "value",
}


def interrupt_at(k, solver, monkeypatch):
    name = EVALUATED[solver]
    monkeypatch.setattr(MeanLoss, name, Interrupt(getattr(MeanLoss, name), k))


# max_time


@EVERY_WAY
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_fit_ends_at_the_first_iteration_after_max_time(Estimator, solver, alpha, clock):
    model = fit_until(TOO_LATE, network(Estimator, solver=solver, alpha=alpha, max_time=3))
    assert model.n_iter_ == 3
    assert clock.seconds == 1 + 3, "no iteration came after the one that was too late"
    assert_whole(model)


@pytest.mark.parametrize("solver", ["gd", "sgd", "adam", "lbfgs", "lm"])
def test_its_weights_are_those_of_a_fit_of_so_many_iterations(solver, clock):
    """As far as the schedule of the learning rate does not depend on ``max_iter``."""
    options = {"solver": solver, "alpha": 0.01, "learning_rate_schedule": "constant"}
    timed = fit_until(TOO_LATE, network(**options, max_time=4))
    counted = fit_to_the_end(network(**options, max_iter=4))
    assert np.array_equal(timed.coefs_[0], counted.coefs_[0])
    assert timed.loss_curve_ == counted.loss_curve_


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 1])
def test_the_choice_of_alpha_may_end_at_any_candidate(share, clock):
    whole = fit_to_the_end(network())
    n_steps, clock.seconds = clock.seconds, 0
    assert n_steps > 60
    max_time = int(np.ceil(share * n_steps))
    model = fit_until(TOO_LATE, network(max_time=max_time))
    assert clock.seconds == 1 + max_time
    assert_whole(model)
    if share == 1:
        assert np.array_equal(model.coefs_[0], whole.coefs_[0])


@pytest.mark.parametrize("solver", ["gd", "sgd", "adam", "lbfgs", "lm"])
@pytest.mark.parametrize("own", [False, True])
def test_with_early_stopping_the_best_validation_score_counts(solver, own, clock):
    model = network(solver=solver, alpha=0, early_stopping=True, max_time=6, n_iter_no_change=50)
    arguments = {"X_val": X[:20], "y_val": Y[:20]} if own else {}
    fit_until(TOO_LATE, model, X[20:], Y[20:], **arguments)
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.n_iter_ == 6
    assert_whole(model)
    if own:
        assert model.score(X[:20], Y[:20]) == pytest.approx(model.best_validation_score_)


def test_time_enough_changes_nothing(clock):
    model = fit_to_the_end(network(alpha=0.01, max_time=10**6))
    without = fit_to_the_end(clone(model).set_params(max_time=None))
    assert np.array_equal(model.coefs_[0], without.coefs_[0])


def test_a_warm_start_goes_on_after_max_time(clock):
    model = network(solver="lbfgs", alpha=0.01, warm_start=True, max_time=3)
    first = fit_until(TOO_LATE, model).loss_
    clock.seconds = 0
    assert fit_until(TOO_LATE, model).loss_ < first


# Committees


def test_of_a_committee_the_whole_members_are_kept(clock):
    alone = network(solver="lm", alpha=0.01, max_iter=5, n_members=2, max_time=10**6)
    fit_to_the_end(alone)
    clock.seconds = 0
    # 5 iterations of each member; the third one is cut short, the fourth does not begin.
    model = clone(alone).set_params(n_members=4, max_time=13)
    fit_until(TOO_LATE + ".* 2 of 4 members", model)
    assert model.coefs_[0].shape == (3, 10)
    assert np.array_equal(model.coefs_[0], alone.coefs_[0])
    assert model.transform(X).shape == (80, 10)
    assert len(model.get_feature_names_out()) == 10


def test_of_a_committee_without_whole_members_those_that_have_begun_are_kept(clock):
    model = network(solver="lm", alpha=0.01, n_members=3, max_time=2)
    fit_until(TOO_LATE + ".* 1 of 3 members", model)
    assert model.coefs_[0].shape == (3, 5)
    assert model.n_iter_ == 2


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_max_time_holds_however_many_members_there_would_be(n_jobs):
    """Those whose turn does not come are not even prepared: that alone took minutes."""
    many = {"n_members": 10**8, "n_jobs": n_jobs, "max_time": 0.2}
    model = network(solver="lm", alpha=0.01, max_iter=3, **many)
    with parallel_config("threading"):
        fit_until(TOO_LATE + ".* of 100000000 members", model)
    assert 5 <= model.coefs_[0].shape[1] < 10**5


def test_max_time_holds_in_other_processes():
    """A deadline that is over before the first iteration: each process has one or none."""
    model = network(solver="lm", alpha=0.01, n_members=3, n_jobs=2, max_time=1e-9)
    fit_until(TOO_LATE + ".* [12] of 3 members", model)
    assert model.n_iter_ == 1


@pytest.mark.parametrize("k", [4, 9])
def test_an_interrupted_committee_keeps_its_whole_members(k, monkeypatch):
    """Members of 3 iterations, interrupted in an iteration, or before the first one."""
    options = {"solver": "gd", "alpha": 0.01, "max_iter": 3}
    whole = fit_to_the_end(network(**options, n_members=2))
    interrupt_at(4 * 2 + (1 if k == 9 else 3), "gd", monkeypatch)
    model = fit_until(INTERRUPTED + ".* 2 of 4 members", network(**options, n_members=4))
    assert np.array_equal(model.coefs_[0], whole.coefs_[0])


@pytest.mark.parametrize("stage", ["posterior_of_fit", "training_of"])
def test_a_committee_interrupted_around_a_training_keeps_its_whole_members(stage, monkeypatch):
    """While the rows of the third are opened, or its error bars computed."""
    options = {"solver": "gd", "alpha": 0.01, "max_iter": 3}
    whole = fit_to_the_end(network(**options, n_members=2))
    monkeypatch.setattr(run, stage, interrupted := Interrupt(getattr(run, stage), 3))
    model = fit_until(INTERRUPTED + ".* 2 of 4 members", network(**options, n_members=4))
    assert interrupted.n_calls == 3
    assert np.array_equal(model.coefs_[0], whole.coefs_[0])
    assert (model.predict(X, return_std=True)[1] > 0).all()


@pytest.mark.parametrize("n_members", [1, 3])
def test_an_interrupt_before_a_network_is_whole_goes_through(n_members, monkeypatch):
    model = network(solver="gd", alpha=0.01, max_iter=3, n_members=n_members)
    before = fit_to_the_end(model).predict(X)
    monkeypatch.setattr(run, "posterior_of_fit", Interrupt(run.posterior_of_fit, 1))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, 1 - Y)
    assert np.array_equal(model.predict(X), before)


# KeyboardInterrupt


@EVERY_WAY
@pytest.mark.parametrize("k", [12, 40, 41])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_an_interrupted_fit_keeps_what_it_has(Estimator, k, solver, alpha, monkeypatch):
    model = network(Estimator, solver=solver, alpha=alpha, batch_size=20, max_iter=100)
    interrupt_at(k, solver, monkeypatch)
    fit_until(INTERRUPTED, model)
    assert_whole(model)
    monkeypatch.undo()
    whole = fit_to_the_end(clone(model))
    if not isinstance(alpha, str):
        assert model.loss_curve_ == whole.loss_curve_[: model.n_iter_]


@pytest.mark.parametrize("k", [12, 40, 70, 120])
def test_interrupted_among_its_starts_it_keeps_the_best(k, monkeypatch):
    model, seen = network(solver="lm", alpha=0.01), []
    step = monitor.Monitor.step

    def watched(watch, params, value, kept):
        seen.append(value)
        step(watch, params, value, kept)

    monkeypatch.setattr(monitor.Monitor, "step", watched)
    interrupt_at(k, "lm", monkeypatch)
    fit_until(INTERRUPTED, model)
    assert_whole(model)
    assert min(seen) == pytest.approx(model.loss_, rel=0.01)


@pytest.mark.parametrize("watched", [{}, {"X_val": X[:20], "y_val": Y[:20]}])
def test_a_fit_that_takes_no_step_is_whole(watched):
    """Warm starts from the minimum, where no step goes down any more."""
    model = network(n_hidden=3, alpha=0.01, solver="lm", warm_start=True, tol=1e-14)
    for _ in range(6):
        fit_to_the_end(model)
    model.fit(X, Y, **watched)
    assert model.n_iter_ == len(model.loss_curve_) == 1
    assert model.loss_ == model.best_loss_ == model.loss_curve_[0]


@EVERY_WAY
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_an_interrupt_before_the_first_iteration_goes_through(
    Estimator, solver, alpha, monkeypatch
):
    model = network(Estimator, solver=solver, alpha=alpha, max_iter=3)
    fit_to_the_end(model)
    before, state = model.predict(X), set(vars(model))
    interrupt_at(1, solver, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, 1 - Y)
    assert np.array_equal(model.predict(X), before)
    assert set(vars(model)) == state


@pytest.mark.parametrize("solver", ["gd", "sgd", "adam", "lbfgs", "lm"])
def test_a_scorer_may_be_interrupted(solver):
    """While the validation rows are scored, the iteration is not whole."""

    def scorer(model, X, y):
        scorer.n_calls += 1
        if scorer.n_calls == 4:
            raise KeyboardInterrupt
        return model.score(X, y)

    scorer.n_calls = 0
    model = network(solver=solver, alpha=0.01, scoring=scorer)
    fit_until(INTERRUPTED, model, X_val=X, y_val=Y)
    assert model.n_iter_ == 3
    assert_whole(model)
    assert model.validation_scores_[-1] == pytest.approx(model.score(X, Y), abs=0.1)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lm"])
def test_a_warm_start_goes_on_after_an_interrupt(solver, monkeypatch):
    model = network(solver=solver, alpha=0.01, warm_start=True, batch_size=20)
    interrupt_at(20, solver, monkeypatch)
    first = fit_until(INTERRUPTED, model).loss_
    assert model._learned_.resume.state is not None
    monkeypatch.undo()
    assert fit_to_the_end(model).loss_ < first


@pytest.mark.parametrize("solver", ["gd", "lm"])
def test_a_real_signal_ends_the_fit(solver):
    """Ctrl-C, in the third iteration."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)

    def scorer(model, X, y):
        scorer.n_calls += 1
        if scorer.n_calls == 3:
            signal.raise_signal(signal.SIGINT)
        return 0.0

    scorer.n_calls = 0
    try:
        model = network(solver=solver, alpha=0.01, scoring=scorer)
        fit_until(INTERRUPTED, model, X_val=X, y_val=Y)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert model.n_iter_ == 2
    assert_whole(model)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_an_interrupted_call_of_partial_fit_leaves_no_trace(solver, monkeypatch):
    model = network(solver=solver, batch_size=20).partial_fit(X, Y)
    before = model.predict(X)
    interrupt_at(3, solver, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, Y)
    assert np.array_equal(model.predict(X), before)
    assert model.n_iter_ == 1
