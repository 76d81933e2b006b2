"""Rows in the partitions of a Dask collection, each of them a ``Table`` on its worker.

What goes to the workers is light and can be pickled: functions, targets, a standardisation.
"""

from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter, itemgetter, methodcaller

import numpy as np
from scipy import sparse

from sklearn_twolayer._data.counted import in_units_that_count, kish, merged_kish, rows_counted
from sklearn_twolayer._data.partitions import DaskRows, Partitions, blocks_of, one_row, whole_rows
from sklearn_twolayer._data.rows import add, on_one_thread, unit_of_weights
from sklearn_twolayer._data.table import (
    Table,
    about,
    check_total_weight,
    valid_weights,
    weighed_table,
)


@dataclass(frozen=True)
class Summary:
    """What a fit must know of a partition: its labels alone if no row has a positive weight."""

    n_rows: int
    total_weight: float
    total_frequency: float
    largest_weight: float | None
    kish: float  # how many even weights amount to those of the rows
    head: Table | None  # its first row
    y: np.ndarray | tuple | None  # sums up its y, as the class of the targets does


class DaskTable:
    """Rows in partitions, with the interface of ``Table``, which says what its methods do.

    The partitions are of tables, none of them empty; summaries are of them, and of partitions
    whose rows have no weight.
    """

    is_in_memory, density = False, 1.0

    def __init__(self, partitions, summaries, head=None):
        self._partitions = partitions
        self._seen = summaries
        self._summaries = summaries = [summary for summary in summaries if summary.n_rows]
        self._head = head or summaries[0].head
        self.n_rows = sum(summary.n_rows for summary in summaries)
        self.n_features = self._head.n_features
        self.dtype = np.result_type(*(summary.head.dtype for summary in summaries))
        self.total_weight = sum(summary.total_weight for summary in summaries)
        self.total_frequency = sum(summary.total_frequency for summary in summaries)

    def summary(self, targets_class):
        """What ``targets_class.learn`` must know of y; the class is that of ``read_collection``."""
        return targets_class.merge([summary.y for summary in self._seen])

    def weigh(self, targets):
        if targets.class_weight is None:
            return self
        weigh = methodcaller("weigh", targets.for_parts(self.summary(type(targets))))
        weights = f"class_weight={targets.class_weight!r}"
        return _summarized(self._partitions.map(weigh), type(targets), weights)

    def counted(self):
        totals = [summary.total_weight for summary in self._summaries]
        effective = merged_kish(totals, [summary.kish for summary in self._summaries])
        counted = rows_counted(self.total_weight, effective)
        if counted == self.total_weight:
            return self
        largest = max(summary.largest_weight for summary in self._summaries)
        in_new_units = partial(
            in_units_that_count,
            largest=largest,
            counted=counted,
            relative_total=sum(totals) / largest,
        )
        summaries = [_reweighed(summary, in_new_units) for summary in self._seen]
        return DaskTable(self._partitions.map(_reweigh, in_new_units), summaries, self._head)

    def encode(self, targets, name="y"):
        head, numbers = self._head.encode(targets, name), range(len(self._partitions))
        partitions = self._partitions.map(_encode, targets, name, each=numbers).keep()
        return DaskTable(partitions, self._seen, head)

    def split(self, fraction, targets, random_state):
        """Hold rows out for early stopping; ValueError if no partition has enough of them."""
        if not any(_n_held_out(fraction, summary.n_rows) for summary in self._summaries):
            raise ValueError(
                f"early_stopping holds out validation_fraction={fraction} of "
                "each partition, but none has enough rows for two. Set early_stopping=False, make "
                "larger partitions, or pass X_val and y_val."
            )
        seeds = random_state.randint(np.iinfo(np.int32).max, size=len(self._partitions))
        pairs = self._partitions.map(_split, fraction, targets, each=seeds.tolist()).keep()
        train, out = (pairs.map(itemgetter(part)).keep() for part in (0, 1))
        return _summarized(train, type(targets)), _summarized(out, type(targets))

    def part(self, n_rows):
        """The table of about so many rows: of each partition its share, drawn at random."""
        if n_rows >= self.n_rows:
            return self
        share = n_rows / self.n_rows
        numbers = [int(np.ceil(share * summary.n_rows)) for summary in self._summaries]
        return _summarized(self._partitions.map(_part, each=list(enumerate(numbers))).keep(), None)

    def distinct(self, settings):
        """Return the table itself: its copies are not looked for."""
        return self

    @property
    def as_given(self):
        """The table itself."""
        return self

    def collected(self):
        """The encoded rows as a table in memory."""
        X, weight, encoded = zip(*self._partitions.collect(attrgetter("X", "weight", "encoded")))
        X = sparse.vstack(X, format="csr") if sparse.issparse(X[0]) else np.concatenate(X)
        weight = None if weight[0] is None else np.concatenate(weight)
        return Table(X.astype(self.dtype, copy=False), None, weight, np.concatenate(encoded))

    def mean_target(self, targets, scale):
        weight, total = self._partitions.reduce(_sum_of_targets, add, targets, scale)
        return total / weight

    def find(self, name, column, value):
        found = self._partitions.collect(methodcaller("find", name, column, value))
        return next((place for place in found if place is not None), None)

    def rows(self, scale, dtype, width):
        return self._rows(methodcaller("rows", scale, dtype, width))

    def raw_rows(self, name, n_rows):
        return self._rows(methodcaller("raw_rows", name, n_rows))

    def _rows(self, make_rows):
        weights = [summary.largest_weight for summary in self._summaries]
        return DaskRows(
            self._partitions,
            make_rows,
            make_rows(self._head),
            counts=[summary.n_rows for summary in self._summaries],
            total_weight=self.total_weight,
            weight_unit=1.0 if weights[0] is None else unit_of_weights(weights),
        )


