"""Pictures: what is drawn, and what is said where nothing can be drawn."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import (
    LossCurveDisplay,
    NetworkDisplay,
    TwoLayerClassifier,
    TwoLayerRegressor,
)

X, Y = load_diabetes(return_X_y=True)
IRIS = load_iris()
NAMES = load_diabetes().feature_names
DISPLAYS = pytest.mark.parametrize("Display", [LossCurveDisplay, NetworkDisplay])

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def regressor(**parameters):
    settings = {"n_hidden": 4, "solver": "lbfgs", "alpha": 0.01, "max_iter": 20}
    return TwoLayerRegressor(**{**settings, "random_state": 0, **parameters})


@pytest.mark.parametrize(
    ("solver", "step"),
    [
        ("gd", "iteration"),
        ("sgd", "epoch"),
        ("adam", "epoch"),
        ("lbfgs", "iteration"),
        ("lm", "iteration"),
    ],
)
def test_the_loss_curve_of_every_solver(pyplot, solver, step):
    model = regressor(solver=solver).fit(X, Y)
    display = LossCurveDisplay.from_estimator(model)
    assert display.line_.get_ydata().tolist() == model.loss_curve_
    assert display.line_.get_xdata().tolist() == list(range(1, model.n_iter_ + 1))
    assert display.ax_.get_xlabel() == step
    assert display.line_.get_label() == "TwoLayerRegressor: training"
    assert display.validation_line_ is display.score_ax_ is None
    assert display.figure_ is display.ax_.figure


@pytest.mark.parametrize("own", [False, True])
def test_the_validation_loss_is_drawn_beside_it(pyplot, own):
    if own:
        model = regressor().fit(X[:300], Y[:300], X_val=X[300:], y_val=Y[300:])
    else:
        model = regressor(early_stopping=True).fit(X, Y)
    display = LossCurveDisplay.from_estimator(model)
    assert display.validation_line_.get_ydata().tolist() == model.validation_loss_curve_
    assert display.validation_line_.get_linestyle() == "--"
    assert display.validation_line_.get_color() == display.line_.get_color()
    assert display.score_ax_ is None


@pytest.mark.parametrize("MLP", [MLPRegressor, MLPClassifier])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_it_draws_the_mlp_of_scikit_learn(pyplot, MLP, early_stopping):
    mlp = MLP(hidden_layer_sizes=(4,), max_iter=12, early_stopping=early_stopping, random_state=0)
    mlp.fit(IRIS.data, IRIS.target)
    display = LossCurveDisplay.from_estimator(mlp, name="MLP")
    assert display.line_.get_ydata().tolist() == mlp.loss_curve_
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    if early_stopping:
        assert display.validation_line_.get_ydata().tolist() == mlp.validation_scores_
        assert display.score_ax_.get_ylabel() == "validation score"
        assert texts == ["MLP: training", "MLP: validation score"]
    else:
        assert texts == ["MLP: training"]


def test_several_curves_in_one_picture(pyplot):
    _, ax = pyplot.subplots()
    for solver in ("lm", "adam"):
        model = regressor(solver=solver).fit(X, Y)
        display = LossCurveDisplay.from_estimator(model, name=solver, ax=ax, linewidth=3)
        assert display.ax_ is ax
        assert display.line_.get_linewidth() == 3
    assert len(ax.lines) == 2
    assert pyplot.get_fignums() == [1]


def test_a_curve_that_falls_far_is_on_a_logarithmic_scale(pyplot):
    def scale(curve):
        return LossCurveDisplay(loss_curve=curve).plot().ax_.get_yscale()

    assert scale([1.0, 0.5, 0.01]) == "log"
    assert scale([1.0, 0.5, 0.2]) == scale([1.0, 0.0]) == "linear"


def test_a_single_iteration_is_a_point(pyplot):
    display = LossCurveDisplay(loss_curve=[0.5]).plot()
    assert display.line_.get_marker() == "o"


def wrappings(model):
    return [
        make_pipeline(StandardScaler(), model),
        GridSearchCV(model, {"alpha": [0.01, 0.1]}, cv=2),
        GridSearchCV(
            make_pipeline(StandardScaler(), TransformedTargetRegressor(model)),
            {"transformedtargetregressor__regressor__alpha": [0.1]},
            cv=2,
        ),
    ]


@DISPLAYS
def test_networks_are_found_inside_pipelines_and_searches(pyplot, Display):
    for wrapped in wrappings(regressor()):
        assert Display.from_estimator(wrapped.fit(X, Y)).ax_.figure


def test_the_network_has_its_units_and_weights(pyplot):
    model = regressor().fit(X, Y)
    display = NetworkDisplay.from_estimator(model, feature_names=NAMES)
    texts = [text.get_text() for text in display.texts_]
    assert texts == [*NAMES, "0", "1", "2", "3", "y"]
    first, second = display.connections_
    assert len(first.get_segments()) == 40
    assert len(second.get_segments()) == 4
    assert max(first.get_linewidths()) == max(second.get_linewidths()) == 4
    blue = (0.0, 0x72 / 255, 0xB2 / 255)
    is_blue = [np.allclose(color[:3], blue) for color in first.get_colors()]
    assert sum(is_blue) == (model.coefs_[0] > 0).sum()


@pytest.mark.parametrize(
    ("largest", "shown"), [(2.31, 2), (0.96, 0.9), (1, 1), (0.3, 0.3), (0.0045, 0.004)]
)
def test_a_line_below_each_layer_shows_the_scale(pyplot, largest, shown):
    W1, W2 = np.array([[largest, -largest / 5]]), np.array([[1.0], [-1.0]])
    display = NetworkDisplay(W1=W1, W2=10 * W2, feature_names=["a"], output_names=["b"]).plot()
    assert display.scales_ == pytest.approx([10 * shown, 10])
    first, second = (line for line in display.ax_.lines if line.get_solid_capstyle() == "butt")
    assert first.get_linewidth() == pytest.approx(4 * shown / largest)
    assert second.get_linewidth() == pytest.approx(4)
    assert {f"{10 * shown:g}", "10"} <= {text.get_text() for text in display.ax_.texts}


def test_lines_of_inputs_tell_how_far_they_move_the_outputs(pyplot):
    """A nearly linear unit: the same function with W1 / 100 before it and 100 W2 behind it."""
    W1, W2 = np.array([[1.0, 0.02], [1.0, -0.01]]), np.array([[0.6, 0.8], [60.0, 80.0]])
    names = {"feature_names": ["a", "b"], "output_names": ["c", "d"]}
    first, second = NetworkDisplay(W1=W1, W2=W2, **names).plot().connections_
    assert sorted(first.get_linewidths()) == pytest.approx([2, 2, 2, 4])
    assert max(first.get_linewidths()) == max(second.get_linewidths()) == 4
    starts = [tuple(line[0]) for line in first.get_segments()]
    assert starts[-1] == max(starts, key=lambda place: place[1])  # the widest leaves input a


def test_weights_of_zero_have_no_scale(pyplot):
    zero = np.zeros((1, 1))
    display = NetworkDisplay(W1=zero, W2=zero, feature_names=["a"], output_names=["b"]).plot()
    assert display.scales_ == [0, 0]
    assert not [line for line in display.ax_.lines if line.get_solid_capstyle() == "butt"]


def test_the_scale_is_that_of_the_weights_that_are_drawn(pyplot):
    display = NetworkDisplay(
        W1=np.array([[5.0, 1.0]]),
        W2=np.array([[0.1], [1.0]]),
        feature_names=["a"],
        output_names="b",
    )
    assert display.plot(max_units=1).scales_ == [1, 1]


def test_widths_compare_inputs_on_the_standardised_scale(pyplot):
    widths = []
    for factor in (1, 1024):
        model = regressor().fit(X * np.where(np.arange(10) == 2, factor, 1), Y)
        first, _ = NetworkDisplay.from_estimator(model).connections_
        widths.append(np.array(first.get_linewidths()))
    assert np.allclose(*widths, rtol=1e-5)


def test_classes_name_the_outputs(pyplot):
    labels = IRIS.target_names[IRIS.target]
    model = TwoLayerClassifier(3, random_state=0, alpha=0.01).fit(IRIS.data, labels)
    texts = NetworkDisplay.from_estimator(model).texts_
    assert [text.get_text() for text in texts[-3:]] == IRIS.target_names.tolist()
    model = TwoLayerClassifier(3, random_state=0, alpha=0.01).fit(IRIS.data, labels == "setosa")
    assert NetworkDisplay.from_estimator(model).texts_[-1].get_text() == "True"


def test_columns_of_a_frame_name_the_inputs(pyplot):
    pandas = pytest.importorskip("pandas")
    model = regressor().fit(pandas.DataFrame(X, columns=NAMES), Y)
    texts = NetworkDisplay.from_estimator(model).texts_
    assert [text.get_text() for text in texts[:10]] == NAMES


def test_long_names_are_shortened_and_leave_room_for_the_network(pyplot):
    """In a layout that warns, which is an error here, where nothing is left for the axes."""
    long, labels = (
        [f"{10 * word} {80 * '.'} level {word}" for word in "abcdefghij"],
        ["A" * 200, "B"],
    )
    model = TwoLayerClassifier(3, alpha=0.1, random_state=0).fit(X, np.array(labels)[(Y > 0) * 1])
    display = NetworkDisplay.from_estimator(model, feature_names=long)
    display.figure_.canvas.draw()
    texts = [text.get_text() for text in display.texts_]
    assert max(map(len, texts)) <= 24
    assert len(set(texts[:10])) == 10
    assert texts[0].startswith("aaaaaaaaaa")
    assert texts[0].endswith("level a")
    assert display.feature_names == long
    display = NetworkDisplay.from_estimator(model, feature_names=[name[:24] for name in long])
    assert [text.get_text() for text in display.texts_[:10]] == [name[:24] for name in long]


def test_of_many_units_the_largest_are_drawn(pyplot):
    display = NetworkDisplay.from_estimator(regressor(n_hidden=30).fit(X, Y), max_units=6)
    assert len(display.connections_[0].get_segments()) == 36
    titles = {text.get_text() for text in display.ax_.texts}
    assert {"6 of 10 inputs", "6 of 30 hidden units", "1 output"} <= titles
    importance = np.abs(display.W1).max(axis=0) * np.abs(display.W2).max(axis=1)
    drawn = sorted(int(text.get_text()) for text in display.texts_[6:12])
    assert drawn == sorted(np.argsort(importance)[-6:])


def test_the_number_of_units_to_draw_is_checked(pyplot):
    model = regressor().fit(X, Y)
    with pytest.raises(ValueError, match="max_units == 0, must be >= 1"):
        NetworkDisplay.from_estimator(model, max_units=0)
    with pytest.raises(TypeError, match="max_units must be an instance of int"):
        NetworkDisplay.from_estimator(model, max_units=2.5)


def test_committees_and_the_mlp_of_scikit_learn_are_networks_too(pyplot):
    committee = regressor(n_members=2).fit(X, Y)
    assert len(NetworkDisplay.from_estimator(committee).connections_[1].get_segments()) == 8
    mlp = MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0).fit(X, Y)
    assert len(NetworkDisplay.from_estimator(mlp).connections_[1].get_segments()) == 4
    deep = MLPRegressor(hidden_layer_sizes=(4, 4), max_iter=5, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="one hidden layer, but this MLPRegressor has 2"):
        NetworkDisplay.from_estimator(deep)


def test_a_label_takes_the_place_of_the_name(pyplot):
    """It ended in an error of a private function."""
    model = regressor(solver="lbfgs").fit(X, Y, X_val=X, y_val=Y)
    display = LossCurveDisplay.from_estimator(model, label="ours", color="k")
    assert display.line_.get_label() == "ours: training"
    assert display.validation_line_.get_label() == "ours: validation"


@pytest.mark.parametrize("Display", [LossCurveDisplay, NetworkDisplay])
def test_an_unfitted_estimator_is_refused(pyplot, Display):
    with pytest.raises(NotFittedError):
        Display.from_estimator(TwoLayerRegressor())


def test_what_cannot_be_drawn_is_said(pyplot):
    mlp = MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=5).fit(X, Y)
    with pytest.raises(ValueError, match=r"no loss_curve_ to draw.*solver='sgd' or 'adam'"):
        LossCurveDisplay.from_estimator(mlp)
    with pytest.raises(ValueError, match="one hidden layer, but this LinearRegression has 0"):
        NetworkDisplay.from_estimator(LinearRegression().fit(X, Y))
    with pytest.raises(ValueError, match="has 2 names, but the network has 10 inputs"):
        NetworkDisplay.from_estimator(regressor().fit(X, Y), feature_names=["a", "b"])
    with pytest.raises(TypeError, match=r"feature_names='abcdefghij' is one string. Pass a list"):
        NetworkDisplay.from_estimator(regressor().fit(X, Y), feature_names="abcdefghij")


@DISPLAYS
def test_without_matplotlib_the_error_names_the_extra(Display, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"from_estimator needs .*extra plot"):
        Display.from_estimator(regressor().fit(X, Y))


def test_matplotlib_is_not_imported_with_the_package():
    program = "import sys, sklearn_twolayer; print('matplotlib' in sys.modules)"
    command = [sys.executable, "-W", "ignore", "-c", program]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
