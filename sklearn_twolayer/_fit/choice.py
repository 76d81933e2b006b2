"""The settings of the fit: those whose networks predict best the rows that they left out.

Before the evidence weighs several targets, it is found out here in which units.

``compare`` asks networks what they lose of left-out rows under one penalty and another. Here it is
said which ones are asked in turn, and what the fit takes from that: a penalty, and where they lose
less the evidence with fewer units, or more units.
"""

from contextlib import ExitStack, suppress
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
from sklearn_twolayer._bayes.posterior import MAX_WEIGHTS
from sklearn_twolayer._fit.auto import (
    compares_penalties,
    finds_by_evidence,
    is_gradient_cheap,
    is_small,
    n_params,
    rows_to_compare,
    rows_to_start_on,
    unit_precision,
)
from sklearn_twolayer._fit.compare import LEARNING_TIMES_LESS, Comparison
from sklearn_twolayer._fit.inputs import with_penalties_of_inputs
from sklearn_twolayer._fit.left_out import COMPARING_SHARE
from sklearn_twolayer._fit.monitor import Stop, Watch, announce
from sklearn_twolayer._fit.parameters import Plan
from sklearn_twolayer._fit.run import Problem, fit_member, member_states, training_of
from sklearn_twolayer._fit.span import problem_in_columns, rows_in_columns
from sklearn_twolayer._fit.weights import WarmStart
from sklearn_twolayer._network.scale import moments_of

#: How many times as many units are another width, and not only another start.
LEAST_TIMES_WIDER = 1.5
#: Pilot fits that tell the noise of several targets; after the second it moved no more
#: (docs/choices.md).
MOST_PILOTS = 2
#: Noises that differ by less are taken for the same: no further pilot is needed.
SAME_NOISE = 1.5
#: Least noise that pilots are believed, as a share of the largest, in deviations of the targets:
#: beside one whose squares count more than a hundred times as much the others stay unlearned
#: (docs/choices.md).
LEAST_NOISE = 0.1


@dataclass(frozen=True)
class Compared:
    """A problem, its settings, and the penalty under which its networks lose least."""

    problem: Problem
    settings: Plan
    comparison: Comparison
    pair: tuple

    @property
    def lost(self):
        """The mean loss of the left-out rows."""
        return self.comparison.mean_lost(self.pair)


def with_best_penalty(problem, settings, random_state, deadline):
    """The problem, and the settings with the penalty whose networks predict left-out rows best.

    Both stay as they are where nothing is compared: ``compares_penalties``. Every network goes
    through the penalties from weak to strong, and so will the fit, unless it goes on from a warm
    start. A wide regression has other settings, and fewer units, where left-out rows are
    predicted better by these; a classifier of many classes has more units.
    """
    if not compares_penalties(settings, problem.size):
        return problem, settings
    # A warm start has seen the rows that are to be left out.
    params = problem.draw_start(deepcopy(random_state), settings)
    part = part_to_compare(problem, settings)
    comparison = Comparison.of(part, settings, params, deadline)
    pair = comparison.best_of(grid_of(problem.size))
    found = Compared(problem, settings, comparison, pair)
    if fewer_units_are_better(found, deepcopy(random_state), deadline):
        announce(settings, "Final fit: the evidence, by lm, which loses less")
        return problem.of_width(settings.by_evidence.n_hidden), settings.by_evidence
    found = with_more_units(found, random_state)
    return settings_of_fit(found)


def fewer_units_are_better(found, random_state, deadline):
    """Whether a wide regression has a rival whose networks of few units lose less."""
    settings = found.settings.by_evidence
    if settings is None or not found.comparison.told:
        return False
    lost = found.lost / variance_of_targets(found.comparison.networks.problem)
    rival, deadline = found.problem.of_width(settings.n_hidden), deadline.share(COMPARING_SHARE)
    return predicts_better(rival, settings, random_state, lost=lost, deadline=deadline)


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


