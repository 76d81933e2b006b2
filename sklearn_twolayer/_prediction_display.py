"""PredictionDisplay: how good the predictions are, and their error bars.

matplotlib is imported when something is drawn, and not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from inspect import signature
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri
from sklearn.base import is_classifier
from sklearn.metrics import r2_score
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_array

from sklearn_twolayer._display import BLUE, ORANGE, import_pyplot

#: Probabilities of the intervals whose coverage is drawn.
LEVELS = np.linspace(0.01, 0.99, 99)


@dataclass(kw_only=True, eq=False, repr=False)
class PredictionDisplay:
    """Fitted against observed values with error bars, residuals, coverage of the intervals.

    Create it with :meth:`from_estimator` or :meth:`from_predictions`, best with rows that the
    fit has not seen; what it has drawn is in its attributes. Each target has a row of panels:
    the fitted values against the observed ones, a histogram of the residuals, and, where
    there are error bars, how many of the observed values lie in the central intervals of
    N(y_pred, y_std^2), against the probability of these intervals: on the diagonal the error
    bars are right, below it too short, above it too long.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
        Observed values.
    y_pred : array-like of the same shape
        Fitted values.
    y_std : array-like of the same shape, default=None
        Standard deviation of each; None draws no error bars.

    Attributes
    ----------
    points_ : list of matplotlib Line2D
        Of each target the fitted against the observed values.
    error_bars_ : list of matplotlib LineCollection, or None
        Their error bars.
    coverage_ : ndarray of shape (n_targets,), or None
        Share of the observed values in the intervals of probability ``level``.
    axes_ : ndarray of matplotlib Axes of shape (n_targets, n_panels)
        The panels.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    sklearn.calibration.CalibrationDisplay : Of a classifier, whether its probabilities are right.
    sklearn.metrics.ConfusionMatrixDisplay : Of a classifier, what it takes for what.
    sklearn.metrics.PredictionErrorDisplay : The same without error bars.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_twolayer import PredictionDisplay, TwoLayerRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = TwoLayerRegressor(4, alpha=0.01, random_state=0).fit(X[:300], y[:300])
    >>> display = PredictionDisplay.from_estimator(model, X[300:], y[300:])
    """

    y_true: ArrayLike
    y_pred: ArrayLike
    y_std: ArrayLike | None = None

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: ArrayLike, *, return_std: bool = True, **kwargs: Any
    ) -> Self:
        """Draw the predictions of a fitted regressor.

        Parameters
        ----------
        estimator : estimator
            Fitted regressor of any kind, a Pipeline that ends in one, or a search over one.
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Observed values.
        return_std : bool, default=True
            Whether to draw error bars, if ``predict`` takes ``return_std``, as that of
            ``TwoLayerRegressor``, ``GaussianProcessRegressor`` and ``BayesianRidge`` does.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : PredictionDisplay
            With the picture drawn.

        Raises
        ------
        ValueError
            If the estimator is a classifier, or if ``predict`` takes ``return_std`` and the
            fit has no error bars; with ``return_std=False`` it is drawn without.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        if is_classifier(estimator):
            raise ValueError(
                f"PredictionDisplay draws regressors, and {type(estimator).__name__} is a "
                "classifier. Use sklearn.calibration.CalibrationDisplay for its probabilities and "
                "sklearn.metrics.ConfusionMatrixDisplay for its labels."
            )
        y_pred, y_std = _predict(estimator, X, return_std)
        return cls.from_predictions(y, y_pred, y_std=y_std, **kwargs)

    @classmethod
    def from_predictions(
        cls, y_true: ArrayLike, y_pred: ArrayLike, *, y_std: ArrayLike | None = None, **kwargs: Any
    ) -> Self:
        """Draw predictions.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
            Observed values.
        y_pred : array-like of the same shape
            Fitted values.
        y_std : array-like of the same shape, default=None
            Standard deviation of each; None draws no error bars.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : PredictionDisplay
            With the picture drawn.
        """
        return cls(y_true=y_true, y_pred=y_pred, y_std=y_std).plot(**kwargs)

    def plot(
        self,
        ax: Any = None,
        *,
        level: float = 0.95,
        max_points: int = 500,
        target_names: Sequence[str] | None = None,
    ) -> Self:
        """Draw the panels.

        Parameters
        ----------
        ax : matplotlib Axes, or array of Axes of shape (n_targets, n_panels), default=None
            Axes to draw into; new ones if None. One column of them is for the fitted values,
            a second one for the residuals, a third one for the coverage. A single Axes is
            for the fitted values of one target.
        level : float in (0, 1), default=0.95
            Probability of the intervals that the error bars show.
        max_points : int, default=500
            Most points of a target to draw, taken at random. Residuals and coverage
            are always those of all rows.
        target_names : list of str, default=None
            Names of the targets; those of the columns of ``y_true``, or y, or y0, y1, ...
            if None.

        Returns
        -------
        display : PredictionDisplay
            Itself.

        Raises
        ------
        ValueError, TypeError
            If shapes, names, axes, the level or the number of points do not fit, or if a
            standard deviation is negative.
        """
        pyplot = import_pyplot(f"{type(self).__name__}.plot")
        check_scalar(max_points, "max_points", Integral, min_val=1)
        check_scalar(level, "level", Real)
        if not 0 < level < 1:
            raise ValueError(f"level={level} is no probability of an interval. Choose 0.95, say.")
        targets = self._targets(target_names)
        self.axes_ = _panels(pyplot, ax, len(targets), 2 if self.y_std is None else 3)
        self.figure_ = self.axes_[0, 0].figure
        self.points_, self.error_bars_, self.coverage_ = [], None, None
        if self.y_std is not None:
            self.error_bars_ = []
            self.coverage_ = np.array([target.coverage(level) for target in targets])
        for target, (ax, *others) in zip(targets, self.axes_):
            few = target.some(max_points)
            if target.std is not None:
                self.error_bars_.append(_draw_error_bars(ax, few, level))
            self.points_.append(_draw_points(ax, few))
            ax.set_title(f"R² = {r2_score(target.observed, target.fitted):.3g}")
            if others:
                _draw_residuals(others[0], target)
            if others[1:]:
                _draw_coverage(others[1], target, level)
        return self

    def _targets(self, names):
        """Each target by itself."""
        observed, fitted = _columns(self.y_true, "y_true"), _columns(self.y_pred, "y_pred")
        std = None if self.y_std is None else _columns(self.y_std, "y_std")
        for name, columns in (("y_pred", fitted), ("y_std", std)):
            if columns is not None and columns.shape != observed.shape:
                raise ValueError(
                    f"{name} has {columns.shape[0]} rows of {columns.shape[1]} target(s), but "
                    f"y_true has {observed.shape[0]} of {observed.shape[1]}. Pass the same rows."
                )
        if std is not None and (std < 0).any():
            raise ValueError(f"y_std holds {std.min():g}. Standard deviations are not negative.")
        if isinstance(names, str):
            raise TypeError(f"target_names={names!r} is one string. Pass a list: [{names!r}].")
        names = _names(self.y_true, observed.shape[1]) if names is None else list(names)
        if len(names) != observed.shape[1]:
            raise ValueError(
                f"target_names has {len(names)} names, but y_true has {observed.shape[1]} "
                "target(s). Pass one name for each."
            )
        stds = [None] * len(names) if std is None else std.T
        return [Target(*each) for each in zip(names, observed.T, fitted.T, stds)]


