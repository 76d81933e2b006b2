"""Time to a training loss: ours beside Adam, L-BFGS, least_squares and R's nnet.

    python benchmarks/bench_time_to_loss.py DATA_FOLDER

Three comparisons, all without a penalty (alpha=0) and on standardised X and y:

1. smooth noise-free targets to a training MSE of 1e-8; each peer has 100 times
   our median time, but no more than --cap seconds, from each of its starts;
2. kin8nm with 30 hidden units: the time to the loss that MLPRegressor with
   L-BFGS ends with;
3. energy, concrete and kin8nm with 30 hidden units: the time to the loss that
   R's nnet reaches in 1000 iterations. R is run where Rscript finds nnet;
   otherwise quoted figures of another machine take its place.

Our time is that of a whole fit: a first fit finds the iteration that reaches the
loss, a second fit of exactly so many iterations is timed.
"""

import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import numpy as np
from _data import regression_sets
from _peers import PEERS
from _report import argument_parser, environment, no_convergence_warnings, print_table, save_tables
from sklearn.neural_network import MLPRegressor

from sklearn_twolayer import TwoLayerRegressor

#: Quoted (training MSE, seconds) of R's nnet: 30 units, 1000 iterations, one start.
QUOTED_NNET = {"energy": (3.4e-4, 1.2), "concrete": (0.0174, 1.8), "kin8nm": (0.0613, 20.0)}

NNET_SCRIPT = """
suppressMessages(library(nnet))
table <- as.matrix(read.csv(commandArgs(TRUE)[1], header = FALSE))
y <- table[, 1]
x <- table[, -1, drop = FALSE]
for (seed in seq_len(as.integer(commandArgs(TRUE)[2]))) {
  set.seed(seed)
  seconds <- system.time(
    fit <- nnet(x, y, size = 30, linout = TRUE, decay = 0, maxit = 1000, MaxNWts = 1e5,
                trace = FALSE)
  )[["elapsed"]]
  cat(mean(fit$residuals^2), seconds, "\\n")
}
"""


def standardised(array):
    return (array - array.mean(axis=0)) / array.std(axis=0)


def smooth_targets():
    """(name, hidden units, X, y) of the noise-free targets."""
    x = np.linspace(-1, 1, 200)
    yield "sin(10 x) / (10 x), 200 rows", 10, x[:, None], np.sinc(10 * x / np.pi)
    x1, x2 = (grid.ravel() for grid in np.meshgrid(*[np.linspace(-1, 1, 20)] * 2))
    target = np.sin(np.pi * x1) * np.sin(np.pi * x2)
    yield "sin(pi x1) sin(pi x2), 400 rows", 20, np.column_stack([x1, x2]), target


def our_time(X, y, hidden, seed, target, cap):
    """Seconds of the shortest fit whose training MSE is at most ``target``; inf if none."""

    def fit(max_iter):
        model = TwoLayerRegressor(hidden, alpha=0.0, tol=0.0, max_iter=max_iter, random_state=seed)
        start = perf_counter()
        model.fit(X, y)
        return model, perf_counter() - start

    max_iter, seconds = 16, 0.0
    with no_convergence_warnings():
        while seconds < cap:
            model, seconds = fit(max_iter)
            reached = np.flatnonzero(np.array(model.loss_curve_) <= target)
            if len(reached):
                return fit(int(reached[0]) + 1)[1]
            if model.n_iter_ < max_iter:
                break
            max_iter *= 2
    return np.inf


def our_times(X, y, hidden, target, arguments):
    """Our times over the starts, and how many starts reached the target, as text."""
    times = [our_time(X, y, hidden, s, target, arguments.cap) for s in range(arguments.starts)]
    return np.median(times), f"{np.isfinite(times).sum()} of {len(times)}"


