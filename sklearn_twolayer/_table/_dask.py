"""Rows in the partitions of a Dask collection, each of them a ``Table`` on its worker."""

from copy import copy
from dataclasses import dataclass
from operator import itemgetter, methodcaller

import numpy as np
from scipy import sparse
from sklearn.utils.validation import validate_data

from sklearn_twolayer._compat import CALLBACKS
from sklearn_twolayer._rows import DaskRows, Partitions, blocks_of, unit_of_weights
from sklearn_twolayer._table._memory import Table
from sklearn_twolayer._targets import check_total_weight, drop_weightless, valid_weights

#: Attributes of an estimator that may be large, or may not be pickled.
WORKERS_DO_WITHOUT = (
    CALLBACKS,
    "random_state",
    "scoring",
    "_posteriors",
    "_stream",
    "_training_state",
)


@dataclass(frozen=True)
class Summary:
    """What a fit must know of a partition: ``head`` is its first row."""

    n_rows: int
    dtype: np.dtype
    is_sparse: bool
    total_weight: float
    largest_weight: float | None
    head: Table
    outline: object


class DaskTable:
    """Rows in partitions, with the interface of ``Table``.

    Parameters
    ----------
    partitions : Partitions
        Of tables, none of them empty.
    summaries : list of Summary
    """

    is_in_memory = False

    def __init__(self, partitions, summaries, head=None):
        self._partitions = partitions
        self._summaries = summaries
        self._head = head or summaries[0].head
        self.n_rows = sum(summary.n_rows for summary in summaries)
        self.n_features = self._head.n_features
        self.dtype = np.result_type(*(summary.dtype for summary in summaries))
        self.total_weight = sum(summary.total_weight for summary in summaries)
        check_total_weight(self.total_weight)

    def fit_targets(self, estimator):
        """Let the estimator learn what y means."""
        estimator._fit_outline(self._outline(estimator))

    def weigh_classes(self, estimator):
        """The table with the weights of the classes multiplied in."""
        if getattr(estimator, "class_weight", None) is None:
            return self
        shared = for_workers(estimator), self._outline(estimator)
        return _summarized(self._partitions.map(_weigh_classes, *shared), estimator)

    def encode(self, estimator):
        """The table with targets."""
        numbers = range(len(self._partitions))
        partitions = self._partitions.map(_encode, for_workers(estimator), each=numbers).keep()
        return DaskTable(partitions, self._summaries, self._head.encode(estimator))

    def split(self, estimator, random_state):
        """Hold rows of each partition out for early stopping.

        Raises
        ------
        ValueError
            If no partition has enough of them.
        """
        if not any(_n_held_out(estimator, summary.n_rows) for summary in self._summaries):
            raise ValueError(
                f"early_stopping holds out validation_fraction={estimator.validation_fraction} of "
                "each partition, but none has enough rows for two. Set early_stopping=False, make "
                "larger partitions, or pass X_val and y_val."
            )
        seeds = random_state.randint(np.iinfo(np.int32).max, size=len(self._partitions))
        pairs = self._partitions.map(_split, for_workers(estimator), each=seeds.tolist()).keep()
        train, out = (pairs.map(itemgetter(part)).keep() for part in (0, 1))
        return _summarized(train, estimator), _summarized(out, estimator)

    def mean_target(self, estimator):
        """Mean of the standardised targets, or share of each class: (n_outputs,)."""
        weight, total = self._partitions.sum(_sum_of_targets, for_workers(estimator))
        return total / weight

    def rows(self, standardization, dtype, block_size):
        """The rows with standardised targets, to train or to validate."""
        return self._rows("rows", standardization, dtype, block_size, self._weight_unit)

    def raw_rows(self, name, block_size):
        """The rows of ``name``, X or targets, as they are: to take moments of."""
        return self._rows("raw_rows", name, block_size, self._weight_unit)

    def _rows(self, method, *arguments):
        make_rows = methodcaller(method, *arguments)
        return DaskRows(
            self._partitions,
            make_rows,
            make_rows(self._head),
            counts=[summary.n_rows for summary in self._summaries],
            total_weight=self.total_weight,
            weight_unit=self._weight_unit,
        )

    @property
    def _weight_unit(self):
        weights = [summary.largest_weight for summary in self._summaries]
        return unit_of_weights(None if weights[0] is None else np.array(weights))

    def _outline(self, estimator):
        return estimator._merge_outlines([summary.outline for summary in self._summaries])


