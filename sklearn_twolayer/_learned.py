"""What a fit has learned, and predictions: functions of the weights over rows, block by block."""

import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from sklearn_twolayer._bayes.averages import N_DRAWS, expected_prediction
from sklearn_twolayer._bayes.posterior import PointMass, Posterior
from sklearn_twolayer._data.labels import LabelTargets
from sklearn_twolayer._data.rows import Rows, block_size
from sklearn_twolayer._data.targets import RealTargets
from sklearn_twolayer._fit.results import are_equal, checksum, published_weights
from sklearn_twolayer._fit.training import too_large
from sklearn_twolayer._fit.weights import Resume
from sklearn_twolayer._network.activations import ACTIVATIONS
from sklearn_twolayer._network.backprop import TwoLayerNetwork, raw_prediction
from sklearn_twolayer._network.objective import MeanLoss
from sklearn_twolayer._network.scale import Standardization
from sklearn_twolayer._version import level_of_user

#: Most bytes of the matrices that a pickle holds after a fit with a float alpha: those of
#: 1,000 weights. Weights take thousands of bytes, and who wants small files sets a float.
MOST_PICKLED = 4_000_000
#: Why there are no error bars: of a fit that runs, and of a copy that went through a pickle.
DURING_THE_FIT = (
    "they belong to the weights of a whole fit, and this one has not ended: let scorers and "
    "callbacks ask for plain predictions while it runs, and for error bars afterwards"
)
PICKLED = (
    "the estimator has been pickled after a fit with a float alpha, which leaves out a matrix of "
    "more than {most:.3g} MB, and this one takes {size:.3g}: fit again, or choose alpha='evidence'"
)
#: Predictions of so many rows are done before blocks and threads would begin.
FEW_ROWS = 256
#: Bytes of the largest array of a block that posteriors answer, and the least rows of one: solving
#: for fewer right-hand sides at once is slower.
ANSWER_BYTES = 2**24
MIN_ROWS = 16


