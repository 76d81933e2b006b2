"""Rows in the partitions of a Dask collection: one map over partitions, and a tree sum.

Under a ``distributed.Client`` the partitions stay on the workers, which read, validate
and encode them once. Dask's local schedulers read them anew for each evaluation, so that
no more of them are in memory than threads work on.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from numbers import Number

import numpy as np

from sklearn_twolayer._rows._memory import SINGLE_THREADED_BLAS, on_one_thread

#: Partial sums that one task of the tree adds up.
FAN_IN = 8


def is_collection(*arrays):
    """Whether one of the arrays is a Dask collection, without an import of Dask."""
    return any(callable(getattr(array, "__dask_graph__", None)) for array in arrays)


def whole_rows(X):
    """A collection whose partitions hold whole rows.

    Raises
    ------
    TypeError
        If X is neither a Dask array nor a Dask data frame.
    """
    is_table = is_collection(X) and hasattr(X, "to_delayed") and hasattr(X, "ndim")
    if not is_table:
        raise TypeError(
            f"Got {type(X).__name__} where a Dask array or a Dask data frame is needed: X, y and "
            "sample_weight must be Dask collections together."
        )
    if getattr(X, "numblocks", (1, 1))[1:] in ((), (1,)):
        return X
    return X.rechunk({1: -1})


def blocks_of(X, **others):
    """Delayed blocks of rows: a tuple for each partition, of X and of its companions.

    Parameters
    ----------
    X : Dask array or data frame
    **others : Dask collection, array, number or None
        y and weights, by name: Dask collections with the partitions of X; arrays where
        the partitions have known lengths; a number or None goes to all partitions.

    Raises
    ------
    ValueError
        If they are not partitioned alike.
    TypeError
        If X is no Dask array or data frame.
    """
    X = whole_rows(X)
    blocks = [_delayed(X)]
    for name, other in others.items():
        if other is None or isinstance(other, Number):
            blocks.append([other] * len(blocks[0]))
            continue
        blocks.append(_delayed(whole_rows(_aligned(X, name, other))))
        if len(blocks[-1]) != len(blocks[0]):
            raise ValueError(
                f"X has {len(blocks[0])} partitions, but {name} has {len(blocks[-1])}. Partition "
                "them alike."
            )
    return list(zip(*blocks))


def _delayed(collection):
    return list(np.ravel(collection.to_delayed()))


def _aligned(X, name, other):
    """``other`` in the partitions of X, where their lengths are known."""
    lengths = getattr(X, "chunks", ((np.nan,),))[0]
    is_known = not np.isnan(lengths).any()
    if not is_collection(other):
        if not is_known:
            raise ValueError(
                f"{name} is in memory, but the partitions of X have unknown lengths. Pass {name} "
                "as a Dask collection with the same partitions."
            )
        import dask.array

        other = np.asarray(other)
        other = dask.array.from_array(other, chunks=(-1,) * other.ndim)
    if not is_known or np.isnan(getattr(other, "chunks", ((np.nan,),))[0]).any():
        return other
    if other.shape[0] != X.shape[0]:
        raise ValueError(f"X has {X.shape[0]} rows, but {name} has {other.shape[0]}.")
    return other.rechunk({0: lengths})


class Partitions:
    """One object for each block of rows, on the workers."""

    def __init__(self, items):
        self._items = items

    def __len__(self):
        return len(self._items)

    def __getitem__(self, index):
        """The object of one partition, brought here."""
        return self._items[index].compute()

    def select(self, indices):
        """Some of the partitions."""
        return Partitions([self._items[index] for index in indices])

    def map(self, function, *shared, each=None):
        """``function(object, *shared, one of each)``, lazily.

        What is shared goes out once, and from worker to worker.
        """
        from dask import delayed

        task = delayed(function, pure=False, traverse=False)
        shared = [delayed(one, pure=False, traverse=False) for one in shared]
        each = [()] * len(self) if each is None else [(one,) for one in each]
        return Partitions([task(item, *shared, *own) for item, own in zip(self._items, each)])

    def keep(self):
        """The same, held by the workers of a cluster; without a cluster still lazy."""
        client = _client()
        return self if client is None else Partitions(client.persist(self._items))

    def collect(self, function, *shared):
        """``function(object, *shared)`` of each partition, brought here."""
        import dask

        return list(dask.compute(*self.map(function, *shared)._items))

    def sum(self, function, *shared):
        """The tuples ``function(object, *shared)``, summed item by item in a tree."""
        from dask import delayed

        items = self.map(function, *shared)._items
        add = delayed(_add, pure=False, traverse=False)
        while len(items) > 1:
            bounds = [*range(0, len(items), FAN_IN), len(items)]
            items = [add(*items[start:stop]) for start, stop in pairwise(bounds)]
        return items[0].compute()


def _client():
    """The ``distributed.Client`` that Dask would use now, or None."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    from dask.base import get_scheduler

    owner = getattr(get_scheduler(), "__self__", None)
    return owner if isinstance(owner, distributed.Client) else None


def _add(*parts):
    return [sum(items) for items in zip(*parts)]


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
        S, and the unit in which the blocks hand out weights.
    """

    def __init__(self, partitions, make_rows, head, *, counts, total_weight, weight_unit):
        self._partitions = partitions
        self._make_rows = make_rows
        self._counts = counts
        self.n_rows = sum(counts)
        self.total_weight = float(total_weight)
        self.weight_of_blocks = self.total_weight / weight_unit
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
