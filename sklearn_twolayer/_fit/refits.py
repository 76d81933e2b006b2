"""Networks that are fitted without some of the rows and predict them, to compare penalties."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from sklearn_twolayer._bayes.cross_validate import MARGIN, folds, n_folds_asked
from sklearn_twolayer._fit.monitor import Monitor, Stop
from sklearn_twolayer._fit.training import Training
from sklearn_twolayer._network.objective import Penalty
from sklearn_twolayer._optimize.first_order import Flat

#: The share of the time that is left before ``max_time`` in which penalties are compared: the fit
#: itself, which no penalty replaces, has the other half.
COMPARING_SHARE = 0.5
#: Rows repeat where there are so many times as many as are distinct: a bootstrap has 1.6.
MANY_COPIES = 1.1
#: Steps of lm under each penalty of a refit.
REFIT_STEPS = 30
#: A network has learned where F, under the weakest penalty, is this share of that at the start.
#: Else there may be a plateau, which takes so many times more iterations (docs/benchmarks.md).
LEARNED_SHARE, PLATEAU = 0.5, 3
#: To compare penalties lbfgs has gone far enough where so many iterations together gain less than
#: tells two of them apart: ten chose no better, and took longer (docs/benchmarks.md).
COMPARED_ITERATIONS = 5
FLAT_TO_COMPARE = Flat(COMPARED_ITERATIONS, (1 - MARGIN) / COMPARED_ITERATIONS)


@dataclass(frozen=True)
class Refits:
    """Refits by lm, where the linearised network cannot tell what a fit without a row would do.

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
        until = self.deadline.share(COMPARING_SHARE)
        candidates = [
            Penalty(penalty.groups, weight.sum() * penalty.strengths) for penalty in penalties
        ]
        for number in range(n_folds_asked(n_distinct)):
            rows = fold != number, fold == number
            found = left_out_losses(problem, brief, start, candidates, rows=rows, deadline=until)
            if len(found) < len(candidates):
                break
            lost += found
            left_out_weight += weight[rows[1]].sum()
        return lost / left_out_weight if left_out_weight else None


def left_out_losses(problem, settings, params, candidates, *, rows, deadline):
    """Sums of the losses of left-out rows under each candidate, by networks of the kept rows.

    The first network starts at ``params``, each other one where that before it ended. Candidates
    are penalties with S times their strengths, ``rows`` the shares (n,) of each row that are kept
    and left out. There are fewer sums than candidates where the ``deadline`` comes before.
    """
    if not all(part.any() for part in rows):
        return np.zeros(len(candidates))
    part, out = (problem.table.take_shares(shares) for shares in rows)
    dtype, loss = np.float64 if settings.solver == "lm" else problem.table.dtype, []
    width = problem.network.width_of_steps if settings.solver == "lm" else problem.network.width
    with ExitStack() as stack:
        mean_loss = problem.mean_loss(part, dtype, stack, width=width)
        left_out_loss = problem.mean_loss(out, dtype, stack)
        monitor = Monitor(replace(settings, verbose=0), deadline)
        training, S = Training(problem, settings, mean_loss, monitor), mean_loss.rows.total_weight
        search = partial(_to_learn, training)
        for candidate in candidates:
            penalty = Penalty(candidate.groups, candidate.strengths / S)
            try:
                params = search(params, penalty).params
            except Stop:
                break
            loss.append(left_out_loss.value(params) * float(out.total_weight))
            search = partial(training.minimize, max_iter=settings.max_iter, flat=FLAT_TO_COMPARE)
    return np.array(loss)


def _to_learn(training, params, penalty):
    """The fit of a network that has learned its rows, or had the time that a plateau takes."""
    max_iter, start = training.settings.max_iter, training.mean_loss.value(params)
    fit = training.minimize(params, penalty, max_iter=max_iter)
    if fit.loss > LEARNED_SHARE * start:
        fit = training.minimize(fit.params, penalty, max_iter=PLATEAU * max_iter)
    return fit
