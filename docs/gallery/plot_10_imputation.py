"""
Filling holes in a table, with the doubt that belongs to them
=============================================================

``IterativeImputer`` predicts what is missing in a column from the other
columns, by any regressor. With ``sample_posterior=True`` it asks the
regressor for ``return_std`` and draws from the predicted distribution, so
that filled tables scatter as much as complete ones.
"""

# %%
# Two measurements that hang together along a curve. A third of the second
# one is lost.

import numpy as np

rng = np.random.default_rng(0)
x = rng.uniform(-2, 2, 200)
z = np.sin(2 * x) + 0.2 * rng.normal(size=200)
table = np.column_stack([x, z])
lost = rng.random(200) < 0.35
table[lost, 1] = np.nan

# %%
# Three ways to fill it: a straight line, the network's prediction, and a
# draw from the network's predictive distribution. Only one column has
# holes, so two rounds are enough.

from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.linear_model import BayesianRidge

from sklearn_twolayer import TwoLayerRegressor

line, network = BayesianRidge(), TwoLayerRegressor(20, random_state=0)
rounds = {"max_iter": 2, "tol": 0.1, "random_state": 0}
imputers = {
    "straight line": IterativeImputer(line, **rounds),
    "network": IterativeImputer(network, **rounds),
    "network, sample_posterior=True": IterativeImputer(
        network, sample_posterior=True, **rounds
    ),
}

# %%
# Grey are the complete rows, blue those that were filled in.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(
    3, figsize=(5, 7), sharex=True, sharey=True, layout="constrained"
)
for ax, (name, imputer) in zip(axes, imputers.items()):
    filled = imputer.fit_transform(table)
    filled_in = filled[lost, 1]
    scatter = np.std(filled_in - np.sin(2 * x[lost]))
    print(f"scatter around the curve {scatter:.2f} (true: 0.20), {name}")
    ax.plot(x[~lost], z[~lost], "o", ms=4, color="0.75", label="measured")
    ax.plot(x[lost], filled_in, "C0^", ms=4, label="filled in")
    ax.set(ylabel="z", title=name)
axes[0].legend(loc="lower right", ncols=2)
axes[-1].set_xlabel("x")
plt.show()

# %%
# What was seen
# -------------
# The line cannot follow the curve. The network's mean can, but puts all
# values on it: whatever is computed from that table next believes in less
# noise than there is. Draws have the noise of the data. Fill the table
# several times, with several values of ``random_state``, and what you
# compute from it tells by its spread how much the holes matter (multiple
# imputation).
