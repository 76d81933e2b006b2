"""What "auto" means: the settings of a fit for a problem of its size.

=============  ===============  ========================  ========================  =====  ====
parameter      gd               sgd                       adam                      lbfgs  lm
=============  ===============  ========================  ========================  =====  ====
learning_rate  0.5 / curvature  0.05                      0.01                      --     --
batch_size     --               n / 20, from 16 to 200    n / 20, from 16 to 200    --     --
max_iter       2000             100                       100                       1000   200
=============  ===============  ========================  ========================  =====  ====

The curvature is the largest eigenvalue of the Gauss-Newton matrix of F at the start. A classifier
takes lm on small tables, or to find the evidence; a regression takes lbfgs on wide ones, by
``learns_wide``, or lm where that predicts left-out rows better; for n_hidden see ``choose_width``.

alpha is chosen by cross-validation (classifier, lm and lbfgs, and regressor, lbfgs, and of both
adam where lbfgs takes too long: tables in memory, of many rows a part; regressor, lm, up to 40
numbers in y, with the evidence as a candidate) or by the evidence and its rivals
(regressor, lm; lbfgs takes over what lm finds on a part of many rows). Elsewhere it is a float,
1 / S or for k targets 1 / (S k), in units of a y that is not standardised, where S is the sum of
the weights, in partial_fit of all calls so far. A regression by lm under a float alpha takes the
best of five starts where its matrix is cheap and max_iter "auto"; a narrow one see ``narrowed``.
"""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_twolayer._bayes.choose_penalty import FREE_STEPS
from sklearn_twolayer._fit.parameters import Plan

#: Multiply-adds of a Gauss-Newton matrix above which L-BFGS is faster for a classifier.
MAX_CLASSIFIER_COST = 1e5
#: Most multiply-adds of one forward pass over the rows on which penalties are compared, and so many
#: rows at least: a part of all, where they take more.
MAX_COMPARED_COST, MIN_COMPARED_ROWS = 3e7, 1000
#: Most multiply-adds of one Gauss-Newton matrix; the largest; how many of them the evidence takes,
#: and of all rows, where it starts on a part of them.
MAX_GAUSS_NEWTON_COST = 4e9
MAX_GAUSS_NEWTON_SIZE = 2000
MATRICES, MATRICES_OF_ALL = 150, 20
#: How many of them a fit may take that starts on a part. L-BFGS takes .4 to 1.5 of that time there,
#: and makes errors 1.5 to 3 times as large (docs/choices.md).
MATRICES_OF_MANY_ROWS = 225
MAX_REPEATED_COST, MAX_REPEATED_SIZE = 4e10, 4000  # of one of the few that L-BFGS takes
#: Most multiply-adds of one gradient that L-BFGS is asked to repeat.
MAX_FULL_BATCH_COST = 2e9
#: A classifier that stops early, which holds weights small as well, has this share of its penalty.
EARLY_STOPPING_SHARE = 0.1
#: The rows on which a regression starts: so many for each weight, and the least.
ROWS_OF_A_WEIGHT, MIN_ROWS_TO_START_ON = 4, 1000
#: From a part of many more rows L-BFGS has a longer way to go than from the start: the noise of the
#: part has been learnt by heart.
MOST_TIMES_THE_PART = 25
#: Batches of an epoch, and the least and the most rows of one.
N_BATCHES, MIN_BATCH, MAX_BATCH = 20, 16, 200
#: Members of the committee of a regression.
N_MEMBERS = 3
#: Starts of a regression by lm under a float alpha, if its matrix takes so many multiply-adds.
N_STARTS, MAX_COST_FOR_STARTS = 5, 1e7
#: Numbers in y, S k, up to which a regression by lm has its penalties compared by left-out rows.
MAX_COMPARED_NUMBERS = 40
#: A regression of so many rows and more, but fewer than so many for each weight, asks L-BFGS, too.
MIN_ROWS_OF_WIDE, FEW_ROWS_OF_A_WEIGHT = 250, 1.5
#: Units of a regression over Barron's order; the least of a regression and the most of all but a
#: classifier of more classes, which has up to MAX_CLASSES; the least of a classifier.
UNITS, MIN_HIDDEN, MAX_HIDDEN = 4.0, 10, 50
MIN_HIDDEN_OF_CLASSES, MAX_CLASSES = 20, 100
#: Fewer units where weights would have fewer residuals than so many each, but no fewer than these.
RESIDUALS_OF_A_WEIGHT, FEWEST_HIDDEN = 2, 3

