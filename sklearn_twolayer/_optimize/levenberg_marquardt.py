"""Levenberg-Marquardt: damped Gauss-Newton steps, mu by the gain ratio."""

import numpy as np
from scipy.linalg import LinAlgError

from sklearn_twolayer._optimize.first_order import (
    CONVERGED,
    OUT_OF_ITERATIONS,
    STALLED,
    NotFinite,
    Step,
    ended,
)

#: A decrease of F, in units of its own scale, that is none.
SMALLEST = 1e-30


def levenberg_marquardt(objective, x0, *, max_iter, tol, callback, damping=None):
    """Damped Gauss-Newton steps (G + mu I) v = -gradient, mu by the gain ratio.

    Nielsen (1999), "Damping parameter in Marquardt's method", eq. 2.4 and 2.5:
    with the gain rho = (F(x) - F(x + v)) / (v'(mu v - gradient) / 2), a step
    with rho > 0 is taken and mu multiplied by max(1/3, 1 - (2 rho - 1)^3);
    otherwise mu is multiplied by 2, 4, 8, ...

    Parameters
    ----------
    objective : object
        ``value(x)`` is F, for trial steps; ``quadratic(x)`` is (value, gradient,
        curvature) where curvature has ``diagonal`` and ``factorize(mu)``, whose result
        has ``solve(b)``. Where F is below ``bends_below`` steps bend, by ``acceleration(x, v)``,
        the second directional derivative of the residuals along v, pulled back by J'.
    x0 : ndarray
    max_iter : int
        Most accepted steps.
    tol : float
        Converged when three steps in a row lower F by less than tol F each, or
        when the gradient vanishes to rounding.
    callback : callable
        ``callback(step)`` after each accepted step.
    damping : float, optional
        mu to start with; 1e-3 times the largest diagonal entry of G if None.

    Returns
    -------
    OptimizeResult
        Its ``state`` is the mu to go on with.

    Raises
    ------
    NotFinite
        If the curvature of F is not finite at the start.
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
