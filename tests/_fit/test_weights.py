"""Starting weights, weights as they are published, and weights to go on from."""

import numpy as np
import pytest
from sklearn.utils import check_random_state

from sklearn_twolayer._fit.results import are_equal, published_weights
from sklearn_twolayer._fit.run import member_states
from sklearn_twolayer._fit.weights import (
    Resume,
    WarmStart,
    initial_weights,
    random_state_of_stream,
)
from sklearn_twolayer._network.activations import ACTIVATIONS
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.scale import Standardization
from sklearn_twolayer._optimize.stochastic import StochasticState

X = np.random.default_rng(0).normal(size=(400, 30))
CONSTANT = np.array([3.0, -1.0])


def start(activation, seed=0, n_hidden=500):
    """W1, b1, W2, b2 of a start."""
    network = TwoLayerNetwork(X.shape[1], n_hidden, len(CONSTANT), activation)
    return network.unpack(initial_weights(check_random_state(seed), network, CONSTANT))


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


def test_constant_inputs_and_outputs_start_without_weights_and_the_others_as_they_would():
    network = TwoLayerNetwork(30, 5, 2, "tanh")
    inputs, outputs = np.arange(30) % 10 == 3, (False, True)
    every = network.unpack(initial_weights(check_random_state(0), network, CONSTANT))
    found = network.unpack(
        initial_weights(check_random_state(0), network, CONSTANT, is_constant=(inputs, outputs))
    )
    assert not found[0][inputs].any()
    assert not found[2][:, 1].any()
    np.testing.assert_array_equal(found[0][~inputs], every[0][~inputs])
    np.testing.assert_array_equal(found[2][:, 0], every[2][:, 0])
    for bias, same in zip(found[1::2], every[1::2]):
        np.testing.assert_array_equal(bias, same)


def test_a_steep_start_is_steeper_in_the_whole_first_layer():
    """By h^(1/f) / 5, so that units bend where they would: elsewhere inputs have none of them."""
    network = TwoLayerNetwork(2, 400, 2, "tanh")
    flat, steep = (
        network.unpack(initial_weights(check_random_state(0), network, CONSTANT, is_steep=is_steep))
        for is_steep in (False, True)
    )
    for found, expected, factor in zip(steep, flat, (4, 4, 1, 1)):
        np.testing.assert_allclose(found, factor * expected, rtol=1e-12)


def a_fold(n_members=1, seed=0):
    """A standardisation, a network, and the weights of some members."""
    random = np.random.RandomState(seed)
    moments = random.normal(size=3), random.uniform(1, 2, 3), [5.0, -5.0], [2.0, 0.5]
    scale = Standardization(*map(np.array, moments))
    network = TwoLayerNetwork(3, 4, 2, "tanh")
    return scale, network, [random.normal(size=network.n_params) for _ in range(n_members)]


def test_the_first_member_is_the_single_network_and_the_others_do_not_touch_its_numbers():
    random_state = check_random_state(0)
    first, *others = member_states(random_state, 4)
    assert first is random_state
    assert first.normal() == check_random_state(0).normal()
    _, *few = member_states(check_random_state(0), 3)
    assert [state.normal() for state in few] == [state.normal() for state in others[:2]]


def test_published_weights_predict_in_the_units_of_the_user():
    scale, network, [params] = a_fold()
    coefs, intercepts = published_weights(scale, network, [params], np.float32)
    assert {array.dtype for array in coefs + intercepts} == {np.dtype(np.float32)}
    x = np.random.RandomState(1).normal(size=(5, 3))
    standardised = np.column_stack([(x - scale.mean) / scale.scale, np.ones(5)])
    expected = network.forward(params, standardised)[0] * scale.y_scale + scale.y_mean
    found = np.tanh(x @ coefs[0] + intercepts[0]) @ coefs[1] + intercepts[1]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_folded_members_predict_their_mean():
    scale, network, members = a_fold(n_members=3)
    (W1, W2), (b1, b2) = published_weights(scale, network, members, np.float64)
    assert W1.shape == (3, 12)
    x = np.random.RandomState(1).normal(size=(5, 3))
    each = [published_weights(scale, network, [params], np.float64) for params in members]
    alone = [np.tanh(x @ U1 + a1) @ U2 + a2 for (U1, U2), (a1, a2) in each]
    np.testing.assert_allclose(np.tanh(x @ W1 + b1) @ W2 + b2, np.mean(alone, axis=0), rtol=1e-12)


