"""Copies of rows: what repeats a row of numbers tells nothing new of them.

Rows that are drawn again, merged twice or logged while nothing changes have the noise of the row
they repeat, and a row that is left out is still there as long as one of its copies is. As
frequencies they say where F weighs more; but where penalties and error bars are found from the
rows, residuals and degrees of freedom are those of distinct rows, of repeats as of weights.

Rows of a few inputs and a few values of y are equal by chance, and each of them tells something.
"""

import numpy as np

from sklearn_twolayer._bayes.cross_validate import SortedRows

#: Rows repeat where there are so many times as many as are distinct: a bootstrap has 1.6.
MANY_COPIES = 1.1


def count_copies(table, scale):
    """How many rows, by their weights, there are for each that tells something new; 1 at least."""
    weight, rows = frequencies(table), _sorted_copies(table, scale)
    n_distinct = table.n_rows if rows is None else np.count_nonzero(rows.is_new)
    is_by_chance = rows is not None and _are_equal_by_chance(rows, table.X, weight)
    return 1.0 if is_by_chance else float(weight.sum() / n_distinct)


def without_copies(table, scale):
    """The table of the distinct rows, weighed by their copies, where many rows are copies.

    Its F is the same, in less time.
    """
    rows = _sorted_copies(table, scale)
    if rows is None or table.n_rows <= MANY_COPIES * np.count_nonzero(rows.is_new):
        return table
    if _are_equal_by_chance(rows, table.X, frequencies(table)):
        return table
    weight = np.ones(table.n_rows) if table.weight is None else table.weight
    return table.merged(rows.order[rows.is_new], rows.weigh_distinct(weight))


def _sorted_copies(table, scale):
    """The rows in order; None where no two have the same y, which is cheaper to see."""
    if len(np.unique(table.encoded[:, 0])) == table.n_rows:
        return None
    return SortedRows.of(table.X, table.encoded, scale)


def frequencies(table):
    """The weights (n,) of the rows, with the sum S, which is n where they sum to less."""
    weight = np.ones(table.n_rows) if table.weight is None else table.weight
    return weight * max(table.n_rows / weight.sum(), 1)


def _are_equal_by_chance(rows, X, weight):
    """Whether y has few values, and rows meet as those of labels do (``left_out_shares``).

    A y of more values than half of the distinct rows is a number that rows have in common only if
    one is a copy.
    """
    if 2 * (rows.labels.max() + 1) >= np.count_nonzero(rows.is_new):
        return False
    return rows.meet_by_chance(weight) or rows.fill_a_table(X, weight)
