"""The full-batch minimisers on functions whose minima are known."""

from functools import partial

import numpy as np
import pytest
from gradient_check import check_gradient
from scipy.optimize import minimize

from sklearn_twolayer._network.curvature import DenseCurvature
from sklearn_twolayer._optimize.full_batch import (
    CONVERGED,
    OUT_OF_ITERATIONS,
    STALLED,
    Flat,
    gradient_descent,
    in_units,
    lbfgs,
    levenberg_marquardt,
)

A = np.array([[3.0, 1, 0], [1, 2, 0.5], [0, 0.5, 1]])
b = np.array([1.0, -2, 3])
MINIMUM = np.linalg.solve(A, b)


def quadratic(x):
    """Value and gradient of x'Ax / 2 - b'x + 10, least at A^-1 b."""
    return 0.5 * x @ A @ x - b @ x + 10, A @ x - b


def rosenbrock_residuals(x):
    """Residuals r (2,) and Jacobian (2, 2): |r|^2 / 2 is least at (1, 1)."""
    r = np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])
    return r, np.array([[-20 * x[0], 10], [-1, 0]])


def rosenbrock(x):
    """|r|^2 / 2 plus a constant that no step removes, and its gradient."""
    r, J = rosenbrock_residuals(x)
    return 0.5 * r @ r + 1, J.T @ r


def rosenbrock_model(x):
    """Value, gradient and Gauss-Newton curvature."""
    _, J = rosenbrock_residuals(x)
    return *rosenbrock(x), DenseCurvature(J.T @ J, np.zeros(2))


def quadratic_model(x):
    return *quadratic(x), DenseCurvature(A, np.zeros(3))


class Record(list):
    """A callback that keeps the steps, and may raise an exception in one of them."""

    def __init__(self, raise_in=None, exception=None):
        super().__init__()
        self.raise_in, self.exception = raise_in, exception

    def __call__(self, step):
        self.append(step)
        if len(self) == self.raise_in:
            raise self.exception


class Objective:
    """What Levenberg-Marquardt needs of a function and its quadratic model."""

    def __init__(self, fun=rosenbrock, quadratic=rosenbrock_model, bends_below=0.0):
        self.fun, self.quadratic, self.bends_below = fun, quadratic, bends_below

    def value(self, x):
        return self.fun(x)[0]

    def acceleration(self, x, v):
        """Of the residuals of Rosenbrock's function, J' times the second derivative along v."""
        _, J = rosenbrock_residuals(x)
        return J.T @ np.array([-20 * v[0] ** 2, 0])


def run(solver, fun, x0, *, callback=None, model=None, **options):
    """One of the three minimisers on one of the functions."""
    callback = Record() if callback is None else callback
    options = {"max_iter": 1000, "tol": 1e-8, "callback": callback, **options}
    if solver == "gd":
        return gradient_descent(fun, x0, learning_rate=0.3, **options)
    if solver == "lbfgs":
        return lbfgs(fun, x0, **options)
    model = model or {quadratic: quadratic_model, rosenbrock: rosenbrock_model}[fun]
    return levenberg_marquardt(Objective(fun, model), x0, **options)


one_step = partial(levenberg_marquardt, max_iter=1, tol=0, callback=Record())
SOLVERS = pytest.mark.parametrize("solver", ["gd", "lbfgs", "lm"])


def test_gradients_of_the_test_functions():
    check_gradient(quadratic, np.array([1.0, 2, 3]))
    check_gradient(rosenbrock, np.array([-1.2, 1]))


@SOLVERS
def test_quadratic(solver):
    """Here lm reaches rounding before three of its steps were small."""
    x0 = np.zeros(3)
    result = run(solver, quadratic, x0)
    assert result.status == (STALLED if solver == "lm" else CONVERGED)
    assert result.success == (result.status == CONVERGED)
    np.testing.assert_allclose(result.x, MINIMUM, rtol=0, atol=1e-6)
    assert result.fun == pytest.approx(quadratic(MINIMUM)[0], rel=1e-10)
    np.testing.assert_array_equal(x0, 0)


@pytest.mark.parametrize("solver", ["lbfgs", "lm"])
def test_rosenbrock(solver):
    result = run(solver, rosenbrock, np.array([-1.2, 1]), tol=1e-6)
    assert result.status == CONVERGED
    np.testing.assert_allclose(result.x, 1, atol=1e-4)
    assert result.nit < 60


