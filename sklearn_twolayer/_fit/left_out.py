"""Networks that are fitted without some of the rows, and predict these.

``LeftOut`` fits them, one under each penalty. ``Refits`` do so by lm where the linearised network
cannot tell what a fit without a row would do, to compare multiples of the penalties that the
evidence finds.

The rival challenges a regression whose evidence ends at the constant: learn first, then penalise.
With fewer rows than weights the network can learn anything while it is not held back, and its
linearisation says nothing of rows that are left out. The evidence then prunes before it has
learned, and what is left may be the constant, for noise and for waves alike. The rival learns
under a weak penalty and goes on under a stronger one; it wins if networks that learn so predict
rows that were left out better than the evidence predicts its own.
"""

from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from sklearn_twolayer._bayes.choose_penalty import MUCH_USED_SHARE, evidence
from sklearn_twolayer._bayes.copies import MANY_COPIES, N_FOLDS, SortedRows
from sklearn_twolayer._bayes.cross_validate import HOPELESS, MARGIN, n_folds_asked
from sklearn_twolayer._bayes.noise import Likelihood
from sklearn_twolayer._fit.auto import gauss_newton_size_and_cost
from sklearn_twolayer._fit.monitor import Deadline, Monitor, Stop, announce
from sklearn_twolayer._fit.parameters import Plan
from sklearn_twolayer._fit.training import LEARNING_STEPS, Fit, Training
from sklearn_twolayer._network.objective import Penalty
from sklearn_twolayer._optimize.full_batch import Flat

if TYPE_CHECKING:
    from sklearn_twolayer._fit.run import Problem

#: The share of the time that is left before ``max_time`` in which penalties are compared: the fit
#: itself, which no penalty replaces, has the other half.
COMPARING_SHARE = 0.5
#: A network has learned where F, under the weakest penalty, is this share of that at the start.
#: Else there may be a plateau, which takes so many times more iterations (docs/choices.md).
LEARNED_SHARE, PLATEAU = 0.5, 3
#: To compare penalties lbfgs has gone far enough where so many iterations together gain less than
#: tells two of them apart: ten chose no better, and took longer. To a penalty that is far stronger,
#: or with cheaper bends, there is further to go, and five were too few (docs/choices.md).
COMPARED_ITERATIONS, FURTHER_ITERATIONS = 5, 10
#: How many times as many iterations go near the minimum under one penalty (docs/choices.md).
END = 3
#: Steps of lm under each penalty of a refit.
REFIT_STEPS = 30
#: Values of S alpha while the rival learns, and after it: with alpha = 2 v / S they are priors of
#: precision 1 for noise of 0.5% and 5% of the variance of y.
RIVAL_STRENGTHS = (0.01, 0.1)
#: A fit whose F is more than this share of the constant's explains next to nothing.
NEARLY_ALL = 0.9
#: Most multiply-adds of the matrix of a step: a rival of a few hundred steps takes seconds at most.
MAX_RIVAL_COST = 3e7


def bits_of_labels(problem, is_left_out):
    """How many bits the label of a row tells: less than one of two classes, if one is rare.

    Those of several labels add up, as what is lost of them does. Where no two labels are left out,
    there are none: each penalty would be judged by how sure it is of what is left out.
    """
    targets, table = problem.targets, problem.table
    if not np.any(table.encoded[is_left_out] != table.encoded[is_left_out][:1]):
        return 0.0
    shares = targets.loss.mean_target(table.encoded, table.frequency, targets.n_outputs)
    return targets.loss.entropy(shares) / np.log(2)


