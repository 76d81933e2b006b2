"""Draw the rule by which solver="auto" chooses, beside what it was measured on.

Run it with ``python docs/examples/solver_rule.py``; it takes about two minutes and
saves ``solver_rule.png`` in the current folder.

Left: one step of lm (Gauss-Newton matrix and Cholesky factor) against its
multiply-adds. Right: the choice for 10 inputs and one output over rows and hidden
units; a number says how many times faster than lbfgs lm came to a loss that both
reach, within 1 % of the worse of their last ones (median of three starts).
"""

import time
import warnings

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from sklearn.datasets import make_friedman1
from sklearn.exceptions import ConvergenceWarning

from sklearn_twolayer import TwoLayerRegressor
from sklearn_twolayer._fit.settings import MAX_GAUSS_NEWTON_COST, Size, choose_solver

N_FEATURES = 10
SOLVERS = ["lm", "lbfgs", "adam"]
COLOURS = ["#9ecae1", "#fdd0a2", "#c7e9c0"]
MEASURED = [(n, h) for n in (300, 1_000, 3_000, 10_000, 30_000) for h in (5, 15, 50)]
LM_STEPS, LBFGS_STEPS = 60, 500


def timed_fit(X, y, n_hidden, solver, max_iter, seed):
    """Loss curve of a fit, and the seconds at which each of its values was reached."""
    model = TwoLayerRegressor(
        n_hidden, solver=solver, alpha=1e-4, max_iter=max_iter, tol=0, random_state=seed
    )
    start = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start
    curve = np.array(model.loss_curve_)
    return curve, np.linspace(0, seconds, len(curve) + 1)[1:]


def step_cost(n_rows, n_hidden):
    """Multiply-adds of a Gauss-Newton matrix in its cheaper form."""
    n_params = (N_FEATURES + 1) * n_hidden + n_hidden + 1
    small, large = sorted((n_params, n_rows))
    return large * small**2


def compare(X, y, n_hidden, seed):
    """Seconds of a step of lm, and how many times faster than lbfgs it is to equal loss."""
    lbfgs, lbfgs_seconds = timed_fit(X, y, n_hidden, "lbfgs", LBFGS_STEPS, seed)
    lm, lm_seconds = timed_fit(X, y, n_hidden, "lm", LM_STEPS, seed)
    target = 1.01 * max(lbfgs[-1], lm[-1])
    first = lbfgs_seconds[np.argmax(lbfgs <= target)], lm_seconds[np.argmax(lm <= target)]
    return lm_seconds[0], first[0] / first[1]


def measure():
    """(rows, hidden units, seconds of a step of lm, times faster than lbfgs) of each size."""
    for n_rows, n_hidden in MEASURED:
        if step_cost(n_rows, n_hidden) <= 4 * MAX_GAUSS_NEWTON_COST:
            X, y = make_friedman1(n_rows, N_FEATURES, noise=1.0, random_state=0)
            starts = [compare(X, y, n_hidden, seed) for seed in range(3)]
            yield n_rows, n_hidden, *np.median(starts, axis=0)


warnings.simplefilter("ignore", ConvergenceWarning)
points = list(measure())
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
costs = [step_cost(n, h) for n, h, _, _ in points]
left.loglog(costs, [seconds for _, _, seconds, _ in points], "o", ms=5)
left.axvline(MAX_GAUSS_NEWTON_COST, color="0.3", ls="--", lw=1)
left.text(MAX_GAUSS_NEWTON_COST, left.get_ylim()[0] * 1.5, "most for auto ", ha="right")
left.set(xlabel="multiply-adds of a step", ylabel="seconds for a step of lm")

n_rows, n_hidden = np.logspace(2, 6.5, 200), np.logspace(0.5, 2.6, 200)
sizes = [Size(n, N_FEATURES, 1) for n in n_rows]
choice = [[SOLVERS.index(choose_solver(size, h)) for size in sizes] for h in n_hidden]
right.pcolormesh(n_rows, n_hidden, choice, cmap=ListedColormap(COLOURS), vmin=0, vmax=2)
for n, h, _, ratio in points:
    right.text(n, h, f"{ratio:.2g}", ha="center", va="center", fontsize=8)
for solver, x, y in (("lm", 200, 200), ("lbfgs", 1.5e5, 60), ("adam", 1.6e6, 230)):
    right.text(x, y, solver, ha="center", weight="bold")
right.set(xscale="log", yscale="log", xlabel="rows", ylabel="hidden units")
right.set_title("how many times faster than lbfgs to equal loss", fontsize=9)
figure.savefig("solver_rule.png", dpi=120)
