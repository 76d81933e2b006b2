"""NetworkDisplay: units and weights of a network.

matplotlib is imported when something is drawn, and not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from sklearn_twolayer._display import BLUE, ORANGE, import_pyplot, innermost

#: Distance between two layers.
WIDTH = 3.0
#: Characters of a name beside a unit.
MOST_CHARACTERS = 24


@dataclass(kw_only=True, eq=False, repr=False)
class NetworkDisplay:
    """The network: its units, and its weights by sign and size.

    Create it with :meth:`from_estimator`; what it has drawn is in its attributes.
    Blue connections are positive weights and orange ones negative. Their width and opacity grow
    with the size of the weight; before a hidden unit it is multiplied by the norm of the weights
    behind it, so that a line tells how far the input moves the outputs through that unit: a nearly
    linear one may have small weights before and large ones behind. The widest of each layer are
    alike, and a line below shows how wide a round size is.

    Parameters
    ----------
    W1 : ndarray of shape (n_features, n_hidden)
        Weights of the hidden layer, of inputs in comparable units.
    W2 : ndarray of shape (n_hidden, n_outputs)
        Weights of the output layer.
    feature_names, output_names : list of str
        Names of the inputs and of the outputs.

    Attributes
    ----------
    connections_ : list of matplotlib LineCollection
        The weights of the two layers.
    scales_ : list of float
        The sizes that the lines below the two layers show.
    texts_ : list of matplotlib Text
        Names of inputs, hidden units and outputs.
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_twolayer import NetworkDisplay, TwoLayerClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = TwoLayerClassifier(4, random_state=0).fit(X, y)
    >>> display = NetworkDisplay.from_estimator(model)
    """

    W1: np.ndarray
    W2: np.ndarray
    feature_names: list[str]
    output_names: list[str]

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        feature_names: Sequence[str] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the network of a fitted estimator.

        Weights are shown on the standardised scale of the fit, where those of
        different inputs compare.

        Parameters
        ----------
        estimator : estimator
            Fitted ``TwoLayerRegressor`` or ``TwoLayerClassifier``, or scikit-learn's MLP
            with one hidden layer; also as the last step of a Pipeline, or inside a search.
        feature_names : list of str, default=None
            Names of the inputs; ``feature_names_in_``, or x0, x1, ... if None.
        ax : matplotlib Axes, default=None
            Axes to draw into; new ones if None.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : NetworkDisplay
            With the picture drawn.

        Raises
        ------
        ValueError, TypeError
            If the network does not have one hidden layer, or if the names do not fit.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        estimator = innermost(estimator)
        check_is_fitted(estimator)
        n_layers = len(getattr(estimator, "coefs_", (None,)))
        if n_layers != 2:
            raise ValueError(
                f"NetworkDisplay draws one hidden layer, but this {type(estimator).__name__} has "
                f"{n_layers - 1}."
            )
        W1, W2 = estimator.coefs_
        learned = getattr(estimator, "_learned_", None)
        if learned is not None:  # scikit-learn's MLP has none
            (W1, W2), _ = learned.scale.unfold(estimator.coefs_, estimator.intercepts_)
        if feature_names is None:
            generated = [f"x{column}" for column in range(len(W1))]
            feature_names = getattr(estimator, "feature_names_in_", generated)
        if isinstance(feature_names, str):
            raise TypeError(f"feature_names={feature_names!r} is one string. Pass a list of them.")
        if len(feature_names) != len(W1):
            raise ValueError(
                f"feature_names has {len(feature_names)} names, but the network has {len(W1)} "
                "inputs. Pass one name for each."
            )
        names = {"feature_names": list(feature_names), "output_names": _output_names(estimator)}
        return cls(W1=W1, W2=W2, **names).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, *, max_units: int = 20, max_width: float = 4.0) -> Self:
        """Draw units and weights.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw into; new ones if None.
        max_units : int, default=20
            Most units of a layer to draw: those with the largest weights.
        max_width : float, default=4.0
            Width of the widest line of a layer.

        Returns
        -------
        display : NetworkDisplay
            Itself.

        Raises
        ------
        ValueError, TypeError
            If ``max_units`` is no positive integer.
        """
        pyplot = import_pyplot(f"{type(self).__name__}.plot")
        check_scalar(max_units, "max_units", Integral, min_val=1)
        moved = self.W1 * np.linalg.norm(self.W2, axis=1)
        inputs = _largest(np.abs(moved).sum(axis=1), max_units)
        hidden = _largest(np.abs(moved).max(axis=0), max_units)
        outputs = _largest(np.abs(self.W2).max(axis=0), max_units)
        sizes = len(inputs), len(hidden), len(outputs)
        height = max(*sizes, 5)
        if ax is None:
            ax = pyplot.subplots(figsize=(7, 1 + 0.35 * height), layout="constrained")[1]
        columns = [_column(layer * WIDTH, n, height) for layer, n in enumerate(sizes)]
        drawn = moved[np.ix_(inputs, hidden)], self.W2[np.ix_(hidden, outputs)]
        self.connections_, self.scales_ = [], []
        for layer, W in enumerate(drawn):
            ends = columns[layer : layer + 2]
            self.connections_.append(_draw_weights(ax, W, *ends, max_width=max_width))
            below = (layer + 0.5) * WIDTH, -height / 2 - 0.4
            self.scales_.append(_draw_scale(ax, np.abs(W).max(), below, max_width=max_width))
        input_names = [self.feature_names[i] for i in inputs]
        labels = input_names, hidden, [self.output_names[i] for i in outputs]
        sides = ("right", -0.18), ("center", 0.0), ("left", 0.18)
        totals = zip(("input", "hidden unit", "output"), (*self.W1.shape, self.W2.shape[1]))
        self.texts_ = []
        for positions, names, (align, shift), total in zip(columns, labels, sides, totals):
            self.texts_ += _draw_units(ax, positions, names, align=align, shift=shift)
            title = _count(len(names), *total)
            ax.text(positions[0, 0], height / 2 + 0.3, title, ha="center", va="bottom", color="0.3")
        ax.set(xlim=(-0.4 * WIDTH, 2.4 * WIDTH), ylim=(-height / 2 - 1.6, height / 2 + 0.9))
        ax.axis("off")
        for color, label in ((BLUE, "positive"), (ORANGE, "negative")):
            ax.plot([], [], color=color, lw=max_width / 2, label=f"{label} weight")
        ax.legend(loc="lower center", ncols=2, frameon=False, bbox_to_anchor=(0.5, -0.02))
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _output_names(estimator):
    n_outputs = estimator.coefs_[1].shape[1]
    if is_classifier(estimator):
        classes = list(estimator.classes_)
        return [str(label) for label in (classes if n_outputs > 1 else classes[-1:])]
    return ["y"] if n_outputs == 1 else [f"y{output}" for output in range(n_outputs)]


def _largest(importance, count):
    """Indices of the ``count`` largest, in their order."""
    return np.sort(np.argsort(-importance, kind="stable")[:count])


def _column(x, count, height):
    """Positions (count, 2) of the units of a layer, from top to bottom."""
    y = np.linspace(height / 2, -height / 2, count + 2)[1:-1]
    return np.column_stack([np.full(count, x), y])


def _draw_weights(ax, W, left, right, *, max_width):
    """A line for each weight, the largest on top."""
    from matplotlib.collections import LineCollection

    size = np.abs(W).ravel() / max(np.abs(W).max(), np.finfo(float).tiny)
    order = np.argsort(size)
    starts, ends = np.indices(W.shape).reshape(2, -1)[:, order]
    lines = LineCollection(
        np.stack([left[starts], right[ends]], axis=1),
        colors=[BLUE if weight > 0 else ORANGE for weight in W.ravel()[order]],
        linewidths=max_width * size[order],
        alpha=_opacity(size[order]),
        zorder=1,
    )
    return ax.add_collection(lines)


def _draw_scale(ax, largest, middle, *, max_width):
    """A line as wide as that of a weight of a round size, which is returned."""
    if largest <= np.finfo(float).tiny:  # nothing is drawn that a line could be compared with
        return 0.0
    digits = f"{largest:.12e}"  # the decimal number: 0.3 // 0.1 is 2
    round_size = float(digits[0] + digits[digits.index("e") :])
    share, (x, y) = round_size / largest, middle
    ends, width = [x - 0.45, x - 0.05], max_width * share
    ax.plot(ends, [y, y], lw=width, color="0.3", solid_capstyle="butt", alpha=_opacity(share))
    ax.text(x + 0.05, y, f"{round_size:g}", va="center", fontsize=9, color="0.3")
    return round_size


def _opacity(share):
    return 0.08 + 0.92 * share


def _draw_units(ax, positions, names, *, align, shift):
    """Circles with names in them, or beside them."""
    ax.plot(*positions.T, "o", ms=12, mfc="white", mec="0.3", zorder=3, clip_on=False)
    size = 9 if shift else 6.5
    return [
        ax.text(x + shift, y, _shortened(str(name)), ha=align, va="center", zorder=4, fontsize=size)
        for (x, y), name in zip(positions, names)
    ]


def _shortened(name):
    """A name without its middle, where it would take the place of the network.

    What tells columns apart stands at their beginning, as of a word, or at the end, as of a level.
    """
    if len(name) <= MOST_CHARACTERS:
        return name
    half = MOST_CHARACTERS // 2
    return f"{name[:half].rstrip()}\N{HORIZONTAL ELLIPSIS}{name[-half + 1 :].lstrip()}"


def _count(shown, noun, total):
    count = f"{total} {noun}{'s' if total > 1 else ''}"
    return count if shown == total else f"{shown} of {count}"
