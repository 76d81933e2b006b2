"""What to warn of before a training: columns that standardising spoils, doubtful weights and y.

A column is spoiled where one row or one far value makes its variance, where that is too small to
see, or where the first batch of a stream has only one value of it.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.exceptions import DataConversionWarning

from sklearn_twolayer._network.products import dense

#: Fewer rows than these say too little of what is usual.
LEAST_ROWS = 20
#: A row is suspicious where the variance of the others is less than this share of a column's,
#: or 1e-4 for each row if that is less. Of 10^4 draws of 20, 100 and 1,000 numbers it is so in
#: none of the normal, uniform, exponential, chi-squared (1 degree of freedom) law and Student's
#: t with 3 degrees, and in 1, 0 and 0 of the log-normal; with a share of 0.02 for 20 numbers,
#: too, in 32 of the log-normal and 3 of t. On a sine of 1,000 rows R^2 falls from .97 to .85
#: where the others have a share of 0.09, and to .68 at 0.01.
#: So are the rows that share a far value, as -999 for what is missing: of 10^4 draws of 20, 4,000
#: of 50, 2,000 of 200 and 1,000 of 1,000 numbers none of Poisson, geometric and negative binomial
#: laws, of whole log-normals, of some that are zero in half or most rows, or end in a cap; 4, 1, 0
#: and 0 of log-normals (sigma 2) of one digit. With -999 in 8 % of five normal columns 200 rows
#: predict 1.06 +- .08 of the deviation of y, with -27 (a share of 0.018) .74, with -10 (0.12)
#: .58, with an indicator .45 +- .04.
LARGEST_SHARE, SHARE_OF_EACH = 0.02, 1e-4
#: A column of no more distinct values has levels; a rare one is no outlier.
FEW_VALUES = 10
#: Shares of rows that sum to 1 but for rounding leave no others.
NO_OTHERS = 1e-9
ROWS_READ_AT_ONCE = 1024
#: Weights that sum to more than this times the rows may not be meant as frequencies.
MOST_COUNTS_OF_A_ROW = 10
#: A value that a larger share of the rows hold is no code for what is missing, nor a slip.
MOST_ROWS_OF_A_CODE = 1 / 3
#: In the words of scikit-learn, which other estimators say of such a y.
COLUMN_VECTOR = (
    "A column-vector y was passed when a 1d array was expected. Please change the shape of y to "
    "(n_samples,), for example using ravel()."
)


def complaints(problem, y, attributes, is_stream=False):
    """Return what to warn the user of before the training, None for what is in order.

    ``y`` is as the user has it; of the ``attributes`` of the estimator alpha is asked for, and the
    names of the columns of X, if they have any.
    """
    table, found = problem.table.as_given, [problem.targets.complaint]
    alpha, names = attributes["alpha"], attributes.get("feature_names_in_")
    shape = y.shape if hasattr(y, "shape") else np.asarray(y).shape
    if not problem.targets.is_numeric and shape[1:] == (1,):
        found.append(DataConversionWarning(COLUMN_VECTOR))
    found += complaints_of_columns(table, problem.moments, names)
    if is_stream:
        found.append(complaint_of_first_batch(problem.moments, names))
    total, n = table.total_frequency, table.n_rows
    if isinstance(alpha, str) and total > MOST_COUNTS_OF_A_ROW * n:
        found.append(
            f"The weights of the {n} rows sum to {total:.6g}. Weights are frequencies: each row "
            f"counts as {total / n:.3g} rows where the width and alpha={alpha!r} are chosen, and "
            "so many rows, where they are no copies, have more units and less penalty. That is "
            "right for counts. If only the ratios of the weights mean something, as those of "
            "1 / sigma^2 do, divide them by their mean."
        )
    return found


def complaints_of_columns(table, moments, names=None):
    """Return the warnings: each names the first column of its kind, and how many more there are.

    ``moments`` are {"X": Moments, "encoded": Moments} of what was standardised.
    """
    kinds, found = {_of_row: [], _of_value: [], _of_small: []}, []
    for name, m in moments.items():
        for suspect in _suspects(table, name, m):
            kinds[_of_row if suspect.n_rows == 1 else _of_value].append(suspect)
        squares = np.where(m.is_constant, m.mean, m.scale) ** 2  # of which a float has few digits
        is_small = (m.least < m.greatest) & (squares < np.finfo(float).tiny)
        kinds[_of_small] += map(partial(Suspect, name), np.flatnonzero(is_small).tolist())
    for complaint, suspects in kinds.items():
        if not suspects:
            continue
        first, *others = suspects
        title = _title(first.name, first.column, moments[first.name], names)
        more = f" The same goes for {len(others)} more column(s)." if others else ""
        found.append(complaint(table, title, first) + more)
    return found


@dataclass(frozen=True)
class Suspect:
    """A column of X or of the encoded targets, and which value at one of its ends spoils it."""

    name: str
    column: int
    value: float = np.nan
    n_rows: int = 0  # that hold the value
    share: float = 0.0  # of the variance of the column, that they make


def _of_row(table, title, suspect):
    row = table.find(suspect.name, suspect.column, suspect.value)
    remedy = "a QuantileTransformer" if suspect.name == "X" else "a TransformedTargetRegressor"
    return (
        f"In {title}, {row} alone, with {suspect.value:.6g}, makes {100 * suspect.share:.4g} % of "
        "the variance: standardised, the other rows can hardly be told apart. Clip the values, "
        f"pass them through {remedy}, or drop the row."
    )


def _of_value(table, title, suspect):
    value = repr(suspect.value).removesuffix(".0")
    remedy = (
        "put a number such as the mean in its place and add a column that says where it was, by "
        f"SimpleImputer(missing_values={value}, add_indicator=True) in a Pipeline; else pass the "
        "column through a QuantileTransformer."
    )
    if suspect.name != "X":
        remedy = "drop the rows; else use a TransformedTargetRegressor."
    return (
        f"In {title}, {value} in {suspect.n_rows} rows makes {100 * suspect.share:.4g} % of the "
        "variance: standardised, the other values can hardly be told apart. If it is a code for "
        f"missing values, {remedy}"
    )


def _of_small(table, title, suspect):
    return (
        f"The values of {title} differ by so little that their squares are zero in floating "
        "point, or lose digits: it counts as constant, or predictions are off. Multiply it by a "
        "large number first."
    )


def complaint_of_first_batch(moments, names=None):
    """Return a warning of columns that are constant in the batch that fixes the scaling, or None.

    Not of columns of zeros or ones, as indicators, the words of a text and an intercept may be.
    """
    constant = [
        (name, column)
        for name, m in moments.items()
        for column in np.flatnonzero(m.is_constant & (m.mean != 0) & (m.mean != 1)).tolist()
    ]
    if not constant:
        return None
    name, column = constant[0]
    title, value = _title(name, column, moments[name], names), moments[name].mean[column]
    more = f", and {len(constant) - 1} more column(s) are" if len(constant) > 1 else ""
    return (
        f"In the first batch {title} is constant, {value:.6g}{more}: the first batch fixes the "
        "scaling, and tells nothing of how far later values will be from that. Begin with rows "
        "in which it varies, or scale X and y yourself and set standardize=False."
    )


def _suspects(table, name, moments):
    """The columns whose variance is made by the rows that hold their least or greatest value.

    The rows that hold it, a share p of S, and the distance of the others' mean make together
    p / (1 - p) (value - mean)^2 of the variance; the rest is (1 - p) times that of the others.
    They make none of it in columns of one and two values, nor where a third of the rows hold the
    value: as zeros, where there is nothing of a thing, they are no exceptions. Of the columns that
    are left, few as a rule, more must be known: they are read again.
    """
    n, ends = moments.total_weight, np.array([moments.least, moments.greatest])
    p = np.array([moments.least_share, moments.greatest_share])
    may_be = (p.sum(axis=0) < 1 - NO_OTHERS) & (p < MOST_ROWS_OF_A_CODE)
    with np.errstate(all="ignore"):
        distance = (ends - moments.mean) / moments.scale
        of_others = np.where(may_be, (1 - p / (1 - p) * distance**2) / (1 - p), 1.0)
    value = np.where(of_others[0] < of_others[1], *ends)
    of_others = of_others.min(axis=0)
    columns = np.flatnonzero(of_others < min(LARGEST_SHARE, SHARE_OF_EACH * n))
    if n < LEAST_ROWS or not len(columns):
        return []
    with table.raw_rows(name, ROWS_READ_AT_ONCE) as rows:
        found = rows.sum(partial(_values_of_block, columns=columns, value=value), _merge)
    share = 1 - np.maximum(of_others, 0)
    return [
        Suspect(name, column, float(value[column]), n_rows, share[column])
        for column, (values, n_rows) in zip(columns.tolist(), found)
        if len(values) > FEW_VALUES
    ]


def _values_of_block(X, y, weight, *, columns, value):
    """Return for each column its first few distinct values, and how many rows hold the value."""
    X = X if weight is None else X[weight > 0]
    numbers = ((value[column], dense(X[:, [column]])) for column in columns)
    return [(np.unique(x)[: FEW_VALUES + 1], int((x == value).sum())) for value, x in numbers]


def _merge(total, parts):
    if total is None:
        return parts
    pairs = zip(total, parts)
    return [(np.union1d(a, b)[: FEW_VALUES + 1], n + more) for (a, n), (b, more) in pairs]


def _title(name, column, moments, names):
    if name == "X":
        return f"column {column if names is None else str(names[column])!r} of X"
    return "y" if len(moments.mean) == 1 else f"column {column} of y"