def settings_of_fit(found):
    """The problem, and settings under the penalty found, or the evidence where this loses less.

    What left-out rows lose goes with them where error bars ask for it.
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
            with_bends = replace(found, pair=comparison.with_cheaper_bends(found.pair))
            found = with_penalties_of_inputs(with_bends, strength=found.pair[0])
        lost, settings = found.lost, under_compared_penalty(found)
    rows = rows_in_columns(comparison.networks.problem)
    if asks_evidence and not replicates_tell_noise(*rows):  # so few that error bars ask, too
        settings = replace(settings, left_out_share=lost / variance_of_targets(problem))
    return found.problem, settings


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
def predicts_better(problem, settings, random_state, *, lost, deadline):
    """Whether one of the members to be, whose penalty the evidence finds, loses less than ``lost``.

    Of each row when it is left out, as a share of the variance of y. They are asked in turn, as
    many fail by where they start; it is no where the deadline comes before.
    """
    announce(settings, f"Comparing penalties: the evidence, {settings.n_hidden} units by lm")
    problem, brief = replace(problem, held_out=None), replace(settings, verbose=0)
    with suppress(Stop):
        for state in member_states(random_state, settings.n_members):
            with ExitStack() as stack:
                training = training_of(problem, brief, state, stack, watch=Watch(deadline))
                if training.run().left_out_share < MARGIN * lost:
                    return True
    return False


def under_compared_penalty(found):
    """The settings under the penalty that was found, of a fit that goes on from what has learned.

    One that has no warm start, and does not learn by adam, goes on from a network of the
    comparison, or, as a member of several and where none was compared, from where it has come to
    under less.

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
    if settings.of_inputs:
        least, most = min(settings.of_inputs), max(settings.of_inputs)
        shared += f", of inputs {least:.3g} to {most:.3g} times that"
    announce(settings, f"Final fit: alpha = {alpha:.3g}, {times}{shared}")
    learns_first = found.problem.start is None and settings.solver != "adam"
    goes_on = learns_first and settings.n_members == 1  # two may not go on from the same weights
    return replace(
        settings,
        alpha=alpha,
        ratio=ratio,
        max_iter=settings.max_iter + settings.n_free_steps,
        n_free_steps=0,
        learning_alpha=alpha / LEARNING_TIMES_LESS if learns_first else None,
        compared=comparison.networks_under(found.pair) if goes_on else (),
    )


def weigh_targets(problem, settings, random_state, deadline):
    """A problem with each of several targets in units of its noise, as far as pilots tell it.

    It is for fits in which the evidence chooses penalties: elsewhere units stay.

    Squared errors of several targets count by their noise precisions beta_c, as in their
    likelihood, if y_c is measured in units of beta_c^-1/2. The noise is that of pilot fits by
    the evidence: the first weighs all targets alike, and noisy ones drown the others. A target
    that is constant in these rows tells of no noise, and stays as it is. The fit starts where it
    would have, but from the pilot if there is no time left to do better.
    """
    if not problem.targets.loss.is_quadratic:
        return problem
    n_rows = rows_to_start_on(problem.size, settings)
    solver, table = settings.solver, problem.table
    if n_rows < table.n_rows:
        solver, table = "lm", table.part(n_rows).collected()
    unit, varies = problem.scale.y_scale, np.flatnonzero(~moments_of(table, "encoded").is_constant)
    if len(varies) < 2:
        return problem
    pilot = replace(  # it leaves out no rows
        settings, alpha="evidence", solver=solver, verbose=0, n_starts=1, left_out_share=None
    )
    for number in range(1, MOST_PILOTS + 1):
        announce(settings, f"Finding the noise of each target: pilot fit {number}")
        watch, states = Watch(deadline), deepcopy(random_state)
        part = replace(problem.of_rows(table), held_out=None)
        fit = fit_member(part, pilot, states, watch=watch)
        if deadline.is_over():
            problem = problem if problem.in_columns is None else problem_in_columns(problem)
            return replace(problem, start=WarmStart(*problem.weights(fit.params)))
        if fit.posterior is None:  # of too many weights: nothing tells the noise
            return problem
        before, y_scale = problem.scale.y_scale, unit.copy()
        noise = (before / unit * fit.posterior.noise_precision**-0.5)[varies]
        noise = np.maximum(noise, LEAST_NOISE * noise.max())
        mean = np.exp(np.log(noise).mean())
        y_scale[varies] *= noise / mean
        scale = replace(problem.scale, y_scale=y_scale)
        problem = replace(problem, scale=scale, noise=mean**2)
        change = (y_scale / before)[varies]
        if change.max() < SAME_NOISE * change.min():
            break
    return problem
