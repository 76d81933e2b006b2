"""Partitions of Dask collections: functions of them, kept on workers, summed in a tree.

This module alone knows Dask, and imports it where it is used.
"""

import sys
from itertools import pairwise
from numbers import Number

import numpy as np

#: Partial sums that one task of the tree adds up, or that are added here.
FAN_IN = 16


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
    """Without optimisation: it may join partitions of y that it leaves apart in X.

    What X and y read in common has the same name in both graphs, and is read once.
    """
    return list(np.ravel(collection.to_delayed(optimize_graph=False)))


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
    """One object for each block of rows, on the workers.

    Objects lie in groups, and a group is one task. Dask spends about a millisecond on a
    task, so on a cluster there is one group for each thread.

    Parameters
    ----------
    groups : list of (Delayed, list of int)
        A list of objects, and their numbers among all.
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
        """One of the objects, brought here."""
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

        What is shared goes out once, and from worker to worker.
        """
        shared = _shared(function, shared)
        own = [None if each is None else [each[n] for n in numbers] for _, numbers in self._groups]
        return Partitions(
            [
                (_task(_map_group)(item, shared, one), numbers)
                for (item, numbers), one in zip(self._groups, own)
            ]
        )

    def keep(self):
        """The same, held by the workers of a cluster; without a cluster still lazy."""
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
            with dask.annotate(workers=[worker], allow_other_workers=True):
                joined.append(_joined(objects[start:stop]))
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

    def sum(self, function, *shared):
        """The tuples ``function(object, *shared)``, summed item by item in a tree."""
        import dask

        shared = _shared(function, shared)
        items = [_task(_sum_group)(item, shared) for item, _ in self._groups]
        while len(items) > FAN_IN:
            bounds = [*range(0, len(items), FAN_IN), len(items)]
            items = [_task(_add)(*items[start:stop]) for start, stop in pairwise(bounds)]
        return _add(*dask.compute(*items))


def _task(function):
    from dask import delayed

    return delayed(function, pure=False, traverse=False)


def _shared(function, arguments):
    """One node of the graph, which a worker gets once."""
    return _task((function, arguments))


def _joined(groups):
    items, numbers = zip(*groups)
    return _task(_join)(*items), [number for part in numbers for number in part]


class Group(list):
    """Objects of one group; its size is theirs, by which Dask knows what is costly to move."""

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


def _sum_group(group, shared):
    function, arguments = shared
    return _add(*(function(value, *arguments) for value in group))


def _add(*parts):
    return [sum(items) for items in zip(*parts)]


def _client():
    """The ``distributed.Client`` that Dask would use now, or None."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    from dask.base import get_scheduler

    owner = getattr(get_scheduler(), "__self__", None)
    return owner if isinstance(owner, distributed.Client) else None
