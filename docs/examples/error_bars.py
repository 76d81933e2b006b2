"""Draw the error bars of a fit to few, unevenly spread points.

Run it with ``python docs/examples/error_bars.py``; it saves ``error_bars.png`` in
the current folder.
"""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from sklearn_twolayer import TwoLayerRegressor

rng = np.random.default_rng(0)
x = np.concatenate([rng.uniform(-3, -0.5, 40), rng.uniform(1.2, 3, 40)])
y = np.sin(2 * x) + 0.15 * rng.standard_normal(80)
grid = np.linspace(-4, 4, 400)

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
for ax, n_members in zip(axes, (1, 5)):
    model = TwoLayerRegressor(alpha="evidence", n_members=n_members, random_state=0)
    mean, std = model.fit(x[:, None], y).predict(grid[:, None], return_std=True)
    band = {"color": "tab:blue", "alpha": 0.2, "lw": 0, "label": "central 90 %"}
    ax.fill_between(grid, mean - 1.645 * std, mean + 1.645 * std, **band)
    ax.plot(grid, np.sin(2 * grid), "k--", lw=1, label="truth")
    ax.plot(grid, mean, color="tab:blue", label="prediction")
    ax.plot(x, y, ".", color="0.3", ms=4, label="data")
    ax.set(title=f"n_members={n_members}", xlabel="x", ylim=(-3, 3))
axes[0].set_ylabel("y")
axes[0].legend(loc="upper left", fontsize=8, ncols=2)
figure.savefig("error_bars.png", dpi=150)
