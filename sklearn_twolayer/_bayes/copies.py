"""Copies of rows: what repeats a row of numbers tells nothing new of them.

Rows that are drawn again, merged twice or logged while nothing changes have the noise of the row
they repeat, and a row that is left out is still there as long as one of its copies is. As
frequencies they say where F weighs more; but where penalties and error bars are found from the
rows, residuals and degrees of freedom are those of distinct rows, of repeats as of weights.

Rows of a few inputs, of which many come with several y, are equal by chance, as labels are
(``left_out_shares``), and each of them tells something.
"""

import numpy as np

from sklearn_twolayer._bayes.cross_validate import SortedRows, frequencies

#: Rows repeat where there are so many times as many as are distinct: a bootstrap has 1.6.
MANY_COPIES = 1.1


def without_copies(table, scale):
    """The distinct rows, and how many rows there are, by their weights, for each; 1 at least.

    Where many rows are copies the table is that of the distinct ones, weighed by their copies: its
    F is the same, in less time.
    """
    weight = frequencies(table.weight, table.n_rows)
    if len(np.unique(table.encoded[:, 0])) == table.n_rows:  # which is cheaper to see
        return table, float(weight.sum() / table.n_rows)
    rows = SortedRows.of(table.X, table.encoded, scale)
    if rows.meet_by_chance(weight) or rows.fill_a_table(table.X, weight):
        return table, 1.0
    n_distinct = np.count_nonzero(rows.is_new)
    if table.n_rows > MANY_COPIES * n_distinct:
        own = np.ones(table.n_rows) if table.weight is None else table.weight
        table = table.merged(rows.order[rows.is_new], rows.weigh_distinct(own))
    return table, float(weight.sum() / n_distinct)
