"""Full-batch minimisers: functions of a vector, which never see data or layers.

Each takes ``fun(x) -> (value, gradient)`` (or what its docstring says) and a
start, calls ``callback(x, value)`` after each iteration (which may raise
``StopIteration`` to end the search) and returns an ``OptimizeResult``. A
KeyboardInterrupt ends the search with the last whole iteration, where there is one; an
iteration is whole when its callback has returned. The result has

======  ==================================================================
status  meaning
======  ==================================================================
0       converged
1       out of iterations
2       stalled at rounding: no step that floating point can see goes down
3       stopped by the callback
4       interrupted (KeyboardInterrupt)
======  ==================================================================
"""

from functools import partial

import numpy as np
from scipy.linalg import LinAlgError
from scipy.optimize import OptimizeResult, minimize

CONVERGED, OUT_OF_ITERATIONS, STALLED, STOPPED, INTERRUPTED = range(5)

#: Gradient descent has diverged where F is so many times its start.
MAX_GROWTH = 10.0
#: L-BFGS has converged, too, where so many iterations together lower F by less than
#: ``tol`` F, or by (100 tol)^2 F if that is less: a gradient of g leaves about g^2 of F to gain.
FLAT_ITERATIONS = 10
#: A decrease of F, in units of its own scale, that is none.
SMALLEST = 1e-30


def _result(x, value, n_iterations, status, **more):
    return OptimizeResult(
        x=x, fun=value, nit=n_iterations, status=status, success=status == CONVERGED, **more
    )


def was_stopped(result):
    """Whether a search ended before it was done, on demand."""
    return result.status in (STOPPED, INTERRUPTED)


def asks_to_stop(callback, x, value):
    """Call the callback; whether it raised StopIteration."""
    try:
        callback(x, value)
    except StopIteration:
        return True
    return False


def _interrupted(done):
    """The result so far; without a whole iteration the KeyboardInterrupt at hand goes on."""
    result = done(INTERRUPTED)
    if result.nit == 0:
        raise
    return result


def minimize_gradient_descent(fun, x0, *, learning_rate, max_iter, tol, callback):
    """Steps w <- w - learning_rate dF/dw, nothing else, until max |dF/dw| <= tol.

    Raises
    ------
    ValueError
        If it diverges, with a proposal for the learning rate.
    """
    x = x0
    start, gradient = fun(x)
    done = partial(_result, x, start, 0)
    try:
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
            stop = asks_to_stop(callback, x, value)
            done = partial(_result, x, value, iteration)
            if stop:
                return done(STOPPED)
            if np.abs(gradient).max() <= tol:
                return done(CONVERGED)
    except KeyboardInterrupt:
        return _interrupted(done)
    return done(OUT_OF_ITERATIONS)


def minimize_lbfgs(fun, x0, *, max_iter, tol, callback):
    """Limited-memory BFGS (SciPy's), until max |dF/dw| <= tol, or F no longer falls.

    The second where ten iterations together have lowered F by less than tol F.

    A trial step to where F is not finite is answered with a high finite value,
    which makes the line search shorten it.

    Raises
    ------
    ValueError
        If F or its gradient is not finite at the start.
    """
    highest, n_iterations, values = None, 0, []
    done = partial(_result, x0, np.inf, n_iterations)

    def finite_fun(x):
        nonlocal highest
        with np.errstate(over="ignore", invalid="ignore"):
            value, gradient = fun(x)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            if highest is None:
                raise ValueError(
                    "The gradient is not finite at the starting weights: X or y holds values too "
                    "large. Scale them, or set standardize=True."
                )
            return 10 * highest + 1, np.zeros_like(x)
        highest = value if highest is None else max(highest, value)
        return value, gradient

    def report(intermediate_result):
        nonlocal done, n_iterations
        values.append(float(intermediate_result.fun))
        x, value = intermediate_result.x.copy(), float(intermediate_result.fun)
        callback(x, value)
        n_iterations += 1
        done = partial(_result, x, value, n_iterations)
        if is_flat():
            raise StopIteration

    def is_flat():
        before = values[-1 - FLAT_ITERATIONS] if len(values) > FLAT_ITERATIONS else np.inf
        return before - values[-1] <= min(tol, (100 * tol) ** 2) * abs(values[-1]) and tol > 0

    options = {"maxiter": max_iter, "maxfun": 20 * max_iter, "gtol": tol, "ftol": 0, "maxcor": 20}
    search = partial(minimize, jac=True, method="L-BFGS-B", callback=report, options=options)
    try:
        found = search(finite_fun, x0)
    except KeyboardInterrupt:
        return _interrupted(done)
    stopped = "STOPITERATION" in found.message.upper().replace(" ", "")
    status = {0: CONVERGED, 1: OUT_OF_ITERATIONS}.get(found.status, STALLED)
    if stopped:
        status = CONVERGED if n_iterations == found.nit and is_flat() else STOPPED
    return _result(found.x, float(found.fun), found.nit, status)


