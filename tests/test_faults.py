"""What users have stumbled over: wrong values that were accepted, and errors that named another."""

from fractions import Fraction
from functools import partial
from types import MappingProxyType

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

BOTH = [TwoLayerRegressor, TwoLayerClassifier]
X = np.random.RandomState(0).normal(size=(40, 3))
LABELS = (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize("Estimator", BOTH)
def test_the_sigmoid_is_called_logistic(Estimator):
    with pytest.raises(
        ValueError, match=r"activation='sigmoid' is not valid .* or 'identity'\. "
    ) as e:
        Estimator(activation="sigmoid").fit(X, LABELS)
    assert str(e.value).endswith("The sigmoid is called 'logistic' here.")


def test_and_so_it_is_for_the_output():
    with pytest.raises(ValueError, match=r"or 'logistic'\. The sigmoid is called 'logistic' here"):
        TwoLayerRegressor(output_activation="sigmoid").fit(X, LABELS)


CODES = [(-1, 1), (1, 2), (0, 2), (2, 2)]
INDICATOR = np.column_stack([LABELS, X[:, 1] > 0.3]).astype(int)


def coded(low, high):
    return np.where(INDICATOR == 1, high, low)


def tables(y):
    """X and a matrix y, as arrays and as they come otherwise."""
    array = pytest.importorskip("dask.array")
    chunks = (10, -1)
    return {
        "dense": (X, y),
        "floats": (X, y.astype(float)),
        "sparse": (X, sparse.csr_array(y)),
        "dask": (array.from_array(X, chunks), array.from_array(y, chunks)),
    }


@pytest.mark.parametrize("codes", CODES)
@pytest.mark.parametrize("kind", ["dense", "floats", "sparse", "dask"])
def test_other_codes_of_a_multilabel_matrix_are_refused(kind, codes):
    data = tables(coded(*codes))[kind]
    with pytest.raises(ValueError, match="coded 0 and 1, but y holds") as refusal:
        TwoLayerClassifier(4, alpha=0.1, random_state=0).fit(*data)
    assert str(sorted({*codes}))[1:-1] in str(refusal.value).replace(".0", "")


def test_partitions_that_look_well_coded_are_refused_together():
    array = pytest.importorskip("dask.array")
    y = np.repeat([[1, 1], [2, 2]], 20, axis=0)
    with pytest.raises(ValueError, match=r"but y holds \[1, 2\]"):
        TwoLayerClassifier(4, alpha=0.1).fit(
            array.from_array(X, (20, -1)), array.from_array(y, (20, -1))
        )


def test_other_codes_are_refused_after_the_fit_too():
    model = TwoLayerClassifier(4, solver="adam", max_iter=3, random_state=0)
    wrong, refusal = coded(-1, 1), pytest.raises(ValueError, match="coded 0 and 1")
    with refusal:
        model.fit(X, INDICATOR, X_val=X, y_val=wrong)
    with refusal:
        model.partial_fit(X, wrong, classes=[0, 1])
    model.partial_fit(X, INDICATOR, classes=[0, 1])
    for method in (model.partial_fit, model.loss_and_gradient):
        with refusal:
            method(X, wrong)


@pytest.mark.parametrize("kind", ["arrays", "dask"])
@pytest.mark.parametrize("settings", [{}, {"class_weight": {0: 2}}])
@pytest.mark.parametrize("y", [LABELS, 2 * LABELS + INDICATOR[:, 1]], ids=["two", "four"])
def test_two_columns_are_not_twice_the_rows(y, settings, kind):
    """Two columns of two classes were read as 80 targets of 40 rows."""
    model = TwoLayerClassifier(4, solver="adam", alpha=0.1, tol=0.1, random_state=0, **settings)
    data, columns = (X, y), (X, np.column_stack([y, y]))
    if kind == "dask":
        array = pytest.importorskip("dask.array")
        data, columns = ([array.from_array(part, 20) for part in pair] for pair in (data, columns))
    refusal = pytest.raises(ValueError, match=r"y(_val)? has .*, 2\), but one column .*\[0, 1")
    with refusal as error:
        model.fit(*data, X_val=columns[0], y_val=columns[1])
    assert str(error.value).startswith("y_val has shape (")
    model.fit(*data)
    with refusal:
        model.loss_and_gradient(*columns)
    with pytest.raises(ValueError):
        model.score(*columns)
    if kind == "arrays":
        with refusal:
            model.partial_fit(*columns)


@pytest.mark.parametrize("missing", [None, np.nan])
@pytest.mark.parametrize("kind", ["numbers", "names", "matrix"])
def test_missing_values_of_y_are_called_missing(kind, missing):
    y = {"numbers": X[:, 0], "names": np.where(LABELS, "yes", "no"), "matrix": INDICATOR}[kind]
    Estimator = TwoLayerRegressor if kind == "numbers" else TwoLayerClassifier
    y = y.astype(object)
    model = Estimator(4, alpha=0.1, random_state=0).fit(X, y.tolist())
    y[(3, 0) if y.ndim == 2 else 3] = missing
    for method in (model.fit, model.loss_and_gradient):
        with pytest.raises(ValueError, match=r"y has missing values.* row 3"):
            method(X, y)


def test_none_is_named_with_its_row():
    y = X[:, 0].astype(object)
    y[[7, 9]] = None
    with pytest.raises(ValueError, match=r"NA or NaT\) in 2 row\(s\), the first .* row 7\."):
        TwoLayerRegressor(4).fit(X, y)


def test_dates_and_durations_are_no_targets_and_no_weights():
    """They were taken for numbers of whatever their unit was."""
    durations = (1000 * X[:, 0]).astype("timedelta64[s]")
    for y in (durations, np.datetime64("2020-01-01") + durations):
        with pytest.raises(ValueError, match=r"y holds dates or durations.*timedelta64\(1, 'D'\)"):
            TwoLayerRegressor(4).fit(X, y)
        with pytest.raises(ValueError, match="sample_weight holds dates or durations"):
            TwoLayerRegressor(4).fit(X, X[:, 0], sample_weight=y)
    days = durations / np.timedelta64(1, "D")
    assert TwoLayerRegressor(4, alpha=0.1, random_state=0).fit(X, days).score(X, days) > 0.5
    assert len(TwoLayerClassifier(4, alpha=0.1).fit(X, durations > durations[0]).classes_) == 2


@pytest.mark.parametrize("turned", [False, True])
def test_a_warm_start_says_that_the_kind_of_y_changed(turned):
    model = TwoLayerClassifier(4, alpha=0.1, warm_start=True, random_state=0)
    before, after = (INDICATOR, LABELS) if turned else (LABELS, INDICATOR)
    model.fit(X, before)
    with pytest.raises(ValueError, match=r"another kind of y: it was .*multilabel matrix"):
        model.fit(X, after)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["lm", "lbfgs", "adam", "sgd", "gd"])