@dataclass(frozen=True)
class Learned:
    """What a fit leaves behind beside the weights, which arrive as ``coefs`` and ``intercepts``."""

    targets: RealTargets | LabelTargets
    scale: Standardization
    activation: str
    resume: Resume | None = None  # what going on needs
    checksum: int | None = None  # of the weights of the fit, to which others may be assigned
    is_committee: bool = False  # of several members, of which each had an F of its own
    published: tuple = ()  # names of the public attributes, which the next fit forgets
    posteriors: Sequence[Posterior | PointMass] = ()  # of the members; empty without error bars
    keeps_matrix: bool = True  # whether pickles hold posteriors whose matrices (p, p) are large
    no_error_bars: str = DURING_THE_FIT  # why there are no posteriors, and what to do

    def __deepcopy__(self, memo):
        return self  # nothing in it is ever changed

    def __getstate__(self):
        size = sum(8 * each.n_stored for each in self.posteriors)
        if self.keeps_matrix or size <= MOST_PICKLED:
            return vars(self)
        most, size = MOST_PICKLED / 1e6, size / 1e6
        warnings.warn(
            f"What is being pickled will have no error bars: their matrix takes {size:.3g} MB, and "
            f"after a fit with a float alpha a pickle holds at most {most:.3g}. To keep them "
            "choose alpha='evidence', or fewer n_hidden.",
            UserWarning,
            stacklevel=level_of_user(),
        )
        reason = PICKLED.format(most=most, size=size)
        return {**vars(self), "posteriors": [], "no_error_bars": reason}

    def for_workers(self):
        """Return a copy with what predictions need, the posteriors included."""
        return replace(self, resume=None, keeps_matrix=True)

    def is_of(self, coefs, intercepts):
        """Whether the weights are those of the fit, and no others have been assigned to."""
        return self.checksum == checksum(coefs, intercepts)

    def network(self, coefs):
        """The network of the weights: all members of a committee side by side."""
        return TwoLayerNetwork(*coefs[0].shape, coefs[1].shape[1], self.activation)

    def raw_prediction(self, coefs, intercepts, X):
        """Z2 (n, k) of the rows X (n, f) in the user's units: one plain forward pass."""
        dtype = coefs[0].dtype
        if X.shape[0] <= FEW_ROWS and not sparse.issparse(X):
            rows = X.astype(dtype, copy=False)
            Z2 = raw_prediction(coefs, intercepts, rows, self.activation)
            return finite_answers(Z2, coefs, intercepts)
        size = block_size(max(coefs[0].shape), dtype)
        rows = Rows(X, None, None, standardization=None, dtype=dtype, block_size=size)
        with rows if X.shape[0] > size else nullcontext():
            Z2 = rows.map(self._block_raw_prediction(coefs, intercepts, rows))
        return finite_answers(Z2, coefs, intercepts)

    def _block_raw_prediction(self, coefs, intercepts, rows):
        """Z2 of a raw block [X 1] of the rows, as a block function."""
        network = self.network(coefs)
        params = network.pack(coefs, intercepts, coefs[0].dtype)
        return MeanLoss(network, self.targets.loss, rows).block_raw_prediction(params)

    def hidden_layer(self, coefs, intercepts, X):
        """A1 = g(X W1 + b1) (n, h) of the rows."""
        network, dtype = self.network(coefs), coefs[0].dtype
        params = network.pack(coefs, intercepts, dtype)
        size = block_size(max(coefs[0].shape), dtype)
        A1 = _map_rows(X, lambda X, y, weight: network.forward(params, X)[1], dtype, size)
        return finite_answers(A1, coefs, intercepts)

    def input_gradient(self, coefs, intercepts, X):
        """(W2 * g'(Z1)) W1' (n, k, f) times the slope of the output (n, k), by the chain rule."""
        (W1, W2), network, dtype = coefs, self.network(coefs), coefs[0].dtype
        params, dg = network.pack(coefs, intercepts, dtype), ACTIVATIONS[self.activation].derivative

        def gradient(X, y, weight):
            Z2, A1 = network.forward(params, X)
            d1 = dg(A1, out=A1)[:, None, :] * W2.T  # d Z2 / d Z1 (n, k, h)
            slope = self.targets.output_slope(Z2)
            return slope[:, :, None] * (d1 @ W1.T)

        size = block_size(max(W1.shape) * W2.shape[1], dtype)
        return finite_answers(_map_rows(X, gradient, dtype, size), coefs, intercepts)

    def by_posterior(self, coefs, intercepts, X, answer):
        """``answer(posteriors, X)`` (n, k) of blocks of standardised rows, stacked.

        ValueError if the fit has no posterior, or one of other weights, or if an answer is no
        finite number.
        """
        if not self.posteriors:
            raise ValueError(f"This fit has no error bars: {self.no_error_bars}.")
        network, params = self.posteriors[0].network, [each.params for each in self.posteriors]
        fitted = published_weights(self.scale, network, params, coefs[0].dtype)
        if not are_equal(fitted, (coefs, intercepts)):
            width = f", n_members=1 and n_hidden={coefs[0].shape[1]}" if self.is_committee else ""
            raise ValueError(
                "coefs_ or intercepts_ have been assigned to since the fit, and its error bars are "
                f"those of other weights. Fit again, with warm_start=True{width} to start from "
                "these."
            )

        def block(X, y, weight):
            X = self.scale.apply_block(X)
            return answer(self.posteriors, X).astype(coefs[0].dtype)

        answers = _map_rows(X, block, np.float64, rows_of_block(network))
        return finite_answers(answers, coefs, intercepts)

    def moderated_probability(self, coefs, intercepts, X):
        """Outputs A2 (n, k) of a classifier, averaged over the posterior."""

        def answer(posteriors, X):
            Z2, V = mixture_moments(posteriors, X)
            bad = ~np.isfinite(V).all(axis=(1, 2))  # of which there are no eigenvalues
            Z2[bad], V[bad] = 0, 0
            A2 = expected_prediction(self.targets.loss, Z2, V)
            A2[bad] = np.nan  # which is refused
            return A2

        return self.by_posterior(coefs, intercepts, X, answer)

    @np.errstate(under="ignore")
    def score(self, coefs, intercepts, table):
        """R^2 or accuracy of the rows of a table, in one pass over them."""
        units = Standardization.none(table.n_features, self.targets.n_outputs)
        with table.encode(self.targets).rows(units, coefs[0].dtype, max(coefs[0].shape)) as rows:
            return self.targets.score(rows, self._block_raw_prediction(coefs, intercepts, rows))


