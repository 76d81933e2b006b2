"""
Intervals that need no normal noise: conformal prediction
=========================================================

Error bars from ``return_std`` assume normal noise of one size. Conformal
intervals assume nothing about the noise: rows that were held back say how
large errors are. 80 % intervals then hold 80 % of new rows, on average over
draws of the data. `MAPIE <https://mapie.readthedocs.io>`_ puts them around
any scikit-learn regressor.
"""

# %%
# A curve, measured by a good instrument and, one time in five, by a poor
# one. What is left of such noise is far from normal: most errors are small,
# some are large.

import numpy as np

rng = np.random.default_rng(0)


def sample(n):
    x = rng.uniform(-3, 3, n)
    noise = rng.normal(size=n) * np.where(rng.random(n) < 0.2, 0.5, 0.08)
    return x.reshape(-1, 1), np.sin(2 * x) + noise


X, y = sample(300)
X_new, y_new = sample(3000)

# %%
# Cross-conformal intervals: five networks, each fitted without a fifth of
# the rows. Their errors on that fifth are collected. Beside them, one
# network fitted to all rows for its own error bars.

from mapie.regression import CrossConformalRegressor

from sklearn_twolayer import TwoLayerRegressor

network = TwoLayerRegressor(20, random_state=0)
conformal = CrossConformalRegressor(
    network, confidence_level=0.8, cv=5, random_state=0
)
conformal.fit_conformalize(X, y)
network.fit(X, y)


def normal_interval(X):
    mean, std = network.predict(X, return_std=True)
    return mean - 1.28 * std, mean + 1.28 * std


def conformal_interval(X):
    return conformal.predict_interval(X)[1][:, :, 0].T


# %%
# How many of 3,000 new points lie inside?

import matplotlib.pyplot as plt

grid = np.linspace(-3, 3, 200).reshape(-1, 1)
figure, axes = plt.subplots(
    2, figsize=(5, 5.6), sharex=True, sharey=True, layout="constrained"
)
intervals = {"normal": normal_interval, "conformal": conformal_interval}
for ax, (name, interval) in zip(axes, intervals.items()):
    low, high = interval(X_new)
    inside = 100 * np.mean((low < y_new) & (y_new < high))
    width = np.mean(high - low)
    low, high = interval(grid)
    ax.fill_between(grid[:, 0], low, high, color="C0", alpha=0.25, lw=0)
    ax.plot(grid, network.predict(grid), color="C0", lw=2)
    ax.plot(X, y, ".", color="C1", ms=4)
    ax.set_title(f"{name}: {inside:.0f} % inside, {width:.2f} wide")
    ax.set_ylabel("y")
axes[1].set(xlabel="x", xlim=(-3, 3))
plt.show()

# %%
# What was seen
# -------------
# The normal intervals are too wide here: a few large errors make the
# standard deviation large, and 80 % of the points lie much nearer. The
# conformal ones hold what they promise, and are narrower. In return they
# cost six fits, and are equally wide everywhere: about gaps in the data
# only the error bars of the network know.
