"""Rows in memory or in a memory map: validated, weighed, encoded."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from sklearn_twolayer._rows import Rows
from sklearn_twolayer._targets import check_weights, validation_split


@dataclass(frozen=True)
class Table:
    """Rows in memory.

    Parameters
    ----------
    X : ndarray or CSR matrix or array, shape (n, f)
    y : ndarray, shape (n,) or (n, k)
        Labels or targets as the user has them.
    weight : ndarray, shape (n,), or None
        Sample weights; None stands for ones.
    targets : ndarray, shape (n, k), or (n,) for class indices; None before ``encode``
        What the losses compare with.
    frequency : ndarray, shape (n,), or None
        The user's own weights, without those of the classes.
    """

    X: object
    y: np.ndarray
    weight: np.ndarray | None
    targets: np.ndarray | None = None
    frequency: np.ndarray | None = None

    is_in_memory = True

    @property
    def n_rows(self):
        return self.X.shape[0]

    @property
    def n_features(self):
        return self.X.shape[1]

    @property
    def dtype(self):
        return self.X.dtype

    @property
    def total_weight(self):
        """S, the sum of the sample weights."""
        return self.n_rows if self.weight is None else self.weight.sum()

    def fit_targets(self, estimator):
        """Let the estimator learn what y means."""
        estimator._fit_targets(self.y)

    def weigh_classes(self, estimator, outline=None):
        """The table with the weights of the classes multiplied in.

        ``outline`` is that of all rows, where the table is a part of them.
        """
        weight = estimator._weigh_classes(self.y, self.weight, outline)
        return replace(self, weight=weight)

    def encode(self, estimator):
        """The table with targets."""
        return replace(self, targets=estimator._encode(self.y))

    def split(self, estimator, random_state):
        """Hold rows out for early stopping: a table to train on, and one of the others."""
        fraction, strata = estimator.validation_fraction, estimator._strata(self.y)
        kept, out = validation_split(self.n_rows, strata, fraction, random_state)
        return self.take(kept), self.take(out)

    def mean_target(self, estimator):
        """Mean of the standardised targets, or share of each class: (n_outputs,)."""
        y = estimator._standardization.apply_targets(self.targets, np.float64)
        return estimator._loss().mean_target(y, self.weight, estimator.n_outputs_)

    def rows(self, standardization, dtype, block_size, weight_unit=None):
        """The rows with standardised targets, to train or to validate."""
        return Rows(
            self.X,
            standardization.apply_targets(self.targets, dtype),
            self.weight,
            standardization=standardization,
            dtype=dtype,
            block_size=block_size,
            weight_unit=weight_unit,
        )

    def raw_rows(self, name, block_size, weight_unit=None):
        """The rows of ``name``, X or targets, as they are: to take moments of."""
        return Rows(
            getattr(self, name),
            None,
            self.weight,
            standardization=None,
            dtype=np.float64,
            block_size=block_size,
            weight_unit=weight_unit,
        )

    def __sizeof__(self):
        """Bytes: what Dask weighs before it moves a table to another worker."""
        arrays = (self.X, self.y, self.weight, self.targets)
        parts = [part for array in arrays for part in _parts(array)]
        return object.__sizeof__(self) + sum(part.nbytes for part in parts)

    def take(self, indices):
        """The table of some of the rows."""
        arrays = (self.X, self.y, self.weight, self.targets, self.frequency)
        return Table(*(None if array is None else array[indices] for array in arrays))


def read_arrays(estimator, X, y, sample_weight, *, reset):
    """The table of arrays; see ``read_table``."""
    X, y = estimator._validate(X, y, reset=reset)
    X, y, weight = check_weights(X, y, sample_weight)
    return Table(X, y, weight, frequency=weight)


def _parts(array):
    """The arrays behind an array, a sparse matrix or None."""
    if array is None:
        return ()
    return (array.data, array.indices, array.indptr) if sparse.issparse(array) else (array,)
