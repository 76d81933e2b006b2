"""alpha="auto": the evidence, unless a rival predicts left-out rows better.

Candidates, each started where another ended, so that all of them together cost about
three fits:

1. the evidence with one precision for each group of weights,
2. the evidence with one precision for each input column (ARD),
3. a few fixed penalties, weak and strong ones.

They are compared by the loss of each row when it is left out, which for a
network linearised in its weights needs no refit (``leave_one_out``). The evidence
alone would not do: it is superb at low noise, and under-regularises under heavy tails or
with more weights than rows. A row of weight 2 counts as two rows of which one is left
out, so the choice is the same for weights and repeats.

A strategy is a function ``strategy(search, start, state=None) -> Fit``. It handles no
stopping: ``search.minimize`` is told what to keep of each stage while it runs.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sklearn_twolayer._bayes.cross_validate import MARGIN
from sklearn_twolayer._bayes.evidence import go_on, maximize_evidence
from sklearn_twolayer._bayes.leave_one_out import leave_one_out_loss
from sklearn_twolayer._bayes.noise import Likelihood
from sklearn_twolayer._bayes.posterior import (
    Precisions,
    effective_parameters,
    posterior_factor,
)
from sklearn_twolayer._network.objective import Penalty, penalty_groups

#: Prior precision before the evidence first changes it, and the steps taken under it, for
#: squared error and log loss. A network that is held back while it learns ends up pruned, or
#: linear, so a weak prior is tried first; of a regression also a strong one, where the weak one
#: lets the weights use up the residuals.
FIRST_PRECISIONS = {True: ((0.03, 20), (1.0, 10)), False: ((0.03, 20),)}
MAX_EFFECTIVE_SHARE_AT_START = 0.25
#: Steps that a regression takes under next to no penalty, and the share of the residuals that the
#: weights may have used up after each: where they use more, it is noise that is learnt.
FREE_PENALTY = 1e-6 * np.array([1.0, 0.01, 1.0, 0.01])
FREE_STEPS = (20, 100)
MAX_FREE_SHARE = 0.4
#: Most accepted steps: of the first evidence, of ARD after it, of each fixed penalty,
#: and to the minimum under the penalty that was chosen.
MAX_STEPS = {"evidence": 50, "ard": 40, "fixed": 15, "finish": 20}
#: Fixed penalties on W1 and W2, for squared error and log loss, in sequences that start where
#: the evidence ended, and end where two in a row are worse than the one before; the biases get
#: a hundredth, so that no weight is free.
FIXED_PENALTIES = {
    True: ((3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0), (1e-5, 3e-5, 1e-4)),
    False: ((3e-4, 1e-3, 3e-3, 1e-2, 3e-2),),
}
BIAS_SHARE = 0.01
#: Factor on the leverage of a row. 1 is exact for a linear model under squared
#: error; under log loss the curvature changes when a row leaves.
INFLATION = {True: 1.0, False: 1.2}
#: Share of the residuals that the weights may use up: beyond it the linearised network no longer
#: tells what a fit without a row would do.
MAX_JUDGED_SHARE = 0.6


@dataclass(frozen=True)
class Search:
    """What the strategies need.

    Parameters
    ----------
    mean_loss : MeanLoss
    likelihood : Likelihood
    max_iter : int
        Most accepted steps on the way to a fit.
    minimize : callable
        ``minimize(start, penalty, *, max_iter, state=None, keep=None) -> Fit`` runs
        Levenberg-Marquardt from the weights ``start`` (p,). A Fit has ``params``, ``penalty``,
        ``loss`` F, ``curve`` (F after each step), ``steps`` (their numbers among all of the
        training) and ``resume``, the damping to go on with. After each step
        ``keep(running)`` is the fit to return if the training ended there; None keeps the
        running fit itself.
    judge : callable or None
        ``judge(start, penalties)``, the losses of left-out rows under each penalty by networks
        that were fitted without them.
    """

    mean_loss: Any
    likelihood: Likelihood
    max_iter: int
    minimize: Callable
    judge: Callable | None = None


def evidence(search, start, state=None):
    """The evidence with a precision for each of W1, b1, W2 and b2."""
    return _grouped_evidence(search, start, state)[0]


def automatic_relevance(search, start, state=None):
    """The evidence, then the evidence with a precision for each input column.

    Starting where the groups ended avoids the poor optima of networks that are
    pruned before they have learned what is relevant.
    """
    return _finish(search, _relevance(search, *_grouped_evidence(search, start, state)))


def automatic(search, start, state=None):
    """The candidate with the least leave-one-out loss, in order and with a margin."""
    first, precisions = _grouped_evidence(search, start, state)
    chosen = first, _loss_of_left_out_rows(search, first)

    def keep(rival):  # half-way to its minimum it cannot be judged
        return chosen[0]

    chosen = evident = _better(search, chosen, _relevance(search, first, precisions, keep))
    groups = penalty_groups(search.mean_loss.network)
    for sequence in FIXED_PENALTIES[search.likelihood.is_gaussian]:
        rival, best, n_worse = replace(first, resume=None), np.inf, 0
        for alpha in sequence:
            penalty = Penalty(groups, alpha * np.array([1.0, BIAS_SHARE, 1.0, BIAS_SHARE]))
            n_steps = _steps_left(search, "fixed", rival)
            rival = go_on(search, rival, penalty, max_iter=n_steps, keep=keep)
            loss = _loss_of_left_out_rows(search, rival)
            chosen = (rival, loss) if loss < MARGIN * chosen[1] else chosen
            n_worse, best = n_worse + 1 if loss > best else 0, min(loss, best)
            if n_worse == 2:
                break
    if chosen is not evident and search.judge is not None:
        # The linearised network may be too sure of weights that a weak penalty leaves free.
        rival, other = search.judge(start, [chosen[0].penalty, evident[0].penalty])
        chosen = chosen if rival < MARGIN * other else evident
    return _finish(search, chosen[0])


STRATEGIES = {"evidence": evidence, "ard": automatic_relevance, "auto": automatic}


def most_steps(alpha, max_iter, is_gaussian):
    """At most so many steps are taken in all stages of the strategy for alpha."""
    stages = [steps for _, steps in FIRST_PRECISIONS[is_gaussian]]
    stages += FREE_STEPS if is_gaussian else ()
    stages += [MAX_STEPS["evidence"], MAX_STEPS["finish"]]
    if alpha != "evidence":
        stages += [MAX_STEPS["ard"], MAX_STEPS["finish"]]
    if alpha == "auto":
        stages += [MAX_STEPS["fixed"]] * sum(map(len, FIXED_PENALTIES[is_gaussian]))
    return sum(min(steps, max_iter) for steps in stages)


def _grouped_evidence(search, start, state):
    """The fit of ``evidence``, and its precisions."""
    likelihood, groups = search.likelihood, penalty_groups(search.mean_loss.network)
    learned = _learned_freely(search, start, groups) if likelihood.is_gaussian else None
    for precision, steps in FIRST_PRECISIONS[likelihood.is_gaussian]:
        first = Precisions(groups, np.full(groups.max() + 1, precision), 1.0)
        if learned is not None:
            break
        n_steps, penalty = min(steps, search.max_iter), first.penalty(likelihood)
        found = search.minimize(start, penalty, max_iter=n_steps, state=state)
        factor, most = _factor(search, found), MAX_EFFECTIVE_SHARE_AT_START
        if not _is_too_flexible(search, found, factor, most):
            learned = found
    learned = found if learned is None else learned
    n_steps = _steps_left(search, "evidence", learned)
    found, precisions = maximize_evidence(search, learned, first, max_iter=n_steps)
    return _finish(search, found), precisions


def _learned_freely(search, start, groups):
    """A fit that was hardly held back and leaves most residuals free; None if there is none.

    Waves are learnt that way only: under any prior worth its name the way to them goes uphill.
    """
    penalty, fit = Penalty(groups, FREE_PENALTY), None
    for n_steps in FREE_STEPS:
        n_left = search.max_iter - (0 if fit is None else len(fit.curve))
        if fit is None:
            fit = search.minimize(start, penalty, max_iter=min(n_steps, n_left))
        elif n_left:
            fit = go_on(search, fit, penalty, max_iter=min(n_steps, n_left))
        if _is_too_flexible(search, fit, _factor(search, fit), MAX_FREE_SHARE):
            return None
    return fit


def _relevance(search, fit, precisions, keep=None):
    """The evidence with a precision for each input column, from where that of groups ended."""
    network, prior = search.mean_loss.network, precisions.prior
    prior = np.append(np.full(network.n_features, prior[0]), prior[1:])
    first = Precisions(penalty_groups(network, per_input=True), prior, precisions.noise)
    n_steps = _steps_left(search, "ard", fit)
    return maximize_evidence(search, fit, first, max_iter=n_steps, keep=keep)[0]


def _finish(search, fit):
    """The minimum of F under the penalty of a fit."""
    return go_on(search, fit, fit.penalty, max_iter=_steps_left(search, "finish", fit))


def _steps_left(search, name, fit):
    return min(MAX_STEPS[name], max(search.max_iter - len(fit.curve), 0))


def _better(search, chosen, rival):
    """Of two fits the one that predicts better, with its loss; a tie goes to the chosen one."""
    loss = _loss_of_left_out_rows(search, rival)
    return (rival, loss) if loss < MARGIN * chosen[1] else chosen


def _loss_of_left_out_rows(search, fit):
    """Mean loss of the rows, each predicted without itself; inf for too flexible a fit."""
    factor = _factor(search, fit)
    if _is_too_flexible(search, fit, factor, MAX_JUDGED_SHARE):
        return np.inf
    inflation = INFLATION[search.likelihood.is_gaussian]
    return leave_one_out_loss(search.mean_loss, fit.params, factor, inflation=inflation)


def _factor(search, fit):
    _, _, curvature = search.mean_loss.quadratic(fit.params)
    return posterior_factor(curvature.with_diagonal(fit.penalty.per_weight))


def _is_too_flexible(search, fit, factor, max_share):
    """Whether the weights use up more than a share of the residuals."""
    n_effective = effective_parameters(fit.penalty, factor).sum()
    return n_effective > max_share * search.likelihood.n_residuals
