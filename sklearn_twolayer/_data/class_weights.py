"""Weights of classes, multiplied into those of the rows, and what labels weigh in all."""

import sys
from numbers import Real

import numpy as np

from sklearn_twolayer._data.table import check_total_weight
from sklearn_twolayer._data.targets import listed

#: Of the weights of classes: a whole number of Python may be larger than any float.
GREATEST = sys.float_info.max


def label_totals(y, weight):
    """Labels of each column of y, and the sum of the weights of the rows that have them."""
    columns = [y] if y.ndim == 1 else list(y.T)
    uniques = (np.unique(column, return_inverse=True) for column in columns)
    return [(labels, np.bincount(indices, weights=weight)) for labels, indices in uniques]


def merge_label_totals(parts):
    """The ``label_totals`` of rows; ValueError if their parts have different numbers of columns."""
    widths = {len(part) for part in parts}
    if len(widths) > 1:
        raise ValueError(f"y has partitions of {sorted(widths)} columns. Give all the same.")
    merged = []
    for columns in zip(*parts):
        labels, totals = (np.concatenate(arrays) for arrays in zip(*columns))
        labels, indices = np.unique(labels, return_inverse=True)
        merged.append((labels, np.bincount(indices, weights=totals)))
    return merged


def class_weight_of_rows(class_weight, y, weight, totals=None, *, known=()):
    """Weights (n,), ones if None, multiplied by the weight of each row's class.

    "balanced" gives each of the K classes the same total weight, S / K: with
    weights as frequencies, S and the class totals are sums of the weights. For a
    multilabel indicator the factors of all labels are multiplied. ``totals`` are the
    ``label_totals`` of all rows, where y is a part of them; ``known`` are classes of one column
    that y may lack. ValueError if a class weight is negative or names a class that y does not
    have, or if a list does not have one entry for each label.
    """
    is_part = totals is not None
    totals = totals if is_part else label_totals(y, weight)
    if len(known) and not is_part:
        totals = merge_label_totals([totals, [(known, np.zeros(len(known)))]])
    columns = [y] if y.ndim == 1 else list(y.T)
    each = class_weight if isinstance(class_weight, list) else [class_weight] * len(columns)
    if len(each) != len(columns):
        raise ValueError(
            f"class_weight is a list of {len(each)}, but y has {len(columns)} column(s) of labels."
        )
    factor = np.ones(len(y)) if weight is None else weight.copy()
    for one, labels, (classes, sums) in zip(each, columns, totals):
        if one is not None:
            with np.errstate(over="ignore"):
                factor *= _factor_of_class(one, classes, sums)[np.searchsorted(classes, labels)]
    if not is_part:
        check_class_weight(class_weight, factor)
    return factor


def check_class_weight(class_weight, weight):
    """Refuse class weights under which the weights (n,) of the rows have the sum zero, or none."""
    with np.errstate(over="ignore"):
        check_total_weight(weight.sum(), f"class_weight={class_weight!r}")


def _factor_of_class(class_weight, classes, totals):
    if class_weight == "balanced":
        weighs = totals > 0  # a class without weight is in no row that is weighed
        return totals.sum() / (weighs.sum() * np.where(weighs, totals, 1))
    unknown = [label for label in class_weight if label not in classes]
    if unknown and any(label not in class_weight for label in classes.tolist()):
        raise ValueError(
            f"class_weight names {unknown}, but the classes of y are {listed(classes)}."
        )
    values = [class_weight.get(label, 1.0) for label in classes.tolist()]
    if not all(isinstance(value, Real) and 0 <= value <= GREATEST for value in values):
        raise ValueError(
            "class_weight must be real numbers, finite, and must not be negative, got "
            f"{class_weight}."
        )
    return np.array(values, float)
