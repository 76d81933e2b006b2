"""Full-batch minimisers that know F and its gradient, and what every minimiser tells and returns.

A minimiser takes what it minimises and a start, calls ``callback(step)`` with a ``Step``
after each iteration, and returns an ``OptimizeResult``. What the callback raises goes
through. The result has

======  ==================================================================
status  meaning
======  ==================================================================
0       converged
1       out of iterations
2       stalled at rounding: no step that floating point can see goes down
======  ==================================================================

and ``learning_rate``, that of the last step, where steps have one.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

CONVERGED, OUT_OF_ITERATIONS, STALLED = range(3)

#: L-BFGS has converged, too, where so many iterations together lower F by no more than tol F, or
#: by (100 tol)^2 F if that is less: a gradient of g leaves about g^2 of F to gain.
FLAT_ITERATIONS = 10
#: Pairs that L-BFGS remembers, and of its line search the most trials, and the constants of the
#: Wolfe conditions (Nocedal and Wright 2006).
N_PAIRS, MAX_TRIALS = 20, 40
SUFFICIENT_DECREASE, CURVATURE = 1e-4, 0.9
#: Share of F by which rounding may make it look higher; the gradient tells then (Hager and Zhang
#: 2005, "approximate Wolfe conditions").
ROUNDING = 1e-12
#: Gradient descent has diverged where F is so many times its start.
MAX_GROWTH = 10.0


@dataclass(frozen=True)
class Step:
    """Where a search is after an iteration: ``x``, and ``value`` = F(x).

    ``best`` and ``least`` are the weights and the value that it would return if it ended
    here: those of this iteration, unless the solver is gd or stochastic, which may go up.
    ``state`` is what going on needs beside the weights: the damping of Levenberg-Marquardt,
    the learning rate of gd, or a StochasticState. ``learning_rate`` is that of the last step,
    where steps have one.
    """

    x: np.ndarray
    value: float
    best: np.ndarray
    least: float
    n_iter: int
    state: Any = None
    learning_rate: float | None = None


def ended(step, status):
    """The result of a search that ends after a step."""
    return OptimizeResult(
        x=step.best,
        fun=step.least,
        nit=step.n_iter,
        status=status,
        success=status == CONVERGED,
        state=step.state,
        learning_rate=step.learning_rate,
    )


def gradient_descent(fun, x0, *, learning_rate, max_iter, tol, callback):
    """Steps w <- w - learning_rate dF/dw, nothing else, until max |dF/dw| <= tol.

    Where the rate is a little too large F swings: the weights of the least F are returned.

    Raises
    ------
    ValueError
        If it diverges, with a proposal for the learning rate.
    """
    x = x0
    start, gradient = fun(x)
    step, rate = Step(x, start, x, start, 0), (learning_rate, learning_rate)
    for iteration in range(1, max_iter + 1):
        x = x - learning_rate * gradient
        with np.errstate(over="ignore", invalid="ignore"):
            value, gradient = fun(x)
        if not value <= MAX_GROWTH * start + 0.5:  # also true of NaN
            raise ValueError(
                f"Gradient descent diverged: the loss went from {start:.3g} to {value:.3g} "
                f"in {iteration} iterations with learning_rate={learning_rate:.3g}. Try "
                f"learning_rate={learning_rate / 10:.3g}, or another solver."
            )
        is_least = iteration == 1 or value < step.least
        best, least = (x, value) if is_least else (step.best, step.least)
        step = Step(x, value, best, least, iteration, *rate)
        callback(step)
        if np.abs(gradient).max() <= tol:
            return ended(step, CONVERGED)
    return ended(step, OUT_OF_ITERATIONS)


def lbfgs(fun, x0, *, max_iter, tol, callback, flat=None):
    """Limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.5).

    It ends where max |dF/dw| <= tol, or where F no longer falls: where ten iterations together
    have lowered it by no more than ``flat`` F, by default by tol F or, for small tol, by
    (100 tol)^2 F.

    Raises
    ------
    ValueError
        If F or its gradient is not finite at the start.
    """
    x = x0
    with np.errstate(over="ignore", invalid="ignore"):
        value, gradient = fun(x)
    if not (np.isfinite(value) and np.isfinite(gradient).all()):
        raise ValueError(
            "The gradient is not finite at the starting weights: X or y holds values too "
            "large. Scale them, or set standardize=True."
        )
    flat = min(tol, (100 * tol) ** 2) if flat is None else flat
    values, pairs, step = [value], deque(maxlen=N_PAIRS), Step(x, value, x, value, 0)
    while np.abs(gradient).max() > tol:
        if step.n_iter == max_iter:
            return ended(step, OUT_OF_ITERATIONS)
        direction = quasi_newton_direction(gradient, pairs)
        found = line_search(fun, (x, value, gradient), direction)
        if found is None:
            return ended(step, STALLED)
        new, value, new_gradient = found
        s, y = new - x, new_gradient - gradient
        pairs.append((s, y, s @ y))
        x, gradient = new, new_gradient
        values.append(value)
        best = (x, value) if value < step.least else (step.best, step.least)
        step = Step(x, value, *best, step.n_iter + 1)
        callback(step)
        gained = values[-1 - FLAT_ITERATIONS] - value if step.n_iter >= FLAT_ITERATIONS else np.inf
        if gained <= flat * abs(value) and flat:
            break
    return ended(step, CONVERGED)


def quasi_newton_direction(gradient, pairs):
    """- H dF/dw with the inverse Hessian H of BFGS, from the last pairs (s, y, s'y) alone.

    Nocedal and Wright (2006), algorithm 7.4. Before the first pair: a step of length 1 at most.
    """
    q = -gradient
    if not pairs:
        return q / max(np.linalg.norm(q), 1.0)
    along = []
    for s, y, curvature in reversed(pairs):
        along.append(s @ q / curvature)
        q -= along[-1] * y
    _, y, curvature = pairs[-1]
    q *= curvature / (y @ y)
    for (s, y, curvature), a in zip(pairs, reversed(along)):
        q += (a - y @ q / curvature) * s
    return q


def line_search(fun, here, direction):
    """Where F falls enough along a direction, and its slope has become flatter (weak Wolfe).

    Doubling and bisection, beginning with the whole step (Lewis and Overton 2013). A trial to
    where F is not finite is too long.

    Parameters
    ----------
    fun : callable
    here : tuple of ndarray, float and ndarray
        Where it begins: x, F and dF/dw.
    direction : ndarray

    Returns
    -------
    tuple or None
        The same of the new point; None if no step that floating point can see goes down.
    """
    x, value, gradient = here
    slope, low, high, length = gradient @ direction, 0.0, np.inf, 1.0
    rounding = ROUNDING * abs(value)
    for _ in range(MAX_TRIALS if slope < 0 else 0):
        trial = x + length * direction
        with np.errstate(over="ignore", invalid="ignore"):
            new_value, new_gradient = fun(trial)
            new_slope = new_gradient @ direction
        highest = value + SUFFICIENT_DECREASE * length * slope + rounding
        if not (new_value <= highest and np.isfinite(new_slope)):  # also true of NaN
            high = length
        elif new_slope < CURVATURE * slope:
            low = length
        elif new_value < value or np.abs(new_gradient).max() < np.abs(gradient).max():
            return trial, float(new_value), new_gradient
        else:
            return None
        length = (low + high) / 2 if high < np.inf else 2 * length
    return None
