"""Real refits, where the linearised network cannot tell what a fit without a row would do."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sklearn_twolayer._bayes.cross_validate import folds, n_folds_asked
from sklearn_twolayer._fit.training import LEARNING_STEPS, left_out_losses
from sklearn_twolayer._network.objective import Penalty

#: Rows repeat where there are so many times as many as are distinct: a bootstrap has 1.6.
MANY_COPIES = 1.1


@dataclass(frozen=True)
class Refits:
    """Networks that are fitted to the rows of all folds but one, by L-BFGS, and predict that.

    Parameters
    ----------
    problem : Problem
        Its table is that of the rows on which penalties are compared, in memory.
    settings : Settings
    deadline : Deadline
        After it no further fold is left out.
    """

    problem: object
    settings: object
    deadline: object

    @cached_property
    def _weight(self):
        """Of each row (n,), with the sum S, which is n where the weights sum to less."""
        table = self.problem.table
        weight = np.ones(table.n_rows) if table.weight is None else table.weight
        return weight * max(table.n_rows / weight.sum(), 1)

    @cached_property
    def _folds(self):
        table = self.problem.table
        return folds(table.X, table.encoded, self.problem.scale)

    @property
    def has_copies(self):
        """Whether many rows are copies of others, beside which leaving one out is no test."""
        _, n_distinct = self._folds
        return self._weight.sum() > MANY_COPIES * n_distinct

    def losses(self, start, penalties):
        """Mean loss of the left-out rows under each penalty, from weak to strong; None if too late.

        The networks of a fold start at the weights ``start`` (p,), each where that before it ended.
        """
        problem, (fold, n_distinct), weight = self.problem, self._folds, self._weight
        if problem.table.weight is not None:
            problem = replace(problem, table=replace(problem.table, weight=weight))
        n_steps = min(self.settings.max_iter, LEARNING_STEPS)
        brief = replace(self.settings, solver="lbfgs", max_iter=n_steps)
        lost, left_out_weight = np.zeros(len(penalties)), 0.0
        candidates = [
            Penalty(penalty.groups, weight.sum() * penalty.strengths) for penalty in penalties
        ]
        for number in range(n_folds_asked(n_distinct)):
            if self.deadline.is_over():
                break
            rows = fold != number, fold == number
            lost += left_out_losses(problem, brief, start, candidates, rows=rows)
            left_out_weight += weight[rows[1]].sum()
        return lost / left_out_weight if left_out_weight else None
