"""GridSearchCV with n_jobs=2 against n_jobs=1: no thread too many.

    python benchmarks/bench_nested.py [--quick]

With one job each fit uses all cores; with two, joblib gives each worker one BLAS
thread, and the package starts as many workers as BLAS has threads. With threads in
threads the second would be slower than the first. The scorer reports the threads.
"""

import time

import numpy as np
from _report import print_table, save_tables
from _side_by_side import (
    arguments,
    format_ratio,
    format_time,
    n_cores,
    print_header,
)
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor

from sklearn_twolayer import TwoLayerRegressor


def threads_of_a_fit(estimator, X, y):
    """Scorer: how many threads a fit uses where this runs."""
    from sklearn_twolayer._data.rows import SINGLE_THREADED_BLAS  # a worker's own, not a copy

    with SINGLE_THREADED_BLAS:
        return SINGLE_THREADED_BLAS.n_threads


def searches(quick):
    """Unfitted searches by name; the number of jobs is the last word."""
    iterations = 10 if quick else 50
    ours = TwoLayerRegressor(100, solver="lbfgs", max_iter=iterations, tol=0, random_state=0)
    peer = MLPRegressor(
        hidden_layer_sizes=(100,),
        activation="logistic",
        solver="lbfgs",
        max_iter=iterations,
        tol=0,
        random_state=0,
    )
    found = {}
    for name, estimator in (("ours", ours), ("scikit-learn", peer)):
        for n_jobs in (1, 2):
            grid = {"alpha": [0.001, 0.01, 0.1, 1.0]}
            found[f"{name} {n_jobs}"] = GridSearchCV(
                estimator, grid, cv=3, n_jobs=n_jobs, scoring=threads_of_a_fit, refit=False
            )
    return found


def main():
    """Print the table."""
    options = arguments(__doc__)
    print_header("Grid search: one job with threads, two jobs without")
    rng = np.random.default_rng(0)
    n_rows = 5_000 if options.quick else 20_000
    X = rng.standard_normal((n_rows, 20), np.float32)
    y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2]
    found = searches(options.quick)
    n_rounds = 3 if options.quick else 5
    seconds = {name: np.empty(n_rounds) for name in found}
    with parallel_config("loky"):
        for search in found.values():  # start the workers, load the libraries
            search.fit(X[:500], y[:500])
        for turn in range(n_rounds):
            for name, search in found.items():
                start = time.perf_counter()
                search.fit(X, y)
                seconds[name][turn] = time.perf_counter() - start
    rows = []
    for name, search in found.items():
        threads = search.cv_results_["mean_test_score"].max() if "ours" in name else "--"
        one_job = name.rsplit(" ", 1)[0] + " 1"
        rows.append(
            [
                name,
                threads,
                format_time(np.median(seconds[name])),
                format_ratio(seconds, one_job, name),
            ]
        )
    print(f"{n_cores()} cores, n={n_rows:,}, f=20, h=100, 12 fits.\n")
    header = ("search, n_jobs", "threads of a fit", "time", "times faster than n_jobs=1")
    print_table("Grid search: one job with threads, two jobs without", header, rows)
    save_tables(options.save)


if __name__ == "__main__":
    main()
