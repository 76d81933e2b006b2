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

    V(x) = T R J(x) (c G)^-1 J(x)' R                         (k, k)

(the linearised Laplace approximation of Immer, Korzepa & Bauer 2021) with a
temperature T. Regression adds the noise; classification averages the probability over
the Gaussian, and the Hessians in G as well (``moderation``).

R is diagonal and 1 but for several targets under squared error: R_c^2 = q_c beta / beta_c. F weighs
all targets alike, but each has a noise precision of its own, estimated from its residuals
and its share gamma_c of the effective parameters, as if it were alone:

    1 / beta_c = sum_i s_i r_ic^2 / (S - q_c gamma_c),      gamma_c ~ sum_i s_i (J_i G^-1 J_i')_cc

F takes their noise for independent. Where it has the correlations C of the residuals, a row tells
less of the weights that targets share, and a prediction varies q_c times as far, on average over
the rows: q_c = sum_i s_i sum_d C_cd (J_i G^-1 J_i')_cd / sum_i s_i (J_i G^-1 J_i')_cc (``noise``).
V is then that of least squares, sigma_c^2 x'(X'X)^-1 x, where targets share no weights. Where
they share the hidden layer, the noise of others that has crept into a target is part of its
residuals, and so of its beta_c.

The Gaussian knows the valley that the fit ended in; fits from other starts end in
others, and their predictions differ. Under squared error T is therefore larger than 1,
by about the variance that was measured between starts, in units of that of one, unless y or
rows that were left out say that V is too large (``valleys``).
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.linalg import LinAlgError

from sklearn_twolayer._bayes.averages import (
    N_CALIBRATION_DRAWS,
    expected_hessian,
    expected_prediction,
)
from sklearn_twolayer._bayes.leave_one_out import covariance, leave_one_out_mean
from sklearn_twolayer._bayes.noise import Likelihood, noise_precisions
from sklearn_twolayer._bayes.valleys import valleys
from sklearn_twolayer._network.backprop import TwoLayerNetwork, jacobian, without_shift
from sklearn_twolayer._network.curvature import LOW_RANK_FLOOR, DenseFactor, LowRankInverse
from sklearn_twolayer._network.objective import Penalty

#: Most weights of a network that has error bars; fits of few rows may have more, in dual form.
MAX_WEIGHTS = 5000
#: Range of a prior precision on the standardised scale.
PRIOR_PRECISION_BOUNDS = (1e-6, 1e6)
#: Prior precision of the output biases of classes, where they have no penalty: that of a weight of
#: ordinary size. A class of which no row has weight bends F nowhere, and without a prior its Z2
#: would be anything.
PRECISION_OF_CLASSES = 1.0
#: Share of the largest curvature that is told from none at all, as in the dual form.
TRACE = LOW_RANK_FLOOR
#: Temperatures among which the moderation chooses, and the ratio of losses that count as equal.
#: The posterior leans from the minimum towards larger margins, a Gaussian around it does not: with
#: T above 0.25 new rows lost more in bad cases than they gained in good ones (docs/choices.md).
TEMPERATURES = (0.0, 0.03, 0.1, 0.25)
TIE = 1.02
#: Most averages of the curvature, the multiply-adds that they may take together, and by how much
#: the diagonal of the last may differ from that before.
N_AVERAGES, MAX_COST_OF_AVERAGES = 4, 2e9
AVERAGE_TOLERANCE = 0.2


@dataclass(frozen=True)
class Precisions:
    """Prior precision (G,) of the weights of each of the ``groups`` (p,), and the noise's."""

    groups: np.ndarray
    prior: np.ndarray
    noise: float

    def penalty(self, likelihood):
        """The penalty that these precisions amount to."""
        return Penalty(self.groups, self.prior / likelihood.scale(self.noise))


def posterior_factor(curvature):
    """Factor of G, with the least jitter that makes it definite; ValueError if none does."""
    largest = max(curvature.diagonal.max(), np.finfo(float).tiny)
    for jitter in (0.0, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6):
        try:
            return curvature.factorize(jitter * largest)
        except LinAlgError:
            continue
    raise ValueError(
        "The Gauss-Newton matrix is lost to rounding: X or y holds values too large, or a sparse "
        "column of X values that differ by less than a millionth of their size. Scale the "
        "columns, or subtract their means, or pass a dense X."
    )


def effective_parameters(penalty, factor):
    """gamma_g = W_g - alpha_g tr_g(G^-1): how many weights of each group the data fix."""
    size = np.bincount(penalty.groups)
    return np.clip(factor.determined(penalty.groups), 1e-3, size)


