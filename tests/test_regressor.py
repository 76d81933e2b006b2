"""TwoLayerRegressor: shapes, outputs, weights as frequencies, and life inside scikit-learn."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.ensemble import BaggingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import TwoLayerRegressor

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(80, 3))
Y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2]


def fitted(X, y, sample_weight=None, **parameters):
    model = TwoLayerRegressor(**{"n_hidden": 5, "alpha": 0.01, "random_state": 0, **parameters})
    return model.fit(X, y, sample_weight=sample_weight)


@pytest.mark.parametrize(
    ("y", "shape", "n_outputs"),
    [(Y, (80,), 1), (Y[:, None], (80, 1), 1), (np.c_[Y, -Y, Y**2], (80, 3), 3)],
)
def test_predictions_have_the_shape_of_y(y, shape, n_outputs):
    model = fitted(X, y)
    assert model.predict(X).shape == shape
    assert model.predict(X[:1]).shape == (1, *shape[1:])
    assert model.n_outputs_ == n_outputs
    assert model.coefs_[1].shape == (5, n_outputs)


def test_one_column_is_one_target():
    assert np.array_equal(fitted(X, Y[:, None]).predict(X)[:, 0], fitted(X, Y).predict(X))


def test_the_objective_is_a_mean_over_rows_and_targets_plus_the_penalty():
    y = np.c_[Y, Y + 1]
    model = fitted(X, y, standardize=False, alpha=0.3)
    penalty = 0.3 / 2 * sum((W**2).sum() for W in model.coefs_)
    expected = ((model.predict(X) - y) ** 2).mean() + penalty
    assert model.loss_and_gradient(X, y)[0] == pytest.approx(expected, rel=1e-13)
    assert model.loss_ == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("y", [Y > 0, (3 * Y).astype(int), Y.astype(object), Y.tolist()])
def test_targets_of_other_types_are_numbers(y):
    expected = fitted(X, np.asarray(y, float)).predict(X)
    assert np.array_equal(fitted(X, y).predict(X), expected)


def test_a_constant_target_is_predicted():
    for solver in ("lm", "lbfgs"):
        np.testing.assert_allclose(
            fitted(X, np.full(80, -7.5), solver=solver).predict(X), -7.5, rtol=1e-4
        )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.where(Y > 1, np.nan, Y), "y contains NaN"),
        (np.where(Y > 1, np.inf, Y), "y contains infinity"),
        (np.where(Y > 1, "a", "b"), "could not convert string to float"),
        (Y[:-1], "inconsistent numbers of samples"),
        (np.zeros((80, 1, 1)), "dim 3"),
        (np.zeros((80, 0)), r"shape \(80, 0\), with no target"),
        (Y * 1e300, "In y there are values too large to standardise"),
        (Y + 1j, "Complex data not supported"),
        (None, "requires y"),
    ],
)
def test_bad_targets_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        fitted(X, bad)


def test_loss_and_gradient_wants_as_many_targets_as_the_fit():
    with pytest.raises(ValueError, match=r"shape \(80, 2\), but .* 1 outputs"):
        fitted(X, Y).loss_and_gradient(X, np.c_[Y, Y])


def test_logistic_output_stays_between_zero_and_one():
    y = 1 / (1 + np.exp(-5 * X[:, 0]))
    model = fitted(X, y, output_activation="logistic", alpha=1e-4)
    assert model.out_activation_ == "logistic"
    assert model.score(X, y) > 0.99
    predicted = model.predict(100 * X)
    assert (predicted >= 0).all()
    assert (predicted <= 1).all()


def test_logistic_output_takes_the_ends_but_warns_beyond():
    y = (X[:, 0] > 0).astype(float)
    fitted(X, y, output_activation="logistic", max_iter=500)
    with pytest.warns(UserWarning, match="y ranges from 0 to 2, but output_activation") as caught:
        fitted(X, 2 * y, output_activation="logistic", max_iter=500)
    assert len(caught) == 1


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("settings", [{}, {"n_hidden": 50}, {"output_activation": "logistic"}])
def test_weights_are_repeats(settings, n_outputs):
    weight = RANDOM.randint(0, 4, size=80)
    y = 1 / (1 + np.exp(-np.c_[Y, X[:, 0]][:, :n_outputs]))
    weighted = fitted(X, y, weight, **settings)
    repeated = fitted(X.repeat(weight, axis=0), y.repeat(weight, axis=0), **settings)
    found, expected = weighted.predict(X), repeated.predict(X)
    assert np.abs(found - expected).max() <= 1e-7 * np.abs(expected).max()
    assert weighted.loss_ == pytest.approx(repeated.loss_, rel=1e-9)
    losses = [
        weighted.loss_and_gradient(X, y, weight)[0],
        weighted.loss_and_gradient(X.repeat(weight, axis=0), y.repeat(weight, axis=0))[0],
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    assert weighted.score(X, y, weight) == pytest.approx(
        weighted.score(X.repeat(weight, axis=0), y.repeat(weight, axis=0)), rel=1e-12
    )


def test_rows_of_weight_zero_are_as_if_dropped():
    weight = (X[:, 0] > 0).astype(float)
    wild = np.where(weight[:, None] > 0, X, 1e6 * X)
    assert np.array_equal(
        fitted(wild, Y, weight).predict(X), fitted(X[weight > 0], Y[weight > 0]).predict(X)
    )


@pytest.mark.parametrize("solver", ["gd", "lbfgs", "lm", "sgd", "adam"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_only_the_ratios_of_weights_matter(solver):
    weight = RANDOM.uniform(0.5, 2, size=80)
    settings = {"solver": solver, "max_iter": 5}
    expected = fitted(X, Y, weight, **settings).predict(X)
    for scale in (2.0**-1000, 2.0**-20, 2.0**20, 2.0**1000):
        found = fitted(X, Y, scale * weight, **settings).predict(X)
        np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("solver", ["gd", "lbfgs", "lm", "sgd", "adam"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_only_the_ratios_of_weights_matter_in_float32(solver):
    weight = RANDOM.uniform(0.5, 2, size=80)
    settings = {"solver": solver, "max_iter": 5}
    expected = fitted(X.astype(np.float32), Y, weight, **settings).predict(X)
    for scale in (1e-50, 1e-20, 1e20, 1e50):
        found = fitted(X.astype(np.float32), Y, scale * weight, **settings).predict(X)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (-np.ones(80), "must not be negative"),
        (np.full(80, np.nan), "sample_weight: Input contains NaN"),
        (np.zeros(80), "gives every row the weight zero"),
        (np.ones(79), "each of the 80 rows"),
        (np.full(80, 1e308), "sample_weight"),
    ],
)
def test_bad_weights_are_refused_in_fit_and_in_loss_and_gradient(weight, message):
    with pytest.raises(ValueError, match=message):
        fitted(X, Y, weight)
    with pytest.raises(ValueError, match=message):
        fitted(X, Y).loss_and_gradient(X, Y, weight)


def test_score_is_r2_with_weights():
    model, weight = fitted(X, Y), RANDOM.uniform(size=80)
    assert model.score(X, Y, weight) == r2_score(Y, model.predict(X), sample_weight=weight)


def test_identity_activation_is_linear_regression():
    model = fitted(X, Y, activation="identity", alpha=0, tol=1e-12)
    expected = LinearRegression().fit(X, Y).predict(X)
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu", "softplus"])
def test_defaults_learn_a_smooth_surface(activation):
    model = TwoLayerRegressor(activation=activation, random_state=0, alpha=1e-3, max_iter=1000)
    assert model.fit(X, Y).score(X, Y) > 0.97


def test_in_a_pipeline_and_a_grid_search_on_real_data():
    diabetes_X, diabetes_y = load_diabetes(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), TwoLayerRegressor(5, alpha=0.01, random_state=0))
    grid = {"twolayerregressor__alpha": [0.01, 0.1], "twolayerregressor__n_hidden": [3, 5]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=1).fit(diabetes_X, diabetes_y)
    assert search.best_score_ > 0.4
    assert search.best_params_["twolayerregressor__alpha"] in (0.01, 0.1)
    assert (cross_val_score(pipeline, diabetes_X, diabetes_y, cv=3) > 0.3).all()


def test_sample_weights_pass_through_a_pipeline():
    weight = RANDOM.randint(1, 4, size=80)
    pipeline = make_pipeline(StandardScaler(), TwoLayerRegressor(5, alpha=0.01, random_state=0))
    pipeline.fit(X, Y, twolayerregressor__sample_weight=weight)
    expected = fitted(StandardScaler().fit_transform(X), Y, weight)
    assert np.array_equal(pipeline.predict(X), expected.predict(StandardScaler().fit_transform(X)))


def test_a_transformed_target():
    model = TransformedTargetRegressor(
        TwoLayerRegressor(5, random_state=0, alpha=1e-4), func=np.log, inverse_func=np.exp
    )
    y = np.exp(Y)
    assert model.fit(X, y).score(X, y) > 0.95
    expected = np.exp(fitted(X, np.log(y), alpha=1e-4).predict(X))
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)


def test_in_ensembles_and_meta_estimators():
    model = TwoLayerRegressor(4, alpha=0.01, random_state=0)
    bagging = BaggingRegressor(model, n_estimators=4, random_state=0, n_jobs=1).fit(X, Y)
    assert bagging.score(X, Y) > 0.8
    both = MultiOutputRegressor(clone(model)).fit(X, np.c_[Y, X[:, 0]])
    assert both.predict(X).shape == (80, 2)
