"""Statistics of a fit, each computed another way: by a chain, by samples, by refits, by algebra."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from gradient_check import numerical_jacobian, random_problem
from small_posteriors import SmallPosterior, comparison

from sklearn_twolayer import TwoLayerRegressor
from sklearn_twolayer._bayes.averages import expected_prediction
from sklearn_twolayer._bayes.posterior import posterior_of
from sklearn_twolayer._network.backprop import jacobian
from sklearn_twolayer._network.losses import BinaryLogLoss, MulticlassLogLoss

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(40, 3))


# --- exact where the network is linear: least squares --------------------------------------------


@pytest.mark.parametrize("is_weighted", [False, True])
def test_several_linear_targets_have_the_statistics_of_least_squares(is_weighted):
    """As many identity units as targets: sigma_c^2 = RSS_c / (S - f - 1), and k (f + 1) weights."""
    noise = np.array([0.1, 3.0])
    y = X @ RANDOM.normal(size=(3, 2)) + noise * RANDOM.normal(size=(40, 2))
    counts = RANDOM.randint(1, 4, size=40) if is_weighted else np.ones(40, int)
    rows = np.repeat(np.arange(40), counts)
    design = np.column_stack([X, np.ones(40)])
    theta, squares, *_ = np.linalg.lstsq(design[rows], y[rows], rcond=None)
    variance = squares / (counts.sum() - 4)
    leverage = np.einsum(
        "np,pq,nq->n", design, np.linalg.inv(design[rows].T @ design[rows]), design
    )
    parameters = {"activation": "identity", "alpha": 1e-10, "solver": "lm", "tol": 1e-12}
    model = TwoLayerRegressor(2, **parameters, random_state=0).fit(X, y, counts)
    prediction, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(prediction, design @ theta, atol=1e-4)
    assert model.n_effective_params_ == pytest.approx(8, abs=1e-2)
    np.testing.assert_allclose(1 / model.noise_precision_, variance, rtol=1e-3)
    np.testing.assert_allclose(std**2, variance * (1 + leverage[:, None]), rtol=1e-3)


# --- a chain, and samples ------------------------------------------------------------------------


@pytest.mark.parametrize("is_classifier", [False, True])
def test_the_spread_of_predictions_and_the_evidence_are_those_of_a_chain(is_classifier):
    """Four weights and many rows, where the posterior is nearly Gaussian."""
    ratio, evidence, errors = comparison(0, n_rows=120, is_classifier=is_classifier)
    np.testing.assert_allclose(ratio, 1, atol=0.15)
    assert abs(evidence) < 0.3
    assert max(errors, default=0) < 0.02


def test_moderation_goes_the_way_of_the_chain():
    """Few rows: at temperature 1 it is nearer to the exact probability than the plain network."""
    small = SmallPosterior(1, n_rows=15, is_classifier=True)
    x = np.linspace(-2, 2, 9)
    ones = np.column_stack([x, np.ones(9)])
    exact = (1 / (1 + np.exp(-small.raw_prediction(small.chain(), x)))).mean(axis=0)
    tempered = (replace(small.laplace, temperature=T).raw_prediction(ones) for T in (0.0, 1.0))
    plain, moderated = (expected_prediction(BinaryLogLoss(), *each)[:, 0] for each in tempered)
    assert np.abs(moderated - exact).mean() < np.abs(plain - exact).mean()


@pytest.mark.parametrize(
    ("loss_class", "n_outputs"), [(BinaryLogLoss, 1), (BinaryLogLoss, 3), (MulticlassLogLoss, 4)]
)
def test_moderated_probabilities_are_means_over_sampled_weights(loss_class, n_outputs):
    """Weights are drawn from the Gaussian; raw predictions are linear in them, by differences."""
    problem = random_problem(loss_class, n_outputs, n_rows=60, is_weighted=False, alpha=0.01)
    with problem.rows() as rows:
        posterior = posterior_of(problem.mean_loss(rows), problem.params, problem.penalty)
    posterior = replace(posterior, temperature=1.0)
    ones = np.column_stack([problem.X, np.ones(60)])
    standardized = problem.standardization.apply_block(ones.copy())[:8]
    network, p = problem.network, problem.network.n_params

    def raw_prediction(params):
        return network.forward(params, standardized)[0].copy()

    J = numerical_jacobian(raw_prediction, problem.params)
    covariance = np.array([posterior.factor.solve(e) for e in np.eye(p)]) / posterior.scale
    random = np.random.RandomState(0)
    draws = random.normal(size=(40_000, p)) @ np.linalg.cholesky(covariance).T
    Z2 = raw_prediction(problem.params) + np.einsum("mp,ncp->mnc", draws, J)
    sampled = problem.loss.predict(Z2.reshape(-1, n_outputs)).reshape(Z2.shape).mean(axis=0)
    kind = problem.loss.output_activation
    found = expected_prediction(problem.loss, *posterior.raw_prediction(standardized))
    assert np.abs(found - sampled).max() < (0.03 if kind == "softmax" else 0.01)


# --- refits --------------------------------------------------------------------------------------


def test_effective_parameters_are_the_sensitivities_of_the_fit():
    """Gamma = sum_i d prediction_i / d y_i (Ye 1998), by refits to targets that were moved.

    The Gauss-Newton matrix leaves out what the residuals add to the curvature: gamma is larger.
    """
    x = np.linspace(-1.7, 1.7, 20)[:, None]
    y = np.sin(2 * x[:, 0]) + 0.2 * np.random.RandomState(0).normal(size=20)
    parameters = {"activation": "tanh", "alpha": 0.01, "solver": "lm", "standardize": False}
    model = TwoLayerRegressor(4, **parameters, tol=1e-13, max_iter=1000, random_state=1)
    model.set_params(warm_start=True).fit(x, y)
    sensitivity = 0.0
    for i in range(20):
        step = 1e-3 * (np.arange(20) == i)
        above, below = (deepcopy(model).fit(x, y + s * step).predict(x)[i] for s in (1, -1))
        sensitivity += (above - below) / 2e-3
    assert sensitivity < model.n_effective_params_ < 1.4 * sensitivity


def test_units_that_are_dead_or_linear_determine_nothing():
    """No more weights are effective than the Jacobian has independent columns."""
    y = X[:, 0] + RANDOM.normal(size=40)
    for activation in ("relu", "identity"):
        parameters = {"activation": activation, "alpha": 0.03, "solver": "lm"}
        model = TwoLayerRegressor(6, **parameters, random_state=1).fit(X, y)
        network, standardization = model._learned_.network(model.coefs_), model._learned_.scale
        t = network.pack(*standardization.unfold(model.coefs_, model.intercepts_), dtype=float)
        ones = standardization.apply_block(np.column_stack([X, np.ones(40)]))
        J = jacobian(network, t, ones, network.forward(t, ones)[1])[:, 0]
        assert model.n_effective_params_ < np.linalg.matrix_rank(J, tol=1e-6 * np.abs(J).max())
