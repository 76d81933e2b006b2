"""Refits by lm, where the linearised network cannot tell what a fit without a row would do."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sklearn_twolayer._bayes.cross_validate import folds, n_folds_asked
from sklearn_twolayer._fit.compare import COMPARING_SHARE, LeftOut
from sklearn_twolayer._network.objective import Penalty

#: Rows repeat where there are so many times as many as are distinct: a bootstrap has 1.6.
MANY_COPIES = 1.1
#: Steps of lm under each penalty of a refit.
REFIT_STEPS = 30


@dataclass(frozen=True)
class Refits:
    """Networks that are fitted by lm without a fold of the rows.

    Before they have converged L-BFGS makes a hundredth of a loss out of rounding, lm does not.

    Parameters
    ----------
    problem : Problem
        Its table is that of the rows on which penalties are compared, in memory.
    settings : Settings
    deadline : Deadline
        Of the fit. Comparing takes half of the time that is left before it at most, and ends within
        an iteration: a fold that is cut short does not count.
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
        n_steps = min(self.settings.max_iter, REFIT_STEPS)
        brief = replace(self.settings, solver="lm", max_iter=n_steps)
        lost, left_out_weight = np.zeros(len(penalties)), 0.0
        networks = LeftOut(problem, brief, self.deadline.share(COMPARING_SHARE))
        candidates = [
            Penalty(penalty.groups, weight.sum() * penalty.strengths) for penalty in penalties
        ]
        for number in range(n_folds_asked(n_distinct)):
            rows = fold != number, fold == number
            found = networks.fits(rows, start, candidates)
            if len(found) < len(candidates):
                break
            lost += [loss for loss, _ in found]
            left_out_weight += weight[rows[1]].sum()
        return lost / left_out_weight if left_out_weight else None
