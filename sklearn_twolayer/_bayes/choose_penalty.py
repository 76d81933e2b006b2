"""alpha="auto" of a regression: the evidence, unless rows that are left out prefer another penalty.

Candidates, each started where another ended:

1. the evidence with one precision for each group of weights,
2. the evidence with one precision for each input column (ARD), if they are fewer than the rows,
   or if there is one column the evidence of a curve that is first learned to the end, where
   neighbouring rows do not say that this is in vain,
3. the better of these penalties three times as strong, nine times, and so on as long as that
   helps; or, if it does not, a third of it, a ninth, ...

They are compared by the loss of each row when it is left out, which for a
network linearised in its weights needs no refit (``leave_one_out``). The evidence
alone would not do: it is right at low noise, and under-regularises under heavy tails or
with more weights than rows. A row of weight 2 counts as two rows of which one is left
out, so the choice is the same for weights and repeats.

Where that says that the mean of y predicts far better, a few rows far out make it say so, or a
network that has learned the noise; and where rows are copies of others, leaving one of them out
is no test. There networks are refitted without a fold of the rows, under a ninth of the penalty
to 729 times as much.

A strategy is a function ``strategy(search, start) -> Fit``, from a Fit to start with. It handles no
stopping: ``search.minimize`` is told what to keep of each stage while it runs.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sklearn_twolayer._bayes.cross_validate import MARGIN
from sklearn_twolayer._bayes.curve import CURVE_STEPS, learned_curve, noise_of_one_column
from sklearn_twolayer._bayes.evidence import maximize_evidence, told_by_rows
from sklearn_twolayer._bayes.leave_one_out import leave_one_out_loss
from sklearn_twolayer._bayes.noise import Likelihood
from sklearn_twolayer._bayes.posterior import Precisions
from sklearn_twolayer._network.objective import MeanLoss, Penalty, penalty_groups

#: Prior precision before the evidence first changes it, and the steps taken under it, for
#: squared error and log loss. A network that is held back while it learns ends up pruned, or
#: linear, so a weak prior is tried first; of a regression also a strong one, where the weak one
#: lets the weights use up the residuals.
FIRST_PRECISIONS = {True: ((0.03, 20), (1.0, 10)), False: ((0.03, 20),)}
MAX_EFFECTIVE_SHARE_AT_START = 0.25
#: Steps that a regression takes under next to no penalty, and the share of the first loss that must
#: be left for the second of them.
FREE_PENALTY = 1e-6 * np.array([1.0, 0.01, 1.0, 0.01])
FREE_STEPS, MUCH_LEFT = (20, 100), 0.5
#: Of one column a network also learns to the end, and is taken where left-out rows lose less than
#: this share of what they lose otherwise, and of the variance of y.
CURVE_SHARE = 0.7
#: Most accepted steps: of the evidence, and of ARD after it, where it is asked for and where
#: "auto" tries it; to the minimum under what was chosen; and of the evidence of all rows, where
#: that of a part of them came first.
EVIDENCE_STEPS, AUTO_STEPS, FINISH_STEPS, ALL_ROWS_STEPS = 50, 25, 10, 10
#: Steps under a multiple of the penalty, and how many times, while they lower F by more than tells
#: two fits apart: where most weights go it takes more than five (docs/choices.md).
MULTIPLE_STEPS, MOST_ROUNDS = 5, 2
#: Iterations of L-BFGS between two re-estimations, in place of so many steps of lm.
LBFGS_STRIDE, STRIDE_IN_STEPS = 25, 5
#: From one multiple of a penalty to the next, and their most.
FACTOR, MOST_MULTIPLES = 3.0, 8
#: Factor on the leverage of a row. 1 is exact for a linear model; the network bends to the noise
#: in more ways than its tangent tells, and 1.4 is what smoothing splines need too (Kim & Gu 2004,
#: "Smoothing spline Gaussian regression: more scalable computation via efficient approximation").
INFLATION = 1.4
#: Share of the residuals that the weights use up where next to no penalty has let them learn the
#: noise, and from which on leverages are taken as they are: 1.4 times as much would be 1 for most.
MUCH_USED_SHARE = 0.6
#: Beyond this share the linearised network no longer tells what a fit without a row would do.
MAX_JUDGED_SHARE = 0.9
#: Where the weights use up no more than this share of the residuals, or left-out rows lose less
#: than that share of the variance of y, rows that are copies of others hide nothing.
EVIDENT_SHARE, EVIDENT_LOSS = 0.1, 0.02
#: Where they are said to lose so many times the variance, a few rows say so: it may be anything.
DOUBTFUL_LOSS = 2.0
#: Multiples of the penalty that are compared by refits, as powers of ``FACTOR``.
REFITTED_POWERS = range(-2, 7)


@dataclass(frozen=True)
class Search:
    """A search for the penalty: what each strategy is handed, beside the fit it begins with.

    ``minimize(before, penalty, *, max_iter, keep=None) -> Fit`` runs the minimiser from where the
    Fit ``before`` has ended: its curve and steps are the beginning of the new ones, and its
    ``resume`` is the damping to go on with. After each step ``keep(running)`` is the fit to return
    if the training ended there; None keeps the running fit itself.

    Strategies read ``params``, ``penalty``, ``loss``, ``curve``, ``steps`` and ``resume`` of a
    Fit, and set ``left_out_share``.
    """

    mean_loss: MeanLoss
    likelihood: Likelihood
    max_iter: int  # most iterations on the way to a fit
    minimize: Callable
    n_columns: int  # of X, where the network may have fewer: coordinates in the span of the rows
    stride: int = 1  # steps between re-estimations: 1 of lm, which has the matrix, many of L-BFGS
    stage: Callable = lambda name: None  # tells the user what the steps to come are for
    # Where rows are at hand, ``losses(start, penalties)`` of left-out ones, and ``has_copies``.
    refits: Any = None
    noise: np.ndarray | None = None  # variance of that of each of several targets, told by pilots

    def most(self, n_steps, curve=()):
        """Most iterations of so many steps of Levenberg-Marquardt, after those of a curve."""
        n_left = max(self.max_iter - len(curve), 0)
        return min(n_steps * max(self.stride // STRIDE_IN_STEPS, 1), n_left)


def evidence(search, start):
    """The evidence with a precision for each of W1, b1, W2 and b2."""
    return _finish(search, _grouped_evidence(search, start, EVIDENCE_STEPS)[0])


def automatic_relevance(search, start):
    """The evidence, then the evidence with a precision for each input column.

    A network that is pruned before it has learned what is relevant ends in poor optima.
    """
    found = _grouped_evidence(search, start, EVIDENCE_STEPS)
    return _finish(search, _relevance(search, *found, n_steps=EVIDENCE_STEPS))


def automatic(search, start):
    """The candidate with the least loss of left-out rows, in order and with a margin.

    Precisions of columns that are as many as the rows are fitted to their noise: of 120
    spectra of 300 channels error bars covered two thirds where 90 % were due.
    """
    by_group, precisions = _grouped_evidence(search, start, AUTO_STEPS)
    evident = by_group, _loss_of_left_out_rows(search, by_group)
    if search.n_columns < search.likelihood.total_weight:
        by_column = _relevance(
            search, by_group, precisions, n_steps=AUTO_STEPS, keep=lambda rival: by_group
        )
        evident = _better(evident, by_column, _loss_of_left_out_rows(search, by_column))
    if search.n_columns == 1:
        evident = _or_curve(search, start, evident)
    _, used = _factor_and_used_share(search, evident[0])
    if _is_doubtful(search, evident[1], used):
        chosen, times = _best_by_refits(search, start, evident)
    else:
        chosen, times = _best_by_leave_one_out(search, evident)
    of = "group of weights" if evident[0] is by_group or search.n_columns == 1 else "input"
    strength = "" if times == 1 else f", {times:.2g} times as strong"
    search.stage(f"Chosen: the evidence by {of}{strength}")
    left_out_share = chosen[1] / search.likelihood.variance
    return replace(_finish(search, chosen[0]), left_out_share=left_out_share)


def _is_doubtful(search, loss, used):
    """Return whether the linearised network's ``loss`` of left-out rows says nothing of refits."""
    if search.refits is None:
        return False
    share = loss / search.likelihood.variance
    if share >= DOUBTFUL_LOSS:
        return True
    return used > EVIDENT_SHARE and share > EVIDENT_LOSS and search.refits.has_copies


