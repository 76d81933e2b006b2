"""Draw which inputs of Friedman-1 matter: the first five of ten, by construction.

Run it with ``python docs/examples/relevance.py``; it saves ``relevance.png`` in the
current folder.
"""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_friedman1

from sklearn_twolayer import TwoLayerRegressor

X, y = make_friedman1(n_samples=500, n_features=10, noise=1.0, random_state=0)
figure, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
for ax, alpha in zip(axes, ("evidence", "ard")):
    model = TwoLayerRegressor(alpha=alpha, random_state=0).fit(X, y)
    columns = np.arange(1, 11)
    colours = ["tab:blue" if column <= 5 else "0.6" for column in columns]
    ax.bar(columns, model.feature_relevance_, color=colours)
    ax.set(title=f'alpha="{alpha}"', xlabel="input (grey: noise)", xticks=columns)
axes[0].set_ylabel("feature_relevance_")
figure.savefig("relevance.png", dpi=150)
