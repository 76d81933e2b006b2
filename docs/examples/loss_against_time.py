"""Draw the training loss against time of every solver, on Friedman-1 without penalty.

Run it with ``python docs/examples/loss_against_time.py``; it takes about a minute and
saves ``loss_against_time.png`` in the current folder.
"""

import time
import warnings

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.exceptions import ConvergenceWarning

from sklearn_twolayer import TwoLayerRegressor

ITERATIONS = {"lm": 150, "lbfgs": 1500, "adam": 400, "sgd": 400, "gd": 3000}

warnings.simplefilter("ignore", ConvergenceWarning)
X, y = make_friedman1(n_samples=1000, n_features=10, noise=0.1, random_state=0)
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for solver, max_iter in ITERATIONS.items():
    model = TwoLayerRegressor(30, solver=solver, alpha=0, max_iter=max_iter, tol=0, random_state=0)
    start = time.perf_counter()
    model.fit(X, y)
    seconds = np.linspace(0, time.perf_counter() - start, len(model.loss_curve_) + 1)[1:]
    ax.loglog(seconds, model.loss_curve_, label=solver)
ax.set(xlabel="seconds", ylabel="training loss", title="Friedman-1, 1000 rows, 30 hidden units")
ax.legend()
figure.savefig("loss_against_time.png", dpi=150)
