"""The networks of a fit: start -> rows, objective, monitor -> minimiser -> what came out."""

from contextlib import ExitStack
from copy import deepcopy
from dataclasses import replace
from functools import partial
from itertools import count

import numpy as np
from joblib import Parallel, delayed
from scipy.optimize import OptimizeResult

from sklearn_twolayer._auto import compares_penalties
from sklearn_twolayer._cross_validate import (
    PRECISIONS,
    choose_precision,
    folds,
    precisions_up_to,
)
from sklearn_twolayer._initialize import initial_weights
from sklearn_twolayer._minimize import INTERRUPTED, OUT_OF_ITERATIONS, was_stopped
from sklearn_twolayer._monitor import INTERRUPT, OUT_OF_TIME, TrainingMonitor
from sklearn_twolayer._objective import Objective, fixed_penalty, penalty_groups
from sklearn_twolayer._train import train, train_along
from sklearn_twolayer._validation import Validation, published_weights


def fit_members(estimator, settings, table, held_out, random_state, deadline, task):
    """The results of ``fit_member``, one for each network of the committee."""
    arguments = estimator, settings, table, held_out
    if estimator.n_members == 1:
        return [fit_member(*arguments, random_state, deadline, task)]
    states = member_states(random_state, estimator.n_members)
    tasks = [task and task.member(number) for number in range(len(states))]
    fit = delayed(_fit_or_leave_out)
    jobs = (fit(*arguments, *each, deadline) for each in zip(states, tasks, count()))
    return Parallel(n_jobs=estimator.n_jobs if table.is_in_memory else 1)(jobs)


def _fit_or_leave_out(estimator, settings, table, held_out, random_state, task, number, deadline):
    """Train a member, unless the fit is to end before its first iteration; number 0 always."""
    if number and deadline.is_over():
        return OptimizeResult(ending=deadline.reason)
    if task is not None:
        task.begin()
    try:
        result = fit_member(estimator, settings, table, held_out, random_state, deadline, task)
    except KeyboardInterrupt:
        if number == 0:
            raise
        deadline.interrupt()
        return OptimizeResult(ending=deadline.reason)
    if task is not None:
        network, dtype = estimator._member_network(), table.dtype
        task.end(partial(published_weights, estimator._standardization, network, result.x, dtype))
    return result


def whole_members(members):
    """The members that were not cut short; if all were, those that have begun."""
    begun = [member for member in members if "x" in member]
    return [member for member in begun if member.ending is None] or begun


def why_unfinished(estimator, settings, members):
    """What to say of a fit that ended before it had converged; None of others."""
    kept = whole_members(members)
    how_far = f"(n_iter_={estimator.n_iter_}, loss {estimator.loss_:.4g}"
    how_far += f", {len(kept)} of {len(members)} members)" if len(members) > 1 else ")"
    endings = [member.ending for member in members]
    if INTERRUPT in endings:
        return f"Training interrupted by the user {how_far}: the best weights so far are kept."
    if OUT_OF_TIME in endings:
        return (
            f"The fit ended at max_time={estimator.max_time:g} seconds before it converged "
            f"{how_far}: the best weights so far are kept. Increase max_time, or make the fit "
            "cheaper: fewer n_hidden or n_members, or a larger tol."
        )
    if any(
        member.status == OUT_OF_ITERATIONS and member.nit >= settings.max_iter for member in kept
    ):
        return (
            f"solver={settings.solver!r} stopped at max_iter={settings.max_iter} before it "
            f"converged (loss {estimator.loss_:.4g}). Increase max_iter, or "
            f"tol={estimator.tol:g}."
        )
    return None


def fit_member(estimator, settings, table, held_out, random_state, deadline, task):
    """Train one network of the committee, from a start of its own.

    Parameters
    ----------
    estimator : BaseTwoLayer
        With its standardisation and everything that it knows of y.
    settings : Settings
    table : Table or DaskTable
        Of the training rows.
    held_out : Table or DaskTable or None
    random_state : RandomState
    deadline : Deadline
    task : Task or None
        Whose iterations callbacks are told of.

    Returns
    -------
    OptimizeResult
        With the ``penalty`` of each of the ``groups`` of weights, the ``curve`` of F,
        ``validation_scores`` and ``validation_losses`` beside it (empty without
        validation rows), the ``posterior`` or None, and the ``ending``: why the
        training was cut short, or None.
    """
    network = estimator._member_network()
    params, *other_starts = (
        network.pack(*weights, np.float64)
        for weights in starts(estimator, table, random_state, settings.n_starts)
    )
    dtype = np.float64 if settings.solver == "lm" else table.dtype
    groups, penalty = penalty_groups(network), fixed_penalty(settings.alpha)
    objective = Objective(network, estimator._loss(), penalty[groups])

    def tell(params):
        weights = published_weights, estimator._standardization, network, params, table.dtype
        return task.iteration(partial(*weights))

    with ExitStack() as stack:
        rows = stack.enter_context(estimator._rows(table, dtype, settings.solver))
        validation = None
        if held_out is not None:
            out = stack.enter_context(estimator._rows(held_out, dtype))
            validation = Validation(estimator, network, held_out, out, table.dtype)
        monitor = TrainingMonitor(
            None if validation is None else validation.score,
            validation_loss=None if validation is None else validation.loss,
            early_stopping=estimator.early_stopping,
            tol=estimator.tol,
            n_iter_no_change=estimator.n_iter_no_change,
            verbose=estimator.verbose,
            deadline=deadline,
            tell=None if task is None else tell,
        )
        result = train_along(
            estimator, settings, objective, rows, params, random_state, monitor, other_starts
        )
    if result.status == INTERRUPTED:
        deadline.interrupt()
    result.setdefault("groups", groups)
    result.setdefault("penalty", penalty)
    _add_observations(result, monitor)
    result.posterior = estimator._posterior(network, result, table)
    return result


