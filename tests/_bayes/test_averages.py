"""Expectations over Gaussian raw predictions, against integrals and samples."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from sklearn_twolayer._bayes import posterior
from sklearn_twolayer._bayes.averages import (
    N_CALIBRATION_DRAWS,
    expected_hessian,
    expected_prediction,
)
from sklearn_twolayer._bayes.posterior import (
    TEMPERATURES,
    calibrate,
    moderated_losses,
)
from sklearn_twolayer._learned import mixture_moments
from sklearn_twolayer._network.losses import BinaryLogLoss, MulticlassLogLoss

BINARY, MULTICLASS = BinaryLogLoss(), MulticlassLogLoss()


def random_gaussians(k, n=20, seed=0):
    """Means (n, k) and covariances (n, k, k) of raw predictions."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, k, k))
    return 2 * rng.normal(size=(n, k)), root @ root.transpose(0, 2, 1)


@pytest.mark.parametrize(("deviation", "error"), [(0.1, 1e-9), (1, 1e-9), (3, 1e-4), (10, 0.02)])
@pytest.mark.parametrize("mean", [0.0, 0.5, -2.0, 7.0])
def test_expected_logistic_is_its_integral(mean, deviation, error):
    def integrand(t):
        return norm.pdf(t) / (1 + np.exp(-mean - deviation * t))

    expected, _ = quad(integrand, -9, 9, points=[-mean / deviation], limit=200)
    found = expected_prediction(BINARY, np.array([[mean]]), np.array([[[deviation**2]]]))
    assert found == pytest.approx(expected, abs=error)


@pytest.mark.parametrize("size", [0.01, 1.0, 30.0])
def test_expected_softmax_is_that_of_a_sample(size):
    """By brute force. Its own sample of 512 has a standard error below 0.5 / 22."""
    Z2, V = random_gaussians(3, n=10)
    draws = np.random.default_rng(1).standard_normal((20_000, 3))
    roots = np.sqrt(size) * np.linalg.cholesky(V)
    samples = (z + draws @ root.T for z, root in zip(Z2, roots))
    expected = np.array([MulticlassLogLoss().predict(sample).mean(axis=0) for sample in samples])
    found = expected_prediction(MULTICLASS, Z2, size * V)
    assert np.abs(found - expected).max() < 0.08
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.02


@pytest.mark.parametrize("size", [0.0, 1e-12])
def test_without_variance_nothing_is_moderated(size):
    Z2, V = random_gaussians(3)
    expected = BinaryLogLoss().predict(Z2)
    np.testing.assert_allclose(expected_prediction(BINARY, Z2, size * V), expected, rtol=1e-5)
    expected = MulticlassLogLoss().predict(Z2)
    np.testing.assert_allclose(expected_prediction(MULTICLASS, Z2, size * V), expected, rtol=1e-5)


def test_the_common_shift_of_the_raw_predictions_moderates_nothing():
    """Neither its mean nor its variance, however large."""
    Z2, V = random_gaussians(4)
    expected = expected_prediction(MULTICLASS, Z2, V)
    np.testing.assert_allclose(expected_prediction(MULTICLASS, Z2 + 7, V), expected, rtol=1e-9)
    np.testing.assert_allclose(expected_prediction(MULTICLASS, Z2, V + 100), expected, rtol=1e-6)


@pytest.mark.parametrize("loss", [BinaryLogLoss(), MulticlassLogLoss()])
def test_the_expected_hessian_is_the_derivative_of_the_expected_probability(loss):
    """E H(z) = d E A2(z) / d Z2: differentiating under the integral."""
    Z2, V = random_gaussians(3)
    found, step = expected_hessian(loss, Z2, V), 1e-5

    def probability(Z2):
        return expected_prediction(loss, Z2, V, N_CALIBRATION_DRAWS)

    for c in range(3):
        change = step * np.eye(3)[c]
        derivative = (probability(Z2 + change) - probability(Z2 - change)) / (2 * step)
        np.testing.assert_allclose(found[:, :, c], derivative, atol=1e-8)
    np.testing.assert_allclose(expected_hessian(loss, Z2, 0 * V), loss.hessian(Z2), atol=1e-12)


