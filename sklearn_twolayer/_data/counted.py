"""How many rows the weights of a table count.

Weights are frequencies: n rows of total weight S = sum_i w_i count S rows. Where S is less than n
they cannot be frequencies, as those of a boosting meta-estimator, of a kernel or of a decay; then

    S' = max(S, (sum_i w_i)^2 / sum_i w_i^2)

rows are counted. The last term is the number of equal weights that leave a weighted mean the same
variance (Kish 1965, "Survey Sampling", section 11.7): n of even weights, however small they are,
and m where m weights are even and the others next to nothing, as if those were zero. It is n at
most, so that S' is S where S is n or more, and no sum is a border.

Weights are multiplied by S' / S once, when they are read. From then on S counts rows everywhere.
"""

import numpy as np

#: A ratio of S' to S that rounding makes.
RATIO_OF_ROUNDING = 1e-9


def kish(weight):
    """(sum_i w_i)^2 / sum_i w_i^2 of weights (n,), whatever their unit; 0 if none is positive."""
    largest = weight.max(initial=0)
    if not largest:
        return 0.0
    relative = weight / largest
    return float(relative.sum() ** 2 / (relative @ relative))


def merged_kish(totals, each):
    """That of all rows, from the total weight (m,) of each part and its own number (m,).

    With the sums S_j and Q_j of the weights and their squares in a part, Q_j = S_j^2 / K_j.
    """
    totals, each = np.array(totals), np.array(each)
    shares = totals / totals.max()
    return float(shares.sum() ** 2 / np.sum(shares**2 / np.where(each > 0, each, 1)))


def rows_counted(total, effective):
    """S', from S and the number of Kish; S itself where only rounding parts them."""
    return effective if effective > (1 + RATIO_OF_ROUNDING) * total else total


def that_count(weight):
    """The weights (n,), or multiples of them that sum to the rows they count; None if all are 1."""
    if weight is None or (weight == 1).all():
        return None
    total = weight.sum()
    counted = rows_counted(total, kish(weight))
    if counted == total:
        return weight
    if weight.min() == weight.max():
        return None
    return in_units_that_count(weight, weight.max(), counted)


def in_units_that_count(weight, largest, counted, relative_total=None):
    """The weights in units in which the sum of them all, ``relative_total`` of the largest, counts.

    First come units of the largest one: of the smallest numbers there is no reciprocal.
    """
    relative = weight / largest
    return relative * (counted / (relative.sum() if relative_total is None else relative_total))
