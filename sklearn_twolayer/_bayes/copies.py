"""Rows that repeat: which are copies of others, and how distinct rows are dealt to folds.

Rows that are drawn again, merged twice or logged while nothing changes have the noise of the row
they repeat, and a row that is left out is still there as long as one of its copies is. As
frequencies they say where F weighs more; but where penalties and error bars are found from the
rows, residuals and degrees of freedom are those of distinct rows, of repeats as of weights, and
all copies of a row are dealt to the same fold. The only row of a class is dealt to none.

Rows of a few inputs, of which many come with several labels, or which fill a table of their
columns, are equal by chance. Each of them tells something, and is dealt by itself.

Numbers that were measured several times at a setting, as at each dose of a series, tell of the
noise more than of the curve: beside its siblings a row says nothing of what lies between two
settings, and all that was measured at one of them is dealt to the same fold.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sklearn_twolayer._network.products import dense, positions

#: Rows repeat where there are so many times as many as are distinct: a bootstrap has 1.6.
MANY_COPIES = 1.1
#: Folds to which rows are dealt out, copies of a row to the same one.
N_FOLDS = 5
#: Share of the repeated inputs that have several labels, above which rows meet by chance: errors
#: in copies are fewer, and the noise of categories shows in more (docs/choices.md).
CONTESTED = 0.05
#: Settings between others that say enough: of fewer the outermost are left out, too.
MIN_BETWEEN = 4
#: Most units that are dealt, where weights are huge; and the digits of a share, so that rounding
#: leaves no trace of a row behind.
MOST_UNITS, ROUNDED = 10**6, 12


def without_copies(table, scale):
    """The distinct rows, and how many rows there are, by their weights, for each; 1 at least.

    Where many rows of a large table are copies it becomes that of the distinct ones, weighed by
    their copies. Small ones have been merged when they were read: ``Table.distinct``.
    """
    weight = np.ones(table.n_rows) if table.weight is None else table.weight
    if len(np.unique(table.encoded[:, 0])) == table.n_rows:  # which is cheaper to see
        return table, max(float(weight.sum() / table.n_rows), 1.0)
    rows = SortedRows.of(table.X, table.encoded, scale)
    n_distinct = np.count_nonzero(rows.is_new)
    do_meet = rows.labels.max() + 1 < n_distinct  # different rows with the same y
    if do_meet and (rows.meet_by_chance(weight) or rows.fill_a_table(table.X, weight)):
        return table, 1.0
    if table.n_rows > MANY_COPIES * n_distinct:
        table = table.merged(rows.order[rows.is_new], rows.weigh_distinct(weight))
    return table, max(float(weight.sum() / n_distinct), 1.0)


def left_out_shares(X, y, standardization, *, frequency=None, are_labels=True, are_few=False):
    """The share (n, 5) of each row that each fold leaves out, and how many rows are dealt.

    Copies of a row are left out together, unless they meet by chance. Then each unit of weight is
    a row of its own: to leave out all that have an input and a label would be to know no such
    input, or the contrary of it. Nor is the only row left out that has, or lacks, a label.
    ``frequency`` (n,) are the user's own weights: those of classes copy nothing. Only labels may be
    equal by chance, numbers are not. Of ``are_few`` numbers settings are dealt.
    """
    rows = SortedRows.of(X, y, standardization)
    frequency = np.ones(len(rows.order)) if frequency is None else frequency
    if are_labels and (rows.meet_by_chance(frequency) or rows.fill_a_table(X, frequency)):
        return rows.deal_units(np.where(are_only_ones(y, frequency), 0, frequency))
    if are_labels:
        fold, n_dealt = rows.deal_distinct(are_only_ones(y, rows.is_first))
    elif are_few and rows.are_replicates(X):
        fold, n_dealt = rows.deal_settings(X)
    else:
        fold, n_dealt = rows.deal_distinct()
    return np.equal.outer(fold, np.arange(N_FOLDS)).astype(float), n_dealt


def are_only_ones(y, counted):
    """Whether each row (n,), ``counted`` as so many, alone has one of its values in a column."""
    is_only_one = np.zeros(len(y), bool)
    for column in y.reshape(len(y), -1).T:
        label = np.unique(column, return_inverse=True)[1]
        is_only_one |= np.round(np.bincount(label, counted)[label]) <= 1
    return is_only_one


def replicates_tell_noise(X, y, standardization):
    """Return whether folds deal settings, at most half as many as distinct rows.

    No weights can use up what the rows of one setting differ by: so there are residuals.
    """
    rows = SortedRows.of(X, y, standardization)
    return rows.are_replicates(X) and 2 * rows.n_inputs <= np.count_nonzero(rows.is_new)


@dataclass(frozen=True)
class SortedRows:
    """Rows by the numbers (n,) of their labels and inputs, and their order by both.

    Inputs are told apart by their ``positions``: of standardised ones these depend neither on the
    order nor on the units in which the rows came.
    """

    labels: np.ndarray
    inputs: np.ndarray
    order: np.ndarray
    is_new: np.ndarray  # where in this order another label or input begins

    @classmethod
    def of(cls, X, y, standardization):
        position = positions(X, standardization.mean, standardization.scale)
        y = y.ravel() if y.size == len(y) else y  # many times as fast
        labels = np.unique(y, axis=0, return_inverse=True)[1].ravel()
        inputs = np.unique(position, return_inverse=True)[1].ravel()
        order = np.lexsort((inputs, labels))
        is_new = np.ones(len(order), bool)
        is_new[1:] = (np.diff(labels[order]) != 0) | (np.diff(inputs[order]) != 0)
        return cls(labels, inputs, order, is_new)

    @property
    def n_inputs(self):
        """The number of distinct inputs."""
        return int(self.inputs.max()) + 1

    def numbers(self, X):
        """The columns (m, n) that alone tell all inputs apart: numbers, not levels of a factor."""
        X = dense(X)
        n_values = 1 + np.count_nonzero(np.diff(np.sort(X, axis=0), axis=0), axis=0)
        return X[:, n_values == self.n_inputs].T

    def are_replicates(self, X):
        """Return whether settings of a number, at least as many as folds, come with several y."""
        is_several = N_FOLDS <= self.n_inputs < np.count_nonzero(self.is_new)
        return is_several and len(self.numbers(X)) > 0

    @property
    def is_first(self):
        """Whether a row (n,) is the first one of its copies."""
        is_first = np.empty(len(self.order), bool)
        is_first[self.order] = self.is_new
        return is_first

    def deal_distinct(self, are_kept=False):
        """The fold (n,) of each row, and the number of distinct ones, dealt in turn as sorted.

        Those that ``are_kept`` (n,), copies and all, are in no fold, -1.
        """
        is_dealt = ~np.broadcast_to(are_kept, len(self.order))[self.order]
        number = np.cumsum(self.is_new & is_dealt)
        fold = np.empty(len(self.order), int)
        fold[self.order] = np.where(is_dealt, (number - 1) % N_FOLDS, -1)
        return fold, int(number[-1])

    def deal_settings(self, X):
        """The fold (n,) of each row, and the number of settings dealt, in turn by their least y.

        That depends on no weights. Settings with the least or the greatest of a number are in no
        fold, -1, but in all that is kept: new rows lie between them, and where a network goes
        beyond what it was shown says nothing of these. Unless they are nearly all.
        """
        is_between = np.ones(self.n_inputs, bool)
        for values in self.numbers(X):
            is_end = (values == values.min()) | (values == values.max())
            is_between[self.inputs[is_end]] = False
        if is_between.sum() < MIN_BETWEEN:
            is_between[:] = True
        _, first = np.unique(self.inputs[self.order], return_index=True)
        by_least_y = np.argsort(first)
        dealt = by_least_y[is_between[by_least_y]]
        fold = np.full(self.n_inputs, -1)
        fold[dealt] = np.arange(len(dealt)) % N_FOLDS
        return fold[self.inputs], len(dealt)

    def weigh_distinct(self, weight):
        """The weight of each distinct row, with its copies, where rows have these (n,)."""
        return np.bincount(np.cumsum(self.is_new) - 1, weight[self.order])

    def meet_by_chance(self, frequency):
        """Return whether many of the repeated inputs have several labels: copies bring theirs."""
        n_labels = np.bincount(self.inputs[self.order[self.is_new]])
        is_repeated = (np.bincount(self.inputs, frequency) > 1) | (n_labels > 1)
        return (n_labels > 1).sum() > CONTESTED * is_repeated.sum()

    def fill_a_table(self, X, frequency):
        """Return whether most rows repeat others, and fill most cells of a table of the columns.

        New rows are in its cells, too. A factor is a column, or the indicators of one, which have
        together no more values than levels. Where one alone tells the inputs apart there is no
        table: it may be a number, and between numbers are others.
        """
        _, one_of_each = np.unique(self.inputs, return_index=True)
        n_inputs, n_cells, factor = len(one_of_each), 1, np.zeros(len(one_of_each), int)
        if frequency.sum() <= 2 * n_inputs:
            return False
        X = X[one_of_each].tocsc() if sparse.issparse(X) else X[one_of_each]
        for column in range(X.shape[1]):
            values = dense(X[:, [column]])[:, 0]
            level = np.unique(values, return_inverse=True)[1]
            n_before, n_levels = factor.max() + 1, level.max() + 1
            both = np.unique(factor * n_levels + level, return_inverse=True)[1]
            is_other = both.max() + 1 > n_before + n_levels - 1
            n_cells, factor = (n_cells * n_before, level) if is_other else (n_cells, both)
            n_values = factor.max() + 1
            if n_values == n_inputs or n_cells * n_values > 2 * n_inputs:
                return False
        return True

    def deal_units(self, frequency):
        """The share (n, 5) of each row in each fold, and how many units of weight are dealt.

        Sorted rows lie on an axis, each as long as its weight, and the units of the axis are dealt
        to the folds, label by label and at random: dealt in turn, each input would have the same
        share of labels in kept and left-out rows, and no network could be told to have learnt too
        much. A row is left out as far as units of the fold cover it.
        """
        n_rows, weight = len(self.order), frequency[self.order]
        ends = np.append(0, np.cumsum(weight))
        n_units = int(np.clip(round(ends[-1]), 1, MOST_UNITS))
        edges = np.linspace(0, ends[-1], n_units + 1)
        middles = (edges[1:] + edges[:-1]) / 2
        label = self.labels[self.order][np.searchsorted(ends[1:-1], middles)]
        fold, at_random = np.empty(n_units, int), np.random.RandomState(0).permutation(n_units)
        fold[np.lexsort((at_random, label))] = np.arange(n_units) % N_FOLDS
        shares = np.empty((n_rows, N_FOLDS))
        for number in range(N_FOLDS):
            covered = np.append(0, np.cumsum(fold == number)) * (ends[-1] / n_units)
            length = np.diff(np.interp(ends, edges, covered))
            shares[self.order, number] = length / np.where(weight > 0, weight, 1)
        return np.clip(np.round(shares, ROUNDED), 0, 1), n_units
