"""Arrays that a thread uses again, stacked products, and the gradient of one output."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sklearn_twolayer._network.activations import ACTIVATIONS
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.products import (
    Workspace,
    one_output_gradient,
    outer_products,
    pairs_of_columns,
    product,
    product_over_rows,
)


def test_memory_is_used_again():
    workspace = Workspace()
    first = workspace("A1", (4, 3), np.float64)
    second = workspace("A1", (2, 5), np.float64)
    assert first.shape == (4, 3)
    assert second.shape == (2, 5)
    assert first.dtype == second.dtype == np.float64
    assert np.shares_memory(first, second)


def test_memory_grows():
    workspace = Workspace()
    small = workspace("A1", (2, 2), np.float64)
    large = workspace("A1", (5, 5), np.float64)
    assert large.shape == (5, 5)
    assert not np.shares_memory(small, large)
    assert np.shares_memory(large, workspace("A1", (2, 2), np.float64))


def test_names_and_dtypes_are_apart():
    workspace = Workspace()
    array = workspace("A1", (4, 3), np.float64)
    assert not np.shares_memory(array, workspace("d1", (4, 3), np.float64))
    single = workspace("A1", (4, 3), np.float32)
    assert single.dtype == np.float32
    assert not np.shares_memory(array, single)


def test_threads_are_apart():
    workspace = Workspace()
    here = workspace("A1", (4, 3), np.float64)
    with ThreadPoolExecutor(1) as executor:
        there = executor.submit(workspace, "A1", (4, 3), np.float64).result()
    assert not np.shares_memory(here, there)


def test_copies_start_empty():
    workspace = Workspace()
    array = workspace("A1", (100, 100), np.float64)
    assert len(pickle.dumps(workspace)) < 200
    for twin in (pickle.loads(pickle.dumps(workspace)), copy.deepcopy(workspace)):
        assert not np.shares_memory(array, twin("A1", (100, 100), np.float64))


@pytest.mark.parametrize("h", [1, 7, 100, 900])
@pytest.mark.parametrize("n", [1, 31, 128, 129, 1000, 4096])
def test_stacked_products(n, h):
    """Products in stacks, with and without remainders, are the products."""
    rng = np.random.default_rng(0)
    X, W, D = rng.normal(size=(n, 33)), rng.normal(size=(33, h)), rng.normal(size=(n, h))
    found = product(X, W, out=np.full((n, h), np.nan))
    np.testing.assert_allclose(found, X @ W, rtol=1e-12, atol=1e-12)
    found = np.full((33, h), np.nan)
    product_over_rows(X, D, found, Workspace())
    np.testing.assert_allclose(found, X.T @ D, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("m", [1, 2, 7])
def test_outer_products_are_the_same_by_pairs_of_columns(m):
    rng = np.random.default_rng(0)
    X, M = rng.normal(size=(11, m)), rng.normal(size=(11, 3))
    pairs, numbers = pairs_of_columns(X)
    for a, b in np.ndindex(m, m):
        np.testing.assert_array_equal(pairs[numbers[a, b]], X[:, a] * X[:, b])
    expected = np.einsum("na,nb,nj->abj", X, X, M)
    np.testing.assert_allclose(outer_products(X, M), expected, atol=1e-13)
    np.testing.assert_allclose(outer_products(X, M, (pairs, numbers)), expected, atol=1e-13)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize(("n", "f", "h"), [(1, 3, 4), (50, 3, 20), (50, 20, 3), (4096, 20, 100)])
def test_gradient_of_one_output_is_backward(n, f, h, dtype, tolerance, activation):
    rng = np.random.default_rng(0)
    network = TwoLayerNetwork(f, h, 1, activation)
    params = rng.normal(size=network.n_params).astype(dtype)
    X = np.column_stack([rng.normal(size=(n, f)), np.ones(n)]).astype(dtype)
    delta = rng.normal(size=(n, 1)).astype(dtype)
    _, A1 = network.forward(params, X)
    expected = network.backward(params, X, A1.copy(), delta).copy()
    found = one_output_gradient(params, X, A1, delta, network=network)
    assert found.dtype == dtype
    for part, reference in zip(network.unpack(found), network.unpack(expected)):
        atol = tolerance * np.abs(reference).max()
        np.testing.assert_allclose(part, reference, rtol=0, atol=atol)
