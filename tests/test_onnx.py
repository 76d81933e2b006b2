"""ONNX: skl2onnx converts the estimators, and onnxruntime gives their predictions."""

import sys

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer.onnx import register_converters

#: Largest difference that is allowed, in units of the largest prediction.
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCE)
X_DIABETES, Y_DIABETES = load_diabetes(return_X_y=True)
X_WINE, Y_WINE = load_wine(return_X_y=True)
LABELS = {
    "three classes": Y_WINE,
    "two classes": np.minimum(Y_WINE, 1),
    "two strings": np.where(Y_WINE == 0, "no", "yes"),
    "strings": np.array(["a", "bb", "c"])[Y_WINE],
    "objects": np.array(["a", "bb", "c"], object)[Y_WINE],
    "negative integers": np.array([-5, 0, 2**40])[Y_WINE],
    "booleans": Y_WINE == 0,
    "whole floats": Y_WINE.astype(float),
    "one class": np.full(len(Y_WINE), 7),
    "three labels": np.column_stack([Y_WINE == 0, Y_WINE > 0, Y_WINE == 1]).astype(int),
    "two labels": np.column_stack([Y_WINE == 0, Y_WINE < 2]).astype(int),
}


def regressor(**params):
    return TwoLayerRegressor(**{"n_hidden": 5, "alpha": 0.01, "random_state": 0, **params})


def classifier(**params):
    return TwoLayerClassifier(**{"n_hidden": 5, "alpha": 0.01, "random_state": 0, **params})


def scaled_classifier():
    return make_pipeline(StandardScaler(), classifier())


def nested_classifier():
    return make_pipeline(StandardScaler(), scaled_classifier())


@pytest.fixture
def convert():
    """The function from a model and X to its graph; zipmap=False."""
    reason = "skl2onnx comes with the test extra"
    skl2onnx = pytest.importorskip("skl2onnx", reason=reason, exc_type=ModuleNotFoundError)
    register_converters()

    def to_onnx(model, X, options=None):
        if options is None and hasattr(model, "predict_proba"):
            options = {id(model): {"zipmap": False}}
        return skl2onnx.to_onnx(model, X[:1], options=options)

    return to_onnx


@pytest.fixture
def session(convert):
    """The function from a model and X to an onnxruntime session of its graph."""
    reason = "onnxruntime comes with the test extra"
    onnxruntime = pytest.importorskip("onnxruntime", reason=reason, exc_type=ModuleNotFoundError)

    def start(model, X, options=None):
        graph = convert(model, X, options).SerializeToString()
        return onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])

    return start


@pytest.fixture
def outputs(session):
    """The function from a model and X to the outputs of its graph."""

    def run(model, X, options=None):
        return session(model, X, options).run(None, {"X": X})

    return run


def assert_close(found, expected, dtype):
    assert found.dtype == dtype
    bound = TOLERANCE[dtype] * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


def assert_same_prediction(outputs, model, X, options=None):
    """A regressor's graph against ``predict`` in float64."""
    expected = model.predict(X.astype(np.float64)).reshape(len(X), -1)
    (found,) = outputs(model, X, options)
    assert_close(found, expected, X.dtype.type)


def assert_same_classification(outputs, model, X, options=None):
    labels, probability = outputs(model, X, options)
    expected = model.predict_proba(X.astype(np.float64))
    assert labels.tolist() == model.predict(X.astype(np.float64)).tolist()
    assert_close(probability, expected, X.dtype.type)


@DTYPES
@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu", "softplus", "identity"])
def test_every_hidden_activation(outputs, activation, dtype):
    model = regressor(activation=activation).fit(X_DIABETES, Y_DIABETES)
    assert_same_prediction(outputs, model, X_DIABETES.astype(dtype))
    model = classifier(activation=activation, solver="lm").fit(X_WINE, Y_WINE)
    assert_same_classification(outputs, model, X_WINE.astype(dtype))
    (found,) = outputs(model, X_WINE.astype(dtype), {id(model): {"transform": True}})
    assert_close(found, model.transform(X_WINE.astype(dtype)), dtype)


@DTYPES
@pytest.mark.parametrize("output_activation", ["identity", "logistic"])
@pytest.mark.parametrize("n_targets", [1, 3])
def test_outputs_of_the_regressor(outputs, output_activation, n_targets, dtype):
    y = Y_DIABETES / Y_DIABETES.max()
    Y = np.column_stack([y, y**2, 1 - y])[:, :n_targets]
    model = regressor(output_activation=output_activation).fit(X_DIABETES, Y)
    assert_same_prediction(outputs, model, X_DIABETES.astype(dtype))


@DTYPES
@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
def test_labels_and_probabilities(outputs, y, dtype):
    model = classifier().fit(X_WINE, y)
    assert_same_classification(outputs, model, X_WINE.astype(dtype))


