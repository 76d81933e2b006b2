"""Predictions and scores of Dask collections: block by block, where the blocks are."""

from functools import partial, wraps

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_twolayer._rows import is_collection, on_one_thread, whole_rows
from sklearn_twolayer._standardize import Standardization
from sklearn_twolayer._table import for_workers, read_table


def lazy(method, *, with_posterior=False):
    """Decorate a method of X: of a Dask collection it returns a Dask array, not yet computed.

    Its rows lie in the partitions of X. What they look like is found on a row of zeros.
    Pickles may leave the posterior out, so it is sent on its own where it is needed.
    """

    @wraps(method)
    def of_array_or_collection(self, X, *args, **kwargs):
        if not is_collection(X):
            return method(self, X, *args, **kwargs)
        check_is_fitted(self)
        X = whole_rows(X)
        zeros = np.zeros((1, self.n_features_in_), getattr(X, "dtype", np.float64))
        posteriors = self._posteriors if with_posterior else None
        estimator = for_workers(self)
        nameless = for_workers(self)
        vars(nameless).pop("feature_names_in_", None)
        one = _of_block(nameless, posteriors, method.__name__, None, args, kwargs, zeros)
        block = partial(_of_block, estimator, posteriors, method.__name__, one[:0], args, kwargs)
        if hasattr(X, "map_partitions"):
            return X.map_partitions(block, meta=one[:0])
        widths = [(width,) for width in one.shape[1:]]
        axes = {"drop_axis": 1, "new_axis": list(range(1, one.ndim))}
        return X.map_blocks(
            block, dtype=one.dtype, chunks=(X.chunks[0], *widths), meta=one[:0], **axes
        )

    return of_array_or_collection


lazy_with_posterior = partial(lazy, with_posterior=True)


def _of_block(estimator, posteriors, name, nothing, args, kwargs, X):
    if X.shape[0] == 0:
        return nothing
    if posteriors is not None:
        estimator = for_workers(estimator)
        estimator._posteriors = posteriors
    with on_one_thread():
        return getattr(estimator, name)(X, *args, **kwargs)


class ScoresCollections:
    """``score`` as sums over rows, where X is a Dask collection."""

    def score(self, X, y, sample_weight=None):
        """Return R^2 of the predictions of a regressor, accuracy of those of a classifier.

        Of Dask collections it is computed in one pass over the partitions.

        Parameters
        ----------
        X : array-like, sparse matrix or Dask collection of shape (n_samples, n_features)
            Inputs.
        y : array-like or Dask collection of shape (n_samples,) or (n_samples, n_outputs)
            True targets.
        sample_weight : array-like or Dask collection of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        score : float
            At most 1.
        """
        if not is_collection(X, y, sample_weight):
            return super().score(X, y, sample_weight=sample_weight)
        check_is_fitted(self)
        table = read_table(self, X, y, sample_weight, reset=False).encode(self)
        units = Standardization.none(self.n_features_in_, self.n_outputs_)
        size = self._block_size(self.coefs_[0].dtype)
        with table.rows(units, self.coefs_[0].dtype, size) as rows:
            return self._score_rows(rows, self._block_raw_prediction())
