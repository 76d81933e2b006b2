"""Predictions that know how sure they are: answers of a block of rows from its posteriors.

Covariances (n, k, k) of raw predictions live no longer than the block that they are of.
"""

from functools import partial

import numpy as np

from sklearn_twolayer._bayes.averages import N_DRAWS, expected_logistic, expected_softmax
from sklearn_twolayer._bayes.posterior import mixture_moments

#: Bytes of the largest array of a block, and the least rows of one: solving for fewer right-hand
#: sides at once is slower.
BLOCK_BYTES = 2**24
MIN_ROWS = 16


def rows_of_block(network):
    """How many rows to answer at once: their Jacobians, and the draws of their softmax, are large.

    (n, k, p) and (n, draws, k).
    """
    row = 8 * network.n_outputs * max(network.n_params, N_DRAWS)
    return max(BLOCK_BYTES // row, MIN_ROWS)


def standard_deviation(posteriors, X, *, slope):
    """Standard deviation (n, k) of new targets on the standardised scale, noise included.

    By the slope d A2 / d Z2 the variance of Z2 becomes that of A2; over a committee the noise
    variance is the mean.
    """
    Z2, V = mixture_moments(posteriors, X)
    noise = np.mean([1 / posterior.noise_precision for posterior in posteriors], axis=0)
    return np.sqrt(slope(Z2) ** 2 * np.diagonal(V, axis1=1, axis2=2) + noise)


def moderated_probability(expected, posteriors, X):
    """Probabilities (n, k) averaged over the posterior: ``expected(Z2, V)``."""
    return expected(*mixture_moments(posteriors, X))


#: Output activation -> moderated probabilities of posteriors and rows X.
MODERATED_PROBABILITY = {
    "softmax": partial(moderated_probability, expected_softmax),
    "logistic": partial(moderated_probability, expected_logistic),
}
