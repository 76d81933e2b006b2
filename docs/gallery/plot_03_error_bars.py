"""
Error bars that know where the data are
=======================================

``predict(X, return_std=True)`` says how sure a prediction is. The standard
deviation holds the noise of a new measurement, and what the fit does not
know of the curve: it is small among the data, and large where there were
none.
"""

# %%
# Points with a gap
# -----------------

import numpy as np

from sklearn_twolayer import TwoLayerRegressor

rng = np.random.default_rng(0)
x = np.concatenate([rng.uniform(-3, -0.5, 40), rng.uniform(1.2, 3, 40)])
y = np.sin(2 * x) + 0.15 * rng.normal(size=80)

model = TwoLayerRegressor(random_state=0).fit(x.reshape(-1, 1), y)
grid = np.linspace(-4, 4, 400)
prediction, std = model.predict(grid.reshape(-1, 1), return_std=True)

# %%
# The bars
# --------
# For normal errors, 90 % of new points lie within 1.645 standard
# deviations. The darker band is the noise alone, which the fit has
# estimated as ``noise_precision_ = 1 / variance``.

import matplotlib.pyplot as plt

noise = 1 / np.sqrt(model.noise_precision_)
print(f"noise: estimated {noise:.2f}, true 0.15")

figure, ax = plt.subplots(figsize=(5, 3.4), layout="constrained")
bands = {"90 % of new points": std, "noise alone": noise}
for (name, width), alpha in zip(bands.items(), (0.15, 0.3)):
    low, high = prediction - 1.645 * width, prediction + 1.645 * width
    ax.fill_between(grid, low, high, alpha=alpha, lw=0, fc="C0", label=name)
ax.plot(grid, np.sin(2 * grid), "k--", lw=1, label="truth")
ax.plot(grid, prediction, color="C0", lw=2, label="prediction")
ax.plot(x, y, ".", color="C1", label="data")
ax.set(xlabel="x", ylabel="y", xlim=(-4, 4), ylim=(-2.4, 3.2))
ax.legend(loc="upper center", ncols=3, frameon=False, fontsize=9)
plt.show()

# %%
# Are the bars honest?
# --------------------
# Count it: how many of 2,000 new points, among the data and in the gap, lie
# in the band?

places = {"among the data": (-3, -0.5), "in the gap": (-0.5, 1.2)}
for place, ends in places.items():
    x_new = rng.uniform(*ends, 2000)
    y_new = np.sin(2 * x_new) + 0.15 * rng.normal(size=2000)
    mean, std = model.predict(x_new.reshape(-1, 1), return_std=True)
    inside = np.abs(y_new - mean) < 1.645 * std
    print(f"{place:15} {100 * inside.mean():3.0f} % in the 90 % band")

# %%
# What was seen
# -------------
# Among the data the band is hardly wider than the noise. In the gap and
# beyond the ends it opens up: the fit knows that it does not know the curve
# there. Whether the points in a gap lie inside is a matter of luck for a
# single data set; over many the bands hold about what they promise.
