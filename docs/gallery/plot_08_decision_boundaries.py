"""
Decision boundaries, and probabilities that admit doubt
=======================================================

A classifier is asked for probabilities also where it has seen nothing. The
plain network answers with the certainty of its one set of weights;
``predict_proba(X, moderated=True)`` averages over the weights that explain
the data about as well.
"""

# %%
# Three kinds of wine by two measurements.

from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

from sklearn_twolayer import TwoLayerClassifier

X, y = load_wine(return_X_y=True, as_frame=True)
X = X[["alcohol", "flavanoids"]]
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.5, stratify=y, random_state=0
)
model = TwoLayerClassifier(random_state=0).fit(X_train, y_train)
print(f"accuracy on new rows: {model.score(X_test, y_test):.2f}")

# %%
# scikit-learn's displays take the estimator as it is: the map of the
# likeliest class, and the table of what is taken for what.

import matplotlib.pyplot as plt
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.metrics import ConfusionMatrixDisplay

colours = ["#0072B2", "#E69F00", "#CC79A7"]
figure, ax = plt.subplots(figsize=(5, 3.8), layout="constrained")
style = {"multiclass_colors": colours, "alpha": 0.35, "ax": ax}
DecisionBoundaryDisplay.from_estimator(
    model, X_train, response_method="predict", **style
)
for kind, marker in enumerate("o^s"):
    wines = X_train[y_train == kind].to_numpy().T
    style = {"marker": marker, "ec": "k", "label": f"wine {kind}"}
    ax.scatter(*wines, color=colours[kind], **style)
ax.set(xlabel="alcohol (%)", ylabel="flavanoids")
ax.legend(loc="upper right")
plt.show()

# %%
# Of the wines that were kept back:

figure, ax = plt.subplots(figsize=(4, 2.8), layout="constrained")
ConfusionMatrixDisplay.from_estimator(
    model, X_test, y_test, cmap="Blues", ax=ax, colorbar=False
)
ax.set(xlabel="predicted wine", ylabel="true wine")
plt.show()

# %%
# Far from the data
# -----------------
# The probability of the likeliest class, on a map that reaches far beyond
# the data.

import numpy as np
import pandas as pd

grids = np.meshgrid(np.linspace(8, 18, 120), np.linspace(0, 9, 120))
points = pd.DataFrame({name: grid.ravel() for name, grid in zip(X, grids)})

figure, axes = plt.subplots(
    1, 2, figsize=(5, 3.4), sharey=True, layout="constrained"
)
for ax, moderated in zip(axes, (False, True)):
    probabilities = model.predict_proba(points, moderated=moderated)
    likeliest = probabilities.max(axis=1).reshape(120, 120)
    picture = ax.contourf(*grids, likeliest, np.linspace(0.3, 1, 8))
    ax.plot(*X_train.to_numpy().T, ".", color="w", mec="k", ms=6)
    ax.set(title=f"moderated={moderated}", xlabel="alcohol (%)")
axes[0].set_ylabel("flavanoids")
label = "probability of the likeliest wine"
figure.colorbar(picture, ax=axes, location="bottom", label=label)
plt.show()

# %%
# What was seen
# -------------
# Among the data both answer alike. Far away the plain network is certain of
# a wine that nobody has tasted, while the moderated probabilities come
# down. They do so only where left-out rows say that the posterior of the
# weights is to be believed; elsewhere they stay those of the plain network.
# Judge it by the log loss of new rows, which punishes certainty that was
# wrong:

from sklearn.metrics import log_loss

for moderated in (False, True):
    probabilities = model.predict_proba(X_test, moderated=moderated)
    loss = log_loss(y_test, probabilities)
    print(f"moderated={moderated!s:5}  log loss of new rows {loss:.2f}")
