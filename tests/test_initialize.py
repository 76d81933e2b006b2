"""Starting weights."""

import numpy as np
import pytest
from sklearn.utils import check_random_state

from sklearn_twolayer._activations import ACTIVATIONS
from sklearn_twolayer._initialize import initial_weights
from sklearn_twolayer._network import TwoLayerNetwork

X = np.random.default_rng(0).normal(size=(400, 30))
CONSTANT = np.array([3.0, -1.0])


def start(activation, seed=0, n_hidden=500):
    """W1, b1, W2, b2 of a start."""
    return initial_weights(check_random_state(seed), X.shape[1], n_hidden, activation, CONSTANT)


def raw_prediction(activation, W1, b1, W2, b2):
    """Z2 of the rows X."""
    network = TwoLayerNetwork(*W1.shape, W2.shape[1], activation)
    params = network.pack([W1, W2], [b1, b2], float)
    return network.forward(params, np.column_stack([X, np.ones(len(X))]))[0]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_shapes_and_reproducibility(activation):
    weights = start(activation)
    assert [part.shape for part in weights] == [(30, 500), (500,), (500, 2), (2,)]
    for part, again in zip(weights, start(activation)):
        np.testing.assert_array_equal(part, again)
    assert not np.array_equal(weights[0], start(activation, seed=1)[0])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_hidden_inputs_are_of_order_one(activation):
    """Variance of x W1: 1/4 for standardised x, 1/2 for half-flat units, 1 for logistic."""
    W1 = start(activation)[0]
    expected = {"logistic": 1, "relu": 0.5, "softplus": 0.5}.get(activation, 0.25)
    assert np.var(X @ W1) == pytest.approx(expected, rel=0.05)


def test_logistic_starts_where_tanh_starts():
    """The same random numbers give the same function."""
    found = raw_prediction("logistic", *start("logistic"))
    np.testing.assert_allclose(found, raw_prediction("tanh", *start("tanh")), rtol=1e-12)


@pytest.mark.parametrize("activation", ["logistic", "tanh", "identity"])
def test_starts_near_the_constant(activation):
    Z2 = np.array([raw_prediction(activation, *start(activation, seed)) for seed in range(30)])
    np.testing.assert_allclose(Z2.mean(axis=(0, 1)), CONSTANT, atol=0.1)
    assert Z2.std() < 2.5


def test_constant_is_not_shared():
    """Training overwrites b2, not the caller's constant."""
    assert not np.shares_memory(start("tanh")[3], CONSTANT)
