"""The monitor: what a fit records and prints after each iteration, and when it stops."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_twolayer._fit import monitor as module
from sklearn_twolayer._fit.monitor import (
    INTERRUPT,
    OUT_OF_TIME,
    Deadline,
    Monitor,
    Stop,
    Watch,
    best_step,
    scorer_of_weights,
)
from sklearn_twolayer._fit.training import Fit


def monitor(scores=None, *, losses=None, tol=0.0, n_iter_no_change=3, verbose=0, **watched):
    """A monitor with early stopping whose score of params [i] is scores[i], its loss losses[i]."""
    validate = None
    if scores is not None:
        losses = [-score for score in scores] if losses is None else losses

        def validate(params):
            return losses[int(params[0])], scores[int(params[0])]

    settings = SimpleNamespace(
        early_stopping=scores is not None,
        tol=tol,
        n_iter_no_change=n_iter_no_change,
        verbose=verbose,
    )
    deadline = watched.pop("deadline", Deadline())
    return Monitor(settings, deadline, validate=validate, **watched)


def run(monitor, n_iterations):
    """Iterate until the monitor stops; the number of iterations."""
    for iteration in range(n_iterations):
        try:
            kept = f"fit {iteration}".upper
            monitor.step(np.array([float(iteration)]), np.float64(100 - iteration), kept)
        except Stop:
            return iteration + 1
    return n_iterations


def test_without_a_score_it_only_counts():
    watch = monitor(n_iter_no_change=1)
    assert run(watch, 20) == watch.n_steps == 20
    assert watch.scores == watch.losses == []
    assert watch.best_params is None
    assert watch.ending is None


def test_it_stops_after_n_iterations_without_a_better_score():
    watch = monitor([0.1, 0.5, 0.4, 0.5, 0.3, 0.9, 0.9], n_iter_no_change=3)
    assert run(watch, 7) == watch.n_steps == 5
    assert watch.scores == [0.1, 0.5, 0.4, 0.5, 0.3]
    assert watch.losses == [-0.1, -0.5, -0.4, -0.5, -0.3]
    assert watch.best_params.tolist() == [1]
    assert watch.ending is None, "nothing has cut it short"


def test_any_progress_starts_the_count_anew():
    watch = monitor([0, 0, 1, 1, 2, 2, 2, 2], n_iter_no_change=3)
    assert run(watch, 8) == 8
    assert watch.best_params.tolist() == [4]


def test_progress_must_exceed_tol_to_count_but_not_to_be_kept():
    scores, losses = [0.5, 0.505, 0.509, 0.512, 0.6], [1.0] * 5
    watch = monitor(scores, losses=losses, tol=0.01, n_iter_no_change=3)
    assert run(watch, 5) == 4
    assert watch.best_params.tolist() == [3]


def test_the_bar_is_the_best_score_so_slow_growth_does_not_last_for_ever():
    slow = [0.001 * i for i in range(100)]
    watch = monitor(slow, losses=[100 - score for score in slow], tol=0.01, n_iter_no_change=10)
    assert run(watch, 100) == 11


def test_of_equal_scores_the_first_is_kept():
    watch = monitor([0.2, 0.7, 0.7, 0.7], n_iter_no_change=9)
    run(watch, 4)
    assert watch.best_params.tolist() == [1]


def test_of_equal_scores_that_of_the_least_loss_is_kept():
    """Of twenty rows an accuracy has twenty values."""
    scores, losses = [0.7, 0.7, 0.7, 0.6], [3.0, 1.0, 2.0, 0.5]
    watch = monitor(scores, losses=losses, n_iter_no_change=9)
    run(watch, 4)
    assert watch.best_params.tolist() == [1]
    assert best_step(scores, losses) == 1


def test_it_waits_as_long_as_the_loss_falls():
    """Off a plateau the loss falls before the accuracy rises; slowly is not at all."""
    losses = np.array([1.0, 0.9, 0.8, 0.7, 0.6, 0.599, 0.598, 0.597])
    for unit in (1.0, 1e6, 1e-6):
        watch = monitor([0.5] * 8, losses=unit * losses, tol=0.01, n_iter_no_change=2)
        assert run(watch, 8) == 7
        assert watch.best_params.tolist() == [6]


def test_scores_may_be_negative():
    watch = monitor([-1e300, -5.0, -7.0], n_iter_no_change=9)
    run(watch, 3)
    assert watch.best_params.tolist() == [1]


def test_best_params_are_a_copy():
    watch = monitor([0.5])
    params = np.zeros(1)
    watch.step(params, 1.0, None)
    params += 9
    assert watch.best_params.tolist() == [0]


def test_a_share_of_the_time_that_is_left(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    deadline = Deadline(10)
    now[0] = 4.0
    half = deadline.share(0.5)
    for now[0], is_over in ((6.9, False), (7.0, True)):
        assert half.is_over() == is_over
        assert not deadline.is_over()
    now[0] = 11.0
    assert deadline.share(0.5).is_over()
    assert not Deadline().share(0.5).is_over()


@pytest.mark.parametrize("verbose", [1, 2, True])
def test_a_verbose_monitor_prints_a_line_per_iteration(verbose, capsys):
    run(monitor(verbose=verbose), 2)
    assert capsys.readouterr().out == "Iteration     1  loss 100\nIteration     2  loss 99\n"
    run(monitor([0.25], verbose=verbose), 1)
    assert capsys.readouterr().out == "Iteration     1  loss 100  validation score 0.2500\n"


def test_iterations_of_a_stream_are_numbered_on(capsys):
    run(monitor(verbose=1, n_before=41), 1)
    assert capsys.readouterr().out == "Iteration    42  loss 100\n"


def test_the_iteration_that_stops_is_printed_too(capsys):
    assert run(monitor([1, 0, 0], n_iter_no_change=1, verbose=1), 3) == 2
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("verbose", [0, False])
def test_a_silent_monitor_prints_nothing(verbose, capsys):
    run(monitor([0.5, 0.4], verbose=verbose), 2)
    assert capsys.readouterr() == ("", "")


def test_validation_rows_without_early_stopping_are_only_recorded():
    watch = monitor([0.5, 0.4, 0.3, 0.2], n_iter_no_change=1)
    watch.settings.early_stopping = False
    assert run(watch, 4) == 4
    assert watch.scores == [0.5, 0.4, 0.3, 0.2]
    assert watch.best_params is None


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_refused(score):
    watch = monitor([0.5, score])
    with pytest.raises(ValueError, match=r"score of the validation rows is (nan|inf)"):
        run(watch, 2)
    assert watch.n_steps == len(watch.scores) == len(watch.losses) == 1


def test_the_fit_of_the_last_whole_iteration_is_kept():
    def tell(params):
        if params[0] == 2:
            raise KeyboardInterrupt

    watch = monitor([0.1, 0.2, 0.3], tell=tell)
    with pytest.raises(KeyboardInterrupt):
        run(watch, 3)
    assert watch.kept() == "FIT 1"
    assert watch.n_steps == len(watch.scores) == len(watch.losses) == 2
    assert watch.best_params.tolist() == [1]


def test_a_callback_that_asks_to_stop_does_so_after_the_iteration():
    watch = monitor(tell=lambda params: params[0] == 3)
    assert run(watch, 9) == watch.n_steps == 4
    assert watch.kept() == "FIT 3"
    assert watch.ending is None


def test_a_deadline_ends_the_training_after_an_iteration(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(module, "perf_counter", lambda: next(clock))
    watch = monitor(deadline=Deadline(3))
    assert run(watch, 9) == 3
    assert watch.ending == OUT_OF_TIME
    assert watch.kept() == "FIT 2"


def test_a_deadline_without_a_time_never_comes_unless_it_is_interrupted():
    deadline = Deadline()
    assert not deadline.is_over()
    watch = monitor(deadline=deadline)
    watch.interrupt()
    assert watch.ending == deadline.reason == INTERRUPT
    assert deadline.is_over()


def test_members_of_a_committee_have_one_deadline_and_tasks_of_their_own():
    watch = Watch(Deadline(), SimpleNamespace(member="task of {}".format))
    member = watch.member(3)
    assert member.deadline is watch.deadline
    assert (member.task, member.number) == ("task of 3", 3)
    assert Watch(Deadline()).member(0).task is None


def test_what_was_seen_along_the_way_to_a_fit():
    watch = monitor([0.1, 0.5, 0.4])
    run(watch, 3)
    fit = watch.along(Fit(np.zeros(1), curve=(3.0, 2.0), steps=(0, 2)))
    assert fit.params.tolist() == [1]
    assert fit.curve == (3.0, 2.0)
    assert (fit.validation_scores, fit.validation_losses) == ([0.1, 0.4], [-0.1, -0.4])
    assert monitor().along(Fit(loss=2.0)) == Fit(loss=2.0, curve=(2.0,))


def a_table(weight=None, is_in_memory=True):
    return SimpleNamespace(X="X", y="y", weight=weight, is_in_memory=is_in_memory)


@pytest.mark.parametrize("weight", [None, 3])
def test_a_scorer_gets_the_weights_of_the_rows_if_it_takes_them(weight):
    seen = []

    def plain(model, X, y):
        seen.append((model, X, y))
        return 0.5

    def weighed(model, X, y, sample_weight=1):
        seen.append((model, X, y, sample_weight))
        return 0.25

    for scorer, expected in ((plain, ()), (weighed, (weight or 1,))):
        score = scorer_of_weights("name", scorer, "{} {}".format, a_table(weight))
        assert score("coefs", "intercepts") == (0.25 if expected else 0.5)
        assert seen.pop() == ("coefs intercepts", "X", "y", *expected)


def test_a_scorer_whose_metric_takes_no_weights_does_without():
    def scorer(model, X, y, sample_weight=None):
        if sample_weight is not None:
            raise TypeError("metric() got an unexpected keyword argument 'sample_weight'")
        return 0.5

    assert scorer_of_weights("name", scorer, max, a_table(weight=3))(1, 2) == 0.5


def test_other_errors_of_a_scorer_go_through():
    def scorer(model, X, y, sample_weight=None):
        if sample_weight is not None:
            raise TypeError("something else")
        return 0.5

    with pytest.raises(TypeError, match="something else"):
        scorer_of_weights("name", scorer, max, a_table(weight=3))(1, 2)


def test_a_scorer_can_be_sent_to_other_processes():
    """By plain pickle, as multiprocessing sends the members of a committee."""
    score = scorer_of_weights("name", _middle_weight, _joined, a_table(weight=[3, 5, 4]))
    assert pickle.loads(pickle.dumps(score))("coefs", "intercepts") == 4


def _middle_weight(model, X, y, sample_weight):
    assert (model, X, y) == ("coefs intercepts", "X", "y")
    return sorted(sample_weight)[1]


def _joined(coefs, intercepts):
    return f"{coefs} {intercepts}"


def test_a_scorer_needs_its_rows_in_memory():
    with pytest.raises(ValueError, match="scoring='r2' needs validation rows in memory"):
        scorer_of_weights("r2", None, None, a_table(is_in_memory=False))
