"""The data of a fit, validated and encoded: in memory, or block by block on a cluster.

``Table`` holds rows in memory; ``DaskTable`` has the same interface over the partitions
of a Dask collection, each of them a ``Table``. A fit asks a table for its counts, its
encoding and its rows, and never touches X itself.
"""

from sklearn_twolayer._rows import is_collection
from sklearn_twolayer._table._dask import for_workers, read_collection
from sklearn_twolayer._table._memory import Table, read_arrays

__all__ = ["Table", "for_workers", "read_table"]


def read_table(estimator, X, y, sample_weight, *, reset):
    """Validate rows for ``estimator``: with ``reset``, it learns the columns of X.

    Returns
    -------
    Table or DaskTable

    Raises
    ------
    ValueError
        If X, y or the weights have no meaning.
    """
    read = read_collection if is_collection(X, y, sample_weight) else read_arrays
    return read(estimator, X, y, sample_weight, reset=reset)