def _best_by_leave_one_out(search, evident):
    """The best multiple of the penalty of a fit, with its loss, and the multiple.

    Multiples go on as long as the loss falls, though by less than the margin: one that takes some
    weights may gain little, and the next, which takes most of them, much.
    """
    chosen, times = evident, 1.0
    for factor in (FACTOR, 1 / FACTOR):
        rival, least = replace(evident[0], resume=None), evident[1]
        for number in range(1, MOST_MULTIPLES + 1):
            search.stage(f"Comparing penalties: {factor:.2g} times those before")
            rival, before = _multiplied(search, rival, factor, instead=chosen[0]), chosen
            loss = _loss_of_left_out_rows(search, rival)
            chosen = _better(chosen, rival, loss)
            if chosen is not before:
                times = factor**number
            elif least <= loss < np.inf:
                break
            least = min(least, loss)
        if chosen is not evident:
            break
    return chosen, times


def _best_by_refits(search, start, evident):
    """The best multiple by networks that were fitted without the rows that they predict.

    Of multiples that predict alike it is the strongest: less would be taken on faith. Its loss is
    of the same kind as that of other members of a committee.
    """
    (fit, _), powers = evident, list(REFITTED_POWERS)
    search.stage("Comparing penalties by networks of left-out rows")
    penalties = [Penalty(fit.penalty.groups, FACTOR**n * fit.penalty.strengths) for n in powers]
    losses = search.refits.losses(start.params, penalties)
    if losses is None or not np.isfinite(losses).any():
        return evident, 1.0
    best = np.flatnonzero(MARGIN * losses <= np.nanmin(losses))[-1]
    rival, factor = replace(fit, resume=None), FACTOR ** np.sign(powers[best])
    search.stage(f"Going to {FACTOR ** powers[best]:.2g} times the penalties")
    for _ in range(abs(powers[best])):
        rival = _multiplied(search, rival, factor, instead=fit)
    return (rival, _loss_of_left_out_rows(search, rival)), FACTOR ** powers[best]