def log_marginal_likelihood(value, factor, precisions, likelihood):
    """Laplace's approximation of ln p(y | precisions), from F and the factor of its curvature.

    -M - 1/2 ln |A| + 1/2 sum_g W_g ln a_g + S k / 2 ln(beta / 2 pi), with A = c G
    (MacKay 1992, eq. 22; Bishop 1995, eq. 10.67). The log loss has no beta. Where a group has no
    prior, a_g = 0, it is -inf.
    """
    if not (precisions.prior > 0).all():
        return -np.inf
    scale, n_params = likelihood.scale(precisions.noise), len(precisions.groups)
    log_determinant = n_params * np.log(scale) + factor.log_determinant()
    log_prior = np.log(precisions.prior)[precisions.groups].sum()
    normalizer = 0.0
    if likelihood.is_gaussian:
        normalizer = 0.5 * likelihood.n_telling * np.log(precisions.noise / (2 * np.pi))
    return -scale * value - 0.5 * log_determinant + 0.5 * log_prior + normalizer


@dataclass(frozen=True)
class Posterior:
    """Gaussian posterior of one network's weights, on the standardised scale."""

    network: TwoLayerNetwork
    params: np.ndarray  # (p,)
    factor: DenseFactor | LowRankInverse  # of G
    scale: float  # c
    noise_precision: np.ndarray  # (k,), beta_c of each target; 1 for log loss
    spread: np.ndarray  # (k,), R; 1 for log loss and for one target
    n_effective: float  # gamma, how many weights the data determine
    total_weight: float  # S
    log_marginal_likelihood: float  # ln p(y); -inf where some weights have no prior
    n_rows: int  # of which G is
    ignores_shift: bool = False  # whether V leaves out the common shift of the raw predictions
    temperature: float = 1.0  # T: see ``valleys``, and ``calibrate`` for log loss

    @property
    def n_stored(self):
        """How many numbers of the matrix a pickle holds."""
        return self.factor.n_stored

    def raw_prediction(self, X):
        """Z2 (n, k) and its covariance V (n, k, k) for a block of rows [X 1]."""
        Z2, A1 = self.network.forward(self.params, X)
        J = jacobian(self.network, self.params, X, A1)
        V = self.factor.covariance(without_shift(J) if self.ignores_shift else J)
        V *= self.temperature / self.scale * np.outer(self.spread, self.spread)
        return Z2, V


@dataclass(frozen=True)
class PointMass:
    """All probability at the weights that were found: a network that is not moderated.

    It takes no matrix, where one would take longer than the fit.
    """

    network: TwoLayerNetwork
    params: np.ndarray
    n_stored = 0

    def raw_prediction(self, X):
        """Z2 (n, k) and its covariance, which is zero."""
        Z2, _ = self.network.forward(self.params, X)
        return Z2, np.zeros((*Z2.shape, Z2.shape[1]))


def posterior_of(mean_loss, params, penalty, *, part=None, few=None, left_out_share=None):
    """Posterior of a fit, from mean losses in float64.

    The noise is that of all rows. The curvature is that of a ``part``, by default all of them, and
    single predictions are judged by a ``few``, by default the rows of the curvature. The share of
    the variance of y that left-out rows lost widens all variances that amount to less, and bounds
    those within a valley: ``valleys``.
    """
    part = mean_loss if part is None else part
    likelihood = Likelihood.of(mean_loss)
    few = part if few is None else few
    loss, _, curvature = part.quadratic(params)
    loss = loss if part is mean_loss else mean_loss.value(params)
    held = _with_least_prior(penalty, loss, likelihood, largest=curvature.diagonal.max())
    factor = posterior_factor(replace(curvature, penalties=held.per_weight))
    gamma = effective_parameters(held, factor)
    n_effective = float(likelihood.of_telling(gamma).sum())
    noise_precision = likelihood.noise_precision(loss, n_effective)
    of_targets = spread = np.ones(likelihood.n_outputs)
    if likelihood.is_gaussian:
        of_targets, growth, are_told = noise_precisions(
            mean_loss, params, gamma.sum(), variances=likelihood.variances, few=few, factor=factor
        )
        if left_out_share is not None:
            widening = likelihood.widening(of_targets, left_out_share, gamma, factor)
            noise_precision, of_targets = noise_precision / widening, of_targets / widening
        spread = np.sqrt(noise_precision / of_targets * growth) if are_told else spread
    scale = likelihood.scale(noise_precision)
    precisions = Precisions(penalty.groups, penalty.strengths * scale, noise_precision)
    value = loss + penalty.value(params)
    evidence = log_marginal_likelihood(value, factor, precisions, likelihood)
    if likelihood.is_gaussian:
        units = spread**2 / scale
        temperature = valleys(
            few, params, factor, units=units, likelihood=likelihood, left_out_share=left_out_share
        )
    else:
        factor, temperature = moderation(part, params, held, factor, few=few, scale=scale)
    return Posterior(
        network=mean_loss.network,
        params=params,
        factor=factor.inverse,
        scale=scale,
        noise_precision=of_targets,
        spread=spread,
        n_effective=n_effective,
        total_weight=likelihood.total_weight,
        log_marginal_likelihood=evidence,
        n_rows=part.rows.n_rows,
        ignores_shift=mean_loss.loss.ignores_shift,
        temperature=temperature,
    )


