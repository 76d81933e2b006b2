"""The evidence: how much to penalise each group of weights, read off the training rows.

The precisions of the posterior (``posterior``) that make the targets most probable are
found by MacKay's re-estimation (1992, "A practical Bayesian framework for backpropagation
networks"), one step of Levenberg-Marquardt downhill in F at a time, or some of L-BFGS.
"""

from dataclasses import replace

import numpy as np

from sklearn_twolayer._bayes.posterior import (
    PRIOR_PRECISION_BOUNDS,
    Precisions,
    effective_parameters,
    posterior_factor,
)

#: Largest share of the residuals that the weights may use up before the precisions
#: stay what they are: beyond it the evidence runs away to interpolation.
MAX_EFFECTIVE_SHARE = 0.5
#: Factor on re-estimated prior precisions under the log loss. Laplace's approximation takes the
#: posterior for narrower than it is where probabilities saturate, and the evidence then
#: under-regularises noisy classifications; docs/choices.md has the measurements.
LOG_LOSS_STRENGTH = 1.5
#: Converged when three updates in a row change no logarithm of a precision by more.
PRECISION_TOLERANCE = 0.05


def update_precisions(mean_loss, params, precisions, likelihood):
    """Precisions by MacKay's re-estimation, or as they are where gamma is too large.

    a_g <- gamma_g / |w_g|^2, beta <- (S k - gamma) / sum_i s_i |r_i|^2; MacKay (1992),
    eq. 25 and 26; Bishop (1995), eq. 10.74 and 10.75. Under the log loss a_g is
    1.5 times as much.
    """
    penalty = precisions.penalty(likelihood)
    _, gamma, likelihood = told_by_rows(mean_loss, params, penalty, likelihood)
    if gamma.sum() > MAX_EFFECTIVE_SHARE * likelihood.n_telling:
        return precisions
    squares = np.maximum(np.bincount(precisions.groups, params**2), np.finfo(float).tiny)
    strength = 1.0 if likelihood.is_gaussian else LOG_LOSS_STRENGTH
    prior = np.clip(strength * gamma / squares, *PRIOR_PRECISION_BOUNDS)
    loss, _, _ = mean_loss.quadratic(params)
    return Precisions(precisions.groups, prior, likelihood.noise_precision(loss, gamma.sum()))


def told_by_rows(mean_loss, params, penalty, likelihood):
    """The factor of the curvature of F, gamma (G,) by groups, and the likelihood of the residuals.

    Targets that are constant count neither in S k nor in gamma, and copies count as one.
    """
    _, _, curvature = mean_loss.quadratic(params)
    factor = posterior_factor(replace(curvature, penalties=penalty.per_weight))
    if likelihood.is_gaussian and likelihood.n_outputs > 1:
        likelihood = likelihood.told_by(mean_loss, params)
    return factor, likelihood.of_telling(effective_parameters(penalty, factor)), likelihood


def maximize_evidence(search, before, precisions, *, max_iter, keep=None):
    """A fit and its precisions, by steps downhill in F that alternate with re-estimation.

    One step, or ``search.stride``, comes before each re-estimation, and ``max_iter`` in all. The
    fit ``before`` is of a network that has learned something: precisions read off one that has
    not would prune it. Its curve is the beginning of the new one. ``keep(running)`` is the fit to
    keep while this one runs; None keeps this one.
    """
    most = len(before.curve) + max_iter
    penalty = precisions.penalty(search.likelihood)
    stride, calm = search.stride, 0
    fit = search.minimize(before, penalty, max_iter=min(stride, max_iter), keep=keep)
    while calm < 3 and len(fit.curve) < most:
        updated = update_precisions(search.mean_loss, fit.params, precisions, search.likelihood)
        change = max(
            np.abs(np.log(updated.prior / precisions.prior)).max(),
            abs(np.log(updated.noise / precisions.noise)),
        )
        calm = calm + 1 if change < PRECISION_TOLERANCE else 0
        precisions, n_before = updated, len(fit.curve)
        penalty, n_steps = precisions.penalty(search.likelihood), min(stride, most - n_before)
        fit = search.minimize(fit, penalty, max_iter=n_steps, keep=keep)
        if len(fit.curve) == n_before:  # no step, but another F
            steps = fit.steps + (fit.steps[-1:] or (0,))
            fit = replace(fit, curve=(*fit.curve, fit.loss), steps=steps)
    return fit, precisions
