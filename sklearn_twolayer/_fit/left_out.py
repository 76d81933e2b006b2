"""Networks that are fitted without some of the rows, and predict these."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from sklearn_twolayer._bayes.choose_penalty import evidence
from sklearn_twolayer._bayes.cross_validate import MARGIN
from sklearn_twolayer._fit.monitor import Monitor, Stop
from sklearn_twolayer._fit.training import Fit, Training
from sklearn_twolayer._network.objective import Penalty
from sklearn_twolayer._optimize.full_batch import Flat

#: The share of the time that is left before ``max_time`` in which penalties are compared: the fit
#: itself, which no penalty replaces, has the other half.
COMPARING_SHARE = 0.5
#: A network has learned where F, under the weakest penalty, is this share of that at the start.
#: Else there may be a plateau, which takes so many times more iterations (docs/choices.md).
LEARNED_SHARE, PLATEAU = 0.5, 3
#: To compare penalties lbfgs has gone far enough where so many iterations together gain less than
#: tells two of them apart: ten chose no better, and took longer. From one ratio to another there
#: is further to go, and five were too few (docs/choices.md).
COMPARED_ITERATIONS, FURTHER_ITERATIONS = 5, 10


def flat_to_compare(n_iterations):
    """Flat where so many iterations together gain less than tells two penalties apart."""
    return Flat(n_iterations, (1 - MARGIN) / n_iterations)


@dataclass(frozen=True)
class LeftOut:
    """Networks that are fitted without some of the rows, and predict these."""

    problem: object
    settings: object  # of the networks; their ``max_iter`` is that under each penalty
    deadline: object

    def fits(self, rows, params, candidates, flat=None):
        """The sum of the losses of the left-out rows under each candidate, and the weights (p,).

        There are fewer than candidates where the deadline comes before. ``rows`` are the shares
        (n,) of each row that are kept, and left out; the candidates are S times penalties. The
        first network starts at ``params`` (p,), each other one where that before it ended. Where
        the first goes on from one that has learned, ``flat`` says when it has converged.
        """
        further = flat or flat_to_compare(COMPARED_ITERATIONS)
        searches = [partial(_under, penalty=penalty, flat=further) for penalty in candidates]
        if flat is None:
            searches[0] = partial(_to_learn, penalty=candidates[0])
        return self._in_turn(rows, params, searches)

    def loss_by_evidence(self, rows, params):
        """The sum of the losses of the left-out rows by a network whose penalty the evidence finds.

        It starts at the weights ``params`` (p,); infinite where the deadline comes before.
        """

        def by_evidence(training, before):
            return evidence(training.search_of_penalties(), before)

        found = self._in_turn(rows, params, [by_evidence])
        return found[0][0] if found else np.inf

    def _in_turn(self, rows, params, searches):
        """What left-out rows lose and the weights, after each search from where that before ended.

        A search is a function ``search(training, before) -> Fit``.
        """
        fits, weight = [], self.problem.table.weight
        if not all((part if weight is None else weight * part).any() for part in rows):
            return [(0.0, params)] * len(searches)  # nothing is kept, or nothing left out
        with ExitStack() as stack:
            training, lost = self._parted(rows, stack)
            for search in searches:
                try:
                    params = search(training, Fit(params)).params
                except Stop:
                    break
                fits.append((lost(params), params))
        return fits

    def _parted(self, rows, stack):
        """A training on the rows that are kept, and ``lost(params)`` of those that are not."""
        problem, settings = self.problem, self.settings
        part, out = (problem.table.take_shares(shares) for shares in rows)
        needs_matrix, network = settings.solver == "lm", problem.network
        dtype = np.float64 if needs_matrix else problem.table.dtype
        width = network.width_of_steps if needs_matrix else network.width
        mean_loss = problem.mean_loss(part, dtype, stack, width=width)
        left_out_loss, weight = problem.mean_loss(out, dtype, stack), float(out.total_weight)
        monitor = Monitor(replace(settings, verbose=0), self.deadline)
        training = Training(problem, settings, mean_loss, monitor)
        return training, lambda params: left_out_loss.value(params) * weight


def _under(training, before, *, penalty, flat=None):
    """The fit under a penalty, which is S times what it is here."""
    S, max_iter = training.mean_loss.rows.total_weight, training.settings.max_iter
    penalty = Penalty(penalty.groups, penalty.strengths / S)
    return training.minimize(before, penalty, max_iter=max_iter, flat=flat)


def _to_learn(training, before, *, penalty):
    """The fit of a network that has learned its rows, or had the time that a plateau takes."""
    start = training.mean_loss.value(before.params)
    fit = _under(training, before, penalty=penalty)
    if fit.loss > LEARNED_SHARE * start:
        max_iter = PLATEAU * training.settings.max_iter
        fit = training.minimize(replace(fit, resume=None), fit.penalty, max_iter=max_iter)
    return fit