def declared_shapes(graph):
    """The shapes of the outputs without the number of rows."""
    shapes = [output.type.tensor_type.shape.dim for output in graph.graph.output]
    return [tuple(dimension.dim_value for dimension in shape)[1:] for shape in shapes]


def test_the_graph_declares_the_shapes_of_its_outputs(convert):
    for name, shapes in [
        ("three classes", [(), (3,)]),
        ("two strings", [(), (2,)]),
        ("one class", [(), (1,)]),
        ("two labels", [(2,), (2,)]),
    ]:
        model = classifier().fit(X_WINE, LABELS[name])
        assert declared_shapes(convert(model, X_WINE)) == shapes
    model = regressor().fit(X_WINE, LABELS["three labels"])
    assert declared_shapes(convert(model, X_WINE)) == [(3,)]
    assert declared_shapes(convert(model, X_WINE, {id(model): {"transform": True}})) == [(5,)]


def test_zipmap_gives_a_probability_by_class(outputs):
    model, X = classifier().fit(X_WINE, LABELS["strings"]), X_WINE.astype(np.float32)
    _, rows = outputs(model, X, {id(model): {"zipmap": True}})
    assert list(rows[0]) == ["a", "bb", "c"]
    found = np.array([list(row.values()) for row in rows])
    np.testing.assert_allclose(found, model.predict_proba(X_WINE), atol=1e-5)


@DTYPES
def test_zipmap_gives_columns(session, dtype):
    model, X = classifier().fit(X_WINE, LABELS["strings"]), X_WINE.astype(dtype)
    graph = session(model, X, {id(model): {"zipmap": "columns"}})
    assert [output.name for output in graph.get_outputs()][1:] == ["sa", "sbb", "sc"]
    columns = graph.run(None, {"X": X})[1:]
    np.testing.assert_allclose(np.column_stack(columns), model.predict_proba(X), atol=1e-5)


def test_nocl_gives_indices_and_output_class_labels_the_classes(outputs):
    model, X = classifier().fit(X_WINE, LABELS["strings"]), X_WINE.astype(np.float32)
    labels, _ = outputs(model, X, {id(model): {"zipmap": False, "nocl": True}})
    assert np.array_equal(model.classes_[labels], model.predict(X))
    options = {id(model): {"zipmap": False, "output_class_labels": True}}
    assert outputs(model, X, options)[2].tolist() == model.classes_.tolist()


