"""PredictionDisplay: fitted against observed values, residuals, coverage, of any regressor."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.linear_model import BayesianRidge, LinearRegression, LogisticRegression
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import PredictionDisplay, TwoLayerClassifier, TwoLayerRegressor

X, Y = load_diabetes(return_X_y=True)
TWO = np.column_stack([Y, X[:, 2]])


def regressor(**parameters):
    settings = {"n_hidden": 3, "solver": "lbfgs", "alpha": 0.01, "max_iter": 20, "tol": 1.0}
    return TwoLayerRegressor(**{**settings, "random_state": 0, **parameters})


def process():
    return GaussianProcessRegressor(WhiteKernel(), optimizer=None, normalize_y=True)


def intervals(display, target=0):
    """Lower and upper ends of the error bars of a target."""
    segments = np.array(display.error_bars_[target].get_segments())
    return segments[:, 0, 1], segments[:, 1, 1]


def test_fitted_values_against_observed_ones(pyplot):
    model = regressor().fit(X, Y)
    display = PredictionDisplay.from_estimator(model, X[:100], Y[:100])
    fitted, std = model.predict(X[:100], return_std=True)
    assert np.array_equal(display.points_[0].get_xdata(), Y[:100])
    assert np.array_equal(display.points_[0].get_ydata(), fitted)
    low, high = intervals(display)
    assert np.allclose(high - low, 2 * 1.959964 * std)
    assert np.allclose((high + low) / 2, fitted)
    assert display.figure_ is display.axes_[0, 0].figure


def test_titles_tell_the_numbers(pyplot):
    model = regressor().fit(X, Y)
    fitted, std = model.predict(X, return_std=True)
    display = PredictionDisplay.from_estimator(model, X, Y, level=0.8)
    share = np.mean(np.abs(Y - fitted) <= 1.2815516 * std)
    assert display.coverage_.tolist() == [share]
    assert [ax.get_title() for ax in display.axes_[0]] == [
        f"R² = {r2_score(Y, fitted):.3g}",
        f"RMSE = {root_mean_squared_error(Y, fitted):.3g}",
        f"in 80 %: {100 * share:.3g} %",
    ]
    legend = [text.get_text() for text in display.axes_[0, 0].get_legend().get_texts()]
    assert legend == ["80 % interval", "fitted = observed"]


@pytest.mark.parametrize(("factor", "place"), [(1.0, "on"), (0.5, "below"), (2.0, "above")])
def test_the_curve_of_coverage_is_on_the_diagonal_where_the_error_bars_are_right(
    pyplot, factor, place
):
    y = np.random.RandomState(0).standard_normal(20_000)
    options = {"y_std": factor * np.ones_like(y)}
    display = PredictionDisplay.from_predictions(y, np.zeros_like(y), **options)
    curve = display.axes_[0, 2].lines[1]
    probability, share = curve.get_data()
    middle = (probability > 0.1) & (probability < 0.9)
    above = share[middle] - probability[middle]
    assert {
        "on": np.abs(above).max() < 0.02,
        "below": above.max() < -0.03,
        "above": above.min() > 0.03,
    }[place]


def test_residuals_are_counted(pyplot):
    display = PredictionDisplay.from_predictions([1.0, 2.0, 4.0], [1.0, 1.0, 1.0])
    bars = display.axes_[0, 1].patches
    assert sum(bar.get_height() for bar in bars) == 3
    assert bars[0].get_x() == 0
    assert bars[-1].get_x() + bars[-1].get_width() == pytest.approx(3)


def test_an_outlier_far_away_leaves_the_number_of_bars_small(pyplot):
    y = np.append(np.random.RandomState(0).standard_normal(1000), 1e12)
    display = PredictionDisplay.from_predictions(y, np.zeros_like(y))
    assert len(display.axes_[0, 1].patches) == 21  # 2 n^(1/3)


@pytest.mark.parametrize("model", [process(), BayesianRidge(), regressor()])
@pytest.mark.parametrize("wrap", ["alone", "in a pipeline", "in a search over pipelines"])
def test_error_bars_of_every_regressor_that_has_some(pyplot, model, wrap):
    plain = make_pipeline(StandardScaler(), model).fit(X, Y)
    if wrap == "alone":
        _, std = model.fit(X, Y).predict(X, return_std=True)
        display = PredictionDisplay.from_estimator(model, X, Y)
    else:
        _, std = plain.predict(X, return_std=True)
        search = GridSearchCV(plain, {"standardscaler__with_mean": [True]}, cv=2)
        chosen = plain if wrap == "in a pipeline" else search.fit(X, Y)
        display = PredictionDisplay.from_estimator(chosen, X, Y)
    low, high = intervals(display)
    assert np.allclose(high - low, 2 * 1.959964 * std)


def test_without_error_bars_there_are_two_panels(pyplot):
    for model in (LinearRegression(), make_pipeline(StandardScaler(), LinearRegression())):
        display = PredictionDisplay.from_estimator(model.fit(X, Y), X, Y)
        assert display.axes_.shape == (1, 2)
        assert display.error_bars_ is display.coverage_ is None
    display = PredictionDisplay.from_estimator(regressor().fit(X, Y), X, Y, return_std=False)
    assert display.axes_.shape == (1, 2)


def test_a_fit_without_error_bars_says_why_and_can_be_drawn(pyplot):
    model = TwoLayerRegressor(3, solver="adam", random_state=0).partial_fit(X, Y)
    with pytest.raises(ValueError, match=r"This fit has no error bars.*return_std=False to draw"):
        PredictionDisplay.from_estimator(model, X, Y)
    with pytest.raises(ValueError, match="features") as error:
        PredictionDisplay.from_estimator(model, X[:, 1:], Y)
    assert "return_std" not in str(error.value)  # which would not help
    assert PredictionDisplay.from_estimator(model, X, Y, return_std=False).points_


@pytest.mark.parametrize("model", [process(), regressor()])
def test_each_target_has_a_row_of_panels(pyplot, model):
    fitted, std = model.fit(X, TWO).predict(X, return_std=True)
    display = PredictionDisplay.from_estimator(model, X, TWO)
    assert display.axes_.shape == (2, 3)
    labels = [ax.get_ylabel() for ax in display.axes_[:, 0]]
    assert labels == ["fitted y0", "fitted y1"]
    for target in range(2):
        assert np.array_equal(display.points_[target].get_ydata(), fitted[:, target])
        low, high = intervals(display, target)
        assert np.allclose(high - low, 2 * 1.959964 * std[:, target])
    assert np.array_equal(display.coverage_, np.mean(np.abs(TWO - fitted) <= 1.959964 * std, 0))


def test_frames_name_their_targets(pyplot):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(TWO, columns=["progression", "bmi"])
    model = regressor().fit(X, frame)
    labels = [
        [
            ax.get_xlabel()
            for ax in PredictionDisplay.from_estimator(model, X, y, **names).axes_[:, 0]
        ]
        for y, names in ((frame, {}), (TWO, {"target_names": ["a", "b"]}))
    ]
    assert labels == [["observed progression", "observed bmi"], ["observed a", "observed b"]]
    series = frame["bmi"]
    display = PredictionDisplay.from_predictions(series, series)
    assert display.axes_[0, 0].get_xlabel() == "observed bmi"


def test_of_many_rows_some_are_drawn_and_all_counted(pyplot):
    model = regressor().fit(X, Y)
    some = PredictionDisplay.from_estimator(model, X, Y, max_points=10)
    every = PredictionDisplay.from_estimator(model, X, Y)
    assert len(some.points_[0].get_xdata()) == len(some.error_bars_[0].get_segments()) == 10
    assert some.coverage_ == every.coverage_
    titles = [[ax.get_title() for ax in display.axes_[0]] for display in (some, every)]
    assert titles[0] == titles[1]


def test_a_standard_deviation_of_zero_holds_what_is_met_exactly(pyplot):
    options = {"y_std": np.zeros(4)}
    display = PredictionDisplay.from_predictions([0, 1, 2, 3], [0, 1, 2, 4], **options)
    assert display.coverage_ == 0.75
    assert set(display.axes_[0, 2].lines[1].get_ydata()) == {0.75}


def test_the_curve_of_coverage_counts_each_interval(pyplot):
    random = np.random.RandomState(0)
    y, y_std = random.standard_normal(50), random.gamma(1, size=50)
    y_std[:5] = y[:3] = 0
    curve = PredictionDisplay.from_predictions(y, 0 * y, y_std=y_std).axes_[0, 2].lines[1]
    shares = [np.mean(np.abs(y) <= norm.ppf((1 + p) / 2) * y_std) for p in curve.get_xdata()]
    assert np.allclose(curve.get_ydata(), shares, rtol=0, atol=1e-12)
    assert len(set(shares)) > 20


@pytest.mark.parametrize("width", [2.0, 3.8])
def test_titles_fit_above_narrow_panels(pyplot, width):
    options = {"y_std": np.ones(400), "level": 0.95}
    figure, axes = pyplot.subplots(1, 3, figsize=(3 * width, 3), layout="constrained")
    y = np.random.RandomState(0).standard_normal(400)
    PredictionDisplay.from_predictions(y, 0 * y, ax=axes, **options)
    figure.draw_without_rendering()
    ends = [ax.title.get_window_extent() for ax in axes]
    assert all(left.x1 < right.x0 for left, right in pairwise(ends))
    assert ends[-1].x1 <= figure.bbox.x1


@pytest.mark.parametrize("n_panels", [1, 2, 3])
def test_axes_of_the_user(pyplot, n_panels):
    _, axes = pyplot.subplots(2, n_panels, squeeze=False)
    model = regressor().fit(X, TWO)
    display = PredictionDisplay.from_estimator(model, X, TWO, ax=axes)
    assert display.axes_.tolist() == axes.tolist()
    assert all(ax.get_title() for ax in axes.flat)
    assert pyplot.get_fignums() == [1]


def test_a_single_axes_shows_the_fitted_values(pyplot):
    _, ax = pyplot.subplots()
    display = PredictionDisplay.from_estimator(regressor().fit(X, Y), X, Y, ax=ax)
    assert display.axes_.tolist() == [[ax]]
    assert display.plot().axes_.shape == (1, 3)


def test_what_cannot_be_drawn_is_said(pyplot):
    with pytest.raises(NotFittedError):
        PredictionDisplay.from_estimator(TwoLayerRegressor(), X, Y)
    for classifier in (TwoLayerClassifier(3), make_pipeline(LogisticRegression())):
        with pytest.raises(ValueError, match=r"is a classifier\. Use .*CalibrationDisplay"):
            PredictionDisplay.from_estimator(classifier, X, Y)
    draw = PredictionDisplay.from_predictions
    with pytest.raises(ValueError, match=r"y_pred has 3 rows of 1 .* y_true has 442 of 1"):
        draw(Y, Y[:3])
    with pytest.raises(ValueError, match=r"y_std has 442 rows of 2 .* y_true has 442 of 1"):
        draw(Y, Y, y_std=TWO)
    with pytest.raises(ValueError, match="target_names has 2 names, but y_true has 1"):
        draw(Y, Y, target_names=["a", "b"])
    with pytest.raises(ValueError, match="Input y_true contains NaN"):
        draw([np.nan, 1.0], [0.0, 1.0])
    for level in (0, 1, 95):
        with pytest.raises(ValueError, match=f"level={level} is no probability"):
            draw(Y, Y, level=level)
    for number in (0, -3):
        with pytest.raises(ValueError, match=f"max_points == {number}, must be >= 1"):
            draw(Y, Y, max_points=number)
    for number in (None, 10.0):
        with pytest.raises(TypeError, match="max_points must be an instance of int"):
            draw(Y, Y, max_points=number)
    with pytest.raises(TypeError, match="level must be an instance of float, not str"):
        draw(Y, Y, level="0.9")
    with pytest.raises(TypeError, match=r"target_names='price' is one string\. Pass a list"):
        draw(TWO, TWO, target_names="price")
    with pytest.raises(ValueError, match=r"y_std holds -2\. Standard deviations"):
        draw([0, 1], [0, 1], y_std=[1, -2])
    with pytest.raises(ValueError, match=r"y_std=0\.5 is a single value\. Pass one for each"):
        draw(Y, Y, y_std=0.5)
    with pytest.raises(TypeError, match="ax holds 1, which is no Axes"):
        draw(Y, Y, ax=[1, 2])
    _, axes = pyplot.subplots(1, 3)
    for target, observed in ((TWO, 2), (Y, 1)):
        with pytest.raises(ValueError, match=f"ax has 3 Axes, but {observed} target"):
            draw(target, target, ax=axes)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (
        lambda: PredictionDisplay.from_predictions(Y, Y),
        lambda: PredictionDisplay.from_estimator(LinearRegression().fit(X, Y), X, Y),
    ):
        with pytest.raises(ImportError, match=r"needs matplotlib.*extra plot"):
            draw()
