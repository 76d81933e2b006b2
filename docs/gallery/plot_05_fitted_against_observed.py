"""
Fitted against observed
=======================

Before you trust a regression, look at rows that it has not seen: do the
fitted values lie around the diagonal, are the residuals small, and do the
error bars hold what they promise?
:class:`~sklearn_twolayer.PredictionDisplay` draws all three.
"""

# %%
# Friedman's first problem has five inputs that matter, five that do not,
# and noise of standard deviation 1. A network learns it from 300 rows, and
# is looked at with 200 others.

from sklearn.datasets import make_friedman1
from sklearn.model_selection import train_test_split

from sklearn_twolayer import PredictionDisplay, TwoLayerRegressor

X, y = make_friedman1(n_samples=500, noise=1.0, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=300, random_state=0
)
model = TwoLayerRegressor(random_state=0).fit(X_train, y_train)

# %%
# ``from_estimator`` predicts with error bars and draws three panels, side
# by side or, as here, on axes of your own: fitted against observed values,
# the residuals, and how many of the rows lie in intervals of each
# probability. Honest error bars follow the diagonal of the last one.

import matplotlib.pyplot as plt

plt.rcParams["axes.titlesize"] = "medium"
figure, axes = plt.subplot_mosaic(
    "AA;AA;BC", figsize=(5, 6.4), layout="constrained"
)
PredictionDisplay.from_estimator(
    model, X_test, y_test, ax=list(axes.values()), level=0.9
)
plt.show()

# %%
# How a model looks that lacks something
# --------------------------------------
# ``from_predictions`` draws what any model has predicted, here a straight
# line with the error bars of ``BayesianRidge``.

from sklearn.linear_model import BayesianRidge

line = BayesianRidge().fit(X_train, y_train)
prediction, std = line.predict(X_test, return_std=True)

figure, ax = plt.subplots(figsize=(5, 3.6), layout="constrained")
PredictionDisplay.from_predictions(
    y_test, prediction, y_std=std, ax=ax, level=0.9
)
plt.show()

# %%
# What was seen
# -------------
# The network's 90 % intervals hold about 90 % of the new rows, and its
# residuals are less than half as large as those of the line. The
# line's points bend off the diagonal, too high at the lower end and too low
# at the upper: curvature that it cannot follow.
