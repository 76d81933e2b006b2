"""
Every solver against the clock
==============================

All solvers minimise the same objective F from the same start, so their loss
curves can be compared: who comes down first, and who comes down furthest?
"""

# %%
# One network, five solvers, no early stop: ``tol=0`` lets each go on to its
# ``max_iter``.

import time
import warnings

import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.exceptions import ConvergenceWarning

from sklearn_twolayer import TwoLayerRegressor

X, y = make_friedman1(n_samples=1000, noise=0.1, random_state=0)
iterations = {"lm": 50, "lbfgs": 800, "adam": 150, "sgd": 150, "gd": 1000}
model = TwoLayerRegressor(20, alpha=1e-5, tol=0, random_state=0)
warnings.simplefilter("ignore", ConvergenceWarning)  # stopped on purpose

curves = {}
for solver, max_iter in iterations.items():
    start = time.perf_counter()
    model.set_params(solver=solver, max_iter=max_iter).fit(X, y)
    seconds = time.perf_counter() - start
    losses = model.loss_curve_
    curves[solver] = seconds * np.arange(1, max_iter + 1) / max_iter, losses
    print(f"{solver:6} {max_iter:5} iterations, loss {model.loss_:.5f}")

# %%
# The time is the measured one of the whole fit, divided by its iterations.

import matplotlib.pyplot as plt

colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000"]
styles = ["-", "--", "-", "--", "-"]
figure, ax = plt.subplots(figsize=(5, 3.8), layout="constrained")
ax.set_prop_cycle(color=colours, linestyle=styles)
for solver, (seconds, losses) in curves.items():
    ax.loglog(seconds, losses, lw=2, label=solver)
ax.set(xlabel="time (seconds)", ylabel="training loss F")
ax.legend(loc="lower left", frameon=False)
plt.show()

# %%
# What was seen
# -------------
# ``"lm"``, Levenberg-Marquardt, takes few and dear steps, each of which
# learns much: on tables of up to some thousand rows it is what
# ``solver="auto"`` takes. ``"lbfgs"`` takes many cheap ones and comes down
# as far. ``"adam"`` and ``"sgd"`` are for tables where one look at all rows
# is already long. ``"gd"``, the textbook rule, is there to be understood.
