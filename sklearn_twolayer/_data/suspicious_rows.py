"""What to warn of before a training: columns that standardising spoils, doubtful weights and y.

A column is spoiled where one row makes its variance, where that is too small to see, or where the
first batch of a stream has only one value of it.
"""

from functools import partial
from itertools import product

import numpy as np
from sklearn.exceptions import DataConversionWarning

from sklearn_twolayer._network.products import dense

#: Fewer rows than these say too little of what is usual.
LEAST_ROWS = 20
#: A row is suspicious where the others have less than this share of a column's sum of squares,
#: or 1e-4 for each row if that is less. Of 10^4 draws of 20, 100 and 1,000 numbers it is so in
#: none of the normal, uniform, exponential, chi-squared (1 degree of freedom) law and Student's
#: t with 3 degrees, and in 1, 0 and 0 of the log-normal; with a share of 0.02 for 20 numbers,
#: too, in 32 of the log-normal and 3 of t. On a sine of 1,000 rows R^2 falls from .97 to .85
#: where the others have a share of 0.09, and to .68 at 0.01.
LARGEST_SHARE, SHARE_OF_EACH = 0.02, 1e-4
#: A column of no more distinct values has levels; a rare one is no outlier.
FEW_VALUES = 10
ROWS_AT_ONCE = 1024
#: Weights that sum to more than this times the rows may not be meant as frequencies.
MANY_TIMES = 10
#: In the words of scikit-learn, which other estimators say of such a y.
COLUMN_VECTOR = (
    "A column-vector y was passed when a 1d array was expected. Please change the shape of y to "
    "(n_samples,), for example using ravel()."
)


def complaints(problem, y, attributes, *, is_stream=False):
    """What to warn the user of before the training; None where there is nothing.

    ``y`` is as the user has it. The ``attributes`` {name: value} of the estimator are what the user
    has set, ``alpha`` among them, and the names of the columns of X.
    """
    table, alpha, found = problem.table, attributes["alpha"], [problem.targets.complaint]
    names = attributes.get("feature_names_in_")
    shape = y.shape if hasattr(y, "shape") else np.asarray(y).shape
    if not problem.targets.is_numeric and shape[1:] == (1,):
        found.append(DataConversionWarning(COLUMN_VECTOR))
    found.append(complaint_of_columns(table, problem.moments, names))
    if is_stream:
        found.append(complaint_of_first_batch(problem.moments, names))
    total, n = table.total_frequency, table.n_rows
    if isinstance(alpha, str) and total > MANY_TIMES * n:
        found.append(
            f"The weights of the {n} rows sum to {total:.6g}. Weights are frequencies: each row "
            f"counts as {total / n:.3g} rows where the width and alpha={alpha!r} are chosen, and "
            "so many rows have more units, and where they are no copies less penalty. That is "
            "right for counts. If only the ratios of the weights mean something, as those of "
            "1 / sigma^2 do, divide them by their mean."
        )
    return found


def complaint_of_columns(table, moments, names=None):
    """What to warn the user of, or None.

    ``table`` has the encoded training rows, ``moments`` are {"X": Moments, "encoded": Moments} of
    what was standardised.
    """
    outlying, small = [], []
    for name, m in moments.items():
        outlying += _outlying(table, name, m)
        # columns that vary, but whose squares are too small to be told from zero
        is_small = m.is_constant & (m.least < m.greatest) & (m.mean**2 == 0)
        small += product([name], np.flatnonzero(is_small).tolist())
    if not outlying and not small:
        return None
    name, column, *of_row = (outlying or small)[0]
    title = _title(name, column, moments[name], names)
    n_more = len(outlying or small) - 1
    more = f" The same goes for {n_more} more column(s)." if n_more else ""
    if not outlying:
        return (
            f"The values of {title} differ by so little that their squares are zero: it counts as "
            f"constant. Multiply it by a large number first.{more}"
        )
    share, value = of_row
    remedy = "a QuantileTransformer" if name == "X" else "a TransformedTargetRegressor"
    return (
        f"In {title}, {table.find(name, column, value)} alone, with {value:.6g}, makes "
        f"{100 * share:.4g} % of the variance: standardised, the other rows can hardly be told "
        f"apart. Clip the values, pass them through {remedy}, or drop the row.{more}"
    )


def complaint_of_first_batch(moments, names=None):
    """What to warn of where columns are constant in the batch that fixes the scaling, or None.

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


def _outlying(table, name, moments):
    """(name, column, share of the row, its value) of columns whose variance one row makes.

    The moments tell of a row of weight 1, and of how few columns more must be known: they are
    read once more.
    """
    n = moments.total_weight
    most = min(LARGEST_SHARE, SHARE_OF_EACH * n)
    with np.errstate(over="ignore", under="ignore"):
        is_low = moments.mean - moments.least > moments.greatest - moments.mean
        most_distant = np.where(is_low, moments.least, moments.greatest)
        distance = (most_distant - moments.mean) / moments.scale
    share_of_others = np.where(moments.is_constant, 1.0, 1 - distance**2 / max(n - 1, 1))
    columns = np.flatnonzero(share_of_others < most)
    if n < LEAST_ROWS or not len(columns):
        return []
    bound = {"columns": columns, "mean": moments.mean, "most_distant": most_distant}
    with table.raw_rows(name, ROWS_AT_ONCE) as rows:
        found = rows.sum(partial(_of_block, **bound), _merge)
    suspects = []
    for column, (values, (weight, first, second, every)) in zip(columns.tolist(), found):
        share = (second - first**2 / weight) / every if weight else 0.0
        if len(values) > FEW_VALUES and share < most:
            suspects.append((name, column, 1 - max(share, 0.0), most_distant[column]))
    return suspects


def _of_block(X, y, weight, *, columns, mean, most_distant):
    """Of each column: its first few distinct values, and sums without the most distant.

    They are of w, w (x - mean) and w (x - mean)^2, and the last also with it.
    """
    weight, found = np.ones(X.shape[0]) if weight is None else weight, []
    for column in columns:
        x = dense(X[:, [column]])[:, 0]
        deviation, others = x - mean[column], weight * (x != most_distant[column])
        squares = deviation**2
        sums = others.sum(), others @ deviation, others @ squares, weight @ squares
        found.append((np.unique(x)[: FEW_VALUES + 1], np.array(sums)))
    return found


def _merge(total, parts):
    if total is None:
        return parts
    pairs = zip(total, parts)
    return [(np.union1d(a, b)[: FEW_VALUES + 1], sums + more) for (a, sums), (b, more) in pairs]


def _title(name, column, moments, names):
    if name == "X":
        return f"column {column if names is None else str(names[column])!r} of X"
    return "y" if len(moments.mean) == 1 else f"column {column} of y"
