"""Everything about a y of classes: encoded, weighed by class, decoded, scored.

See ``targets`` for the interface and how targets are learnt.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from reprlib import repr as shortened

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target

from sklearn_twolayer._data.table import about, check_total_weight
from sklearn_twolayer._data.targets import are_missing, listed, refuse_missing
from sklearn_twolayer._network.losses import BinaryLogLoss, MulticlassLogLoss

#: Kinds of y, in the words of scikit-learn, that are classes or labels.
LABELS = ("binary", "multiclass", "multilabel-indicator")
#: Rows of which logarithms are taken at once: on the way to them there are several copies.
LOGARITHMS_AT_ONCE = 2**14
#: Of the weights of classes: a whole number of Python may be larger than any float.
GREATEST = sys.float_info.max


@dataclass(frozen=True, eq=False)
class LabelTargets:
    """Classes, or the labels of a multilabel indicator, under the log loss."""

    classes: np.ndarray  # sorted; the indices of the columns of an indicator
    is_multilabel: bool
    class_weight: Mapping | str | list | None = None  # or a list of them, of labels
    totals: list | None = None  # ``label_totals`` of all rows, to weigh parts of them
    is_seen: np.ndarray | None = None  # classes that have rows with weight; None stands for all

    complaint = None
    is_numeric = False

    @staticmethod
    def check(y):
        """Y as one column (n,), or as an indicator matrix."""
        refuse_missing(y)
        return column_or_1d(y) if y.ndim == 1 or y.shape[1] == 1 else y

    @staticmethod
    def summarize(y, weight, weightless=None):
        """Return what kind of labels y has, and the ``label_totals`` of its columns.

        The labels of rows without weight are classes as well: of total zero.
        """
        if weightless is not None:
            ones = np.ones(len(y)) if weight is None else weight
            y, weight = np.concatenate([y, weightless]), np.append(ones, np.zeros(len(weightless)))
        kind = type_of_target(y, input_name="y")
        if kind == "unknown":
            raise ValueError(
                f"Unknown label type: y has dtype {y.dtype} and shape {y.shape}. Convert objects "
                "to labels of one type, for instance by y.astype(int), y.astype(bool) or "
                "y.astype(str)."
            )
        return kind, label_totals(y, weight)

    @staticmethod
    def merge(summaries):
        """The summary of rows, from those of their parts."""
        kinds, totals = zip(*summaries)
        kind = next((kind for kind in kinds if kind not in LABELS), kinds[0])
        totals = merge_label_totals(totals)
        if kind == "multilabel-indicator":
            n_labels = len(np.unique(np.concatenate([labels for labels, _ in totals])))
            kind = kind if n_labels <= 2 else "multiclass-multioutput"
        return kind, totals

    @classmethod
    def learn(cls, summary, settings):
        """The targets of rows with this summary; ValueError if y is not a set of class labels."""
        kind, totals = summary
        if kind not in LABELS:
            raise ValueError(
                f"Unknown label type: {kind}. TwoLayerClassifier takes one column of "
                "discrete classes, or a 0/1 indicator matrix for multilabel; for "
                "continuous targets use TwoLayerRegressor."
            )
        is_multilabel = kind == "multilabel-indicator"
        if is_multilabel:
            refuse_codes(np.concatenate([labels for labels, _ in totals]))
        classes = np.arange(len(totals)) if is_multilabel else totals[0][0]
        is_seen = None if is_multilabel else totals[0][1] > 0
        return cls(classes, is_multilabel, settings.class_weight, is_seen=is_seen)

    @property
    def is_binary(self):
        """Whether one output, the probability of the second class, says all."""
        return len(self.classes) == 2 and not self.is_multilabel

    @property
    def n_outputs(self):
        return 1 if self.is_binary else len(self.classes)

    @property
    def is_constant(self):
        """Outputs of classes without weight, where a fit starts with a small probability."""
        if self.is_seen is None or self.is_seen.all():
            return ()
        return (True,) if self.is_binary else tuple(~self.is_seen)

    @property
    def output_activation(self):
        return "logistic" if self.is_binary or self.is_multilabel else "softmax"

    @property
    def loss(self):
        """The log loss of the output activation."""
        return MulticlassLogLoss() if self.output_activation == "softmax" else BinaryLogLoss()

    def encode(self, y, name="y"):
        """Labels as the losses want them.

        Two classes and multilabel indicators become floats (n, k), one class or more than two
        their indices (n,). ValueError if y has another number of columns, a label that is not
        among ``classes``, or an indicator other than 0 and 1.
        """
        classes = self.classes
        if y.shape[1:] != ((len(classes),) if self.is_multilabel else ()):
            labels = f"{len(classes)} labels were fitted: pass 0/1 indicators (n, {len(classes)})"
            one = f"one column of the classes {listed(classes)} was fitted: pass one label a row"
            fitted = labels if self.is_multilabel else one
            raise ValueError(f"{name} has shape {y.shape}, but {fitted}.")
        if self.is_multilabel:
            refuse_codes(y, name)
            return y.astype(np.float64)
        indices = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
        unknown = np.setdiff1d(y[classes[indices] != y], classes)
        if len(unknown):
            raise ValueError(
                f"{name} has the labels {listed(unknown)}, not among {listed(classes)}."
            )
        return indices.astype(np.float64).reshape(-1, 1) if len(classes) == 2 else indices

    def decode(self, Z2):
        """The most probable class of each row, or 0/1 indicators, from raw predictions."""
        if self.is_multilabel:
            return (Z2 > 0).astype(int)
        best = (Z2[:, 0] > 0).astype(int) if self.is_binary else Z2.argmax(axis=1)
        return self.classes[best]

    def of_each_class(self, A2):
        """Probability (n, number of classes) from the output A2 (n, k): two classes share one."""
        return np.hstack([1 - A2, A2]) if self.is_binary else A2

    def log_of_each_class(self, Z2):
        """Ln of these probabilities from the raw prediction Z2, without rounding to ln 0."""
        ln, n_columns = self.loss.log_predict, 2 if self.is_binary else Z2.shape[1]
        out = np.empty((len(Z2), n_columns), Z2.dtype)
        for start in range(0, len(Z2), LOGARITHMS_AT_ONCE):
            rows = slice(start, start + LOGARITHMS_AT_ONCE)
            out[rows, -Z2.shape[1] :] = ln(Z2[rows])
            if self.is_binary:
                out[rows, :1] = ln(-Z2[rows])
        return out

    def output_slope(self, Z2):
        """Return ones (n, k): the gradient asked for is that of the raw prediction itself."""
        return np.ones_like(Z2)

    def strata(self, y):
        """Return the labels to stratify a validation split by, or None."""
        return None if self.is_multilabel else y

    def weigh(self, y, weight):
        """Weights (n,), ones if None, multiplied by the weight of each row's class."""
        known = () if self.is_multilabel else self.classes
        return class_weight_of_rows(self.class_weight, y, weight, self.totals, known=known)

    def for_parts(self, summary):
        """The targets that weigh a part of the rows with this summary."""
        return replace(self, totals=summary[1])

    def weigh_stream(self, y, weight):
        """Weigh a batch of known labels, which may lack some of the classes, as ``weigh`` does."""
        each = self.class_weight if isinstance(self.class_weight, list) else [self.class_weight]
        if "balanced" in each:
            raise ValueError(
                "class_weight='balanced' needs all rows at once. For partial_fit pass the dict of "
                "sklearn.utils.class_weight.compute_class_weight('balanced', classes=..., y=...)."
            )
        known = np.arange(2) if self.is_multilabel else self.classes
        unknown = [label for one in each for label in one or () if label not in known.tolist()]
        if unknown:
            raise ValueError(
                f"class_weight names {unknown}, but the classes are {listed(self.classes)}."
            )
        totals = [(known, None)] * (1 if y.ndim == 1 else y.shape[1])
        weight = class_weight_of_rows(self.class_weight, y, weight, totals)
        check_class_weight(self.class_weight, weight)
        return weight

    def check_same(self, previous):
        """Refuse a warm start from targets with other classes."""
        if previous.is_multilabel != self.is_multilabel:
            kinds = "one column of classes", "a multilabel matrix"
            before, now = kinds if self.is_multilabel else kinds[::-1]
            raise ValueError(
                f"warm_start cannot go on from another kind of y: it was {before} in the previous "
                f"call to fit, and is {now} now. Set warm_start=False."
            )
        if not np.array_equal(previous.classes, self.classes):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {previous.classes}, `y` has {self.classes}. Set "
                "warm_start=False."
            )

    def with_classes(self, classes):
        """The targets with all classes that any call of ``partial_fit`` will see."""
        if classes is None:
            raise ValueError(
                "The first call of partial_fit needs classes: all labels that any call will see, "
                "for instance classes=np.unique(y_all)."
            )
        classes = checked_classes(classes)
        if not self.is_multilabel:
            return replace(self, classes=classes, is_seen=None)
        if not np.array_equal(classes, self.classes):
            raise ValueError(
                f"classes={listed(classes)} are not valid: for multilabel y they are the indices "
                f"of its columns, {listed(self.classes)}."
            )
        return self

    def going_on(self, classes, class_weight):
        """The targets of a later call of ``partial_fit``; it must name no other classes."""
        classes = self.classes if classes is None else checked_classes(classes)
        if not np.array_equal(classes, self.classes):
            raise ValueError(
                f"classes={listed(classes)} are not those of the first call of partial_fit, "
                f"{listed(self.classes)}. Leave classes out, or start with a clone."
            )
        return replace(self, class_weight=class_weight)

    def start_with_every_class(self, encoded, weight):
        """A class that the first batch lacks gets a row, and so a finite starting bias."""
        if encoded.ndim == 1:
            every = np.arange(self.n_outputs)
            has_every = len(np.unique(encoded)) == self.n_outputs
        else:
            every = np.repeat([[0.0], [1.0]], self.n_outputs, axis=1)
            has_every = (np.ptp(encoded, axis=0) > 0).all()
        if has_every:
            return encoded, weight
        if weight is not None:
            weight = np.append(weight, np.ones(len(every)))
        return np.concatenate([encoded, every]), weight

    def score(self, rows, block_raw_prediction):
        """Share of the rows whose class, or all of whose labels, are predicted."""

        def block(X, y, weight):
            Z2 = block_raw_prediction(X, y, weight)
            right = Z2.argmax(axis=1) == y if y.ndim == 1 else ((Z2 > 0) == y).all(axis=1)
            weight = np.ones(len(y)) if weight is None else weight.astype(np.float64)
            return weight @ right, weight.sum()

        right, weight = rows.sum(block)
        return float(right / weight)


def checked_classes(classes):
    """The sorted labels of the argument ``classes``; ValueError if it is no array of labels."""
    labels, given = np.asarray(classes), f"classes={shortened(classes)}"
    if labels.ndim and labels.size and not are_missing(labels).any():
        with about(given):
            return np.unique(labels)
    raise ValueError(
        f"{given} is not valid: it must be an array or a list of all labels that any call will "
        "see, none of them missing, for instance classes=np.unique(y_all)."
    )


def refuse_codes(labels, name="y"):
    """Refuse labels (m,) of a multilabel indicator that are not 0 and 1."""
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(
            f"A multilabel y must be coded 0 and 1, but {name} holds {listed(np.unique(labels))}. "
            f"Pass ({name} == the code of a label that is there).astype(int)."
        )


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

    "balanced" gives each of the K classes the same total weight, S / K. For a multilabel indicator
    the factors of all labels are multiplied. ``totals`` are the ``label_totals`` of all rows, where
    y is a part of them; ``known`` are classes of one column that y may lack.
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