@SOLVERS
def test_callback_sees_every_iteration(solver):
    record = Record()
    result = run(solver, quadratic, np.zeros(3), callback=record)
    assert [step.n_iter for step in record] == list(range(1, result.nit + 1))
    for step in record:
        assert step.value == quadratic(step.x)[0]
        assert step.least == quadratic(step.best)[0] == min(s.value for s in record[: step.n_iter])
        np.testing.assert_allclose(step.best, step.x, atol=1e-6)  # it falls, but for rounding
    np.testing.assert_array_equal(record[-1].best, result.x)
    assert record[-1].least == result.fun
    assert record[-1].state == result.state
    assert (np.diff([step.value for step in record]) <= 1e-14).all()


@pytest.mark.parametrize("exception", [KeyboardInterrupt, RuntimeError])
@SOLVERS
def test_what_the_callback_raises_goes_through(solver, exception):
    record = Record(raise_in=2, exception=exception)
    with pytest.raises(exception):
        run(solver, quadratic, np.zeros(3), callback=record)
    assert len(record) == 2


@SOLVERS
def test_out_of_iterations(solver):
    result = run(solver, quadratic, np.zeros(3), max_iter=2)
    assert result.status == OUT_OF_ITERATIONS
    assert not result.success
    assert result.nit == 2
    assert result.fun == quadratic(result.x)[0]


def test_levenberg_marquardt_stalls_at_rounding():
    """With tol=0 it ends when no step that floating point can see goes down."""
    result = run("lm", rosenbrock, np.array([-1.2, 1]), tol=0)
    assert result.status == STALLED
    np.testing.assert_allclose(result.x, 1, atol=1e-6)
    at_minimum = run("lm", rosenbrock, np.ones(2))
    assert at_minimum.status == STALLED
    assert at_minimum.nit == 0


@pytest.mark.parametrize("solver", ["lbfgs", "lm"])
def test_stalls_where_the_gradient_points_uphill(solver):
    """No step goes down: the start comes back."""

    def wrong(x):
        value, gradient = quadratic(x)
        return value, -gradient

    def model(x):
        return *wrong(x), DenseCurvature(A, np.zeros(3))

    result = run(solver, wrong, np.zeros(3), model=model)
    assert result.status == STALLED
    assert not result.success
    np.testing.assert_array_equal(result.x, 0)
    assert result.fun == 10


def test_gradient_descent_is_its_rule():
    """Each step multiplies the error by I - learning_rate A."""
    record = Record()
    run("gd", quadratic, np.zeros(3), max_iter=20, tol=0, callback=record)
    for step in record:
        shrink = np.linalg.matrix_power(np.eye(3) - 0.3 * A, step.n_iter)
        np.testing.assert_allclose(step.x, MINIMUM - shrink @ MINIMUM, rtol=1e-12, atol=1e-13)


def test_gradient_descent_stops_at_the_tolerance():
    result = run("gd", quadratic, np.zeros(3), tol=1e-3)
    assert np.abs(quadratic(result.x)[1]).max() <= 1e-3
    before = run("gd", quadratic, np.zeros(3), max_iter=result.nit - 1, tol=0)
    assert np.abs(quadratic(before.x)[1]).max() > 1e-3


@pytest.mark.parametrize("learning_rate", [1.0, 1e200])
def test_gradient_descent_that_diverges_is_an_error(learning_rate):
    """The proposal is a learning rate that works, or leads to one."""
    proposal = rf"learning_rate={learning_rate / 10:.3g}".replace("+", r"\+")
    with pytest.raises(ValueError, match=f"diverged.*{proposal}"):
        gradient_descent(
            quadratic,
            np.zeros(3),
            learning_rate=learning_rate,
            max_iter=1000,
            tol=1e-8,
            callback=Record(),
        )


def test_gradient_descent_that_meets_nan_is_an_error():
    def fun(x):
        return (1.0, np.ones(2)) if x[0] == 0 else (np.nan, np.full(2, np.nan))

    with pytest.raises(ValueError, match="diverged: the loss went from 1 to nan in 1 iterations"):
        run("gd", fun, np.zeros(2))


