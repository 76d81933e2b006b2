"""
Decision boundaries, and probabilities that admit doubt
=======================================================

A classifier is asked for probabilities also where it has seen nothing. The plain network answers
with the certainty of its one set of weights; ``predict_proba(X, moderated=True)`` averages over
the weights that explain the data about as well.
"""

# %%
# Three kinds of wine by two measurements.

from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

from sklearn_twolayer import TwoLayerClassifier

X, y = load_wine(return_X_y=True, as_frame=True)
X = X[["alcohol", "flavanoids"]]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
model = TwoLayerClassifier(random_state=0).fit(X_train, y_train)
print(f"accuracy on new rows: {model.score(X_test, y_test):.2f}")

# %%
# scikit-learn's displays take the estimator as it is: the map of the likeliest class, and
# the table of what is taken for what.

import matplotlib.pyplot as plt
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.metrics import ConfusionMatrixDisplay

colours = ["#0072B2", "#E69F00", "#CC79A7"]
figure, (ax, table) = plt.subplots(2, figsize=(5, 7), layout="constrained", height_ratios=(4, 3))
DecisionBoundaryDisplay.from_estimator(
    model, X_train, response_method="predict", multiclass_colors=colours, alpha=0.35, ax=ax
)
for kind, marker in enumerate("o^s"):
    rows = X_train[y_train == kind]
    ax.scatter(*rows.to_numpy().T, color=colours[kind], marker=marker, ec="k", label=f"wine {kind}")
ax.set(xlabel="alcohol (%)", ylabel="flavanoids")
ax.legend(loc="upper left")
ConfusionMatrixDisplay.from_estimator(model, X_test, y_test, cmap="Blues", ax=table, colorbar=False)
table.set(xlabel="predicted wine", ylabel="true wine")
plt.show()

# %%
# Far from the data
# -----------------
# The probability of the likeliest class, on a map that reaches far beyond the data.

import numpy as np
import pandas as pd

alcohol, flavanoids = np.meshgrid(np.linspace(8, 18, 120), np.linspace(0, 9, 120))
grid = pd.DataFrame({"alcohol": alcohol.ravel(), "flavanoids": flavanoids.ravel()})

figure, axes = plt.subplots(2, figsize=(5, 6.6), sharex=True, layout="constrained")
for ax, moderated in zip(axes, (False, True)):
    certainty = model.predict_proba(grid, moderated=moderated).max(axis=1)
    levels = np.linspace(0.3, 1, 8)
    certainty = certainty.reshape(alcohol.shape)
    colour_map = ax.contourf(alcohol, flavanoids, certainty, levels, cmap="viridis")
    ax.plot(*X_train.to_numpy().T, ".", color="w", mec="k", ms=6)
    ax.set(title=f"moderated={moderated}", ylabel="flavanoids")
axes[1].set_xlabel("alcohol (%)")
figure.colorbar(colour_map, ax=axes, location="bottom", label="probability of the likeliest wine")
plt.show()

# %%
# What was seen
# -------------
# Among the data both answer alike. Far away the plain network is certain of a wine that nobody has
# tasted, while the moderated probabilities come down. They do so only where left-out rows say that
# the posterior of the weights is to be believed; elsewhere they stay those of the plain network.
# Judge it by the log loss of new rows, which punishes certainty that was wrong:

from sklearn.metrics import log_loss

for moderated in (False, True):
    loss = log_loss(y_test, model.predict_proba(X_test, moderated=moderated))
    print(f"moderated={moderated!s:5}  log loss of new rows {loss:.2f}")
