"""Warm starts that say nothing of the rows, or are wrong of the level of y alone.

A fit standardises by its own rows. Weights that were learned in other units, as of a y whose level
was a thousand deviations away, start at F = 10^6. From there lm and L-BFGS have gone to the
constant, or to W2 = 200 and a network for which no row asks (docs/choices.md).
"""

from contextlib import ExitStack
from copy import deepcopy
from dataclasses import replace

import numpy as np

from sklearn_twolayer._fit.monitor import announce

#: A warm start on rows in other units is left where it loses more than so many times as much as
#: weights that are drawn: networks that have hardly begun to learn lose about as much as these
#: (docs/choices.md).
FOREIGN = 1.25
#: Where these lose less than this share of the best constant, next to nothing is to be learned.
NOTHING = 0.01
#: Shifted it has to lose so many times less than they do: units that answer the same for all rows
#: lose a little less.
TELLING = 2.0
#: A start that loses so many times as much is a mistake, of which the user is warned, and left in
#: the same units, too: rows with other labels, targets of the other sign, or a step of gd that was
#: too long lose less.
ABSURD = 10.0


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is no start
def near_the_rows(problem, settings, random_state):
    """The problem with a warm start that suits its rows, or with none; and a list of warnings.

    The start stays, unless its mean loss is more than ``FOREIGN`` times that of weights that
    are drawn, or ``ABSURD`` times in the units of its own rows. It is then shifted to the level of
    y, if it loses less than half as much as these there; else it says nothing of these rows. A
    stream goes on in the units of its first batch, and weights that no fit has set are where the
    user wants to start: both stay as they are.
    """
    start = problem.start
    if start.is_assigned or settings.is_stream:
        return problem, []
    params = start.params(problem.network, problem.scale)
    drawn = problem.draw_start(deepcopy(random_state), settings)
    with ExitStack() as stack:
        mean_loss = problem.mean_loss(problem.table, np.float64, stack)
        lost, usual = mean_loss.value(params), mean_loss.value(drawn)
        most = FOREIGN * usual if _are_other_units(start.scale, problem.scale) else ABSURD * usual
        if lost <= max(most, NOTHING * problem.constant_loss) or not usual:
            return problem, []
        shift = _shift_to_level(mean_loss, params)
        if TELLING * mean_loss.value(params + shift) < usual:
            b2 = start.intercepts[1] + problem.network.unpack(shift)[-1] * problem.scale.y_scale
            b2 = b2.astype(start.intercepts[1].dtype)
            start = replace(start, intercepts=[start.intercepts[0], b2], resume=None)
            told = _told(settings, lost, usual, "b2 has been shifted to the level of y")
            return replace(problem, start=start), told
    told = _told(settings, lost, usual, "the fit has begun with drawn ones")
    return replace(problem, start=None), told


def _are_other_units(scale, other):
    """Whether two standardisations differ, as those of other rows do; without one they do not."""
    parts = [(each.mean, each.scale, each.y_mean, each.y_scale) for each in (scale, other)]
    return not all(map(np.array_equal, *parts))


def _shift_to_level(mean_loss, params):
    """The change (p,) of weights (p,) to the best b2 that there is for the others, or zeros.

    Of the squared error of k identity outputs dF/db2 = 2 mean(Z2 - y) / k, and

        b2 <- b2 - k / 2 dF/db2
    """
    shift = np.zeros_like(params)
    if mean_loss.loss.is_quadratic:
        _, gradient = mean_loss.value_and_gradient(params)
        *_, db2 = mean_loss.network.unpack(gradient)
        shift[-len(db2) :] = -len(db2) / 2 * db2
    return shift


def _told(settings, lost, usual, what):
    """The warnings of a start that was left, [] where only a verbose fit tells of it."""
    said = (
        f"warm_start=True: the weights of the last fit lose {lost:.3g} on these rows, where "
        f"weights that are drawn lose {usual:.3g}. They are of other rows, in other units, or too "
        f"sure of themselves, and {what}. Set warm_start=False to begin anew, or call partial_fit "
        "to go on in the units of the first fit."
    )
    if lost > ABSURD * usual:
        return [UserWarning(said)]
    announce(settings, said)
    return []
