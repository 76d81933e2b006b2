"""Data frames of pandas and polars: the same fit as arrays, and names that are checked."""

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

ESTIMATORS = [TwoLayerRegressor, TwoLayerClassifier]
NAMES = ["age", "bmi", "dose"]
X = np.random.RandomState(0).normal(size=(60, 3))
Y = np.digitize(X[:, 0] + X[:, 1] * X[:, 2], [0, 1])
EARLY_STOPPING = pytest.mark.parametrize("early_stopping", [False, True])


@pytest.fixture(params=["pandas", "polars"])
def library(request):
    """A library of data frames, or a skip."""
    return pytest.importorskip(request.param)


@pytest.fixture
def frame(library):
    return library.DataFrame(dict(zip(NAMES, X.T)))


def fitted(Estimator, X, y=Y, sample_weight=None, **parameters):
    return Estimator(4, alpha=0.01, random_state=0, **parameters).fit(
        X, y, sample_weight=sample_weight
    )


@EARLY_STOPPING
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_frame_fits_like_its_array_and_keeps_its_names(Estimator, early_stopping, library, frame):
    model = fitted(Estimator, frame, library.Series(Y), early_stopping=early_stopping)
    expected = fitted(Estimator, X, early_stopping=early_stopping)
    assert model.feature_names_in_.tolist() == NAMES
    assert model.feature_names_in_.dtype == object
    assert np.array_equal(model.predict(frame), expected.predict(X))
    assert model.score(frame, Y) == expected.score(X, Y)
    assert model.loss_and_gradient(frame, Y)[0] == expected.loss_and_gradient(X, Y)[0]


@EARLY_STOPPING
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_columns_in_another_order_are_refused(Estimator, early_stopping, frame):
    model = fitted(Estimator, frame, early_stopping=early_stopping)
    calls = [model.predict, lambda X: model.score(X, Y), lambda X: model.loss_and_gradient(X, Y)]
    for call in calls:
        with pytest.raises(ValueError, match="must be in the same order"):
            call(frame[["bmi", "age", "dose"]])
        with pytest.raises(ValueError, match="yet now missing"):
            call(frame[["age", "bmi"]])


@EARLY_STOPPING
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_warm_start_goes_on_with_the_same_columns(Estimator, early_stopping, frame):
    model = fitted(Estimator, frame, early_stopping=early_stopping, warm_start=True)
    before = model.predict(frame)
    with pytest.raises(ValueError, match="must be in the same order"):
        model.fit(frame[["bmi", "age", "dose"]], Y)
    unseen = r"unseen at fit time:\n- doses\n(.*\n)*- dose\nSet warm_start=False to begin anew\.$"
    with pytest.raises(ValueError, match=unseen):
        model.fit(frame.rename(**renaming(frame)), Y)
    assert np.array_equal(model.predict(frame), before)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.fit(X, Y)
    assert model.fit(frame, Y).feature_names_in_.tolist() == NAMES
    anew = model.set_params(warm_start=False).fit(frame[["bmi", "age"]], Y)
    assert anew.feature_names_in_.tolist() == ["bmi", "age"]


def renaming(frame):
    """How pandas, and how polars, rename a column."""
    names = {"dose": "doses"}
    return {"columns": names} if hasattr(frame, "iloc") else {"mapping": names}


def test_missing_dates_are_refused_and_others_are_numbers(library):
    """NaT is the least integer, and was taken for that number."""
    dates = np.datetime64("2020-01-01", "us") + (1e9 * X).astype("timedelta64[us]")
    holey = np.where(X.max() > X, dates, np.datetime64("NaT", "us"))
    whole, holey = (library.DataFrame(dict(zip(NAMES, each.T))) for each in (dates, holey))
    model = fitted(TwoLayerRegressor, whole)
    assert np.array_equal(model.predict(whole), fitted(TwoLayerRegressor, dates).predict(dates))
    message = rf"X has missing dates \(NaT\) in 1 row\(s\), .* row {np.argmax(X) // 3}\."
    for call in (model.predict, lambda X: model.fit(X, Y), lambda X: model.score(X, Y)):
        with pytest.raises(ValueError, match=message):
            call(holey)


def test_names_that_come_or_go_are_warned_of(frame):
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        fitted(TwoLayerRegressor, frame).predict(X)
    with pytest.warns(UserWarning, match="X has feature names"):
        fitted(TwoLayerRegressor, X).predict(frame)


