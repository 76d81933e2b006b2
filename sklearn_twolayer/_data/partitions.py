"""Partitions of Dask collections: functions of them, kept on workers, summed in a tree.

This module alone knows Dask, and imports it where it is used. Under a
``distributed.Client`` the partitions stay on the workers, which read, validate and encode
them once. Dask's local schedulers read them anew for each evaluation, so that no more of
them are in memory than threads work on.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial, reduce
from itertools import pairwise
from numbers import Number

import numpy as np

from sklearn_twolayer._data.rows import SINGLE_THREADED_BLAS, add, on_one_thread
from sklearn_twolayer._data.table import array_of_rows, is_collection

#: Partial sums that one task of the tree adds up, or that are added here.
FAN_IN = 16


def refuse_others(X):
    """TypeError if X is neither a Dask array nor a data frame, but a bag, say, or an array."""
    has_rows = isinstance(getattr(X, "ndim", None), int)  # a Delayed object has any attribute
    if not (is_collection(X) and hasattr(X, "to_delayed") and has_rows):
        raise TypeError(
            f"Got {type(X).__name__} where a Dask array or a Dask data frame is needed: X, y and "
            "sample_weight must be Dask collections together."
        )


def whole_rows(X):
    """A collection in whole rows; TypeError if X is neither a Dask array nor a data frame."""
    refuse_others(X)
    if getattr(X, "numblocks", (1, 1))[1:] in ((), (1,)):
        return X
    return X.rechunk({1: -1})


def one_row(X, n_columns=None, dtype=np.float64):
    """A row of zeros with the columns of a data frame X and their names, or of an array X.

    ``n_columns`` stands for those of an array that does not know its own.
    """
    if hasattr(X, "columns"):
        return type(X._meta)(np.zeros((1, len(X.columns))), columns=X.columns)
    shape = X.shape[1:]
    if np.isnan(shape).any() and n_columns is not None:
        shape = (n_columns,)
    if np.isnan(shape).any():
        raise ValueError("X has an unknown number of columns: call X.compute_chunk_sizes() first.")
    return np.zeros((1, *shape), dtype)


def blocks_of(X, y, sample_weight):
    """Delayed blocks of rows: for each partition a tuple, of X, y and the weights.

    y and the weights are Dask collections with the partitions of the array or data frame X, or
    arrays where the partitions have known lengths; a number or None goes to all. ValueError if
    they are not partitioned alike, TypeError if X is no collection.
    """
    X = whole_rows(X)
    blocks = [_delayed(X)]
    for name, other in (("y", y), ("sample_weight", sample_weight)):
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
    # Optimisation may join partitions of y that it leaves apart in X. Without it, what both
    # read in common still has the same name in both graphs, and is read once.
    return list(np.ravel(collection.to_delayed(optimize_graph=False)))


def _aligned(X, name, other):
    """``other`` in the partitions of X, where their lengths are known; TypeError if it has none."""
    lengths = getattr(X, "chunks", ((np.nan,),))[0]
    is_known = not np.isnan(lengths).any()
    if not is_collection(other):
        if not is_known:
            raise ValueError(
                f"{name} is in memory, but the partitions of X have unknown lengths. Pass {name} "
                "as a Dask collection with the same partitions."
            )
        import dask.array

        other = array_of_rows(name, other)
        other = dask.array.from_array(other, chunks=(-1,) * other.ndim)
    refuse_others(other)
    if not is_known or np.isnan(getattr(other, "chunks", ((np.nan,),))[0]).any():
        return other
    if other.shape[0] != X.shape[0]:
        raise ValueError(f"X has {X.shape[0]} rows, but {name} has {other.shape[0]}.")
    return other.rechunk({0: lengths})


class Partitions:
    """One object for each block of rows, on the workers.

    Objects lie in ``groups`` of (Delayed list of objects, their numbers among all), and a group is
    one task. Dask spends about a millisecond on a task, so on a cluster there is one group for
    each thread.
    """

    def __init__(self, groups):
        self._groups = groups

    @classmethod
    def of(cls, blocks):
        """Partitions of the blocks, each a group of its own."""
        from dask import delayed

        return cls([(delayed([block], pure=False), [i]) for i, block in enumerate(blocks)])

    def __len__(self):
        return sum(len(numbers) for _, numbers in self._groups)

    def __getitem__(self, number):
        """Bring one of the objects here."""
        item, numbers = next(group for group in self._groups if number in group[1])
        return item[numbers.index(number)].compute()

    def where(self, kept):
        """The objects of those numbers for which ``kept`` is true."""
        new = np.cumsum(kept) - 1
        groups = []
        for item, numbers in self._groups:
            here = [place for place, number in enumerate(numbers) if kept[number]]
            chosen = item if len(here) == len(numbers) else _task(_choose)(item, here)
            if here:
                groups.append((chosen, [int(new[numbers[place]]) for place in here]))
        return Partitions(groups)

    def map(self, function, *shared, each=None):
        """``function(object, *shared, one of each)``, lazily.

        What is shared is one node of the graph: it goes out once, and from worker to worker.
        """
        shared, groups = _task((function, shared)), []
        for item, numbers in self._groups:
            own = None if each is None else [each[number] for number in numbers]
            groups.append((_task(_map_group)(item, shared, own), numbers))
        return Partitions(groups)

    def keep(self):
        """Compute the objects, held by the workers of a cluster; without one they stay lazy."""
        client = _client()
        if client is None:
            return self
        items = client.persist([item for item, _ in self._groups])
        return Partitions([(item, numbers) for item, (_, numbers) in zip(items, self._groups)])

    def grouped(self):
        """Kept objects in one group for each thread of the cluster, of about equal length.

        Objects stay with their worker as far as that goes. If it is lost, another one reads
        them again.
        """
        client = _client()
        if client is None:
            return self
        import dask

        objects = self._by_worker(client)
        slots = [worker for worker, n in client.nthreads().items() for _ in range(n)]
        n_groups = min(len(objects), len(slots))
        bounds = np.linspace(0, len(objects), n_groups + 1).astype(int).tolist()
        joined = []
        for number, (start, stop) in enumerate(pairwise(bounds)):
            worker = slots[number * len(slots) // n_groups]
            items, numbers = zip(*objects[start:stop])
            with dask.annotate(workers=[worker], allow_other_workers=True):
                joined.append((_task(_join)(*items), [n for part in numbers for n in part]))
        return Partitions(joined).keep()

    def _by_worker(self, client):
        """The groups in the order of the workers that hold them, once all are there."""
        from distributed import futures_of, wait

        futures = futures_of([item for item, _ in self._groups])
        wait(futures)
        holders, order = client.who_has(futures), list(client.nthreads())

        def place(group):
            worker = next(iter(holders.get(group[0].key, ())), None)
            return order.index(worker) if worker in order else len(order)

        return sorted(self._groups, key=place)

    def collect(self, function, *shared):
        """``function(object, *shared)`` of each object, brought here in order."""
        import dask

        mapped = self.map(function, *shared)._groups
        values = dask.compute(*(item for item, _ in mapped))
        found = {n: value for (_, ns), part in zip(mapped, values) for n, value in zip(ns, part)}
        return [found[number] for number in range(len(self))]

    def reduce(self, function, merge, *shared):
        """``merge(total, parts) -> total`` of the tuples ``function(object, *shared)``, in a tree.

        The first total is None.
        """
        import dask

        shared = _task((function, merge, shared))
        items = [_task(_merge_group)(item, shared) for item, _ in self._groups]
        while len(items) > FAN_IN:
            bounds = [*range(0, len(items), FAN_IN), len(items)]
            items = [_task(_fold)(merge, *items[start:stop]) for start, stop in pairwise(bounds)]
        return _fold(merge, *dask.compute(*items))


def _task(function):
    from dask import delayed

    return delayed(function, pure=False, traverse=False)


class Group(list):
    """Objects of one group. Its size is theirs: Dask asks for it before it moves a group."""

    def __sizeof__(self):
        return super().__sizeof__() + sum(map(sys.getsizeof, self))


def _join(*groups):
    return Group(value for group in groups for value in group)


def _choose(group, places):
    return Group(group[place] for place in places)


def _map_group(group, shared, each):
    function, arguments = shared
    each = [()] * len(group) if each is None else [(one,) for one in each]
    return Group(function(value, *arguments, *own) for value, own in zip(group, each))


def _merge_group(group, shared):
    function, merge, arguments = shared
    return _fold(merge, *(function(value, *arguments) for value in group))


def _fold(merge, *parts):
    return reduce(merge, parts, None)


def _client():
    """The ``distributed.Client`` that Dask would use now, or None."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    from dask.base import get_scheduler

    owner = getattr(get_scheduler(), "__self__", None)
    return owner if isinstance(owner, distributed.Client) else None


