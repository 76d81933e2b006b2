"""The evidence: exact where the model is linear in its weights, and sensible where it is not."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import OptimizeResult
from scipy.stats import multivariate_normal
from sklearn.datasets import make_friedman1

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._curvature import DenseCurvature, LowRankCurvature
from sklearn_twolayer._evidence import (
    NOISE_PRECISION_BOUNDS,
    Likelihood,
    Precisions,
    effective_parameters,
    log_marginal_likelihood,
    maximize_evidence,
    posterior_factor,
    update_precisions,
)

ESTIMATORS = [TwoLayerRegressor, TwoLayerClassifier]
STRATEGIES = ["evidence", "ard"]
X = np.random.RandomState(0).normal(size=(60, 3))
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)


class LinearModel:
    """Phi t with independent noise: the mean of squared residuals of k outputs side by side.

    Its posterior is Gaussian, so Laplace's approximation is exact.
    """

    def __init__(self, n_rows=30, n_params=6, n_outputs=1, noise=0.5, seed=0):
        rng = np.random.default_rng(seed)
        self.Phi = rng.normal(size=(n_rows * n_outputs, n_params))
        truth = np.where(np.arange(n_params) < n_params // 2, 2.0, 0.1)
        self.y = self.Phi @ (truth * rng.normal(size=n_params))
        self.y += noise * rng.normal(size=len(self.y))
        self.groups = np.repeat([0, 1], [n_params // 2, n_params - n_params // 2])
        self.likelihood = Likelihood(float(n_rows), n_outputs, True)

    def data_term(self, params):
        residual, n = self.Phi @ params - self.y, len(self.y)
        matrix = 2 / n * self.Phi.T @ self.Phi
        curvature = DenseCurvature(matrix, np.zeros(len(params)))
        return residual @ residual / n, 2 / n * self.Phi.T @ residual, curvature

    def __call__(self, params, penalty):
        loss, gradient, curvature = self.data_term(params)
        value = loss + 0.5 * penalty @ params**2
        return value, gradient + penalty * params, curvature.with_diagonal(penalty)

    def minimum(self, penalty):
        _, gradient, curvature = self(np.zeros(self.Phi.shape[1]), penalty)
        return curvature.factorize().solve(-gradient)

    def minimize(self, params, penalty, max_iter, damping):
        """The minimiser that ``maximize_evidence`` is handed."""
        x = self.minimum(penalty)
        return OptimizeResult(x=x, fun=self(x, penalty)[0], damping=1.0, curve=[0.0])

    def log_marginal_likelihood(self, precisions):
        """Of the package, at the minimum."""
        params = self.minimum(precisions.penalty(self.likelihood)[self.groups])
        return log_marginal_likelihood(self, params, self.groups, precisions, self.likelihood)

    def exact_log_marginal_likelihood(self, precisions):
        """Of a Gaussian with covariance I / beta + Phi diag(1 / a) Phi'."""
        covariance = self.Phi @ np.diag(1 / precisions.prior[self.groups]) @ self.Phi.T
        covariance += np.eye(len(self.y)) / precisions.noise
        return multivariate_normal(cov=covariance).logpdf(self.y)

    def maximum(self, start):
        *_, result = maximize_evidence(
            self,
            self.minimize,
            np.zeros(self.Phi.shape[1]),
            self.groups,
            start,
            self.likelihood,
            burn_in=1,
            max_iter=500,
        )
        return result.precisions


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize(("prior", "noise"), [([1, 1], 1), ([0.1, 50], 4), ([30, 0.01], 0.3)])
def test_log_marginal_likelihood_of_a_linear_model_is_exact(n_outputs, prior, noise):
    model = LinearModel(n_outputs=n_outputs)
    precisions = Precisions(np.array(prior, float), noise)
    expected = model.exact_log_marginal_likelihood(precisions)
    assert model.log_marginal_likelihood(precisions) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_the_fixed_point_is_a_maximum_of_the_marginal_likelihood(n_outputs):
    model = LinearModel(n_outputs=n_outputs)
    start = Precisions(np.ones(2), 1.0)
    found = model.maximum(start)
    best = model.exact_log_marginal_likelihood(found)
    assert best > model.exact_log_marginal_likelihood(start)
    for factor in (0.8, 1.25):
        for changed in (
            Precisions(found.prior * [factor, 1], found.noise),
            Precisions(found.prior * [1, factor], found.noise),
            Precisions(found.prior, found.noise * factor),
        ):
            assert model.exact_log_marginal_likelihood(changed) < best


def test_one_update_is_mackays():
    """a_g = gamma_g / |w_g|^2, beta = (S k - gamma) / sum |r|^2, with A written out."""
    model = LinearModel()
    start = Precisions(np.array([0.5, 2.0]), 3.0)
    t = model.minimum(start.penalty(model.likelihood)[model.groups])
    A = start.noise * model.Phi.T @ model.Phi + np.diag(start.prior[model.groups])
    gamma = 1 - start.prior[model.groups] * np.linalg.inv(A).diagonal()
    found = update_precisions(model, t, model.groups, start, model.likelihood)
    expected = [gamma[:3].sum() / (t[:3] @ t[:3]), gamma[3:].sum() / (t[3:] @ t[3:])]
    np.testing.assert_allclose(found.prior, expected, rtol=1e-10)
    residual = model.y - model.Phi @ t
    assert found.noise == pytest.approx((30 - gamma.sum()) / (residual @ residual), rel=1e-10)


