"""Peak memory and time of fits to rows that are not in memory, against the same rows in it.

    python benchmarks/bench_out_of_core.py [--gb 10] [--memory-gb 1.6] [--folder DIR]

Rows of 20 float32 columns: made on the fly from a seed, block after block, as Dask
arrays under the threaded scheduler; in a memory map in DIR; and in memory. Each fit runs
in a process of its own, in turn; Linux only. Memory is anonymous resident memory beyond
that before the fit: the page cache, which the system takes back when it likes, and rows
that were in memory before, are not in it.
"""

import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
from _report import argument_parser, environment, print_table, save_tables
from sklearn.exceptions import ConvergenceWarning

from sklearn_twolayer import TwoLayerRegressor

N_FEATURES, N_HIDDEN, MAX_ITER = 20, 8, 3
BLOCK_ROWS = 250_000


def block_of_rows(number, n_rows):
    """Rows [X y] of one block, from its number."""
    rng = np.random.default_rng(number)
    rows = rng.random((n_rows, N_FEATURES + 1), dtype=np.float32)
    rows[:, -1] = np.sin(6 * rows[:, 0]) + rows[:, 1] * rows[:, 2]
    return rows


def on_the_fly(n_rows, folder):
    """Dask arrays whose blocks are made when they are asked for."""
    import dask.array as da

    numbers = da.arange(n_rows // BLOCK_ROWS, chunks=1)
    rows = numbers.map_blocks(
        lambda number: block_of_rows(int(number[0]), BLOCK_ROWS),
        chunks=((BLOCK_ROWS,) * len(numbers), (N_FEATURES + 1,)),
        new_axis=1,
        dtype=np.float32,
        meta=np.empty((0, 0), np.float32),
    )
    return rows[:, :-1], rows[:, -1]


def memory_map(n_rows, folder):
    """The same rows in two files."""
    shapes = {"X": (n_rows, N_FEATURES), "y": (n_rows,)}
    paths = {name: Path(folder) / f"{name}{n_rows}.float32" for name in shapes}
    if not paths["X"].exists():
        X, y = (np.memmap(paths[name], np.float32, "w+", shape=shapes[name]) for name in shapes)
        for number in range(n_rows // BLOCK_ROWS):
            rows = block_of_rows(number, BLOCK_ROWS)
            place = slice(number * BLOCK_ROWS, (number + 1) * BLOCK_ROWS)
            X[place], y[place] = rows[:, :-1], rows[:, -1]
    return tuple(np.memmap(paths[name], np.float32, "r", shape=shapes[name]) for name in shapes)


def in_memory(n_rows, folder):
    """The same rows as arrays."""
    return tuple(np.array(array) for array in memory_map(n_rows, folder))


SOURCES = {"on the fly": on_the_fly, "memory map": memory_map, "in memory": in_memory}


def anonymous_memory():
    """RssAnon of this process, in bytes."""
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


class Peak:
    """Highest ``anonymous_memory`` within the ``with`` statement, looked at 200 times a second."""

    def __enter__(self):
        self.before = self.bytes = anonymous_memory()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return self

    def _watch(self):
        while not self._ended.wait(0.005):
            self.bytes = max(self.bytes, anonymous_memory())

    def __exit__(self, *exception):
        self._ended.set()
        self._watcher.join()


def measure(source, solver, n_rows, folder):
    """Print the peak bytes beyond those before, and the seconds."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y = SOURCES[source](n_rows, folder)
    max_iter = 1 if solver == "adam" else MAX_ITER
    model = TwoLayerRegressor(N_HIDDEN, solver=solver, alpha=3e-4, max_iter=max_iter)
    model.set_params(random_state=0, tol=0).fit(X[:1000], y[:1000])
    with Peak() as peak:
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
    print(peak.bytes - peak.before, seconds)


def run(source, solver, n_rows, folder):
    """``measure`` in a process of its own."""
    command = [sys.executable, __file__, "--measure", source, solver, str(n_rows), folder]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    peak, seconds = map(float, output.split())
    return peak, seconds


def main():
    """Print the table."""
    if sys.argv[1:2] == ["--measure"]:
        source, solver, n_rows, folder = sys.argv[2:]
        measure(source, solver, int(n_rows), folder)
        return
    parser = argument_parser(__doc__)
    parser.add_argument("--gb", type=float, default=10, help="of rows made on the fly")
    parser.add_argument("--memory-gb", type=float, default=1.6, help="in memory and in a map")
    parser.add_argument("--folder", help="for the memory map; a temporary one by default")
    parser.add_argument("--solvers", nargs="+", default=["lbfgs", "adam"])
    parser.add_argument("--rounds", type=int, default=3, help="of which the fastest counts")
    options = parser.parse_args()
    print(environment("dask"))
    print(f"f={N_FEATURES}, h={N_HIDDEN}, float32; {MAX_ITER} iterations of lbfgs, 1 epoch of adam")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or temporary
        rows = []
        for solver in options.solvers:
            jobs = [("in memory", options.memory_gb), ("memory map", options.memory_gb)]
            jobs += [("on the fly", size) for size in {options.memory_gb, options.gb}]
            n_rounds = options.rounds
            found = {job: [] for job in jobs}
            for _ in range(n_rounds):
                for source, size in jobs:
                    n_rows = int(size * 1e9 / (4 * N_FEATURES) // BLOCK_ROWS * BLOCK_ROWS)
                    if size <= options.memory_gb or not found[source, size]:
                        result = run(source, solver, n_rows, folder)
                        found[source, size].append((*result, n_rows))
            for (source, size), results in found.items():
                peak = max(result[0] for result in results)
                seconds, n_rows = min(result[1:] for result in results)
                name = f"{solver}, {source}"
                cells = f"{size:g} GB", f"{n_rows:,}", f"{peak / 1e6:.0f} MB", f"{seconds:.1f} s"
                rows.append([name, *cells, f"{seconds / n_rows * 1e9:.0f} ns"])
    print_table("Fits to rows that are not in memory", HEADER, rows)
    save_tables(options.save)


HEADER = ("fit", "rows of", "n", "memory of the fit", "time", "time per row")

if __name__ == "__main__":
    main()
