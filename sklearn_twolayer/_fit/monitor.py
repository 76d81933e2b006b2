"""What watches a training: curves, validation rows, the clock, callbacks; and what stops it."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from inspect import signature
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from sklearn_twolayer._fit.parameters import Plan

if TYPE_CHECKING:
    from sklearn_twolayer._callbacks import Task

#: What may end a fit before it has converged, beside ``max_iter``.
OUT_OF_TIME, INTERRUPT = "out of time", "interrupt"


class Stop(Exception):
    """The training is to end now: the fit that the monitor keeps is its result."""


def announce(settings, text):
    """Tell the user where the fit is, if that is wanted."""
    if settings.verbose:
        print(text)


def warn(found, category, n_frames):
    """Warn of what is not None; blamed is the line so many frames above the caller.

    A complaint that is a Warning has a category of its own.
    """
    for complaint in found:
        if complaint is not None:
            warnings.warn(complaint, category, stacklevel=n_frames + 2)


class Deadline:
    """When a fit has to end: so many seconds from now, never, or at once."""

    def __init__(self, max_time=None):
        # The clock is the same in all processes of a machine.
        self._end = np.inf if max_time is None else perf_counter() + max_time
        self.reason = OUT_OF_TIME

    def share(self, share):
        """The deadline of something that may take this share of the time that is left."""
        return Deadline(share * (self._end - perf_counter()))

    def interrupt(self):
        """End the fit now."""
        self.reason = INTERRUPT

    def is_over(self):
        return self.reason == INTERRUPT or perf_counter() >= self._end


@dataclass(frozen=True)
class Watch:
    """Who watches a fit: its deadline, and the task of which callbacks are told."""

    deadline: Deadline
    task: "Task | None" = None
    number: int | None = None  # of a member of a committee; None for a network by itself

    def member(self, number):
        """Who watches a member of the committee."""
        return Watch(self.deadline, self.task and self.task.member(number), number)


def scorer_of_weights(scoring, scorer, model_of, table, *, others=()):
    """The score of validation rows under weights, as the user has named it by ``scoring``.

    ``scorer(estimator, X, y)`` takes the weights of the rows as well, if it can, and
    ``model_of(coefs, intercepts)`` is a model to predict with; where it fails, ``others`` are names
    to offer. ValueError if the rows are not in memory.
    """
    if not table.is_in_memory:
        raise ValueError(
            f"scoring={scoring!r} needs validation rows in memory. Pass X_val "
            "and y_val as arrays, or set scoring to None or 'loss': sums over partitions."
        )
    score = partial(_score, scorer=scorer, model_of=model_of, table=table)
    return partial(_number_of, score, scoring=scoring, others=others)


def _number_of(score_weights, coefs, intercepts, *, scoring, others):
    """The score, or an error that says of which ``scoring``."""
    try:
        score = score_weights(coefs, intercepts)
    except (ValueError, TypeError, AttributeError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        choices = ", ".join(map(repr, (*others, "loss")))
        if "pos_label" in str(error):
            choices += ", or name the positive class: sklearn.metrics.make_scorer(..., pos_label=)"
        why = str(error).removesuffix(".") or type(error).__name__
        reason = f"scoring={scoring!r} cannot score these rows: {why}"
        raise kind(f"{reason}. Choose another scoring, such as {choices}.") from error
    if np.ndim(score) or np.asarray(score).dtype.kind not in "biuf":
        raise TypeError(f"scoring={scoring!r} returned {score!r}. It must return one number.")
    return score


def _score(coefs, intercepts, *, scorer, model_of, table):
    """Return a scorer's word on the weights, on the rows of a table, which it weighs if it can."""
    model = model_of(coefs, intercepts)
    if table.weight is None or "sample_weight" not in signature(scorer).parameters:
        return scorer(model, table.X, table.y)
    try:
        return scorer(model, table.X, table.y, sample_weight=table.weight)
    except TypeError as error:  # of a metric that is private to scikit-learn's scorer, which weighs
        if "sample_weight" not in str(error):
            raise
        return scorer(model, table.X, table.y)


