"""Functions of Dask collections, block by block where the blocks are, when they are asked for."""

from functools import partial

from sklearn_twolayer._data.partitions import one_row, whole_rows
from sklearn_twolayer._data.rows import on_one_thread


def map_collection(X, function, n_features):
    """The Dask array of ``function(block)`` over the partitions of X, not yet computed.

    What the rows of the result look like is found on a row of zeros. The function is sent
    along with each block; blocks without rows do not call it.

    Parameters
    ----------
    X : Dask array or data frame
    function : callable
        ``function(block)`` (n, ...) of a block (n, f), an array or a data frame.
    n_features : int
        Columns f of an array X, which may not know them itself.
    """
    X = whole_rows(X)
    one = function(one_row(X, n_features, getattr(X, "dtype", float)))
    block = partial(_of_block, function, one[:0])
    if hasattr(X, "map_partitions"):
        return X.map_partitions(block, meta=one[:0])
    return X.map_blocks(
        block,
        dtype=one.dtype,
        chunks=(X.chunks[0], *((width,) for width in one.shape[1:])),
        meta=one[:0],
        drop_axis=1,
        new_axis=list(range(1, one.ndim)),
    )


def _of_block(function, nothing, X):
    if X.shape[0] == 0:
        return nothing
    with on_one_thread():
        return function(X)
