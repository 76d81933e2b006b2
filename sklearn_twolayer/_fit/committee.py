"""How large a network is by default, how many of them, and from how many starts.

The number of units that balances what a network cannot say against what the rows cannot tell
grows as sqrt(S / (f ln S)), for S rows of f columns (Barron 1994, "Approximation and estimation
bounds for artificial neural networks"). A regression takes a committee of such networks: they are
cheap, as a step of lm grows with the square of the weights, and the mean of three predicts as
well as one of three times the units, in a fraction of the time. A classifier takes one network
with as many units as there would be for one column, or so: its penalty does the rest.
"""

import numpy as np

from sklearn_twolayer._bayes.choose_penalty import MAX_JUDGED_SHARE

#: Units of a regression over Barron's order; the least and the most units of a regression, and
#: the least of a classifier, which has the same upper limit unless it has more classes, up to
#: MAX_CLASSES (docs/benchmarks.md).
UNITS, MIN_HIDDEN, MAX_HIDDEN = 4.0, 10, 50
MIN_HIDDEN_OF_CLASSES, MAX_CLASSES = 20, 100
#: Share of the weights that the data determine in a network that is too small.
SATURATED = 0.75
#: Members of the committee of a regression.
N_MEMBERS = 3
#: Starts of a regression by lm under a float alpha, if its matrix takes so many multiply-adds.
N_STARTS, MAX_COST_FOR_STARTS = 5, 1e7


def choose_width(size):
    """Hidden units where ``n_hidden`` is "auto"."""
    S = max(size.n_rows, size.total_weight, 2)
    if size.is_regression:
        n_hidden = round(UNITS * np.sqrt(S / (size.n_features * np.log(S))))
        return min(max(n_hidden, MIN_HIDDEN), MAX_HIDDEN)
    n_hidden = min(max(round(S**0.5), MIN_HIDDEN_OF_CLASSES), MAX_HIDDEN)
    return max(n_hidden, min(size.n_outputs, MAX_CLASSES))


def choose_members(asked, resolved, size):
    """Members where ``n_members`` is "auto".

    Three where the width is "auto" too, lm finds the penalty from all rows, and the fit can be
    folded into one network for good.

    Parameters
    ----------
    asked, resolved : Settings
        Before and after "auto" has been resolved.
    size : Size
    """
    is_lm = size.is_regression and resolved.solver == "lm" and isinstance(resolved.alpha, str)
    is_single = asked.warm_start or asked.is_stream or asked.output_activation != "identity"
    return N_MEMBERS if is_lm and asked.n_hidden == "auto" and not is_single else 1


def wider(n_hidden, fits, size):
    """Twice the units, up to the most, where the data determine nearly all weights; or as many.

    Such members have too few weights for what the rows could tell. There must not be so many
    that leaving rows out tells nothing of the fit any more.
    """
    if any(fit.ending is not None for fit in fits):
        return n_hidden
    p, wide = len(fits[0].params), min(2 * n_hidden, MAX_HIDDEN)
    is_small = np.median([fit.n_effective for fit in fits]) > SATURATED * p
    n_residuals = max(size.n_rows, size.total_weight) * size.n_outputs
    is_judged = p * wide / n_hidden <= MAX_JUDGED_SHARE * n_residuals
    return wide if is_small and is_judged else n_hidden


def choose_starts(settings, cost):
    """Starts of a regression, of which the best is kept: several where the steps of lm are cheap.

    A few units fit a curve well or badly, by where they start. A penalty that is found from the
    rows takes one start.
    """
    is_float = settings.solver == "lm" and not isinstance(settings.alpha, str)
    goes_on = settings.warm_start or settings.early_stopping
    return N_STARTS if is_float and not goes_on and cost <= MAX_COST_FOR_STARTS else 1
