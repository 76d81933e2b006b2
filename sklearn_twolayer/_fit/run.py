"""The networks of a fit: what is learnt, the members of a committee, and how they ended.

A training that is told to stop, or interrupted, ends in ``fit_member``, the one place that
catches that: it goes on with the fit that the monitor has kept.
"""

from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from joblib import Parallel, delayed

from sklearn_twolayer._bayes.choose_penalty import most_steps
from sklearn_twolayer._bayes.cross_validate import (
    PRECISIONS,
    choose_precision,
    folds,
    precisions_up_to,
)
from sklearn_twolayer._bayes.posterior import posterior_of
from sklearn_twolayer._fit.monitor import INTERRUPT, OUT_OF_TIME, Monitor, Stop, Validation
from sklearn_twolayer._fit.settings import Size, is_affordable, resolve
from sklearn_twolayer._fit.training import TRIAL_STEPS, Fit, Training
from sklearn_twolayer._fit.weights import (
    initial_weights,
    member_states,
    published_weights,
    whole_members,
)
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.objective import MeanLoss, Penalty
from sklearn_twolayer._network.scale import Standardization, column_moments
from sklearn_twolayer._optimize.first_order import OUT_OF_ITERATIONS


@dataclass(frozen=True)
class Problem:
    """What is learnt: what y means, the units, the rows, and the network.

    Parameters
    ----------
    targets : RealTargets or LabelTargets
    scale : Standardization
    table : Table or DaskTable
        Of the training rows.
    held_out : Table or DaskTable, optional
        Of the validation rows.
    score_weights : callable, optional
        ``score_weights(coefs, intercepts)`` of the validation rows, where the user has named a
        scorer.
    network : TwoLayerNetwork
        None until ``pose`` has given it a width.
    """

    targets: object
    scale: object
    table: object
    held_out: object = None
    score_weights: object = None
    network: object = None

    @property
    def size(self):
        """What "auto" goes by."""
        table, is_regression = self.table, self.targets.loss.is_squared_error
        shape = table.n_rows, table.n_features, self.targets.n_outputs
        return Size(*shape, table.total_weight, is_regression, table.is_in_memory)

    def rows(self, table, dtype, solver=None):
        """Rows with standardised targets, in blocks that stay in cache."""
        width = self.network.width
        if solver == "lm":  # blocks of J have a column for each weight
            width = max(width, self.network.n_first)
        return table.rows(self.scale, dtype, width)

    def draw_start(self, random_state, is_stream=False):
        """Weights (p,) to start from, near the mean target."""
        table = self.table
        if is_stream:  # whose first batch may lack a class
            encoded, weight = self.targets.start_with_every_class(table.encoded, table.weight)
            table = replace(table, X=None, y=None, encoded=encoded, weight=weight)
        constant = self.targets.loss.constant(table.mean_target(self.targets, self.scale))
        return initial_weights(random_state, self.network, constant)

    def weights(self, params):
        """``coefs_`` and ``intercepts_`` of the weights (p,)."""
        return published_weights(self.scale, self.network, params, self.table.dtype)


def standardization_of(table, targets, is_wanted):
    """The standardisation of X and, with identity output, of y by the moments of the rows."""
    identity = Standardization.none(table.n_features, targets.n_outputs)
    if not is_wanted:
        return identity
    with table.raw_rows("X", 1024) as rows:
        mean, scale = column_moments(rows, "X")
    if targets.output_activation != "identity" or not targets.loss.is_squared_error:
        return Standardization(mean, scale, identity.y_mean, identity.y_scale)
    with table.raw_rows("encoded", 4096) as rows:
        return Standardization(mean, scale, *column_moments(rows, "y"))


