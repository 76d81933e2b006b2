"""The networks of a fit: what is learnt, the pilots, the members, and how they ended.

A training that is told to stop, or interrupted, ends in ``fit_member``: it goes on with the fit
that the monitor has kept.
"""

from collections.abc import Callable
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
from joblib import Parallel, delayed

from sklearn_twolayer._bayes.copies import without_copies
from sklearn_twolayer._bayes.noise import independence_of_targets
from sklearn_twolayer._fit.auto import Size, resolve, rows_to_start_on
from sklearn_twolayer._fit.left_out import Refits, constant_or_better
from sklearn_twolayer._fit.monitor import Monitor, Stop, announce
from sklearn_twolayer._fit.results import posterior_of_fit, published_weights
from sklearn_twolayer._fit.span import fit_in_columns, problem_in_columns
from sklearn_twolayer._fit.training import Fit, Training, too_large
from sklearn_twolayer._fit.weights import WarmStart, initial_weights
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.objective import MeanLoss
from sklearn_twolayer._network.scale import Standardization, moments_of

if TYPE_CHECKING:
    from sklearn_twolayer._data.dask_table import DaskTable
    from sklearn_twolayer._data.labels import LabelTargets
    from sklearn_twolayer._data.table import Table
    from sklearn_twolayer._data.targets import RealTargets

#: Most weights of a network. Adam holds five vectors as long (the weights and their average, two
#: moments, the gradient), 10 GB of so many in float64. Tables of 2^20 hashed words, the widest that
#: are usual, have a fifth of it with 50 units.
MOST_WEIGHTS = 2**28


