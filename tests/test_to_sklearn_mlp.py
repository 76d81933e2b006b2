"""to_sklearn_mlp: the same network, as scikit-learn's own."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

X, Y = load_diabetes(return_X_y=True)
FLOWERS, KINDS = load_iris(return_X_y=True)
NAMES = load_iris().target_names
REGRESSIONS = {
    "one target": Y,
    "one column": Y.reshape(-1, 1),
    "several targets": np.column_stack([Y, X[:, 2], 1000 * X[:, 3]]),
    "a constant": np.full(len(Y), 7.0),
}
CLASSIFICATIONS = {
    "two classes": KINDS == 2,
    "two names": NAMES[np.minimum(KINDS, 1)],
    "many classes": KINDS,
    "many names": NAMES[KINDS],
    "objects": NAMES[KINDS].astype(object),
    "multilabel": np.column_stack([KINDS > 0, KINDS > 1]).astype(int),
    "many labels": np.eye(3, dtype=int)[KINDS] | (FLOWERS[:, :1] > 6),
    "a single class": np.full(len(KINDS), "only"),
}
ACTIVATIONS = ["logistic", "tanh", "relu", "identity"]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def regressor(**parameters):
    settings = {"n_hidden": 4, "solver": "lbfgs", "alpha": 0.01, "max_iter": 30}
    return TwoLayerRegressor(**{**settings, "random_state": 0, **parameters})


def classifier(**parameters):
    settings = {"n_hidden": 4, "solver": "lbfgs", "alpha": 0.01, "max_iter": 30}
    return TwoLayerClassifier(**{**settings, "random_state": 0, **parameters})


def own_mlp(MLP, X, y):
    """What scikit-learn's own fit leaves behind."""
    settings = {"activation": "logistic", "solver": "lbfgs", "max_iter": 3, "random_state": 0}
    return MLP(hidden_layer_sizes=(4,), **settings).fit(X, y)


@pytest.mark.parametrize("name", REGRESSIONS)
@pytest.mark.parametrize("n_members", [1, 3])
def test_a_regressor_predicts_the_same(name, n_members):
    y = REGRESSIONS[name]
    model = regressor(n_members=n_members).fit(X, y)
    mlp = model.to_sklearn_mlp()
    assert type(mlp) is MLPRegressor
    assert mlp.hidden_layer_sizes == (4 * n_members,)
    assert np.allclose(mlp.predict(X), np.squeeze(model.predict(X)), rtol=1e-9)
    if n_members == 1:
        assert_attributes_of_an_own_fit(mlp, own_mlp(MLPRegressor, X, np.squeeze(y)))


@pytest.mark.parametrize("name", CLASSIFICATIONS)
@pytest.mark.parametrize("n_members", [1, 3])
def test_a_classifier_predicts_the_same(name, n_members):
    y = CLASSIFICATIONS[name]
    model = classifier(n_members=n_members).fit(FLOWERS, y)
    mlp = model.to_sklearn_mlp()
    assert type(mlp) is MLPClassifier
    assert np.array_equal(mlp.predict(FLOWERS), model.predict(FLOWERS))
    probability = model.predict_proba(FLOWERS)
    if name == "a single class":
        probability = probability * [[1, 0]]
    assert np.allclose(mlp.predict_proba(FLOWERS), probability, rtol=1e-9, atol=1e-300)
    assert mlp.score(FLOWERS, y) == model.score(FLOWERS, y)
    if n_members == 1:
        assert_attributes_of_an_own_fit(mlp, own_mlp(MLPClassifier, FLOWERS, y))


