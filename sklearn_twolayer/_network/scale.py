"""Changes of variables, each beside its adjoint, and the moments that standardise.

Training sees x~ = (x - mean) / scale and y~ = (y - y_mean) / y_scale; users see
weights in their own units. With the weights of the standardised network on the
right, the same function in the user's units is

    W1 <- W1 / scale        b1 <- b1 - (mean / scale)' W1
    W2 <- W2 y_scale        b2 <- b2 y_scale + y_mean
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import sparse

from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.products import dense

#: Targets are standardised so many rows at a time: a float64 copy of all takes memory.
TARGETS_AT_ONCE = 2**16
#: A column has two values if the mean of (max - x)(x - min), (max - mean)(mean - min) - variance,
#: is this share of the square of their distance: far above rounding, and far below one other row.
NOTHING_BETWEEN = 1e-11


@dataclass(frozen=True)
class Standardization:
    """Column means and scales of X (f,) and of y (k,), in float64."""

    mean: np.ndarray
    scale: np.ndarray
    y_mean: np.ndarray
    y_scale: np.ndarray

    @classmethod
    def none(cls, n_features, n_outputs):
        """The standardisation that changes nothing."""
        return cls(
            np.zeros(n_features), np.ones(n_features), np.zeros(n_outputs), np.ones(n_outputs)
        )

    def update(self, dtype):
        """Return the function that standardises contiguous dense rows [X 1] in place.

        It treats many rows as one long one: on a row of 20 numbers NumPy takes longer
        to begin than to compute.
        """
        width = len(self.mean) + 1
        m = 64 if width < 64 else 1
        mean = np.tile(np.append(self.mean, 0).astype(dtype), m)
        factor = np.tile((1 / np.append(self.scale, 1)).astype(dtype), m)

        def update(X):
            many = len(X) - len(X) % m
            for rows in (X[:many].reshape(-1, m * width), X[many:].reshape(1, -1)):
                if rows.size:
                    rows -= mean[: rows.shape[1]]
                    rows *= factor[: rows.shape[1]]

        return update

    def apply_block(self, X):
        """A raw block [X 1], dense or sparse, as a standardised dense one."""
        X = dense(X)
        self.update(X.dtype)(X)
        return X

    def apply_targets(self, y, dtype):
        """Standardised targets (n, k); class indices (n,) stay as they are."""
        if y.ndim == 1:
            return y
        out = np.empty(y.shape, dtype)
        with np.errstate(over="ignore"):
            for start in range(0, len(y), TARGETS_AT_ONCE):
                block = slice(start, start + TARGETS_AT_ONCE)
                out[block] = (y[block] - self.y_mean) / self.y_scale
        return out

    def fold_first(self, first):
        """[W1; b1] on standardised rows -> [W1; b1] with the same hidden layer on raw rows."""
        W1 = first[:-1] / self.scale[:, None]
        b1 = first[-1] - self.mean @ W1
        return np.vstack([W1, b1])

    def fold(self, W1, b1, W2, b2):
        """Weights of the standardised network -> coefs, intercepts in the user's units."""
        first = self.fold_first(np.vstack([W1, b1]))
        return [first[:-1], W2 * self.y_scale], [first[-1], b2 * self.y_scale + self.y_mean]

    def unfold(self, coefs, intercepts):
        """The inverse of ``fold``: coefs, intercepts -> weights of the standardised network."""
        W1, W2 = (np.asarray(W, np.float64) for W in coefs)
        b1, b2 = (np.asarray(b, np.float64) for b in intercepts)
        return (
            [W1 * self.scale[:, None], W2 / self.y_scale],
            [b1 + self.mean @ W1, (b2 - self.y_mean) / self.y_scale],
        )

    def unfold_gradient(self, dW1, db1, dW2, db2):
        """Gradient in the standardised weights -> in coefs, intercepts: adjoint of ``unfold``."""
        dW1 = dW1 * self.scale[:, None] + np.outer(self.mean, db1)
        return [dW1, dW2 / self.y_scale], [db1.copy(), db2 / self.y_scale]


