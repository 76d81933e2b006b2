"""Rows in memory or in a memory map: validated, weighed, encoded."""

from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Number

import numpy as np
from scipy import sparse
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array

from sklearn_twolayer._data.counted import that_count
from sklearn_twolayer._data.rows import Rows, block_size
from sklearn_twolayer._data.targets import refuse_missing
from sklearn_twolayer._network.products import dense, sorted_rows

#: In what X is computed: float32 stays.
FLOATS = (np.float64, np.float32)
#: Most numbers in X and y of rows that are sorted, which takes a copy of them: larger tables may
#: lie on a disk, and a part of these tells the penalties.
MOST_SORTED = 2 * 10**6


@dataclass(frozen=True)
class Table:
    """Rows in memory.

    ``DaskTable`` has the same interface over the partitions of a Dask collection. Beside its fields
    it has ``n_rows``, ``n_features`` and ``dtype`` of X, the ``density`` of the entries of X that
    are stored, and the sums ``total_weight``, S, and ``total_frequency``.
    """

    X: np.ndarray | sparse.csr_array  # (n, f)
    y: np.ndarray  # (n,) or (n, k), as the user has it
    weight: np.ndarray | None  # (n,); None stands for ones
    encoded: np.ndarray | None = None  # what losses compare with: (n, k), or class indices (n,)
    frequency: np.ndarray | None = None  # (n,), the user's own weights, without those of classes
    weightless: np.ndarray | None = None  # y of rows of weight zero, whose labels are classes, too
    numbers: np.ndarray | None = None  # (n,), as the user counts; None if all are there, in order
    partition: int | None = None  # of which they are the rows
    given: "Table | None" = None  # as the user has them, if these are distinct ones, or reweighed

    is_in_memory = True

    def __post_init__(self):
        n_rows, n_features = self.X.shape
        vars(self).update(
            n_rows=n_rows,
            n_features=n_features,
            dtype=self.X.dtype,
            density=self.X.nnz / (n_rows * n_features) if sparse.issparse(self.X) else 1.0,
            total_weight=n_rows if self.weight is None else self.weight.sum(),
            total_frequency=n_rows if self.frequency is None else self.frequency.sum(),
        )

    def summary(self, targets_class):
        """What ``targets_class.learn`` must know of y."""
        return targets_class.summarize(self.y, self.weight, self.weightless)

    def weigh(self, targets):
        """The table with the weights of the classes multiplied in."""
        if targets.class_weight is None:
            return self
        given = self.given and self.given.weigh(targets)
        return replace(self, weight=targets.weigh(self.y, self.weight), given=given)

    def encode(self, targets, name="y"):
        """The table with y, which errors call by this name, as the losses want it."""
        return replace(self, encoded=targets.encode(self.y, name))

    def counted(self):
        """The table whose weights sum to the rows that they count; it keeps those of the user."""
        if self.weight is None:
            return self
        weight, frequency = that_count(self.weight), that_count(self.frequency)
        if weight is self.weight and frequency is self.frequency:
            return self
        return replace(self, weight=weight, frequency=frequency, given=self.as_given)

    def batch(self, targets, dtype=None):
        """The encoded table of one call of a stream, with X in a dtype if there is one."""
        table = self.encode(targets)
        X, weight = self.X, self.weight
        if dtype is not None and dtype != self.dtype:
            X = X.astype(dtype)
        if targets.class_weight is not None:
            weight = targets.weigh_stream(self.y, weight)
        return replace(table, X=X, weight=weight)

    def split(self, fraction, targets, random_state):
        """Hold rows out for early stopping: a table to train on, and one of the others."""
        strata = targets.strata(self.y)
        kept, out = validation_split(self.n_rows, strata, fraction, random_state)
        return self.take(kept), self.take(out)

    def part(self, n_rows, seed=0, strata=None):
        """The table of so many rows, drawn at random: the same ones every time.

        Fewer rows are among those of a larger part. Of ``strata``, labels (n,) or (n, 1), it has
        each, if there is room.
        """
        if n_rows >= self.n_rows:
            return self
        order = np.random.RandomState(seed).permutation(self.n_rows)
        if strata is not None:
            order = order[in_turn(strata[order].ravel())]
        return self.take(np.sort(order[:n_rows]))

    def collected(self):
        """Return the table itself: it is in memory."""
        return self

    def mean_target(self, targets, scale):
        """Mean of the standardised targets, or share of each class: (n_outputs,)."""
        y = scale.apply_targets(self.encoded, np.float64)
        return targets.loss.mean_target(y, self.weight, targets.n_outputs)

    def rows(self, scale, dtype, width):
        """Rows with standardised targets, in blocks of which ``width`` columns fit the cache."""
        y, size = scale.apply_targets(self.encoded, dtype), block_size(width, dtype)
        return Rows(self.X, y, self.weight, standardization=scale, dtype=dtype, block_size=size)

    def raw_rows(self, name, n_rows):
        """The rows of ``name``, X or encoded, as they are, so many at a time: for moments."""
        X, weight, dtype = getattr(self, name), self.weight, np.float64
        return Rows(X, None, weight, standardization=None, dtype=dtype, block_size=n_rows)

    def __sizeof__(self):
        """Return the bytes, which Dask weighs before it moves a table to another worker."""
        X, others = self.X, (self.y, self.weight, self.encoded, self.weightless)
        arrays = [X.data, X.indices, X.indptr] if sparse.issparse(X) else [X]
        arrays += [array for array in others if array is not None]
        return object.__sizeof__(self) + sum(array.nbytes for array in arrays)

    def take(self, indices):
        """The table of some of the rows."""
        arrays = (self.X, self.y, self.weight, self.encoded, self.frequency)
        parts = [None if array is None else array[indices] for array in arrays]
        numbers = np.asarray(indices) if self.numbers is None else self.numbers[indices]
        return Table(*parts, numbers=numbers, partition=self.partition)

    @property
    def as_given(self):
        """The table of the rows as the user has them, copies, weights and all."""
        return self.given or self

    def distinct(self, settings):
        """The table of the distinct rows, of X and y, sorted, and each weighed by all its copies.

        F is the same, in less time where rows repeat. And so is its rounding in whatever order they
        come, and whether one comes twice or has the weight 2: a fit ends at the same weights, bit
        for bit, where it would else choose another penalty, or another of two minima that are as
        good. A textbook takes rows as they come, and where some are held out, or make a mini-batch,
        each is one.
        """
        are_summed = settings.solver in ("auto", "lbfgs", "lm") and not settings.early_stopping
        n_numbers = self.n_rows * self.n_features * self.density + self.encoded.size
        if not are_summed or n_numbers > MOST_SORTED:
            return self
        order, is_new = sorted_rows(self.X, self.encoded.reshape(self.n_rows, -1))
        weight = np.ones(self.n_rows) if self.weight is None else self.weight
        weight = np.add.reduceat(weight[order], np.flatnonzero(is_new))
        return self.merged(order[is_new], weight)

    def merged(self, indices, weight):
        """The table of the rows ``indices``, which weigh so much (n,) with all that equal them."""
        weight = None if (weight == 1).all() else weight
        merged = replace(self.take(indices), weight=weight, frequency=weight)
        return replace(merged, weightless=self.weightless, given=self.as_given)

    def take_shares(self, shares):
        """The table of shares (n,) of the rows: their weights are less, none is not there."""
        taken = np.flatnonzero(shares)
        table, shares = self.take(taken), shares[taken]
        if (shares == 1).all():
            return table
        return replace(table, weight=shares if table.weight is None else table.weight * shares)

    def find(self, name, column, value):
        """Say where the first row is that has this value in a column of ``name``, X or encoded."""
        rows = np.flatnonzero(dense(getattr(self, name)[:, [column]])[:, 0] == value)
        if not len(rows):
            return None
        row = rows[0] if self.numbers is None else self.numbers[rows[0]]
        return f"row {row}" + ("" if self.partition is None else f" of partition {self.partition}")