def pose(settings, targets, table, *, held_out=None, scale=None, start=None):
    """The problem, and the settings without "auto".

    Parameters
    ----------
    settings : Settings
    targets : RealTargets or LabelTargets
    table, held_out : Table or DaskTable
        Of the training rows, and of the validation rows or None.
    scale : Standardization or None
        None takes it from the rows, if the settings want it.
    start : WarmStart or None
        With the units of which a width of "auto" goes on.

    Raises
    ------
    ValueError
        If the settings contradict each other or the problem.
    """
    if start is not None:
        start.check(targets)
    if scale is None:
        scale = standardization_of(table, targets, settings.standardize)
    problem = Problem(targets, scale, table, held_out)
    if settings.n_hidden == "auto" and start is not None:
        settings = replace(settings, n_hidden=start.coefs[0].shape[1])
    settings = resolve(settings, problem.size)
    if settings.n_members > 1 and settings.warm_start:
        raise ValueError(
            f"n_members={settings.n_members} cannot be used with warm_start=True: a committee is "
            "one network after the fit, with no members to go on from. Set one or the other."
        )
    if settings.n_members > 1 and settings.output_activation == "logistic":
        raise ValueError(
            f"n_members={settings.n_members} needs output_activation='identity': the mean of "
            "logistic outputs is no two-layer network. Set n_members=1."
        )
    shape = problem.table.n_features, settings.n_hidden, problem.targets.n_outputs
    return replace(problem, network=TwoLayerNetwork(*shape, settings.activation)), settings


def fit_members(problem, settings, random_state, *, watch):
    """The fits of the members of a committee."""
    states = member_states(random_state, settings.n_members)
    watches = [watch.member(number) for number in range(len(states))]
    fit = delayed(fit_member)
    jobs = (fit(problem, settings, state, watch=each) for state, each in zip(states, watches))
    return Parallel(n_jobs=settings.n_jobs if problem.table.is_in_memory else 1)(jobs)


def fit_member(problem, settings, random_state, *, watch, start=None):
    """Fit one network: a member of a committee, or the only one.

    Parameters
    ----------
    problem : Problem
    settings : Settings
    random_state : RandomState
    watch : Watch
        The deadline, and the task whose iterations callbacks are told of.
    start : WarmStart or None
    """
    if watch.number and watch.deadline.is_over():
        return Fit(ending=watch.deadline.reason)
    member_task = None if watch.number is None else watch.task
    if member_task is not None:
        member_task.begin()
    dtype = np.float64 if settings.solver == "lm" else problem.table.dtype
    with ExitStack() as stack:
        rows = stack.enter_context(problem.rows(problem.table, dtype, settings.solver))
        held_out = problem.held_out
        monitor = Monitor(
            settings,
            watch.deadline,
            validation=held_out and _validation(problem, settings, dtype, stack),
            tell=watch.task and partial(_tell, watch.task, problem),
            n_before=len(start.curve) if settings.is_stream and start is not None else 0,
        )
        is_textbook = settings.solver == "gd"
        mean_loss = MeanLoss(problem.network, problem.targets.loss, rows, is_textbook)
        try:
            fit = Training(problem, settings, mean_loss, monitor, random_state).run(start)
        except (Stop, KeyboardInterrupt) as end:
            if isinstance(end, KeyboardInterrupt):
                monitor.interrupt()
            if monitor.kept is None and watch.number:
                return Fit(ending=monitor.ending)
            if monitor.kept is None:
                raise
            fit = monitor.kept()
    fit = replace(fit, ending=monitor.ending, **monitor.along(fit))
    if not settings.is_stream:
        fit = replace(fit, posterior=_posterior(problem, fit))
    if member_task is not None:
        member_task.end(partial(problem.weights, fit.params))
    return fit


def _tell(task, problem, params):
    """Tell callbacks of an iteration; whether they ask to stop."""
    return task.iteration(partial(problem.weights, params))


def _validation(problem, settings, dtype, stack):
    """Loss and score of the validation rows, which are open as long as the stack is."""
    rows = stack.enter_context(problem.rows(problem.held_out, dtype))
    mean_loss = MeanLoss(problem.network, problem.targets.loss, rows)
    return Validation(mean_loss, partial(_score, problem, settings, mean_loss))


def _score(problem, settings, mean_loss, params):
    """Score of the validation rows: minus their loss, a scorer's, or R^2 and accuracy."""
    if settings.scoring == "loss":
        return -mean_loss.value(params)
    if settings.scoring is not None:
        return problem.score_weights(*problem.weights(params))
    return problem.targets.score(mean_loss.rows, mean_loss.block_raw_prediction(params))


