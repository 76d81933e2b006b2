"""Rows in the partitions of a Dask collection: one map over partitions, and a tree sum.

Under a ``distributed.Client`` the partitions stay on the workers, which read, validate
and encode them once. Dask's local schedulers read them anew for each evaluation, so that
no more of them are in memory than threads work on.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sklearn_twolayer._rows._threads import SINGLE_THREADED_BLAS, on_one_thread


class DaskRows:
    """The rows of many partitions, with the interface of ``Rows``.

    Parameters
    ----------
    partitions : Partitions
        Of tables, none of them empty.
    make_rows : callable
        ``make_rows(table) -> Rows``.
    head : Rows
        The first row.
    counts : list of int
        Rows in each partition.
    total_weight, weight_unit : float
        S, which counts as n if that is more, and the unit in which the blocks hand out
        weights.
    """

    def __init__(self, partitions, make_rows, head, *, counts, total_weight, weight_unit):
        self._partitions = partitions
        self._make_rows = make_rows
        self._counts = counts
        self.n_rows = sum(counts)
        self.total_weight = max(float(total_weight), float(self.n_rows))
        self.weight_of_blocks = float(total_weight) / weight_unit
        self.first_row = head.first_row
        self.first_target = None if head.y is None else head.first_target
        self.standardization = head.standardization
        self.dtype = head.dtype
        self.is_sparse = head.is_sparse

    def __enter__(self):
        SINGLE_THREADED_BLAS.__enter__()
        return self

    def __exit__(self, *exception):
        SINGLE_THREADED_BLAS.__exit__(*exception)

    def sum(self, block_function):
        """Sum ``block_function(X, y, weight) -> tuple`` over the blocks of all partitions."""
        return self._partitions.sum(_sum, self._make_rows, block_function)

    def map(self, block_function):
        """Stack the arrays ``block_function(X, y, weight)`` of all blocks, here."""
        return np.concatenate(self._partitions.collect(_map, self._make_rows, block_function))

    def n_batches(self, batch_size):
        """How many mini-batches ``batches`` yields; none spans two partitions."""
        return sum(-(-count // batch_size) for count in self._counts)

    def permutation(self, random_state):
        """A random order of the partitions, with a seed for the rows of each."""
        order = random_state.permutation(len(self._partitions))
        return list(zip(order, random_state.randint(np.iinfo(np.int32).max, size=len(order))))

    def batches(self, batch_size, permutation=None):
        """Yield (X, y, weight) of mini-batches, partition after partition.

        While one is learnt here, the next is read.
        """
        if permutation is None:
            permutation = [(index, None) for index in range(len(self._partitions))]
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._partitions.__getitem__, permutation[0][0])
            for number, (_, seed) in enumerate(permutation, 1):
                rows = self._make_rows(coming.result())
                if number < len(permutation):
                    coming = reader.submit(self._partitions.__getitem__, permutation[number][0])
                order = None if seed is None else rows.permutation(np.random.RandomState(seed))
                yield from rows.batches(batch_size, order)


def _sum(table, make_rows, block_function):
    with on_one_thread():
        return make_rows(table).sum(block_function)


def _map(table, make_rows, block_function):
    with on_one_thread():
        return make_rows(table).map(block_function)
