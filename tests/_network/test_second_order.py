"""Jacobian, Gauss-Newton matrix and second derivative of one block, by differences."""

import tracemalloc

import numpy as np
import pytest
from gradient_check import directional_derivative, numerical_jacobian, random_problem

from sklearn_twolayer._network.activations import ACTIVATIONS
from sklearn_twolayer._network.backprop import (
    TwoLayerNetwork,
    _collapsed_gauss_newton,
    gauss_newton,
    jacobian,
    second_directional_derivative,
    without_shift,
)

OUTPUTS = [1, 2, 5]
SMOOTH = [name for name in ACTIVATIONS if name != "relu"]


def random_block(n_outputs, activation="logistic", n_rows=9):
    """A network, its weights, rows [X 1] and some hessian (n, k, k)."""
    rng = np.random.default_rng(0)
    network = TwoLayerNetwork(3, 4, n_outputs, activation)
    params = rng.normal(size=network.n_params)
    X = rng.normal(size=(n_rows, 3)) * (rng.uniform(size=(n_rows, 3)) < 0.6)
    roots = rng.normal(size=(n_rows, n_outputs, n_outputs))
    hessian = roots @ np.swapaxes(roots, 1, 2)
    return network, params, np.column_stack([X, np.ones(n_rows)]), hessian


@pytest.mark.parametrize("n_outputs", OUTPUTS)
@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "relu"])
def test_jacobian_against_differences(activation, n_outputs):
    network, params, X1, _ = random_block(n_outputs, activation)
    J = jacobian(network, params, X1, network.forward(params, X1)[1])
    expected = numerical_jacobian(lambda params: network.forward(params, X1)[0], params)
    np.testing.assert_allclose(J, expected, atol=1e-9)


def test_jacobian_without_the_common_shift():
    network, params, X1, _ = random_block(3)

    def centred(params):
        Z2 = network.forward(params, X1)[0]
        return Z2 - Z2.mean(axis=1, keepdims=True)

    J = jacobian(network, params, X1, network.forward(params, X1)[1])
    np.testing.assert_allclose(without_shift(J), numerical_jacobian(centred, params), atol=1e-9)


@pytest.mark.parametrize("n_outputs", OUTPUTS)
@pytest.mark.parametrize("activation", ["logistic", "tanh", "softplus"])
def test_gauss_newton_against_differences(activation, n_outputs):
    """sum_n J_n' H_n J_n with J by differences."""
    network, params, X1, hessian = random_block(n_outputs, activation)
    J = numerical_jacobian(lambda params: network.forward(params, X1)[0], params)
    expected = np.einsum("ncp,ncd,ndq->pq", J, hessian, J)
    found = gauss_newton(network, params, X1, network.forward(params, X1)[1], hessian=hessian)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("n_outputs", OUTPUTS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gauss_newton_equals_its_plain_form(activation, n_outputs):
    """The form without a Jacobian (more than one output) is exact, and symmetric."""
    network, params, X1, hessian = random_block(n_outputs, activation)
    _, A1 = network.forward(params, X1)
    J = jacobian(network, params, X1, A1).copy()
    expected = np.einsum("ncp,ncd,ndq->pq", J, hessian, J)
    found = gauss_newton(network, params, X1, A1, hessian=hessian)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found, found.T, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("n_outputs", OUTPUTS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_one_hessian_for_all_rows_gives_the_matrix_of_its_copies(
    activation, n_outputs, dtype, rtol, is_weighted
):
    network, params, X1, hessian = random_block(n_outputs, activation)
    params, X1, hessian = (array.astype(dtype) for array in (params, X1, hessian[:1]))
    weight = np.arange(len(X1)).astype(dtype) if is_weighted else None
    _, A1 = network.forward(params, X1)
    found = gauss_newton(network, params, X1, A1, hessian=hessian, weight=weight)
    copies = np.repeat(hessian, len(X1), axis=0)
    if is_weighted:
        copies *= weight[:, None, None]
    expected = gauss_newton(network, params, X1, A1, hessian=copies)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=0, atol=rtol * np.abs(expected).max())


def test_the_matrix_of_many_targets_needs_no_jacobian_of_theirs():
    """60 of them: J alone would take 25 MB, the rows of one output take 0.4, the matrix 3."""
    network, rng = TwoLayerNetwork(4, 8, 60, "tanh"), np.random.default_rng(0)
    params, X1 = rng.normal(size=network.n_params), rng.normal(size=(90, 5))
    A1 = network.forward(params, X1)[1].copy()
    tracemalloc.start()
    try:
        gauss_newton(network, params, X1, A1, hessian=np.eye(60)[None])
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()


def test_a_matrix_of_wide_rows_takes_the_memory_of_the_products_with_units():
    """Not that of the products of all pairs of inputs, which are 20,000 for each row."""
    network = TwoLayerNetwork(200, 2, 2, "tanh")
    rng = np.random.default_rng(0)
    params = rng.normal(size=network.n_params)
    X1 = np.column_stack([rng.normal(size=(100, 200)), np.ones(100)])
    A1, hessian = network.forward(params, X1)[1], np.tile(np.eye(2), (100, 1, 1))
    tracemalloc.start()
    try:
        found = gauss_newton(network, params, X1, A1, hessian=hessian)
        assert tracemalloc.get_traced_memory()[1] < 6e6
    finally:
        tracemalloc.stop()
    J = jacobian(network, params, X1, A1)
    expected = np.einsum("ncp,ncq->pq", J, J)
    np.testing.assert_allclose(found, expected, atol=1e-11)


def test_gauss_newton_of_one_output_collapses_too():
    network, params, X1, hessian = random_block(1)
    _, A1 = network.forward(params, X1)
    expected = gauss_newton(network, params, X1, A1, hessian=hessian)
    found = _collapsed_gauss_newton(network, params, X1, A1, hessian=hessian)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


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
    found = second_directional_derivative(network, x, v, X, A1=network.forward(x, X)[1])
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