def _multiplied(search, fit, factor, *, instead):
    """Take some steps from a fit under a multiple of its penalty, and more where F still falls.

    Half-way it cannot be judged: it has not lost what the stronger penalty takes, or has lost it
    and not made up for it, and looks better, or worse, than it will be.
    """
    penalty = Penalty(fit.penalty.groups, factor * fit.penalty.strengths)
    for _ in range(MOST_ROUNDS):
        n_before = len(fit.curve)
        n_steps = search.most(MULTIPLE_STEPS, fit.curve)
        fit = search.minimize(fit, penalty, max_iter=n_steps, keep=lambda running: instead)
        values = fit.curve[n_before:]
        if not values or values[-1] > MARGIN * values[0]:
            break
    return fit


STRATEGIES = {"evidence": evidence, "ard": automatic_relevance, "auto": automatic}


def of_all_rows(search, part, fit):
    """The evidence of all rows, from the fit of a part and the prior precisions that it chose.

    L-BFGS goes to the minimum under the penalty that they amount to.
    """
    prior = fit.penalty.strengths * part.likelihood.scale(1.0)
    first = Precisions(fit.penalty.groups, prior, 1.0)
    if search.stride > 1:
        search.stage("To the minimum under these penalties, of all rows")
        n_steps = search.max_iter - len(fit.curve)
        penalty = first.penalty(search.likelihood)
        found = search.minimize(fit, penalty, max_iter=max(n_steps, 0))
        return replace(found, left_out_share=fit.left_out_share)
    search.stage("Evidence: the same penalties, of all rows")
    n_steps = search.most(ALL_ROWS_STEPS, fit.curve)
    found, _ = maximize_evidence(search, fit, first, max_iter=n_steps)
    return replace(_finish(search, found), left_out_share=fit.left_out_share)