LEARNING_RATE = {"sgd": 0.05, "adam": 0.01}
MAX_ITER = {"gd": 2000, "sgd": 100, "adam": 100, "lbfgs": 1000, "lm": 200}


@dataclass(frozen=True)
class Size:
    """What "auto" goes by: n rows of total weight S, f features, k outputs, and the kind of y."""

    n_rows: int
    n_features: int
    n_outputs: int
    total_weight: float | None = None  # n of rows without weights
    is_regression: bool = True
    is_in_memory: bool = True
    density: float = 1.0  # the share of the entries of X that are stored
    n_constant: int = 0  # of the k targets those that have one value
    penalty_unit: float = 1.0  # penalties are in proportion to it: 1 if y is standardised
    independence: float = 1.0  # the share of the k targets that do not repeat each other
    copies: float = 1.0  # rows for each that tells something new

    @property
    def n_counted(self):
        """S, but for its rounding, which decides nothing."""
        return self.n_rows if self.total_weight is None else round(float(self.total_weight), 9)

    @property
    def n_telling(self):
        """S, of which copies count as one: as many rows as tell something new."""
        return self.n_counted / self.copies

    @property
    def repeated(self):
        """The size where each row is repeated as often as its weight says, once at least."""
        return replace(self, n_rows=max(self.n_rows, self.n_counted))


def gauss_newton_size_and_cost(size, n_hidden):
    """Rows of the smaller of the Gauss-Newton matrix and its dual, and multiply-adds of it.

    They are p and n k, of the rows that are stored: weights cost no time. The dual takes fewer.
    """
    small, large = sorted((n_params(size, n_hidden), size.n_rows * size.n_outputs))
    return small, large * small**2


def n_params(size, n_hidden):
    """The number of weights p."""
    return (size.n_features + 1) * n_hidden + (n_hidden + 1) * size.n_outputs


def is_small(size):
    """Whether there are too few numbers in y, S k of targets that vary, for the evidence."""
    return size.n_counted * max(size.n_outputs - size.n_constant, 1) <= MAX_COMPARED_NUMBERS