@dataclass(frozen=True)
class Problem:
    """What is learnt: what y means, the units, the rows, and the network."""

    targets: "RealTargets | LabelTargets"
    scale: Standardization
    table: "Table | DaskTable"  # of the training rows
    held_out: "Table | DaskTable | None" = None  # of the validation rows
    score_weights: Callable | None = None  # their ``score(coefs, intercepts)`` by a user's scorer
    start: WarmStart | None = None  # where the network goes on from; None draws weights
    network: TwoLayerNetwork | None = None  # None until ``pose`` has given it a width
    moments: dict = field(default_factory=dict)  # of "X" and "encoded", if the scale is of them
    copies: float = 1.0  # rows for each that tells something new, where penalties are found
    noise: float | None = None  # the variance of that of each target, where pilots have told it
    in_columns: "Problem | None" = None  # of one in coordinates, the same in the columns of X

    @property
    def size(self):
        """What "auto" goes by."""
        table, is_regression = self.table, self.targets.is_numeric
        columns = (self.in_columns or self).table
        shape = table.n_rows, columns.n_features, self.targets.n_outputs
        kind = is_regression, table.is_in_memory, table.density
        unit = self.targets.penalty_unit if is_regression else 1.0
        n_constant = sum(self.targets.is_constant) if is_regression else 0
        return Size(*shape, table.total_weight, *kind, n_constant, unit)

    @property
    def attributes(self):
        """What a fit publishes before the training: the width, and what outputs mean."""
        attributes = {
            "n_hidden_": self.network.n_hidden,
            "n_outputs_": self.targets.n_outputs,
            "out_activation_": self.targets.output_activation,
        }
        if not self.targets.is_numeric:
            attributes["classes_"] = self.targets.classes
        return attributes

    @cached_property
    def constant_loss(self):
        """The loss of the best constant: the entropy of classes, and 1 of numbers.

        That is their variance where y is standardised; elsewhere it is not, and 1 is taken as well.
        """
        targets, table = self.targets, self.table
        if targets.is_numeric:
            return 1.0
        return targets.loss.entropy(table.mean_target(targets, self.scale))

    @property
    def gradient_scale(self):
        """How large the gradient of F is: as large as the loss of the best constant, but 1 at most.

        Of a class of one row in a thousand a network that has learned nothing loses .008, and no
        component of its gradient is larger than the share of the class.
        """
        return min(self.constant_loss, 1.0) or 1.0  # all rows of one class

    def mean_loss(self, table, dtype, stack, *, width=None, is_textbook=False):
        """The mean loss of the rows of a table, which are open as long as the ``stack`` is.

        Their blocks stay in cache with ``width`` columns, by default those of the network.
        """
        rows = table.rows(self.scale, dtype, width or self.network.width)
        rows = stack.enter_context(rows)
        return MeanLoss(self.network, self.targets.loss, rows, is_textbook, copies=self.copies)

    def loss_to_train(self, settings, table, stack):
        """The mean loss of the rows of a table, in the numbers and blocks that the solver needs.

        Gauss-Newton matrices are of float64, and Jacobians have a column for each weight.
        """
        needs_matrix = settings.solver == "lm" or settings.alpha in ("evidence", "ard")
        dtype = np.float64 if needs_matrix else table.dtype
        width = self.network.width_of_matrix if needs_matrix else self.network.width
        return self.mean_loss(table, dtype, stack, width=width, is_textbook=settings.solver == "gd")

    def of_rows(self, table):
        """The same problem of other rows, and of as many copies as there are of each.

        It is asked for where the rows tell the penalties. Copies are looked for among those of
        numbers in memory: the penalties of labels see to theirs, and of a Dask collection weights
        are all that is known.
        """
        if not self.targets.is_numeric:
            return replace(self, table=table)
        if not table.is_in_memory:
            return replace(self, table=table, copies=max(table.total_weight / table.n_rows, 1.0))
        table, copies = without_copies(table, self.scale)
        return replace(self, table=table, copies=copies)

    def part(self, n_rows):
        """The same problem of so many of the rows, with two or more of each class."""
        strata = self.targets.strata(self.table.encoded)
        columns = self.in_columns and self.in_columns.part(n_rows)
        return replace(self, table=self.table.part(n_rows, strata=strata), in_columns=columns)

    def draw_start(self, random_state, settings):
        """Weights (p,) to start from, near the mean target."""
        table, targets, is_stream = self.table, self.targets, settings.is_stream
        if is_stream:  # whose first batch may lack a class
            encoded, weight = targets.start_with_every_class(table.encoded, table.weight)
            encoded = self.scale.apply_targets(encoded, np.float64)
            mean = targets.loss.mean_target(encoded, weight, targets.n_outputs)
        else:
            mean = table.mean_target(targets, self.scale)
        constant = targets.loss.constant(mean)
        is_steep = settings.solver == "lm" and targets.is_numeric
        says_little = is_stream or table.n_rows == 1  # what is constant here need not stay so
        inputs = self.moments["X"].is_constant if "X" in self.moments else ()
        is_constant = ((), ()) if says_little else (inputs, targets.is_constant)
        network = (self.in_columns or self).network
        params = initial_weights(
            random_state, network, constant, is_steep=is_steep, is_constant=is_constant
        )
        if self.in_columns is None:
            return params
        W1, b1, W2, b2 = network.unpack(params)
        return self.network.pack([self.scale.project(W1), W2], [b1, b2], np.float64)

    def of_width(self, n_hidden):
        """The same problem for a network of another width."""
        f, k, activation = self.table.n_features, self.targets.n_outputs, self.network.activation
        columns = self.in_columns and self.in_columns.of_width(n_hidden)
        network = TwoLayerNetwork(f, n_hidden, k, activation)
        return replace(self, network=network, in_columns=columns)

    def weights(self, params):
        """``coefs_`` and ``intercepts_`` of the weights (p,)."""
        return published_weights(self.scale, self.network, [params], self.table.dtype)


def standardization_of(table, targets, settings):
    """The standardisation of X and, with identity output, of y; and the moments of the rows.

    X is standardised if the settings want it, and y also where alpha is found from the rows:
    weights are drawn, penalties chosen and trainings ended in numbers that are meant for a y of
    deviation 1. Under a float alpha F is in the units of y, as for a textbook and for a stream,
    whose first batch need not tell them. ValueError where a variance is no finite number.
    """
    scale, moments = Standardization.none(table.n_features, targets.n_outputs), {}
    stays = settings.solver == "gd" or settings.is_stream or not isinstance(settings.alpha, str)
    if settings.standardize:
        X = moments["X"] = finite_moments_of(table, "X")
        scale = replace(scale, mean=X.mean, scale=X.unit)
    if targets.loss.is_quadratic and (settings.standardize or not stays):
        y = moments["encoded"] = finite_moments_of(table, "encoded")
        scale = replace(scale, y_mean=y.mean, y_scale=y.scale)
    return scale, moments