def compare_on_smooth_targets(arguments):
    """Every peer on the noise-free targets, with 100 times our time."""
    for name, hidden, X, y in smooth_targets():
        target = 1e-8 / y.var()
        X, scale = standardised(X), y.var()
        y = standardised(y)
        ours, reached = our_times(X, y, hidden, target, arguments)
        rows = [["**TwoLayerRegressor**", f"{ours:.3f}", "1e-08", reached, ""]]
        limit = min(100 * ours, arguments.cap)
        for label, peer in PEERS.items():
            runs = [peer(X, y, hidden, s, target, limit) for s in range(arguments.peer_starts)]
            seconds, losses = np.array(runs).T
            hits = losses <= target
            median = np.median(np.where(hits, seconds, np.inf))
            time = f"{median:.3f}" if np.isfinite(median) else f"> {np.median(seconds):.2f}"
            ratio = f"{'' if np.isfinite(median) else '> '}{np.median(seconds) / ours:.0f}"
            loss = f"{np.median(losses) * scale:.1e}"
            rows.append([label, time, loss, f"{hits.sum()} of {len(hits)}", ratio])
        print_table(
            f"{name}, {hidden} hidden units, to training MSE 1e-8",
            ["solver", "median s", "median MSE", "reached", "times ours"],
            rows,
        )


def lbfgs_of_sklearn(X, y, arguments):
    """Median final MSE and seconds of MLPRegressor with L-BFGS over some starts."""
    runs = []
    for seed in range(arguments.peer_starts):
        model = MLPRegressor(
            hidden_layer_sizes=30,
            activation="tanh",
            solver="lbfgs",
            alpha=0,
            max_iter=1000,
            random_state=seed,
        )
        with no_convergence_warnings():
            start = perf_counter()
            model.fit(X, y)
            seconds = perf_counter() - start
        runs.append((np.mean((model.predict(X) - y) ** 2), seconds))
    return np.median(runs, axis=0)


def nnet_of_r(X, y, n_starts):
    """Median final MSE and seconds of R's nnet, or None where R does not run it."""
    with tempfile.TemporaryDirectory() as folder:
        script, data = Path(folder, "nnet.R"), Path(folder, "data.csv")
        script.write_text(NNET_SCRIPT)
        np.savetxt(data, np.column_stack([y, X]), delimiter=",")
        command = ["Rscript", str(script), str(data), str(n_starts)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        print(f"R did not run nnet: {run.stderr.strip()}")
        return None
    return np.median([list(map(float, line.split())) for line in run.stdout.splitlines()], axis=0)


def compare_on_data_sets(arguments):
    """scikit-learn's L-BFGS on kin8nm and R's nnet on three sets, 30 hidden units."""
    rows = []
    for data in regression_sets(arguments.folder, QUOTED_NNET):
        X, y = standardised(data.X), standardised(data.y)
        peers = {"nnet (quoted, another machine)": QUOTED_NNET[data.name]}
        measured = nnet_of_r(X, y, arguments.peer_starts) if shutil.which("Rscript") else None
        if measured is not None:
            peers["nnet (measured)"] = measured
        if data.name == "kin8nm":
            peers["MLPRegressor, L-BFGS"] = lbfgs_of_sklearn(X, y, arguments)
        for label, (loss, seconds) in peers.items():
            ours, reached = our_times(X, y, 30, loss, arguments)
            ratio = f"{seconds / ours:.1f}"
            rows.append(
                [data.name, label, f"{loss:.3g}", f"{seconds:.2f}", f"{ours:.2f}", reached, ratio]
            )
    print_table(
        "Time to the final training MSE of a peer (30 hidden units, all rows, standardised)",
        ["set", "peer", "MSE", "peer s", "our median s", "reached", "times ours"],
        rows,
    )


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("folder", help="data folder")
    parser.add_argument("--starts", type=int, default=10, help="our random starts")
    parser.add_argument("--peer-starts", type=int, default=3, help="random starts of each peer")
    parser.add_argument("--cap", type=float, default=10.0, help="most seconds of any run")
    arguments = parser.parse_args()
    print(environment(*(["torch"] if find_spec("torch") else [])))
    if shutil.which("Rscript"):
        version = subprocess.run(["Rscript", "--version"], capture_output=True, text=True)
        print((version.stdout + version.stderr).strip())
    print(f"{arguments.starts} starts of ours, {arguments.peer_starts} of each peer")
    compare_on_smooth_targets(arguments)
    compare_on_data_sets(arguments)
    save_tables(arguments.save)


if __name__ == "__main__":
    main()