@contextmanager
def about(what):
    """Let errors within the ``with`` statement say of which argument they speak."""
    try:
        yield
    except (ValueError, TypeError) as error:
        if type(error) not in (ValueError, TypeError):
            raise
        raise type(error)(f"{what}: {error}") from error


def is_collection(*arrays):
    """Return whether one of the arrays is a Dask collection, without an import of Dask."""
    return any(callable(getattr(array, "__dask_graph__", None)) for array in arrays)


def valid_rows(validate, targets_class, X, y):
    """X, and y as targets of this class have it, of rows that ``validate(X, y, ...)`` lets pass."""
    of_user = X
    if getattr(y, "shape", ())[1:] == (0,):
        raise ValueError(f"y has shape {y.shape}, with no target in it. Pass a column or more.")
    try:
        X, y = validate(X, y, accept_sparse="csr", dtype=FLOATS, multi_output=True)
        if are_dates(of_user):
            refuse_missing_dates(X)
    except (TypeError, ValueError):  # which names neither y nor a row where y is of objects
        if y is not None and not sparse.issparse(y):
            values = array_of_rows("y", y)
            if values.dtype.kind == "O":
                refuse_missing(values)
        raise
    return X, targets_class.check(y.toarray() if sparse.issparse(y) else y)


def array_of_rows(name, values):
    """The values as an array; TypeError if there is not one for each row, as in a generator."""
    array = np.asarray(values)
    if not array.ndim:
        raise TypeError(
            f"{name} is of type {type(values).__name__}, which has no value for each row. Pass an "
            "array or a list."
        )
    return array


def are_dates(array):
    """Return whether an array, series or frame holds dates or durations; no frame mixes them in."""
    if hasattr(array, "columns"):  # a frame, which may have one of the name dtype
        dtype = next(iter(getattr(array, "dtypes", ())), None)
    else:
        dtype = getattr(array, "dtype", None)
    return getattr(dtype, "kind", None) in ("m", "M") or getattr(dtype, "is_temporal", bool)()


