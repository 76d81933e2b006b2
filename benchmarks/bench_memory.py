"""Peak resident memory of a fit beyond the data, against the number of rows.

    python benchmarks/bench_memory.py [--quick]

Each fit runs in a process of its own, after a small one that loads libraries and
starts threads; Linux only. Dense float32, f = 20, h = 100, k = 1; a few iterations,
since memory does not grow with them.
"""

import subprocess
import sys
import warnings

import numpy as np
from _report import print_table, save_tables
from _side_by_side import (
    arguments,
    installed_peers,
    print_header,
)

N_FEATURES, N_HIDDEN = 20, 100


def estimator_fit(module, name, **parameters):
    """``fit`` of a scikit-learn estimator."""

    def fit(X, y):
        kind = getattr(__import__(module, fromlist=[name]), name)
        kind(max_iter=2, random_state=0, **parameters).fit(X, y)

    return fit


def fit_pytorch(X, y):
    """Two full-batch steps of gradient descent."""
    import torch

    model = torch.nn.Sequential(
        torch.nn.Linear(N_FEATURES, N_HIDDEN), torch.nn.Sigmoid(), torch.nn.Linear(N_HIDDEN, 1)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(X)[:, 0], y).backward()
        optimizer.step()


def fit_jax(X, y):
    """Two jitted full-batch gradients."""
    import jax
    import jax.numpy as jnp

    def loss(weights, X, y):
        W1, b1, W2, b2 = weights
        return jnp.mean(((jax.nn.sigmoid(X @ W1 + b1) @ W2)[:, 0] + b2 - y) ** 2)

    gradient = jax.jit(jax.value_and_grad(loss))
    weights = [jnp.ones((N_FEATURES, N_HIDDEN)), jnp.ones(N_HIDDEN), jnp.ones((N_HIDDEN, 1)), 0.0]
    for _ in range(2):
        jax.block_until_ready(gradient(weights, X, y))


TWO_LAYER = ("sklearn_twolayer", "TwoLayerRegressor")
MLP = ("sklearn.neural_network", "MLPRegressor")
HIDDEN = {"hidden_layer_sizes": (N_HIDDEN,), "activation": "logistic"}
FITS = {
    "ours, lbfgs": estimator_fit(*TWO_LAYER, n_hidden=N_HIDDEN, solver="lbfgs"),
    "ours, adam": estimator_fit(*TWO_LAYER, n_hidden=N_HIDDEN, solver="adam"),
    "scikit-learn, lbfgs": estimator_fit(*MLP, solver="lbfgs", **HIDDEN),
    "scikit-learn, adam": estimator_fit(*MLP, solver="adam", **HIDDEN),
    "PyTorch, full batch": fit_pytorch,
    "JAX jit, full batch": fit_jax,
}


def resident(field):
    """VmRSS or VmHWM (its peak) of this process, in bytes."""
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


def measure(name, n_rows):
    """Print the bytes that the fit needs at its peak beyond what was there before."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    X, y = (
        rng.standard_normal((n_rows, N_FEATURES), np.float32),
        rng.standard_normal(n_rows, np.float32),
    )
    FITS[name](X[:1000].copy(), y[:1000].copy())
    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")  # the peak starts again from here
    before = resident("VmRSS")
    FITS[name](X, y)
    print(resident("VmHWM") - before)


def main():
    """Print the table, one process for each cell."""
    if len(sys.argv) == 4 and sys.argv[1] == "--measure":
        measure(sys.argv[2], int(sys.argv[3]))
        return
    options = arguments(__doc__)
    print_header("Peak memory of fit beyond the data")
    print(f"float32, f={N_FEATURES}, h={N_HIDDEN}, k=1; in brackets the multiple of X's bytes.\n")
    sizes = (10_000, 100_000) if options.quick else (10_000, 100_000, 1_000_000)
    rows = []
    for name in FITS:
        row = [name]
        for n_rows in sizes:
            command = [sys.executable, __file__, "--measure", name, str(n_rows)]
            result = subprocess.run(command, capture_output=True, text=True, check=True)
            size = int(result.stdout)
            row.append(f"{size / 1e6:.1f} MB ({size / (4 * N_FEATURES * n_rows):.2g})")
        rows.append(row)
    header = ["fit", *(f"n = {n_rows:,}" for n_rows in sizes)]
    print_table("Peak memory of a fit beyond the data", header, rows)
    save_tables(options.save, *installed_peers())


if __name__ == "__main__":
    main()
