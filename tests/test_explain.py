"""Hidden layer as features, and gradients with respect to the inputs."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(120, 3)) * [1, 10, 0.1] + [0, 5, 0]
SIGNAL = np.sin(X[:, 0]) + 0.1 * X[:, 1]
THREE = np.digitize(SIGNAL, [0, 0.8])
ACTIVATIONS = ["logistic", "tanh", "relu", "softplus", "identity"]
SETTINGS = {"n_hidden": 5, "alpha": 1e-2, "solver": "lbfgs", "max_iter": 40, "tol": 0.1}
CASES = [
    pytest.param(TwoLayerRegressor, 100 * SIGNAL, {}, id="one target"),
    pytest.param(TwoLayerRegressor, np.c_[SIGNAL, 50 * X[:, 0] ** 2], {}, id="two targets"),
    pytest.param(
        TwoLayerRegressor,
        1 / (1 + np.exp(-SIGNAL)),
        {"output_activation": "logistic"},
        id="logistic output",
    ),
    pytest.param(TwoLayerRegressor, 100 * SIGNAL, {"n_members": 3}, id="committee"),
    pytest.param(TwoLayerClassifier, THREE > 0, {}, id="two classes"),
    pytest.param(TwoLayerClassifier, THREE, {}, id="three classes"),
    pytest.param(TwoLayerClassifier, np.c_[THREE > 0, THREE > 1].astype(int), {}, id="labels"),
]


def fitted(Estimator, y, X=X, **parameters):
    return Estimator(**{**SETTINGS, "random_state": 0, **parameters}).fit(X, y)


def prediction(model, X):
    return model.predict(X) if isinstance(model, TwoLayerRegressor) else model.decision_function(X)


def by_differences(model, X):
    """Return d prediction / d X, one column of X at a time, by central differences."""
    columns = []
    for column, scale in enumerate(X.std(axis=0)):
        step = np.zeros(X.shape[1])
        step[column] = 1e-5 * scale
        difference = prediction(model, X + step) - prediction(model, X - step)
        columns.append(difference / (2 * step[column]))
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("Estimator", "y", "parameters"), CASES)
def test_input_gradient_equals_finite_differences(Estimator, y, parameters, activation):
    model = fitted(Estimator, y, activation=activation, **parameters)
    gradient, expected = model.input_gradient(X), by_differences(model, X)
    assert gradient.shape == expected.shape
    tolerance = 1e-6 * np.abs(expected).max(axis=tuple(range(expected.ndim - 1)))
    assert (np.abs(gradient - expected) <= tolerance + 1e-9).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_input_gradient_of_sparse_rows_is_dense_and_equal(dtype):
    rows = sparse.random_array((60, 8), density=0.3, random_state=0, format="csr", dtype=dtype)
    model = fitted(TwoLayerRegressor, rows.toarray() @ np.arange(8), rows)
    gradient = model.input_gradient(rows)
    assert isinstance(gradient, np.ndarray)
    assert gradient.dtype == dtype
    expected = model.input_gradient(rows.toarray())
    assert np.allclose(gradient, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_input_gradient_is_in_the_units_of_the_user():
    model = fitted(TwoLayerRegressor, SIGNAL, alpha=1e-3)
    scaled = fitted(TwoLayerRegressor, 1024 * SIGNAL, X * 64, alpha=1e-3)
    assert np.allclose(scaled.input_gradient(X * 64), 16 * model.input_gradient(X), rtol=1e-6)


def test_input_gradient_goes_block_by_block():
    model = fitted(TwoLayerRegressor, SIGNAL)
    many = np.tile(X, (200, 1))
    assert np.allclose(model.input_gradient(many)[-120:], model.input_gradient(X), rtol=1e-12)


@pytest.mark.parametrize(("Estimator", "y", "parameters"), CASES)
def test_transform_is_the_layer_that_the_output_layer_reads(Estimator, y, parameters):
    model = fitted(Estimator, y, **parameters)
    hidden = model.transform(X)
    members = parameters.get("n_members", 1)
    assert hidden.shape == (len(X), members * SETTINGS["n_hidden"])
    assert (hidden > 0).all()
    assert (hidden < 1).all()
    raw = hidden @ model.coefs_[1] + model.intercepts_[1]
    if parameters.get("output_activation") == "logistic":
        raw = 1 / (1 + np.exp(-raw))
    assert np.allclose(raw.reshape(prediction(model, X).shape), prediction(model, X), rtol=1e-10)


@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_the_hidden_units_have_names(Estimator):
    model = fitted(Estimator, THREE, n_members=2)
    name = Estimator.__name__.lower()
    assert model.get_feature_names_out().tolist() == [f"{name}{unit}" for unit in range(10)]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output_gives_named_columns(library):
    frames = pytest.importorskip(library)
    frame = frames.DataFrame(dict(zip("abc", X.T)))
    model = TwoLayerRegressor(4, random_state=0).set_output(transform=library)
    features = model.fit_transform(frame, SIGNAL)
    assert isinstance(features, frames.DataFrame)
    assert list(features.columns) == [f"twolayerregressor{unit}" for unit in range(4)]
    assert np.array_equal(features.to_numpy(), fitted_arrays(model, frame))
    with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
        model.get_feature_names_out(["b", "a", "c"])


def fitted_arrays(model, frame):
    return clone(model).set_output(transform="default").fit(frame, SIGNAL).transform(frame)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept(dtype):
    model = fitted(TwoLayerClassifier, THREE, X.astype(dtype))
    assert model.transform(X.astype(dtype)).dtype == dtype
    assert model.input_gradient(X.astype(dtype)).dtype == dtype


@pytest.mark.parametrize("method", ["transform", "input_gradient", "get_feature_names_out"])
def test_an_unfitted_network_has_nothing_to_explain(method):
    arguments = () if method == "get_feature_names_out" else (X,)
    with pytest.raises(NotFittedError):
        getattr(TwoLayerRegressor(), method)(*arguments)


def test_a_network_is_a_feature_map_in_a_pipeline():
    wine, kind = load_wine(return_X_y=True)
    pipeline = make_pipeline(
        StandardScaler(),
        TwoLayerClassifier(4, alpha=1e-2, random_state=0),
        LogisticRegression(),
    )
    scores = cross_validate(pipeline, wine, kind, error_score="raise")["test_score"]
    assert scores.mean() > 0.9
    names = pipeline.fit(wine, kind)[:-1].get_feature_names_out()
    assert names.tolist() == [f"twolayerclassifier{unit}" for unit in range(4)]
    assert "TwoLayerClassifier" in pipeline._repr_html_()


def test_a_feature_map_is_searched_over():
    table, target = load_diabetes(return_X_y=True)
    features = make_column_transformer(
        (TwoLayerRegressor(alpha=1e-2, random_state=0), [0, 2, 8]), remainder="passthrough"
    )
    pipeline = make_pipeline(features, Ridge(alpha=1e-3))
    grid = {"columntransformer__twolayerregressor__n_hidden": [2, 4]}
    search = GridSearchCV(pipeline, grid, error_score="raise", cv=3).fit(table, target)
    assert search.best_score_ > 0.4
