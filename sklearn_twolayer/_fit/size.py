"""The size of a problem, by which "auto" goes, and the width of a network for it.

The constants are measured: docs/benchmarks.md says on what.
"""

from dataclasses import dataclass, replace

import numpy as np

#: Numbers in y, S k, up to which a regression by lm has its penalties compared by left-out rows.
MAX_COMPARED_NUMBERS = 40
#: A regression of so many rows and more, but fewer than so many for each weight, takes L-BFGS.
MIN_ROWS_OF_WIDE, FEW_ROWS_OF_A_WEIGHT = 250, 1.5

#: Units of a regression over Barron's order; the least of a regression and the most of all but a
#: classifier of more classes, which has up to MAX_CLASSES; the least of a classifier.
UNITS, MIN_HIDDEN, MAX_HIDDEN = 4.0, 10, 50
MIN_HIDDEN_OF_CLASSES, MAX_CLASSES = 20, 100
#: Fewer units where weights would have fewer residuals than so many each, but no fewer than these.
RESIDUALS_OF_A_WEIGHT, FEWEST_HIDDEN = 2, 3


@dataclass(frozen=True)
class Size:
    """What "auto" goes by: n rows of total weight S, f features, k outputs, and the kind of y.

    ``density`` is the share of the entries of X that are stored, 1 if X is not sparse; penalties
    are in proportion to ``penalty_unit``, 1 if y is standardised.
    """

    n_rows: int
    n_features: int
    n_outputs: int
    total_weight: float = 0.0
    is_regression: bool = True
    is_in_memory: bool = True
    density: float = 1.0
    penalty_unit: float = 1.0

    @property
    def n_counted(self):
        """S, or n if that is more."""
        return max(self.n_rows, self.total_weight)

    @property
    def repeated(self):
        """That of rows repeated as often as their weights say."""
        return replace(self, n_rows=self.n_counted)


def gauss_newton_size_and_cost(size, n_hidden):
    """Rows of the smaller of the Gauss-Newton matrix and its dual, and multiply-adds of it.

    They are p and n k, of the rows that are stored: weights cost no time. The dual takes fewer than
    it is counted with, but where that rules lm out, lbfgs is not always worse (docs/benchmarks.md).
    """
    small, large = sorted((n_params(size, n_hidden), size.n_rows * size.n_outputs))
    return small, large * small**2


def n_params(size, n_hidden):
    """The number of weights p."""
    return (size.n_features + 1) * n_hidden + (n_hidden + 1) * size.n_outputs


def is_small(size):
    """Whether there are too few numbers in y, S k, for the evidence."""
    return size.n_counted * size.n_outputs <= MAX_COMPARED_NUMBERS


def is_wide(size):
    """Whether a regression has few rows for each weight of ten units; fewer can spare none."""
    few = FEW_ROWS_OF_A_WEIGHT * n_params(size, MIN_HIDDEN)
    is_single = size.is_regression and size.n_outputs == 1
    return is_single and MIN_ROWS_OF_WIDE <= size.n_counted < few


def choose_width(size):
    """Hidden units where ``n_hidden`` is "auto".

    The number that balances what a network cannot say against what the rows cannot tell grows as
    sqrt(S / (f ln S)), for S rows of f columns (Barron 1994, "Approximation and estimation bounds
    for artificial neural networks"). A classifier takes as many as there would be for one column,
    or so: its penalty does the rest.
    """
    S = max(size.n_counted, 2)
    if size.is_regression:
        n_hidden = round(UNITS * np.sqrt(S / (size.n_features * np.log(S))))
        return min(max(n_hidden, MIN_HIDDEN), MAX_HIDDEN)
    n_hidden = min(max(round(S**0.5), MIN_HIDDEN_OF_CLASSES), MAX_HIDDEN)
    return max(n_hidden, min(size.n_outputs, MAX_CLASSES))


def choose_width_of_members(size):
    """Hidden units of the members of a committee whose penalties the evidence finds.

    Where the order gives no more than ten they may have as many weights as there are residuals.
    Weights learn before they are penalised only if they cannot learn the noise, and what is first
    learned under a penalty is linear: so they have two residuals each. Left-out rows, which choose
    the penalty of few numbers, ask for no such thing.
    """
    n_hidden, k = choose_width(size), size.n_outputs
    if n_hidden > MIN_HIDDEN or is_small(size):
        return n_hidden
    most_weights = size.n_counted * k / RESIDUALS_OF_A_WEIGHT
    learnable = int((most_weights - k) / (size.n_features + 1 + k))
    return min(max(learnable, FEWEST_HIDDEN), MIN_HIDDEN)
