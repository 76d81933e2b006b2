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
from math import ceil

import numpy as np

from sklearn_twolayer._bayes.copies import N_FOLDS

#: A later one of several (penalties, starts) must be better by this factor: rounding must not
#: decide.
MARGIN = 0.99
#: Rows that have to be left out, in as many folds as that takes: more of them chose no better
#: (docs/choices.md).
ENOUGH_ROWS = 100
#: What loses by this factor in the first fold is not asked again, where some folds are enough.
HOPELESS = 1.5
#: Where one class has nearly all rows, and labels tell less than so many rows of two even classes,
#: as two rows of the other do, no less than unit precision is trusted (docs/choices.md).
FEW_TOLD, RARE_BITS = 20, 0.5


@dataclass(frozen=True)
class Grid:
    """The values of S alpha that are compared."""

    preference: tuple  # in the order in which ties are decided
    min_rows: int  # fewer distinct rows say nothing by being left out: the weakest learns them
    stronger: tuple = ()  # asked one after the other where the strongest wins
    min_told_of_bends: int = 0  # with less it is luck under which costs of bends they lose less

    @property
    def strengths(self):
        """The values from weak to strong."""
        return tuple(sorted(self.preference))

    def least(self, losses):
        """The strength with the least of the losses {strength: loss}, with a margin.

        Where the preferred one has none there was no time to compare.
        """
        chosen = self.preference[0]
        for strength in self.preference[1:]:
            if losses.get(strength, np.inf) < MARGIN * losses.get(chosen, 0.0):
                chosen = strength
        return chosen

    def choose(self, left_out_losses, n_dealt, bits=1.0):
        """The strength with the least loss of left-out rows, of the ``n_dealt`` of the folds.

        As many of these are asked as labels of so many ``bits`` take; of a rare class the first one
        may have no row, and says of no strength that it is hopeless.
        ``left_out_losses(number, strengths)`` are the sums of the losses of what a fold leaves out
        under each strength, by networks that were fitted to the rest; under the first of them where
        the time is over.
        """
        if n_dealt < self.min_rows:
            return self.strengths[0]
        total, n_folds = {}, n_folds_asked(n_dealt, bits)
        for number in range(n_folds):
            raced = [s for s in self.strengths if total.get(s, 0.0) < np.inf]
            losses = left_out_losses(number, raced)
            is_cut = len(losses) < len(raced)
            if number == 0 or not is_cut:  # all strengths are judged by the same rows
                total.update({s: total.get(s, 0.0) + loss for s, loss in zip(raced, losses)})
            if is_cut:
                break
            if number == 0 and n_folds < N_FOLDS:
                hopeless = HOPELESS * min(losses)
                total.update({s: np.inf for s, loss in total.items() if loss > hopeless})
        if bits < RARE_BITS and rows_told(n_dealt, bits) < FEW_TOLD:
            total = {s: loss for s, loss in total.items() if s >= self.preference[0]}
        return self.least(total)


def rows_told(n_dealt, bits):
    """How many rows tell as much: a label that tells less than a bit is no whole row."""
    return n_dealt * min(bits, 1.0)


def n_folds_asked(n_dealt, bits=1.0):
    """Return how many folds to leave out in turn, until they have enough rows together.

    Of a rare class one fold has few. None of labels that tell nothing.
    """
    if not bits:
        return 0
    n_told = max(rows_told(n_dealt, bits), 1)
    return min(ceil(ENOUGH_ROWS * N_FOLDS / n_told), N_FOLDS, n_dealt)


#: For classes: unit precision first.
CLASSES_GRID = Grid(
    (1.0, 0.3, 3.0, 0.1, 0.03),
    2 * N_FOLDS,
    stronger=(10.0, 30.0, 100.0, 300.0, 1000.0),
    min_told_of_bends=40,
)
#: For targets that are numbers, whose noise may be anything. Under a precision of f the Z1 of f
#: standardised inputs has a variance of 1 at most, and inputs are many where these are compared.
NUMBERS_GRID = Grid((1.0, 3.0, 0.3, 10.0, 0.1, 30.0, 100.0, 300.0, 1000.0), 2 * N_FOLDS)
#: For few of them: each row may be all that is known of its corner, as in XOR.
FEW_NUMBERS_GRID = Grid((1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5), 3, stronger=(3.0, 10.0, 30.0))