def _map_rows(X, block_function, dtype, size):
    """``block_function`` of blocks [X 1] of about this size, in the user's units, stacked."""
    with Rows(X, None, None, standardization=None, dtype=dtype, block_size=size) as rows:
        return rows.map(block_function)


def finite_answers(answers, coefs, intercepts):
    """The answers (n, ...) to rows; ValueError if one of them is no finite number."""
    if np.isfinite(answers).all():
        return answers
    if not all(np.isfinite(array).all() for array in (*coefs, *intercepts)):
        raise ValueError("coefs_ or intercepts_ hold weights that are not finite. Fit again.")
    bad = np.flatnonzero(~np.isfinite(answers).reshape(len(answers), -1).all(axis=1))
    rows = f"Row {bad[0]} of X holds"
    if len(bad) > 1:
        rows = f"Row {bad[0]} of X and {len(bad) - 1} more hold"
    largest, (what, remedy) = max(abs(W).max() for W in coefs), too_large("scale")
    raise ValueError(
        f"{rows} {what} for this network in {answers.dtype}, whose weights "
        f"go up to {largest:.3g}: the answer is no finite number. {remedy} X as the rows that were "
        "fitted."
    )


def check_finite(loss, gradients, weights):
    """Refuse a loss or gradients that are not finite numbers, of weights in the user's units."""
    found = np.concatenate([[loss], *gradients], axis=None)
    if not np.isfinite(found).all():
        dtype, largest = weights[0].dtype, max(np.abs(array).max() for array in weights)
        raise ValueError(
            f"The loss ({loss:.3g}) or its gradient is not finite in {dtype}: X or y "
            f"holds values too large, or the weights are too large (up to {largest:.3g}). Give "
            "X and y the scale of the rows that were fitted, or fit again."
        )


def rows_of_block(network):
    """How many rows to answer at once: Jacobians (n, k, p) and draws (n, draws, k) are large."""
    row = 8 * network.n_outputs * max(network.n_params, N_DRAWS)
    return max(ANSWER_BYTES // row, MIN_ROWS)


def mixture_moments(posteriors, X):
    """Mean (n, k) and covariance (n, k, k) of a committee's raw prediction.

    The mean of the covariances plus the covariance of the means, which a network alone has not.
    """
    if len(posteriors) == 1:
        return posteriors[0].raw_prediction(X)
    means, covariances = zip(*(posterior.raw_prediction(X) for posterior in posteriors))
    mean = np.mean(means, axis=0)
    deviation = means - mean
    between = np.einsum("mnc,mnd->ncd", deviation, deviation) / len(means)
    return mean, sum(covariances) / len(means) + between


def standard_deviation(posteriors, X, *, slope):
    """Standard deviation (n, k) of new targets on the standardised scale, noise included.

    By the slope d A2 / d Z2 the variance of Z2 becomes that of A2.
    """
    Z2, V = mixture_moments(posteriors, X)
    noise = np.mean([1 / posterior.noise_precision for posterior in posteriors], axis=0)
    return np.sqrt(slope(Z2) ** 2 * np.diagonal(V, axis1=1, axis2=2) + noise)
