"""Stochastic gradient descent: update rules and the mini-batch loop.

An update rule is a pure function of the gradient and its own state,
``rule(gradient, state) -> (direction, state)``; the loop then takes
``params - learning_rate * direction``. The result of a step before last may be
lent to it as ``out``, to be overwritten: no step but the first allocates anything.
The state of the loop is what the next step needs, and nothing else.
"""

from dataclasses import dataclass, replace
from math import cos, pi
from typing import Any

import numpy as np

from sklearn_twolayer._optimize.full_batch import (
    CONVERGED,
    MAX_GROWTH,
    OUT_OF_ITERATIONS,
    STALLED,
    Step,
    ended,
)

#: Least weight of a step in the moving average of the weights: a memory of 50 steps, or of
#: an epoch where that has fewer. Without mini-batches there is no noise to average out.
MIN_AVERAGE_WEIGHT = 0.02
#: Epochs refused in a row; each divides the learning rate by 2, then 4, 8 and so on.
MAX_REFUSALS = 60


@dataclass(frozen=True)
class Batches:
    """The mini-batches of an epoch, in a new order each time; ``len`` is their number.

    They come as the rows do where ``random_state`` is None.
    """

    rows: Any
    batch_size: int
    random_state: Any

    def __len__(self):
        return self.rows.n_batches(self.batch_size)

    def __call__(self):
        return self.rows.batches(self.batch_size, self.random_state)


def sgd(gradient, state, *, momentum, nesterov, out=None):
    """Momentum (Polyak 1964): u <- momentum u + gradient, direction u.

    Nesterov's form (Sutskever et al. 2013) looks ahead: gradient + momentum u.
    """
    direction, u = (np.empty_like(gradient), np.empty_like(gradient)) if out is None else out
    np.multiply(0 if state is None else state, momentum, out=u)
    u += gradient
    if nesterov:
        np.multiply(u, momentum, out=direction)
        direction += gradient
    else:
        direction[...] = u
    return direction, u


def adam(gradient, state, *, beta1=0.9, beta2=0.999, epsilon=1e-8, out=None):
    """Adam (Kingma & Ba 2015, Algorithm 1): direction m^ / (sqrt(v^) + epsilon).

    The state holds m / (1 - beta1), v / (1 - beta2) and t. With c1 and c2 for
    1 - beta_i over its bias correction 1 - beta_i^t, m^ / (sqrt(v^) + epsilon) is
    c1 m / (sqrt(c2 v) + epsilon) = (c1 / sqrt(c2)) m / (sqrt(v) + epsilon / sqrt(c2)).
    """
    m, v, t = (0, 0, 0) if state is None else state
    if out is None:
        out = np.empty_like(gradient), (np.empty_like(gradient), np.empty_like(gradient), t)
    direction, (new_m, new_v, _) = out
    t += 1
    c1 = (1 - beta1) / (1 - beta1**t)
    root = ((1 - beta2) / (1 - beta2**t)) ** 0.5
    np.multiply(m, beta1, out=new_m)
    new_m += gradient
    np.multiply(gradient, gradient, out=direction)
    np.multiply(v, beta2, out=new_v)
    new_v += direction
    np.sqrt(new_v, out=direction)
    direction += epsilon / root
    np.divide(new_m, direction, out=direction)
    direction *= c1 / root
    return direction, (new_m, new_v, t)


@dataclass(frozen=True)
class StochasticState:
    """What the next mini-batch step needs.

    ``progress`` runs from 0 to 1 along the learning rate schedule, ``average``
    is the moving average of the weights that is published.
    """

    params: np.ndarray
    average: np.ndarray
    rule_state: Any = None
    n_steps: int = 0
    progress: float = 0.0


def schedule_factor(schedule, progress):
    """Return the factor on the learning rate at ``progress`` in [0, 1] of the schedule."""
    return 0.5 * (1 + cos(pi * min(progress, 1.0))) if schedule == "cosine" else 1.0


@dataclass(frozen=True)
class Schedule:
    """How to go through at most ``max_iter`` epochs.

    On a plateau no epoch of the last ``n_iter_no_change`` has lowered the best value by more than
    ``tol``. A constant learning rate then stops; the cosine runs through the rest of its schedule
    within ``n_iter_no_change`` epochs. A cosine whose very last epoch still lowers it by more is
    out of iterations.
    """

    learning_rate: float
    schedule: str  # "cosine" or "constant"
    max_iter: int
    tol: float
    n_iter_no_change: int


def train_epoch(objective, state, *, rule, batches, options, pace):
    """Take a step for each batch of an epoch; ``pace`` is the progress of the schedule per step."""
    params, average = state.params.copy(), state.average.copy()
    rule_state, n_steps, progress = state.rule_state, state.n_steps, state.progress
    last, least_weight = None, max(MIN_AVERAGE_WEIGHT, 1 / len(batches))
    for batch in batches():
        last = rule(objective.batch_gradient(params, batch), rule_state, out=last)
        direction, rule_state = last
        direction *= options.learning_rate * schedule_factor(options.schedule, progress)
        params -= direction
        n_steps += 1
        progress += pace
        # While it is young the average is the plain mean of the steps, without the start.
        weight = max(least_weight, 1 / n_steps)
        average *= 1 - weight
        average += np.multiply(params, weight, out=direction)
    return StochasticState(params, average, rule_state, n_steps, progress)


def stochastic(objective, state, *, rule, batches, options, callback):
    """Epochs of mini-batch steps over shuffled rows, from a state; the best epoch is kept.

    Of the objective ``value(x)`` is F(x) over all rows, for the averaged weights, and
    ``batch_gradient(x, batch)`` an unbiased estimate of dF/dx. ``rule(gradient, state)`` is the
    (direction, state) of a step, ``batches()`` an iterable of the ``len(batches)`` batches of an
    epoch, and ``options`` the Schedule. The result has the ``state`` to go on from.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        start_value = objective.value(state.average)
    highest = MAX_GROWTH * abs(start_value) + np.finfo(float).tiny
    step = Step(state.average, start_value, state.average, np.inf, 0, state)
    pace, refusals, waited, status = 1 / (options.max_iter * len(batches)), 0, 0, OUT_OF_ITERATIONS
    while step.n_iter < options.max_iter and step.state.progress < 1 - 0.5 * pace:
        with np.errstate(over="ignore", invalid="ignore"):
            trial = train_epoch(
                objective, step.state, rule=rule, batches=batches, options=options, pace=pace
            )
            value = objective.value(trial.average)
        if not (value <= highest and np.isfinite(value)):  # shorten the steps
            refusals += 1
            options = replace(options, learning_rate=options.learning_rate / 2**refusals)
            if refusals <= MAX_REFUSALS:
                continue
            return ended(replace(step, least=min(step.least, start_value)), STALLED)
        refusals = 0
        waited = 0 if value < step.least - options.tol else waited + 1
        best, least = (trial.average, value) if value < step.least else (step.best, step.least)
        where = trial.average, value, best, least, step.n_iter + 1
        step = Step(*where, trial, options.learning_rate)
        callback(step)
        if waited >= options.n_iter_no_change and options.tol > 0:
            status = CONVERGED
            if options.schedule == "constant":
                break
            rest = (1 - trial.progress) / (options.n_iter_no_change * len(batches))
            pace, waited = max(pace, rest), -np.inf
    still_falls = waited == 0
    if options.schedule == "cosine" and not still_falls:
        status = CONVERGED  # the schedule has run its course
    return ended(step, status)