def finite_moments_of(table, name):
    """The moments of X or the ``encoded`` targets; ValueError if a variance is no finite number."""
    found, title = moments_of(table, name), "X" if name == "X" else "y"
    bad = np.flatnonzero(~np.isfinite(found.scale)).tolist()
    if bad:
        is_1d, (what, remedy) = len(found.scale) == 1 and title == "y", too_large("divide")
        where = title if is_1d else f"column {bad[0]} of {title}"
        raise ValueError(
            f"In {where} there are {what} to standardise: their variance is not a finite "
            f"number. {remedy} the column by a constant first."
        )
    return found


def pose(settings, targets, table, *, held_out=None, scale=None, start=None):
    """The problem, and the settings without "auto"; ValueError if these contradict it.

    A ``scale`` of None is taken from the rows, if the settings want it; with the units of a warm
    ``start`` a width of "auto" goes on.
    """
    if start is not None and start.targets is not None:
        targets.check_same(start.targets)
    moments = {}
    if scale is None:
        scale, moments = standardization_of(table, targets, settings)
        if settings.alpha == "auto" and targets.is_numeric and "encoded" not in moments:
            targets = targets.in_units(moments_of(table, "encoded"))
    problem = Problem(targets, scale, table, held_out, start=start, moments=moments)
    if settings.n_hidden == "auto" and start is not None:
        settings = replace(settings, n_hidden=start.coefs[0].shape[1])
    size = problem.size
    if settings.n_hidden == "auto" and targets.is_numeric:
        size = replace(size, copies=problem.of_rows(table).copies)
        if targets.n_outputs > 1:
            size = replace(size, independence=independence_of_targets(table))
    if settings.is_stream and start is not None:  # whose earlier rows count, too
        before = start.n_rows - start.n_uncounted
        size = replace(size, total_weight=before + size.n_counted)
    settings = resolve(settings, size)
    if settings.solver == "lbfgs" or settings.alpha == "auto":  # which may ask lbfgs
        settings = replace(settings, gradient_scale=problem.gradient_scale)
    if settings.n_members > 1 and settings.warm_start:
        raise ValueError(
            f"n_members={settings.n_members} cannot be used with warm_start=True: a committee is "
            "one network after the fit, with no members to go on from. Set one or the other."
        )
    if settings.n_members > 1 and settings.output_activation == "logistic":
        raise ValueError(
            f"n_members={settings.n_members} needs output_activation='identity': the mean of "
            "logistic outputs is no two-layer network. Set n_members=1."
        )
    shape = problem.table.n_features, settings.n_hidden, problem.targets.n_outputs
    network = TwoLayerNetwork(*shape, settings.activation)
    if network.n_params > MOST_WEIGHTS:
        raise ValueError(too_wide(network))
    return replace(problem, network=network), settings


def too_wide(network):
    """What an error says of a network of more than ``MOST_WEIGHTS``, of which none is drawn yet."""
    p, (f, h, k) = network.n_params, (network.n_features, network.n_hidden, network.n_outputs)
    most = (MOST_WEIGHTS - k) // (f + 1 + k)
    remedy = f"Choose n_hidden <= {most}" if most else "Choose fewer columns"
    return (
        f"n_hidden={h} makes {p:.3g} weights of {f} inputs and {k} output(s), and at most "
        f"{MOST_WEIGHTS:.3g} are fitted: {8 * p / 1e9:.3g} GB each time, of which a solver holds "
        f"several. {remedy}."
    )


def member_states(random_state, n_members):
    """A random state for each member, one after another; the first is that of a single network."""
    seeds = deepcopy(random_state)
    yield random_state
    for _ in range(n_members - 1):
        yield np.random.RandomState(seeds.randint(np.iinfo(np.int32).max))


