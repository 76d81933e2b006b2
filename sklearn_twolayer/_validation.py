"""Validation rows: held out by early stopping or the user's own, and how they are scored."""

from copy import copy
from inspect import signature

import numpy as np
from sklearn.metrics import check_scoring

from sklearn_twolayer._objective import Objective
from sklearn_twolayer._table import read_table


def own_validation_data(estimator, X_val, y_val, sample_weight_val):
    """The user's validation rows as a table, or None.

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
    table = read_table(estimator, X_val, y_val, sample_weight_val, reset=False)
    try:
        return table.encode(estimator)
    except ValueError as error:
        raise ValueError(f"y_val does not fit to y: {error}") from error


class Validation:
    """Loss and score of validation rows under the weights ``params``.

    Parameters
    ----------
    estimator : BaseTwoLayer
        Whose ``scoring`` it is.
    network : TwoLayerNetwork
    table : Table or DaskTable
    rows : Rows or DaskRows
        Its rows, ready to be predicted.
    dtype : dtype
        Of the weights that the estimator will publish.
    """

    def __init__(self, estimator, network, table, rows, dtype):
        self._estimator = estimator
        self._table = table
        self._rows = rows
        self._dtype = dtype
        self._objective = Objective(network, estimator._loss(), np.zeros(network.n_params))
        self._scorer = None
        if estimator.scoring not in (None, "loss"):
            self._scorer = check_scoring(estimator, estimator.scoring)
            self._weighs_rows = _takes_weights(self._scorer)
            if not table.is_in_memory:
                raise ValueError(
                    f"scoring={estimator.scoring!r} needs validation rows in memory. Pass X_val "
                    "and y_val as arrays, or set scoring to None or 'loss': sums over partitions."
                )

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
            raw_prediction = self._objective.block_raw_prediction(params, self._rows)
            return self._estimator._score_rows(self._rows, raw_prediction)
        model = snapshot(self._estimator, self._objective.network, params, self._dtype)
        table = self._table
        if table.weight is None or not self._weighs_rows:
            return self._scorer(model, table.X, table.y)
        return self._scorer(model, table.X, table.y, sample_weight=table.weight)


def _takes_weights(scorer):
    """Whether a scorer, and the metric behind one of scikit-learn's, weighs rows."""
    function = getattr(scorer, "_score_func", scorer)
    return "sample_weight" in signature(function).parameters


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


def fold_members(standardization, network, members, dtype):
    """Mean of M networks with h hidden units: ``coefs_`` and ``intercepts_`` of one with M h.

    ``members`` are their weights on the standardised scale.
    """
    with np.errstate(over="ignore"):
        folded = [published_weights(standardization, network, x, np.float64) for x in members]
        W1 = np.hstack([coefs[0] for coefs, _ in folded])
        b1 = np.concatenate([intercepts[0] for _, intercepts in folded])
        W2 = np.vstack([coefs[1] for coefs, _ in folded]) / len(members)
        b2 = np.mean([intercepts[1] for _, intercepts in folded], axis=0)
        return [W1.astype(dtype), W2.astype(dtype)], [b1.astype(dtype), b2.astype(dtype)]


def are_published(estimator, network, members):
    """Whether ``coefs_`` and ``intercepts_`` are still those of these members."""
    dtype = estimator.coefs_[0].dtype
    fitted = fold_members(estimator._standardization, network, members, dtype)
    current = estimator.coefs_, estimator.intercepts_
    return all(
        np.array_equal(a, b) for one, other in zip(fitted, current) for a, b in zip(one, other)
    )
