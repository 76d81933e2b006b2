"""Targets and weights: encoding of labels, class weights, validation split."""

from numbers import Number

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array
from sklearn.utils.multiclass import type_of_target


def check_weights(X, y, sample_weight):
    """X and y without the rows of weight zero, and the weights (n,), or None for ones.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, if there is not one for each row,
        or if all are zero.
    """
    if sample_weight is None:
        return X, y, None
    weight = valid_weights(X, sample_weight)
    with np.errstate(over="ignore"):
        check_total_weight(weight.sum())
    X, y, weight = drop_weightless(X, y, weight)
    return X, y, (None if (weight == 1).all() else weight)


def valid_weights(X, sample_weight):
    """The weights (n,) of the rows of X in float64, none negative."""
    if isinstance(sample_weight, Number):
        sample_weight = np.full(X.shape[0], float(sample_weight))
    weight = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weight.shape != (X.shape[0],):
        raise ValueError(
            f"sample_weight must have one value for each of the {X.shape[0]} rows of X, "
            f"shape ({X.shape[0]},); it has shape {weight.shape}."
        )
    if (weight < 0).any():
        raise ValueError(
            f"sample_weight must not be negative: row {np.argmin(weight)} has {weight.min()}."
        )
    return weight


def check_total_weight(total):
    """Refuse rows whose weights have no sum, or the sum zero."""
    if total == 0:
        raise ValueError("sample_weight is zero for every row: nothing is left to fit.")
    if not np.isfinite(total):
        raise ValueError("The sum of sample_weight is not finite. Divide it by a constant.")


def drop_weightless(X, y, weight):
    """X, y and weight without the rows of weight zero."""
    kept = weight > 0
    return (X, y, weight) if kept.all() else (X[kept], y[kept], weight[kept])


def learn_classes(y):
    """The sorted classes of y, and whether y is a multilabel indicator.

    Raises
    ------
    ValueError
        If y is not a set of class labels.
    """
    kind = type_of_target(y, input_name="y", raise_unknown=True)
    if kind == "multilabel-indicator":
        return np.arange(y.shape[1]), True
    if kind not in ("binary", "multiclass"):
        raise ValueError(
            f"Unknown label type: {kind}. TwoLayerClassifier takes one column of "
            "discrete classes, or a 0/1 indicator matrix for multilabel; for "
            "continuous targets use TwoLayerRegressor."
        )
    return np.unique(y), False


def encode_labels(y, classes, is_multilabel):
    """Labels as the losses want them, given the ``classes`` of the fit.

    Two classes and multilabel indicators become floats (n, k), one class or more
    than two their indices (n,).

    Raises
    ------
    ValueError
        If y has a label that is not among ``classes``.
    """
    if is_multilabel:
        if y.shape[1:] != (len(classes),):
            raise ValueError(f"y has shape {y.shape}, but {len(classes)} labels were fitted.")
        return y.astype(np.float64)
    indices = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    unknown = np.setdiff1d(y[classes[indices] != y], classes)
    if len(unknown):
        raise ValueError(f"y has the labels {unknown.tolist()}, not among {classes.tolist()}.")
    return indices.astype(np.float64).reshape(-1, 1) if len(classes) == 2 else indices


def label_totals(y, weight):
    """Labels of each column of y, and the sum of the weights of the rows that have them."""
    columns = [y] if y.ndim == 1 else list(y.T)
    uniques = (np.unique(column, return_inverse=True) for column in columns)
    return [(labels, np.bincount(indices, weights=weight)) for labels, indices in uniques]


def merge_label_totals(parts):
    """The ``label_totals`` of rows, from those of their parts.

    Raises
    ------
    ValueError
        If the parts have different numbers of columns.
    """
    widths = {len(part) for part in parts}
    if len(widths) > 1:
        raise ValueError(f"y has partitions of {sorted(widths)} columns. Give all the same.")
    merged = []
    for columns in zip(*parts):
        labels, totals = (np.concatenate(arrays) for arrays in zip(*columns))
        labels, indices = np.unique(labels, return_inverse=True)
        merged.append((labels, np.bincount(indices, weights=totals)))
    return merged


def class_weight_of_rows(class_weight, y, weight, totals=None):
    """Weights (n,) multiplied by the weight of each row's class; None for ones.

    "balanced" gives each of the K classes the same total weight, S / K: with
    weights as frequencies, S and the class totals are sums of the weights. For a
    multilabel indicator the factors of all labels are multiplied. ``totals`` are the
    ``label_totals`` of all rows, where y is a part of them.

    Raises
    ------
    ValueError
        If a class weight is negative or names a class that y does not have, or
        if a list does not have one entry for each label.
    """
    if class_weight is None:
        return weight
    is_part = totals is not None
    totals = totals if is_part else label_totals(y, weight)
    columns = [y] if y.ndim == 1 else list(y.T)
    each = class_weight if isinstance(class_weight, list) else [class_weight] * len(columns)
    if len(each) != len(columns):
        raise ValueError(
            f"class_weight is a list of {len(each)}, but y has {len(columns)} column(s) of labels."
        )
    factor = np.ones(len(y)) if weight is None else weight.copy()
    for one, labels, (classes, sums) in zip(each, columns, totals):
        if one is not None:
            factor *= _factor_of_class(one, classes, sums)[np.searchsorted(classes, labels)]
    if not is_part and not factor.any():
        raise ValueError(f"class_weight={class_weight!r} gives every row the weight zero.")
    return factor


def _factor_of_class(class_weight, classes, totals):
    if class_weight == "balanced":
        return totals.sum() / (len(classes) * totals)
    unknown = [label for label in class_weight if label not in classes]
    if unknown and any(label not in class_weight for label in classes.tolist()):
        raise ValueError(
            f"class_weight names {unknown}, but the classes of y are {classes.tolist()}."
        )
    values = [class_weight.get(label, 1.0) for label in classes.tolist()]
    if not all(isinstance(value, Number) and 0 <= value < np.inf for value in values):
        raise ValueError(
            f"class_weight must be finite and must not be negative, got {class_weight}."
        )
    return np.array(values, float)


def validation_split(n_rows, labels, fraction, random_state):
    """Indices (train, validation) of a random split, stratified by labels.

    Parameters
    ----------
    n_rows : int
    labels : ndarray or None
        Stratify by these where each class has two rows or more and both parts
        have room for every class; otherwise split at random.
    fraction : float
        Of the rows, for validation.
    random_state : RandomState

    Raises
    ------
    ValueError
        If one of the parts would be empty.
    """
    n_validation = int(np.ceil(fraction * n_rows))
    if n_rows - n_validation < 1 or n_validation < 2:
        part = "validation" if n_validation < 2 else "training"
        raise ValueError(
            f"The {part} set is too small: early_stopping holds out validation_fraction={fraction} "
            f"of n_samples={n_rows}. Set early_stopping=False."
        )
    if labels is not None:
        _, counts = np.unique(labels, return_counts=True)
        room = min(n_validation, n_rows - n_validation)
        if counts.min() < 2 or len(counts) > room:
            labels = None
    return train_test_split(
        np.arange(n_rows),
        test_size=n_validation,
        stratify=labels,
        random_state=random_state,
    )
