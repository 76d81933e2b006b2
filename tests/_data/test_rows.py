"""Sums over blocks, maps, mini-batches: the same whatever the blocks and threads."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import ThreadpoolController, threadpool_limits

import sklearn_twolayer._data.rows as rows_module
from sklearn_twolayer._data.rows import (
    SINGLE_THREADED_BLAS,
    Rows,
    block_size,
    on_one_thread,
    unit_of_weights,
)
from sklearn_twolayer._network.scale import Standardization

N_ROWS = 103
KINDS = pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
BLOCK_SIZES = pytest.mark.parametrize("block_size", [1, 7, 50, N_ROWS, 1000])
THREADS = pytest.mark.parametrize("n_threads", [1, 2, 5])


def random_rows(is_sparse=False, *, block_size=10, is_weighted=True, standardization=None):
    """Rows, and what they must hand out: [X 1], y and weight as dense arrays."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 3)) * (rng.uniform(size=(N_ROWS, 3)) < 0.6)
    y = rng.normal(size=(N_ROWS, 2))
    weight = rng.uniform(0.2, 2, size=N_ROWS) if is_weighted else None
    rows = Rows(
        sparse.csr_array(X) if is_sparse else X,
        y,
        weight,
        standardization=standardization,
        dtype=np.float64,
        block_size=block_size,
    )
    return rows, np.column_stack([X, np.ones(N_ROWS)]), y, weight


def dense(X):
    return X.toarray() if sparse.issparse(X) else X.copy()


def products(X, y, weight):
    """Some sums over a block: a number, a vector and a matrix."""
    X = dense(X)
    return weight.sum(), weight @ X, X.T @ y


@KINDS
@BLOCK_SIZES
@THREADS
def test_sum(n_threads, block_size, is_sparse, set_threads):
    set_threads(n_threads)
    rows, X1, y, weight = random_rows(is_sparse, block_size=block_size)
    with rows:
        found = rows.sum(products)
    for part, expected in zip(found, products(X1, y, weight), strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-12, atol=1e-13)


@KINDS
@BLOCK_SIZES
@THREADS
def test_map(n_threads, block_size, is_sparse, set_threads):
    set_threads(n_threads)
    rows, X1, y, weight = random_rows(is_sparse, block_size=block_size)
    with rows:
        found = rows.map(lambda X, y, weight: np.column_stack([dense(X), y, weight]))
    np.testing.assert_array_equal(found, np.column_stack([X1, y, weight]))


def layer_products(X, y, weight):
    """Of a hidden layer A1: the sums of w A1' y, and of the matrix A1' A1."""
    A1 = np.tanh(X @ np.linspace(-1, 1, 20).reshape(4, 5))
    return weight.sum(), A1.T @ (weight[:, None] * y), A1.T @ A1


@KINDS
def test_number_of_threads_changes_no_bit(is_sparse, set_threads):
    results = []
    for n_threads in (1, 2, 3, 16):
        set_threads(n_threads)
        rows, *_ = random_rows(is_sparse, block_size=9)
        with rows:
            layer = rows.map(lambda X, y, weight: np.tanh(X @ np.ones((4, 3))))
            results.append([*rows.sum(layer_products), layer])
    for other in results[1:]:
        for found, expected in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(found, expected)


@KINDS
def test_block_size_changes_rounding_only(is_sparse):
    with random_rows(is_sparse, block_size=N_ROWS)[0] as rows:
        expected = rows.sum(layer_products)
    for size in (1, 7, 30, 59):
        with random_rows(is_sparse, block_size=size)[0] as rows:
            found = rows.sum(layer_products)
        for part, whole in zip(found, expected, strict=True):
            np.testing.assert_allclose(part, whole, rtol=1e-12, atol=1e-13)


def test_blocks_are_standardised_as_they_are_read():
    standardization = Standardization(
        np.array([1.0, 2, 3]), np.array([2.0, 4, 8]), np.zeros(2), np.ones(2)
    )
    rows, X1, _, _ = random_rows(standardization=standardization)
    kept = rows.X.copy()
    with rows:
        found = rows.map(lambda X, y, weight: dense(X))
    np.testing.assert_allclose(found[:, :-1], (X1[:, :-1] - [1, 2, 3]) / [2, 4, 8])
    np.testing.assert_array_equal(found[:, -1], 1)
    np.testing.assert_array_equal(rows.X, kept)


@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
def test_column_of_ones_of_sparse_blocks(index_dtype):
    """Also where rows are empty, first, last and side by side."""
    X = sparse.csr_array(np.array([[0, 0], [1, 0], [0, 0], [0, 0], [0, 2.0], [0, 0]]))
    X.indices, X.indptr = X.indices.astype(index_dtype), X.indptr.astype(index_dtype)
    rows = Rows(X, None, None, standardization=None, dtype=np.float32, block_size=2)
    found = rows.map(lambda X, y, weight: dense(X))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.column_stack([X.toarray(), np.ones(6)]))


@KINDS
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("is_shuffled", [False, True])
@pytest.mark.parametrize("batch_size", [1, 4, 10, 25, N_ROWS, 1000])
def test_batches_partition_the_rows(batch_size, is_shuffled, is_weighted, is_sparse):
    rows, X1, y, weight = random_rows(is_sparse, is_weighted=is_weighted)
    random_state = np.random.RandomState(1) if is_shuffled else None
    order = np.random.RandomState(1).permutation(N_ROWS) if is_shuffled else np.arange(N_ROWS)
    with rows:
        batches = [
            (dense(X), y.copy(), None if weight is None else weight.copy())
            for X, y, weight in rows.batches(batch_size, random_state)
        ]
    sizes = [len(X) for X, _, _ in batches]
    assert all(size == min(batch_size, N_ROWS) for size in sizes[:-1])
    assert sizes[-1] == (N_ROWS % batch_size or batch_size)
    np.testing.assert_array_equal(np.concatenate([X for X, _, _ in batches]), X1[order])
    np.testing.assert_array_equal(np.concatenate([y for _, y, _ in batches]), y[order])
    if is_weighted:
        found = np.concatenate([weight for _, _, weight in batches])
        np.testing.assert_array_equal(found, weight[order])
    else:
        assert all(weight is None for _, _, weight in batches)


