"""The likelihood: what F is worth as an exponent, and the noise precision of each target.

Under squared error

    1 / beta_c = sum_i s_i r_ic^2 / (S - gamma_c)

as if the target were alone, with gamma_c its share of the effective parameters gamma: in a
linear model sum_i s_i |r_i|^2 has the expectation (S - tr H) sigma^2, where the trace of the
hat matrix H is the sum of the leverages of the rows (Hastie, Tibshirani & Friedman 2009,
"The Elements of Statistical Learning", section 7.6).

A target that never varies says nothing of its noise, however well it is fitted. It is given one
more row, whose residual is 1 on the standardised scale, and n equal rows are believed as much
as that: 1 / beta_c = 1 / (n + 1 - gamma_c). Beside other targets it has no part in the beta of
all: its residuals of zero are none, and its weights, which they determine, are not in gamma.
Nor do one or two distinct rows, through which any network goes, tell of the noise, however often
they are repeated, or however many others have next to no weight: each target is given one more row
there, too.

Targets whose residuals are alike, as those of one quantity in two units, are told the same by each
row, and say nothing of the noise twice. For the evidence k targets with the residual correlations C
tell as much as

    (tr C)^2 / tr C^2 = k / (1 + (k - 1) rho^2)

that are independent, with rho^2 the mean of the squares beside the diagonal. And if the noise is
correlated, the expectation of sum_i s_i r_ic^2 is (S - gamma_c) sigma_c^2, to the first order in H,
with gamma_c = sum_i sum_d C_cd (H_ii)_cd, where H_ii (k, k) is the leverage of a row.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from sklearn_twolayer._network.products import dense, inner_products
from sklearn_twolayer._network.scale import column_moments

#: Range of the noise precision of a target whose variance is 1, as on the standardised scale.
NOISE_PRECISION_BOUNDS = (1e-6, 1e8)
#: Largest share of the rows that the weights may use up in the estimate of the noise.
MAX_USED_SHARE = 0.99
#: Largest leverage of a row: beyond it rounding decides what a network would say without it.
LARGEST_LEVERAGE = 1 - 1e-9
#: Numbers of the Jacobian of drawn rows: half a second of them.
MOST_DRAWN = 10**7
#: Fewer distinct rows tell nothing of the noise: a network goes through two, under the weakest of
#: penalties, as none can be left out to judge a stronger one by (``cross_validate``).
MIN_DISTINCT = 3


@dataclass(frozen=True)
class Likelihood:
    """The likelihood of the rows: it turns F into the exponent M = scale F of a posterior.

    Of the ``n_residuals``, S k, as many as ``n_telling`` tell of the noise: the ``share_telling``
    is that of the targets that vary (all if none does) times their independence. ``variance`` is
    the mean of the variances of the targets, 1 if all are constant.
    """

    total_weight: float  # S, with the copies of a row as one
    n_outputs: int
    is_gaussian: bool  # squared error, whose noise has a precision beta; the log loss has none
    variances: np.ndarray | float = 1.0  # (k,) of the targets: 1 on the standardised scale
    independence: float = 1.0  # of the targets that vary, the share that tells independently

    def __post_init__(self):
        n_residuals, variance = self.total_weight * self.n_outputs, float(np.mean(self.variances))
        share = (float(np.mean(np.asarray(self.variances) > 0)) or 1.0) * self.independence
        vars(self).update(n_residuals=n_residuals, variance=variance or 1.0)
        vars(self).update(share_telling=share, n_telling=share * n_residuals)

    @classmethod
    def of(cls, mean_loss):
        """The likelihood of the rows of a mean loss, read once: their targets have a variance."""
        rows, variances, is_gaussian = mean_loss.rows, 1.0, mean_loss.loss.is_squared_error
        if is_gaussian:
            # Beside a row that weighs nearly all the others say how far a y may be, if little else.
            is_alone = mean_loss.distinct_weight < 2
            moments = partial(_moments_of_targets, shift=rows.first("y"), is_weighed=not is_alone)
            first, second = rows.sum(moments)
            S = rows.n_rows if is_alone else rows.weight_of_blocks
            variances = second / S - (first / S) ** 2
            # exactly zero for a target that is constant, and for no other
            variances = np.maximum(variances, np.finfo(float).tiny * (second > 0))
        return cls(mean_loss.distinct_weight, mean_loss.network.n_outputs, is_gaussian, variances)

    def told_by(self, mean_loss, params):
        """The likelihood, with the independence of the residuals at the weights (p,)."""
        varies = np.broadcast_to(self.variances, self.n_outputs) > 0
        products = mean_loss.residual_products(params)[np.ix_(varies, varies)]
        return replace(self, independence=independence(products, self.total_weight))

    def scale(self, noise_precision):
        """The factor c with M = c F and alpha_g = a_g / c."""
        return 0.5 * noise_precision * self.n_residuals if self.is_gaussian else self.total_weight

    def of_telling(self, gamma):
        """The effective parameters (G,) of targets that tell: each has its columns of W2 and b2."""
        return np.append(gamma[:-2], self.share_telling * gamma[-2:])

    def noise_precision(self, loss, n_effective):
        """Beta = (S k - gamma) / sum_i s_i |r_i|^2, within bounds; 1 for log loss.

        The k are those that tell: of m copies a residual counts an m-th, as the copies of F do.
        """
        if not self.is_gaussian:
            return 1.0
        degrees = self.n_telling - min(n_effective, MAX_USED_SHARE * self.n_telling)
        return float(precision_within_bounds(degrees, self.n_residuals * loss, self.variance))

    def widening(self, of_targets, left_out_share, gamma, factor):
        """The factor on noise variances 1 / beta_c by which left-out rows lose what they did.

        That is ``left_out_share`` of the variance of y. The factor, 1 at least, makes the mean of
        1 / (beta_c var(y_c)) as large as the ``noise_share`` of it.
        """
        varies = self.variances > 0
        if not np.any(varies):
            return 1.0
        told = np.mean(1 / (of_targets * self.variances)[varies])
        return max(1.0, self.noise_share(gamma, factor) * left_out_share / told)

    def noise_share(self, gamma, factor):
        """The share of what left-out rows lose that is noise, if the network is linear.

        A row that is left out errs by its residual over 1 - H_ii. With the mean leverage in the
        place of H_ii, as in generalised cross-validation (Golub, Heath & Wahba 1979), the mean
        square is sigma^2 n tr (I - H)^2 / (tr(I - H))^2, and with gamma = tr H the share is

            (1 - gamma / n) tr(I - H) / tr (I - H)^2

        of the n residuals that tell. It is 1 - gamma / n if H is a projection, but 1 where all
        residuals are shrunk alike, however little is left of them, and 1 / n at least.
        """
        left, squares = factor.unexplained(self.n_residuals)
        squares = max(squares, left**2 / self.n_residuals, np.finfo(float).tiny)
        unused = max(1 - self.of_telling(gamma).sum() / self.n_telling, 0.0)
        return float(np.clip(unused * left / squares, 1 / self.n_telling, 1.0))


def noise_precisions(mean_loss, params, n_effective, *, variances, few, factor):
    """Beta_c (k,) of each target, its growth (k,), and whether the residuals tell of them at all.

    The mean loss is over all rows, and the leverages of a ``few`` of them, by the factor of the
    curvature of F, tell the share of each target in gamma, the ``n_effective`` of all together. The
    growth is how many times as far its predictions vary as if the noise of others was independent.
    """
    squares = mean_loss.squares(params)
    total_weight = mean_loss.distinct_weight
    shares = growth = np.ones(len(variances))
    if len(variances) > 1:
        shares, growth = shares_of_targets(few, params, factor, varies=variances > 0)
    used = n_effective * (shares * growth)
    degrees = total_weight - np.minimum(used, MAX_USED_SHARE * total_weight)
    units = variances + (variances == 0)
    # A target has no more effective weights than distinct rows: with many, none need be counted.
    has_few_weights = n_effective / len(variances) < MIN_DISTINCT
    counted = min(round(total_weight), n_distinct(mean_loss.rows))
    tell_nothing = has_few_weights and counted < MIN_DISTINCT
    says_nothing = (variances == 0) | tell_nothing
    degrees, squares = degrees + says_nothing, squares + says_nothing * units
    return precision_within_bounds(degrees, squares, units), growth, not tell_nothing


def correlations(products):
    """C (k, k) of residuals from the sums of their products; zero beside those that vanish."""
    scale = np.sqrt(np.maximum(np.diagonal(products), np.finfo(float).tiny))
    C = products / scale / scale[:, None]
    np.fill_diagonal(C, 1.0)
    return C


def independence(products, total_weight):
    """The share of k targets that tell independently, from sums (k, k) of products over S rows.

    The square of a correlation that is zero is expected to be 1 / S.
    """
    k = len(products)
    if k < 2:
        return 1.0
    square = (np.sum(correlations(products) ** 2) - k) / (k * (k - 1))
    square = max(0.0, square - (1 - square) / total_weight)
    return 1 / (1 + (k - 1) * square)


def n_distinct(rows):
    """Count the rows of X and y that differ from each other, up to ``MIN_DISTINCT``."""

    def first_distinct(total, part):
        others = part if total is None else np.vstack([total, part])
        found = []
        while len(others) and len(found) < MIN_DISTINCT:
            found.append(others[:1])
            others = others[(others != others[0]).any(axis=1)]
        return np.vstack([others[:0], *found])

    return len(rows.sum(lambda X, y, weight: np.hstack([dense(X), y]), first_distinct))


def precision_within_bounds(degrees, squares, variance):
    """Return degrees / squares, within the bounds for a target of this variance."""
    lowest, highest = NOISE_PRECISION_BOUNDS
    precision = degrees / np.maximum(squares, degrees / highest * variance)
    return np.maximum(precision, lowest / variance)


def _moments_of_targets(X, y, weight, *, shift, is_weighed):
    distance = y - shift
    weight = weight if is_weighed and weight is not None else np.ones(len(y))
    return weight @ distance, weight @ distance**2


def shares_of_targets(few, params, factor, *, varies):
    """Return each target's part (k,) in the leverages of the rows, of sum 1, and its growth (k,).

    The growth is sum_d C_cd (H_ii)_cd over (H_ii)_cc, of all rows and targets that ``varies``.
    """
    C = correlations(few.residual_products(params) * np.outer(varies, varies))
    block_params = few.incoming(params)

    def block(X, y, weight):  # the sum of s_i H_ii
        leverage = _leverages(few, block_params, factor, X)
        weight = np.ones(len(leverage)) if weight is None else weight
        return (np.tensordot(weight, leverage, 1),)

    (leverage,) = few.rows.sum(block)
    alone, together, least = np.diagonal(leverage), (C * leverage).sum(axis=1), np.finfo(float).tiny
    growth = np.where(alone > least, together / np.maximum(alone, least), 1.0)
    return alone / max(alone.sum(), least), np.maximum(growth, 0.0)


def _leverages(few, block_params, factor, X):
    """S H_ii / s_i (n, k, k) of a block: J G^-1 J' times both roots of the loss's curvature."""
    Z2, J = few.linearised(block_params, X)
    root = np.sqrt(np.diagonal(few.loss.hessian(Z2), axis1=1, axis2=2))
    return factor.covariance(J) * root[:, :, None] * root[:, None, :]


def variance_of_unseen(few, params, factor, units):
    """Return the variance (n, k) of each row's prediction A2 by a network that lacks the row.

    In a linear model that is v / (1 - h), with the variance v of the network that has it and its
    leverage h = s_i v beta. Under squared error the curvature of the loss is 2 / k A2'(Z2)^2. The
    variance of Z2 is J G^-1 J' in ``units`` (k,).
    """
    block_params, S, k = few.incoming(params), few.rows.weight_of_blocks, few.network.n_outputs

    def block(X, y, weight):
        v = np.diagonal(_leverages(few, block_params, factor, X), axis1=1, axis2=2)
        h = v / S if weight is None else v * (weight[:, None] / S)
        return 0.5 * k * v * units / (1 - np.minimum(h, LARGEST_LEVERAGE))

    return few.rows.map(block)


def variance_of_drawn(few, params, factor, units, *, most_rows):
    """Return variances (m, k) of predictions A2 of new rows, drawn as few rows were, and weights.

    The difference of two rows has twice their covariance. So these have their mean and covariance:

        mean + (x_i - x_j) / sqrt(2)        for all pairs of rows, with the weight s_i s_j

    of as many as ``most_rows``, those of the largest weights. A row with copies is a pair of these,
    too, with the weight s_i (s_i - 1). Where columns are many, each row is in some pairs only.
    Units as in ``variance_of_unseen``, but no row is left out, and none is one of the new.
    """

    def weighed(X, y, weight):
        return np.column_stack([dense(X), np.ones(X.shape[0]) if weight is None else weight])

    rows = few.rows.map(weighed)
    X, s = rows[:, :-1], rows[:, -1] * (few.distinct_weight / few.rows.weight_of_blocks)
    heaviest = np.sort(np.argsort(-s, kind="stable")[:most_rows])
    X, s, m = X[heaviest], s[heaviest], len(heaviest)
    n_numbers = m * few.network.n_params * few.network.n_outputs  # of as many rows of a Jacobian
    shifts = np.arange(min(m, max(MOST_DRAWN // n_numbers, 1) + 1))
    i, shift = np.tile(np.arange(m), len(shifts)), shifts.repeat(m)
    j = (i + shift) % m
    pair = np.where(shift > 0, s[i] * s[j], np.maximum(s[i] * (s[i] - 1), 0))
    i, j, pair = i[pair > 0], j[pair > 0], pair[pair > 0]
    mean, block_params, variances = s @ X / s.sum(), few.incoming(params), []
    for start in range(0, len(i), m):
        block = slice(start, start + m)
        drawn = mean + (X[i[block]] - X[j[block]]) / np.sqrt(2)
        leverages = _leverages(few, block_params, factor, drawn.astype(X.dtype))
        variances.append(np.diagonal(leverages, axis1=1, axis2=2).copy())
    return 0.5 * few.network.n_outputs * units * np.concatenate(variances), pair


def independence_of_targets(table):
    """Return the share of the targets that tell: of those that vary, times their independence."""
    with table.raw_rows("encoded", 4096) as rows:
        moments = column_moments(rows)
        if not np.isfinite(moments.scale).all():  # no fit comes of it
            return 1.0

        def products_of_block(X, y, weight):  # whose last column is of ones
            return (inner_products((X[:, :-1] - moments.mean) / moments.scale, weight),)

        (products,) = rows.sum(products_of_block)
    varies = ~moments.is_constant
    share = independence(products[np.ix_(varies, varies)], rows.total_weight)
    return (float(varies.mean()) or 1 / len(varies)) * share