@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"standardize": False}])
def test_a_constant_y_is_fitted_exactly(settings, solver):
    model = TwoLayerRegressor(4, solver=solver, alpha=0.01, max_iter=30, random_state=0)
    model.set_params(**settings).fit(X, np.full(len(X), 3.7))
    assert np.abs(model.predict(X) - 3.7).max() < 1e-12


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_and_so_is_a_constant_target_among_others(solver):
    y = np.column_stack([X[:, 0], np.full(len(X), -2.5)])
    model = TwoLayerRegressor(4, solver=solver, early_stopping=True, random_state=0).fit(X, y)
    assert np.abs(model.predict(X)[:, 1] + 2.5).max() < 1e-12


@pytest.mark.parametrize("y_val", [LABELS, X[:, 0].tolist()])
def test_errors_of_validation_rows_name_them(y_val):
    message = "^X_val and y_val: X has 2 features, but TwoLayerRegressor is expecting 3 features"
    with pytest.raises(ValueError, match=message):
        TwoLayerRegressor(4, alpha=0.1).fit(X, X[:, 0], X_val=X[:, :2], y_val=y_val)
    y_val = [np.nan, *y_val[1:]]
    with pytest.raises(ValueError, match=r"^X_val and y_val: Input y contains NaN"):
        TwoLayerRegressor(4, alpha=0.1).fit(X, X[:, 0], X_val=X, y_val=y_val)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_stream_of_huge_targets_is_refused_and_nothing_else(solver):
    model = TwoLayerRegressor(4, solver=solver, standardize=False, random_state=0)
    with pytest.raises(ValueError, match="too large for float64"):  # and no RuntimeWarning
        model.partial_fit(X, 1e200 * X[:, 0])


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_an_absurd_learning_rate_is_told(solver, method):
    model = TwoLayerRegressor(4, solver=solver, learning_rate=1e300, max_iter=20, random_state=0)
    message = r"learning_rate=1e\+300 is far too large.*Try learning_rate='auto'"
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        getattr(model, method)(X, X[:, 0])
    assert caught[0].filename == __file__


