"""The noise precision of each target under squared error.

    1 / beta_c = sum_i s_i r_ic^2 / (S - gamma_c)

as if the target were alone, with gamma_c its share of the effective parameters gamma: in a
linear model sum_i s_i |r_i|^2 has the expectation (S - tr H) sigma^2, where the trace of the
hat matrix H is the sum of the leverages of the rows (Hastie, Tibshirani & Friedman 2009,
"The Elements of Statistical Learning", section 7.6).

A target that never varies says nothing of its noise, however well it is fitted. It is given one
more row, whose residual is 1 on the standardised scale, and n equal rows are believed as much
as that: 1 / beta_c = 1 / (n + 1 - gamma_c).
"""

from functools import partial

import numpy as np

#: Range of the noise precision on the standardised scale.
NOISE_PRECISION_BOUNDS = (1e-6, 1e8)
#: Largest share of the rows that the weights may use up in the estimate of the noise.
MAX_USED_SHARE = 0.99


def noise_precisions(mean_loss, params, n_effective, *, few, factor):
    """The precision beta_c (k,) of each target.

    Parameters
    ----------
    mean_loss : MeanLoss
        Over all rows.
    params : ndarray, shape (p,)
    n_effective : float
        gamma.
    few : MeanLoss
        Over rows whose leverages tell the share of each target in gamma.
    factor : DenseFactor or LowRankFactor
        Of the curvature of F.
    """
    squares, variation = sums_of_targets(mean_loss, params)
    total_weight = mean_loss.rows.total_weight
    shares = shares_of_targets(few, params, factor)
    degrees = total_weight - np.minimum(n_effective * shares, MAX_USED_SHARE * total_weight)
    is_constant = variation == 0
    degrees, squares = degrees + is_constant, squares + is_constant
    lowest, highest = NOISE_PRECISION_BOUNDS
    return np.maximum(degrees / np.maximum(squares, degrees / highest), lowest)


def sums_of_targets(mean_loss, params):
    """sum_i s_i r_ic^2 (k,), and the same of the distances from the first row's target."""
    rows = mean_loss.rows
    raw_prediction, predict = mean_loss.block_raw_prediction(params), mean_loss.loss.predict
    options = {"raw_prediction": raw_prediction, "predict": predict, "first": rows.first_target}
    sums = rows.sum(partial(_block_sums, **options))
    return [part * (rows.total_weight / rows.weight_of_blocks) for part in sums]


def _block_sums(X, y, weight, *, raw_prediction, predict, first):
    residual, distance = predict(raw_prediction(X, y, weight)) - y, y - first
    weight = np.ones(len(y)) if weight is None else weight
    return weight @ residual**2, weight @ distance**2


def shares_of_targets(few, params, factor):
    """The part (k,) of each target in the leverages of the rows: they sum to 1."""
    if few.network.n_outputs == 1:
        return np.ones(1)
    options = {"few": few, "block_params": few.incoming(params), "factor": factor}
    (leverages,) = few.rows.sum(partial(_block_leverages, **options))
    return leverages / max(leverages.sum(), np.finfo(float).tiny)


def _block_leverages(X, y, weight, *, few, block_params, factor):
    Z2, J = few.linearised(block_params, X)
    curvature = np.diagonal(few.loss.hessian(Z2), axis1=1, axis2=2)
    leverage = curvature * np.diagonal(factor.covariance(J), axis1=1, axis2=2)
    return (leverage.sum(axis=0) if weight is None else weight @ leverage,)