@dataclass(frozen=True)
class RawForm:
    """Weights for standardised rows -> for raw rows: sparse blocks stay sparse."""

    network: TwoLayerNetwork
    standardization: Standardization

    def apply(self, params):
        """Params (p,) for raw rows, in place."""
        first = self.network.first_layer(params)
        first[...] = self.standardization.fold_first(first)
        return params

    def adjoint(self, gradient):
        """Gradient (p,), or columns (p, m): dW1 <- (dW1 - mean db1') / scale, db1 <- db1."""
        n_first, shape = self.network.n_first, (self.network.n_features + 1, -1)
        first = gradient[:n_first].reshape(shape)
        dW1 = first[:-1] - np.outer(self.standardization.mean, first[-1])
        dW1 /= self.standardization.scale[:, None]
        first = np.vstack([dW1, first[-1]]).reshape(n_first, *gradient.shape[1:])
        return np.concatenate([first, gradient[n_first:]])


@dataclass(frozen=True)
class TanhForm:
    """Weights of logistic units -> of tanh units: sigma(z) = (1 + tanh(z / 2)) / 2."""

    network: TwoLayerNetwork

    def apply(self, params):
        """W1 <- W1 / 2, b1 <- b1 / 2, W2 <- W2 / 2, b2 <- b2 + sum W2 / 2, in place."""
        _, _, W2, b2 = self.network.unpack(params)
        params[: -len(b2)] *= 0.5
        b2 += W2.sum(axis=0)
        return params

    def invert(self, params):
        """W1 <- 2 W1, b1 <- 2 b1, b2 <- b2 - sum W2, W2 <- 2 W2, in place: ``apply`` undone."""
        _, _, W2, b2 = self.network.unpack(params)
        b2 -= W2.sum(axis=0)
        params[: -len(b2)] *= 2
        return params

    def adjoint(self, gradient):
        """Gradient (p,): dW1 / 2, db1 / 2, (dW2 + db2) / 2, db2, in place."""
        _, _, dW2, db2 = self.network.unpack(gradient)
        dW2 += db2
        gradient[: -len(db2)] *= 0.5
        return gradient


@dataclass(frozen=True)
class Moments:
    """What one pass over the rows tells of each column (f,).

    ``unit`` is what a column of inputs is divided by: its standard deviation, as a rule. The two
    values of a binary column come to lie 2 apart, as those of a balanced one do, however rare one
    is (Gelman 2008, "Scaling regression inputs by dividing by two standard deviations"): in
    units of its standard deviation the single 1 of n rows would be sqrt(n) tall. The same goes
    for the words of a text: a column that is zero in most rows is divided by half of the root
    mean square of its other values, if that is more than its standard deviation. A constant
    column is in units of itself, and folded without a loss of digits.
    """

    mean: np.ndarray
    scale: np.ndarray  # weighted standard deviation; 1 of a constant column
    unit: np.ndarray
    is_constant: np.ndarray
    least: np.ndarray  # of the rows that have a weight
    greatest: np.ndarray
    least_share: np.ndarray  # of S, in the rows that hold the least value
    greatest_share: np.ndarray
    total_weight: float  # S


def moments_of(table, name):
    """The moments of each column of X, or of the ``encoded`` targets, which are narrower."""
    with table.raw_rows(name, 1024 if name == "X" else 4096) as rows:
        return column_moments(rows)


