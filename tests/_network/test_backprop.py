"""Forward pass and backprop of one block of rows."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_twolayer._network.activations import ACTIVATIONS
from sklearn_twolayer._network.backprop import (
    TwoLayerNetwork,
    gauss_newton,
    jacobian,
    raw_prediction,
)

OUTPUTS = [1, 2, 5]
FUNCTIONS = {
    "logistic": lambda Z: 1 / (1 + np.exp(-Z)),
    "tanh": np.tanh,
    "relu": lambda Z: np.maximum(Z, 0),
    "softplus": lambda Z: np.log(1 + np.exp(Z)),
    "identity": lambda Z: Z,
}


def random_block(n_outputs, activation="logistic", n_rows=9):
    """A network, its weights, rows [X 1], some delta (n, k) and some hessian (n, k, k)."""
    rng = np.random.default_rng(0)
    network = TwoLayerNetwork(3, 4, n_outputs, activation)
    params = rng.normal(size=network.n_params)
    X = rng.normal(size=(n_rows, 3)) * (rng.uniform(size=(n_rows, 3)) < 0.6)
    delta = rng.normal(size=(n_rows, n_outputs))
    roots = rng.normal(size=(n_rows, n_outputs, n_outputs))
    hessian = roots @ np.swapaxes(roots, 1, 2)
    return network, params, np.column_stack([X, np.ones(n_rows)]), delta, hessian


def test_weights_are_views_of_one_vector():
    network = TwoLayerNetwork(2, 3, 2, "tanh")
    assert network.n_params == 2 * 3 + 3 + 3 * 2 + 2
    params = np.arange(17.0)
    W1, b1, W2, b2 = network.unpack(params)
    np.testing.assert_array_equal(W1, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(b1, [6, 7, 8])
    np.testing.assert_array_equal(W2, [[9, 10], [11, 12], [13, 14]])
    np.testing.assert_array_equal(b2, [15, 16])
    np.testing.assert_array_equal(network.first_layer(params), np.vstack([W1, b1]))
    for view in (W1, b1, W2, b2, network.first_layer(params)):
        assert np.shares_memory(view, params)
    np.testing.assert_array_equal(network.pack([W1, W2], [b1, b2], float), params)


@pytest.mark.parametrize("n_outputs", OUTPUTS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_forward_is_the_formula(activation, n_outputs):
    network, params, X1, _, _ = random_block(n_outputs, activation)
    W1, b1, W2, b2 = network.unpack(params)
    Z2, A1 = network.forward(params, X1)
    expected = FUNCTIONS[activation](X1[:, :-1] @ W1 + b1)
    np.testing.assert_allclose(A1, expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(Z2, expected @ W2 + b2, rtol=1e-12, atol=1e-14)
    few = raw_prediction([W1, W2], [b1, b2], X1[:, :-1], activation)
    np.testing.assert_allclose(few, Z2, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("n_outputs", OUTPUTS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_backward_is_the_transposed_jacobian(activation, n_outputs):
    """The gradient is sum_n J_n' delta_n."""
    network, params, X1, delta, _ = random_block(n_outputs, activation)
    _, A1 = network.forward(params, X1)
    expected = np.einsum("nkp,nk->p", jacobian(network, params, X1, A1), delta)
    found = network.backward(params, X1, A1, delta)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("n_outputs", OUTPUTS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_sparse_rows_equal_dense_rows(activation, n_outputs):
    network, params, X1, delta, hessian = random_block(n_outputs, activation)
    results = []
    for rows in (X1, sparse.csr_array(X1)):
        Z2, A1 = network.forward(params, rows)
        A1 = A1.copy()
        J = jacobian(network, params, rows, A1).copy()
        matrix = gauss_newton(network, params, rows, A1, hessian=hessian)
        results.append([Z2, A1.copy(), J, matrix, network.backward(params, rows, A1, delta).copy()])
    for dense, from_sparse in zip(*results):
        np.testing.assert_allclose(from_sparse, dense, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("is_sparse", [False, True])
def test_float32_stays_float32(is_sparse):
    network, params, X1, delta, hessian = random_block(2)
    single = [array.astype(np.float32) for array in (params, X1, delta, hessian)]
    params, X1, delta, hessian = single
    X1 = sparse.csr_array(X1) if is_sparse else X1
    Z2, A1 = network.forward(params, X1)
    matrix = gauss_newton(network, params, X1, A1, hessian=hessian)
    gradient = network.backward(params, X1, A1, delta)
    assert {array.dtype for array in (Z2, A1, matrix, gradient)} == {np.dtype(np.float32)}
