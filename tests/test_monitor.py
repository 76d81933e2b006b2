"""The monitor: what a fit records and prints after each iteration, and when it stops."""

import numpy as np
import pytest

from sklearn_twolayer._monitor import TrainingMonitor


def monitor(scores=None, *, tol=0.0, n_iter_no_change=3, verbose=0):
    """A monitor whose score of params [i] is scores[i]."""
    score = None if scores is None else lambda params: scores[int(params[0])]
    return TrainingMonitor(score, tol=tol, n_iter_no_change=n_iter_no_change, verbose=verbose)


def run(callback, n_iterations):
    """Iterate until the callback stops; the number of iterations."""
    for iteration in range(n_iterations):
        try:
            callback(np.array([float(iteration)]), np.float64(100 - iteration))
        except StopIteration:
            return iteration + 1
    return n_iterations


def test_without_a_score_it_only_records_the_loss():
    callback = monitor(n_iter_no_change=1)
    assert run(callback, 20) == 20
    assert callback.loss_curve == [100.0 - i for i in range(20)]
    assert all(type(loss) is float for loss in callback.loss_curve)
    assert callback.validation_scores == []
    assert callback.best_params is None


def test_it_stops_after_n_iterations_without_a_better_score():
    callback = monitor([0.1, 0.5, 0.4, 0.5, 0.3, 0.9, 0.9], n_iter_no_change=3)
    assert run(callback, 7) == 5
    assert callback.validation_scores == [0.1, 0.5, 0.4, 0.5, 0.3]
    assert len(callback.loss_curve) == 5
    assert callback.best_params.tolist() == [1]


def test_any_progress_starts_the_count_anew():
    callback = monitor([0, 0, 1, 1, 2, 2, 2, 2], n_iter_no_change=3)
    assert run(callback, 8) == 8
    assert callback.best_params.tolist() == [4]


def test_progress_must_exceed_tol_to_count_but_not_to_be_kept():
    callback = monitor([0.5, 0.505, 0.509, 0.512, 0.6], tol=0.01, n_iter_no_change=3)
    assert run(callback, 5) == 4
    assert callback.best_params.tolist() == [3]


def test_the_bar_is_the_best_score_so_slow_growth_does_not_last_for_ever():
    slow = [0.001 * i for i in range(100)]
    assert run(monitor(slow, tol=0.01, n_iter_no_change=10), 100) == 11


def test_of_equal_scores_the_first_is_kept():
    callback = monitor([0.2, 0.7, 0.7, 0.7], n_iter_no_change=9)
    run(callback, 4)
    assert callback.best_params.tolist() == [1]


def test_scores_may_be_negative():
    callback = monitor([-1e300, -5.0, -7.0], n_iter_no_change=9)
    run(callback, 3)
    assert callback.best_params.tolist() == [1]


def test_best_params_are_a_copy():
    callback = monitor([0.5])
    params = np.zeros(1)
    callback(params, 1.0)
    params += 9
    assert callback.best_params.tolist() == [0]


@pytest.mark.parametrize("verbose", [1, 2, True])
def test_a_verbose_monitor_prints_a_line_per_iteration(verbose, capsys):
    run(monitor(verbose=verbose), 2)
    assert capsys.readouterr().out == "Iteration     1  loss 100\nIteration     2  loss 99\n"
    run(monitor([0.25], verbose=verbose), 1)
    assert capsys.readouterr().out == "Iteration     1  loss 100  validation score 0.2500\n"


def test_the_iteration_that_stops_is_printed_too(capsys):
    assert run(monitor([1, 0, 0], n_iter_no_change=1, verbose=1), 3) == 2
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("verbose", [0, False])
def test_a_silent_monitor_prints_nothing(verbose, capsys):
    run(monitor([0.5, 0.4], verbose=verbose), 2)
    assert capsys.readouterr() == ("", "")