def _add_observations(result, monitor):
    """What the monitor saw along the way to the result, and the weights that it found best."""
    result.ending = INTERRUPT if result.status == INTERRUPTED else monitor.ending
    if monitor.best_params is not None:
        result.x = monitor.best_params
    result.curve = result.get("curve", monitor.loss_curve) or [float(result.fun)]
    steps = result.get("steps", range(len(monitor.loss_curve)))
    recorded = steps if monitor.validation_scores else ()
    result.validation_scores = [monitor.validation_scores[step] for step in recorded]
    result.validation_losses = [monitor.validation_losses[step] for step in recorded]


def choose_along(estimator, settings, table, random_state, deadline):
    """Settings with the alpha whose networks predict left-out rows best, and the way there."""
    network, loss = estimator._member_network(), estimator._loss()
    if not compares_penalties(table, network):
        return replace(settings, alpha=1 / max(table.total_weight, table.n_rows))
    [weights] = starts(estimator, table, deepcopy(random_state))
    start, groups = network.pack(*weights, np.float64), penalty_groups(network)
    dtype = np.float64 if settings.solver == "lm" else table.dtype

    def stop_in_time(params, value):
        if deadline.is_over():
            raise StopIteration

    def left_out_losses(kept, left_out):
        if not (kept.any() and left_out.any()):
            return np.zeros(len(PRECISIONS))
        part, out = table.take(np.flatnonzero(kept)), table.take(np.flatnonzero(left_out))
        losses, params = [], start
        mean_loss = Objective(network, loss, np.zeros(network.n_params))
        with (
            estimator._rows(part, dtype, settings.solver) as rows,
            estimator._rows(out, dtype) as out_rows,
        ):
            for precision in PRECISIONS:
                stage = replace(settings, alpha=precision / rows.total_weight)
                objective = replace(mean_loss, penalty=fixed_penalty(stage.alpha)[groups])
                result = train(estimator, stage, objective, rows, params, None, stop_in_time)
                if was_stopped(result):
                    return None
                params = result.x
                losses.append(mean_loss.value(params, out_rows) * float(out.total_weight))
        return np.array(losses)

    precision = choose_precision(
        left_out_losses, *folds(table.X, table.targets, estimator._standardization)
    )
    total_weight = max(table.total_weight, table.n_rows)
    *path, alpha = (weaker / total_weight for weaker in precisions_up_to(precision))
    goes_on = estimator.warm_start and hasattr(estimator, "coefs_")
    return replace(settings, alpha=alpha, path=() if goes_on else tuple(path))


def starts(estimator, table, random_state, n_starts=1):
    """Weights to start from, on the standardised scale: ``n_starts`` times coefs, intercepts.

    Raises
    ------
    ValueError
        If a warm start finds weights of other shapes.
    """
    if estimator.warm_start and hasattr(estimator, "coefs_"):
        W1, W2 = estimator.coefs_
        shape = (estimator.n_features_in_, estimator._member_network().n_hidden)
        if W1.shape != shape or W2.shape[1] != estimator.n_outputs_:
            raise ValueError(
                f"warm_start cannot go on from weights of shapes {W1.shape} and {W2.shape}: this "
                f"fit has {shape[0]} features, n_hidden={shape[1]} and {estimator.n_outputs_} "
                "outputs. Set warm_start=False."
            )
        return [estimator._standardization.unfold(estimator.coefs_, estimator.intercepts_)]
    constant = estimator._loss().constant(table.mean_target(estimator))
    shape = estimator.n_features_in_, estimator._member_network().n_hidden
    drawn = (
        initial_weights(random_state, *shape, estimator.activation, constant)
        for _ in range(n_starts)
    )
    return [([W1, W2], [b1, b2]) for W1, b1, W2, b2 in drawn]


def member_states(random_state, n_members):
    """A random state for each member; the first is that of a single network."""
    seeds = deepcopy(random_state).randint(np.iinfo(np.int32).max, size=n_members - 1)
    return [random_state, *(np.random.RandomState(seed) for seed in seeds)]
