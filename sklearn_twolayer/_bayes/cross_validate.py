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
#: (docs/benchmarks.md).
ENOUGH_ROWS = 100
#: What loses by this factor in the first fold is not asked again, if that has 20 rows or more.
HOPELESS, MIN_RACED = 1.5, 100


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
    most_repeats : float
        Where the weight of a distinct row is more on average, next to no inputs are new.
    """

    strengths: tuple
    preference: tuple
    min_rows: int
    most_repeats: float = np.inf

    def least(self, losses):
        """The strength with the least of the losses {strength: loss}, with a margin."""
        chosen = self.preference[0]
        for strength in self.preference[1:]:
            if losses[strength] < MARGIN * losses[chosen]:
                chosen = strength
        return chosen

    def choose(self, left_out_losses, fold, n_distinct, *, total_weight):
        """The strength with the least loss of left-out rows.

        Where most rows repeat others, as those of a few categories do, it is the preferred one: to
        leave all rows of an input and a label out says what it would be to know no such input, or
        the contrary of it, and new rows will be no such rows.

        Parameters
        ----------
        left_out_losses : callable
            ``left_out_losses(kept, left_out, strengths)``, for two sets of rows (n,) of bool:
            the sum of the losses of the second under each strength, by networks that were
            fitted to the first; None if the time is over.
        fold, n_distinct : ndarray of int, shape (n,), and int
            Of ``folds``.
        total_weight : float
            S.
        """
        if n_distinct < self.min_rows:
            return self.strengths[0]
        if total_weight > self.most_repeats * n_distinct:
            return self.preference[0]
        total = dict.fromkeys(self.strengths, 0.0)
        for number in range(n_folds_asked(n_distinct)):
            raced = [strength for strength in self.strengths if total[strength] < np.inf]
            losses = left_out_losses(fold != number, fold == number, raced)
            if losses is None:
                break
            for strength, loss in zip(raced, losses):
                total[strength] += loss
            if number == 0 and n_distinct >= MIN_RACED:
                hopeless = HOPELESS * min(losses)
                total.update({s: np.inf for s, loss in zip(raced, losses) if loss > hopeless})
        return self.least(total)


def n_folds_asked(n_distinct):
    """How many of the folds are left out in turn, until they have enough rows together."""
    return min(-(-ENOUGH_ROWS * N_FOLDS // n_distinct), N_FOLDS, n_distinct)


#: For classes: unit precision first.
CLASSES_GRID = Grid(
    (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0), (1.0, 0.3, 3.0, 0.1, 10.0, 0.03, 30.0), 2 * N_FOLDS, 2.0
)
#: For targets that are numbers, whose noise may be anything. Under a precision of f the Z1 of f
#: standardised inputs has a variance of 1 at most, and inputs are many where these are compared.
NUMBERS_GRID = Grid(
    (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0),
    (1.0, 3.0, 0.3, 10.0, 0.1, 30.0, 100.0, 300.0, 1000.0),
    2 * N_FOLDS,
)
#: For few of them: each row may be all that is known of its corner, as in XOR.
FEW_NUMBERS_GRID = Grid((1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0), (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5), 3)


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
    direction = np.random.RandomState(0).normal(size=X.shape[1]) / standardization.scale
    if sparse.issparse(X):
        position = X @ direction
    else:  # the same bits for the same row, wherever it stands
        position = ((X - standardization.mean) * direction).sum(axis=1)
    labels = np.unique(y, axis=0, return_inverse=True)[1].ravel()
    order = np.lexsort((position, labels))
    is_new = np.ones(len(order), bool)
    is_new[1:] = (np.diff(labels[order]) != 0) | (np.diff(position[order]) != 0)
    fold = np.empty(len(order), int)
    fold[order] = (np.cumsum(is_new) - 1) % N_FOLDS
    return fold, int(is_new.sum())