RELATIVE = 1 / np.random.RandomState(1).uniform(0.05, 0.2, size=40) ** 2


@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
@pytest.mark.parametrize(
    "settings", [{}, {"alpha": "evidence"}, {"solver": "lbfgs"}, {"solver": "adam"}], ids=str
)
def test_weights_that_are_no_counts_are_told(settings, Estimator):
    """Whatever finds the penalty, it is one for so many rows."""
    model = Estimator(4, random_state=0, **settings)
    with pytest.warns(
        UserWarning, match="each row counts as .* divide them by their mean"
    ) as caught:
        model.fit(X, X[:, 0] > 0, RELATIVE)
    assert caught[0].filename == __file__
    assert f"sum to {RELATIVE.sum():.6g}" in str(caught[0].message)


@pytest.mark.parametrize("weight", [RELATIVE / RELATIVE.mean(), np.full(40, 9.0), None])
def test_weights_of_ordinary_size_are_not(weight):
    TwoLayerRegressor(4, random_state=0).fit(X, X[:, 0], weight)


def test_weights_that_are_no_counts_are_told_of_a_stream():
    model = TwoLayerRegressor(4, solver="adam", random_state=0)
    with pytest.warns(UserWarning, match="each row counts as") as caught:
        model.partial_fit(X, X[:, 0], RELATIVE)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("settings", [{"alpha": 0.1}, {"alpha": 0.1, "solver": "adam"}])
def test_where_no_penalty_is_chosen_weights_may_be_anything(settings):
    TwoLayerRegressor(4, random_state=0, **settings).fit(X, X[:, 0], RELATIVE)


def test_class_weights_are_not_meant():
    options = {"class_weight": {0: 1000, 1: 1000}, "random_state": 0}
    TwoLayerClassifier(4, **options).fit(X, LABELS)
    array = pytest.importorskip("dask.array")
    data = array.from_array(X, (10, -1)), array.from_array(LABELS, 10)
    TwoLayerClassifier(4, **options).fit(*data)
    with pytest.warns(UserWarning, match="each row counts as"):
        TwoLayerClassifier(4, random_state=0).fit(*data, array.from_array(RELATIVE, 10))


@pytest.mark.filterwarnings("ignore:In the first batch y is constant")
def test_a_stream_whose_first_rows_are_alike_starts_as_any_other():
    model = TwoLayerRegressor(4, solver="adam", random_state=0).partial_fit(X, np.ones(len(X)))
    assert np.abs(model.coefs_[1]).min() > 0.01


@pytest.mark.parametrize("Estimator", BOTH)
@pytest.mark.parametrize("solver", ["lm", "lbfgs", "sgd"])
def test_numbers_of_any_kind(solver, Estimator):
    settings = {"solver": solver, "max_iter": 300, "tol": 0.01, "random_state": 0}
    expected = Estimator(4, alpha=0.25, momentum=0.5, **settings).fit(X, LABELS).predict(X)
    for kind in (Fraction, np.longdouble):
        numbers = {"alpha": kind(0.25), "momentum": kind(0.5), "tol": kind(0.01)}
        found = Estimator(4, **{**settings, **numbers}).fit(X, LABELS).predict(X)
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("Estimator", BOTH)
def test_weights_that_are_no_numbers_are_not_blamed_on_the_data(Estimator):
    model = Estimator(4, alpha=0.1, warm_start=True, random_state=0).fit(X, LABELS)
    model.coefs_ = [np.nan * model.coefs_[0], model.coefs_[1]]
    with pytest.raises(ValueError, match="coefs_ or intercepts_ hold nan"):
        model.fit(X, LABELS)


@pytest.mark.parametrize("Estimator", BOTH)
def test_weights_may_be_lists(Estimator):
    model = Estimator(4, alpha=0.1, warm_start=True, random_state=0).fit(X, LABELS)
    methods = [model.predict, model.transform, model.input_gradient]
    expected = [method(X) for method in methods]
    loss = model.loss_and_gradient(X, LABELS)[0]
    model.coefs_ = [W.tolist() for W in model.coefs_]
    model.intercepts_ = [b.tolist() for b in model.intercepts_]
    for method, before in zip(methods, expected):
        assert np.array_equal(method(X), before)
    assert model.loss_and_gradient(X, LABELS)[0] == loss
    assert model.get_feature_names_out().shape == (4,)
    assert isinstance(model.fit(X, LABELS).coefs_[0], np.ndarray)