@dataclass(frozen=True)
class LeftOut:
    """Networks that are fitted without some of the rows, and predict these."""

    problem: "Problem"
    settings: Plan  # of the networks; their ``max_iter`` is that under each penalty
    deadline: Deadline

    def fits(self, out, params, candidates):
        """The sum of the losses of the left-out rows under each candidate, and the weights (p,).

        There are fewer than candidates where the deadline comes before. ``out`` (n,) is the share
        of each row that is left out; the candidates are S times penalties. The first network starts
        at ``params`` (p,) and learns, each other one goes on where that before it ended.
        """
        flat = self._flat(COMPARED_ITERATIONS)
        searches = [partial(_under, penalty=penalty, flat=flat) for penalty in candidates[1:]]
        return self._in_turn(out, params, [partial(_to_learn, penalty=candidates[0]), *searches])

    def further(self, out, params, penalty):
        """The same [(loss, weights)] of a network that goes on under one more penalty."""
        flat = self._flat(FURTHER_ITERATIONS)
        return self._in_turn(out, params, [partial(_under, penalty=penalty, flat=flat)])

    def to_the_end(self, out, params, penalty):
        """The same of one that goes on under its penalty as the fit does, if not quite as long."""
        settings = replace(self.settings, max_iter=END * self.settings.max_iter)
        search = partial(_under, penalty=penalty, flat=Flat.once_learned(settings.tol))
        return replace(self, settings=settings)._in_turn(out, params, [search])

    def _flat(self, n_iterations):
        """Flat where so many iterations together gain less than tells two penalties apart."""
        constant = self.problem.constant_loss
        return Flat(n_iterations, (1 - MARGIN) / n_iterations, constant)

    def loss_by_evidence(self, out, params):
        """The sum of the losses of the left-out rows by a network whose penalty the evidence finds.

        It starts at the weights ``params`` (p,); infinite where the deadline comes before.
        """
        by_evidence = [lambda training, before: evidence(training.search_of_penalties(), before)]
        found = self._in_turn(out, params, by_evidence)
        return found[0][0] if found else np.inf

    def _in_turn(self, out, params, searches):
        """What left-out rows lose and the weights, after each search from where that before ended.

        A search is a function ``search(training, before) -> Fit``.
        """
        fits, rows, weight = [], (1 - out, out), self.problem.table.weight
        if not all((part if weight is None else weight * part).any() for part in rows):
            return [(0.0, params)] * len(searches)  # nothing is kept, or nothing left out
        problem, settings = self.problem, self.settings
        kept, left = map(problem.table.take_shares, rows)
        monitor = Monitor(replace(settings, verbose=0), self.deadline)
        with ExitStack() as stack:
            mean_loss = problem.loss_to_train(settings, kept, stack)
            loss_of_left = problem.mean_loss(left, mean_loss.rows.dtype, stack).value
            training = Training(problem, settings, mean_loss, monitor)
            with suppress(Stop):
                for search in searches:
                    params = search(training, Fit(params)).params
                    fits.append((loss_of_left(params) * float(left.total_weight), params))
        return fits


def _under(training, before, *, penalty, flat=None):
    """The fit under a penalty, which is S times what it is here."""
    S, max_iter = training.mean_loss.rows.total_weight, training.settings.max_iter
    penalty = replace(penalty, strengths=penalty.strengths / S)
    return training.minimize(before, penalty, max_iter=max_iter, flat=flat)


def _to_learn(training, before, *, penalty):
    """The fit of a network that has learned its rows, or had the time that a plateau takes."""
    start = training.mean_loss.value(before.params)
    fit = _under(training, before, penalty=penalty)
    if fit.loss > LEARNED_SHARE * start:
        max_iter = PLATEAU * training.settings.max_iter
        fit = training.minimize(replace(fit, resume=None), fit.penalty, max_iter=max_iter)
    return fit