class DaskRows:
    """The rows of many partitions, with the interface of ``Rows``.

    The partitions are of tables, none of them empty, and ``make_rows(table)`` are the Rows of one;
    ``head`` are those of the first row, and ``counts`` the number of rows in each. ``total_weight``
    is S, and ``weight_unit`` the unit in which the blocks hand out weights.
    """

    def __init__(self, partitions, make_rows, head, *, counts, total_weight, weight_unit):
        self._partitions = partitions
        self._make_rows = partial(_rows_in_unit, make_rows, weight_unit)
        self._counts = counts
        self.n_rows = sum(counts)
        self.total_weight = float(total_weight)
        self.weight_of_blocks = float(total_weight) / weight_unit
        self.first = head.first
        self.standardization = head.standardization
        self.dtype = head.dtype
        self.is_sparse = head.is_sparse

    def __enter__(self):
        SINGLE_THREADED_BLAS.__enter__()
        return self

    def __exit__(self, *exception):
        SINGLE_THREADED_BLAS.__exit__(*exception)

    def sum(self, block_function, merge=add):
        """Add up the tuples ``block_function(X, y, weight)`` of the blocks of all partitions."""
        arguments = self._make_rows, "sum", block_function, merge
        return self._partitions.reduce(_call, merge, *arguments)

    def map(self, block_function):
        """Stack the arrays ``block_function(X, y, weight)`` of all blocks, here."""
        return np.concatenate(
            self._partitions.collect(_call, self._make_rows, "map", block_function)
        )

    def n_batches(self, batch_size):
        """Return how many mini-batches ``batches`` yields; none spans two partitions."""
        return sum(-(-count // batch_size) for count in self._counts)

    def batches(self, batch_size, random_state=None):
        """Yield (X, y, weight) of mini-batches, partition after partition.

        While one is learnt here, the next is read. A random order is one of the partitions, and of
        the rows of each.
        """
        n_partitions = len(self._partitions)
        order, states = range(n_partitions), [None] * n_partitions
        if random_state is not None:
            order = random_state.permutation(n_partitions)
            seeds = random_state.randint(np.iinfo(np.int32).max, size=n_partitions)
            states = map(np.random.RandomState, seeds)
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._partitions.__getitem__, order[0])
            for number, state in enumerate(states, 1):
                rows = self._make_rows(coming.result())
                if number < n_partitions:
                    coming = reader.submit(self._partitions.__getitem__, order[number])
                yield from rows.batches(batch_size, state)


def _rows_in_unit(make_rows, weight_unit, table):
    rows = make_rows(table)
    rows.weigh_in(weight_unit)
    return rows


def _call(table, make_rows, method, *arguments):
    with on_one_thread():
        return getattr(make_rows(table), method)(*arguments)
