"""What a fit asks of the rows before it begins: the penalty, and the noise of each target."""

from copy import deepcopy
from dataclasses import replace

import numpy as np

from sklearn_twolayer._bayes.cross_validate import (
    CLASSES_GRID,
    ENOUGH_ROWS,
    FEW_NUMBERS_GRID,
    NUMBERS_GRID,
    left_out_shares,
    n_folds_asked,
)
from sklearn_twolayer._fit.monitor import Watch, announce
from sklearn_twolayer._fit.refits import COMPARING_SHARE, left_out_losses
from sklearn_twolayer._fit.run import fit_member
from sklearn_twolayer._fit.settings import (
    compares_penalties,
    rows_to_start_on,
    unit_precision,
)
from sklearn_twolayer._fit.size import is_small
from sklearn_twolayer._fit.training import LEARNING_STEPS
from sklearn_twolayer._fit.weights import WarmStart
from sklearn_twolayer._network.objective import Penalty
from sklearn_twolayer._network.scale import column_moments

#: Pilot fits that tell the noise of several targets; after the second it moved no more
#: (docs/benchmarks.md).
MOST_PILOTS = 2
#: Noises that differ by less are taken for the same: no further pilot is needed.
SAME_NOISE = 1.5
#: Least noise, as a share of the largest: squares that count ten thousand times as much would
#: leave the other targets to rounding.
LEAST_NOISE = 0.01
#: Left-out rows that are predicted within this share of the variance of y tell that the evidence
#: will not take the signal for noise, and it goes further down (docs/benchmarks.md).
LOW_NOISE = 0.05
#: Most iterations under each of the penalties that are compared: of 100 distinct rows and more
#: twice as many chose no better; fewer rows, which cost little, leave a plateau too late for that.
COMPARED_STEPS = 50


def weigh_targets(problem, settings, random_state, *, deadline, start=None):
    """The problem with each target in units of its noise, where the evidence chooses penalties.

    Squared errors of several targets count by their noise precisions beta_c, as in their
    likelihood, if y_c is measured in units of beta_c^-1/2. The noise is that of pilot fits by
    the evidence: the first weighs all targets alike, and noisy ones drown the others. A target
    that is constant in these rows tells of no noise, and stays as it is.

    Returns
    -------
    problem : Problem
    start : WarmStart or None
        Where to start: from the pilot if there is no time left to do better.
    """
    k, loss = problem.targets.n_outputs, problem.targets.loss
    chooses = isinstance(settings.alpha, str) and loss.is_squared_error
    if k == 1 or not chooses or loss.output_activation != "identity":
        return problem, start
    n_rows = rows_to_start_on(problem.size, settings)
    solver, table = settings.solver, problem.table
    if n_rows < table.n_rows:
        solver, table = "lm", table.part(n_rows).collected()
    with table.raw_rows("encoded", 4096) as rows:
        varies = np.flatnonzero(~column_moments(rows).is_constant)
    if len(varies) < 2:
        return problem, start
    quiet = {"early_stopping": False, "verbose": 0}
    pilot = replace(settings, alpha="evidence", solver=solver, **quiet)
    for number in range(1, MOST_PILOTS + 1):
        announce(settings, f"Finding the noise of each target: pilot fit {number}")
        watch, states = Watch(deadline), deepcopy(random_state)
        part = replace(problem, table=table, held_out=None)
        fit = fit_member(part, pilot, states, watch=watch, start=start)
        if deadline.is_over():
            return problem, WarmStart(*problem.weights(fit.params))
        noise = fit.posterior.noise_precision[varies] ** -0.5
        noise = np.maximum(noise, LEAST_NOISE * noise.max())
        noise /= np.exp(np.log(noise).mean())
        y_scale = problem.scale.y_scale.copy()
        y_scale[varies] *= noise
        problem = replace(problem, scale=replace(problem.scale, y_scale=y_scale))
        if noise.max() < SAME_NOISE * noise.min():
            break
    return problem, start


def grid_of(size):
    """The penalties among which the one for a problem of this size is chosen."""
    if not size.is_regression:
        return CLASSES_GRID
    return FEW_NUMBERS_GRID if is_small(size) else NUMBERS_GRID


def choose_alpha(problem, settings, random_state, *, deadline, start=None):
    """Settings in which alpha is the one whose networks predict left-out rows best.

    Every network goes through the penalties from weak to strong, and so will the fit, unless it
    goes on from a warm ``start``. A wide regression with next to no noise has other settings.
    """
    if settings.alpha != "auto" or not compares_penalties(settings, problem.size):
        return settings
    size, network = problem.size, problem.network
    grid, unit = grid_of(size), unit_precision(size)
    table, are_labels = problem.table, not size.is_regression
    options = {"frequency": table.frequency, "are_labels": are_labels}
    left_out, n_dealt = left_out_shares(table.X, table.encoded, problem.scale, **options)
    weight = np.ones(len(left_out)) if table.weight is None else table.weight
    if start is None:
        params = problem.draw_start(deepcopy(random_state), settings)
    else:
        params = start.params(network, problem.scale)

    n_steps = COMPARED_STEPS if n_dealt >= ENOUGH_ROWS else LEARNING_STEPS
    brief = replace(settings, max_iter=min(settings.max_iter, n_steps))

    told, until = [], deadline.share(COMPARING_SHARE)

    def losses(number, strengths):
        out = left_out[:, number]
        rows = f"{np.count_nonzero(out)} left-out rows"
        where = f"fold {number + 1} of {n_folds_asked(n_dealt)}"
        announce(settings, f"Comparing {len(strengths)} penalties on {rows}, {where}")
        candidates = [Penalty.fixed(network, c * unit * size.n_counted) for c in strengths]
        options = {"rows": (1 - out, out), "deadline": until}
        found = left_out_losses(problem, brief, params, candidates, **options)
        if len(found) == len(strengths):
            told.append((dict(zip(strengths, found)), weight @ out))
        return found

    strength = grid.choose(losses, n_dealt)
    if settings.at_low_noise is not None and told:
        lost = sum(found[strength] for found, _ in told) / sum(of_fold for _, of_fold in told)
        if lost < LOW_NOISE:
            announce(settings, "Hardly any noise: the evidence finds the penalty, by lm")
            return settings.at_low_noise
    alpha = strength * unit
    announce(settings, f"Final fit: alpha = {alpha:.3g}, {strength:g} times that of a unit prior")
    return replace(settings, alpha=alpha, learning_alpha=alpha / 10 if start is None else None)
