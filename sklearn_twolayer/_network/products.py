"""Products of matrices and the memory for them: every trick for speed lives here.

BLAS kernels that suit blocks of rows, arrays that a thread uses again for block after
block, and a gradient of networks with one output that never forms d1 (n, h). And an order of rows
that does not depend on theirs.
"""

import threading
from math import prod

import numpy as np

from sklearn_twolayer._network.activations import ACTIVATIONS

#: Bytes of the widest (rows, width) array of a block. Larger ones leave the second-level cache:
#: gradients of 4 MiB blocks took 1.1 to 1.2 times as long. In smaller ones threads wait for the
#: interpreter lock more than they compute.
BLOCK_BYTES = 2**20
#: Multiply-adds of a product for which OpenBLAS has a kernel that copies no matrix first, and
#: takes two thirds of the time.
SMALL_PRODUCT = 10**6


class Workspace(threading.local):
    """``workspace(name, shape, dtype)`` is ``np.empty``, without the allocation.

    The array keeps its memory until the same name is asked for again in the
    same thread, so a caller may use it until then and must not hand it on to
    someone who keeps it. A copy or a pickle of a workspace starts empty.
    """

    def __init__(self):
        self._memory = {}
        self._arrays = {}

    def __call__(self, name, shape, dtype):
        array = self._arrays.get((name, dtype))
        if array is None or array.shape != shape:
            size, memory = prod(shape), self._memory.get((name, dtype))
            if memory is None or memory.size < size:
                memory = self._memory[name, dtype] = np.empty(size, dtype)
            array = self._arrays[name, dtype] = memory[:size].reshape(shape)
        return array

    def __reduce__(self):
        return Workspace, ()


def dense(X):
    """The block X, dense or sparse, as a dense one."""
    return X if isinstance(X, np.ndarray) else X.toarray()


def positions(X, mean, scale):
    """Where rows (n,) are along a random direction of (X - mean) / scale: the same for copies."""
    with np.errstate(over="ignore", invalid="ignore"):
        direction = np.random.RandomState(0).normal(size=X.shape[1]) / scale
        if not isinstance(X, np.ndarray):
            return X.sorted_indices() @ direction
        return ((X - mean) * direction).sum(axis=1)  # of the same bits, wherever a row stands


def positions_in_span(X):
    """Those of columns as they are between their least and greatest value: constants tell nothing.

    Nor does their size, in which the others would be lost to rounding. Sparse ones are not moved.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        least, span = X.min(axis=0), X.max(axis=0) - X.min(axis=0)
    if not isinstance(X, np.ndarray):
        least, span = 0.0, span.toarray().ravel()
    return positions(X, least, np.where(span > 0, span, np.inf))


def sorted_rows(X, y):
    """An order (n,) of the rows of X and y (n, k), whatever theirs was, and where another begins.

    Along a random direction, which takes one pass; rows that are too near for rounding to tell them
    apart there, as beside a far outlier, by their columns.
    """
    keys = np.nan_to_num([positions_in_span(X), positions_in_span(y)])
    order = np.lexsort(keys)
    is_new, are_near = _differ(X[order], y[order]), np.zeros(len(y), bool)
    are_near[1:] = (np.diff(keys[:, order]) == 0).all(axis=0)
    if (are_near & is_new).any():
        near = np.flatnonzero(are_near | np.append(are_near[1:], False))
        rows = order[near]
        order[near] = rows[np.lexsort((*dense(X[rows]).T, *y[rows].T, *keys[:, rows]))]
        is_new = _differ(X[order], y[order])
    return order, is_new


def _differ(X, y):
    """Whether each row (n,) differs from the one before."""
    differ = np.ones(len(y), bool)
    differ[1:] = np.asarray((X[1:] != X[:-1]).sum(axis=1)).ravel() > 0
    differ[1:] |= (y[1:] != y[:-1]).any(axis=1)
    return differ


def inner_products(A, weight):
    """sum_i s_i a_i a_i' (k, k) over the rows of A (n, k); s_i is 1 without a weight (n,)."""
    return A.T @ (A if weight is None else A * weight[:, None])


