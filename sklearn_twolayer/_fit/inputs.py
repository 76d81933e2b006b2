"""Penalties of inputs: each has its own, where left-out rows are predicted better by that.

Few inputs may matter of many, and one alpha lets all others learn noise. The evidence has
alpha_j |w_j|^2 = gamma_j for the weights w_j of input j (MacKay 1994, "Bayesian non-linear modeling
for the prediction competition"). With the same gamma for each, and as much of the penalty in all,

    alpha_j = alpha mean_k |w_k|^2 / |w_j|^2

which is adaptive ridge (Grandvalet 1998, "Least absolute shrinkage is equivalent to quadratic
penalization", for powers of |w_j|). The network of each fold has these by its own weights and goes
on, again and again as long as less is lost of all that was left out.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sklearn_twolayer._bayes.cross_validate import HOPELESS, MARGIN, rows_told
from sklearn_twolayer._fit.compare import LARGE_MARGIN
from sklearn_twolayer._fit.monitor import announce
from sklearn_twolayer._fit.span import params_in_columns, problem_in_columns

#: Up to how many times as much as all together an input is penalised, and in how many rounds.
MOST_OF_INPUT, MAX_ROUNDS = 1000.0, 10
#: Fewer left-out rows, of whole bits, tell by luck which inputs matter (docs/choices.md).
MIN_TOLD = 20
#: Most multiply-adds of a forward pass over all columns where a span would do: some seconds a fit.
MAX_COST_OF_COLUMNS = 3e6


class ByInputs(NamedTuple):
    """What folds lose together where inputs have their own penalties, and their (loss, weights)."""

    pair: tuple  # the penalty of all of them
    lost: float
    times: list  # (f,) for each fold: how many times the alpha of W1 each input has
    fits: list


def with_penalties_of_inputs(found, strength):
    """What was found, with how many times the alpha of W1 each input has where less is lost so.

    By a twentieth. The ``strength`` that was best before bends became cheap, for all inputs, holds
    back too much once few are left: where they gain, or where more than unit precision was best,
    they are asked from the next weaker one, too. The fit has the geometric mean of what the folds
    have, to half a decade, lest rounding be passed on. It is in columns then: coordinates of a span
    are no inputs.
    """
    comparison = found.comparison
    if not may_tell_inputs(found):
        return found
    announce(found.settings, "Comparing penalties: of each input its own")
    next_weaker = comparison.next_weaker(strength)
    comparison = in_columns(comparison, [found.pair, *next_weaker])
    lost = comparison.sum_lost(found.pair)
    best = by_inputs(comparison, found.pair)
    if best.lost < LARGE_MARGIN * lost or strength > 1:
        for weaker in next_weaker:
            if comparison.sum_lost(weaker) < HOPELESS * lost:
                other = by_inputs(comparison, weaker)
                is_better = other.times and other.lost < MARGIN * best.lost
                best = other if is_better else best
    if best.lost >= LARGE_MARGIN * lost:
        return found
    for fold, fit in zip(comparison.told, best.fits):
        fold[best.pair] = fit
    half_decades = np.round(2 * np.mean(np.log10(best.times), axis=0))
    settings = replace(found.settings, of_inputs=tuple(10 ** (half_decades / 2)))
    problem = found.problem
    if problem.in_columns is not None:
        announce(settings, f"Going on in all {len(best.times[0])} columns")
        problem = problem_in_columns(problem)
    return replace(found, problem=problem, settings=settings, comparison=comparison, pair=best.pair)


def may_tell_inputs(found):
    """Whether there are several inputs, rows that tell of them, and time for all of their columns.

    A network in coordinates of a span has few weights, one of the columns many.
    """
    comparison, problem = found.comparison, found.problem
    if problem.in_columns is not None:
        n_rows, columns = problem.table.n_rows, problem.in_columns.network
        if n_rows * columns.n_features * columns.n_hidden > MAX_COST_OF_COLUMNS:
            return False
    is_told = len(comparison.told) > 0 and problem.network.n_features > 1
    return is_told and rows_told(comparison.n_dealt, comparison.bits) >= MIN_TOLD


def in_columns(comparison, pairs):
    """The comparison of networks in the columns of X, where they are in coordinates of a span.

    Under the penalties ``pairs`` that are asked of it.
    """
    problem = comparison.networks.problem
    if problem.in_columns is None:
        return comparison
    networks = replace(comparison.networks, problem=problem_in_columns(problem))
    told = []
    for fold in comparison.told:
        asked = {pair: fold[pair] for pair in pairs}.items()
        told.append({pair: (loss, params_in_columns(problem, w)) for pair, (loss, w) in asked})
    return replace(comparison, networks=networks, told=told)


def by_inputs(comparison, pair):
    """What networks lose that go on from one penalty of all inputs under those of each."""
    unpack = comparison.networks.problem.network.unpack
    fits, kept, lost = [fold[pair] for fold in comparison.told], (), comparison.sum_lost(pair)
    for _ in range(MAX_ROUNDS):
        times = [times_of_inputs(unpack(params)[0]) for _, params in fits]
        penalties = [comparison.penalty_of(pair, each) for each in times]
        found = comparison.go_on(fits, penalties, is_raced=not kept)
        if found is None or sum(loss for loss, _ in found) >= MARGIN * lost:
            break
        fits, kept, lost = found, times, sum(loss for loss, _ in found)
    return ByInputs(pair, lost, kept, fits)


def times_of_inputs(W1):
    """How many times alpha each input has, (f,), that each has as much of the penalty of W1 (f, h).

    A thousand times at most. Inputs without any weight, as standardised constants are, have no part
    in the mean.
    """
    squares = (W1**2).mean(axis=1)
    if not squares.any():
        return np.ones(len(W1))
    mean = squares[squares > 0].mean()
    return mean / np.maximum(squares, mean / MOST_OF_INPUT)
