"""The posterior of the weights: how sure the network is of its raw prediction.

Around the minimum of F the weights are Gaussian with covariance (c G)^-1, and
the raw prediction, linearised in the weights, has covariance

    V(x) = T J(x) (c G)^-1 J(x)'                             (k, k)

(MacKay 1992; the linearised Laplace approximation of Immer, Korzepa & Bauer
2021) with a temperature T. Regression adds the noise; classification averages the
probability over the Gaussian.

The Gaussian knows the valley that the fit ended in; fits from other starts end in
others, and their predictions differ. Under squared error T is therefore larger than 1,
by about the variance that was measured between starts, in units of that of one.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.polynomial.hermite_e import hermegauss

from sklearn_twolayer._activations import logistic
from sklearn_twolayer._evidence import (
    Likelihood,
    Precisions,
    effective_parameters,
    log_marginal_likelihood,
    posterior_factor,
)
from sklearn_twolayer._quadratic_model import QuadraticModel

#: Nodes of Gauss-Hermite quadrature; draws of the sample for more than two classes, to
#: predict and to choose the temperature.
N_NODES = 32
N_DRAWS = 512
N_CALIBRATION_DRAWS = 64
#: Temperature under squared error: the variance of predictions from different starts was
#: 0.7 to 1 times that within a valley (docs/benchmarks.md). A linear network has one valley
#: (Baldi & Hornik 1989).
VALLEYS_TEMPERATURE = 1.75
#: Temperatures among which the moderation chooses.
TEMPERATURES = (0.0, 0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Posterior:
    """Gaussian posterior of one network's weights, on the standardised scale.

    Parameters
    ----------
    network : TwoLayerNetwork
    params : ndarray, shape (p,)
    factor : DenseFactor or LowRankFactor
        Of G.
    scale : float
        c.
    noise_precision : float
        beta; 1 for log loss.
    n_effective : float
        gamma, how many weights the data determine.
    total_weight : float
        S.
    log_marginal_likelihood : float
        ln p(y); -inf where some weights have no prior.
    temperature : float
        Factor T on the covariance: 1.75 for squared error, 1 if the network is linear; for
        log loss the one under which moderated probabilities predict left-out rows best.
    """

    network: object
    params: np.ndarray
    factor: object
    scale: float
    noise_precision: float
    n_effective: float
    total_weight: float
    log_marginal_likelihood: float
    temperature: float = 1.0

    def raw_prediction(self, X):
        """Z2 (n, k) and its covariance V (n, k, k) for a block of rows [X 1]."""
        Z2, A1 = self.network.forward(self.params, X)
        J = self.network.jacobian(self.params, X, A1)
        return Z2, self.factor.covariance(J) * (self.temperature / self.scale)


def posterior_of(objective, rows, fitted):
    """Posterior of a fit with ``x``, ``groups`` and ``penalty`` of each group.

    The noise precision is (S k - gamma) / sum_i s_i |r_i|^2: that of the evidence
    where it has converged, and the estimate for any other penalty.
    """
    model = QuadraticModel(objective, rows)
    is_gaussian = objective.loss.is_squared_error
    likelihood = Likelihood(rows.total_weight, objective.network.n_outputs, is_gaussian)
    loss, _, curvature = model.data_term(fitted.x)
    factor = posterior_factor(curvature.with_diagonal(fitted.penalty[fitted.groups]))
    n_effective = float(effective_parameters(fitted.groups, fitted.penalty, factor).sum())
    noise_precision = likelihood.noise_precision(loss, n_effective)
    scale = likelihood.scale(noise_precision)
    evidence = -np.inf
    if (fitted.penalty > 0).all():
        precisions = Precisions(fitted.penalty * scale, noise_precision)
        evidence = log_marginal_likelihood(model, fitted.x, fitted.groups, precisions, likelihood)
    return Posterior(
        objective.network,
        fitted.x,
        factor,
        scale,
        noise_precision,
        n_effective,
        rows.total_weight,
        evidence,
        temperature_of(objective, rows, fitted.x, factor),
    )


def temperature_of(objective, rows, params, factor):
    """T: a constant for squared error, by left-out rows for log loss."""
    if not objective.loss.is_squared_error:
        return calibrate(objective, rows, params, factor)
    activations = objective.network.activation, objective.loss.output_activation
    return 1.0 if activations == ("identity", "identity") else VALLEYS_TEMPERATURE


def calibrate(objective, rows, params, factor):
    """The temperature whose moderated probabilities predict best.

    The Gaussian around the minimum is often too wide: weights that the
    data leave alone are held back by the curvature of the loss further away.
    Judged by the log loss of left-out rows; ties go to the smaller factor.
    """
    row_losses = partial(moderated_losses, objective.loss)
    losses = objective.leave_one_out_mean(params, rows, factor, 1.0, row_losses)
    best = 0
    for candidate, loss in enumerate(losses):
        if loss < (1 - 1e-3) * losses[best]:
            best = candidate
    return TEMPERATURES[best]


def moderated_losses(loss, y, Z2, V):
    """Log loss (n, number of temperatures) of moderated probabilities."""
    columns = []
    for temperature in TEMPERATURES:
        if loss.output_activation == "softmax":
            A2 = expected_softmax(Z2, temperature * V, N_CALIBRATION_DRAWS)
            probability = A2[np.arange(len(y)), y]
        else:
            A2 = expected_logistic(Z2, temperature * V)
            probability = np.where(y > 0.5, A2, 1 - A2)
        columns.append(-np.log(np.maximum(probability, np.finfo(float).tiny)))
    columns = np.stack(columns, axis=-1)
    return columns if columns.ndim == 2 else columns.sum(axis=1)


def mixture_moments(posteriors, X):
    """Mean (n, k) and covariance (n, k, k) of a committee's raw prediction.

    The mean of the covariances plus the covariance of the means.
    """
    parts = [posterior.raw_prediction(X) for posterior in posteriors]
    means = np.array([Z2 for Z2, _ in parts])
    mean = means.mean(axis=0)
    deviation = means - mean
    between = np.einsum("mnc,mnd->ncd", deviation, deviation) / len(parts)
    return mean, sum(V for _, V in parts) / len(parts) + between


def noise_variance(posteriors):
    """1 / beta: the mean over a committee."""
    return float(np.mean([1 / posterior.noise_precision for posterior in posteriors]))


def expected_logistic(Z2, V):
    """E sigma(z) for z ~ N(Z2, diag V), each output by itself: (n, k).

    By Gauss-Hermite quadrature: int sigma(Z2 + sqrt(V) t) N(t) dt.
    """
    nodes, weights = hermegauss(N_NODES)
    deviation = np.sqrt(np.maximum(np.diagonal(V, axis1=1, axis2=2), 0))
    z = Z2[:, :, None] + deviation[:, :, None] * nodes
    return logistic(z) @ (weights / weights.sum())


def expected_softmax(Z2, V, n_draws=N_DRAWS):
    """E softmax(z) for z ~ N(Z2, V): (n, k).

    By a fixed symmetric sample of the standard normal, so that the answer is the
    same every time. The common shift of the raw predictions carries no
    information and is projected out, in mean and in variance.
    """
    k = Z2.shape[1]
    centring = np.eye(k) - 1 / k
    Z2 = Z2 @ centring
    eigenvalues, vectors = np.linalg.eigh(centring @ V @ centring)
    root = vectors * np.sqrt(np.maximum(eigenvalues, 0))[:, None, :]
    half = np.random.RandomState(0).standard_normal((n_draws // 2, k))
    draws = np.concatenate([half, -half])
    z = Z2[:, None, :] + draws @ root.transpose(0, 2, 1)
    z -= z.max(axis=2, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=2, keepdims=True)
    return z.mean(axis=1)
