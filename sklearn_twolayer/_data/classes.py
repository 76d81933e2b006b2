"""What a network says of each class: two classes share one output."""

import numpy as np


def of_each_class(targets, A2):
    """Probability (n, number of classes) from the output A2 (n, k)."""
    return np.hstack([1 - A2, A2]) if targets.is_binary else A2


def log_of_each_class(targets, Z2):
    """Its logarithm from the raw prediction Z2 (n, k), without rounding to ln 0."""
    log_predict = targets.loss.log_predict
    return np.hstack([log_predict(-Z2), log_predict(Z2)]) if targets.is_binary else log_predict(Z2)