@dataclass(frozen=True)
class Target:
    """One target: its name, and observed values, fitted ones, standard deviations (n,) or None."""

    name: str
    observed: np.ndarray
    fitted: np.ndarray
    std: np.ndarray | None

    @property
    def residual(self):
        """The observed values less the fitted ones."""
        return self.observed - self.fitted

    @cached_property
    def distances(self):
        """How many standard deviations lie between observed and fitted, sorted."""
        size = np.abs(self.residual)
        with np.errstate(over="ignore"):
            none = np.where(size > 0, np.inf, 0.0)  # where the standard deviation is 0
            return np.sort(np.divide(size, self.std, out=none, where=self.std > 0))

    def coverage(self, level):
        """Share of the observed values in central intervals of these probabilities."""
        count = np.searchsorted(self.distances, ndtri((1 + level) / 2), side="right")
        return count / len(self.distances)

    def some(self, count):
        """Return the target with at most so many of its rows, drawn at random."""
        if len(self.observed) <= count:
            return self
        rows = np.random.RandomState(0).permutation(len(self.observed))[:count]
        std = None if self.std is None else self.std[rows]
        return replace(self, observed=self.observed[rows], fitted=self.fitted[rows], std=std)


def _predict(estimator, X, return_std):
    """Fitted values, and their standard deviations where there are some, else None."""
    if hasattr(estimator, "best_estimator_"):
        return _predict(estimator.best_estimator_, X, return_std)
    if hasattr(estimator, "steps"):
        X = estimator[:-1].transform(X) if len(estimator.steps) > 1 else X
        return _predict(estimator.steps[-1][1], X, return_std)
    if return_std and "return_std" in signature(estimator.predict).parameters:
        try:
            return estimator.predict(X, return_std=True)
        except ValueError as error:
            estimator.predict(X)  # which raises where error bars are not the reason
            raise ValueError(f"{error} Pass return_std=False to draw it without them.") from error
    return estimator.predict(X), None


