"""Callbacks (scikit-learn 1.9 or newer): a fit as a tree of tasks, of which they are told.

Under the task of a fit there is a task for each iteration; a committee has a task for
each member in between.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

if TYPE_CHECKING:
    from sklearn.callback import CallbackContext

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before scikit-learn 1.9 there are no callbacks

    class CallbackSupportMixin:
        """Nothing to support."""

    def with_callbacks(method):
        """Return the method as it is."""
        return method


#: Attribute that holds the callbacks of an estimator; only a private name tells.
CALLBACKS = "_skl_callbacks"


@dataclass(frozen=True)
class Task:
    """A fit, or one member of a committee, with what callbacks may ask of it."""

    context: CallbackContext
    estimator: BaseEstimator  # the copy that is being fitted
    X: np.ndarray | sparse.csr_array | None  # the training rows; None where they are on a cluster
    y: np.ndarray | None
    sample_weight: np.ndarray | None
    most_iterations: int  # of one network

    def member(self, number):
        """The task of one member of a committee."""
        context = self.context.subcontext(
            task_name="member", task_id=number, max_subtasks=self.most_iterations
        )
        return replace(self, context=context)

    def begin(self):
        """Tell the callbacks that the task begins."""
        self.context.call_on_fit_task_begin(**self._about())

    def iteration(self, weights):
        """Tell of an iteration that is done; whether a callback asks to stop.

        Only then is it known to be one: lm and the stochastic solvers refuse trials.
        """
        task = replace(self, context=self.context.subcontext(task_name="iteration"))
        task.begin()
        return task.end(weights)

    def end(self, weights):
        """Tell of the end; ``weights()`` are the coefs and intercepts to predict with."""

        def attributes():
            coefs, intercepts = deepcopy(weights())  # a callback may change its own
            fitted = {"coefs_": coefs, "intercepts_": intercepts}
            if hasattr(self.estimator, "feature_names_in_"):
                fitted["feature_names_in_"] = None  # X is an array, and has none to compare
            return fitted

        return self.context.call_on_fit_task_end(
            **self._about(), reconstruction_attributes=attributes
        )

    def _about(self):
        weight = self.sample_weight
        metadata = None if weight is None else {"sample_weight": weight}
        return {"estimator": self.estimator, "X": self.X, "y": self.y, "metadata": metadata}


def begin_fit(estimator, table, n_members, most_iterations):
    """The task of the whole fit, begun; a fit without callbacks should pay nothing for one."""
    context = estimator._init_callback_context(
        max_subtasks=most_iterations if n_members == 1 else n_members,
        sequential_subtasks=n_members == 1,
    )
    table = table.as_given
    rows = (table.X, table.y, table.frequency) if table.is_in_memory else (None, None, None)
    task = Task(context, estimator, *rows, most_iterations)
    task.begin()
    return task


__all__ = ["CALLBACKS", "CallbackSupportMixin", "Task", "begin_fit", "with_callbacks"]