def read_collection(X, y, sample_weight, *, columns, check, targets_class):
    """The table of Dask collections; ValueError if X, y or the weights have no meaning.

    ``columns(one_row)`` learns or checks the columns, here, on a row of zeros; ``check(X, y)``
    returns a partition validated, and is sent to the workers.
    """
    blocks = blocks_of(X, y, sample_weight)
    columns(one_row(X))
    read = Partitions.of(blocks).map(_read, check, each=range(len(blocks)))
    return _summarized(read.keep().grouped(), targets_class)


def _summarized(partitions, targets_class, weights="sample_weight"):
    """The table of partitions that hold rows, after one pass over all of them.

    ``targets_class`` is None where nothing is to be learnt of y; ``weights`` are what weighs rows.
    """
    summaries = partitions.collect(_summarize, targets_class)
    partitions = partitions.where([bool(summary and summary.n_rows) for summary in summaries])
    summaries = [summary for summary in summaries if summary is not None]
    with_rows = [summary for summary in summaries if summary.n_rows]
    if not with_rows:
        raise ValueError("No partition has rows with a weight above zero: no row is left.")
    if len({sparse.issparse(summary.head.X) for summary in with_rows}) > 1:
        raise ValueError("Some partitions of X are sparse and others dense. Make them all alike.")
    table = DaskTable(partitions, summaries)
    check_total_weight(table.total_weight, weights)
    return table


def _read(block, check, index):
    """Validate a partition: a Table, or None without rows."""
    X, y, sample_weight = block
    if X.shape[0] == 0:
        return None
    with about(f"Partition {index} of X, y and sample_weight"):
        X, y = check(X, y)
        table = Table(X, y, None)
        if sample_weight is not None:
            table = weighed_table(X, y, valid_weights(X, sample_weight))
    return replace(table, partition=index)


def _summarize(table, targets_class):
    if table is None:
        return None
    return Summary(
        n_rows=table.n_rows,
        total_weight=float(table.total_weight),
        total_frequency=float(table.total_frequency),
        largest_weight=None if table.weight is None else float(table.weight.max(initial=0)),
        kish=float(table.n_rows) if table.weight is None else kish(table.weight),
        # a copy: a view would keep all rows in memory
        head=table.take([0]) if table.n_rows else None,
        y=None if targets_class is None else table.summary(targets_class),
    )


def _reweighed(summary, in_new_units):
    """The summary of rows with the weights that ``in_new_units`` makes of theirs."""
    total, largest = map(in_new_units, (summary.total_weight, summary.largest_weight))
    return replace(summary, total_weight=total, largest_weight=largest)


def _reweigh(table, in_new_units):
    return replace(table, weight=in_new_units(table.weight))


def _encode(table, targets, name, index):
    with about(f"Partition {index}"):
        return table.encode(targets, name)


def _part(table, seed_and_number):
    seed, n_rows = seed_and_number
    return table.part(n_rows, seed)


def _split(table, fraction, targets, seed):
    """Training and validation rows of a partition; one with too few rows holds none out."""
    if not _n_held_out(fraction, table.n_rows):
        return table, None
    return table.split(fraction, targets, np.random.RandomState(seed))


def _n_held_out(fraction, n_rows):
    """Return how many rows a partition holds out; zero where it has too few."""
    n_out = int(np.ceil(fraction * n_rows))
    return n_out if 2 <= n_out < n_rows else 0


def _sum_of_targets(table, targets, scale):
    weight = table.total_weight
    if weight == 0:
        return 0.0, np.zeros(targets.n_outputs)
    return weight, weight * table.mean_target(targets, scale)


def map_collection(X, function, n_features):
    """The Dask array of ``function(block)`` (n, ...) over the partitions of X, not yet computed.

    What the rows of the result look like is found on a row of zeros, of ``n_features``, which an
    array X may not know itself. The function is sent along with each block; blocks without rows
    do not call it.
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
    with on_one_thread(), np.errstate(under="ignore"):
        return function(X)