@pytest.mark.parametrize("outside", [np.inf, np.nan])
@pytest.mark.parametrize("solver", ["lbfgs", "lm"])
def test_steps_to_nowhere_are_refused(solver, outside):
    """Full steps from x = 3 leave the region where 4 x - ln x, least at 1/4, is finite."""
    values, record = [], Record()

    def barrier(x):
        inside = (x > 0).all()
        value = (4 * x - np.log(x)).sum() if inside else outside
        values.append(value)
        return value, 4 - 1 / x if inside else np.full(2, outside)

    def model(x):
        return *barrier(x), DenseCurvature(np.diag(1 / x**2), np.zeros(2))

    result = run(solver, barrier, np.array([3.0, 2.0]), callback=record, model=model)
    assert not np.isfinite(values).all()
    assert np.isfinite([step.value for step in record]).all()
    np.testing.assert_allclose(result.x, 0.25, atol=1e-6)


def test_levenberg_marquardt_refuses_indefinite_curvature():
    """Where A + mu I has no Cholesky factor, mu grows until it has."""

    def model(x):
        return *quadratic(x), DenseCurvature(A, np.full(3, -2.0))

    result = run("lm", quadratic, np.zeros(3), model=model)
    np.testing.assert_allclose(result.x, MINIMUM, atol=1e-3)


@pytest.mark.parametrize(("mu", "factor"), [(0.5, 1.0471), (1.0, 0.6276), (3.0, 0.3333)])
def test_levenberg_marquardt_step_and_damping(mu, factor):
    """One step by hand: (A + mu I) v = -gradient, then Nielsen's update of mu."""
    x0 = np.array([-1.2, 1])
    value, gradient, _ = rosenbrock_model(x0)
    _, J = rosenbrock_residuals(x0)
    v = np.linalg.solve(J.T @ J + mu * np.eye(2), -gradient)
    predicted = -(gradient @ v) - 0.5 * v @ J.T @ J @ v
    gain = (value - rosenbrock(x0 + v)[0]) / predicted
    expected = mu * max(1 / 3, 1 - (2 * gain - 1) ** 3)
    result = one_step(Objective(), x0, damping=mu)
    np.testing.assert_allclose(result.x, x0 + v, rtol=1e-12)
    assert result.state == pytest.approx(expected, rel=1e-12)
    assert result.state == pytest.approx(mu * factor, rel=1e-3)


def test_refused_steps_raise_the_damping_by_growing_factors():
    """2, 4, 8, ... times, for as long as the step goes up."""
    tried = []

    class Watched(DenseCurvature):
        def factorize(self, mu):
            tried.append(mu)
            return super().factorize(mu)

    def model(x):
        value, gradient = rosenbrock(x)
        return value, gradient, Watched(1e-3 * np.eye(2), np.zeros(2))

    result = one_step(Objective(quadratic=model), np.array([-1.2, 1]), damping=1.0)
    assert result.nit == 1
    assert len(tried) > 3
    np.testing.assert_array_equal(np.divide(tried[1:], tried[:-1]), 2.0 ** np.arange(1, len(tried)))


@pytest.mark.parametrize(
    ("x0", "mu", "share", "bends"),
    [
        ([0.0, 1], 0.1, np.inf, False),
        ([-1.2, 1], 10.0, np.inf, True),
        ([-1.2, 1], 10.0, 1.01, True),
        ([-1.2, 1], 10.0, 0.99, False),
    ],
)
def test_geodesic_acceleration_by_hand(x0, mu, share, bends):
    """The step is v + a / 2 where |a| <= 0.375 |v| and F is below a bound, else v."""
    x0 = np.array(x0)
    _, gradient, _ = rosenbrock_model(x0)
    _, J = rosenbrock_residuals(x0)
    damped = J.T @ J + mu * np.eye(2)
    v = np.linalg.solve(damped, -gradient)
    a = np.linalg.solve(damped, -Objective().acceleration(x0, v))
    assert (np.linalg.norm(a) <= 0.375 * np.linalg.norm(v)) == (mu == 10)
    objective = Objective(bends_below=share * rosenbrock(x0)[0])
    result = one_step(objective, x0, damping=mu)
    np.testing.assert_allclose(result.x, x0 + v + (a / 2 if bends else 0), rtol=1e-12)


def hardly_falls(x):
    """Far from a small gradient F = 10^4 hardly falls any more."""
    scale = np.logspace(0, 6, 40)
    return 1e4 + 0.5 * x @ (scale * x), scale * x


def test_lbfgs_ends_where_its_iterations_gain_next_to_nothing():
    """A smaller tol goes on, and so does a search that may have to cross a longer plateau."""

    def search(**options):
        return lbfgs(hardly_falls, np.ones(40), callback=Record(), **options)

    early, late = search(max_iter=200, tol=1e-4), search(max_iter=200, tol=1e-8)
    assert early.status == CONVERGED
    assert np.abs(hardly_falls(early.x)[1]).max() > 1e-4
    assert 40 < early.nit < late.nit
    assert late.fun < early.fun < 1.01e4
    assert search(max_iter=1000, tol=1e-4).nit > early.nit
    assert search(max_iter=200, tol=1e-4, flat=Flat.once_learned(1e-4)).nit < early.nit