def test_one_update_under_the_log_loss_is_stronger():
    """a_g = 1.5 gamma_g / |w_g|^2, with A = S G + diag(a) written out; beta stays 1."""
    model = LinearModel()
    likelihood = Likelihood(30.0, 1, False)
    start = Precisions(np.array([0.5, 2.0]), 1.0)
    t = model.minimum(start.penalty(likelihood)[model.groups])
    A = 2 * model.Phi.T @ model.Phi + np.diag(start.prior[model.groups])
    gamma = 1 - start.prior[model.groups] * np.linalg.inv(A).diagonal()
    found = update_precisions(model, t, model.groups, start, likelihood)
    expected = [gamma[:3].sum() / (t[:3] @ t[:3]), gamma[3:].sum() / (t[3:] @ t[3:])]
    np.testing.assert_allclose(found.prior, 1.5 * np.array(expected), rtol=1e-10)
    assert found.noise == 1


def test_no_update_where_the_weights_use_up_the_residuals():
    model = LinearModel(n_rows=8, n_params=6)
    start = Precisions(np.full(2, 1e-6), 1.0)
    t = model.minimum(start.penalty(model.likelihood)[model.groups])
    assert update_precisions(model, t, model.groups, start, model.likelihood) is start


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_effective_parameters_are_between_none_and_all(size):
    model = LinearModel()
    penalty = np.array([size, 1.0])
    curvature = model(np.zeros(6), penalty[model.groups])[2]
    gamma = effective_parameters(model.groups, penalty, posterior_factor(curvature))
    assert (gamma > 0).all()
    assert (gamma <= 3).all()
    if size != 1:
        assert gamma[0] == pytest.approx(3 if size < 1 else 1e-3, abs=1e-3)


@pytest.mark.parametrize("free", [0.0, 1e-12])
def test_no_more_parameters_are_determined_than_there_are_residuals(free):
    """Also in the dual form, with weights that hardly anything but the data holds."""
    root = np.random.default_rng(0).normal(size=(4, 10))
    groups, penalty = np.repeat([0, 1], 5), np.array([2.0, free])
    factor = posterior_factor(LowRankCurvature(root, penalty[groups]))
    gamma = effective_parameters(groups, penalty, factor)
    assert gamma.sum() == pytest.approx(4, rel=1e-3)


def test_conversion_between_penalty_and_precision():
    """M = c F: c = beta S k / 2 for squared error, S for log loss."""
    prior = np.array([3.0, 5.0])
    np.testing.assert_allclose(
        Precisions(prior, 4.0).penalty(Likelihood(10.0, 3, True)), 2 * prior / (4 * 10 * 3)
    )
    np.testing.assert_allclose(
        Precisions(prior, 1.0).penalty(Likelihood(10.0, 3, False)), prior / 10
    )


def test_the_log_loss_has_no_noise():
    likelihood = Likelihood(10.0, 3, False)
    assert likelihood.noise_precision(0.3, 2.0) == 1
    assert likelihood.log_normalizer(1.0) == 0


@pytest.mark.parametrize("loss", [0.0, 1e-320, 1e300])
def test_noise_precision_stays_within_its_bounds(loss):
    found = Likelihood(10.0, 1, True).noise_precision(loss, 10.0)
    assert NOISE_PRECISION_BOUNDS[0] <= found <= NOISE_PRECISION_BOUNDS[1]


def test_an_almost_singular_curvature_gets_the_jitter_it_needs():
    ones = np.ones((4, 4))
    factor = posterior_factor(DenseCurvature(ones, np.full(4, -1e-13)))
    assert np.isfinite(factor.log_determinant())


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
    y = np.c_[np.sin(X[:, 0]), 100 * X[:, 1]]
    model = fitted(TwoLayerRegressor, y=y)
    assert model.noise_precision_.shape == (2,)
    ratio = model.noise_precision_[0] / model.noise_precision_[1]
    assert ratio == pytest.approx(y[:, 1].var() / y[:, 0].var(), rel=1e-12)


@pytest.mark.parametrize("alpha", STRATEGIES)
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
    """Weights that sum to less than n are no frequencies, and their scale means nothing."""
    weight = np.random.RandomState(1).uniform(0.5, 1.5, size=60)
    weight *= 60 / weight.sum()
    models = [
        Estimator(4, alpha=alpha, random_state=0).fit(X, Y, factor * weight)
        for factor in (1, 2**-4, 2**-50)
    ]
    for model in models[1:]:
        found, expected = model._raw_prediction(X), models[0]._raw_prediction(X)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