@pytest.mark.parametrize("kind", ["arrays", "dask"])
def test_class_weights_may_be_any_mapping(kind):
    data = X, LABELS
    if kind == "dask":
        array = pytest.importorskip("dask.array")
        data = array.from_array(X, (20, -1)), array.from_array(LABELS, 20)
    settings = {"alpha": 0.1, "random_state": 0}
    weights = MappingProxyType({0: 3.0})
    found = TwoLayerClassifier(4, class_weight=weights, **settings).fit(*data)
    expected = TwoLayerClassifier(4, class_weight=dict(weights), **settings).fit(*data)
    assert np.array_equal(found.predict_proba(X), expected.predict_proba(X))


def test_validation_rows_of_partitions_are_named():
    array = pytest.importorskip("dask.array")
    y_val = np.append(LABELS[:-1], 9)
    data = array.from_array(X, (20, -1)), array.from_array(LABELS, 20)
    val = {"X_val": data[0], "y_val": array.from_array(y_val, 20)}
    message = r"^Partition 1: y_val has the labels \[9\], not among \[0, 1\]"
    with pytest.raises(ValueError, match=message):
        TwoLayerClassifier(4, alpha=0.1).fit(*data, **val)


METHODS = ("predict", "transform", "input_gradient", "predict_proba", "predict_log_proba")


@pytest.mark.parametrize("Estimator", BOTH)
def test_None_is_no_X(Estimator):
    """It had stood for none, and ended in an internal error."""
    model = Estimator(4, alpha="evidence", random_state=0).fit(X, LABELS)
    calls = [getattr(model, name) for name in METHODS if hasattr(model, name)]
    calls += [partial(method, y=LABELS) for method in (model.score, model.loss_and_gradient)]
    calls.append(partial(model.fit, y=LABELS))
    if Estimator is TwoLayerClassifier:
        calls += [model.decision_function, partial(model.predict_proba, moderated=True)]
    else:
        calls.append(partial(model.predict, return_std=True))
    for call in calls:
        with pytest.raises(ValueError, match="Expected 2D array, got scalar array instead"):
            call(None)


def test_targets_that_are_no_numbers_are_told():
    names, huge = np.where(LABELS, "yes", "no"), [10**400, *X[1:, 0]]
    model = TwoLayerRegressor(4, alpha=0.1, random_state=0)
    for y in (names, names.astype(object), huge, [{}, *X[1:, 0]]):
        with pytest.raises(ValueError, match=r"y does not hold real numbers: .*, or labels to"):
            model.fit(X, y)
    with pytest.raises(ValueError, match=r"^sample_weight: could not convert string to float"):
        model.fit(X, LABELS, names)
    with pytest.raises(ValueError, match=r"^sample_weight: Input contains NaN"):
        model.fit(X, LABELS, np.full(40, np.nan))
    as_text = X[:, 0].astype(str)
    for y in (as_text, as_text.astype(object), X[:, 0].astype(object)):
        assert np.array_equal(model.fit(X, y).predict(X), model.fit(X, X[:, 0]).predict(X))


@pytest.mark.parametrize("Estimator", BOTH)
def test_y_without_a_column_is_not_blamed_on_X(Estimator):
    with pytest.raises(ValueError, match=r"^y has shape \(40, 0\), with no target"):
        Estimator(4).fit(X, np.empty((40, 0)))


@pytest.mark.parametrize("solver", ["lm", "lbfgs", "adam"])
@pytest.mark.parametrize("standardize", [True, False])
def test_where_nobody_looks_for_missing_values_they_are_suspected(standardize, solver):
    model = TwoLayerRegressor(4, solver=solver, standardize=standardize, alpha=0.1)
    refusal = pytest.raises(ValueError, match=r"missing values, or .*too large.* Fill them in, or")
    with sklearn.config_context(assume_finite=True), refusal:
        model.fit(np.where(X[7, 1] == X, np.nan, X), LABELS)


def test_a_learning_rate_out_of_bounds_has_a_way_out():
    model = TwoLayerRegressor(4, solver="gd", learning_rate=1e300, alpha=0.1, random_state=0)
    with pytest.raises(ValueError, match=r"diverged.* Try learning_rate=.*, or 'auto', or another"):
        model.fit(X, LABELS)
