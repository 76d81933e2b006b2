"""One gradient over the rows of a Dask cluster: 1 and 2 workers, and what the scheduler costs.

    python benchmarks/bench_dask.py [--rows 10000000] [--rounds 11]

Workers are processes of one thread on this machine. The clusters of 1 and of 2 workers
take turns, so that what else the machine does meets both. Where other programs hold the
cores, wall times say more about them: the CPU time of the busiest worker does not. The
overhead is the time of a gradient over so few rows that computing it takes none.
"""

import time
from contextlib import ExitStack

import dask.array as da
import numpy as np
from _report import argument_parser, environment, print_table, save_tables
from distributed import Client, LocalCluster

from sklearn_twolayer._data.dask_table import read_collection
from sklearn_twolayer._data.targets import RealTargets
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.objective import MeanLoss, PenalisedLoss, Penalty
from sklearn_twolayer._network.scale import Standardization

N_FEATURES, N_HIDDEN = 20, 50
N_FEW = 1_000
N_PARTITIONS = 16


def start_client(stack, n_workers):
    """A client of a new cluster on this machine."""
    cluster = LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        memory_limit=None,
        dashboard_address="127.0.0.1:0",
    )
    return stack.enter_context(Client(stack.enter_context(cluster), set_as_default=False))


def as_it_is(row):
    """No columns to check."""


def as_they_are(X, y):
    """Nothing to validate."""
    return X, y


def gradient(client, n_rows):
    """A function that takes one gradient over rows that lie on the workers."""
    random = da.random.default_rng(0)
    chunks = (n_rows // N_PARTITIONS, -1)
    X = random.random((n_rows, N_FEATURES), chunks=chunks, dtype=np.float32)
    network = TwoLayerNetwork(N_FEATURES, N_HIDDEN, 1, "logistic")
    params = np.random.default_rng(0).normal(size=network.n_params)
    with client.as_current():
        how = {"columns": as_it_is, "check": as_they_are, "targets_class": RealTargets}
        table = read_collection(X, X.sum(axis=1), None, **how)
        targets = RealTargets.learn(table.summary(RealTargets))
        units = Standardization.none(N_FEATURES, 1)
        rows = table.encode(targets).rows(units, np.dtype(np.float32), N_HIDDEN)
    mean_loss = MeanLoss(network, targets.loss, rows)
    objective = PenalisedLoss(mean_loss, Penalty.fixed(network, 1e-3))

    def evaluate():
        with client.as_current(), rows:
            return objective.value_and_gradient(params)

    return evaluate


def seconds_of(evaluate, client):
    """Wall time of one call, and the CPU time of the worker that took most."""
    before = client.run(time.process_time)
    start = time.perf_counter()
    evaluate()
    wall = time.perf_counter() - start
    after = client.run(time.process_time)
    return wall, max(after[worker] - before[worker] for worker in before)


def main():
    """Print the tables."""
    parser = argument_parser(__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    print(environment("dask", "distributed"))
    print(f"f={N_FEATURES}, h={N_HIDDEN}, float32, {N_PARTITIONS} partitions")
    with ExitStack() as stack:
        clients = {n: start_client(stack, n) for n in (1, 2)}
        work = {n: gradient(client, options.rows) for n, client in clients.items()}
        few = {n: gradient(client, N_FEW) for n, client in clients.items()}
        values = {n: evaluate()[0] for n, evaluate in work.items()}
        turns = [(jobs, n) for jobs in ("work", "few") for n in (1, 2)]
        seconds = {turn: [] for turn in turns}
        for _ in range(options.rounds):
            for jobs, n in turns:
                evaluate = (work if jobs == "work" else few)[n]
                seconds[jobs, n].append(seconds_of(evaluate, clients[n]))
    wall, cpu = ({turn: np.array(seconds[turn]).T[kind] for turn in turns} for kind in (0, 1))
    rows = []
    for n in (1, 2):
        times = (np.median(wall["work", n]), np.median(cpu["work", n]))
        overhead = 1e3 * np.median(wall["few", n])
        rows.append([n, *(f"{time:.3f} s" for time in times), f"{overhead:.1f} ms", values[n]])
    size = f"{options.rows:,} rows"
    header = ("workers", f"{size}, wall", "CPU of the busiest", f"{N_FEW:,} rows, wall", "loss")
    print_table("One loss and gradient, median", header, rows)
    for name, times in (("Wall time", wall), ("CPU time of the busiest worker", cpu)):
        low, middle, high = np.percentile(times["work", 1] / times["work", 2], [25, 50, 75])
        print(
            f"\n{name}: 1 worker takes {middle:.2f} times as long as 2 ({low:.2f} to {high:.2f})."
        )
    save_tables(options.save)


if __name__ == "__main__":
    main()