def test_certain_raw_predictions_do_not_overflow():
    Z2 = np.array([[1e4, 0.0, -1e4]])
    V = 1e6 * np.eye(3)[None]
    for expected in (
        expected_prediction(BINARY, Z2, V),
        expected_prediction(MULTICLASS, Z2, V),
    ):
        assert np.isfinite(expected).all()


def test_moderated_losses_of_each_temperature():
    """Columns in the order of the temperatures; the first, zero, is the plain log loss."""
    Z2, V = random_gaussians(3)
    labels = np.random.default_rng(2).integers(3, size=len(Z2))
    found = moderated_losses(MulticlassLogLoss(), labels, Z2, V)
    assert found.shape == (len(Z2), len(TEMPERATURES))
    np.testing.assert_allclose(
        found[:, 0], MulticlassLogLoss().loss_and_delta(labels, Z2)[0], rtol=1e-9
    )
    indicators = (np.random.default_rng(2).uniform(size=Z2.shape) < 0.5).astype(float)
    found = moderated_losses(BinaryLogLoss(), indicators, Z2, V)
    assert found.shape == (len(Z2), len(TEMPERATURES))
    np.testing.assert_allclose(
        found[:, 0], BinaryLogLoss().loss_and_delta(indicators, Z2)[0], rtol=1e-9
    )
    expected = expected_prediction(BINARY, Z2, TEMPERATURES[-1] * V)
    expected = -np.log(np.where(indicators > 0.5, expected, 1 - expected)).sum(axis=1)
    np.testing.assert_allclose(found[:, -1], expected, rtol=1e-9)


@pytest.mark.parametrize("last", [0, 2, len(TEMPERATURES) - 1])
def test_of_temperatures_that_predict_equally_well_the_largest_is_taken(last, monkeypatch):
    """But of no temperature that predicts worse, be it larger."""
    losses = np.full(len(TEMPERATURES), 0.5)
    losses[last + 1 :] = 0.6
    losses[0] -= 1e-12
    monkeypatch.setattr(posterior, "leave_one_out_mean", lambda *arguments, **options: losses)
    mean_loss = SimpleNamespace(loss=BinaryLogLoss())
    assert calibrate(mean_loss, None, None, 1.0) == TEMPERATURES[last]


def test_rows_are_left_out_under_the_curvature_of_the_posterior(monkeypatch):
    """That of the average, of which G is the sum; at the minimum alone it is next to nothing."""
    asked, losses = {}, np.zeros(len(TEMPERATURES))

    def leave_one_out_mean(mean_loss, params, factor, **options):
        asked.update(options)
        return losses

    monkeypatch.setattr(posterior, "leave_one_out_mean", leave_one_out_mean)
    calibrate(SimpleNamespace(loss=MulticlassLogLoss()), None, None, 1.0)
    Z2, V = random_gaussians(3)
    expected = expected_hessian(MulticlassLogLoss(), Z2, V)
    np.testing.assert_array_equal(asked["hessian"](Z2, V), expected)


def test_mixture_moments_are_mean_of_variances_plus_variance_of_means():
    class Member:
        def __init__(self, seed):
            self.seed = seed

        def raw_prediction(self, X):
            return random_gaussians(2, n=len(X), seed=self.seed)

    parts = [random_gaussians(2, n=5, seed=seed) for seed in range(3)]
    mean, covariance = mixture_moments([Member(seed) for seed in range(3)], np.zeros((5, 1)))
    means = np.array([Z2 for Z2, _ in parts])
    np.testing.assert_allclose(mean, means.mean(axis=0), rtol=1e-12)
    for i in range(5):
        expected = np.mean([V[i] for _, V in parts], axis=0) + np.cov(means[:, i].T, bias=True)
        np.testing.assert_allclose(covariance[i], expected, rtol=1e-10)