def most_steps(alpha, max_iter, is_gaussian, stride=1):
    """Return how many steps all stages of the strategy for alpha may take together.

    The stages of "auto" may end at the constant, and a rival then takes ``max_iter`` of its own.
    """
    stages = [steps for _, steps in FIRST_PRECISIONS[is_gaussian]]
    stages += (*FREE_STEPS, ALL_ROWS_STEPS, FINISH_STEPS) if is_gaussian else ()
    multiples = [MULTIPLE_STEPS] * MOST_ROUNDS * (MOST_MULTIPLES + 1)
    stages += {
        "evidence": [EVIDENCE_STEPS],
        "ard": [EVIDENCE_STEPS] * 2,
        "auto": [AUTO_STEPS] * 3 + [CURVE_STEPS, *multiples, max_iter],
    }[alpha]
    stages += [FINISH_STEPS]
    return sum(min(steps * max(stride // STRIDE_IN_STEPS, 1), max_iter) for steps in stages)


def _grouped_evidence(search, start, n_steps):
    """The evidence with a precision for each group: a fit, and its precisions."""
    likelihood, groups = search.likelihood, penalty_groups(search.mean_loss.network)
    learned = _learned_freely(search, start, groups) if likelihood.is_gaussian else None
    for precision, steps in FIRST_PRECISIONS[likelihood.is_gaussian]:
        first = Precisions(groups, np.full(groups.max() + 1, precision), 1.0)
        if learned is not None:
            break
        steps, penalty = search.most(steps), first.penalty(likelihood)
        search.stage(f"Learning under a prior precision of {precision:g}")
        found = search.minimize(start, penalty, max_iter=steps)
        if _factor_and_used_share(search, found)[1] <= MAX_EFFECTIVE_SHARE_AT_START:
            learned = found
    learned = found if learned is None else learned
    n_steps = search.most(n_steps, learned.curve)
    search.stage("Evidence: a penalty for each of W1, b1, W2 and b2")
    return maximize_evidence(search, learned, first, max_iter=n_steps)


def _learned_freely(search, start, groups):
    """A fit that was hardly held back and leaves most residuals free; None if there is none.

    Waves are learnt that way only: under any prior worth its name the way to them goes uphill.
    """
    penalty, fit = Penalty(groups, FREE_PENALTY), None
    start = replace(start, resume=None)  # the damping of another penalty
    search.stage("Learning under next to no penalty")
    for n_steps in FREE_STEPS:
        if fit is None:
            fit = search.minimize(start, penalty, max_iter=search.most(n_steps))
        elif len(fit.curve) < search.max_iter and not _has_learned(search, fit):
            fit = search.minimize(fit, penalty, max_iter=search.most(n_steps, fit.curve))
        if _factor_and_used_share(search, fit)[1] > MUCH_USED_SHARE:  # it is noise that is learnt
            return None
    return fit


def _or_curve(search, start, evident):
    """The fit with its loss, or those of the evidence of a network that has learned to the end.

    Which is not asked where the noise alone is more than it may lose. Of both leverages are taken
    as they are: 1.4 times those of a curve would be 1 for many rows.
    """
    before = min(_loss_of_left_out_rows(search, evident[0], 1.0), search.likelihood.variance)
    least = noise_of_one_column(search.mean_loss) if search.likelihood.is_gaussian else 0.0
    if least >= CURVE_SHARE * before:
        return evident
    start = replace(start, resume=None)  # the damping of another penalty
    curve = learned_curve(search, start, n_steps=AUTO_STEPS, instead=evident[0])
    loss = _loss_of_left_out_rows(search, curve, 1.0)
    return (curve, loss) if loss < CURVE_SHARE * before else evident


def _has_learned(search, fit):
    """Return whether half of the first loss is gone, and of several targets that of each.

    An easy target may be most of the loss, and the others not be learned yet. That of a target is
    its variance, or where pilots have told the noise four times that: twice the noise may be left.
    """
    likelihood, has_halved = search.likelihood, fit.loss <= MUCH_LEFT * fit.curve[0]
    if likelihood.n_outputs == 1 or not has_halved:
        return has_halved
    first = likelihood.variances if search.noise is None else 4 * search.noise
    squares = search.mean_loss.squares(fit.params) / likelihood.total_weight
    return not ((likelihood.variances > 0) & (squares > MUCH_LEFT * first)).any()


def _relevance(search, fit, precisions, *, n_steps, keep=None):
    """The evidence with a precision for each input column, from where that of groups ended."""
    network, prior = search.mean_loss.network, precisions.prior
    prior = np.append(np.full(network.n_features, prior[0]), prior[1:])
    search.stage("Evidence: a penalty for each input, b1, W2 and b2")
    first = Precisions(penalty_groups(network, per_input=True), prior, precisions.noise)
    n_steps = search.most(n_steps, fit.curve)
    return maximize_evidence(search, fit, first, max_iter=n_steps, keep=keep)[0]


def _finish(search, fit):
    """Go on from a fit to the minimum of F under its penalty."""
    search.stage("To the minimum under these penalties")
    return search.minimize(fit, fit.penalty, max_iter=search.most(FINISH_STEPS, fit.curve))


def _better(chosen, rival, loss):
    """Return which of two fits with their losses predicts better; a tie goes to the chosen one."""
    return (rival, loss) if loss < MARGIN * chosen[1] else chosen


def _loss_of_left_out_rows(search, fit, inflation=INFLATION):
    """Mean loss of the rows, each predicted without itself; inf for too flexible a fit."""
    factor, used = _factor_and_used_share(search, fit)
    if used > MAX_JUDGED_SHARE:
        return np.inf
    inflation = inflation if used <= MUCH_USED_SHARE else 1.0
    return leave_one_out_loss(search.mean_loss, fit.params, factor, inflation=inflation)


def _factor_and_used_share(search, fit):
    """The factor of the curvature of F at a fit, and the share of the residuals that it uses up."""
    where = search.mean_loss, fit.params, fit.penalty
    factor, gamma, likelihood = told_by_rows(*where, search.likelihood)
    return factor, gamma.sum() / likelihood.n_telling
