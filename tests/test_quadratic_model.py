"""The quadratic model is the objective, read once for each point; its second derivatives."""

from dataclasses import replace

import numpy as np
import pytest
from gradient_check import LOSSES, directional_derivative, numerical_jacobian, random_problem

from sklearn_twolayer._activations import ACTIVATIONS
from sklearn_twolayer._curvature import DenseCurvature, LowRankCurvature
from sklearn_twolayer._quadratic_model import QuadraticModel

ALL_LOSSES = pytest.mark.parametrize("loss_class", LOSSES)
KINDS = pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
SMOOTH = [name for name in ACTIVATIONS if name != "relu"]


class Counted:
    """Rows that count how often they are summed or mapped."""

    def __init__(self, rows):
        self.rows = rows
        self.n_passes = 0

    def __getattr__(self, name):
        if name in ("sum", "map"):
            self.n_passes += 1
        return getattr(self.rows, name)


def some_penalty(problem):
    return np.linspace(0.1, 2, len(problem.params))


@KINDS
@ALL_LOSSES
@pytest.mark.parametrize(
    ("n_rows", "curvature_class"), [(40, DenseCurvature), (9, LowRankCurvature)]
)
def test_it_is_the_objective(n_rows, curvature_class, loss_class, is_sparse):
    """Value, gradient and curvature of F, with whatever penalty the objective itself has."""
    problem = random_problem(loss_class, 2, n_rows=n_rows, is_sparse=is_sparse)
    penalty = some_penalty(problem)
    objective = replace(problem.objective, penalty=penalty)
    with problem.rows() as rows:
        value, gradient, matrix = objective.gauss_newton(problem.params, rows)
        model = QuadraticModel(problem.objective, rows)
        found_value, found_gradient, curvature = model(problem.params, penalty)
        assert model.value(problem.params, penalty) == pytest.approx(value, rel=1e-12)
    assert isinstance(curvature, curvature_class)
    assert found_value == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(found_gradient, gradient, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(curvature.diagonal, matrix.diagonal(), rtol=1e-10, atol=1e-13)
    expected = np.linalg.solve(matrix, gradient)
    np.testing.assert_allclose(curvature.factorize().solve(gradient), expected, rtol=1e-7)


@pytest.mark.parametrize(("n_rows", "n_passes"), [(40, 1), (9, 2)])
def test_the_rows_are_read_once_for_each_point(n_rows, n_passes):
    """The dual form takes two passes: the gradient, and the root of the curvature."""
    problem = random_problem(n_outputs=2, n_rows=n_rows)
    with problem.rows() as rows:
        counted = Counted(rows)
        model = QuadraticModel(problem.objective, counted)
        for penalty in (np.zeros(len(problem.params)), some_penalty(problem)):
            model(problem.params, penalty)
            model.data_term(problem.params.copy())
            assert counted.n_passes == n_passes
        model(problem.params + 1, penalty)
        assert counted.n_passes == 2 * n_passes


def test_it_is_not_fooled_by_a_point_that_changes_in_place():
    problem = random_problem(n_rows=40)
    penalty = some_penalty(problem)
    with problem.rows() as rows:
        model = QuadraticModel(problem.objective, rows)
        params = problem.params.copy()
        before = model(params, penalty)[0]
        params += 0.5
        assert model(params, penalty)[0] != before
        assert model(params, penalty)[0] == pytest.approx(model.value(params, penalty), rel=1e-12)


@pytest.mark.parametrize("activation", SMOOTH)
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_second_directional_derivative(activation, n_outputs):
    """d^2 Z2 / dt^2 by the difference of d Z2 / dt."""
    problem = random_problem(n_outputs=n_outputs, activation=activation)
    network, x = problem.network, problem.params
    v = np.random.default_rng(2).normal(size=len(x))
    X = np.column_stack([problem.X, np.ones(len(problem.X))])

    def slope(x):
        return directional_derivative(lambda x: network.forward(x, X)[0].copy(), x, v)

    expected = directional_derivative(slope, x, v)
    found = network.second_directional_derivative(x, v, X, network.forward(x, X)[1])
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


@KINDS
@ALL_LOSSES
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_acceleration(loss_class, n_outputs, is_sparse):
    """sum_i s_i J_i' H_i d^2 Z2_i / dt^2 / S, from differences of the raw predictions."""
    problem = random_problem(loss_class, n_outputs, "tanh", is_sparse=is_sparse)
    network, x = problem.network, problem.params
    v = np.random.default_rng(2).normal(size=len(x))
    standardization = problem.standardization
    dense = problem.X.toarray() if is_sparse else problem.X
    X = (dense - standardization.mean) / standardization.scale
    X = np.column_stack([X, np.ones(len(X))])

    def raw_prediction(x):
        return network.forward(x, X)[0].copy()

    def slope(x):
        return directional_derivative(raw_prediction, x, v)

    second = directional_derivative(slope, x, v)
    J = numerical_jacobian(raw_prediction, x)
    H = problem.objective.loss.hessian(raw_prediction(x))
    s = problem.weight / problem.weight.sum()
    expected = np.einsum("n,ncp,ncd,nd->p", s, J, H, second)
    with problem.rows() as rows:
        found = problem.objective.acceleration(x, v, rows)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_acceleration_of_a_network_that_is_linear_along_the_direction_is_zero():
    """Along W2 and b2 the raw prediction is linear."""
    problem = random_problem(n_outputs=2)
    v = np.zeros(len(problem.params))
    v[problem.network.n_first :] = 1.0
    with problem.rows() as rows:
        assert not problem.objective.acceleration(problem.params, v, rows).any()
