"""A rival for a regression whose evidence ends at the constant: learn first, then penalise.

With fewer rows than weights the network can learn anything while it is not held back, and its
linearisation says nothing of rows that are left out. The evidence then prunes before it has
learned, and what is left may be the constant, for noise and for waves alike. The rival learns
under a weak penalty and goes on under a stronger one; it wins if networks that learn so predict
rows that were left out better than the evidence predicts its own.
"""

from dataclasses import replace

import numpy as np

from sklearn_twolayer._bayes.choose_penalty import MUCH_USED_SHARE
from sklearn_twolayer._bayes.cross_validate import HOPELESS, MARGIN, N_FOLDS, folds
from sklearn_twolayer._bayes.noise import Likelihood
from sklearn_twolayer._fit.auto import gauss_newton_size_and_cost
from sklearn_twolayer._fit.compare import LeftOut
from sklearn_twolayer._fit.monitor import announce
from sklearn_twolayer._fit.training import LEARNING_STEPS
from sklearn_twolayer._network.objective import Penalty

#: Values of S alpha while the rival learns, and after it: with alpha = 2 v / S they are priors of
#: precision 1 for noise of 0.5% and 5% of the variance of y.
STRENGTHS = (0.01, 0.1)
#: A fit whose F is more than this share of the constant's explains next to nothing.
NEARLY_ALL = 0.9
#: Most multiply-adds of the matrix of a step: a rival of a few hundred steps takes seconds at most.
MAX_COST = 3e7


def constant_or_better(training, fit, deadline):
    """The rival of a fit by the evidence that ended at the constant if it is better, or the fit."""
    problem, settings, network = training.problem, training.settings, training.problem.network
    n_residuals = training.mean_loss.rows.total_weight * network.n_outputs
    _, cost = gauss_newton_size_and_cost(problem.size.repeated, network.n_hidden)
    has_freedom = MUCH_USED_SHARE * n_residuals < network.n_params
    is_tried = has_freedom and cost <= MAX_COST and problem.table.is_in_memory
    if not is_tried or fit.loss < NEARLY_ALL * Likelihood.of(training.mean_loss).variance:
        return fit
    start = problem.draw_start(training.random_state, settings)
    left_out_loss = _left_out_loss(training, start, fit.loss, deadline)
    if left_out_loss == np.inf:
        return fit
    learned = _under(training, start, STRENGTHS[0], LEARNING_STEPS, instead=fit)
    n_steps = settings.max_iter - len(learned.curve)
    if not n_steps:
        return fit
    rival = _under(training, learned.params, STRENGTHS[1], n_steps, instead=fit).after(learned)
    return replace(rival, left_out_loss=left_out_loss)


def _under(training, params, strength, n_steps, *, instead):
    """The fit under S alpha = ``strength``; the one to keep ``instead`` if the training ends."""
    alpha, settings = strength / training.mean_loss.rows.total_weight, training.settings
    penalty = Penalty.fixed(training.problem.network, alpha)
    announce(settings, f"A rival of the constant, under alpha = {alpha:.3g}")
    n_steps = min(n_steps, settings.max_iter)
    return training.minimize(params, penalty, max_iter=n_steps, keep=lambda running: instead)


def _left_out_loss(training, start, loss, deadline):
    """What networks that learn first lose on rows that are left out; inf if not less than ``loss``.

    As a share of the variance of y.
    """
    problem, network = training.problem, training.problem.network
    brief = replace(training.settings, max_iter=min(training.settings.max_iter, LEARNING_STEPS))
    fold, _ = folds(problem.table.X, problem.table.encoded, problem.scale)
    weight = problem.table.weight
    weight = np.ones(len(fold)) if weight is None else weight
    announce(training.settings, "The evidence ends at the constant: a rival on left-out rows")
    candidates, lost = [Penalty.fixed(network, strength) for strength in STRENGTHS], 0.0
    for number in range(N_FOLDS):
        rows = fold != number, fold == number
        found = LeftOut(problem, brief, deadline).fits(rows, start, candidates)
        if len(found) < len(candidates):
            return np.inf
        lost += found[-1][0]
        is_hopeless = number == 0 and lost > HOPELESS * loss * weight[rows[1]].sum()
        if is_hopeless or lost >= MARGIN * loss * weight.sum():
            return np.inf
    return lost / weight.sum() / Likelihood.of(training.mean_loss).variance