def _posterior(problem, fit):
    """The posterior of the weights of a fit, or None where its matrix is not affordable."""
    if not is_affordable(problem.size, problem.network.n_hidden):
        return None
    with problem.rows(problem.table, np.float64, "lm") as rows:
        mean_loss = MeanLoss(problem.network, problem.targets.loss, rows)
        return posterior_of(mean_loss, fit.params, fit.penalty)


def choose_alpha(problem, settings, random_state, *, deadline, start=None):
    """Settings in which a classifier's alpha is the one whose networks predict left-out rows best.

    Every network goes through the penalties from weak to strong, and so will the fit, unless it
    goes on from a warm ``start``.
    """
    if settings.alpha != "auto" or problem.targets.is_numeric:
        return settings
    fold, n_distinct = folds(problem.table.X, problem.table.encoded, problem.scale)
    if start is None:
        params = problem.draw_start(deepcopy(random_state))
    else:
        params = start.params(problem.network, problem.scale)

    def losses(kept, left_out):
        return _left_out_losses(problem, settings, params, rows=(kept, left_out), until=deadline)

    precision = choose_precision(losses, fold, n_distinct)
    total_weight = max(problem.table.total_weight, problem.table.n_rows)
    *path, alpha = (weaker / total_weight for weaker in precisions_up_to(precision))
    return replace(settings, alpha=alpha, path=() if start is not None else tuple(path))


def _left_out_losses(problem, settings, params, *, rows, until):
    """Sums of the losses of left-out rows under each precision, by networks of the kept rows.

    None if the time is over.
    """
    if not all(part.any() for part in rows):
        return np.zeros(len(PRECISIONS))
    part, out = (problem.table.take(np.flatnonzero(part)) for part in rows)
    dtype = np.float64 if settings.solver == "lm" else problem.table.dtype
    losses = []
    with (
        problem.rows(part, dtype, settings.solver) as rows,
        problem.rows(out, dtype) as out_rows,
    ):
        mean_loss = MeanLoss(problem.network, problem.targets.loss, rows)
        training = Training(problem, settings, mean_loss)
        left_out_loss = MeanLoss(problem.network, problem.targets.loss, out_rows)
        for precision in PRECISIONS:
            if until.is_over():
                return None
            penalty = Penalty.fixed(problem.network, precision / rows.total_weight)
            params = training.minimize(params, penalty, max_iter=settings.max_iter).params
            losses.append(left_out_loss.value(params) * float(out.total_weight))
    return np.array(losses)


def most_iterations(settings, is_regression):
    """At most so many iterations are taken by one network."""
    if isinstance(settings.alpha, str):
        return most_steps(settings.alpha, settings.max_iter, is_regression)
    if settings.n_starts == 1:
        return settings.max_iter
    return settings.n_starts * TRIAL_STEPS + 2 * (settings.max_iter - TRIAL_STEPS)


def why_unfinished(settings, fits, n_iter, loss):
    """What to say of a fit that ended before it had converged; None of others.

    ``n_iter`` and ``loss`` are what the fit publishes.
    """
    kept = whole_members(fits)
    how_far = f"(n_iter_={n_iter}, loss {loss:.4g}"
    how_far += f", {len(kept)} of {len(fits)} members)" if len(fits) > 1 else ")"
    endings = [fit.ending for fit in fits]
    if INTERRUPT in endings:
        return f"Training interrupted by the user {how_far}: the best weights so far are kept."
    if OUT_OF_TIME in endings:
        return (
            f"The fit ended at max_time={settings.max_time:g} seconds before it converged "
            f"{how_far}: the best weights so far are kept. Increase max_time, or make the fit "
            "cheaper: fewer n_hidden or n_members, or a larger tol."
        )
    limit = settings.max_iter
    if any(fit.status == OUT_OF_ITERATIONS and len(fit.steps) >= limit for fit in kept):
        return (
            f"solver={settings.solver!r} stopped at max_iter={limit} before it "
            f"converged (loss {loss:.4g}). Increase max_iter, or tol={settings.tol:g}."
        )
    return None
