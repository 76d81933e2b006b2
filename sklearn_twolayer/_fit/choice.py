"""The settings of the fit: those whose networks predict best the rows that they left out.

``compare`` asks networks what they lose of left-out rows under one penalty and another. Here it is
said which ones are asked in turn, and what the fit takes from that: a penalty, and where they lose
less the evidence with fewer units, or more units.
"""

from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np

from sklearn_twolayer._bayes.copies import replicates_tell_noise
from sklearn_twolayer._bayes.cross_validate import (
    CLASSES_GRID,
    FEW_NUMBERS_GRID,
    MARGIN,
    NUMBERS_GRID,
    rows_told,
)
from sklearn_twolayer._bayes.noise import Likelihood
from sklearn_twolayer._fit.auto import (
    compares_penalties,
    finds_by_evidence,
    is_gradient_cheap,
    is_small,
    n_params,
    rows_to_compare,
    unit_precision,
)
from sklearn_twolayer._fit.compare import LEARNING_TIMES_LESS, Comparison
from sklearn_twolayer._fit.left_out import COMPARING_SHARE
from sklearn_twolayer._fit.monitor import Stop, Watch, announce
from sklearn_twolayer._fit.results import MAX_WEIGHTS
from sklearn_twolayer._fit.run import training_of
from sklearn_twolayer._fit.span import rows_in_columns
from sklearn_twolayer._fit.weights import member_states

#: How many times as many units are another width, and not only another start.
LEAST_TIMES_WIDER = 1.5


@dataclass(frozen=True)
class Compared:
    """A problem, its settings, and the penalty under which its networks lose least."""

    problem: object
    settings: object
    comparison: Comparison
    pair: tuple

    @property
    def lost(self):
        """The mean loss of the left-out rows."""
        return self.comparison.mean_lost(self.pair)


def with_best_penalty(problem, settings, random_state, *, deadline, start=None):
    """The problem, and the settings with the penalty whose networks predict left-out rows best.

    Both stay as they are where nothing is compared: ``compares_penalties``. Every network goes
    through the penalties from weak to strong, and so will the fit, unless it goes on from a warm
    ``start``. A wide regression has other settings, and fewer units, where left-out rows are
    predicted better by these; a classifier of many classes has more units.
    """
    if not compares_penalties(settings, problem.size):
        return problem, settings
    if start is None:
        params = problem.draw_start(deepcopy(random_state), settings)
    else:
        params = start.params(problem.network, problem.scale)
    part = part_to_compare(problem, settings)
    comparison = Comparison.of(part, settings, params, deadline)
    pair = comparison.best_of(grid_of(problem.size))
    found = Compared(problem, settings, comparison, pair)
    if fewer_units_are_better(found, deepcopy(random_state), deadline=deadline, start=start):
        announce(settings, "Final fit: the evidence, by lm, which loses less")
        return problem.of_width(settings.by_evidence.n_hidden), settings.by_evidence
    found = with_more_units(found, random_state)
    return found.problem, settings_of_fit(found, is_new=start is None)


def fewer_units_are_better(found, random_state, *, deadline, start):
    """Whether a wide regression has a rival whose networks of few units lose less."""
    settings = found.settings.by_evidence
    if settings is None or not found.comparison.told:
        return False
    lost = found.lost / variance_of_targets(found.comparison.networks.problem)
    rival = found.problem.of_width(settings.n_hidden), settings
    how = {"lost": lost, "deadline": deadline.share(COMPARING_SHARE), "start": start}
    return predicts_better(*rival, random_state, **how)


def with_more_units(found, random_state):
    """The same with more units, and the penalty of these, where they lose less."""
    settings, (strength, _) = found.settings, found.pair
    n_hidden = wider_width(found.problem, settings, strength)
    if n_hidden == settings.n_hidden:
        return found
    problem = found.problem.of_width(n_hidden)
    start = problem.draw_start(deepcopy(random_state), settings)
    wider = found.comparison.by_wider(strength, n_hidden, start)
    if wider is None:
        return found
    announce(settings, f"Going on with {n_hidden} units, which lose less")
    comparison, strength = wider
    return Compared(problem, replace(settings, n_hidden=n_hidden), comparison, (strength, 1.0))


def settings_of_fit(found, *, is_new):
    """The settings under the penalty that was found, or under the evidence where this loses less.

    What left-out rows lose goes with them where error bars ask for it. A fit ``is_new`` that does
    not go on from a warm start.
    """
    problem, settings, comparison = found.problem, found.settings, found.comparison
    asks_evidence = comparison.told and finds_by_evidence(settings, problem.size)
    lost = comparison.mean_lost_by_evidence(found.pair) if asks_evidence else np.inf
    if lost < np.inf:
        announce(settings, "Final fit: the evidence, under which left-out rows lose least")
        settings = replace(settings, alpha="evidence")
    else:
        n_told = rows_told(comparison.n_dealt, comparison.bits)
        if n_told >= grid_of(problem.size).min_told_of_bends:
            found = replace(found, pair=comparison.with_cheaper_bends(found.pair))
        lost, learns_first = found.lost, is_new and settings.solver != "adam"
        settings = under_compared_penalty(found, learns_first=learns_first)
    rows = rows_in_columns(comparison.networks.problem)
    if asks_evidence and not replicates_tell_noise(*rows):  # so few that error bars ask, too
        settings = replace(settings, left_out_share=lost / variance_of_targets(problem))
    return settings


