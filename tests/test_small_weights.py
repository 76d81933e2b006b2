"""Weights that sum to less than the number of rows: nearly zero is nearly as zero."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

ESTIMATORS = [TwoLayerRegressor, TwoLayerClassifier]


def rows(n, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, np.sin(X[:, 0]) + X[:, 1] ** 2 + 0.3 * rng.normal(size=n)


def target(Estimator, y):
    return y if Estimator is TwoLayerRegressor else (y > 0.8).astype(int)


def raw(model, X):
    return model.predict(X) if isinstance(model, TwoLayerRegressor) else model.decision_function(X)


def fit_beside(Estimator, least, **parameters):
    """A fit of 80 rows of weight 1 beside 160 of the ``least`` weight."""
    X, y = rows(240)
    weight = np.append(np.full(160, least), np.ones(80))
    model = Estimator(random_state=0, **parameters)
    return model.fit(X, target(Estimator, y), sample_weight=weight)


@pytest.mark.parametrize("alpha", ["evidence", 0.01])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_nearly_zero_is_nearly_as_zero(Estimator, alpha):
    parameters = {"alpha": alpha, "solver": "lm"}
    near, zero = (fit_beside(Estimator, least, **parameters) for least in (1e-12, 0))
    assert near.n_hidden_ == zero.n_hidden_
    np.testing.assert_allclose(near.penalty_, zero.penalty_, rtol=1e-3)
    X, _ = rows(100, 1)
    np.testing.assert_allclose(raw(near, X), raw(zero, X), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("least", [1e-6, 1e-3])
def test_rows_of_next_to_no_weight_tell_nothing_of_the_noise(least):
    """They had counted as much as the others: 240 residuals, most of them next to nothing."""
    model = fit_beside(TwoLayerRegressor, least)
    X, y = rows(2000, 1)
    prediction, deviation = model.predict(X, return_std=True)
    assert model.score(X, y) > 0.9
    assert 0.8 < model.noise_precision_**-0.5 / 0.3 < 1.25
    assert 0.85 < np.mean(abs(y - prediction) < 1.645 * deviation) < 0.97


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_even_weights_are_none_however_small(Estimator):
    """Bit for bit, also where rows repeat."""
    X, y = rows(40)
    X, y = np.vstack([X, X[:15]]), target(Estimator, np.append(y, y[:15]))
    models = [
        Estimator(random_state=0).fit(X, y, sample_weight=weight)
        for weight in (None, 1e-3, 1 / 55, 5e-324)
    ]
    for model in models[1:]:
        np.testing.assert_array_equal(raw(model, X), raw(models[0], X))


@pytest.mark.parametrize("unit", [5e-324, 1e-300])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_smallest_numbers_are_weights(Estimator, unit):
    X, y = rows(40)
    y, weight = target(Estimator, y), np.arange(1.0, 41)
    model = Estimator(5, alpha="evidence", random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        small = clone(model).fit(X, y, sample_weight=unit * weight)
    ordinary = clone(model).fit(X, y, sample_weight=2.0**-20 * weight)
    np.testing.assert_allclose(small.penalty_, ordinary.penalty_, rtol=1e-3)


def test_two_rows_that_count_do_not_tell_the_noise():
    """Beside them are others of next to no weight, as if there were none."""
    X, y = rows(30)
    noise = []
    for least in (1e-12, 0):
        weight = np.append([1.0, 1.0], np.full(28, least))
        model = TwoLayerRegressor(5, alpha=0.1, random_state=0).fit(X, y, sample_weight=weight)
        noise.append(float(model.noise_precision_))
    assert noise[0] == pytest.approx(noise[1], rel=1e-2)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_stream_counts_rows_by_their_weights(Estimator):
    """Its penalty is one over the rows of all calls."""
    X, y = rows(240)
    options = {} if Estimator is TwoLayerRegressor else {"classes": [0, 1]}
    penalties = []
    for least in (1e-12, 0):
        model = Estimator(5, solver="sgd", random_state=0)
        weight = np.append(np.full(160, least), np.ones(80))
        for _ in range(3):
            model.partial_fit(X, target(Estimator, y), sample_weight=weight, **options)
        penalties.append(model.penalty_)
    np.testing.assert_allclose(*penalties, rtol=1e-9)


def test_class_weights_of_a_small_sum_count_rows():
    X, y = rows(120)
    y = target(TwoLayerClassifier, y)
    small, ordinary = (
        TwoLayerClassifier(5, random_state=0, class_weight={0: w, 1: w}).fit(X, y) for w in (0.1, 1)
    )
    np.testing.assert_allclose(small.penalty_, ordinary.penalty_, rtol=1e-9)


def test_validation_rows_without_weight_are_named():
    X, y = rows(40)
    message = "X_val, y_val and sample_weight_val: .* every row the weight zero: no row is left"
    with pytest.raises(ValueError, match=message):
        TwoLayerRegressor(3).fit(X, y, X_val=X, y_val=y, sample_weight_val=np.zeros(40))


@pytest.mark.parametrize("tiny", [1e-3, 1e-6, 1e-9])
def test_a_row_that_weighs_nearly_all_is_not_believed_to_tell_all(tiny):
    """The others say how far a y may be from it: bars were as small as their weights."""
    random = np.random.RandomState(0)
    inputs = random.normal(size=(10, 2))
    y = inputs[:, 0] ** 2 + 0.1 * random.normal(size=10)
    weight = np.r_[1.0, np.full(9, tiny)]
    model = TwoLayerRegressor(random_state=0).fit(inputs, y, weight)
    _, std = model.predict(random.normal(size=(50, 2)), return_std=True)
    assert np.median(std) > 0.5 * y.std()