def awkward_table():
    """1000 rows in units far from zero: a year, a count, a tiny length, a longitude."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(1000, 4))
    y = np.sin(2 * Z[:, 0]) + Z[:, 1] * Z[:, 2] + 0.5 * Z[:, 3]
    return [2000, 1e6, 1e-6, -122] + [5, 300, 1e-7, 0.1] * Z, y


@pytest.mark.parametrize("params", [{}, {"n_members": 2}], ids=["one", "committee"])
def test_float32_keeps_its_digits_far_from_zero(outputs, params):
    """The plain forward pass of ``coefs_`` in float32 is a hundred times worse."""
    X, y = awkward_table()
    model = regressor(n_hidden=10, **params).fit(X, y)
    X = X.astype(np.float32)
    assert_same_prediction(outputs, model, X)
    (W1, W2), (b1, b2) = (
        [a.astype(np.float32) for a in p] for p in (model.coefs_, model.intercepts_)
    )
    plain = 1 / (1 + np.exp(-(X @ W1 + b1))) @ W2 + b2
    expected = model.predict(X.astype(np.float64))
    assert np.abs(plain[:, 0] - expected).max() > 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize(("activation", "g0"), [("logistic", 0.5), ("softplus", np.log(2))])
def test_float32_keeps_the_digits_of_nearly_linear_units(outputs, activation, g0):
    model = regressor(activation=activation).fit(X_DIABETES, Y_DIABETES)
    (W1, W2), (b1, b2) = model.coefs_, model.intercepts_
    model.coefs_ = [1e-3 * W1, 1e3 * W2]
    model.intercepts_ = [1e-3 * b1, b2 - 1e3 * g0 * W2.sum(axis=0)]
    assert_same_prediction(outputs, model, X_DIABETES.astype(np.float32))


def test_the_graph_is_made_of_the_weights_in_coefs_(outputs):
    model = regressor().fit(X_DIABETES, Y_DIABETES)
    model.set_params(activation="relu")  # says how the next fit will be
    model.coefs_ = [2 * W for W in model.coefs_]
    model.intercepts_ = [b - 1 for b in model.intercepts_]
    assert_same_prediction(outputs, model, X_DIABETES)


@pytest.mark.parametrize("params", [{"alpha": "auto"}, {"standardize": False}, {"solver": "adam"}])
def test_other_fits(outputs, params):
    model = regressor(**params).fit(X_DIABETES, Y_DIABETES)
    assert_same_prediction(outputs, model, X_DIABETES)
    assert_same_prediction(outputs, model, X_DIABETES.astype(np.float32))


def test_float32_weights_of_partial_fit(outputs):
    """Their graph is more precise than ``predict``, which adds up in float32."""
    X, y = load_breast_cancer(return_X_y=True)
    X = X.astype(np.float32)
    model = classifier(solver="adam").partial_fit(X, y, classes=[0, 1])
    assert model.coefs_[0].dtype == np.float32
    labels, probability = outputs(model, X)
    model.coefs_ = [W.astype(np.float64) for W in model.coefs_]
    model.intercepts_ = [b.astype(np.float64) for b in model.intercepts_]
    X = X.astype(np.float64)
    assert labels.tolist() == model.predict(X).tolist()
    assert_close(probability, model.predict_proba(X), np.float32)


def test_integers_are_computed_in_float32(outputs):
    X = np.random.default_rng(0).integers(0, 9, (100, 3))
    model = regressor().fit(X, X[:, 0] * X[:, 1])
    (found,) = outputs(model, X)
    assert_close(found[:, 0], model.predict(X), np.float32)


def columns_chosen():
    scaled = ("scaled", StandardScaler(), [0, 2, 3])
    return ColumnTransformer([scaled, ("kept", "passthrough", [5, 8])])


@DTYPES
@pytest.mark.parametrize("first", [StandardScaler, columns_chosen])
def test_the_last_step_of_a_pipeline(outputs, first, dtype):
    pipeline = make_pipeline(first(), regressor()).fit(X_DIABETES, Y_DIABETES)
    assert_same_prediction(outputs, pipeline, X_DIABETES.astype(dtype))
    pipeline = make_pipeline(first(), classifier()).fit(X_WINE, LABELS["strings"])
    assert_same_classification(outputs, pipeline, X_WINE.astype(dtype))


@DTYPES
def test_the_hidden_layer_feeds_the_next_step(outputs, dtype):
    X = X_DIABETES.astype(dtype)
    options = {TwoLayerRegressor: {"transform": True}}
    model = make_pipeline(regressor(), StandardScaler(), Ridge()).fit(X_DIABETES, Y_DIABETES)
    assert_same_prediction(outputs, model, X, options)
    union = FeatureUnion([("learned", regressor()), ("given", StandardScaler())])
    model = make_pipeline(union, Ridge()).fit(X_DIABETES, Y_DIABETES)
    assert_same_prediction(outputs, model, X, options)


@pytest.mark.parametrize("last", [LogisticRegression, classifier])
def test_the_hidden_layer_of_a_classifier_feeds_the_next_step(outputs, last):
    X = X_WINE.astype(np.float32)
    model = make_pipeline(classifier(), last()).fit(X_WINE, Y_WINE)
    options = {id(model[0]): {"transform": True}, id(model[-1]): {"zipmap": False}}
    assert_same_classification(outputs, model, X, options)


@pytest.mark.parametrize(
    ("step", "last", "y"),
    [
        (regressor, Ridge, Y_DIABETES),
        (lambda: regressor(n_hidden=1), Ridge, Y_DIABETES),
        (lambda: make_pipeline(StandardScaler(), regressor()), Ridge, Y_DIABETES),
        (lambda: FeatureUnion([("network", classifier())]), LogisticRegression, Y_DIABETES > 100),
    ],
    ids=["step", "one hidden unit", "nested", "union"],
)
def test_a_prediction_does_not_feed_the_next_step_by_mistake(convert, step, last, y):
    model = make_pipeline(step(), last()).fit(X_DIABETES, y)
    with pytest.raises(ValueError, match=r"feeds another step.*\"transform\": True"):
        convert(model, X_DIABETES)


def test_an_option_for_the_class_is_not_for_the_last_step(convert, outputs):
    """The graph of a Pipeline of two networks had the hidden layer of the second for an answer."""
    options = {TwoLayerRegressor: {"transform": True}}
    model = make_pipeline(regressor(), regressor(n_hidden=3)).fit(X_DIABETES, Y_DIABETES)
    with pytest.raises(ValueError, match=r"hidden layer of the last.*id\(step\)"):
        convert(model, X_DIABETES, options)
    stack = StackingRegressor([("two", make_pipeline(regressor(), Ridge()))], regressor(), cv=2)
    assert_same_prediction(outputs, stack.fit(X_DIABETES, Y_DIABETES), X_DIABETES, options)
    assert_same_prediction(outputs, model, X_DIABETES, {id(model[0]): {"transform": True}})


def test_a_hidden_layer_is_an_answer_where_it_is_meant(outputs):
    model = make_pipeline(regressor(), regressor(n_hidden=3)).fit(X_DIABETES, Y_DIABETES)
    (found,) = outputs(model[0], X_DIABETES, {TwoLayerRegressor: {"transform": True}})
    assert_close(found, model[0].transform(X_DIABETES), np.float64)
    (found,) = outputs(model, X_DIABETES, {id(step): {"transform": True} for step in model})
    assert_close(found, model.transform(X_DIABETES), np.float64)


def test_predictions_may_be_stacked(outputs):
    members = [("network", make_pipeline(StandardScaler(), regressor())), ("linear", Ridge())]
    model = StackingRegressor(members, regressor(), cv=2).fit(X_DIABETES, Y_DIABETES)
    assert_same_prediction(outputs, model, X_DIABETES.astype(np.float32))


@DTYPES
@pytest.mark.parametrize("name", ["three classes", "two classes", "two strings"])
@pytest.mark.parametrize("base", [classifier, scaled_classifier, nested_classifier])
def test_a_calibration_sees_raw_scores(outputs, base, name, dtype):
    model = CalibratedClassifierCV(base(), cv=2).fit(X_WINE, LABELS[name])
    assert_same_classification(outputs, model, X_WINE.astype(dtype))


@pytest.mark.parametrize("base", [classifier, scaled_classifier])
@pytest.mark.parametrize("method", ["decision_function", "predict_proba"])
def test_a_stack_sees_what_it_was_fitted_to(outputs, base, method):
    members = [("network", base()), ("linear", LogisticRegression(solver="newton-cholesky"))]
    model = StackingClassifier(members, stack_method=method, cv=2).fit(X_WINE, Y_WINE)
    assert_same_classification(outputs, model, X_WINE.astype(np.float32))


@pytest.mark.parametrize("name", ["three classes", "two classes", "one class", "three labels"])
def test_raw_scores_are_those_of_decision_function(outputs, name):
    model = classifier().fit(X_WINE, LABELS[name])
    labels, scores = outputs(model, X_WINE, {id(model): {"raw_scores": True, "zipmap": False}})
    expected = model.decision_function(X_WINE)
    expected = np.column_stack([-expected, expected]) if expected.ndim == 1 else expected
    assert labels.tolist() == model.predict(X_WINE).tolist()
    assert_close(scores, expected, np.float64)


@pytest.mark.parametrize(
    ("y", "last"),
    [
        (Y_WINE.astype(np.uint64) + np.uint64(2**63), "uint64 and ends with 9223372036854775810"),
        (Y_WINE.astype("datetime64[D]"), "datetime64.* and ends with 1970-01-03"),
        (Y_WINE.astype("timedelta64[s]"), "timedelta64.* and ends with 2 seconds"),
    ],
    ids=["large integers", "dates", "durations"],
)
def test_labels_that_onnx_does_not_have_are_refused(convert, outputs, y, last):
    """Large integers came out as negative ones."""
    model = classifier().fit(X_WINE, y)
    for options in (None, {id(model): {"zipmap": True}}):
        with pytest.raises(ValueError, match=rf"strings, or integers .*{last}.*astype\(str\)"):
            convert(model, X_WINE, options)
    indices, _ = outputs(model, X_WINE, {id(model): {"zipmap": False, "nocl": True}})
    assert (model.classes_[indices] == model.predict(X_WINE)).all()


def test_the_largest_integer_of_64_bits_is_a_label(outputs):
    y = np.where(Y_WINE > 0, np.uint64(2**63 - 1), np.uint64(3))
    assert_same_classification(outputs, classifier().fit(X_WINE, y), X_WINE)


class OwnRegressor(TwoLayerRegressor):
    """Of a user."""


class OwnClassifier(TwoLayerClassifier):
    """Of a user."""


def test_subclasses_are_exported_once_they_are_registered(convert, outputs):
    regression = OwnRegressor(3, alpha=0.1, random_state=0).fit(X_DIABETES, Y_DIABETES)
    with pytest.raises(Exception, match="OwnRegressor"):
        convert(regression, X_DIABETES)
    register_converters(OwnRegressor, OwnClassifier)
    assert_same_prediction(outputs, regression, X_DIABETES)
    classification = OwnClassifier(3, alpha=0.1, random_state=0).fit(X_WINE, Y_WINE)
    assert_same_classification(outputs, classification, X_WINE)
    with pytest.raises(TypeError, match="Ridge"):
        register_converters(Ridge)


@pytest.mark.usefixtures("convert")  # which skips where skl2onnx is missing
@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_a_class_is_registered_not_a_model(Estimator):
    message = rf"takes classes: pass type\(model\), not {Estimator.__name__}\(\)"
    with pytest.raises(TypeError, match=message):
        register_converters(Estimator())


def test_an_estimator_that_is_not_fitted(convert):
    with pytest.raises(NotFittedError):
        convert(regressor(), X_DIABETES)


def test_without_skl2onnx_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"pip install skl2onnx onnx.*extra onnx"):
        register_converters()
