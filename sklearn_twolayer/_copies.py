"""Copies of an estimator that know no more of it than they need: on workers, and for scorers."""

from copy import copy
from dataclasses import replace
from functools import partial

from sklearn.metrics import check_scoring
from sklearn.utils.validation import validate_data

from sklearn_twolayer._data.dask_table import read_collection
from sklearn_twolayer._fit.monitor import scorer_of_weights
from sklearn_twolayer._learned import Learned

#: What an estimator knows of the columns of X.
COLUMNS = ("n_features_in_", "feature_names_in_")


def read_partitions(estimator, collections, *, check_rows, targets_class, reset):
    """The table of Dask collections X, y and weights; with ``reset`` X tells its columns.

    ``check_rows(copy, X, y, reset=False)`` validates those of a partition on a worker.
    """
    on_worker = type(estimator).__new__(type(estimator))  # knows the columns, and nothing else

    def columns(row):
        validate_data(estimator, row, reset=reset)
        for name in filter(vars(estimator).__contains__, COLUMNS):
            vars(on_worker)[name] = vars(estimator)[name]

    options = {"columns": columns, "check": partial(check_rows, on_worker, reset=False)}
    return read_collection(*collections, **options, targets_class=targets_class)


def for_workers(estimator):
    """A copy that predicts with what a fit has left behind, and has no parameter."""
    model = type(estimator).__new__(type(estimator))
    for name, value in vars(estimator).items():
        if name.endswith("_"):
            vars(model)[name] = value.for_workers() if isinstance(value, Learned) else value
    return model


def with_scorer(problem, estimator, scoring):
    """The problem with validation rows that are scored as the user has named it."""
    scorer, model_of = check_scoring(estimator, scoring), partial(with_weights, estimator)
    score = scorer_of_weights(scoring, scorer, model_of, problem.held_out)
    return replace(problem, score_weights=score)


def with_weights(estimator, coefs, intercepts):
    """A copy that predicts with these weights, of rows that are arrays and have no names."""
    model = copy(estimator)
    vars(model).update(coefs_=coefs, intercepts_=intercepts)
    vars(model).pop("feature_names_in_", None)
    return model
