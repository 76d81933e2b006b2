"""
Which inputs matter
===================

Four answers to one question, on data where the right answer is known: in
Friedman's first problem, y = 10 sin(π x0 x1) + 20 (x2 - 0.5)² + 10 x3 + 5
x4 + noise, and x5 to x9 do nothing.
"""

# %%
# ``alpha="ard"`` (automatic relevance determination) finds a penalty for
# each input, so that those which say nothing are switched off.

from sklearn.datasets import make_friedman1
from sklearn.model_selection import train_test_split

from sklearn_twolayer import TwoLayerRegressor

X, y = make_friedman1(n_samples=600, noise=1.0, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = TwoLayerRegressor(alpha="ard", random_state=0).fit(X_train, y_train)
print(f"R² on new rows: {model.score(X_test, y_test):.2f}")

# %%
# Two rankings
# ------------
# ``feature_importances_`` comes with the fit: how much each input moves the
# prediction, from its gradient. ``permutation_importance`` of scikit-learn
# asks by how much R² falls when a column is shuffled.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.inspection import permutation_importance

permutation = permutation_importance(
    model, X_test, y_test, n_repeats=20, random_state=0
)
names = [f"x{column}" for column in range(10)]

figure, axes = plt.subplots(
    1, 2, figsize=(5, 3.2), sharey=True, layout="constrained"
)
axes[0].barh(names, model.feature_importances_, color="C0")
mean, std = permutation.importances_mean, permutation.importances_std
axes[1].barh(names, mean, xerr=std, color="C1")
axes[0].set_xlabel("feature_importances_")
axes[1].set_xlabel("fall of R² if shuffled")
axes[0].invert_yaxis()
plt.show()

# %%
# In which direction?
# -------------------
# Partial dependence shows the shape: the mean prediction as one input
# changes.

from sklearn.inspection import PartialDependenceDisplay

figure, axes = plt.subplots(2, 2, figsize=(5, 4.4), layout="constrained")
PartialDependenceDisplay.from_estimator(
    model, X_train, [0, 2, 3, 7], feature_names=names, ax=axes
)
plt.show()

# %%
# Row by row
# ----------
# A mean can hide what happens in a row. ``input_gradient`` is the
# derivative of each prediction. That by x0 is 10 π x1 cos(π x0 x1): its
# sign depends on both inputs.

gradient = model.input_gradient(X_test)[:, 0]

figure, ax = plt.subplots(figsize=(5, 3.4), layout="constrained")
limit = np.abs(gradient).max()
colours = {"c": gradient, "cmap": "PuOr", "vmin": -limit, "vmax": limit}
points = ax.scatter(X_test[:, 0], X_test[:, 1], edgecolor="0.5", **colours)
figure.colorbar(points, label="d prediction / d x0")
ax.set(xlabel="x0", ylabel="x1")
plt.show()

# %%
# What was seen
# -------------
# Both rankings find the five inputs, and give the other five next to
# nothing. Partial dependence finds the parabola of x2 and the straight line
# of x3; the gradient finds the interaction of x0 with x1, which no curve of
# a single input shows.