def refuse_missing_dates(X):
    """Refuse NaT in dates that are numbers by now, of which it is the least one."""
    missing = np.equal(X, float(np.iinfo(np.int64).min))
    if missing.any():
        rows = np.flatnonzero(missing.any(axis=1))
        raise ValueError(
            f"X has missing dates (NaT) in {len(rows)} row(s), the first of them row {rows[0]}. "
            "Drop these rows, or fill them in."
        )


def read_arrays(check, X, y, sample_weight):
    """The table of arrays, without rows of weight zero: ``check(X, y)`` returns them validated."""
    X, y = check(X, y)
    if sample_weight is None:
        return Table(X, y, None)
    weight = valid_weights(X, sample_weight)
    with np.errstate(over="ignore"):
        check_total_weight(weight.sum())
    table = weighed_table(X, y, weight)
    return replace(table, weight=None, frequency=None) if (table.weight == 1).all() else table


def validation_rows(read, arrays, targets):
    """The encoded table ``read(arrays)`` of the user's validation rows; None without any.

    ValueError if a part of them is missing.
    """
    X_val, y_val, sample_weight_val = arrays
    if X_val is None and y_val is None:
        if sample_weight_val is not None:
            raise ValueError("sample_weight_val needs X_val and y_val: pass all three to fit.")
        return None
    if X_val is None or y_val is None:
        missing = "X_val" if X_val is None else "y_val"
        raise ValueError(f"X_val and y_val go together, but {missing} is missing: pass both.")
    names = "X_val and y_val" if sample_weight_val is None else "X_val, y_val and sample_weight_val"
    with about(names):
        table = read(arrays)
    return table.encode(targets, "y_val")


def valid_weights(X, sample_weight):
    """The weights (n,) of the rows of X in float64, none negative."""
    if are_dates(sample_weight):
        raise ValueError("sample_weight holds dates or durations. Pass numbers.")
    if isinstance(sample_weight, Number):
        sample_weight = np.full(X.shape[0], float(sample_weight))
    with about("sample_weight"):
        weight = check_array(sample_weight, ensure_2d=False, dtype=np.float64)
    if weight.shape != (X.shape[0],):
        raise ValueError(
            f"sample_weight must have one value for each of the {X.shape[0]} rows of X, "
            f"shape ({X.shape[0]},); it has shape {weight.shape}."
        )
    if (weight < 0).any():
        raise ValueError(
            f"sample_weight must not be negative: row {np.argmin(weight)} has {weight.min()}."
        )
    return weight


def check_total_weight(total, name="sample_weight"):
    """Refuse rows whose weights have no sum, or the sum zero; ``name`` is what weighs them."""
    if total == 0:
        raise ValueError(f"{name} gives every row the weight zero: no row is left.")
    if not np.isfinite(total):
        raise ValueError(f"The sum of {name} over the rows is not finite. Divide it by a constant.")


def weighed_table(X, y, weight):
    """The table of the rows with a weight; of the others it keeps y, whose labels are classes."""
    kept, of_others = weight > 0, {}
    if not kept.all():
        of_others = {"weightless": y[~kept], "numbers": np.flatnonzero(weight)}
        X, y, weight = X[kept], y[kept], weight[kept]
    return Table(X, y, weight, frequency=weight, **of_others)


def validation_split(n_rows, labels, fraction, random_state):
    """Indices (train, validation) of a random split, a ``fraction`` of the rows for validation.

    It is stratified by ``labels``, if there are any, where each class has two rows or more and both
    parts have room for every class. ValueError if one of the parts would be empty.
    """
    n_validation = int(np.ceil(fraction * n_rows))
    room = min(n_validation, n_rows - n_validation)
    if room < 1 or n_validation < 2:
        part = "validation" if n_validation < 2 else "training"
        raise ValueError(
            f"The {part} set is too small: early_stopping holds out validation_fraction={fraction} "
            f"of n_samples={n_rows}. Set early_stopping=False."
        )
    if labels is not None:
        _, counts = np.unique(labels, return_counts=True)
        if counts.min() < 2 or len(counts) > room:
            labels = None
    return train_test_split(
        np.arange(n_rows), test_size=n_validation, stratify=labels, random_state=random_state
    )


def in_turn(labels):
    """An order (n,) of rows of which every beginning has its share of each label.

    Two of each label come first: where one of them is left out the other is not.
    """
    _, label, counts = np.unique(labels, return_inverse=True, return_counts=True)
    number = np.empty(len(label), int)  # of a row among those with its label
    number[np.argsort(label, kind="stable")] = np.concatenate([np.arange(n) for n in counts])
    turn = np.where(number < 2, number - 2, number / counts[label])
    return np.argsort(turn, kind="stable")
