"""X as users have it: what passes for it, arrays as predictions need them, and collections."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_twolayer._copies import for_workers
from sklearn_twolayer._data.dask_table import map_collection
from sklearn_twolayer._data.table import is_collection
from sklearn_twolayer._data.targets import refuse_missing
from sklearn_twolayer._fit.weights import check_shapes, float_arrays

#: Rows of inputs; data frames and Dask collections pass for arrays.
Matrix = ArrayLike | sparse.sparray | sparse.spmatrix
MaybeArray = ArrayLike | None
Method = TypeVar("Method", bound=Callable)
#: In what X is computed: float32 stays.
FLOATS = (np.float64, np.float32)


def validated(estimator, X=None, dtype=FLOATS):
    """What a prediction is made of: ``coefs_``, ``intercepts_``, which may be assigned to, and X.

    Without X the weights alone.
    """
    check_is_fitted(estimator, ("coefs_", "n_outputs_"))
    weights = float_arrays(estimator.coefs_), float_arrays(estimator.intercepts_)
    check_shapes(*weights, estimator.n_features_in_, estimator.n_outputs_)
    if X is None:
        return weights
    return *weights, validate_data(estimator, X, accept_sparse="csr", dtype=dtype, reset=False)


def read_rows(estimator, X, y, *, reset, is_numeric):
    """X and y of some rows, y dense; with ``reset`` the estimator learns the columns of X."""
    kinds = {"multi_output": True, "y_numeric": is_numeric}
    try:
        X, y = validate_data(
            estimator, X, y, accept_sparse="csr", dtype=FLOATS, reset=reset, **kinds
        )
    except TypeError:  # of a y with NA, which is neither true nor false
        if not sparse.issparse(y):
            refuse_missing(np.asarray(y))
        raise
    return X, y.toarray() if sparse.issparse(y) else y


def over_collections(method: Method) -> Method:
    """Decorate a method of X: of a Dask collection it returns a Dask array, not yet computed.

    Workers get what a fit has left behind, the error bars included, and no parameter.
    """

    @wraps(method)
    def of_array_or_collection(self, X, *args, **kwargs):
        if not is_collection(X):
            return method(self, X, *args, **kwargs)
        check_is_fitted(self)
        model = for_workers(self)
        return map_collection(X, lambda X: method(model, X, *args, **kwargs), self.n_features_in_)

    return of_array_or_collection
