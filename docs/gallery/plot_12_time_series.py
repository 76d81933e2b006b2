"""
Forecasts from lags of a time series
====================================

A network knows nothing of time. Give it the last values of the series as
columns, and it predicts the next one; feed each forecast back, and it goes
on.
"""

# %%
# The number of blood cells in a model of Mackey and Glass (1977): new ones
# ripen for 17 days, and the later they are missed, the wilder the swings.
# The series never repeats itself.

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
cells = [1.2] * 18
for _ in range(900):
    newly_ripe = 0.2 * cells[-18] / (1 + cells[-18] ** 10)
    cells.append(0.9 * cells[-1] + newly_ripe)
cells = pd.Series(cells[200:]) + 0.005 * rng.normal(size=718)

# %%
# A row for each day, with the counts of the 18 days before. The last 200
# days are kept for the test, and come after all that was learned: a time
# series is never shuffled. ``alpha="evidence"`` suits data of little noise,
# and takes less time than the default, which compares it with others.

from sklearn.linear_model import LinearRegression

from sklearn_twolayer import TwoLayerRegressor

shifted = {f"{lag} before": cells.shift(lag) for lag in range(1, 19)}
lags = pd.DataFrame(shifted).dropna()
train, test = lags.index[:-200], lags.index[-200:]

models = {
    "network": TwoLayerRegressor(alpha="evidence", random_state=0),
    "straight line": LinearRegression(),
}
for name, model in models.items():
    model.fit(lags.loc[train], cells[train])
    error = cells[test] - model.predict(lags.loc[test])
    print(f"{name:14} one day ahead: RMSE {np.sqrt(np.mean(error**2)):.4f}")

# %%
# Many days ahead
# ---------------
# Every forecast becomes the "1 before" of the next day.

import matplotlib.pyplot as plt


def forecast(model, known, n_days):
    known = list(known)
    for _ in range(n_days):
        row = pd.DataFrame([known[:-19:-1]], columns=lags.columns)
        known.append(model.predict(row)[0])
    return known[-n_days:]


figure, ax = plt.subplots(figsize=(5, 3.6), layout="constrained")
ax.plot(cells.loc[test[0] - 60 :], color="0.7", lw=4, label="what happened")
for (name, model), style in zip(models.items(), ("C0-", "C1--")):
    ax.plot(test, forecast(model, cells[train], 200), style, label=name)
ax.axvline(test[0], ymax=0.9, color="k", lw=1)
ax.set(xlabel="day", ylabel="blood cells (relative)", ylim=(0.1, 1.7))
ax.text(test[0], 0.15, "  forecasts begin")
ax.legend(loc="upper center", ncols=3, frameon=False)
plt.show()

# %%
# What was seen
# -------------
# One day ahead the network errs by little more than the measurement does,
# and its forecasts follow the swings for half a year. The straight line
# calms down to the mean, as linear forecasts do. In a chaotic series every
# forecast departs from the truth in the end, this one too.