def minimize_levenberg_marquardt(
    fun,
    x0,
    *,
    quadratic_model,
    max_iter,
    tol,
    callback,
    damping=None,
    acceleration=None,
    bend_below=np.inf,
):
    """Damped Gauss-Newton steps (G + mu I) v = -gradient, mu by the gain ratio.

    Nielsen (1999), "Damping parameter in Marquardt's method", eq. 2.4 and 2.5:
    with the gain rho = (F(x) - F(x + v)) / (v'(mu v - gradient) / 2), a step
    with rho > 0 is taken and mu multiplied by max(1/3, 1 - (2 rho - 1)^3);
    otherwise mu is multiplied by 2, 4, 8, ...

    Parameters
    ----------
    fun : callable
        ``fun(x) -> value``, for trial steps.
    x0 : ndarray
    quadratic_model : callable
        ``quadratic_model(x) -> (value, gradient, curvature)`` where curvature
        has ``diagonal`` and ``factorize(mu)``, whose result has ``solve(b)``.
    max_iter : int
        Most accepted steps.
    tol : float
        Converged when three steps in a row lower F by less than tol F each, or
        when the gradient vanishes to rounding.
    callback : callable
        ``callback(x, value)`` after each accepted step.
    damping : float, optional
        mu to start with; 1e-3 times the largest diagonal entry of G if None.
    acceleration : callable, optional
        ``acceleration(x, v)``, the second directional derivative of the residuals
        along v, pulled back by J': the step then bends, v + a / 2 with
        (G + mu I) a = -acceleration, where |a| <= 0.375 |v| (geodesic
        acceleration; Transtrum & Sethna 2012, eq. 21).
    bend_below : float, default=inf
        Steps bend where F is below.

    Returns
    -------
    OptimizeResult
        With ``damping``, the mu to go on with.
    """
    x = x0
    value, gradient, curvature = quadratic_model(x)
    mu = 1e-3 * curvature.diagonal.max() if damping is None else damping
    done, small_steps = partial(_result, x, value, 0, damping=mu), 0
    try:
        for iteration in range(1, max_iter + 1):
            bends = acceleration is not None and value < bend_below
            bend = partial(acceleration, x) if bends else None
            trial = _accepted_step(fun, x, value, gradient, curvature, mu, bend)
            if trial is None:
                return done(STALLED)
            x, decrease, mu = trial
            small_steps = small_steps + 1 if decrease <= tol * abs(value) + SMALLEST else 0
            value, gradient, curvature = quadratic_model(x)
            stop = asks_to_stop(callback, x, value)
            done = partial(_result, x, value, iteration, damping=mu)
            if stop:
                return done(STOPPED)
            if small_steps == 3:
                return done(CONVERGED)
    except KeyboardInterrupt:
        return _interrupted(done)
    return done(OUT_OF_ITERATIONS)


def _accepted_step(fun, x, value, gradient, curvature, mu, bend):
    """The first damped step that lowers F: (x + v, decrease, next mu), or None.

    None where no representable step goes down any more. A step to where F is
    not finite is refused like one that goes up.
    """
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
        if predicted <= np.finfo(float).eps * abs(value) or np.all(x + v == x):
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            if bend is not None:
                v = v + _geodesic_correction(factor, v, bend)
            decrease = value - fun(x + v)
        if decrease > 0:
            gain = decrease / predicted
            return x + v, decrease, mu * max(1 / 3, 1 - (2 * gain - 1) ** 3)
        mu, growth = mu * growth, growth * 2
    return None


def _geodesic_correction(factor, v, bend):
    """A / 2, or zero where the second order is no small correction of the first."""
    a = factor.solve(-bend(v))
    return 0.5 * a if np.linalg.norm(a) <= 0.375 * np.linalg.norm(v) else np.zeros_like(v)
