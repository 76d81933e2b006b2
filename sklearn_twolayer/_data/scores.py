"""R^2 and accuracy of rows, in one pass over them, wherever they are."""

from functools import partial

import numpy as np


def r_squared(rows, loss, block_raw_prediction):
    """R^2 of the rows, the mean over the outputs; nan for fewer than two rows.

    The targets are taken around the first one, so that their variance loses no digits
    to a large mean. ``block_raw_prediction(X, y, weight) -> Z2`` is a block function.
    """
    if rows.n_rows < 2:
        return np.nan
    bound = {"raw_prediction": block_raw_prediction, "shift": rows.first("y")}
    block = partial(_block_squares, loss=loss, **bound)
    weight, first, second, residual = rows.sum(block)
    total = second - first**2 / weight
    constant = total <= 10 * np.finfo(np.float64).eps * second
    ratio = np.where(constant, residual > 0, residual / np.where(constant, 1, total))
    return float(np.mean(1 - ratio))


def accuracy(rows, loss, block_raw_prediction):
    """Share of the rows whose class, or all of whose labels, are predicted."""
    right, weight = rows.sum(partial(_block_right, loss=loss, raw_prediction=block_raw_prediction))
    return float(right / weight)


def _block_squares(X, y, weight, *, loss, raw_prediction, shift):
    """Sums of w, w (y - shift), w (y - shift)^2 and w (y - A2)^2 for each output."""
    A2 = loss.predict(raw_prediction(X, y, weight))
    weight = np.ones(len(y)) if weight is None else weight.astype(np.float64)
    deviation, residual = y - shift, y - A2.astype(np.float64)
    return weight.sum(), weight @ deviation, weight @ deviation**2, weight @ residual**2


def _block_right(X, y, weight, *, loss, raw_prediction):
    """Sums of w over the rows that are predicted right, and over all."""
    Z2 = raw_prediction(X, y, weight)
    if loss.output_activation == "softmax":
        right = Z2.argmax(axis=1) == y
    else:
        right = ((Z2 > 0) == y).all(axis=1)
    weight = np.ones(len(y)) if weight is None else weight.astype(np.float64)
    return weight @ right, weight.sum()