def assert_attributes_of_an_own_fit(mlp, own):
    """All public ones, of the same types, with equal values where the fit does not matter."""
    check_is_fitted(mlp)
    fitted = {name for name in vars(own) if name.endswith("_")}
    assert fitted <= vars(mlp).keys()
    for name in fitted:
        assert isinstance(vars(own)[name], type(vars(mlp)[name]))
    for name in ("n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(mlp, name) == getattr(own, name)
    for name in ("coefs_", "intercepts_"):
        shapes = [[array.shape for array in getattr(each, name)] for each in (mlp, own)]
        assert shapes[0] == shapes[1]
    if hasattr(own, "classes_"):
        assert mlp.classes_.tolist() == list(own.classes_)
        assert mlp._label_binarizer.y_type_ == own._label_binarizer.y_type_


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("make", [regressor, classifier])
def test_every_activation_that_both_have(make, activation):
    model = make(activation=activation).fit(FLOWERS, KINDS)
    mlp = model.to_sklearn_mlp()
    assert mlp.activation == activation
    assert np.allclose(mlp.predict(FLOWERS), model.predict(FLOWERS), rtol=1e-9)


def test_float32_stays():
    for model in (regressor(), classifier()):
        single = FLOWERS.astype(np.float32)
        mlp = model.fit(single, KINDS).to_sklearn_mlp()
        assert {array.dtype for array in mlp.coefs_ + mlp.intercepts_} == {np.dtype(np.float32)}
        assert mlp.predict(single).dtype == model.predict(single).dtype
        assert np.allclose(mlp.predict(single), model.predict(single), rtol=1e-4)


@pytest.mark.parametrize(
    ("solver", "of_mlp"),
    [("gd", "lbfgs"), ("lm", "lbfgs"), ("lbfgs", "lbfgs"), ("sgd", "sgd"), ("adam", "adam")],
)
def test_what_it_tells_of_the_fit(solver, of_mlp):
    model = regressor(solver=solver, random_state=3).fit(X, Y)
    mlp = model.to_sklearn_mlp()
    assert (mlp.solver, mlp.random_state) == (of_mlp, 3)
    for name in ("n_iter_", "t_", "loss_", "loss_curve_"):
        assert getattr(mlp, name) == getattr(model, name)


def test_names_of_columns_are_checked_as_before():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(FLOWERS, columns=list("abcd"))
    mlp = classifier().fit(frame, KINDS).to_sklearn_mlp()
    assert mlp.feature_names_in_.tolist() == list("abcd")
    assert mlp.predict(frame).shape == KINDS.shape
    with pytest.raises(ValueError, match="feature names"):
        mlp.predict(frame[list("dcba")])


def test_the_copy_is_independent():
    model = regressor().fit(X, Y)
    mlp, before = model.to_sklearn_mlp(), model.predict(X)
    for array in mlp.coefs_ + mlp.intercepts_:
        array[:] = 0
    mlp.loss_curve_.append(0.0)
    assert np.array_equal(model.predict(X), before)
    assert model.loss_curve_[-1] != 0


def test_weights_that_the_user_has_set_are_those_of_the_mlp():
    model = regressor().fit(X, Y)
    model.coefs_ = [2 * W for W in model.coefs_]
    assert np.allclose(model.to_sklearn_mlp().predict(X), model.predict(X), rtol=1e-9)


def test_a_step_of_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), classifier()).fit(FLOWERS, KINDS)
    twin = make_pipeline(pipeline[0], pipeline[-1].to_sklearn_mlp())
    assert np.array_equal(twin.predict(FLOWERS), pipeline.predict(FLOWERS))


@pytest.mark.parametrize("make", [regressor, classifier])
def test_it_can_be_pickled_and_cloned(make):
    mlp = make().fit(FLOWERS, KINDS).to_sklearn_mlp()
    twin = pickle.loads(pickle.dumps(mlp))
    assert np.array_equal(twin.predict(FLOWERS), mlp.predict(FLOWERS))
    assert not hasattr(clone(mlp), "coefs_")


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("name", ["two names", "many names", "many labels", "real"])
def test_it_can_go_on_learning(solver, name):
    y = {**CLASSIFICATIONS, "real": FLOWERS[:, 3]}[name]
    scaled = StandardScaler().fit_transform(FLOWERS)
    model = (regressor if name == "real" else classifier)(solver=solver, standardize=False)
    mlp = model.set_params(max_iter=3).fit(scaled, y).to_sklearn_mlp()
    if solver == "lbfgs":
        mlp.set_params(warm_start=True, max_iter=50).fit(scaled, y)
    else:
        assert mlp.partial_fit(scaled, y) is mlp
        assert mlp.t_ == 4 * len(scaled)
        for _ in range(200):
            mlp.partial_fit(scaled, y)
    assert mlp.score(scaled, y) >= model.score(scaled, y)
    assert not np.allclose(mlp.coefs_[0], model.coefs_[0])


def test_an_mlp_of_lbfgs_can_go_on_by_adam():
    mlp = regressor().fit(X, Y).to_sklearn_mlp().set_params(solver="adam")
    assert mlp.partial_fit(X, Y).best_loss_ == mlp.loss_


def test_what_an_mlp_does_not_have_is_refused():
    with pytest.raises(ValueError, match="MLPRegressor has no activation='softplus'"):
        regressor(activation="softplus").fit(X, Y).to_sklearn_mlp()
    with pytest.raises(ValueError, match="MLPClassifier has no activation='softplus'"):
        classifier(activation="softplus").fit(FLOWERS, KINDS).to_sklearn_mlp()
    with pytest.raises(ValueError, match="MLPRegressor has no logistic output"):
        regressor(output_activation="logistic").fit(FLOWERS, KINDS / 2).to_sklearn_mlp()
    with pytest.raises(NotFittedError):
        TwoLayerRegressor().to_sklearn_mlp()
    fitted = regressor().fit(X, Y).set_params(activation="softplus")
    assert fitted.to_sklearn_mlp().activation == "logistic"