def fit_members(problem, settings, random_state, *, watch):
    """The fits of the members of a committee; the last has not begun where the time was over."""
    n_jobs = settings.n_jobs if problem.table.is_in_memory else 1
    n_jobs = n_jobs if n_jobs is None else min(n_jobs, settings.n_members)

    def jobs():
        for number, state in enumerate(member_states(random_state, settings.n_members)):
            is_late = number > 0 and watch.deadline.is_over()
            yield delayed(fit_member)(problem, settings, state, watch=watch.member(number))
            if is_late:  # as all further members would be
                return

    return Parallel(n_jobs=n_jobs)(jobs())


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is refused where it matters
def fit_member(problem, settings, random_state, *, watch):
    """Fit one network: a member of a committee, or the only one."""
    if watch.number and watch.deadline.is_over():
        return Fit(ending=watch.deadline.reason)
    member_task, training, fit = None if watch.number is None else watch.task, None, None
    if member_task is not None:
        member_task.begin()
    try:
        with ExitStack() as stack:
            training = training_of(problem, settings, random_state, stack, watch=watch)
            if watch.number is not None:
                announce(settings, f"Member {watch.number + 1} of {settings.n_members}")
            fit = training.run()
            if settings.alpha == "auto" and settings.solver == "lm" and problem.start is None:
                fit = constant_or_better(training, fit, watch.deadline)
        return finished(training, fit, member_task)
    except (Stop, KeyboardInterrupt) as end:
        if isinstance(end, KeyboardInterrupt):
            watch.deadline.interrupt()
        is_underway = training is not None and fit is None
        if not is_underway or training.monitor.kept is None:
            if watch.number:
                return Fit(ending=watch.deadline.reason)
            raise
        if isinstance(end, KeyboardInterrupt):
            training.monitor.interrupt()
    return finished(training, training.monitor.kept(), member_task)


def finished(training, fit, member_task):
    """The fit with its curves, in the columns of X, and with error bars; its task has ended."""
    problem, settings, fit = training.problem, training.settings, training.monitor.along(fit)
    if problem.in_columns is not None:
        problem, fit = problem_in_columns(problem), fit_in_columns(problem, fit)
    if not settings.is_stream:
        fit = replace(fit, posterior=posterior_of_fit(problem, fit, settings.left_out_share))
    if member_task is not None:
        member_task.end(partial(problem.weights, fit.params))
    return fit


def training_of(problem, settings, random_state, stack, *, watch):
    """The training of a network, over rows that are open as long as the ``stack`` is."""
    start = problem.start
    mean_loss, validate = problem.loss_to_train(settings, problem.table, stack), None
    if problem.held_out is not None:
        held_out = problem.mean_loss(problem.held_out, mean_loss.rows.dtype, stack)
        validate = partial(_loss_and_score, problem, settings, held_out)
    monitor = Monitor(
        settings,
        watch.deadline,
        validate=validate,
        tell=watch.task and (lambda params: watch.task.iteration(partial(problem.weights, params))),
        n_before=len(start.curve) if settings.is_stream and start is not None else 0,
    )
    training = Training(problem, settings, mean_loss, monitor, random_state)
    if start is not None or not isinstance(settings.alpha, str):
        return training
    n_rows, table, judged = rows_to_start_on(problem.size, settings), problem.table, problem
    if n_rows < table.n_rows:
        table = table.part(n_rows).collected()
        judged = problem.of_rows(table)
        training.part = judged.loss_to_train(replace(settings, solver="lm"), table, stack)
    if settings.alpha == "auto" and table.is_in_memory:
        training.refits = Refits(judged, settings, watch.deadline)
    return training


def _loss_and_score(problem, settings, mean_loss, params):
    """Of validation rows: their loss, and minus that, a scorer's score, or R^2 and accuracy."""
    loss = mean_loss.value(params)
    if settings.scoring == "loss":
        return loss, -loss
    if settings.scoring is not None:
        return loss, problem.score_weights(*problem.weights(params))
    return loss, problem.targets.score(mean_loss.rows, mean_loss.block_raw_prediction(params))