def grid_of(size):
    """The penalties among which the one for a problem of this size is chosen."""
    if not size.is_regression:
        return CLASSES_GRID
    return FEW_NUMBERS_GRID if is_small(size) else NUMBERS_GRID


def part_to_compare(problem, settings):
    """The problem of the rows on which penalties are compared; of classes with two rows of each.

    Rows are drawn whatever they weigh. Labels of several kinds, and more classes than it has room
    for, come as they are drawn.
    """
    n_rows = rows_to_compare(problem.size, settings.n_hidden)
    if n_rows == problem.table.n_rows:
        return problem
    return problem.part(n_rows)


def variance_of_targets(problem):
    """The variance of y, of which left-out rows lose a share: the mean over its targets."""
    with ExitStack() as stack:
        return Likelihood.of(problem.mean_loss(problem.table, np.float64, stack)).variance


def wider_width(problem, settings, strength):
    """Units that networks are asked with, too, where classes are many; else those that there are.

    Each two of k classes share a border, and sqrt(S) knows nothing of k: more units may pay where
    they are fewer than the k (k - 1) / 2 pairs, as many as leave a network its error bars, if it
    has some. What then holds the noise back is the penalty: where less than that of a unit prior
    wins, borders are steep, and more units seldom predict them better.
    Unless there are only as many units as classes, of which each may take several.
    """
    size, k, n_hidden = problem.size, problem.targets.n_outputs, settings.n_hidden
    has_pairs = problem.targets.output_activation == "softmax"
    is_narrow = has_pairs and n_hidden < k * (k - 1) / 2
    n_wide = settings.most_hidden
    if n_params(size, n_hidden) <= MAX_WEIGHTS:
        n_wide = min(n_wide, (MAX_WEIGHTS - k) // (size.n_features + 1 + k))
    is_wider = n_wide >= LEAST_TIMES_WIDER * n_hidden and is_gradient_cheap(size, n_wide)
    may_pay = is_narrow and (strength >= 1 or n_hidden <= k) and settings.n_members == 1
    may_pay &= settings.solver == "lbfgs"  # a step of lm takes the square of the weights
    return n_wide if may_pay and is_wider else n_hidden


@np.errstate(over="ignore", invalid="ignore")
def predicts_better(problem, settings, random_state, *, lost, deadline, start):
    """Whether one of the members to be, whose penalty the evidence finds, loses less than ``lost``.

    Of each row when it is left out, as a share of the variance of y. They are asked in turn, as
    many fail by where they start; it is no where the deadline comes before.
    """
    announce(settings, f"Comparing penalties: the evidence, {settings.n_hidden} units by lm")
    problem, brief = replace(problem, held_out=None), replace(settings, verbose=0)
    for state in member_states(random_state, settings.n_members):
        with ExitStack() as stack:
            how = {"watch": Watch(deadline), "start": start}
            training = training_of(problem, brief, state, stack, **how)
            try:
                fit = training.run(start)
            except Stop:
                return False
        if fit.left_out_share < MARGIN * lost:
            return True
    return False


def under_compared_penalty(found, *, learns_first):
    """The settings under the penalty that was found, of a fit that goes on from what has learned.

    One that ``learns_first`` goes on from a network of the comparison, or, as a member of several
    and where none was compared, from where it has come to under less.

    Where a part of the rows told the best S alpha, that of all, of this ``size``, is as many times
    as much as the square root of S is: of units that hardly bend only the product of both layers is
    penalised, an L1 norm of a linear model, and the gradient of the noise, which it has to
    outweigh, is a sum.
    """
    settings, size, comparison = found.settings, found.problem.size, found.comparison
    strength_of_all, ratio = found.pair
    if comparison.told:
        S_part = comparison.networks.problem.size.n_counted
        strength_of_all *= (size.n_counted / S_part) ** 0.5
    alpha = strength_of_all * unit_precision(size)
    shared = "" if ratio == 1 else f", that of W1 {ratio:g} times that of W2"
    times = f"{strength_of_all:.3g} times a unit prior's"
    announce(settings, f"Final fit: alpha = {alpha:.3g}, {times}{shared}")
    is_alone = settings.n_members == 1  # of several, two may not go on from the same weights
    goes_on = learns_first and is_alone
    return replace(
        settings,
        alpha=alpha,
        ratio=ratio,
        max_iter=settings.max_iter + settings.n_free_steps,
        n_free_steps=0,
        learning_alpha=alpha / LEARNING_TIMES_LESS if learns_first else None,
        compared=comparison.networks_under(found.pair) if goes_on else (),
    )
