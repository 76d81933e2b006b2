"""Validation rows: held out by early stopping or the user's own, and how they are scored."""

from copy import copy
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import check_scoring

from sklearn_twolayer._objective import Objective
from sklearn_twolayer._targets import check_weights, validation_split


@dataclass(frozen=True)
class ValidationData:
    """Rows that are scored and not learnt: X, labels or targets y, encoded targets, weights."""

    X: object
    y: np.ndarray
    targets: np.ndarray
    weight: np.ndarray | None


def own_validation_data(estimator, X_val, y_val, sample_weight_val):
    """The user's validation rows, or None.

    Raises
    ------
    ValueError
        If a part is missing, or does not fit to the training data.
    """
    if X_val is None and y_val is None:
        if sample_weight_val is not None:
            raise ValueError("sample_weight_val needs X_val and y_val: pass all three to fit.")
        return None
    if X_val is None or y_val is None:
        missing = "X_val" if X_val is None else "y_val"
        raise ValueError(f"X_val and y_val go together, but {missing} is missing: pass both.")
    X, y = estimator._validate(X_val, y_val, reset=False)
    X, y, weight = check_weights(X, y, sample_weight_val)
    try:
        targets = estimator._encode(y)
    except ValueError as error:
        raise ValueError(f"y_val does not fit to y: {error}") from error
    return ValidationData(X, y, targets, weight)


def hold_out(estimator, X, y, targets, weight, random_state):
    """Split rows for early stopping: indices of those to train on, and the others."""
    kept, out = validation_split(
        len(y), estimator._strata(y), estimator.validation_fraction, random_state
    )
    held_out_weight = None if weight is None else weight[out]
    return kept, ValidationData(X[out], y[out], targets[out], held_out_weight)


class Validation:
    """Loss and score of validation rows under the weights ``params``.

    Parameters
    ----------
    estimator : BaseTwoLayer
        Whose ``scoring`` it is.
    network : TwoLayerNetwork
    data : ValidationData
    rows : Rows
        The same rows, ready to be predicted.
    dtype : dtype
        Of the weights that the estimator will publish.
    """

    def __init__(self, estimator, network, data, rows, dtype):
        self._estimator = estimator
        self._data = data
        self._rows = rows
        self._dtype = dtype
        self._objective = Objective(network, estimator._loss(), np.zeros(network.n_params))
        self._scorer = None
        if estimator.scoring not in (None, "loss"):
            self._scorer = check_scoring(estimator, estimator.scoring)

    def loss(self, params):
        """Mean loss, without penalty, on the standardised scale."""
        return self._objective.value(params, self._rows)

    def score(self, params):
        """What early stopping maximises.

        Raises
        ------
        ValueError
            If it is not a finite number.
        """
        score = float(self._score(params))
        if not np.isfinite(score):
            raise ValueError(
                f"The score of the validation rows is {score}. Pass more of them, or choose "
                "another scoring, such as 'loss'."
            )
        return score

    def _score(self, params):
        if self._estimator.scoring == "loss":
            return -self.loss(params)
        if self._scorer is None:
            Z2 = self._objective.raw_prediction(params, self._rows)
            return self._estimator._score_raw(Z2, self._rows)
        model = snapshot(self._estimator, self._objective.network, params, self._dtype)
        data = self._data
        weights = {} if data.weight is None else {"sample_weight": data.weight}
        return self._scorer(model, data.X, data.y, **weights)


def snapshot(estimator, network, params, dtype):
    """A copy of the estimator that predicts with the weights ``params``."""
    model = copy(estimator)
    model._posteriors = None
    model.coefs_, model.intercepts_ = published_weights(
        estimator._standardization, network, params, dtype
    )
    # The rows of a fit are arrays, and have no names to compare with.
    vars(model).pop("feature_names_in_", None)
    return model


def published_weights(standardization, network, params, dtype):
    """Weights ``params`` on the standardised scale as ``coefs_`` and ``intercepts_``."""
    folded = standardization.fold(*network.unpack(params))
    return tuple([array.astype(dtype) for array in arrays] for arrays in folded)
