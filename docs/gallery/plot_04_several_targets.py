"""
Several targets, each with its own error bars
=============================================

One network can predict several targets at once: they share the hidden
layer. Each has a noise of its own, which is estimated from its own
residuals.
"""

# %%
# An oven is heated: temperature, pressure and a poor weighing of what is
# left, over time. The three have different units, and the third is mostly
# noise.

import numpy as np

rng = np.random.default_rng(0)
minutes = np.sort(rng.uniform(0, 60, 80))


def process(minutes):
    temperature = 20 + 180 * (1 - np.exp(-minutes / 12))
    pressure = 1 + 0.8 * np.sin(minutes / 8) * np.exp(-minutes / 40)
    mass = 500 - 60 / (1 + np.exp(-(minutes - 30) / 4))
    return np.column_stack([temperature, pressure, mass])


noise = np.array([3.0, 0.1, 30.0])
Y = process(minutes) + noise * rng.normal(size=(80, 3))

# %%
# ``fit`` takes the targets as the columns of Y, ``predict`` returns
# predictions and standard deviations in the same shape.
# ``noise_precision_`` is 1 / variance of each target, in its units.

from sklearn_twolayer import TwoLayerRegressor

model = TwoLayerRegressor(random_state=0).fit(minutes.reshape(-1, 1), Y)
print("noise, true:     ", noise)
print("noise, estimated:", (1 / np.sqrt(model.noise_precision_)).round(2))

# %%
# The bands hold 90 % of new measurements.

import matplotlib.pyplot as plt

grid = np.linspace(0, 60, 200)
prediction, std = model.predict(grid.reshape(-1, 1), return_std=True)

figure, axes = plt.subplots(
    3, sharex=True, figsize=(5, 5.5), layout="constrained"
)
names = ["temperature (°C)", "pressure (bar)", "mass (g)"]
low, high = prediction - 1.645 * std, prediction + 1.645 * std
for k, ax in enumerate(axes):
    band = {"alpha": 0.2, "lw": 0, "label": "90 % of new points"}
    ax.fill_between(grid, low[:, k], high[:, k], fc="C0", **band)
    ax.plot(grid, prediction[:, k], color="C0", lw=2, label="prediction")
    ax.plot(grid, process(grid)[:, k], "k--", lw=1, label="truth")
    ax.plot(minutes, Y[:, k], ".", color="C1", label="data")
    ax.set(ylabel=names[k], xlim=(0, 60))
axes[-1].set_xlabel("time (minutes)")
figure.align_ylabels()
handles, labels = axes[0].get_legend_handles_labels()
figure.legend(handles, labels, loc="outside upper center", ncols=2)
plt.show()

# %%
# What was seen
# -------------
# The band of each target is as wide as its own scatter: narrow for the
# temperature, wide for the mass. Targets need not be scaled to each other
# first, and a noisy one does not spoil the fit of a quiet one: where the
# penalty is found from the rows, as here by default, the objective measures
# each target in units of its noise.