def pairs_of_columns(X):
    """The products x_a x_b (m (m + 1) / 2, n) of columns a <= b of X (n, m), rows innermost.

    And the number (m, m) of that of each a and b.
    """
    (n, m), Xt = X.shape, np.ascontiguousarray(X.T)
    products, numbers, done = np.empty((m * (m + 1) // 2, n), X.dtype), np.empty((m, m), int), 0
    for a in range(m):
        np.multiply(Xt[a], Xt[a:], out=products[done : done + m - a])
        numbers[a, a:] = numbers[a:, a] = range(done, done + m - a)
        done += m - a
    return products, numbers


def outer_products(X, M, pairs=None):
    """sum_n x_n x_n' M_nj (m, m, j) of the rows of X (n, m), by ``pairs_of_columns(X)`` if given.

    These take half of the multiplications, as x_n x_n' is symmetric.
    """
    if pairs is not None:
        products, numbers = pairs
        return (products @ M)[numbers]
    (n, m), j = X.shape, M.shape[1]
    weighted = X[:, None, :] * M[:, :, None]
    return (X.T @ weighted.reshape(n, -1)).reshape(m, j, m).transpose(0, 2, 1)


def product(X, W, out):
    """``out[:] = X @ W`` for dense and for sparse X."""
    if not isinstance(X, np.ndarray):
        out[...] = X @ W
        return out
    if X.shape[1] == 1:
        return np.multiply(X, W, out=out)  # a third of the time of BLAS
    if len(X) * W.size <= SMALL_PRODUCT:
        return np.matmul(X, W, out=out)
    m = _rows_of_small_product(len(X), W.size)
    stacked = len(X) - len(X) % m
    if m == len(X):
        return np.matmul(X, W, out=out)
    np.matmul(_stack(X[:stacked], m), W, out=_stack(out[:stacked], m))
    if stacked < len(X):
        np.matmul(X[stacked:], W, out=out[stacked:])
    return out


def product_over_rows(X, D, out, workspace):
    """``out[:] = X.T @ D``, a sum over the rows, for dense and for sparse X."""
    n, f = X.shape
    is_small = n * out.size <= SMALL_PRODUCT or not isinstance(X, np.ndarray)
    m = n if is_small else _rows_of_small_product(n, out.size)
    if m == n or f > m:
        out[...] = X.T @ D
        return
    stacked = n - n % m
    products = workspace("products", (n // m, *out.shape), out.dtype)
    np.matmul(_stack(X[:stacked], m).transpose(0, 2, 1), _stack(D[:stacked], m), out=products)
    products.sum(axis=0, out=out)
    if stacked < n:
        out += X[stacked:].T @ D[stacked:]


def _rows_of_small_product(n, multiply_adds_of_a_row):
    """Return how many of n rows to multiply at once: as many as BLAS has a kernel for, or all.

    ``matmul`` of a stack of small products is still one call.
    """
    for m in (128, 64, 32):
        if m * multiply_adds_of_a_row <= SMALL_PRODUCT:
            return min(m, n)
    return n


def _stack(X, m):
    """The view (n / m, m, columns) of the n rows X."""
    return X.reshape(-1, m, X.shape[1])


def one_output_gradient(params, X, A1, delta, *, network):
    """Return what ``network.backward`` does, for dense X and one output, without d1 (n, h).

    X' d1 = X' ((delta W2') * g'(Z1)) = ((X * delta)' g'(Z1)) * W2', whose last row is db1, as
    X is [X 1]: with f < h this takes two thirds of the time. Overwrites A1; the gradient is in
    the workspace.
    """
    _, _, W2, _ = network.unpack(params)
    gradient = network.workspace("gradient", params.shape, params.dtype)
    _, _, dW2, db2 = network.unpack(gradient)
    product_over_rows(A1, delta, dW2, network.workspace)
    delta.sum(axis=0, out=db2)
    weighted = np.multiply(X, delta, out=network.workspace("X delta", X.shape, X.dtype))
    slope = ACTIVATIONS[network.activation].derivative(A1, out=A1)
    first = network.first_layer(gradient)
    product_over_rows(weighted, slope, first, network.workspace)
    first *= W2.T
    return gradient
