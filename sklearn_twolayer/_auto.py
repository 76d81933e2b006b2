"""What "auto" means: solver, learning rate, batch size, iterations and alpha.

=============  ===============  ========================  ========================  =====  ====
parameter      gd               sgd                       adam                      lbfgs  lm
=============  ===============  ========================  ========================  =====  ====
learning_rate  1 / (1 + f + h)  0.05                      0.01                      --     --
batch_size     --               n / 20, from 16 to 200    n / 20, from 16 to 200    --     --
max_iter       2000             100                       100                       1000   200
=============  ===============  ========================  ========================  =====  ====

A batch never has more rows than there are. n_hidden is 50. A classifier takes lm on small
tables, or to find the evidence.

alpha is chosen by the evidence and its rivals (regressor, where lm sees all rows), or by
cross-validation around 1 / S, where S is the sum of the weights (classifier, lm and lbfgs,
tables in memory of moderate size). Elsewhere it is a float: 1 / S for the solvers that take
all rows at once, and 0.0003 (regressor) or 0.003 (classifier) for sgd and adam. A regression
by lm under a float alpha takes the best of five starts where its matrix is cheap and max_iter
is "auto". The constants are measured: docs/benchmarks.md says on what.
"""

from dataclasses import dataclass
from numbers import Integral

import numpy as np

#: Hidden units where ``n_hidden`` is "auto". The penalty, not their number, holds a network
#: back: more units cost time, and ten were too few on many tables (docs/benchmarks.md).
N_HIDDEN = 50
#: Most multiply-adds of a Gauss-Newton matrix for which a classifier takes lm: on larger ones
#: L-BFGS reaches the same loss sooner.
MAX_CLASSIFIER_COST = 1e6
#: Most multiply-adds of one gradient for which a classifier compares penalties.
MAX_COMPARED_COST = 1e7
#: Most multiply-adds of one Gauss-Newton matrix, and the largest to factorise. The
#: evidence and its rivals take some 150 of them.
MAX_GAUSS_NEWTON_COST = 4e9
MAX_GAUSS_NEWTON_SIZE = 2000
#: Most multiply-adds of one gradient that L-BFGS is asked to repeat.
MAX_FULL_BATCH_COST = 2e9

#: Batches of an epoch, and the least and the most rows of one.
N_BATCHES, MIN_BATCH, MAX_BATCH = 20, 16, 200

MAX_ITER = {"gd": 2000, "sgd": 100, "adam": 100, "lbfgs": 1000, "lm": 200}


#: Starts of a regression by lm under a float alpha, the steps of each before only the best two
#: go on, and the most multiply-adds of a Gauss-Newton matrix for which there are several.
N_STARTS, TRIAL_STEPS = 5, 20
MAX_COST_FOR_STARTS = 1e7


@dataclass(frozen=True)
class Settings:
    """The resolved values of the parameters that may be "auto", and the number of starts.

    ``alpha`` is a float, or the name of the strategy by which penalties are chosen. A fit
    goes through the weaker penalties ``path`` before it.
    """

    solver: str
    alpha: float | str
    learning_rate: float
    batch_size: int
    max_iter: int
    n_starts: int = 1
    path: tuple = ()


def is_affordable(total_weight, n_features, n_hidden, n_outputs):
    """Whether the Gauss-Newton matrix is: p x p, or S k x S k in the dual form.

    A row of weight 2 counts as two rows; S = n without weights.
    """
    size, cost = _gauss_newton_size_and_cost(total_weight, n_features, n_hidden, n_outputs)
    return size <= MAX_GAUSS_NEWTON_SIZE and cost <= MAX_GAUSS_NEWTON_COST


def _gauss_newton_size_and_cost(total_weight, n_features, n_hidden, n_outputs):
    n_params = (n_features + 1) * n_hidden + (n_hidden + 1) * n_outputs
    small, large = sorted((n_params, total_weight * n_outputs))
    return small, large * small**2


def choose_n_hidden(n_hidden):
    """The hidden units of ``n_hidden``, an integer or "auto"."""
    return int(n_hidden) if isinstance(n_hidden, Integral) else N_HIDDEN


