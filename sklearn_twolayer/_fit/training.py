"""Training one network: the minimiser of its objective under one penalty, and what came out.

``Training.run`` is the fit of a network from its start, and ``Training.minimize`` what every
solver, every choice of the penalty and a best of several starts asks for.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from sklearn import get_config

from sklearn_twolayer._bayes.choose_penalty import (
    LBFGS_STRIDE,
    STRATEGIES,
    Search,
    most_steps,
    of_all_rows,
)
from sklearn_twolayer._bayes.cross_validate import MARGIN
from sklearn_twolayer._bayes.noise import Likelihood
from sklearn_twolayer._bayes.posterior import PointMass, Posterior
from sklearn_twolayer._fit.monitor import Monitor, announce
from sklearn_twolayer._fit.parameters import Plan
from sklearn_twolayer._fit.results import are_equal, published_weights
from sklearn_twolayer._network.objective import MeanLoss, PenalisedLoss, Penalty
from sklearn_twolayer._optimize.full_batch import (
    OUT_OF_ITERATIONS,
    Flat,
    NotFinite,
    Step,
    gradient_descent,
    in_units,
    lbfgs,
    levenberg_marquardt,
)
from sklearn_twolayer._optimize.stochastic import (
    Batches,
    Schedule,
    StochasticState,
    adam,
    sgd,
    stochastic,
)

if TYPE_CHECKING:
    from sklearn_twolayer._fit.left_out import Refits
    from sklearn_twolayer._fit.run import Problem

#: Steps of lm under squared error bend where F is below this share of the loss at the start;
#: above it straight steps are as good, or better (docs/choices.md), and cheaper.
BENDING_SHARE = 0.01
#: Steps of each of several starts before only the best two go on.
TRIAL_STEPS = 20
#: The rate of gd is this over the curvature at the start. Steps of more than 2 over the curvature
#: diverge, and it grows on the way: with 1, five relu units on the digits diverged, and of
#: 13 sets with five tanh units four ended above their least loss; with 1/2 none and one.
CURVATURE_SHARE = 0.5
#: Most iterations in which a network learns before it is penalised, or compared.
LEARNING_STEPS = 100


@dataclass(frozen=True)
class Fit:
    """What came out of a training, or would have if it had ended there."""

    params: np.ndarray | None = None  # (p,), standardised; None if the training had not begun
    penalty: Penalty | None = None
    loss: float = np.inf  # F
    curve: tuple = ()  # F after each step of the way here
    steps: tuple = ()  # the numbers of these among all steps that the training took
    status: int | None = None  # how the minimiser ended
    resume: StochasticState | float | None = None  # what going on needs beside the weights
    learning_rate: float | None = None  # of the last step, where the solver has one
    ending: str | None = None  # why the training was cut short, if it was
    validation_scores: list = ()  # after each step
    validation_losses: list = ()
    posterior: Posterior | PointMass | None = None
    left_out_share: float | None = None  # of the variance of y, where left-out rows have told it


@dataclass
class Training:
    """One network on its rows, being trained: the objective, the minimiser, who watches."""

    problem: "Problem"
    settings: Plan
    mean_loss: MeanLoss  # over rows that are open
    monitor: Monitor
    random_state: np.random.RandomState | None = None
    bends_below: float = 0.0  # steps of lm bend where F is below
    part: MeanLoss | None = None  # over a part of the rows, on which the evidence starts
    refits: "Refits | None" = None  # of the rows on which it compares penalties

    def run(self):
        """The fit from a warm start, or from weights that are drawn.

        Or from a network of the comparison that found its penalty. Where there is none of these,
        but a weaker penalty to learn under, it goes there first, and from where that ends to the
        minimum under alpha. ``max_iter`` counts the iterations of both together, and learning may
        take half of them. ValueError if F is not finite at the start, or if gradient descent
        diverges.
        """
        settings = self.settings
        params, state = self._start()
        if isinstance(settings.alpha, str):
            strategy = STRATEGIES[settings.alpha]
            if settings.n_starts > 1:
                return self._best_by_left_out_rows(strategy, params)
            if self.part is None:
                return strategy(self.search_of_penalties(), Fit(params, resume=state))
            by_lm = replace(self, settings=replace(settings, solver="lm"), mean_loss=self.part)
            part = by_lm.search_of_penalties()
            search = self.search_of_penalties(flat=Flat.once_learned(settings.tol))
            return of_all_rows(search, part, strategy(part, Fit(params)))
        penalty = self._penalty(settings.alpha)
        if settings.solver == "gd":
            state = settings.learning_rate or state
            if state is None:
                curvature = PenalisedLoss(self.mean_loss, penalty).largest_curvature(params)
                state = CURVATURE_SHARE / (curvature or 1.0)
        if settings.solver == "lm" and self.problem.targets.is_numeric:
            # Bending pays on the long way down to a small loss.
            self.bends_below = BENDING_SHARE * self.mean_loss.quadratic(params)[0]
        if settings.n_starts > 1:
            return self._best_of(params, penalty)
        if settings.compared:
            return self._from_compared(penalty)
        if settings.learning_alpha is not None:
            return self._learned_first(params, penalty)
        flat = self.problem.start and Flat.once_learned(settings.tol)
        return self.minimize(
            Fit(params, resume=state), penalty, max_iter=settings.max_iter, flat=flat
        )

    def _penalty(self, alpha):
        """The penalty of this alpha, shared among layers and inputs as the settings say."""
        settings = self.settings
        return Penalty.fixed(self.problem.network, alpha, settings.ratio, settings.of_inputs)

    def _learned_first(self, params, penalty):
        """The fit from weights (p,) that learn under a weaker penalty before that one."""
        settings = self.settings
        weaker = self._penalty(settings.learning_alpha)
        n_steps = min(LEARNING_STEPS, max(settings.max_iter // 2, 1))
        announce(settings, f"Learning under alpha = {settings.learning_alpha:.3g}")
        learned = self.minimize(Fit(params), weaker, max_iter=n_steps)
        n_steps = settings.max_iter - len(learned.curve)
        if not n_steps:
            return learned
        announce(settings, f"Under alpha = {settings.alpha:.3g}")
        flat = Flat.once_learned(settings.tol)
        return self.minimize(replace(learned, resume=None), penalty, max_iter=n_steps, flat=flat)

    def _from_compared(self, penalty):
        """The fit from the network of the comparison whose F, of all rows now, is least.

        It has learned most of them under this very penalty. To begin anew takes longer, and from
        one start in place of several more fits end in a worse valley (docs/choices.md).
        """
        settings = self.settings
        announce(settings, "From the network of the comparison that loses least")
        least = min(settings.compared, key=PenalisedLoss(self.mean_loss, penalty).value)
        flat = Flat.on_more_rows(settings.tol)
        return self.minimize(Fit(least), penalty, max_iter=settings.max_iter, flat=flat)

    def search_of_penalties(self, flat=None):
        """What a strategy needs to choose penalties on the rows."""
        settings, likelihood = self.settings, Likelihood.of(self.mean_loss)
        most = settings.max_iter + settings.n_free_steps
        stride = LBFGS_STRIDE if settings.solver == "lbfgs" else 1
        minimize, stage = partial(self.minimize, flat=flat), partial(announce, settings)
        return Search(
            self.mean_loss,
            likelihood,
            most,
            minimize,
            stride=stride,
            stage=stage,
            refits=self.refits,
            noise=self.problem.noise,
            n_columns=self.problem.size.n_features,
        )

    def minimize(self, before, penalty, *, max_iter, keep=None, flat=None):
        """The fit that the solver comes to under one penalty, from where another one has ended.

        From the weights of the fit ``before`` the solver starts, with what it has to ``resume``:
        the damping of lm, the rate of gd, the moments of sgd and adam. Its way is the beginning of
        the new one. ``keep(fit)`` is the fit to keep while this one has come to ``fit``, itself if
        None; ``flat`` says when lbfgs has converged. ValueError if F, its gradient or its curvature
        is not finite.
        """
        curve, first = [], self.monitor.n_steps

        def fit_at(step, status=None):
            way = before.curve + tuple(curve[: step.n_iter])
            steps = before.steps + tuple(range(first, first + step.n_iter))
            fit = Fit(step.best, penalty, float(step.least), way, steps, status)
            return replace(fit, resume=step.state, learning_rate=step.learning_rate)

        def kept_at(step):
            return fit_at(step) if keep is None else keep(fit_at(step))

        def observe(step):
            curve.append(float(step.value))
            self.monitor.step(step.x, step.value, partial(kept_at, step))

        objective = PenalisedLoss(self.mean_loss, penalty, self.bends_below)
        try:
            search = self._search(objective, max_iter, before.resume, flat)
            found = search(before.params, callback=observe)
        except NotFinite as reason:
            raise self._too_large(reason) from None
        x, value = found.x, found.fun
        end = Step(x, value, x, value, len(curve), found.state, found.learning_rate)
        if not curve:  # no step, but perhaps another penalty
            self.monitor.kept = partial(kept_at, end)
        return fit_at(end, found.status)

    def _search(self, objective, most, state, flat):
        """The minimiser of the solver, ``search(params, callback=callback)``, of ``most`` steps."""
        settings, tol, fun = self.settings, self.settings.tol, objective.value_and_gradient
        if settings.solver == "lm":
            return partial(levenberg_marquardt, objective, damping=state, max_iter=most, tol=tol)
        if settings.solver == "lbfgs":
            flat, tol = flat or Flat.within(most, tol), settings.gradient_scale * tol
            search = partial(lbfgs, flat=flat, max_iter=most, tol=tol)
            return partial(in_units, objective.penalty.units, search, fun)
        if settings.solver == "gd":
            return partial(gradient_descent, fun, learning_rate=state, max_iter=most, tol=tol)
        return partial(self._epochs, objective, most, state)

    def _epochs(self, objective, max_iter, state, params, *, callback):
        """Epochs of sgd or adam; ValueError if no step, however short, leaves F finite."""
        settings, rows = self.settings, self.mean_loss.rows
        rule = adam
        if settings.solver == "sgd":
            rule = partial(sgd, momentum=settings.momentum, nesterov=settings.nesterovs_momentum)
        rate, decay = settings.learning_rate, settings.learning_rate_schedule
        schedule = Schedule(rate, decay, max_iter, settings.tol, settings.n_iter_no_change)
        random_state = self.random_state if settings.shuffle else None
        batches = Batches(rows, settings.batch_size, random_state)
        found = stochastic(
            objective, state, rule=rule, batches=batches, options=schedule, callback=callback
        )
        if not found.nit:
            raise self._too_large("The loss is not finite, however short the steps")
        return found

    def _too_large(self, what):
        """The error of numbers that overflow, with what can be done about it."""
        dtype = self.mean_loss.rows.dtype
        more = "" if self.settings.standardize else ", or set standardize=True"
        values, remedy = too_large("scale")
        return ValueError(f"{what}: X or y holds {values} for {dtype}. {remedy} them{more}.")

    def _start(self):
        """Weights (p,) to start from, and what going on needs beside them."""
        settings, problem, dtype = self.settings, self.problem, self.mean_loss.rows.dtype
        start, is_stream = problem.start, settings.is_stream
        if start is None:
            params, state = problem.draw_start(self.random_state, settings), None
        else:
            params = start.params(problem.network, problem.scale, is_stream=is_stream)
            state = start.state(settings.solver, is_stream=is_stream)
        if not settings.is_stream:
            with np.errstate(over="ignore", invalid="ignore"):
                value = self.mean_loss.value(params)
            if not np.isfinite(value):
                raise self._too_large("The loss is not finite at the starting weights")
        if settings.solver not in ("adam", "sgd"):
            return params, state
        params = params.astype(dtype)
        if state is None:
            return params, StochasticState(params, params)
        if settings.is_stream:  # it goes on from its last step, not from the average
            last = published_weights(problem.scale, problem.network, [state.average], dtype)
            if are_equal(last, (start.coefs, start.intercepts)):
                return params, replace(state, progress=0.0)
        # The moments go on, under a new schedule.
        return params, replace(state, params=params, average=params, progress=0.0)

    def _best_by_left_out_rows(self, strategy, params):
        """The best of several starts whose penalty is found from the rows: each goes to the end.

        What is kept while one is under way is the best before it.
        """
        search, best = self.search_of_penalties(), None

        def beside_the_best(before, penalty, *, max_iter, keep=None):
            return self.minimize(before, penalty, max_iter=max_iter, keep=lambda running: best)

        for number in range(1, self.settings.n_starts + 1):
            announce(self.settings, f"Start {number} of {self.settings.n_starts}")
            if best is not None:
                params = self.problem.draw_start(self.random_state, self.settings)
                search = replace(search, minimize=beside_the_best)
            fit = strategy(search, Fit(params))
            if best is None or fit.left_out_share < MARGIN * best.left_out_share:
                best = fit
        return best

    def _best_of(self, params, penalty):
        """The best of several starts: each gets a few steps, and the best two go on to the end."""
        settings, trials, n_starts = self.settings, [], self.settings.n_starts
        drawn = (self.problem.draw_start(self.random_state, settings) for _ in range(1, n_starts))
        for number, start in enumerate((params, *drawn), 1):
            announce(settings, f"Start {number} of {n_starts}")
            keep = partial(_least, tuple(trials))
            trials.append(self.minimize(Fit(start), penalty, max_iter=TRIAL_STEPS, keep=keep))
        first = _least(trials)
        second = _least([trial for trial in trials if trial is not first])
        finished = []
        for rank, trial in (("best", first), ("second best", second)):
            fit, max_iter = trial, settings.max_iter - len(trial.curve)
            if trial.status == OUT_OF_ITERATIONS and max_iter:
                announce(settings, f"Going on from the {rank} of them")
                keep = partial(_least, tuple(finished))
                fit = self.minimize(trial, penalty, max_iter=max_iter, keep=keep)
            finished.append(fit)
        return _least(finished)


def too_large(remedy):
    """What an error calls values that overflow, and what to do about them, by a verb.

    Under ``assume_finite`` nobody has looked for missing ones.
    """
    if get_config()["assume_finite"]:
        return "missing values, or values too large", f"Fill them in, or {remedy}"
    return "values too large", remedy.capitalize()


def _least(fits, *running):
    """The fit with the least F, ties to the earlier."""
    least, *others = *fits, *running
    for fit in others:
        if fit.loss < MARGIN * least.loss:
            least = fit
    return least


def most_iterations(settings, is_regression):
    """At most so many iterations are taken by one network."""
    if isinstance(settings.alpha, str):
        most = settings.max_iter + settings.n_free_steps
        stride = LBFGS_STRIDE if settings.solver == "lbfgs" else 1
        return settings.n_starts * most_steps(settings.alpha, most, is_regression, stride)
    if settings.n_starts == 1:
        return settings.max_iter
    return settings.n_starts * TRIAL_STEPS + 2 * (settings.max_iter - TRIAL_STEPS)
