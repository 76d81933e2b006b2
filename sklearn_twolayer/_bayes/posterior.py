"""The posterior of the weights: how sure the network is of its raw prediction.

The penalised objective is the exponent of a posterior (MacKay 1992, "A practical
Bayesian framework for backpropagation networks"): with noise precision beta for
squared error, and a prior precision a_g for every weight w of group g,

    M = beta / 2 sum_i s_i |r_i|^2 + 1/2 sum_g a_g |w_g|^2        squared error
    M = sum_i s_i loss_i           + 1/2 sum_g a_g |w_g|^2        log loss

so that M = c F with c = beta S k / 2 or c = S, and alpha_g = a_g / c: the one
conversion, in ``Likelihood``. With the Gauss-Newton curvature G of F, the posterior is
Gaussian around the minimum with covariance (c G)^-1, and the raw prediction, linearised
in the weights, has covariance

    V(x) = T J(x) (c G)^-1 J(x)'                             (k, k)

(the linearised Laplace approximation of Immer, Korzepa & Bauer 2021) with a
temperature T. Regression adds the noise; classification averages the probability over
the Gaussian.

The Gaussian knows the valley that the fit ended in; fits from other starts end in
others, and their predictions differ. Under squared error T is therefore larger than 1,
by about the variance that was measured between starts, in units of that of one.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.linalg import LinAlgError

from sklearn_twolayer._bayes.leave_one_out import leave_one_out_mean
from sklearn_twolayer._network.activations import logistic
from sklearn_twolayer._network.objective import Penalty
from sklearn_twolayer._network.second_order import jacobian

#: Range of the noise precision on the standardised scale.
NOISE_PRECISION_BOUNDS = (1e-6, 1e8)
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
class Likelihood:
    """What turns the objective F into the exponent M = scale F of a posterior.

    Parameters
    ----------
    total_weight : float
        S; weights are frequencies.
    n_outputs : int
        k.
    is_gaussian : bool
        True for squared error, whose noise has a precision beta; False for log loss.
    """

    total_weight: float
    n_outputs: int
    is_gaussian: bool

    @classmethod
    def of(cls, mean_loss):
        """That of a mean loss."""
        n_outputs, is_gaussian = mean_loss.network.n_outputs, mean_loss.loss.is_squared_error
        return cls(mean_loss.rows.total_weight, n_outputs, is_gaussian)

    @property
    def n_residuals(self):
        """S k."""
        return self.total_weight * self.n_outputs

    def scale(self, noise_precision):
        """The factor c with M = c F and alpha_g = a_g / c."""
        return 0.5 * noise_precision * self.n_residuals if self.is_gaussian else self.total_weight

    def noise_precision(self, loss, n_effective):
        """Beta = (S k - gamma) / sum_i s_i |r_i|^2, within bounds; 1 for log loss."""
        if not self.is_gaussian:
            return 1.0
        degrees = self.n_residuals - min(n_effective, 0.99 * self.n_residuals)
        lowest, highest = NOISE_PRECISION_BOUNDS
        return float(max(degrees / max(self.n_residuals * loss, degrees / highest), lowest))

    def log_normalizer(self, noise_precision):
        """Logarithm of (beta / 2 pi)^(S k / 2); 0 for log loss."""
        if not self.is_gaussian:
            return 0.0
        return 0.5 * self.n_residuals * np.log(noise_precision / (2 * np.pi))


@dataclass(frozen=True)
class Precisions:
    """Prior precision (G,) of the weights of each of the ``groups`` (p,), and the noise's."""

    groups: np.ndarray
    prior: np.ndarray
    noise: float

    def penalty(self, likelihood):
        """The penalty that they amount to."""
        return Penalty(self.groups, self.prior / likelihood.scale(self.noise))


