"""From settings to a minimiser: which function of the objective each solver is handed."""

from dataclasses import replace
from functools import partial
from itertools import count

import numpy as np
from scipy.optimize import OptimizeResult

from sklearn_twolayer import _minimize, _stochastic
from sklearn_twolayer._choose_penalty import SecondOrderFit, strategy
from sklearn_twolayer._evidence import Likelihood
from sklearn_twolayer._minimize import INTERRUPTED, was_stopped
from sklearn_twolayer._objective import fixed_penalty, penalty_groups
from sklearn_twolayer._quadratic_model import QuadraticModel

#: Steps of lm under squared error bend where F is below this share of the loss at the start;
#: above it straight steps are as good, or better (docs/benchmarks.md), and cheaper.
BENDING_SHARE = 0.01


def train_along(
    estimator, settings, objective, rows, params, random_state, monitor, other_starts=()
):
    """``train`` under each penalty of the path and then under alpha, each from where it is.

    ``max_iter`` counts the iterations of all of them together; the penalties of the path,
    under which the network only has to learn, take at most a half of them. The result is that
    of the last penalty that was reached.
    """
    if not settings.path:
        return train(
            estimator, settings, objective, rows, params, random_state, monitor, other_starts
        )
    groups, result, n_iterations = penalty_groups(objective.network), None, 0
    for alpha in (*settings.path, settings.alpha):
        penalty = fixed_penalty(alpha)
        share = settings.max_iter - n_iterations
        if alpha != settings.alpha:
            share = min(share, settings.max_iter // (2 * len(settings.path)) or 1)
        stage = replace(settings, alpha=alpha, max_iter=share)
        staged = replace(objective, penalty=penalty[groups])
        try:
            found = train(estimator, stage, staged, rows, params, random_state, monitor)
        except KeyboardInterrupt:
            if result is None:
                raise
            result.status = INTERRUPTED
            break
        result, params, n_iterations = found, found.x, n_iterations + found.nit
        result.penalty = penalty
        if was_stopped(result) or n_iterations >= settings.max_iter:
            break
    result.nit, result.curve = n_iterations, monitor.loss_curve
    result.pop("steps", None)
    return result


def train(estimator, settings, objective, rows, params, random_state, callback, other_starts=()):
    """Minimise F over the rows from ``params``, or from the best of ``other_starts`` too.

    Returns
    -------
    OptimizeResult
        Its ``state`` is what a warm start needs beside the weights: the moments
        of sgd and adam, the damping of lm. That of lm has the ``penalty`` of each
        group of weights, the ``precisions`` of the evidence or None, the ``curve``
        of F along the way to the chosen penalty, and ``steps``, the numbers of
        those steps among all that the callback saw.

    Raises
    ------
    ValueError
        If F is not finite at the start, or if gradient descent diverges.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        start = objective.value(params, rows)
    if not np.isfinite(start):
        raise ValueError(
            "The loss is not finite at the starting weights: X or y holds values too large for "
            f"{rows.dtype}. Scale them, or set standardize=True."
        )
    goes_on = estimator.warm_start and getattr(estimator, "solver_", None) == settings.solver
    state = getattr(estimator, "_training_state", None) if goes_on else None
    if settings.solver in ("adam", "sgd"):
        start = params.astype(rows.dtype)
        if state is None:
            state = _stochastic.StochasticState(start, start)
        else:
            state = _stochastic.restart(state, start)
        options = {"schedule": estimator.learning_rate_schedule, "tol": estimator.tol}
        return train_stochastic(
            estimator, settings, objective, rows, state, random_state, callback, **options
        )
    if settings.solver == "lm":
        return _train_second_order(
            estimator, settings, objective, rows, params, callback, state, other_starts
        )
    fun = partial(objective.loss_and_gradient, rows=rows)
    options = {"max_iter": settings.max_iter, "tol": estimator.tol, "callback": callback}
    if settings.solver == "lbfgs":
        return _minimize.minimize_lbfgs(fun, params, **options)
    return _minimize.minimize_gradient_descent(
        fun, params, learning_rate=settings.learning_rate, **options
    )


class Step(float):
    """F after a step of lm, that knows the number of the step among all of the fit."""

    def __new__(cls, value, number):
        step = super().__new__(cls, value)
        step.number = number
        return step


def _train_second_order(
    estimator, settings, objective, rows, params, callback, damping, other_starts
):
    model = QuadraticModel(objective, rows)
    number = count()
    is_gaussian = objective.loss.is_squared_error
    # Bending pays on the long way down to a small loss, which the evidence does not go.
    bends = is_gaussian and not isinstance(settings.alpha, str)
    bend_below = BENDING_SHARE * model.data_term(params)[0] if bends else 0.0
    reporting = estimator.tol, callback, number
    minimize = partial(_minimize_under_penalty, model, bend_below, *reporting)
    likelihood = Likelihood(rows.total_weight, objective.network.n_outputs, is_gaussian)
    fit = SecondOrderFit(model, minimize, likelihood, settings.max_iter, tuple(other_starts))
    chosen = strategy(settings.alpha)(fit, params, damping)
    chosen.nit = len(chosen.curve)
    chosen.steps = step_numbers(chosen.curve)
    chosen.curve = [float(value) for value in chosen.curve]
    chosen.state = chosen.damping
    return chosen


def step_numbers(curve):
    """The number of the step behind each value of a curve; a value without one repeats it."""
    numbers, last = [], 0
    for value in curve:
        last = getattr(value, "number", last)
        numbers.append(last)
    return numbers


def _minimize_under_penalty(
    model, bend_below, tol, callback, number, params, penalty, max_iter, damping
):
    """Levenberg-Marquardt on F with this penalty (p,); ``curve`` has F after each step."""
    curve = []

    def record(x, value):
        curve.append(Step(value, next(number)))
        callback(x, value)

    result = _minimize.minimize_levenberg_marquardt(
        partial(model.value, penalty=penalty),
        params,
        quadratic_model=partial(model, penalty=penalty),
        max_iter=max_iter,
        tol=tol,
        callback=record,
        damping=damping,
        acceleration=model.acceleration,
        bend_below=bend_below,
    )
    # An interrupt may have come after a step was noted and before it was whole.
    return OptimizeResult(result, curve=curve[: result.nit])


def train_stochastic(
    estimator, settings, objective, rows, state, random_state, callback, *, schedule, tol
):
    """Epochs of sgd or adam from a StochasticState; the result has the ``state`` to go on from.

    Raises
    ------
    ValueError
        If no step, however short, leaves F finite.
    """
    rule = _stochastic.adam
    if settings.solver == "sgd":
        rule = partial(
            _stochastic.sgd,
            momentum=estimator.momentum,
            nesterov=estimator.nesterovs_momentum,
        )

    def epoch_batches():
        permutation = rows.permutation(random_state) if estimator.shuffle else None
        return rows.batches(settings.batch_size, permutation)

    result = _stochastic.minimize_stochastic(
        partial(objective.value, rows=rows),
        partial(objective.batch_gradient, rows=rows),
        state,
        epoch_batches=epoch_batches,
        n_batches=rows.n_batches(settings.batch_size),
        rule=rule,
        learning_rate=settings.learning_rate,
        schedule=schedule,
        max_iter=settings.max_iter,
        tol=tol,
        n_iter_no_change=estimator.n_iter_no_change,
        callback=callback,
    )
    if not result.nit:
        raise ValueError(
            "The loss is not finite, however short the steps: X or y holds values too large for "
            f"{rows.dtype}. Scale them, or set standardize=True."
        )
    return result