@dataclass(eq=False)
class Monitor:
    """Records each iteration of a training, keeps what it has come to, and says when to stop.

    ``validate(params)`` is the loss of the validation rows, and the score that early stopping
    maximises; ``tell(params)`` is told of each iteration, and says whether to stop.
    """

    settings: Plan
    deadline: Deadline
    validate: Callable | None = None
    tell: Callable | None = None
    n_before: int = 0  # iterations before this training
    n_steps: int = field(default=0, init=False)  # that were recorded: the number of the next one
    scores: list = field(default_factory=list, init=False)  # of the validation rows
    losses: list = field(default_factory=list, init=False)
    best_params: np.ndarray | None = field(default=None, init=False)  # under early stopping
    kept: Callable | None = field(default=None, init=False)  # ``kept()`` is the fit, if it ends now
    ending: str | None = field(default=None, init=False)  # why it was cut short, if it was
    _best: tuple = field(default=(-np.inf, -np.inf), init=False)
    _least: float = field(default=np.inf, init=False)
    _waited: int = field(default=0, init=False)

    def step(self, params, value, kept):
        """Record an iteration and keep the fit ``kept()``; raise Stop if it is the last.

        What may be interrupted comes first: an iteration is recorded whole or not at all.
        """
        if self.validate is not None:
            loss, score = map(float, self.validate(params))
            if not np.isfinite(score):
                raise ValueError(
                    f"The score of the validation rows is {score}. Pass more of them, or choose "
                    "another scoring, such as 'loss'."
                )
        asks_to_stop = self.tell is not None and self.tell(params)
        if self.settings.verbose:
            line = f"Iteration {self.n_before + self.n_steps + 1:5d}  loss {value:.6g}"
            print(line if self.validate is None else f"{line}  validation score {score:.4f}")
        if self.validate is not None:
            self._record_validation(params, loss, score)
        self.n_steps += 1
        self.kept = kept
        is_flat = self._waited >= self.settings.n_iter_no_change
        if asks_to_stop or (self.settings.early_stopping and is_flat):
            raise Stop
        if self.deadline.is_over():
            self.ending = self.deadline.reason
            raise Stop

    def along(self, fit):
        """The fit with what was seen along the way: its curve, its end, and validation."""
        fit = replace(fit, curve=fit.curve or (fit.loss,), ending=self.ending)
        if self.best_params is not None:
            fit = replace(fit, params=self.best_params)
        if self.scores:
            scores, losses = ([of[step] for step in fit.steps] for of in (self.scores, self.losses))
            fit = replace(fit, validation_scores=scores, validation_losses=losses)
        return fit

    def interrupt(self):
        """The user has interrupted the training: it ends, and so does the whole fit."""
        self.deadline.interrupt()
        self.ending = INTERRUPT

    def _record_validation(self, params, loss, score):
        """Loss and score of the validation rows, and the best weights so far.

        A higher score or a lower loss is worth waiting for: on its way off a plateau the loss of a
        classifier falls long before its accuracy rises. A loss has units, so that its gain is a
        share of it.
        """
        self.losses.append(loss)
        self.scores.append(score)
        tol, gains = self.settings.tol, (score - self._best[0], self._least - loss)
        has_gained = gains[0] > tol or gains[1] > tol * abs(self._least)
        self._waited, self._least = 0 if has_gained else self._waited + 1, min(self._least, loss)
        if (score, -loss) > self._best:
            self._best = score, -loss
            if self.settings.early_stopping:
                self.best_params = params.copy()


def best_step(scores, losses):
    """Number of the first step of the best validation score, and of these of the least loss.

    Few rows have few values of the accuracy, and many networks the same one.
    """
    return max(range(len(scores)), key=lambda step: (scores[step], -losses[step]))
