"""Draw the loss curves and the networks of ``docs/features.md``.

Run it with ``python docs/examples/displays.py``; it saves ``loss_curve_display.png``
and ``network_display.png`` in the current folder.
"""

import warnings

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullLocator
from PIL import Image
from sklearn.datasets import load_iris, make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from sklearn_twolayer import (
    LossCurveDisplay,
    NetworkDisplay,
    TwoLayerClassifier,
    TwoLayerRegressor,
)

#: On the vertical axes of the loss curves.
TICKS = (1, 0.5, 0.2, 0.1, 0.05, 0.03), (1, 0.8, 0.6, 0.5, 0.4)


def draw_loss_curves(path):
    """Training and validation loss: without a penalty and with one, and of two solvers."""
    X, y = make_friedman1(n_samples=300, noise=2.0, random_state=0)
    X, X_val, y, y_val = train_test_split(X, y, test_size=100, random_state=0)

    def draw(ax, name, color, **parameters):
        model = TwoLayerRegressor(20, max_iter=60, random_state=0, **parameters)
        model.fit(X, y, X_val=X_val, y_val=y_val)
        LossCurveDisplay.from_estimator(model, name=name, ax=ax, color=color)

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    draw(axes[0], "alpha=0", "#D55E00", solver="lbfgs", alpha=0)
    draw(axes[0], "alpha=0.02", "#0072B2", solver="lbfgs", alpha=0.02)
    axes[0].set(title="A penalty against overfitting", yscale="log")
    draw(axes[1], "adam", "#009E73", solver="adam", alpha=0.02)
    draw(axes[1], "lbfgs", "#0072B2", solver="lbfgs", alpha=0.02)
    axes[1].set(title="Two solvers, one objective", yscale="log", xlabel="epoch or iteration")
    for ax, ticks, corner in zip(axes, TICKS, ("lower left", "upper right")):
        ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.yaxis.set_minor_locator(NullLocator())
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, fontsize=9, loc=corner)
    save(figure, path)


def save(figure, path):
    """A small file: 128 colours are enough for lines."""
    figure.savefig(path, dpi=110)
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


def draw_networks(path):
    """A classifier of three kinds of iris, and a regressor that has switched inputs off."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    table, iris = load_iris(return_X_y=True, as_frame=True), load_iris().target_names
    X = table[0].rename(columns=lambda name: name.removesuffix(" (cm)"))
    NetworkDisplay.from_estimator(
        TwoLayerClassifier(5, random_state=0).fit(X, iris[table[1]]), ax=axes[0]
    )
    axes[0].set_title("Three kinds of iris\n", fontsize=11)
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(100, 6))
    y = np.sin(3 * X[:, 0]) + X[:, 1] ** 2 + 0.1 * rng.normal(size=100)
    relevance = TwoLayerRegressor(4, alpha="ard", random_state=0).fit(X, y)
    NetworkDisplay.from_estimator(relevance, ax=axes[1])
    axes[1].set_title('y = sin 3x0 + x1² + noise, alpha="ard"\n', fontsize=11)
    save(figure, path)


if __name__ == "__main__":
    warnings.simplefilter("ignore", ConvergenceWarning)  # curves of 60 iterations are enough
    draw_loss_curves("loss_curve_display.png")
    draw_networks("network_display.png")
