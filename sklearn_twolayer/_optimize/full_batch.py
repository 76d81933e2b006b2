"""Minimisers of F over all rows, and what every minimiser tells and returns.

Gradient descent and L-BFGS know F and its gradient; Levenberg-Marquardt, whose steps are damped
Gauss-Newton steps, also its curvature. A minimiser takes what it minimises and a start, calls
``callback(step)`` with a ``Step`` after each iteration, and returns an ``OptimizeResult``. What
the callback raises goes through. (Not a StopIteration, which SciPy takes for a request to end
L-BFGS.) The result has

======  ==================================================================
status  meaning
======  ==================================================================
0       converged
1       out of iterations
2       stalled at rounding: no step that floating point can see goes down
======  ==================================================================

and ``learning_rate``, that of the last step, where steps have one.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError
from scipy.optimize import OptimizeResult, minimize

CONVERGED, OUT_OF_ITERATIONS, STALLED = range(3)

#: F is flat for L-BFGS where the last so many iterations, a share of ``max_iter`` within bounds,
#: have lowered it by no more than tol F each. Where waves are learnt F hardly falls for a hundred
#: iterations, and then by a factor of ten (docs/choices.md).
FLAT_SHARE, MIN_FLAT_ITERATIONS, MAX_FLAT_ITERATIONS = 0.2, 10, 200
#: A network that has learned has short plateaus before it: ten iterations took some for the end.
#: Rows that it has not seen make longer ones: twenty ended at up to a hundredth more of F.
FLAT_ONCE_LEARNED, FLAT_ON_MORE_ROWS = 20, 40
#: Steps downhill, and epochs of mini-batches, have diverged where F is so many times its start.
MAX_GROWTH = 10.0
#: A decrease of F, in units of its own scale, that is none for Levenberg-Marquardt.
SMALLEST = 1e-30


class NotFinite(ValueError):
    """A minimiser cannot start: the gradient or the curvature is not finite."""


@dataclass(frozen=True)
class Step:
    """Where a search is after an iteration: ``x``, and ``value`` = F(x).

    ``best`` and ``least`` are the weights and the value that it would return if it ended
    here: those of this iteration, unless the solver is gd or stochastic, which may go up.
    """

    x: np.ndarray
    value: float
    best: np.ndarray
    least: float
    n_iter: int
    state: Any = None  # to go on with: the damping of lm, the rate of gd, or a StochasticState
    learning_rate: float | None = None  # of the last step, where steps have one


@dataclass(frozen=True)
class Flat:
    """F is flat where ``n_iterations`` have lowered it by no more than ``share`` F each.

    The last eighth of them must not have lowered it more than the eighth before: where F falls
    faster and faster, a plateau is being left.

    Where little can be learnt, F is nearly what the best ``constant`` has, and a share of F is all
    that there is to learn: the share is of what F is below the constant, if that is less, but at
    least of a tenth of F.
    """

    n_iterations: int
    share: float
    constant: float = np.inf

    @classmethod
    def within(cls, max_iter, tol):
        """The rule of a search of ``max_iter`` iterations, which may have a plateau to cross."""
        n_iterations = int(FLAT_SHARE * max_iter)
        n_iterations = min(max(n_iterations, MIN_FLAT_ITERATIONS), MAX_FLAT_ITERATIONS)
        return cls(n_iterations, least_decrease(tol))

    @classmethod
    def once_learned(cls, tol):
        """The rule of a search that goes on from another one: it has no long plateau to cross."""
        return cls(FLAT_ONCE_LEARNED, least_decrease(tol))

    @classmethod
    def on_more_rows(cls, tol):
        """The rule of one that goes on from a network that has learned without some of the rows."""
        return cls(FLAT_ON_MORE_ROWS, least_decrease(tol))

    def __call__(self, values):
        """Return whether F is flat after iterations of these ``values``."""
        n = self.n_iterations
        if len(values) <= n or self.share == 0:
            return False
        eighth = max(n // 8, 1)
        now, before, at_first = values[-1], values[-1 - eighth], values[-1 - 2 * eighth]
        falls_faster = before - now > at_first - before
        unit = min(now, max(self.constant - now, now / 10))
        return values[-1 - n] - now <= n * self.share * unit and not falls_faster


def least_decrease(tol):
    """The least relative decrease of F that is worth an iteration.

    For small tol it is (100 tol)^2: a gradient of g leaves about g^2 of F to gain.
    """
    return min(tol, (100 * tol) ** 2)


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
    ValueError if it diverges, with a proposal for the learning rate.
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
                f"learning_rate={learning_rate / 10:.3g}, or 'auto', or another solver."
            )
        is_least = iteration == 1 or value < step.least
        best, least = (x, value) if is_least else (step.best, step.least)
        step = Step(x, value, best, least, iteration, *rate)
        callback(step)
        if np.abs(gradient).max() <= tol:
            return ended(step, CONVERGED)
    return ended(step, OUT_OF_ITERATIONS)


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is answered below
def lbfgs(fun, x0, *, max_iter, tol, callback, flat=None):
    """Limited-memory BFGS (SciPy's), until max |dF/dw| <= tol, or F is ``flat``.

    By default ``Flat.within(max_iter, tol)``. A trial step to where F is not finite is answered
    with a high finite value, which makes the line search shorten it; NotFinite if F or its
    gradient is not finite at the start.
    """
    highest, gradient, values = None, None, []
    is_flat = Flat.within(max_iter, tol) if flat is None else flat

    def finite_value(x):
        nonlocal highest, gradient
        value, gradient = fun(x)
        if not np.isfinite(value + gradient.sum()):
            if highest is None:
                raise NotFinite("The gradient is not finite at the starting weights")
            gradient = np.zeros_like(x)
            return 10 * highest + 1
        highest = value if highest is None else max(highest, value)
        return value

    def gradient_there(x):  # of the value before; with jac=True SciPy compares points each time
        return gradient

    def report(intermediate_result):
        x, value = intermediate_result.x.copy(), float(intermediate_result.fun)
        callback(Step(x, value, x, value, len(values) + 1))
        values.append(value)
        if is_flat(values):
            raise StopIteration

    options = {"maxiter": max_iter, "maxfun": 20 * max_iter, "gtol": tol, "ftol": 0}
    options["maxcor"] = min(max(max_iter // 5, 5), 20)  # pairs cost time, and pay in long searches
    found = minimize(
        finite_value, x0, jac=gradient_there, method="L-BFGS-B", callback=report, options=options
    )
    status = {0: CONVERGED, 1: OUT_OF_ITERATIONS}.get(found.status, STALLED)
    if is_flat(values):
        status = CONVERGED
    value = float(found.fun)
    return ended(Step(found.x, value, found.x, value, found.nit), status)


def in_units(units, search, fun, x0, *, callback):
    """Run a ``search`` on F as a function of v = w / units, and return and tell weights w.

    For ``units`` (p,) of the weights, or one for all; the gradient is units dF/dw.
    """
    if np.isscalar(units):
        return search(fun, x0, callback=callback)

    def fun_of_v(v):
        value, gradient = fun(units * v)
        return value, units * gradient

    def told(step):
        x = units * step.x
        callback(replace(step, x=x, best=x))

    found = search(fun_of_v, x0 / units, callback=told)
    found.x = units * found.x
    return found


def levenberg_marquardt(objective, x0, *, max_iter, tol, callback, damping=None):
    """Damped Gauss-Newton steps (G + mu I) v = -gradient, mu by the gain ratio.

    Nielsen (1999), "Damping parameter in Marquardt's method", eq. 2.4 and 2.5:
    with the gain rho = (F(x) - F(x + v)) / (v'(mu v - gradient) / 2), a step
    with rho > 0 is taken and mu multiplied by max(1/3, 1 - (2 rho - 1)^3);
    otherwise mu is multiplied by 2, 4, 8, ...

    Of the objective ``value(x)`` is F, for trial steps; ``quadratic(x)`` is (value, gradient,
    curvature) where curvature has ``diagonal`` and ``factorize(mu)``, whose result has
    ``solve(b)``. Where F is below its ``bends_below`` steps bend, by ``acceleration(x, v)``, the
    second directional derivative of the residuals along v, pulled back by J'.

    It has converged when three steps in a row lower F by less than ``tol`` F each, or when the
    gradient vanishes to rounding. ``max_iter`` counts accepted steps. The ``damping`` mu to start
    with is by default 1e-3 times the largest diagonal entry of G; the one to go on with is the
    ``state`` of the result. NotFinite if the curvature of F is not finite at the start.
    """
    point = value, _, curvature = objective.quadratic(x0)
    if not np.isfinite(curvature.diagonal).all():
        raise NotFinite("The curvature is not finite at the starting weights")
    mu = 1e-3 * curvature.diagonal.max() if damping is None else damping
    step, small_steps = Step(x0, value, x0, value, 0, mu), 0
    for iteration in range(1, max_iter + 1):
        trial = _accepted_step(objective, step.x, point, step.state)
        if trial is None:
            return ended(step, STALLED)
        x, decrease, mu = trial
        small_steps = small_steps + 1 if decrease <= tol * abs(step.value) + SMALLEST else 0
        point = value, _, _ = objective.quadratic(x)
        step = Step(x, value, x, value, iteration, mu)
        callback(step)
        if small_steps == 3:
            return ended(step, CONVERGED)
    return ended(step, OUT_OF_ITERATIONS)


def _accepted_step(objective, x, point, mu):
    """The first damped step that lowers F: (x + v, decrease, next mu), or None.

    None where no step goes down any more that a float can tell. A step to where F is
    not finite is refused like one that goes up.
    """
    value, gradient, curvature = point
    growth = 2.0
    highest = 1e16 * max(curvature.diagonal.max(), np.finfo(float).tiny)
    while mu <= highest:
        try:
            factor = curvature.factorize(mu)
        except LinAlgError:
            mu, growth = mu * growth, growth * 2
            continue
        v = factor.solve(-gradient)
        predicted = 0.5 * v @ (mu * v - gradient)
        if predicted <= np.finfo(float).eps * abs(value):
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            if value < objective.bends_below:
                v = v + _geodesic_correction(factor, v, objective.acceleration(x, v))
            decrease = value - objective.value(x + v)
        if decrease > 0:
            gain = decrease / predicted
            return x + v, decrease, mu * max(1 / 3, 1 - (2 * gain - 1) ** 3)
        mu, growth = mu * growth, growth * 2
    return None


def _geodesic_correction(factor, v, acceleration):
    """Half of a in (G + mu I) a = -acceleration where |a| <= 0.375 |v|, else zero.

    Geodesic acceleration (Transtrum & Sethna 2012, eq. 21): beyond the bound the second
    order is no small correction of the first.
    """
    a = factor.solve(-acceleration)
    return 0.5 * a if np.linalg.norm(a) <= 0.375 * np.linalg.norm(v) else np.zeros_like(v)
