"""
A first fit
===========

A smooth curve through noisy points: nothing to scale, nothing to tune. The
straight line of ``Ridge`` beside it shows what the hidden layer buys.
"""

# %%
# The data
# --------
# 150 points of a curve that swings faster and faster, with noise of
# standard deviation 0.2.

import numpy as np

rng = np.random.default_rng(0)
X = rng.uniform(0, 4, size=(150, 1))


def truth(X):
    return np.sin(X[:, 0] ** 2) + 0.5 * X[:, 0]


y = truth(X) + 0.2 * rng.normal(size=150)

# %%
# The fit
# -------
# :class:`~sklearn_twolayer.TwoLayerRegressor` is a scikit-learn estimator
# like any other. It standardises X and y inside, and chooses the penalty on
# large weights from the training rows. Compare it in cross-validation with
# a straight line: if that is as good, take the line.

from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score

from sklearn_twolayer import TwoLayerRegressor

for model in (Ridge(), TwoLayerRegressor(random_state=0)):
    scores = cross_val_score(model, X, y, cv=5)
    print(f"R² on rows left out {scores.mean():.2f}: {model}")

# %%
# The picture
# -----------
# The fitted network is a smooth function, which can be evaluated anywhere.

import matplotlib.pyplot as plt

model = TwoLayerRegressor(random_state=0).fit(X, y)
grid = np.linspace(0, 4, 300).reshape(-1, 1)

figure, ax = plt.subplots(figsize=(5, 3.4), layout="constrained")
ax.scatter(X, y, s=12, color="0.6", label="data")
ax.plot(grid, truth(grid), "k--", lw=1, label="truth")
ax.plot(grid, Ridge().fit(X, y).predict(grid), color="C1", label="Ridge")
ax.plot(grid, model.predict(grid), color="C0", lw=2, label="two layers")
ax.set(xlabel="x", ylabel="y", xlim=(0, 4))
ax.legend(loc="upper left", frameon=False)
plt.show()

# %%
# What was seen
# -------------
# The network follows the curve where it is slow and where it is fast,
# within the noise, and without a parameter of yours. ``solver_`` tells
# which solver ``"auto"`` took, and ``n_iter_`` how many steps it needed.

print(f"solver {model.solver_}, {model.n_iter_} steps")
