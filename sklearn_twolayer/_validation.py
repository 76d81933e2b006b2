"""X as users have it, arrays and collections, and copies of an estimator to read it with.

Copies know no more of the estimator than they need: on workers, and for scorers.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import partial, wraps
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_twolayer._data.dask_table import map_collection, read_collection
from sklearn_twolayer._data.table import (
    FLOATS,
    are_dates,
    is_collection,
    refuse_missing_dates,
    valid_rows,
)
from sklearn_twolayer._fit.monitor import scorer_of_weights
from sklearn_twolayer._fit.weights import check_shapes, float_arrays
from sklearn_twolayer._learned import Learned

#: Rows of inputs; data frames and Dask collections pass for arrays.
Matrix = ArrayLike | sparse.sparray | sparse.spmatrix
MaybeArray = ArrayLike | None
Method = TypeVar("Method", bound=Callable)
#: What an estimator knows of the columns of X.
COLUMNS = ("n_features_in_", "feature_names_in_")


def weights_of(estimator):
    """``coefs_`` and ``intercepts_``, which may be assigned to, of a fitted estimator."""
    check_is_fitted(estimator, ("coefs_", "n_outputs_"))
    weights = float_arrays(estimator.coefs_), float_arrays(estimator.intercepts_)
    check_shapes(*weights, estimator.n_features_in_, estimator.n_outputs_)
    return weights


def validated(estimator, X, dtype=FLOATS):
    """Return what a prediction is made of: ``coefs_``, ``intercepts_``, and X as numbers."""
    weights = weights_of(estimator)
    numbers = validate_data(estimator, X, accept_sparse="csr", dtype=dtype, reset=False)
    if are_dates(X):
        refuse_missing_dates(numbers)
    return *weights, numbers


def over_collections(method: Method) -> Method:
    """Decorate a method of X: of a Dask collection it returns a Dask array, not yet computed.

    Workers get what a fit has left behind, the error bars included, and no parameter.
    """

    @wraps(method)
    def of_array_or_collection(self, X, *args, **kwargs):
        if not is_collection(X):
            # as in a fit: what is too small is zero, and what is too large is told by itself
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                return method(self, X, *args, **kwargs)
        check_is_fitted(self)
        model = for_workers(self)
        return map_collection(X, lambda X: method(model, X, *args, **kwargs), self.n_features_in_)

    return of_array_or_collection


def read_partitions(estimator, arrays, *, targets_class, reset):
    """The table of collections X, y and weights; with ``reset`` X tells its columns."""
    on_worker = type(estimator).__new__(type(estimator))  # knows the columns, and nothing else

    def columns(row):
        validate_data(estimator, row, reset=reset)
        for name in filter(vars(estimator).__contains__, COLUMNS):
            vars(on_worker)[name] = vars(estimator)[name]

    validate = partial(validate_data, on_worker, reset=False)
    check = partial(valid_rows, validate, targets_class)
    return read_collection(*arrays, columns=columns, check=check, targets_class=targets_class)


def read_again(read, arrays):
    """The table ``read(arrays)`` of the columns of a warm start; ValueError if it has others."""
    try:
        return read(arrays)
    except ValueError as error:
        read(arrays, reset=True)  # what is wrong with more than the columns is told as it is
        end = "" if str(error).endswith("\n") else " "
        raise ValueError(f"{error}{end}Set warm_start=False to begin anew.") from error


def for_workers(estimator):
    """A copy that predicts with what a fit has left behind, and has no parameter."""
    model = type(estimator).__new__(type(estimator))
    for name, value in vars(estimator).items():
        if name.endswith("_"):
            vars(model)[name] = value.for_workers() if isinstance(value, Learned) else value
    return model


def with_scorer(problem, estimator, scoring):
    """The problem, whose validation rows are scored as the user has named it."""
    if scoring in (None, "loss"):
        return problem
    held_out = (problem.in_columns or problem).held_out
    scorer, model_of = check_scoring(estimator, scoring), partial(with_weights, estimator)
    names = () if problem.targets.is_numeric else get_scorer_names()
    others = [name for name in names if name.startswith(f"{scoring}_")]  # as f1_macro of f1
    score = scorer_of_weights(scoring, scorer, model_of, held_out, others=others)
    return replace(problem, score_weights=score)


def with_weights(estimator, coefs, intercepts):
    """A copy that predicts with these weights, of rows that are arrays and have no names."""
    model = copy(estimator)
    vars(model).update(coefs_=coefs, intercepts_=intercepts)
    vars(model).pop("feature_names_in_", None)
    return model
