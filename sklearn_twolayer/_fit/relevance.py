"""How much each column of X moves the prediction: what feature importances are made of."""

from functools import partial

import numpy as np

from sklearn_twolayer._network.activations import ACTIVATIONS
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.scale import moments_of_columns

#: Beyond so many rows a part of them tells as much.
MAX_ROWS = 2**14
#: Rows of a block.
ROWS_AT_ONCE = 1024


def relevance(problem, coefs, intercepts):
    """Root mean square over the rows of d Z2 / d x, in standard deviations of x (f,).

    By the chain rule the gradient of Z2 in x is sum_j W1_fj g'(z1_j) W2_jc. Its square,
    summed over the outputs, needs one matrix (h, h) of the rows, D'D with D = g'(Z1), and
    nothing that is as wide as X: W1 (D'D * W2 W2') W1'. With several outputs it is the
    root of the mean over them, of targets in units of their own standard deviation;
    softmax looks at differences of its outputs only, so their mean is taken out first.

    Parameters
    ----------
    problem : Problem
    coefs, intercepts : list of ndarray
        In the units of X and y: of a whole committee.
    """
    (W1, W2), spread = coefs, _spread(problem)
    network = TwoLayerNetwork(*W1.shape, W2.shape[1], problem.network.activation)
    params = network.pack(coefs, intercepts, np.float64)
    step = -(-problem.table.n_rows // MAX_ROWS)
    with problem.table.raw_rows("X", ROWS_AT_ONCE) as rows:
        weight, squares = rows.sum(
            partial(_block_squares, network=network, params=params, step=step)
        )
    W1, W2 = W1 * spread[:, None], W2 / problem.scale.y_scale
    largest = np.abs(W1).max(axis=1)
    W1 = W1 / np.where(largest > 0, largest, 1)[:, None]  # whose squares do not overflow
    if problem.targets.output_activation == "softmax":
        W2 = W2 - W2.mean(axis=1, keepdims=True)
    matrix = squares / weight * (W2 @ W2.T) / W2.shape[1]
    return largest * np.sqrt(np.maximum(((W1 @ matrix) * W1).sum(axis=1), 0))


def shares(relevances):
    """The relevances, divided by their sum; all alike where nothing is relevant."""
    total = relevances.sum()
    return relevances / total if total > 0 else np.full(len(relevances), 1 / len(relevances))


def _spread(problem):
    """Standard deviation of each column of X; the most that it can be where it overflows."""
    if "X" in problem.moments:
        return problem.moments["X"].spread
    with problem.table.raw_rows("X", ROWS_AT_ONCE) as rows:
        moments = moments_of_columns(rows)
    half_range = moments.greatest / 2 - moments.least / 2
    return np.where(np.isfinite(moments.scale), moments.spread, half_range)


def _block_squares(X, y, weight, *, network, params, step):
    """Sums over every step-th row of a block of w, and of w D'D."""
    X, weight = X[::step], None if weight is None else weight[::step]
    weight = np.ones(X.shape[0]) if weight is None else weight
    _, A1 = network.forward(params, X)
    D = ACTIVATIONS[network.activation].derivative(A1, out=np.empty_like(A1))
    return weight.sum(), (D * weight[:, None]).T @ D