def posterior_factor(curvature):
    """Factor of G, with the least jitter on the diagonal that makes it definite."""
    largest = max(curvature.diagonal.max(), np.finfo(float).tiny)
    for jitter in (0.0, 1e-14, 1e-12, 1e-10, 1e-8):
        try:
            return curvature.factorize(jitter * largest)
        except LinAlgError:
            continue
    return curvature.factorize(1e-6 * largest)


def effective_parameters(penalty, factor):
    """gamma_g = W_g - alpha_g tr_g(G^-1): how many weights of each group the data fix."""
    size = np.bincount(penalty.groups)
    return np.clip(np.bincount(penalty.groups, factor.determined()), 1e-3, size)


def log_marginal_likelihood(mean_loss, params, precisions, likelihood):
    """Laplace's approximation of ln p(y | precisions).

    -M - 1/2 ln |A| + 1/2 sum_g W_g ln a_g + S k / 2 ln(beta / 2 pi), with A = c G
    (MacKay 1992, eq. 22; Bishop 1995, eq. 10.67).
    """
    scale = likelihood.scale(precisions.noise)
    penalised = mean_loss.penalised(precisions.penalty(likelihood))
    value, _, curvature = penalised.quadratic(params)
    log_determinant = len(params) * np.log(scale) + posterior_factor(curvature).log_determinant()
    log_prior = np.log(precisions.prior)[precisions.groups].sum()
    normalizer = likelihood.log_normalizer(precisions.noise)
    return -scale * value - 0.5 * log_determinant + 0.5 * log_prior + normalizer


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
        J = jacobian(self.network, self.params, X, A1)
        return Z2, self.factor.covariance(J) * (self.temperature / self.scale)


def posterior_of(mean_loss, params, penalty):
    """Posterior of a fit, from the mean loss over its rows in float64.

    The noise precision is (S k - gamma) / sum_i s_i |r_i|^2: that of the evidence
    where it has converged, and the estimate for any other penalty.
    """
    likelihood = Likelihood.of(mean_loss)
    loss, _, curvature = mean_loss.quadratic(params)
    factor = posterior_factor(curvature.with_diagonal(penalty.per_weight))
    n_effective = float(effective_parameters(penalty, factor).sum())
    noise_precision = likelihood.noise_precision(loss, n_effective)
    scale = likelihood.scale(noise_precision)
    evidence = -np.inf
    if (penalty.strengths > 0).all():
        precisions = Precisions(penalty.groups, penalty.strengths * scale, noise_precision)
        evidence = log_marginal_likelihood(mean_loss, params, precisions, likelihood)
    return Posterior(
        network=mean_loss.network,
        params=params,
        factor=factor,
        scale=scale,
        noise_precision=noise_precision,
        n_effective=n_effective,
        total_weight=likelihood.total_weight,
        log_marginal_likelihood=evidence,
        temperature=temperature_of(mean_loss, params, factor),
    )


def temperature_of(mean_loss, params, factor):
    """T: a constant for squared error, by left-out rows for log loss."""
    if not mean_loss.loss.is_squared_error:
        return calibrate(mean_loss, params, factor)
    activations = mean_loss.network.activation, mean_loss.loss.output_activation
    return 1.0 if activations == ("identity", "identity") else VALLEYS_TEMPERATURE


def calibrate(mean_loss, params, factor):
    """The temperature whose moderated probabilities predict best.

    The Gaussian around the minimum is often too wide: weights that the
    data leave alone are held back by the curvature of the loss further away.
    Judged by the log loss of left-out rows; ties go to the smaller factor.
    """
    row_losses = partial(moderated_losses, mean_loss.loss)
    losses = leave_one_out_mean(mean_loss, params, factor, inflation=1.0, row_function=row_losses)
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


def block_moments(X, y, weight, *, posteriors, scale):
    """Mean and covariance (n, k + k^2) of the raw prediction of a raw block [X 1]."""
    Z2, V = mixture_moments(posteriors, scale.apply_block(X))
    return np.hstack([Z2, V.reshape(len(V), -1)])


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