def column_moments(rows):
    """The moments of each column, in one pass over raw rows; the scale may have overflowed.

    They are taken around the first row, so that the variance loses no digits to a large
    mean, and a constant column has variance exactly zero.
    """
    shift = rows.first("X")
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        sums, ends = rows.sum(partial(_block_moments, np.append(shift, 1.0)), _merge_moments)
        total = sums[0, -1]  # S, summed in the same order as the other columns
        stored, nonzero, first, second = sums[:, :-1]
        (least, of_least), (greatest, of_greatest) = ends[:, :, :-1]
        absent = total - stored
        offset = (first - absent * shift) / total
        variance = (second + absent * shift**2) / total - offset**2
        scale = np.sqrt(np.maximum(variance, 0))
        between = (greatest - shift - offset) * (offset - (least - shift)) - variance
        two_valued = between <= NOTHING_BETWEEN * (greatest - least) ** 2
        mean, share = shift + offset, nonzero / total
        # where half of the rows are zero, half of this root is never more than the deviation
        half_root = np.sqrt((variance + mean**2) / np.maximum(4 * share, np.finfo(float).tiny))
    is_constant = scale <= 10 * np.finfo(np.float64).eps * np.abs(shift)
    scale = np.where(is_constant, 1.0, scale)
    unit = np.where((share < 0.5) & ~is_constant, np.maximum(scale, half_root), scale)
    unit = np.where(two_valued & ~is_constant, greatest / 2 - least / 2, unit)
    unit = np.where(is_constant & (mean != 0), np.abs(mean), unit)
    ends = least, greatest, of_least / total, of_greatest / total
    return Moments(mean, scale, unit, is_constant, *ends, rows.total_weight)


def _merge_moments(total, parts):
    """Sums, and the least and the greatest, each with its weight, of ``total`` and more rows."""
    if total is None:
        return parts
    (sums, ends), (more, others) = total, parts
    sums += more
    for end, other, further in zip(ends, others, (np.minimum, np.maximum)):
        value = further(end[0], other[0])
        end[1] = np.where(end[0] == value, end[1], 0) + np.where(other[0] == value, other[1], 0)
        end[0] = value
    return total


def _block_moments(shift, X, y, weight):
    """Return column sums of w, w [x != 0], w (x - shift) and w (x - shift)^2, and both ends.

    Over a block [X 1]: sums (4, width), and as ends (2, 2, width) the least and the greatest value
    with the w of the rows that hold it. Where many rows are reduced they are treated as one long
    one, as in ``Standardization.update``.
    """
    if weight is not None and not weight.all():
        X, weight = X[weight > 0], weight[weight > 0]
    (n, width), weight = X.shape, np.ones(X.shape[0]) if weight is None else weight
    if sparse.issparse(X):
        return _sparse_moments(shift, X, weight)
    deviation = X - shift
    first = weight @ deviation
    deviation *= deviation
    second = weight @ deviation
    nonzero = weight @ np.not_equal(X, 0, out=deviation, casting="unsafe")
    m = 32 if width < 64 and n >= 32 else 1
    long, rest = X[: n - n % m].reshape(-1, m * width), X[n - n % m :]
    ends = []
    for end, of_none in ((np.minimum, np.inf), (np.maximum, -np.inf)):
        many = end.reduce(long, axis=0, initial=of_none).reshape(m, width)
        value = end.reduce(np.concatenate([many, rest]), axis=0)
        ends.append([value, weight @ np.equal(X, value, out=deviation, casting="unsafe")])
    return np.array([np.full(width, weight.sum()), nonzero, first, second]), np.array(ends)


def _sparse_moments(shift, X, weight):
    """What ``_block_moments`` returns, with sums over the stored entries of a sparse block.

    What is not stored is exactly zero, and is added at the end; as an extreme value it counts.
    """
    (n, width), total = X.shape, weight.sum()
    ends = np.array([np.full(width, np.inf), np.full(width, -np.inf)])
    if n:
        ends = np.array([dense(end).reshape(width) for end in (X.min(axis=0), X.max(axis=0))])
    X.sum_duplicates()
    X = X.tocoo()
    weight, deviation = weight[X.row], X.data - shift[X.col]
    powers = [weight, weight * (X.data != 0), weight * deviation, weight * deviation**2]
    powers += [weight * (X.data == end[X.col]) for end in ends]
    sums = [np.bincount(X.col, weights=power, minlength=width) for power in powers]
    sums = np.array(sums, np.float64)  # of no entries they are integers
    held = sums[4:] + (ends == 0) * (total - sums[0])
    return sums[:4], np.stack([ends, held], axis=1)
