"""A curve of one column, learned to the end, and whether any curve could lose far less.

Where a period has few rows the way to a curve is long, or takes more weights than noise may have,
or half of the loss is learned early: then the evidence takes the rest for noise. So a rival learns
to the end before anything is penalised. It takes as long as the fit that it challenges, and rows
that neighbour each other tell beforehand where that is in vain.
"""

import numpy as np

from sklearn_twolayer._bayes.evidence import maximize_evidence
from sklearn_twolayer._bayes.posterior import Precisions
from sklearn_twolayer._network.objective import Penalty, penalty_groups
from sklearn_twolayer._network.products import dense

#: Steps to the end of a curve, and the penalty of W1, b1, W2 and b2 under which they are taken.
CURVE_STEPS, CURVE_PENALTY = 250, 1e-5 * np.array([1.0, 0.01, 1.0, 0.01])
#: The median of the square of a normal number, over its mean.
MEDIAN_OF_SQUARE = 0.4549


def learned_curve(search, start, *, n_steps, instead):
    """The evidence, in ``n_steps`` at most, of a network that has learned a curve to the end.

    The fit ``instead`` is kept while it learns.
    """
    groups, keep = penalty_groups(search.mean_loss.network), lambda running: instead
    search.stage("Learning a curve under next to no penalty, to the end")
    most, penalty = search.most(CURVE_STEPS), Penalty(groups, CURVE_PENALTY)
    curve = search.minimize(start, penalty, max_iter=most, keep=keep)
    first = Precisions(groups, CURVE_PENALTY * search.likelihood.scale(1.0), 1.0)
    n_steps = search.most(n_steps, curve.curve)
    search.stage("Evidence of the curve: a penalty for each of W1, b1, W2 and b2")
    return maximize_evidence(search, curve, first, max_iter=n_steps, keep=keep)[0]


def noise_of_one_column(mean_loss):
    """Estimate of the mean squared error that any curve leaves: the least of several, or less.

    Bends make an estimate too large, and the least of them asks rather too often than too seldom.
    No curve tells rows of equal x apart: their deviations from the mean y_j at this setting are
    left. The means at distinct settings, sorted by x, are compared with the line through both
    neighbours, at the shares b and a = 1 - b of the distance between them:

        e_j^2 = (y_j - a y_(j-1) - b y_(j+1))^2 / (1 + a^2 + b^2)

    has the expectation sigma^2 where that line is the curve (Gasser, Sroka & Jennen-Steinmetz 1986,
    "Residual variance and residual curvature in nonlinear regression"). Half the squares of first
    differences (von Neumann 1941; Rice 1984, "Bandwidth choice for nonparametric regression") have
    it where the curve is level, and of 45 rows of four periods they are most of the curve. sigma^2
    is the mean of e_j^2, or if that is less their median over that of the square of a normal
    number: bends in few places, and rows far out, are in the mean, bends everywhere in the median.

    Where d_j different rows are of one setting, the variance within it, times d_j / (d_j - 1), is
    an estimate without bends, and if it is less it counts alone.

    Copies of a row count by their weights, so weights equal repeats. Of several targets it is the
    mean, as the loss is. X of one column, y and the weights of all blocks are brought together.
    """
    table = mean_loss.rows.map(_settings_and_targets)
    rows, copies = np.unique(table[:, :-1], axis=0, return_inverse=True)
    weight = np.maximum(np.bincount(copies.ravel(), table[:, -1]), np.finfo(float).tiny)
    x, setting, n_different = np.unique(rows[:, 0], return_inverse=True, return_counts=True)
    y, together = rows[:, 1:], np.bincount(setting, weight)
    means = np.column_stack([np.bincount(setting, weight * column) for column in y.T])
    means /= together[:, None]
    squares = weight[:, None] * (y - means[setting]) ** 2
    noise = squares.sum(axis=0) / weight.sum() + _noise_between(x, means, together)
    if len(x) < len(y):
        share = (n_different / np.maximum(n_different - 1, 1))[setting]
        of_several = together[n_different > 1].sum()
        noise = np.minimum(noise, share @ squares / of_several)
    return float(np.mean(noise))


def _noise_between(x, y, weight):
    """Estimate of sigma^2 (k,) from the y (m, k) of distinct x in order; 0 of fewer than three."""
    if len(x) < 3:
        return 0.0
    b = ((x[1:-1] - x[:-2]) / (x[2:] - x[:-2]))[:, None]
    a, weight = 1 - b, weight[1:-1]
    squares = (y[1:-1] - a * y[:-2] - b * y[2:]) ** 2 / (1 + a**2 + b**2)
    in_order = np.argsort(squares, axis=0)
    middle = np.argmax(np.cumsum(weight[in_order], axis=0) >= weight.sum() / 2, axis=0)
    median = np.take_along_axis(np.sort(squares, axis=0), middle[None], axis=0)[0]
    return np.minimum(weight @ squares / weight.sum(), median / MEDIAN_OF_SQUARE)


def _settings_and_targets(X, y, weight):
    """The column of X, y and the weight of each row of a block, side by side, in float64."""
    weight = np.ones(len(y)) if weight is None else weight
    return np.column_stack([dense(X[:, [0]]), y, weight]).astype(np.float64)