@pytest.mark.parametrize(("block_size", "expected"), [(2 * N_ROWS, []), (60, [2]), (10, [4])])
def test_thread_pool(block_size, expected, set_threads, monkeypatch):
    """None for one block, and never more threads than blocks."""
    made = []

    class Watched(ThreadPoolExecutor):
        def __init__(self, max_workers):
            made.append(max_workers)
            super().__init__(max_workers)

    set_threads(4)
    monkeypatch.setattr(rows_module, "ThreadPoolExecutor", Watched)
    rows, *_ = random_rows(block_size=block_size)
    with rows:
        rows.sum(products)
        rows.map(lambda X, y, weight: y)
    assert made == expected


def test_sum_is_not_a_view_of_the_blocks():
    """A block function may hand out an array that it will use again."""
    rows, _, y, _ = random_rows(block_size=10)
    buffer = np.empty(2)
    with rows:
        (found,) = rows.sum(lambda X, y, weight: (y.sum(axis=0, out=buffer),))
    np.testing.assert_allclose(found, y.sum(axis=0), rtol=1e-12, atol=1e-13)


def test_rows_start_no_threads_within_a_scheduler_of_its_own(set_threads, monkeypatch):
    set_threads(4)
    monkeypatch.setattr(rows_module, "ThreadPoolExecutor", None)
    rows, _, y, _ = random_rows(block_size=10)
    with on_one_thread(), rows:
        np.testing.assert_allclose(rows.sum(lambda X, y, weight: (y.sum(),)), [y.sum()])


def blas_threads():
    """Threads of each BLAS in this process."""
    libraries = ThreadpoolController().select(user_api="blas").info()
    return [library["num_threads"] for library in libraries]


def test_blas_has_one_thread_while_blocks_run():
    rows, *_ = random_rows()
    with threadpool_limits(limits=2, user_api="blas"):
        before = blas_threads()
        with rows:
            assert set(blas_threads()) <= {1}
            with SINGLE_THREADED_BLAS:
                assert set(blas_threads()) <= {1}
            assert set(blas_threads()) <= {1}
        assert blas_threads() == before


@THREADS
@pytest.mark.parametrize("method", ["sum", "map"])
def test_exception_in_a_block_propagates(method, n_threads, set_threads):
    """And leaves the thread limits of BLAS as they were."""
    set_threads(n_threads)
    rows, _, y, _ = random_rows()

    def fail_in_the_last_block(X, y_block, weight):
        if y_block[-1, 0] == y[-1, 0]:
            raise RuntimeError("from a block")
        return (y_block.sum(),) if method == "sum" else y_block

    with threadpool_limits(limits=2, user_api="blas"):
        before = blas_threads()
        with pytest.raises(RuntimeError, match="from a block"), rows:
            getattr(rows, method)(fail_in_the_last_block)
        assert blas_threads() == before
    with rows:
        assert rows.sum(lambda X, y, weight: (len(y),)) == [N_ROWS]


def test_total_weight():
    assert random_rows(is_weighted=False)[0].total_weight == N_ROWS
    rows, _, _, weight = random_rows()
    assert rows.total_weight == pytest.approx(weight.sum(), rel=1e-15)


def test_extreme_weights_are_handed_out_in_a_unit():
    for exponent in (-100, 0, 100):
        rows, _, _, weight = random_rows()
        extreme = Rows(
            rows.X,
            rows.y,
            weight * 2.0**exponent,
            standardization=None,
            dtype=np.float32,
            block_size=10,
        )
        unit = unit_of_weights(weight * 2.0**exponent)
        assert extreme.weight_unit == unit
        assert (unit == 1) == (exponent == 0)
        np.testing.assert_allclose(
            extreme.weight.astype(float) * unit, weight * 2.0**exponent, rtol=1e-6
        )
        assert extreme.total_weight == pytest.approx(weight.sum() * 2.0**exponent, rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [1, 100, 10**3, 10**6])
def test_block_size(width, dtype):
    """Whole units of rows, whose widest array has about 1 MiB, within bounds."""
    n_rows = block_size(width, dtype)
    row_bytes = width * np.dtype(dtype).itemsize
    assert n_rows % 128 == 0
    assert 128 <= n_rows <= 2**15
    assert n_rows in (128, 2**15) or 0 <= 2**20 - n_rows * row_bytes < 128 * row_bytes


@pytest.mark.parametrize("n_rows", [1, 2, 100, 1000, 1001, 5000, 99_999])
@pytest.mark.parametrize("block_size", [1, 128, 1000])
def test_blocks_partition_the_rows(block_size, n_rows):
    """Blocks of about the size asked for, the same number in each lane."""
    X = np.empty((n_rows, 1))
    rows = Rows(X, None, None, standardization=None, dtype=float, block_size=block_size)
    blocks = rows._blocks
    assert blocks[0].start == 0
    assert blocks[-1].stop == n_rows
    assert all(one.stop == two.start for one, two in itertools.pairwise(blocks))
    sizes = [block.stop - block.start for block in blocks]
    assert all(size == sizes[0] for size in sizes[:-1])
    assert 1 <= sizes[-1] <= sizes[0] <= max(2 * block_size, 1)
