"""The evidence: exact where the model is linear in its weights, and sensible where it is not."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import make_friedman1

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._data.counted import kish

ESTIMATORS = [TwoLayerRegressor, TwoLayerClassifier]
STRATEGIES = ["evidence", "ard"]
X = np.random.RandomState(0).normal(size=(60, 3))
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)


def fitted(Estimator, X=X, y=Y, sample_weight=None, **parameters):
    model = Estimator(**{"n_hidden": 4, "alpha": "evidence", "random_state": 0, **parameters})
    return model.fit(X, y, sample_weight=sample_weight)


def raw(model, X):
    return model.predict(X) if isinstance(model, TwoLayerRegressor) else model.decision_function(X)


@pytest.mark.parametrize("alpha", STRATEGIES)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_published_precisions_are_those_of_the_published_penalties(Estimator, alpha):
    model = fitted(Estimator, alpha=alpha)
    assert len(model.penalty_) == (6 if alpha == "ard" else 4)  # W1, b1, W2, b2
    scale = len(X)
    if Estimator is TwoLayerRegressor:
        scale *= model.noise_precision_ * Y.var() / 2
    else:
        assert not hasattr(model, "noise_precision_")
    np.testing.assert_allclose(model.prior_precision_, model.penalty_ * scale, rtol=1e-12)
    n_params = sum(array.size for array in model.coefs_ + model.intercepts_)
    assert 0 < model.n_effective_params_ < n_params
    assert np.isfinite(model.log_marginal_likelihood_)


@pytest.mark.parametrize("seed", range(3))
def test_noise_precision_of_simulated_data(seed):
    """The estimate of a variance has standard error variance sqrt(2 / n)."""
    random, n, noise = np.random.RandomState(seed), 500, 0.3
    X = random.uniform(-3, 3, size=(n, 1))
    y = 5 * np.sin(X[:, 0]) + noise * random.normal(size=n)
    model = fitted(TwoLayerRegressor, X, y, n_hidden=6)
    error = 1 / model.noise_precision_ - noise**2
    assert abs(error) < 4 * noise**2 * np.sqrt(2 / n)


def test_noise_precision_has_an_entry_for_each_output():
    random = np.random.RandomState(0)
    noise = np.array([0.5, 20.0])
    y = np.c_[np.sin(X[:, 0]), 100 * X[:, 1]] + noise * random.normal(size=(60, 2))
    model = fitted(TwoLayerRegressor, y=y)
    assert model.noise_precision_.shape == (2,)
    np.testing.assert_allclose(model.noise_precision_, noise**-2, rtol=0.8)


@pytest.mark.parametrize("alpha", STRATEGIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lbfgs_finds_the_noise_and_a_penalty_as_good(alpha, dtype):
    """Other steps to other minima, of the same evidence."""
    features, y = make_friedman1(300, noise=1.0, random_state=0)
    new, target = make_friedman1(1000, noise=1.0, random_state=1)
    models = [
        fitted(TwoLayerRegressor, features.astype(dtype), y, n_hidden=6, alpha=alpha, solver=solver)
        for solver in ("lm", "lbfgs")
    ]
    scores = [model.score(new.astype(dtype), target) for model in models]
    assert scores[1] > scores[0] - 0.05 > 0.8
    assert models[1].noise_precision_ == pytest.approx(1, rel=0.3)
    assert models[1].solver_ == "lbfgs" and models[1].coefs_[0].dtype == dtype
    assert models[1].prior_precision_.shape == models[0].prior_precision_.shape


@pytest.mark.parametrize("alpha", STRATEGIES)
@pytest.mark.usefixtures("dual_form")
@pytest.mark.parametrize("n_rows", [20, 60], ids=["dual", "primal"])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_weights_are_repeats_in_every_statistic(Estimator, n_rows, alpha):
    """With 20 rows and no repeats there are fewer residuals than weights: the dual form."""
    rows = X[:n_rows]
    target = rows[:, 0] + 0.5 * np.random.RandomState(1).normal(size=n_rows)
    target = target if Estimator is TwoLayerRegressor else (target > 0).astype(int)
    counts = np.ones(n_rows, int)
    counts[: n_rows // 4] = 2
    counts[-1] = 0
    weighted = fitted(Estimator, rows, target, counts, alpha=alpha)
    repeated = fitted(Estimator, np.repeat(rows, counts, 0), np.repeat(target, counts), alpha=alpha)
    names = ["prior_precision_", "n_effective_params_", "log_marginal_likelihood_", "loss_"]
    if Estimator is TwoLayerRegressor:
        names.append("noise_precision_")
    for name in names:
        expected = getattr(repeated, name)
        np.testing.assert_allclose(getattr(weighted, name), expected, rtol=1e-6, err_msg=name)
    np.testing.assert_allclose(raw(weighted, X), raw(repeated, X), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("seed", range(2))
def test_relevance_separates_the_inputs_of_friedman_1(seed):
    """Five inputs matter, the last two linearly: little weight does; five more are noise."""
    features, y = make_friedman1(200, n_features=10, noise=0.5, random_state=seed)
    model = fitted(TwoLayerRegressor, features, y, alpha="ard", n_hidden=8)
    relevant, irrelevant = model.prior_precision_[:5], model.prior_precision_[5:10]
    assert 10 * relevant.max() < np.median(irrelevant)
    assert 10 * relevant[:3].max() < irrelevant.min()


@pytest.mark.parametrize("alpha", STRATEGIES)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_units_that_are_powers_of_two_change_nothing(Estimator, alpha):
    scale = np.array([2.0**7, 1, 2.0**-9])
    is_regressor = Estimator is TwoLayerRegressor
    y = np.sin(2 * X[:, 0]) + X[:, 1] if is_regressor else Y
    y_scale = 4.0 if is_regressor else 1
    model = fitted(Estimator, y=y, alpha=alpha)
    other = fitted(Estimator, X * scale, y * y_scale, alpha=alpha)
    np.testing.assert_array_equal(raw(other, X * scale), raw(model, X) * y_scale)
    np.testing.assert_array_equal(other.prior_precision_, model.prior_precision_)
    shift = len(X) * np.log(y_scale)  # a density of 4 y
    expected = model.log_marginal_likelihood_ - shift
    assert other.log_marginal_likelihood_ == pytest.approx(expected, rel=1e-12)
    if is_regressor:
        assert other.noise_precision_ == model.noise_precision_ / 16


def test_a_move_of_X_and_y_moves_the_prediction():
    y = np.sin(2 * X[:, 0]) + X[:, 1]
    model = fitted(TwoLayerRegressor, y=y)
    elsewhere = X + np.array([8, -4, 0])
    moved = fitted(TwoLayerRegressor, elsewhere, y + 16)
    np.testing.assert_allclose(moved.predict(elsewhere) - 16, model.predict(X), atol=1e-6)


@pytest.mark.parametrize("alpha", STRATEGIES)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_sparse_is_dense(Estimator, alpha):
    holey = np.where(X > 0, X, 0)
    dense = fitted(Estimator, holey, alpha=alpha)
    other = fitted(Estimator, sparse.csr_array(holey), alpha=alpha)
    np.testing.assert_allclose(raw(other, holey), raw(dense, holey), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(other.prior_precision_, dense.prior_precision_, rtol=1e-5)


@pytest.mark.parametrize("alpha", STRATEGIES)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_it_ends_near_a_minimum_of_its_own_objective(Estimator, alpha):
    model = fitted(Estimator, alpha=alpha)
    loss, coef_gradients, intercept_gradients = model.loss_and_gradient(X, Y)
    assert loss == pytest.approx(model.loss_, rel=1e-9)
    largest = max(np.abs(g).max() for g in coef_gradients + intercept_gradients)
    assert largest < 1e-2 * max(loss, 1)
    assert len(model.loss_curve_) == model.n_iter_ <= 200


@pytest.mark.parametrize("alpha", ["evidence", "ard", "auto"])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_weights_below_one_count_by_their_ratios(Estimator, alpha):
    """Weights that sum to less than n are no frequencies, and their scale means nothing.

    Nor does it where they sum to the rows that they count. Penalties are the same; rounding decides
    at which of the last steps a search ends.
    """
    weight = np.random.RandomState(1).uniform(0.5, 1.5, size=60)
    weight *= weight.sum() / (weight @ weight)
    assert weight.sum() == pytest.approx(kish(weight))
    models = [
        Estimator(4, alpha=alpha, random_state=0).fit(X, Y, factor * weight)
        for factor in (1, 2**-4, 2**-50)
    ]
    for model in models[1:]:
        np.testing.assert_allclose(model.penalty_, models[0].penalty_, rtol=1e-4)
        assert model.loss_ == pytest.approx(models[0].loss_, rel=1e-3)
        found, expected = model._raw_prediction(X), models[0]._raw_prediction(X)
        np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2)


def of_sines(n_constant, seed, n_rows=60):
    """A regressor of a noisy target beside constant ones, and its error on new rows."""
    rng = np.random.default_rng(seed)
    X, new = rng.normal(size=(n_rows, 4)), rng.normal(size=(500, 4))
    y, truth = (np.sin(2 * x[:, 0]) + x[:, 1] for x in (X, new))
    Y = np.column_stack([y + 0.3 * rng.normal(size=n_rows), np.ones((n_rows, n_constant))])
    model = TwoLayerRegressor(10, alpha="evidence", random_state=0).fit(X, Y)
    prediction = model.predict(new).reshape(500, -1)
    np.testing.assert_allclose(prediction[:, 1:], 1, rtol=1e-9)
    return model, np.sqrt(np.mean((prediction[:, 0] - truth) ** 2))


def test_constant_targets_cost_the_others_nothing():
    """Their residuals of zero would make all targets noiseless, and the penalty weak."""
    error = {n: np.mean([of_sines(n, seed)[1] for seed in range(5)]) for n in (0, 3)}
    assert error[3] < 1.1 * error[0]


@pytest.mark.parametrize("n_constant", [1, 3])
def test_the_noise_of_a_constant_target_is_that_of_one_more_row(n_constant):
    """Also beside others, in whose units it is not measured: 1 / sqrt(n), or so."""
    noise = of_sines(n_constant, seed=1)[0].noise_precision_ ** -0.5
    assert noise[0] == pytest.approx(0.3, rel=0.1)
    np.testing.assert_allclose(noise[1:], np.full(n_constant, 60**-0.5), rtol=0.1)
