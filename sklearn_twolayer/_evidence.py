"""The evidence: how much to penalise each group of weights, read off the training rows.

The penalised objective is the exponent of a posterior (MacKay 1992, "A practical
Bayesian framework for backpropagation networks"): with noise precision beta for
squared error, and a prior precision a_g for every weight w of group g,

    M = beta / 2 sum_i s_i |r_i|^2 + 1/2 sum_g a_g |w_g|^2        squared error
    M = sum_i s_i loss_i           + 1/2 sum_g a_g |w_g|^2        log loss

so that M = c F with c = beta S k / 2 or c = S, and alpha_g = a_g / c: the one
conversion, in ``Likelihood``. With the Gauss-Newton curvature G of F, the
posterior is Gaussian around the minimum with precision matrix A = c G.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError
from scipy.optimize import OptimizeResult

#: Range of a prior precision on the standardised scale, and of the noise precision.
PRIOR_PRECISION_BOUNDS = (1e-6, 1e6)
NOISE_PRECISION_BOUNDS = (1e-6, 1e8)
#: Largest share of the residuals that the weights may use up before the precisions
#: stay what they are: beyond it the evidence runs away to interpolation.
MAX_EFFECTIVE_SHARE = 0.5
#: Factor on re-estimated prior precisions under the log loss. Laplace's approximation takes the
#: posterior for narrower than it is where probabilities saturate, and the evidence then
#: under-regularises noisy classifications; docs/benchmarks.md has the measurements.
LOG_LOSS_STRENGTH = 1.5
#: Converged when three updates in a row change no logarithm of a precision by more.
PRECISION_TOLERANCE = 1e-2


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

    @property
    def strength(self):
        """Factor on re-estimated prior precisions: 1 is MacKay's."""
        return 1.0 if self.is_gaussian else LOG_LOSS_STRENGTH

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
    """Prior precision of each group of weights, and the noise precision."""

    prior: np.ndarray
    noise: float

    def penalty(self, likelihood):
        """alpha_g of each group."""
        return self.prior / likelihood.scale(self.noise)


def posterior_factor(curvature):
    """Factor of G, with the least jitter on the diagonal that makes it definite."""
    largest = max(curvature.diagonal.max(), np.finfo(float).tiny)
    for jitter in (0.0, 1e-14, 1e-12, 1e-10, 1e-8):
        try:
            return curvature.factorize(jitter * largest)
        except LinAlgError:
            continue
    return curvature.factorize(1e-6 * largest)


def effective_parameters(groups, penalty, factor):
    """gamma_g = W_g - alpha_g tr_g(G^-1): how many weights of each group the data fix."""
    size = np.bincount(groups)
    return np.clip(np.bincount(groups, factor.determined(penalty[groups])), 1e-3, size)


def update_precisions(model, params, groups, precisions, likelihood):
    """Precisions by MacKay's re-estimation, or as they are where gamma is too large.

    a_g <- gamma_g / |w_g|^2, beta <- (S k - gamma) / sum_i s_i |r_i|^2; MacKay (1992),
    eq. 25 and 26; Bishop (1995), eq. 10.74 and 10.75. Under the log loss a_g is
    1.5 times as much.
    """
    penalty = precisions.penalty(likelihood)
    loss, _, curvature = model.data_term(params)
    factor = posterior_factor(curvature.with_diagonal(penalty[groups]))
    gamma = effective_parameters(groups, penalty, factor)
    if gamma.sum() > MAX_EFFECTIVE_SHARE * likelihood.n_residuals:
        return precisions
    squares = np.maximum(np.bincount(groups, params**2), np.finfo(float).tiny)
    prior = np.clip(likelihood.strength * gamma / squares, *PRIOR_PRECISION_BOUNDS)
    return Precisions(prior, likelihood.noise_precision(loss, gamma.sum()))


def log_marginal_likelihood(model, params, groups, precisions, likelihood):
    """Laplace's approximation of ln p(y | precisions).

    -M - 1/2 ln |A| + 1/2 sum_g W_g ln a_g + S k / 2 ln(beta / 2 pi), with A = c G
    (MacKay 1992, eq. 22; Bishop 1995, eq. 10.67).
    """
    scale = likelihood.scale(precisions.noise)
    penalty = precisions.penalty(likelihood)[groups]
    value, _, curvature = model(params, penalty)
    log_determinant = len(params) * np.log(scale) + posterior_factor(curvature).log_determinant()
    log_prior = np.log(precisions.prior)[groups].sum()
    normalizer = likelihood.log_normalizer(precisions.noise)
    return -scale * value - 0.5 * log_determinant + 0.5 * log_prior + normalizer


def maximize_evidence(
    model,
    minimize,
    params,
    groups,
    precisions,
    likelihood,
    *,
    burn_in,
    max_iter,
    damping=None,
):
    """Alternate steps downhill in F with re-estimated precisions.

    Parameters
    ----------
    model : QuadraticModel
    minimize : callable
        ``minimize(params, penalty, max_iter, damping) -> OptimizeResult`` of
        Levenberg-Marquardt under a penalty (p,).
    params : ndarray, shape (p,)
        Where to start.
    groups : ndarray, shape (p,)
        Group of each parameter.
    precisions : Precisions
        To start with.
    likelihood : Likelihood
    burn_in : int
        Accepted steps before the first re-estimation: precisions read off a
        network that has learned nothing yet would prune it.
    max_iter : int
        Most accepted steps.
    damping : float, optional
        Of the first step.

    Yields
    ------
    OptimizeResult
        After each minimisation, with ``groups``, ``penalty`` (one for each group),
        ``precisions`` and ``curve``.
    """
    penalty = precisions.penalty(likelihood)
    result = minimize(params, penalty[groups], min(burn_in, max_iter), damping)
    curve, calm = result.curve, 0
    yield _under(precisions, penalty, groups, result, curve)
    while calm < 3 and len(curve) < max_iter:
        updated = update_precisions(model, result.x, groups, precisions, likelihood)
        change = max(
            np.abs(np.log(updated.prior / precisions.prior)).max(),
            abs(np.log(updated.noise / precisions.noise)),
        )
        calm = calm + 1 if change < PRECISION_TOLERANCE else 0
        precisions, penalty = updated, updated.penalty(likelihood)
        result = minimize(result.x, penalty[groups], 1, result.damping)
        curve = curve + (result.curve or [result.fun])
        yield _under(precisions, penalty, groups, result, curve)


def _under(precisions, penalty, groups, result, curve):
    """A minimisation, and the precisions under which it was done."""
    return OptimizeResult(
        result, groups=groups, penalty=penalty, precisions=precisions, curve=curve
    )
