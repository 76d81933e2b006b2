"""Draw the picture of the start page: a curve with its error bars, and a class boundary.

Run it with ``python docs/examples/start_picture.py``; it saves ``start.png`` in the
current folder.
"""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

BLUE = "#0072B2"


def draw_curve(ax):
    """Points with a gap: the error bars widen where there are none."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-3, -0.5, 40), rng.uniform(1.2, 3, 40)])
    y = np.sin(2 * x) + 0.15 * rng.standard_normal(80)
    grid = np.linspace(-3.6, 3.6, 400)
    model = TwoLayerRegressor(random_state=0).fit(x[:, None], y)
    mean, std = model.predict(grid[:, None], return_std=True)
    band = {"color": BLUE, "alpha": 0.2, "lw": 0, "label": "two std"}
    ax.fill_between(grid, mean - 2 * std, mean + 2 * std, **band)
    ax.plot(grid, mean, color=BLUE, lw=2, label="prediction")
    ax.plot(x, y, "o", color="0.25", ms=3.5, mew=0, label="data")
    ax.set(title="TwoLayerRegressor, and how sure it is", ylim=(-1.9, 2.3))
    ax.legend(loc="upper center", ncols=3, frameon=False, fontsize=9, handlelength=1.4)


def draw_boundary(ax):
    """Two half moons: shades of the probability."""
    X, y = make_moons(200, noise=0.25, random_state=0)
    model = TwoLayerClassifier(random_state=0).fit(X, y)
    first, second = np.meshgrid(np.linspace(-1.9, 2.9, 240), np.linspace(-1.4, 1.9, 240))
    probability = model.predict_proba(np.column_stack([first.ravel(), second.ravel()]))[:, 1]
    levels = np.linspace(0, 1, 11)
    probability = probability.reshape(first.shape)
    shades = ax.contourf(first, second, probability, levels, cmap="PuOr_r", alpha=0.6)
    for label, color, marker in ((0, "white", "o"), (1, "black", "s")):
        ax.plot(*X[y == label].T, marker, color=color, ms=4.5, mec="black", mew=0.8)
    ax.set(title="TwoLayerClassifier, probabilities", yticks=[-1, 0, 1])
    ax.figure.colorbar(shades, ax=ax, ticks=[0, 0.5, 1])


figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.3), layout="constrained")
draw_curve(left)
draw_boundary(right)
for axes in (left, right):
    axes.set_title(axes.get_title(), fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
figure.savefig("start.png", dpi=150)
