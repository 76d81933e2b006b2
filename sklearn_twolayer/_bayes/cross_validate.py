"""alpha="auto" by cross-validation: the penalty whose networks predict left-out rows best.

With alpha = 1 / S every weight of W1 and W2 has under the log loss a prior precision of 1 on the
standardised scale: neither more nor less than a weight of ordinary size. Where a problem asks
for larger weights than that (XOR on four points) or for smaller ones (labels that are mostly
noise), rows that were left out tell. Under the squared error alpha = 2 v / S is the same prior
for noise of variance v, a share of that of y, and v is what the rows tell.

A network is penalised after it has learned: it goes through the penalties from the weakest to
the chosen one, each time from where it is. A network that starts under a strong penalty may
never leave the constant.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

#: A later one of several (penalties, starts) must be better by this factor: rounding must not
#: decide.
MARGIN = 0.99
N_FOLDS = 5
#: Rows that have to be left out, in as many folds as that takes: more of them chose no better
#: (docs/choices.md).
ENOUGH_ROWS = 100
#: What loses by this factor in the first fold is not asked again, if that has 20 rows or more.
HOPELESS, MIN_RACED = 1.5, 100
#: Share of the repeated inputs that have several labels, above which rows meet by chance: errors
#: in copies are fewer, and the noise of categories shows in more (docs/choices.md).
CONTESTED = 0.05
#: Most units that are dealt, where weights are huge; and the digits of a share, so that rounding
#: leaves no trace of a row behind.
MOST_UNITS, ROUNDED = 10**6, 12


@dataclass(frozen=True)
class Grid:
    """What is compared.

    Parameters
    ----------
    strengths : tuple of float
        Values of S alpha, from weak to strong.
    preference : tuple of float
        The same, in the order in which ties are decided.
    min_rows : int
        Fewer distinct rows say nothing by being left out. The weakest penalty then learns them.
    stronger : tuple of float
        What is asked one after the other where the strongest of them wins.
    """

    strengths: tuple
    preference: tuple
    min_rows: int
    stronger: tuple = ()

    def least(self, losses):
        """The strength with the least of the losses {strength: loss}, with a margin.

        Where the preferred one has none there was no time to compare.
        """
        chosen = self.preference[0]
        for strength in self.preference[1:]:
            if losses.get(strength, np.inf) < MARGIN * losses.get(chosen, 0.0):
                chosen = strength
        return chosen

    def choose(self, left_out_losses, n_dealt):
        """The strength with the least loss of left-out rows.

        Parameters
        ----------
        left_out_losses : callable
            ``left_out_losses(number, strengths)``: the sum of the losses of what a fold leaves out
            under each strength, by networks that were fitted to the rest; under the first of them
            where the time is over.
        n_dealt : int
            How many rows the folds share out.
        """
        if n_dealt < self.min_rows:
            return self.strengths[0]
        total = {}
        for number in range(n_folds_asked(n_dealt)):
            raced = [s for s in self.strengths if total.get(s, 0.0) < np.inf]
            losses = left_out_losses(number, raced)
            is_cut = len(losses) < len(raced)
            if number == 0 or not is_cut:  # all strengths are judged by the same rows
                total.update({s: total.get(s, 0.0) + loss for s, loss in zip(raced, losses)})
            if is_cut:
                break
            if number == 0 and n_dealt >= MIN_RACED:
                hopeless = HOPELESS * min(losses)
                total.update({s: np.inf for s, loss in total.items() if loss > hopeless})
        return self.least(total)


def n_folds_asked(n_dealt):
    """How many of the folds are left out in turn, until they have enough rows together."""
    return min(-(-ENOUGH_ROWS * N_FOLDS // n_dealt), N_FOLDS, n_dealt)


#: For classes: unit precision first.
CLASSES_GRID = Grid(
    (0.03, 0.1, 0.3, 1.0, 3.0),
    (1.0, 0.3, 3.0, 0.1, 0.03),
    2 * N_FOLDS,
    stronger=(10.0, 30.0, 100.0, 300.0, 1000.0),
)
#: For targets that are numbers, whose noise may be anything. Under a precision of f the Z1 of f
#: standardised inputs has a variance of 1 at most, and inputs are many where these are compared.
NUMBERS_GRID = Grid(
    (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0),
    (1.0, 3.0, 0.3, 10.0, 0.1, 30.0, 100.0, 300.0, 1000.0),
    2 * N_FOLDS,
)
#: For few of them: each row may be all that is known of its corner, as in XOR.
FEW_NUMBERS_GRID = Grid(
    (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0),
    (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5),
    3,
    stronger=(3.0, 10.0, 30.0),
)


def folds(X, y, standardization):
    """Number (n,) of the fold of each row: 0 to 4, the same for rows that are alike.

    Alike are rows with the same inputs and the same label, so that a row of weight 2 and two
    equal rows are left out together in both cases. Distinct rows are dealt out in the order of
    their label and of a random direction of the standardised inputs, which depends neither on
    the order nor on the units in which the rows came: every fold has its share of every class.

    Parameters
    ----------
    X : ndarray or CSR matrix, shape (n, f)
    y : ndarray, shape (n,) or (n, k)
        Labels, or indicators.
    standardization : Standardization

    Returns
    -------
    fold : ndarray of int, shape (n,)
    n_distinct : int
    """
    return SortedRows.of(X, y, standardization).deal_distinct()


def left_out_shares(X, y, standardization, *, frequency=None, are_labels=True):
    """The share (n, 5) of each row that each fold leaves out, and how many rows are dealt.

    Rows with the same inputs and the same y are copies of one, as a row of weight 2 is, and are
    left out together (``folds``), unless they meet by chance, as those of a few categories do.
    Then each unit of weight is a row of its own: to leave out all that have an input and a label
    would be to know no such input, or the contrary of it, and new rows will be no such rows.

    Parameters
    ----------
    X, y, standardization
        As in ``folds``.
    frequency : ndarray, shape (n,), optional
        The user's own weights: those of classes copy nothing.
    are_labels : bool
        Whether y may be equal by chance, as numbers are not.
    """
    rows = SortedRows.of(X, y, standardization)
    frequency = frequencies(frequency, len(rows.order))
    if are_labels and (rows.meet_by_chance(frequency) or rows.fill_a_table(X, frequency)):
        return rows.deal_units(frequency)
    fold, n_distinct = rows.deal_distinct()
    return np.equal.outer(fold, np.arange(N_FOLDS)).astype(float), n_distinct


def frequencies(weight, n_rows):
    """The weights (n,) of the rows, ones if None, with the sum S, which is n at least."""
    weight = np.ones(n_rows) if weight is None else weight
    return weight * max(n_rows / weight.sum(), 1)


@dataclass(frozen=True)
class SortedRows:
    """Rows by the numbers (n,) of their labels and inputs, and their order by both.

    ``is_new`` says of the sorted rows where another label or input begins.
    """

    labels: np.ndarray
    inputs: np.ndarray
    order: np.ndarray
    is_new: np.ndarray

    @classmethod
    def of(cls, X, y, standardization):
        direction = np.random.RandomState(0).normal(size=X.shape[1]) / standardization.scale
        if sparse.issparse(X):
            position = X.sorted_indices() @ direction
        else:  # the same bits for the same row, wherever it stands
            position = ((X - standardization.mean) * direction).sum(axis=1)
        y = y.ravel() if y.size == len(y) else y  # many times as fast
        labels = np.unique(y, axis=0, return_inverse=True)[1].ravel()
        inputs = np.unique(position, return_inverse=True)[1].ravel()
        order = np.lexsort((inputs, labels))
        is_new = np.ones(len(order), bool)
        is_new[1:] = (np.diff(labels[order]) != 0) | (np.diff(inputs[order]) != 0)
        return cls(labels, inputs, order, is_new)

    def deal_distinct(self):
        """The fold of each row, and the number of distinct ones; see ``folds``."""
        fold = np.empty(len(self.order), int)
        fold[self.order] = (np.cumsum(self.is_new) - 1) % N_FOLDS
        return fold, int(self.is_new.sum())

    def weigh_distinct(self, weight):
        """The weight of each distinct row, with its copies, where rows have these (n,)."""
        return np.bincount(np.cumsum(self.is_new) - 1, weight[self.order])

    def meet_by_chance(self, frequency):
        """Whether of the inputs that come more than once many come with several labels.

        Copies of a row bring its label along.
        """
        n_labels = np.bincount(self.inputs[self.order[self.is_new]])
        is_repeated = (np.bincount(self.inputs, frequency) > 1) | (n_labels > 1)
        return (n_labels > 1).sum() > CONTESTED * is_repeated.sum()

    def fill_a_table(self, X, frequency):
        """Whether most rows repeat others, and most cells of a table of the columns are seen.

        New rows are in its cells, too. A factor is a column, or the indicators of one, which have
        together no more values than levels. Where one alone tells the inputs apart there is no
        table: it may be a number, and between numbers are others.
        """
        _, one_of_each = np.unique(self.inputs, return_index=True)
        n_inputs, n_cells, factor = len(one_of_each), 1, np.zeros(len(one_of_each), int)
        if frequency.sum() <= 2 * n_inputs:
            return False
        for column in range(X.shape[1]):
            level = numbered(X[:, [column]], one_of_each)
            n_before, n_levels = factor.max() + 1, level.max() + 1
            both = np.unique(factor * n_levels + level, return_inverse=True)[1]
            is_other = both.max() + 1 > n_before + n_levels - 1
            n_cells, factor = (n_cells * n_before, level) if is_other else (n_cells, both)
            n_values = factor.max() + 1
            if n_values == n_inputs or n_cells * n_values > 2 * n_inputs:
                return False
        return True

    def deal_units(self, frequency):
        """``left_out_shares`` where each unit of weight is a row of its own.

        Sorted rows lie on an axis, each as long as its weight, and the units of the axis are dealt
        to the folds, label by label and at random: dealt in turn, each input would have the same
        share of labels in kept and left-out rows, and no network could be told to have learnt too
        much. A row is left out as far as units of the fold cover it: whole copies of it, where its
        weight is their number.
        """
        n_rows, weight = len(self.order), frequency[self.order]
        ends = np.append(0, np.cumsum(weight))
        n_units = int(min(round(ends[-1]), MOST_UNITS))
        edges = np.linspace(0, ends[-1], n_units + 1)
        middles = (edges[1:] + edges[:-1]) / 2
        label = self.labels[self.order][np.searchsorted(ends[1:-1], middles)]
        fold, at_random = np.empty(n_units, int), np.random.RandomState(0).permutation(n_units)
        fold[np.lexsort((at_random, label))] = np.arange(n_units) % N_FOLDS
        shares = np.empty((n_rows, N_FOLDS))
        for number in range(N_FOLDS):
            covered = np.append(0, np.cumsum(fold == number)) * (ends[-1] / n_units)
            shares[self.order, number] = np.diff(np.interp(ends, edges, covered)) / weight
        return np.clip(np.round(shares, ROUNDED), 0, 1), n_units


def numbered(column, rows):
    """Numbers from 0 for the values of a column (n, 1) in some of its rows."""
    column = column.toarray() if sparse.issparse(column) else column
    return np.unique(column[rows, 0], return_inverse=True)[1]
