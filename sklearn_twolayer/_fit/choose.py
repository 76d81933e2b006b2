"""What a fit asks of the rows before it begins: the penalty, and the noise of each target."""

from copy import deepcopy
from dataclasses import replace

import numpy as np

from sklearn_twolayer._bayes.cross_validate import CLASSES_GRID, FEW_NUMBERS_GRID, NUMBERS_GRID
from sklearn_twolayer._fit.auto import (
    compares_penalties,
    is_small,
    rows_to_start_on,
    unit_precision,
)
from sklearn_twolayer._fit.compare import Comparison
from sklearn_twolayer._fit.monitor import Watch, announce
from sklearn_twolayer._fit.run import fit_member
from sklearn_twolayer._fit.weights import WarmStart
from sklearn_twolayer._network.scale import column_moments

#: Pilot fits that tell the noise of several targets; after the second it moved no more
#: (docs/benchmarks.md).
MOST_PILOTS = 2
#: Noises that differ by less are taken for the same: no further pilot is needed.
SAME_NOISE = 1.5
#: Least noise that a pilot is believed, as a share of the largest: squares that count more than ten
#: thousand times as much as in the pilot would leave the other targets to rounding.
LEAST_NOISE = 0.01
#: Left-out rows that are predicted within this share of the variance of y tell that the evidence
#: will not take the signal for noise, and it goes further down (docs/benchmarks.md).
LOW_NOISE = 0.05


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
    """Settings with the penalties whose networks predict left-out rows best.

    Every network goes through the penalties from weak to strong, and so will the fit, unless it
    goes on from a warm ``start``. A wide regression with next to no noise has other settings.
    """
    if settings.alpha != "auto" or not compares_penalties(settings, problem.size):
        return settings
    grid, unit = grid_of(problem.size), unit_precision(problem.size)
    if start is None:
        params = problem.draw_start(deepcopy(random_state), settings)
    else:
        params = start.params(problem.network, problem.scale)
    comparison = Comparison.of(problem, settings, params, deadline)
    strength = grid.choose(comparison.losses, comparison.n_dealt)
    if strength == grid.strengths[-1]:
        strength = comparison.beyond(strength, grid.stronger)
    if settings.at_low_noise is not None and comparison.share_lost(strength) < LOW_NOISE:
        announce(settings, "Hardly any noise: the evidence finds the penalty, by lm")
        return settings.at_low_noise
    ratio, alpha = comparison.ratio(strength), strength * unit
    shared = "" if ratio == 1 else f", that of W1 {ratio:g} times that of W2"
    announce(settings, f"Final fit: alpha = {alpha:.3g}, {strength:g} times a unit prior's{shared}")
    learning_alpha = alpha / 10 if start is None else None
    return replace(settings, alpha=alpha, ratio=ratio, learning_alpha=learning_alpha)