def _with_least_prior(penalty, loss, likelihood, *, largest):
    """The penalty, but with no weaker prior than the evidence knows, at a mean ``loss``.

    Without one, as with alpha = 0, weights that the data leave alone have an infinite variance.
    Under the log loss biases have it too: b1 of equal units has no curvature, and its inverse
    would be made of rounding; b2, whose common shift has none under the softmax, as the b2 of a
    class without rows, has a prior like that of weights, of unit precision. Under squared
    error biases stay free, as the intercept of least squares is, but for a trace of the
    ``largest`` curvature, which every weight has: what moves nothing, as the b1 of linear or dead
    units, or as most weights do where they are more than the residuals, must not count as
    determined.
    """
    scale = likelihood.scale(likelihood.noise_precision(loss, 0))
    strengths = np.maximum(penalty.strengths, PRIOR_PRECISION_BOUNDS[0] / scale)
    if likelihood.is_gaussian:
        strengths[[-3, -1]] = penalty.strengths[[-3, -1]]
    elif penalty.strengths[-1] == 0:
        strengths[-1] = PRECISION_OF_CLASSES / scale
    return Penalty(penalty.groups, np.maximum(strengths, TRACE * largest))


def moderation(mean_loss, params, penalty, factor, *, few, scale):
    """The factor and the temperature of a classifier's posterior, from the factor of Laplace's.

    At a minimum that parts the classes all probabilities are nearly 0 or 1, and the curvature
    there is next to none, but a little way off the loss rises: Laplace's approximation is
    far too wide. Of all Gaussians around the minimum the one nearest to the posterior of the
    linearised network has instead

        G = (1 / S) sum_i s_i J_i' E[H(z_i)] J_i + diag(alpha),    z_i ~ N(Z2_i, J_i (S G)^-1 J_i')

    (Opper & Archambeau 2009, "The variational Gaussian approximation revisited", eq. 10).
    Repeated until G stays. A wide Gaussian makes the next one narrow, and that a wide one: V is
    that of half the way (geometrically, on average over the diagonal) between the last two G.
    Where that would take too long, probabilities are not moderated.
    """
    if not is_moderated(mean_loss.network, mean_loss.rows.n_rows):
        return factor, 0.0
    diagonal = replace(mean_loss.quadratic(params)[2], penalties=penalty.per_weight).diagonal
    loss, half_way = mean_loss.loss, 1.0
    for _ in range(N_AVERAGES):

        def average(Z2, J, factor=factor, scale=half_way * scale):
            """E H(z) (n, k, k)."""
            return expected_hessian(loss, Z2, covariance(loss, factor, scale, J))

        curvature = mean_loss.quadratic(params, average)[2]
        curvature = replace(curvature, penalties=penalty.per_weight)
        factor, before, diagonal = posterior_factor(curvature), diagonal, curvature.diagonal
        if (abs(diagonal - before) <= AVERAGE_TOLERANCE * diagonal).all():
            break
        half_way = np.exp(np.log(before / diagonal).mean() / 2)
    return factor, calibrate(few, params, factor, scale)


def is_moderated(network, n_rows):
    """Return whether averages of a classifier's curvature over so many rows can be afforded."""
    residuals, p = n_rows * network.n_outputs, network.n_params
    return N_AVERAGES * residuals * p * min(residuals, p) <= MAX_COST_OF_AVERAGES


def calibrate(mean_loss, params, factor, total_weight):
    """The temperature whose moderated probabilities predict left-out rows best.

    Of temperatures that predict equally well it is the largest: the most cautious one far from
    the rows, of which left-out rows tell nothing.
    """
    loss = mean_loss.loss
    of_rows, hessian = partial(moderated_losses, loss), partial(expected_hessian, loss)
    losses = leave_one_out_mean(
        mean_loss, params, factor, scale=total_weight, row_function=of_rows, hessian=hessian
    )
    return TEMPERATURES[np.flatnonzero(losses <= TIE * losses.min())[-1]]


def moderated_losses(loss, y, Z2, V):
    """Log loss (n, number of temperatures) of moderated probabilities."""
    columns = []
    for temperature in TEMPERATURES:
        A2 = expected_prediction(loss, Z2, temperature * V, N_CALIBRATION_DRAWS)
        of_class = y.ndim == 1  # the index of one
        probability = A2[np.arange(len(y)), y] if of_class else np.where(y > 0.5, A2, 1 - A2)
        columns.append(-np.log(np.maximum(probability, np.finfo(float).tiny)))
    columns = np.stack(columns, axis=-1)
    return columns if columns.ndim == 2 else columns.sum(axis=1)