def test_a_second_fit_forgets_the_names_of_the_first(frame):
    model = fitted(TwoLayerRegressor, frame).fit(X, Y)
    assert not hasattr(model, "feature_names_in_")
    model.predict(X)


def test_a_refused_fit_keeps_the_names(frame):
    model = fitted(TwoLayerRegressor, frame)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, np.nan), Y)
    assert model.feature_names_in_.tolist() == NAMES


@pytest.mark.parametrize("labels", [["a", "b", "c"], [-3, 0, 7]])
def test_series_of_labels(library, frame, labels):
    y = np.array(labels)[Y]
    model = fitted(TwoLayerClassifier, frame, library.Series(y))
    assert model.classes_.tolist() == labels
    assert np.array_equal(model.predict(frame), fitted(TwoLayerClassifier, X, y).predict(X))


@pytest.mark.parametrize("kind", ["string", "category", object])
def test_series_with_gaps_have_missing_values(kind):
    pandas = pytest.importorskip("pandas")
    y = pandas.Series(np.array(["a", "b", "c"])[Y], dtype="string")
    gaps = y.where(np.arange(60) != 7).astype(kind)
    message = r"y has missing values \(None, nan, NA or NaT\) in 1 row\(s\), the first .* row 7\."
    for labels in (gaps, gaps.to_frame()):
        with pytest.raises(ValueError, match=message):
            TwoLayerClassifier().fit(X, labels)
        with pytest.raises(ValueError, match=f"^X_val and y_val: {message}"):
            TwoLayerClassifier().fit(X, y, X_val=X, y_val=labels)
    frame = pytest.importorskip("dask.dataframe")
    data = (frame.from_pandas(part, npartitions=2) for part in (pandas.DataFrame(X), gaps))
    with pytest.raises(ValueError, match=r"Partition 0 .* missing values"):
        TwoLayerClassifier().fit(*data)


def test_frames_of_targets_and_series_of_weights(library, frame):
    y = library.DataFrame({"first": Y, "second": 1.5 * Y})
    weight = np.linspace(0, 2, 60)
    model = fitted(TwoLayerRegressor, frame, y, library.Series(weight))
    expected = fitted(TwoLayerRegressor, X, np.c_[Y, 1.5 * Y], weight)
    assert np.array_equal(model.predict(frame), expected.predict(X))
    labels = library.DataFrame({"first": Y > 0, "second": Y > 1})
    several = fitted(TwoLayerClassifier, frame, labels)
    assert several.predict(frame).shape == (60, 2)


def test_frames_of_float32_give_float32():
    pandas = pytest.importorskip("pandas")  # scikit-learn reads polars frames as float64
    frame = pandas.DataFrame(X.astype(np.float32), columns=NAMES)
    model = fitted(TwoLayerRegressor, frame)
    assert model.coefs_[0].dtype == model.predict(frame).dtype == np.float32


def test_frames_of_mixed_numbers_and_any_index():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "float": X[:, 0],
            "integer": (5 * X[:, 1]).astype(int),
            "boolean": X[:, 2] > 0,
            "nullable": pandas.array((5 * X[:, 2]).astype(int), dtype="Int64"),
        },
        index=np.random.RandomState(1).permutation(60),
    )
    model = fitted(TwoLayerRegressor, frame, pandas.Series(Y, index=frame.index[::-1]))
    expected = fitted(TwoLayerRegressor, frame.to_numpy(float))
    assert np.array_equal(model.predict(frame), expected.predict(frame.to_numpy(float)))


def test_columns_without_names_are_no_names():
    pandas = pytest.importorskip("pandas")
    model = fitted(TwoLayerRegressor, pandas.DataFrame(X))
    assert not hasattr(model, "feature_names_in_")


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_pipeline_that_hands_on_frames(Estimator, library, frame):
    name = library.__name__
    scale = make_column_transformer((StandardScaler(), ["age", "bmi"]), remainder="passthrough")
    pipeline = make_pipeline(scale, Estimator(4, alpha=0.01, random_state=0)).set_output(
        transform=name
    )
    pipeline.fit(frame, Y)
    assert pipeline[-1].feature_names_in_.tolist() == [
        "standardscaler__age",
        "standardscaler__bmi",
        "remainder__dose",
    ]
    assert pipeline.predict(frame).shape == (60,)
    assert pipeline.score(frame, Y) > 0.5