def test_lbfgs_is_that_of_scipy():
    """The gradient it is given is that of the point where it has asked for the value."""
    x0 = np.array([-1.2, 1.0])
    record = Record()
    found = lbfgs(rosenbrock, x0, max_iter=60, tol=1e-9, callback=record, flat=Flat(100, 0.0))
    options = {"maxiter": 60, "gtol": 1e-9, "ftol": 0, "maxcor": 12}
    expected = minimize(rosenbrock, x0, jac=True, method="L-BFGS-B", options=options)
    np.testing.assert_array_equal(found.x, expected.x)
    assert found.nit == expected.nit
    for step in record:
        assert rosenbrock(step.x)[0] == step.value


@pytest.mark.parametrize(
    ("max_iter", "n_iterations"), [(1, 10), (25, 10), (100, 20), (1000, 200), (10**6, 200)]
)
def test_flat_by_hand(max_iter, n_iterations):
    """The last iterations, of which each may have lowered F by tol F."""
    is_flat = Flat.within(max_iter, 1e-3)
    assert is_flat.n_iterations == n_iterations
    flat, steep = 2 + 0.99 * n_iterations * 2e-3, 2 + 1.01 * n_iterations * 2e-3
    plateau = [2.0] * n_iterations
    assert is_flat([100.0, flat, *plateau])
    assert not is_flat([100.0, steep, *plateau])
    assert not is_flat(plateau)
    assert not Flat.within(max_iter, 0.0)([2.0, *plateau])


@pytest.mark.parametrize("n_iterations", [5, 10, 200])
def test_a_plateau_that_is_being_left_is_not_flat(n_iterations):
    """There F falls faster and faster; towards an end it falls less and less."""
    is_flat, part = Flat(n_iterations, 1e-3), max(n_iterations // 8, 1)
    before, after = np.full(n_iterations - part + 1, 2.0), np.full(part, 2 - 1e-6)
    leaving, arriving = np.append(before, after), np.append(before[: 1 - 2 * part], after)
    assert not is_flat(leaving)
    assert is_flat(np.append(before, before[:part]))
    assert is_flat(np.pad(arriving, (0, 2 * part), mode="edge"))


def test_little_to_learn_is_learned_all_the_same():
    """1 % of F is all of it where F is .64 and the constant has .65."""

    def gains(end, gain):
        return [end + gain] * 3 + [end] * 3

    is_flat = Flat(5, 0.01 / 5, constant=0.65)
    assert Flat(5, 0.01 / 5)(gains(0.6, 0.005))
    assert not is_flat(gains(0.6, 0.0006))
    assert is_flat(gains(0.6, 0.0004))
    assert is_flat(gains(0.1, 0.0009))  # of F, which is less than what has been learned
    assert not is_flat(gains(0.1, 0.0011))
    assert is_flat(gains(0.7, 0.0006))  # above the constant a tenth of F is the least
    assert not is_flat(gains(0.7, 0.0008))


def test_a_small_tol_asks_for_more_than_a_small_decrease():
    assert Flat.within(1000, 1e-6).share == pytest.approx(1e-8)
    assert Flat.once_learned(1e-3).share == 1e-3


@pytest.mark.parametrize("units", [1.0, np.array([100.0, 1.0, 0.01])])
def test_a_search_in_units_tells_and_returns_weights(units):
    """Of a bowl that is 10,000 times as steep along one weight as along the next."""
    steepness, seen = np.array([1e-4, 1.0, 1e4]), []

    def bowl(w):
        return 0.5 * steepness @ (w - 1) ** 2, steepness * (w - 1)

    search = partial(lbfgs, max_iter=100, tol=1e-9)
    found = in_units(units, search, bowl, np.zeros(3), callback=seen.append)
    np.testing.assert_allclose(found.x, 1, rtol=1e-4)
    for step in seen:
        assert bowl(step.x)[0] == pytest.approx(step.value, rel=1e-9, abs=1e-15)
        np.testing.assert_array_equal(step.best, step.x)
    if np.ndim(units):
        assert len(seen) <= 3  # the bowl is round in these
    else:
        assert len(seen) > 3