def _columns(values, name):
    """The values (n, k) as numbers."""
    if np.ndim(values) == 0:
        raise ValueError(f"{name}={values!r} is a single value. Pass one for each row.")
    values = check_array(values, ensure_2d=False, dtype=np.float64, input_name=name)
    return values.reshape(len(values), -1)


def _names(y, k):
    """Return the names that a frame or series has for its targets."""
    if hasattr(y, "columns"):
        return [str(column) for column in y.columns]
    if k == 1:
        return [str(getattr(y, "name", None) or "y")]
    return [f"y{target}" for target in range(k)]


def _panels(pyplot, ax, n_targets, most):
    """The axes to draw into (n_targets, n_panels)."""
    if ax is None:
        size, layout = (3.8 * most, 3.8 * n_targets), "constrained"
        return pyplot.subplots(n_targets, most, squeeze=False, figsize=size, layout=layout)[1]
    axes = np.array(ax, dtype=object)
    for each in axes.flat:
        if not isinstance(each, pyplot.Axes):
            raise TypeError(f"ax holds {each!r}, which is no Axes of matplotlib.")
    n_panels = axes.size // n_targets
    if axes.size != n_targets * n_panels or not 1 <= n_panels <= most:
        raise ValueError(
            f"ax has {axes.size} Axes, but {n_targets} target(s) need {n_targets} times 1 to {most}"
            f" of them. Pass an array of shape ({n_targets}, {most})."
        )
    return axes.reshape(n_targets, n_panels)


def _draw_points(ax, target):
    """Fitted against observed values, and the line on which they would be equal."""
    values = np.concatenate([target.observed, target.fitted])
    ends = values.min(), values.max()
    ax.plot(ends, ends, color=ORANGE, lw=1, zorder=3, label="fitted = observed")
    (points,) = ax.plot(target.observed, target.fitted, "o", ms=3, color=BLUE, zorder=2)
    ax.set(xlabel=f"observed {target.name}", ylabel=f"fitted {target.name}")
    ax.legend(loc="upper left", framealpha=0.9, edgecolor="none")
    return points


def _draw_error_bars(ax, target, level):
    """Central intervals of probability ``level`` of N(fitted, std^2)."""
    width, label = ndtri((1 + level) / 2) * target.std, f"{100 * level:g} % interval"
    low, high = target.fitted - width, target.fitted + width
    return ax.vlines(target.observed, low, high, color=BLUE, alpha=0.3, lw=1, label=label)


def _draw_residuals(ax, target):
    ax.hist(target.residual, bins="rice", color=BLUE, alpha=0.8)
    ax.axvline(0, color=ORANGE, lw=1)
    rmse = np.sqrt(np.mean(target.residual**2))
    ax.set(xlabel=f"{target.name}: observed - fitted", ylabel="rows", title=f"RMSE = {rmse:.3g}")


def _draw_coverage(ax, target, level):
    """Share of observed values in the intervals of each probability."""
    ax.plot([0, 1], [0, 1], color=ORANGE, lw=1)
    ax.plot(LEVELS, target.coverage(LEVELS), color=BLUE)
    ax.plot(level, target.coverage(level), "o", color=BLUE)
    found = f"in {100 * level:g} %: {100 * target.coverage(level):.3g} %"
    ax.set(xlabel="probability of the interval", ylabel="share of rows in it", title=found)
    ax.set_aspect("equal")
