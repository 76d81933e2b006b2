"""Everything about y: what it means, how it is encoded, weighed, decoded and scored.

``RealTargets`` are the targets of a regression, ``LabelTargets`` those of a classification.
Both have one interface, so that a fit need not ask which it has. Targets are learnt in three
steps, because the rows of a cluster are never in one place:

    summary = merge([summarize(y, weight) of each part])       targets = learn(summary)

With all rows in memory there is one part, and nothing to merge. Targets are small and can be
pickled: they go to the workers of a cluster instead of an estimator.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from sklearn_twolayer._network.losses import LogisticSquaredError, SquaredError

#: Labels that an error names.
MOST_LISTED = 10
#: Least standard deviation of y in whose units a penalty is: solvers minimise F to ``tol`` and in
#: steps of some hundredths, and under a weaker penalty would leave the weights where they start.
LEAST_UNIT = 0.3
#: Before a logistic output F is the variance of y at most: where that is less, ``tol`` is reached
#: before anything is learnt, and a penalty as of variance 1 at least leads to the mean.
LEAST_VARIANCE = 2e-5


@dataclass(frozen=True)
class RealTargets:
    """Real numbers, under the squared error."""

    n_outputs: int
    is_1d: bool  # whether y is one column (n,), and predictions are to be so too
    output_activation: str  # "identity" or "logistic"
    complaint: str | None = None  # what to warn the user of
    # Which outputs have one target in all rows, where a fit starts; and what a penalty on the
    # weights is in proportion to: 1 where y is standardised.
    is_constant: tuple = field(default=(), compare=False)
    penalty_unit: float = field(default=1.0, compare=False)

    class_weight = None
    is_numeric = True

    @staticmethod
    def check(y):
        """Y in float32, or in float64.

        ValueError of missing and infinite values, also in objects and texts, where scikit-learn
        looks for none; of dates, and of what is no number.
        """
        refuse_missing(y)
        if y.dtype.kind in "mM":
            raise ValueError(
                f"y holds dates or durations ({y.dtype}), which have no unit of their own. Pass "
                "numbers: y / np.timedelta64(1, 'D') for days, of dates (y - y.min()) in its place."
            )
        try:
            numbers = y if y.dtype == np.float32 else np.asarray(y, np.float64)
        except (ValueError, TypeError, OverflowError) as error:
            raise ValueError(
                f"y does not hold real numbers: {error}. Pass numbers, or labels to "
                "TwoLayerClassifier."
            ) from error
        if numbers is not y:
            refuse_missing(numbers)
            if np.isinf(numbers).any():
                raise bad_rows(np.isinf(numbers), "infinite values", "clip them")
        return numbers

    @staticmethod
    def summarize(y, weight, weightless=None):
        """Least and greatest target of each output; None without rows."""
        return np.stack([y.min(axis=0), y.max(axis=0)]) if len(y) else None

    @staticmethod
    def merge(summaries):
        """The summary of rows, from those of their parts."""
        summaries = [summary for summary in summaries if summary is not None]
        return RealTargets.summarize(np.concatenate(summaries), None)

    @classmethod
    def learn(cls, summary, settings):
        """The targets of rows with this summary."""
        output_activation = settings.output_activation
        least, greatest, complaint = summary.min(), summary.max(), None
        if output_activation == "logistic" and (least < 0 or greatest > 1):
            complaint = (
                f"y ranges from {least:.3g} to {greatest:.3g}, but "
                "output_activation='logistic' predicts within (0, 1). Rescale y, or use "
                "output_activation='identity'."
            )
        is_constant = tuple(np.atleast_1d(summary[0] == summary[1]).tolist())
        return cls(len(is_constant), summary.ndim == 1, output_activation, complaint, is_constant)

    @property
    def loss(self):
        """The squared error of the output activation."""
        return SquaredError() if self.output_activation == "identity" else LogisticSquaredError()

    def in_units(self, moments):
        """The targets, with the unit of a penalty where y is not standardised, of its moments.

        It is asked for before a logistic output, and in a stream that is not to standardise.

        A weight of W1 with a prior precision of 1 has a penalty in proportion to the variance of
        the noise, and so of y. The weights of W2 are as large as the targets, so that theirs is
        in proportion to nothing, and one alpha for both to the geometric mean, the standard
        deviation. Before a logistic output both have a precision of 1.
        """
        varying = moments.scale[~moments.is_constant]
        variance = np.mean(varying**2) if len(varying) else 1.0
        unit = max(variance**0.5, LEAST_UNIT)
        if self.output_activation == "logistic":
            unit = variance if variance > LEAST_VARIANCE else 1.0
        return replace(self, penalty_unit=float(unit))

    def encode(self, y, name="y"):
        """Targets as the losses want them: (n, k); ValueError if their number is another one."""
        encoded = y.reshape(len(y), -1)
        if encoded.shape[1] != self.n_outputs:
            raise ValueError(
                f"{name} has shape {y.shape}, but the network was fitted to {self.n_outputs} "
                "outputs."
            )
        return encoded

    def decode(self, Z2):
        """Predictions in the shape of y, from raw predictions (n, k)."""
        y = self.loss.predict(Z2)
        return y.ravel() if self.is_1d else y

    def output_slope(self, Z2):
        """Slope d A2 / d Z2 (n, k) of the output activation."""
        return self.loss.slope(Z2)

    def strata(self, y):
        """Return None: nothing to stratify a validation split by."""

    def check_same(self, previous):
        """Accept every warm start: ``WarmStart.params`` compares the shapes of the weights."""

    def with_classes(self, classes):
        """The targets as they are: there are no classes."""
        return self

    def going_on(self, classes, class_weight):
        """The targets as they are: there are no classes."""
        return self

    def start_with_every_class(self, encoded, weight):
        """The encoded targets and the weights as they are."""
        return encoded, weight

    def score(self, rows, block_raw_prediction):
        """R^2 of the rows, the mean over the outputs; nan for fewer than two rows.

        Taken around the first target, their variance loses no digits to a large mean.
        ``block_raw_prediction(X, y, weight) -> Z2`` is a block function.
        """
        if rows.n_rows < 2:
            return np.nan
        shift = rows.first("y")

        def block(X, y, weight):
            A2 = self.loss.predict(block_raw_prediction(X, y, weight))
            weight = np.ones(len(y)) if weight is None else weight.astype(np.float64)
            deviation, residual = y - shift, y - A2.astype(np.float64)
            return weight.sum(), weight @ deviation, weight @ deviation**2, weight @ residual**2

        weight, first, second, residual = rows.sum(block)
        total = second - first**2 / weight
        constant = total <= 10 * np.finfo(np.float64).eps * second
        ratio = np.where(constant, residual > 0, residual / np.where(constant, 1, total))
        return float(np.mean(1 - ratio))


def refuse_missing(y):
    """Refuse None, nan and NaT, which pass scikit-learn's own check in objects and in dates."""
    is_missing = are_missing(y)
    if is_missing.any():
        raise bad_rows(is_missing, "missing values (None, nan, NA or NaT)", "fill them in")


def bad_rows(is_bad, what, remedy):
    """The error of a y of which some values are ``what``: it names the first row that has one."""
    rows = np.unique(np.nonzero(is_bad)[0])
    return ValueError(
        f"y has {what} in {len(rows)} row(s), the first of them row {rows[0]}. Drop these rows "
        f"from X and y, or {remedy}."
    )


def are_missing(y):
    """Return which values of an array are None, nan, NA or NaT, as an array of bool."""
    if y.dtype.kind == "O":
        return _are_missing(y).astype(bool)
    return np.isnan(y) if y.dtype.kind in "fmM" else np.zeros(y.shape, bool)


def _is_missing(value):
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value


_are_missing = np.frompyfunc(_is_missing, 1, 1)


def listed(labels):
    """The labels as an error names them: the first ones of many."""
    shown = ", ".join(map(repr, labels[:MOST_LISTED].tolist()))
    return f"[{shown}{', ...' if len(labels) > MOST_LISTED else ''}]"
