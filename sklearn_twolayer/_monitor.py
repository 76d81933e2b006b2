"""What a fit reports after each iteration, and when early stopping ends it."""

import numpy as np


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

    Attributes
    ----------
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
    ):
        self._score = score
        self._validation_loss = validation_loss
        self._early_stopping = early_stopping
        self._tol = tol
        self._n_iter_no_change = n_iter_no_change
        self._verbose = verbose
        self._bar = -np.inf
        self._waited = 0
        self.loss_curve = list(loss_curve)
        self.validation_scores = []
        self.validation_losses = []
        self.best_params = None

    def __call__(self, params, value):
        """Record an iteration; raise StopIteration when early stopping ends the fit."""
        self.loss_curve.append(float(value))
        line = f"Iteration {len(self.loss_curve):5d}  loss {value:.6g}"
        if self._score is not None:
            line += f"  validation score {self._validate(params):.4f}"
        if self._verbose:
            print(line)
        if self._early_stopping and self._waited >= self._n_iter_no_change:
            raise StopIteration

    def _validate(self, params):
        """Record loss and score of the validation rows, and the best weights so far."""
        if self._validation_loss is not None:
            self.validation_losses.append(float(self._validation_loss(params)))
        score = float(self._score(params))
        if self._early_stopping and score > max(self.validation_scores, default=-np.inf):
            self.best_params = params.copy()
        self.validation_scores.append(score)
        self._waited = 0 if score > self._bar + self._tol else self._waited + 1
        self._bar = max(self._bar, score)
        return score