def test_one_folded_member_is_the_published_network():
    scale, network, members = a_fold()
    alone = scale.fold(*network.unpack(members[0]))
    folded = published_weights(scale, network, members, np.float64)
    assert are_equal(folded, alone)
    folded[1][1][0] += 1
    assert not are_equal(folded, alone)


def test_a_warm_start_goes_on_from_the_published_weights():
    scale, network, [params] = a_fold()
    start = WarmStart(*published_weights(scale, network, [params], np.float64))
    np.testing.assert_allclose(start.params(network, scale), params, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("is_stream", "message"),
    [(False, "warm_start cannot go on from"), (True, "partial_fit cannot go on from")],
)
def test_a_warm_start_refuses_a_network_of_other_shapes(is_stream, message):
    scale, network, [params] = a_fold()
    start = WarmStart(*published_weights(scale, network, [params], np.float64))
    with pytest.raises(ValueError, match=f"{message}.*n_hidden=7"):
        start.params(TwoLayerNetwork(3, 7, 2, "tanh"), scale, is_stream=is_stream)


def attributes(coefs=None, intercepts=None):
    """Those of an estimator with weights of a network, or with others."""
    W1, W2, b1, b2 = np.ones((3, 4)), np.ones((4, 2)), np.zeros(4), np.zeros(2)
    return {"coefs_": coefs or [W1, W2], "intercepts_": intercepts or [b1, b2]}


def test_a_warm_start_takes_what_passes_for_arrays():
    start = WarmStart.of(attributes([np.ones((3, 4)).tolist(), np.ones((4, 2), int)]), None)
    assert [W.dtype for W in start.coefs] == [np.float64, np.float64]
    start = WarmStart.of(attributes([W.astype(np.float32) for W in start.coefs]), None)
    assert [W.dtype for W in start.coefs] == [np.float32, np.float32]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"coefs": [np.ones((3, 4))]}, r"shapes \[\(3, 4\), \(4,\), \(2,\)\].* W1 \(f, h\)"),
        ({"coefs": [np.ones((3, 4)), np.ones((5, 2))]}, "have shapes"),
        ({"coefs": [np.ones((3, 4)), np.ones(4)]}, "have shapes"),
        ({"intercepts": [np.ones(3), np.ones(2)]}, "have shapes"),
        ({"intercepts": [np.ones(4), np.ones(1)]}, "have shapes"),
        ({"coefs": [np.full((3, 4), np.nan), np.ones((4, 2))]}, "hold nan or infinity"),
        ({"intercepts": [np.zeros(4), np.array([0, np.inf])]}, "hold nan or infinity"),
    ],
)
def test_a_warm_start_refuses_what_is_no_network(weights, message):
    with pytest.raises(ValueError, match=message):
        WarmStart.of(attributes(**weights), None)


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_solver_goes_on_with_its_own_state_only(is_stream):
    state = StochasticState(np.zeros(2), np.zeros(2), rule_state="moments")
    start = WarmStart([], [], resume=Resume("adam", state, np.random.RandomState(0)))
    assert start.state("adam", is_stream=is_stream) is state
    other = start.state("sgd", is_stream=is_stream)
    assert other is None if not is_stream else other.rule_state is None
    assert WarmStart([], []).state("adam", is_stream=is_stream) is None
    assert WarmStart([], [], resume=Resume("adam")).state("adam", is_stream=is_stream) is None


def test_a_stream_goes_on_with_its_own_numbers_and_leaves_them_as_they_are():
    numbers = check_random_state(3)
    start = WarmStart([], [], resume=Resume("adam", None, numbers))
    found = random_state_of_stream(start, 0)
    assert found is not numbers
    assert found.normal() == check_random_state(3).normal() == numbers.normal()
    for first in (None, WarmStart([], []), WarmStart([], [], resume=Resume("adam"))):
        assert random_state_of_stream(first, 0).normal() == check_random_state(0).normal()
    assert random_state_of_stream(None, numbers) is numbers


def test_a_fit_before_is_no_stream_to_go_on_with():
    state = StochasticState(np.zeros(2), np.zeros(2))
    start = WarmStart([], [], resume=Resume("adam", state))
    assert start.state("adam") is state
    assert start.state("adam", is_stream=True) is None
