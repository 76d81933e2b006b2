"""The hidden activations against references, differences and extreme inputs."""

import numpy as np
import pytest
from gradient_check import directional_derivative
from scipy.special import expit

from sklearn_twolayer._network import activations
from sklearn_twolayer._network.activations import ACTIVATIONS

REFERENCES = {
    "logistic": expit,
    "tanh": np.tanh,
    "relu": lambda Z: np.where(Z > 0, Z, 0),
    "softplus": lambda Z: np.logaddexp(0, Z),
    "identity": lambda Z: Z,
}
#: Away from zero, where relu has its kink.
Z = np.concatenate([np.linspace(-8, -0.02, 400), np.linspace(0.02, 8, 400)])
EXTREME = {
    np.float64: [-1e308, -800.0, -40.0, -1e-300, 0.0, 1e-300, 40.0, 800.0, 1e308],
    np.float32: [-3e38, -800.0, -100.0, -1e-37, 0.0, 1e-37, 100.0, 800.0, 3e38],
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivative(name):
    activation = ACTIVATIONS[name]
    A = activation.function(Z.copy())
    expected = directional_derivative(lambda Z: activation.function(Z.copy()), Z, 1.0)
    np.testing.assert_allclose(activation.derivative(A, np.empty_like(A)), expected, atol=1e-11)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_second_derivative(name):
    activation = ACTIVATIONS[name]

    def derivative(Z):
        return activation.derivative(activation.function(Z.copy()), np.empty_like(Z))

    A = activation.function(Z.copy())
    found = activation.second_derivative(A, np.empty_like(A))
    np.testing.assert_allclose(found, directional_derivative(derivative, Z, 1.0), atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_function_equals_reference(name, dtype):
    z = np.concatenate([Z, [0.0], np.linspace(-30, 30, 101)]).astype(dtype)
    eps = np.finfo(dtype).eps
    found = ACTIVATIONS[name].function(z.copy())
    expected = REFERENCES[name](z.astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=4 * eps, atol=4 * eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logistic_keeps_its_relative_precision_in_the_tail(dtype):
    z = np.linspace(-80, 0, 500).astype(dtype)
    found = activations.logistic(z.copy())
    np.testing.assert_allclose(found, expit(z.astype(float)), rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tanh", [activations._tanh_by_exp, activations._tanh_by_numpy])
def test_both_ways_to_tanh(tanh, dtype):
    z = np.linspace(-20, 20, 2001).astype(dtype)
    found = tanh(z.copy())
    np.testing.assert_allclose(found, np.tanh(z), rtol=0, atol=4 * np.finfo(dtype).eps)


def test_logistic_is_a_moved_tanh():
    """sigma(z) = (1 + tanh(z / 2)) / 2."""
    found = activations.logistic(Z.copy())
    np.testing.assert_allclose(found, (1 + np.tanh(Z / 2)) / 2, rtol=0, atol=1e-15)


@pytest.mark.parametrize("dtype", EXTREME)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_extreme_inputs(name, dtype):
    """No warning (they are errors here), no NaN, and the right limits."""
    activation = ACTIVATIONS[name]
    z = np.array(EXTREME[dtype], dtype)
    A = activation.function(z.copy())
    np.testing.assert_allclose(A, REFERENCES[name](z), rtol=1e-6, atol=1e-7)
    first = activation.derivative(A, np.empty_like(A))
    second = activation.second_derivative(A, np.empty_like(A))
    for values in (A, first, second):
        assert values.dtype == dtype
        assert np.isfinite(values).all()
    low, high = {"relu": (0, 1), "softplus": (0, 1), "identity": (1, 1)}.get(name, (0, 0))
    assert (first[0], first[-1]) == (low, high)
    assert (second[0], second[-1]) == (0, 0)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_in_place(name):
    """The function overwrites z, g' may overwrite a, g'' leaves a alone."""
    activation = ACTIVATIONS[name]
    z = Z.copy()
    A = activation.function(z)
    assert np.shares_memory(A, z)
    kept, out = A.copy(), np.empty_like(A)
    expected = activation.derivative(A, np.empty_like(A))
    assert activation.second_derivative(A, out) is out
    np.testing.assert_array_equal(A, kept)
    assert activation.derivative(A, A) is A
    np.testing.assert_array_equal(A, expected)