def compares_penalties(table, network):
    """Whether networks of left-out rows are cheap enough to choose a penalty by them."""
    return table.is_in_memory and table.n_rows * network.n_params <= MAX_COMPARED_COST


def choose_solver(total_weight, n_features, n_hidden, n_outputs, most=np.inf):
    """Levenberg-Marquardt where its matrix is affordable, then L-BFGS, then Adam.

    The first only where the matrix takes at most ``most`` multiply-adds.
    """
    shape = total_weight, n_features, n_hidden, n_outputs
    if is_affordable(*shape) and _gauss_newton_size_and_cost(*shape)[1] <= most:
        return "lm"
    if total_weight * n_features * n_hidden <= MAX_FULL_BATCH_COST:
        return "lbfgs"
    return "adam"


def choose_alpha(alpha, solver, early_stopping, total_weight, stochastic, compares):
    """The alpha of a fit: "auto" is a float where nothing is compared.

    That is 1 / S, under the log loss a prior of unit precision, or ``stochastic``
    for mini-batches, which regularise in their own way. ``compares`` are the solvers under
    which penalties are.

    Raises
    ------
    ValueError
        If the evidence is asked of a fit that has no Gauss-Newton matrix of all rows.
    """
    if not isinstance(alpha, str):
        return alpha
    if solver == "lm" and not early_stopping and alpha != "auto":
        return alpha
    if alpha == "auto":
        if solver in compares and not early_stopping:
            return alpha
        return stochastic if solver in ("sgd", "adam") else 1 / total_weight
    reason = "early_stopping=True holds rows out" if solver == "lm" else f"solver is {solver!r}"
    raise ValueError(
        f"alpha={alpha!r} needs the Gauss-Newton matrix of all rows, but {reason}. Set "
        "solver='lm' and early_stopping=False, or choose a float or 'auto' for alpha."
    )


def resolve(estimator, n_rows, n_features, n_outputs, total_weight=0.0):
    """The settings of a fit to n rows of total weight S, f features and k outputs."""
    n_hidden = estimator._width()
    total_weight = max(n_rows, total_weight)
    solver = estimator.solver
    if solver == "auto":
        needs_matrix = estimator._y_is_numeric or estimator.alpha in ("evidence", "ard")
        most = np.inf if needs_matrix else MAX_CLASSIFIER_COST
        solver = choose_solver(total_weight, n_features, n_hidden, n_outputs, most)
    learning_rate = estimator.learning_rate
    if learning_rate == "auto":
        rates = {"gd": 1 / (1 + n_features + n_hidden), "sgd": 0.05, "adam": 0.01}
        learning_rate = rates.get(solver)
    batch_size = estimator.batch_size
    if batch_size == "auto":
        batch_size = min(max(n_rows // N_BATCHES, MIN_BATCH), MAX_BATCH)
    max_iter = int(MAX_ITER[solver] if estimator.max_iter == "auto" else estimator.max_iter)
    stops_early, stochastic = estimator.early_stopping, estimator._stochastic_alpha
    compares = ("lm",) if estimator._y_is_numeric else ("lm", "lbfgs")
    alpha = choose_alpha(estimator.alpha, solver, stops_early, total_weight, stochastic, compares)
    _, cost = _gauss_newton_size_and_cost(total_weight, n_features, n_hidden, n_outputs)
    n_starts = choose_n_starts(estimator, solver, alpha, cost)
    return Settings(solver, alpha, learning_rate, min(int(batch_size), n_rows), max_iter, n_starts)


def choose_n_starts(estimator, solver, alpha, cost):
    """Several for a cheap regression by lm under a float alpha, if the steps are ours to choose.

    A few units fit a curve well or badly, by where they start. Where the penalty is chosen
    too, more starts gained nothing.
    """
    if solver != "lm" or isinstance(alpha, str) or not estimator._y_is_numeric:
        return 1
    goes_on = estimator.warm_start or estimator.early_stopping or estimator.max_iter != "auto"
    return 1 if goes_on or cost > MAX_COST_FOR_STARTS else N_STARTS