def read_collection(estimator, X, y, sample_weight, *, reset):
    """The table of Dask collections; see ``read_table``."""
    blocks = blocks_of(X, y=y, sample_weight=sample_weight)
    validate_data(estimator, _one_row(X), reset=reset)
    read = Partitions.of(blocks).map(_read, for_workers(estimator), each=range(len(blocks)))
    return _summarized(read.keep().grouped(), estimator)


def for_workers(estimator):
    """A copy of the estimator, light enough to send along."""
    light = copy(estimator)
    for name in WORKERS_DO_WITHOUT:
        if name in vars(light):
            setattr(light, name, None)
    return light


def _one_row(X):
    """A row of zeros with the columns of X, and their names."""
    if hasattr(X, "columns"):
        return type(X._meta)(np.zeros((1, len(X.columns))), columns=X.columns)
    if np.isnan(X.shape[1:]).any():
        raise ValueError("X has an unknown number of columns: a Dask array must know its width.")
    return np.zeros((1, *X.shape[1:]))


def _summarized(partitions, estimator):
    """The table of partitions that hold rows, after one pass over all of them."""
    summaries = partitions.collect(_summarize, for_workers(estimator))
    partitions = partitions.where([summary is not None for summary in summaries])
    summaries = [summary for summary in summaries if summary is not None]
    if not summaries:
        raise ValueError("No partition has rows with a weight above zero: nothing is left to fit.")
    if len({summary.is_sparse for summary in summaries}) > 1:
        raise ValueError("Some partitions of X are sparse and others dense. Make them all alike.")
    return DaskTable(partitions, summaries)


def _read(block, estimator, index):
    """Validate a partition: a Table, or None without rows."""
    X, y, sample_weight = block
    if X.shape[0] == 0:
        return None
    with _NamedPartition(index):
        X, y = estimator._validate(X, y, reset=False)
        if sample_weight is None:
            return Table(X, y, None)
        X, y, weight = drop_weightless(X, y, valid_weights(X, sample_weight))
    return Table(X, y, weight) if X.shape[0] else None


def _summarize(table, estimator):
    if table is None:
        return None
    return Summary(
        n_rows=table.n_rows,
        dtype=table.dtype,
        is_sparse=sparse.issparse(table.X),
        total_weight=float(table.total_weight),
        largest_weight=None if table.weight is None else float(table.weight.max()),
        head=table.take([0]),  # a copy: a view would keep all rows in memory
        outline=estimator._outline(table.y, table.weight),
    )


def _weigh_classes(table, estimator, outline):
    return table.weigh_classes(estimator, outline)


def _encode(table, estimator, index):
    with _NamedPartition(index):
        return table.encode(estimator)


def _split(table, estimator, seed):
    """Training and validation rows of a partition; one with too few rows holds none out."""
    if not _n_held_out(estimator, table.n_rows):
        return table, None
    return table.split(estimator, np.random.RandomState(seed))


def _n_held_out(estimator, n_rows):
    """Rows that a partition holds out; zero where it has too few."""
    n_out = int(np.ceil(estimator.validation_fraction * n_rows))
    return n_out if 2 <= n_out < n_rows else 0


def _sum_of_targets(table, estimator):
    weight = table.total_weight
    if weight == 0:
        return 0.0, np.zeros(estimator.n_outputs_)
    return weight, weight * table.mean_target(estimator)


class _NamedPartition:
    """Errors within the ``with`` statement say in which partition they arose."""

    def __init__(self, index):
        self._index = index

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind in (ValueError, TypeError):
            raise kind(f"Partition {self._index} of X, y and sample_weight: {error}") from error