@dataclass(frozen=True)
class Refits:
    """Networks that are fitted by lm without a fold of the rows.

    Before they have converged L-BFGS makes a hundredth of a loss out of rounding, lm does not.
    Comparing takes half of the time that is left before the ``deadline`` of the fit at most, and
    ends within an iteration: a fold that is cut short does not count.
    """

    problem: "Problem"  # of the rows on which penalties are compared, in memory
    settings: Plan
    deadline: Deadline

    @cached_property
    def _weight(self):
        table = self.problem.table
        return np.ones(table.n_rows) if table.weight is None else table.weight

    @cached_property
    def _sorted(self):
        table = self.problem.table
        return SortedRows.of(table.X, table.encoded, self.problem.scale)

    @property
    def has_copies(self):
        """Whether many rows are copies of others, beside which leaving one out is no test.

        It is one where each row has as many copies and all of these are left out with it.
        """
        weight = self._sorted.weigh_distinct(self._weight)
        S, n_distinct = weight.sum(), len(weight)
        is_even = n_distinct * (weight**2).sum() <= MANY_COPIES * S**2
        counted = S / self.problem.copies if is_even else S
        return bool(counted > MANY_COPIES * n_distinct)

    def losses(self, start, penalties):
        """Mean loss of the left-out rows under each penalty, from weak to strong; None if too late.

        The networks of a fold start at the weights ``start`` (p,), each where that before it ended.
        """
        problem, weight = self.problem, self._weight
        fold, n_distinct = self._sorted.deal_distinct()
        n_steps = min(self.settings.max_iter, REFIT_STEPS)
        brief = replace(self.settings, solver="lm", max_iter=n_steps)
        lost, left_out_weight = np.zeros(len(penalties)), 0.0
        networks = LeftOut(problem, brief, self.deadline.share(COMPARING_SHARE))
        candidates = [
            Penalty(penalty.groups, weight.sum() * penalty.strengths) for penalty in penalties
        ]
        for number in range(n_folds_asked(n_distinct)):
            out = fold == number
            found = networks.fits(out, start, candidates)
            if len(found) < len(candidates):
                break
            lost += [loss for loss, _ in found]
            left_out_weight += weight[out].sum()
        return lost / left_out_weight if left_out_weight else None


def constant_or_better(training, fit, deadline):
    """The rival of a fit by the evidence that ended at the constant if it is better, or the fit."""
    problem, settings, network = training.problem, training.settings, training.problem.network
    n_residuals = training.mean_loss.distinct_weight * network.n_outputs
    _, cost = gauss_newton_size_and_cost(problem.size.repeated, network.n_hidden)
    has_freedom = MUCH_USED_SHARE * n_residuals < network.n_params
    is_tried = has_freedom and cost <= MAX_RIVAL_COST and problem.table.is_in_memory
    if not is_tried or fit.loss < NEARLY_ALL * Likelihood.of(training.mean_loss).variance:
        return fit
    start = problem.draw_start(training.random_state, settings)
    left_out_share = _left_out_share(training, start, fit.loss, deadline)
    if left_out_share is None:
        return fit
    learned = _rival(training, Fit(start), RIVAL_STRENGTHS[0], LEARNING_STEPS, instead=fit)
    n_steps = settings.max_iter - len(learned.curve)
    if not n_steps:
        return fit
    learned = replace(learned, resume=None)
    rival = _rival(training, learned, RIVAL_STRENGTHS[1], n_steps, instead=fit)
    return replace(rival, left_out_share=left_out_share)


def _rival(training, before, strength, n_steps, *, instead):
    """The fit under S alpha = ``strength``; the one to keep ``instead`` if the training ends."""
    alpha, settings = strength / training.mean_loss.distinct_weight, training.settings
    penalty = Penalty.fixed(training.problem.network, alpha)
    announce(settings, f"A rival of the constant, under alpha = {alpha:.3g}")
    n_steps = min(n_steps, settings.max_iter)
    return training.minimize(before, penalty, max_iter=n_steps, keep=lambda running: instead)


def _left_out_share(training, start, loss, deadline):
    """What networks that learn first lose on rows that are left out, as a share of var(y).

    None if it is not less than ``loss``.
    """
    problem, network = training.problem, training.problem.network
    brief = replace(training.settings, max_iter=min(training.settings.max_iter, LEARNING_STEPS))
    rows = SortedRows.of(problem.table.X, problem.table.encoded, problem.scale)
    fold, _ = rows.deal_distinct()
    weight = problem.table.weight
    weight = np.ones(len(fold)) if weight is None else weight
    announce(training.settings, "The evidence ends at the constant: a rival on left-out rows")
    strengths, lost = problem.copies * np.array(RIVAL_STRENGTHS), 0.0  # S is that of distinct rows
    candidates = [Penalty.fixed(network, strength) for strength in strengths]
    for number in range(N_FOLDS):
        out = fold == number
        found = LeftOut(problem, brief, deadline).fits(out, start, candidates)
        if len(found) < len(candidates):
            return None
        lost += found[-1][0]
        is_hopeless = number == 0 and lost > HOPELESS * loss * weight[out].sum()
        if is_hopeless or lost >= MARGIN * loss * weight.sum():
            return None
    return lost / weight.sum() / Likelihood.of(training.mean_loss).variance