def resolve(settings, size):
    """The plan of a fit: its settings, with a value for every "auto"."""
    n_hidden = choose_width(size) if settings.n_hidden == "auto" else int(settings.n_hidden)
    solver, by_evidence = settings.solver, None
    if solver == "auto":
        solver = choose_solver(size, n_hidden, most_affordable(settings, size, n_hidden))
        if solver == "lm" and learns_wide(replace(settings, n_hidden=n_hidden), size):
            solver, by_lm = "lbfgs", resolve(replace(settings, solver="lm"), size)
            is_rival = leaves_residuals(size) and by_lm.n_hidden <= choose_narrow_width(size)
            by_evidence = by_lm if is_rival else None
    rate, batch_size = settings.learning_rate, settings.batch_size
    asks_members = settings.n_members == "auto"
    if batch_size == "auto":
        batch_size = min(max(size.n_rows // N_BATCHES, MIN_BATCH), MAX_BATCH)
    resolved = replace(
        Plan(**vars(settings)),
        n_hidden=n_hidden,
        solver=solver,
        learning_rate=LEARNING_RATE.get(solver) if rate == "auto" else rate,
        batch_size=min(int(batch_size), size.n_rows),
        max_iter=int(MAX_ITER[solver] if settings.max_iter == "auto" else settings.max_iter),
        alpha=choose_alpha(replace(settings, n_hidden=n_hidden, solver=solver), size),
        by_evidence=by_evidence,
        most_hidden=MAX_CLASSES if settings.n_hidden == "auto" else n_hidden,
        n_members=1 if asks_members else settings.n_members,
    )
    if settings.n_hidden == "auto" and finds_by_evidence(resolved, size):
        n_members = choose_members(resolved, size) if asks_members else resolved.n_members
        resolved = narrowed(replace(resolved, n_members=n_members), size)
    if settings.max_iter != "auto" or not size.is_regression:
        return resolved
    if isinstance(resolved.alpha, str):
        return resolved if solver == "adam" else replace(resolved, n_free_steps=sum(FREE_STEPS))
    _, cost = gauss_newton_size_and_cost(size.repeated, n_hidden)
    is_cheap = solver == "lm" and cost <= MAX_COST_FOR_STARTS
    goes_on = settings.warm_start or settings.early_stopping
    return replace(resolved, n_starts=N_STARTS if is_cheap and not goes_on else 1)


def is_affordable(size, n_hidden, most=None):
    """Whether the Gauss-Newton matrix is: p x p, or n k x n k in the dual form."""
    n, cost = gauss_newton_size_and_cost(size, n_hidden)
    return n <= MAX_GAUSS_NEWTON_SIZE and cost <= (MAX_GAUSS_NEWTON_COST if most is None else most)


def most_affordable(settings, size, n_hidden):
    """Most multiply-adds of a matrix of all rows for which "auto" takes lm; None is the usual.

    Where most matrices are of a part of the rows, they may take half as long again together.
    """
    if not size.is_regression:
        return None if settings.alpha in ("evidence", "ard") else MAX_CLASSIFIER_COST
    if settings.early_stopping or settings.warm_start or size.n_outputs > 1:
        return None
    n_rows = rows_to_start_on(size, replace(settings, n_hidden=n_hidden, solver="lm"))
    if n_rows == size.n_rows:
        return None
    n_equal = MATRICES_OF_ALL + (MATRICES - MATRICES_OF_ALL) * n_rows / size.n_rows
    return MAX_GAUSS_NEWTON_COST * MATRICES_OF_MANY_ROWS / n_equal


def rows_to_start_on(size, settings):
    """On how many rows a regression learns by lm, and finds its first penalties.

    A few for each weight tell both as well, in a part of the time of all. It is all of them
    where that saves less than half; for lbfgs also where it is too small a part, or lm could not
    afford it.
    """
    finds_by = {"lm": ("auto", "evidence", "ard"), "lbfgs": ("auto",)}
    if not size.is_regression or settings.alpha not in finds_by.get(settings.solver, ()):
        return size.n_rows
    n_rows = max(ROWS_OF_A_WEIGHT * n_params(size, settings.n_hidden), MIN_ROWS_TO_START_ON)
    part = replace(size, n_rows=n_rows, total_weight=None)
    is_near = size.n_rows <= MOST_TIMES_THE_PART * n_rows and is_affordable(part, settings.n_hidden)
    is_taken = settings.solver == "lm" or is_near
    return n_rows if 2 * n_rows <= size.n_rows and is_taken else size.n_rows


def learns_wide(settings, size):
    """Whether a regression by L-BFGS learns a table of few rows for each weight of ten units.

    The evidence may then take for noise what columns say, as of a spectrum, or a bend in it, and
    left-out rows do not. Few units by lm are its rival where they have residuals
    (``with_best_penalty``). Some hundred rows, and several targets, ask it only where they do not.
    """
    few = FEW_ROWS_OF_A_WEIGHT * n_params(size, MIN_HIDDEN)
    is_wide = size.n_outputs == 1 and MIN_ROWS_OF_WIDE <= size.n_counted < few
    is_wide |= not (leaves_residuals(size) or is_small(size))
    may_ask = size.is_regression and settings.alpha == "auto" and not settings.early_stopping
    return is_wide and may_ask and compares_penalties(replace(settings, solver="lbfgs"), size)


def leaves_residuals(size):
    """Whether three units have two residuals for each weight; of several targets, whether n > f."""
    if size.n_outputs > 1:  # of which lm tells the noise apart
        return size.n_telling > size.n_features
    return size.n_telling >= RESIDUALS_OF_A_WEIGHT * n_params(size, FEWEST_HIDDEN)


def choose_solver(size, n_hidden, most=None):
    """Lm where its matrix takes at most ``most`` multiply-adds, then lbfgs, then adam.

    A classifier that can afford both goes by S, as a row of weight 2 is two equal rows.
    """
    if is_affordable(size if most is None or size.is_regression else size.repeated, n_hidden, most):
        return "lm"
    return "lbfgs" if is_gradient_cheap(size, n_hidden) else "adam"


def is_gradient_cheap(size, n_hidden):
    """Whether L-BFGS is asked to repeat the gradient of all rows."""
    return size.density * size.n_rows * size.n_features * n_hidden <= MAX_FULL_BATCH_COST


def choose_alpha(settings, size):
    """The alpha of a fit, a float where nothing is compared; ValueError if there is no evidence."""
    alpha, solver = settings.alpha, settings.solver
    if alpha == "auto":
        if solver not in ("gd", "sgd") and not settings.early_stopping:
            compares = compares_penalties(settings, size)
            if size.is_regression:
                compares |= solver == "lm" or rows_to_start_on(size, settings) < size.n_rows
            if compares:
                return "auto"
        stops_early = settings.early_stopping and not size.is_regression
        return unit_precision(size) * (EARLY_STOPPING_SHARE if stops_early else 1)
    n_matrix, cost = gauss_newton_size_and_cost(size, settings.n_hidden)
    has_one_hessian = size.is_regression and settings.output_activation == "identity"
    if has_one_hessian and n_matrix == n_params(size, settings.n_hidden):  # the matrix of a target
        cost = size.n_rows * n_params(replace(size, n_outputs=1), settings.n_hidden) ** 2
    reason = f"solver is {solver!r}. Set 'lm' or 'lbfgs'" if solver not in ("lm", "lbfgs") else None
    if settings.early_stopping:
        reason = "early_stopping=True holds rows out. Set it to False"
    elif solver != "lm" and (n_matrix > MAX_REPEATED_SIZE or cost > MAX_REPEATED_COST):
        reason = f"it takes {cost:.1g} multiply-adds each time. Set n_hidden < {settings.n_hidden}"
    if reason is None or not isinstance(alpha, str):
        return alpha
    raise ValueError(
        f"alpha={alpha!r} needs the Gauss-Newton matrix of all rows, but {reason}, or choose a "
        "float or 'auto' for alpha."
    )


def choose_members(resolved, size):
    """Members of a regression that finds its penalties by lm, where these and the width are "auto".

    Three where the fit can be folded into one network for good: their mean predicts as well as one
    of three times the units, in a fraction of the time, as a step grows with p^2.
    """
    if resolved.warm_start or resolved.is_stream or resolved.output_activation != "identity":
        return 1
    # Together they take no longer than one network may; with more rows one is enough.
    most = MAX_GAUSS_NEWTON_COST / N_MEMBERS
    return N_MEMBERS if is_affordable(size.repeated, resolved.n_hidden, most) else 1


def finds_by_evidence(resolved, size):
    """Whether a regression finds its penalties from the rows by lm."""
    return size.is_regression and resolved.solver == "lm" and isinstance(resolved.alpha, str)


def narrowed(resolved, size):
    """The settings with the width of few rows, where the evidence finds the penalty.

    A narrow network learns or does not, by where it starts: if it is alone, it is the best of as
    many as a committee has, by the rows that are left out. "evidence" and "ard" leave out none.
    """
    n_hidden = choose_narrow_width(size)
    if resolved.n_members > 1:
        return replace(resolved, n_hidden=n_hidden)
    if resolved.alpha != "auto" or n_hidden >= resolved.n_hidden:
        return resolved
    return replace(resolved, n_hidden=n_hidden, n_starts=N_MEMBERS)


def unit_precision(size):
    """The alpha of a prior precision of 1 for every weight of W1 and W2.

    It is 1 / S under the log loss, and under the squared error, a mean over k targets, 2 v / (S k)
    with noise of variance v: half of var(y), which is 1, or else see ``RealTargets.in_units``.
    """
    return size.penalty_unit / (size.n_counted * (size.n_outputs if size.is_regression else 1))


def compares_penalties(settings, size):
    """Whether the penalty is chosen by networks of left-out rows.

    Adam has its penalty found by lbfgs, where that could not afford all rows. A regression compares
    where lm finds no penalty on a part of its rows, and in units of the standard deviation of y, as
    unit precision is meant.
    """
    is_huge = settings.solver == "adam" and not is_gradient_cheap(size, settings.n_hidden)
    compares = settings.solver in ("lm", "lbfgs") or (is_huge and not settings.is_stream)
    if not compares or not size.is_in_memory:
        return False
    if not size.is_regression:
        return True
    if settings.solver == "lm":
        return is_small(size)
    is_standardized = settings.output_activation == "identity"  # so is every y of which one asks
    return is_standardized and rows_to_start_on(size, settings) == size.n_rows


def rows_to_compare(size, n_hidden):
    """On how many rows penalties are compared: all, or as many as take no longer than most fits."""
    n_stored = size.density * size.n_features
    n_multiplied = n_hidden * (n_stored + 1 + size.n_outputs)  # of a row
    return min(max(int(MAX_COMPARED_COST / n_multiplied), MIN_COMPARED_ROWS), size.n_rows)


def choose_width(size):
    """Hidden units where ``n_hidden`` is "auto".

    The number that balances what a network cannot say against what the rows cannot tell grows as
    sqrt(S / (f ln S)), for S rows of f columns (Barron 1994, "Approximation and estimation bounds
    for artificial neural networks"). Of k targets that do not repeat each other a row tells k
    numbers, and a unit costs k - 1 weights more: sqrt(S k / ((f + k - 1) ln S)). A classifier takes
    as many as there would be for one column, or so: its penalty does the rest. Of many classes it
    may take more: ``choice.wider_width``.
    """
    S = max(size.n_telling, 2)
    if size.is_regression:
        f, k = size.n_features, size.n_outputs * size.independence
        n_hidden = round(UNITS * np.sqrt(S * k / ((f + k - 1) * np.log(S))))
        return min(max(n_hidden, MIN_HIDDEN), MAX_HIDDEN)
    n_hidden = min(max(round(S**0.5), MIN_HIDDEN_OF_CLASSES), MAX_HIDDEN)
    return max(n_hidden, min(size.n_outputs, MAX_CLASSES))


def choose_narrow_width(size):
    """Hidden units of networks of few rows whose penalties the evidence finds.

    Where the order gives no more than ten they may have as many weights as there are residuals.
    Weights learn before they are penalised only if they cannot learn the noise, and what is first
    learned under a penalty is linear: so they have two residuals each. Left-out rows, which choose
    the penalty of few numbers, ask for no such thing. Copies of targets or rows tell no more than
    one. But h units tell h targets apart: more need as many, if there are as many columns.
    """
    n_hidden, k = choose_width(size), size.n_outputs * size.independence
    if n_hidden > MIN_HIDDEN or is_small(size):
        return n_hidden
    most_weights = size.n_telling * k / RESIDUALS_OF_A_WEIGHT
    learnable = int((most_weights - k) / (size.n_features + 1 + k))
    fewest = max(FEWEST_HIDDEN, min(round(k), size.n_features))
    return min(max(learnable, fewest), MIN_HIDDEN)
