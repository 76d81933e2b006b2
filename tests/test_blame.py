"""Warnings blame the line of the user who called the method."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

X = np.random.RandomState(0).normal(size=(40, 2))
FAR = 5 + X[:, 0]


def caught_in(call):
    """The only warning of a call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ConvergenceWarning)
        call()
    (warning,) = caught
    return warning


def network(**parameters):
    settings = {"n_hidden": 3, "output_activation": "logistic", "max_iter": 3, "random_state": 0}
    return TwoLayerRegressor(**{**settings, **parameters})


def assert_is_of_y(warning, line):
    assert warning.category is UserWarning
    assert "y ranges from" in str(warning.message)
    assert "predicts within (0, 1)" in str(warning.message)
    assert warning.filename == __file__
    assert warning.lineno == line


def line_of(function):
    """The line after that of the ``def`` of a function."""
    return function.__code__.co_firstlineno + 1


@pytest.mark.parametrize("solver", ["lm", "lbfgs", "adam", "gd"])
def test_targets_outside_the_range_of_the_output(solver):
    model = network(solver=solver)

    def call():
        model.fit(X, FAR)

    assert_is_of_y(caught_in(call), line_of(call))


def test_in_a_fit_that_goes_on():
    model = network(solver="lbfgs", warm_start=True)

    def call():
        model.fit(X, FAR)

    for _ in range(2):
        assert_is_of_y(caught_in(call), line_of(call))


def test_a_warm_start_that_says_nothing_of_the_rows():
    model = TwoLayerRegressor(3, alpha=0.01, warm_start=True, random_state=0).fit(X, FAR + 1000)

    def call():
        model.fit(X, FAR)

    warning = caught_in(call)
    assert warning.category is UserWarning
    assert "the weights of the last fit lose" in str(warning.message)
    assert warning.filename == __file__
    assert warning.lineno == line_of(call)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_in_partial_fit(solver):
    model = network(solver=solver)

    def call():
        model.partial_fit(X, FAR)

    assert_is_of_y(caught_in(call), line_of(call))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.partial_fit(X, FAR)  # the first call has said it


def test_of_a_collection():
    da = pytest.importorskip("dask.array", reason="the dask extra is not installed")
    rows, y = da.from_array(X, chunks=(10, -1)), da.from_array(FAR, chunks=10)
    model = network(solver="lbfgs")

    def call():
        model.fit(rows, y)

    assert_is_of_y(caught_in(call), line_of(call))


def test_targets_within_the_range_are_no_reason_to_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        network(solver="lbfgs").fit(X, 1 / (1 + np.exp(-FAR)))
        network(solver="lbfgs", output_activation="identity").fit(X, FAR)


@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
@pytest.mark.parametrize("n_members", [1, 2])
def test_of_a_fit_that_has_not_converged(Estimator, n_members):
    model = Estimator(3, solver="gd", max_iter=2, n_members=n_members, random_state=0)

    def call():
        model.fit(X, (FAR > 5).astype(int))

    with pytest.warns(ConvergenceWarning, match="max_iter=2") as caught:
        call()
    assert [(warning.filename, warning.lineno) for warning in caught] == [(__file__, line_of(call))]


def as_column(y):
    return y[:, None]


def as_frame(y):
    return pytest.importorskip("pandas").DataFrame({"kind": y})


def as_partitions(y):
    reason = "the dask extra is not installed"
    return pytest.importorskip("dask.array", reason=reason).from_array(y[:, None], chunks=(10, 1))


def as_list(y):
    return y[:, None].tolist()


@pytest.mark.parametrize("as_given", [as_column, as_list, as_frame, as_partitions])
@pytest.mark.parametrize("options", [{}, {"classes": [0, 1]}], ids=["fit", "partial_fit"])
def test_of_labels_in_a_column(options, as_given):
    if options and as_given is as_partitions:
        pytest.skip("partial_fit takes arrays")
    labels = as_given((FAR > 5).astype(int))
    rows = labels + 0.1 if as_given is as_partitions else X
    model = TwoLayerClassifier(3, solver="adam", alpha=0.1, random_state=0)
    method = model.partial_fit if options else model.fit

    def call():
        method(rows, labels, **options)

    warning = caught_in(call)
    assert warning.category is DataConversionWarning
    assert "A column-vector y was passed" in str(warning.message)
    assert (warning.filename, warning.lineno) == (__file__, line_of(call))


def test_a_column_of_numbers_is_one_target():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network(solver="lm", alpha=0.1, output_activation="identity", max_iter=99).fit(
            X, FAR[:, None]
        )
