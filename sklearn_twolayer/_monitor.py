"""What a fit reports after each iteration, and what ends it before it has converged."""

from time import perf_counter

import numpy as np

#: What may end a fit before it has converged, beside ``max_iter``.
OUT_OF_TIME, INTERRUPT = "out of time", "interrupt"


class Deadline:
    """When a fit has to end: so many seconds from now, never, or at once.

    Parameters
    ----------
    max_time : float or None
    """

    def __init__(self, max_time=None):
        # The clock is the same in all processes of a machine.
        self._end = np.inf if max_time is None else perf_counter() + max_time
        self.reason = OUT_OF_TIME

    def interrupt(self):
        """End the fit now."""
        self.reason = INTERRUPT

    def is_over(self):
        return self.reason == INTERRUPT or perf_counter() >= self._end


class TrainingMonitor:
    """Callback of the minimisers: curves, best weights, early stopping, progress.

    Parameters
    ----------
    score : callable or None
        ``score(params)`` of the validation rows, higher is better; None without them.
    validation_loss : callable, optional
        ``validation_loss(params)``, to be recorded beside the score.
    early_stopping : bool
        Whether the score decides when to stop, or is only recorded.
    loss_curve : sequence of float
        Of the iterations before this training.
    tol, n_iter_no_change : float, int
        Early stopping ends the fit when the best score has not grown by more
        than ``tol`` in ``n_iter_no_change`` iterations.
    verbose : bool
        Print a line per iteration.
    deadline : Deadline, optional
        When to end the fit.
    tell : callable, optional
        ``tell(params)`` is told of each iteration, and says whether to stop.

    Attributes
    ----------
    ending : str or None
        Why the fit was cut short, if it was.
    loss_curve, validation_scores, validation_losses : list of float
    best_params : ndarray or None
        Weights with the best validation score; None without early stopping.
    """

    def __init__(
        self,
        score,
        *,
        tol,
        n_iter_no_change,
        verbose,
        validation_loss=None,
        early_stopping=True,
        loss_curve=(),
        deadline=None,
        tell=None,
    ):
        self._score = score
        self._validation_loss = validation_loss
        self._early_stopping = early_stopping
        self._tol = tol
        self._n_iter_no_change = n_iter_no_change
        self._verbose = verbose
        self._deadline = Deadline() if deadline is None else deadline
        self._tell = tell
        self._bar = -np.inf
        self._waited = 0
        self.loss_curve = list(loss_curve)
        self.validation_scores = []
        self.validation_losses = []
        self.best_params = None
        self.ending = None

    def __call__(self, params, value):
        """Record an iteration; raise StopIteration to end the fit.

        What may be interrupted comes first: an iteration is recorded whole or not at all.
        """
        loss = None if self._validation_loss is None else float(self._validation_loss(params))
        score = None if self._score is None else float(self._score(params))
        asks_to_stop = self._tell is not None and self._tell(params)
        line = f"Iteration {len(self.loss_curve) + 1:5d}  loss {value:.6g}"
        if score is not None:
            self._record_validation(params, loss, score)
            line += f"  validation score {score:.4f}"
        self.loss_curve.append(float(value))
        if self._verbose:
            print(line)
        if asks_to_stop or (self._early_stopping and self._waited >= self._n_iter_no_change):
            raise StopIteration
        if self._deadline.is_over():
            self.ending = self._deadline.reason
            raise StopIteration

    def _record_validation(self, params, loss, score):
        """Loss and score of the validation rows, and the best weights so far."""
        if loss is not None:
            self.validation_losses.append(loss)
        if self._early_stopping and score > max(self.validation_scores, default=-np.inf):
            self.best_params = params.copy()
        self.validation_scores.append(score)
        self._waited = 0 if score > self._bar + self._tol else self._waited + 1
        self._bar = max(self._bar, score)
