"""How far the variance of a prediction under squared error is believed: its temperature T.

The variance V of a posterior is that within the valley that a fit ended in, of a network that is
linearised there. Two things are wrong with it. Fits from other starts end in other valleys, and T
is larger than 1 by what that adds. And where rows are few, and the penalty weak, a linearised
network knows nothing of a row that it lacks, and would say tens of standard deviations of y: one
factor takes the variances of all predictions, so that of half of new rows

    - of fewer than 20 rows T V is no more than the variance of a new y for one who has seen only y
      (Student's t);
    - of more V is no more than what left-out rows lost, where that is known.

Far outside of the rows bars stay wider than that, as they must.
"""

import numpy as np
from scipy.special import gammaincinv, ndtri, stdtrit

from sklearn_twolayer._bayes.noise import variance_of_drawn, variance_of_unseen

#: Temperature under squared error: the variance of predictions from different starts was
#: 0.7 to 1 times that within a valley (docs/choices.md). A linear network has one valley
#: (Baldi & Hornik 1989). It is up to twice as much where members of a committee are left out.
VALLEYS_TEMPERATURE = 1.75
#: Of fewer rows it is luck what those lose that are left out: it bounds nothing, but the variance
#: of y does (docs/choices.md).
MIN_ROWS_THAT_BOUND = 20
#: Weights sum to half of all within this share of it.
HALF_BUT_FOR_ROUNDING = 1e-9
#: The one-sided probability of the quantiles that bound a variance: of intervals of 90 %.
PROBABILITY = 0.95


def valleys(few, params, factor, *, units, likelihood, left_out_share):
    """Return the temperature under squared error: with it bars span the variance between valleys.

    The variance within one is held to what left-out rows lost, where they are enough to tell. Where
    rows are too few for that, both together are held to the variance of a new y for one who has
    seen only y.
    """
    is_linear = few.loss.is_quadratic and few.network.activation == "identity"
    temperature = 1.0 if is_linear else VALLEYS_TEMPERATURE
    n, variances = likelihood.total_weight, likelihood.variances
    if n < 2:  # of which none differ
        return temperature
    if n < MIN_ROWS_THAT_BOUND:
        said, weights = variance_of_drawn(few, params, factor, units, most_rows=MIN_ROWS_THAT_BOUND)
        most = variance_of_new_y(n)
        return temperature * believed_share(temperature * said, most, variances, weights)
    if not left_out_share:
        return temperature
    said = variance_of_unseen(few, params, factor, units)
    return temperature * believed_share(said, left_out_share / surely_of_variance(n), variances)


def believed_share(said, most, variances, weights=None):
    """The factor, 1 at most, by which the variances (n, k) ``said`` of new rows are believed.

    Half of the rows may be as uncertain, because the weights are unknown, as ``most``, a share of
    the ``variances`` (k,) of the targets, but not more. Targets count that vary, and rows as often
    as their ``weights`` (n,) say.
    """
    varies = np.broadcast_to(variances, said.shape[1]) > 0
    if not varies.any() or not len(said):
        return 1.0
    bound, of_median = most * np.sum(variances), median(said[:, varies].sum(axis=1), weights)
    return float(bound / of_median) if bound < of_median else 1.0  # units that are full say 0


def median(values, weights=None):
    """The median of values (n,), each as often as its weight (n,) says."""
    if weights is None:
        return np.median(values)
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    half = below[-1] / 2 * (1 - HALF_BUT_FOR_ROUNDING), below[-1] / 2 * (1 + HALF_BUT_FOR_ROUNDING)
    return values[order][np.searchsorted(below, half)].mean()


def variance_of_new_y(n):
    """The variance of a new y for one who knows n others and no X, as a share of theirs.

    About their mean it has Student's t distribution of n - 1 degrees of freedom, with the scale
    (1 + 1 / n) n / (n - 1) of their mean square. The normal distribution whose interval of 90 % is
    as wide has the variance

        (n + 1) / (n - 1) (t_{n-1} / z)^2

    with the 95 % quantiles t and z. Less than two tell of none.
    """
    if n < 2:
        return np.inf
    ratio = stdtrit(n - 1, PROBABILITY) / ndtri(PROBABILITY)
    return float((n + 1) / (n - 1) * ratio**2)


def surely_of_variance(n):
    """The share of a variance that its estimate from n normal numbers exceeds with 95 %.

    Half of the rows cannot lose more, because the weights are unknown, than all may have lost in
    the mean when they were left out: the estimate over this share.
    """
    return 2 * gammaincinv(n / 2, 1 - PROBABILITY) / n  # the quantile of chi^2_n over n
