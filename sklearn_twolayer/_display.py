"""LossCurveDisplay: how a fit went.

matplotlib is imported when something is drawn, and not before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

#: Two colours that everybody can tell apart (Okabe & Ito 2008, "Color universal design").
BLUE, ORANGE = "#0072B2", "#D55E00"


@dataclass(kw_only=True, eq=False, repr=False)
class LossCurveDisplay:
    """Loss after each iteration of a fit, with that of validation rows.

    Create it with :meth:`from_estimator`; what it has drawn is in its attributes.

    Parameters
    ----------
    loss_curve : list of float
        Loss of the training rows.
    validation_loss_curve : list of float, default=None
        Loss of the validation rows.
    validation_scores : list of float, default=None
        Their scores; drawn, on an axis of their own, where there is no such loss.
    estimator_name : str, default=None
        For the legend.
    step_name : str, default="iteration"
        What the horizontal axis counts.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The loss curve.
    validation_line_ : matplotlib Line2D or None
        The validation loss, or the scores.
    ax_ : matplotlib Axes
        Axes of the losses.
    score_ax_ : matplotlib Axes or None
        Axes of the scores.
    figure_ : matplotlib Figure
        The figure.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_twolayer import LossCurveDisplay, TwoLayerRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = TwoLayerRegressor(solver="lbfgs", alpha=0.01, random_state=0)
    >>> model = model.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    >>> display = LossCurveDisplay.from_estimator(model)
    """

    loss_curve: list[float]
    validation_loss_curve: list[float] | None = None
    validation_scores: list[float] | None = None
    estimator_name: str | None = None
    step_name: str = "iteration"

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, name: str | None = None, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Draw the loss curve of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted, with a ``loss_curve_``: ours, or scikit-learn's ``MLPRegressor`` and
            ``MLPClassifier``; also as the last step of a Pipeline, or inside a search.
        name : str, default=None
            For the legend; the name of the class if None.
        ax : matplotlib Axes, default=None
            Axes to draw into; new ones if None.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : LossCurveDisplay
            With the picture drawn.

        Raises
        ------
        ValueError
            If the estimator has recorded no losses.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        estimator = innermost(estimator)
        kind = type(estimator).__name__
        check_is_fitted(estimator)
        curve = getattr(estimator, "loss_curve_", None)
        if curve is None:
            raise ValueError(
                f"This {kind} has no loss_curve_ to draw. scikit-learn's MLP has one with "
                "solver='sgd' or 'adam'; TwoLayerRegressor and TwoLayerClassifier have one with "
                "every solver."
            )
        solver = getattr(estimator, "solver_", getattr(estimator, "solver", None))
        display = cls(
            loss_curve=curve,
            validation_loss_curve=getattr(estimator, "validation_loss_curve_", None),
            validation_scores=getattr(estimator, "validation_scores_", None),
            estimator_name=kind if name is None else name,
            step_name="epoch" if solver in ("sgd", "adam") else "iteration",
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, *, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw into; new ones if None.
        name : str, default=None
            For the legend; ``estimator_name`` if None.
        **kwargs : dict
            Passed to matplotlib's ``plot`` for every curve, such as ``color``; a ``label`` takes
            the place of the name.

        Returns
        -------
        display : LossCurveDisplay
            Itself.
        """
        pyplot = import_pyplot(f"{type(self).__name__}.plot")
        ax = pyplot.subplots()[1] if ax is None else ax
        name = kwargs.pop("label", self.estimator_name if name is None else name)
        prefix = "" if name is None else f"{name}: "
        if len(self.loss_curve) == 1:
            kwargs = {"marker": "o", **kwargs}
        (self.line_,) = _draw_curve(ax, self.loss_curve, label=f"{prefix}training", **kwargs)
        kwargs = {"color": self.line_.get_color(), "linestyle": "--", **kwargs}
        self.validation_line_ = self.score_ax_ = None
        if self.validation_loss_curve:
            label = f"{prefix}validation"
            curve = self.validation_loss_curve
            (self.validation_line_,) = _draw_curve(ax, curve, label=label, **kwargs)
        elif self.validation_scores:
            self.score_ax_ = ax.twinx()
            self.score_ax_.set_ylabel("validation score")
            (self.validation_line_,) = _draw_curve(self.score_ax_, self.validation_scores, **kwargs)
            ax.plot([], [], label=f"{prefix}validation score", **kwargs)
        drawn = np.concatenate([line.get_ydata() for line in ax.lines if len(line.get_ydata())])
        if drawn.min() > 0 and drawn.max() > 30 * drawn.min():
            ax.set_yscale("log")
        ax.set(xlabel=self.step_name, ylabel="loss")
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self


def import_pyplot(caller):
    """matplotlib.pyplot, or an error that says how to get it."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib. Install it with pip install matplotlib, or this package "
            "with the extra plot."
        ) from error
    return pyplot


def innermost(estimator):
    """The network inside searches, Pipelines and TransformedTargetRegressor."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "regressor_"):
            estimator = estimator.regressor_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def _draw_curve(ax, curve, **kwargs):
    return ax.plot(np.arange(1, len(curve) + 1), curve, **kwargs)
