"""The posterior of a fit: from all of its rows, or from as many as a second allows.

The Gauss-Newton matrix takes n p^2 multiply-adds and is needed once. Where that is too much it
is estimated from a random part of the rows: the mean over the part, that is their sum scaled
by S / S_part. The residuals are those of all rows.
"""

from contextlib import ExitStack

import numpy as np

from sklearn_twolayer._bayes.posterior import posterior_of
from sklearn_twolayer._fit.settings import is_affordable, n_params
from sklearn_twolayer._network.objective import MeanLoss

#: Most weights of a network that has error bars; fits of few rows may have more, in dual form.
MAX_WEIGHTS = 5000
#: n p^2 of the rows that a matrix is made of, about a second on one core (2.5 to 3.5e10), and of a
#: part and its factors together, ten seconds.
MAX_COST, MAX_COST_OF_PART = 3e10, 3.8e11
#: Several outputs take so many times as long for the same n p^2.
COST_OF_SEVERAL_OUTPUTS = 3.5
#: n k p^2 of the rows whose own predictions are judged, a tenth of a second or two; and their least
#: number.
MAX_COST_OF_JUDGED, MIN_JUDGED = 3e9, 100
#: Entries of the Jacobian of a block that stays in cache.
ENTRIES_IN_CACHE = 2**19

TOO_MANY_WEIGHTS = (
    "its {p} weights are more than the {most:,} of a Gauss-Newton matrix that can be afforded: "
    "choose a smaller n_hidden"
)
TOO_LONG = (
    "its Gauss-Newton matrix of {p} weights and {k} outputs would take more than ten seconds: "
    "choose a smaller n_hidden"
)
STREAM = (
    "it was trained by partial_fit, whose last batch does not stand for all rows: call fit with "
    "warm_start=True on rows that do"
)


def rows_of_curvature(size, n_hidden):
    """How many rows the matrix is made of; 0 where it would take too long.

    All of them if their n p^2 is not more than a second. Otherwise as many as that, but no
    fewer than have 2 p residuals: the prior helps where they leave a direction out.
    """
    p, k = n_params(size, n_hidden), size.n_outputs
    if is_affordable(size, n_hidden):
        return size.n_rows
    if p > MAX_WEIGHTS:
        return 0
    cost_of_row = p**2 * (1 if k == 1 else COST_OF_SEVERAL_OUTPUTS)
    n_rows = min(size.n_rows, max(int(MAX_COST / cost_of_row), -(-2 * p // k)))
    return n_rows if n_rows * cost_of_row + p**3 <= MAX_COST_OF_PART else 0


def why_no_error_bars(problem, resume):
    """Why a fit has no posterior, and what to do; see ``Learned``."""
    if resume is not None and resume.is_stream:
        return STREAM
    p, k = problem.network.n_params, problem.network.n_outputs
    return (TOO_MANY_WEIGHTS if p > MAX_WEIGHTS else TOO_LONG).format(p=p, k=k, most=MAX_WEIGHTS)


def posterior_of_fit(problem, fit):
    """The posterior of the weights of a fit, or None where its matrix would take too long."""
    network, size = problem.network, problem.size
    p, k = network.n_params, network.n_outputs
    n_rows = rows_of_curvature(size, network.n_hidden)
    if n_rows == 0:
        return None
    is_alone = size.is_regression and k == 1  # with all of the leverages
    n_judged = n_rows if is_alone else max(int(MAX_COST_OF_JUDGED / (k * p**2)), MIN_JUDGED)
    with ExitStack() as stack:

        def mean_loss(n_rows, width):
            rows = problem.table.part(n_rows).rows(problem.scale, np.float64, width)
            rows = stack.enter_context(rows)
            return MeanLoss(network, problem.targets.loss, rows)

        part = mean_loss(n_rows, _width_of_curvature(network))
        few = mean_loss(min(n_judged, n_rows), max(network.width, network.n_first))
        everything = part if n_rows == size.n_rows else mean_loss(size.n_rows, network.width)
        return posterior_of(everything, fit.params, fit.penalty, part=part, few=few)


def _width_of_curvature(network):
    """Columns that are taken for those of a block: it grows with the matrix to which it adds.

    A block of a few weights stays in cache. One of many has as many rows as weights, as each
    block adds p^2 numbers; or fewer where its (h, h) of each row would be larger.
    """
    p = network.n_params
    widest = p if network.n_outputs == 1 else max(p, network.n_hidden**2)
    return max(min(widest, widest * ENTRIES_IN_CACHE // p**2), 1)
