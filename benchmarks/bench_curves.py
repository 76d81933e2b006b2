"""Curve fitting: training RMSE without a penalty beside 60 published algorithms.

    python benchmarks/bench_curves.py DATA_FOLDER

fits each set with the published number of hidden units and alpha=0 from 10
random states, and prints minimum and median of the training RMSE and the mean
fit time beside the published pairs of algorithm and package (R; each fitted
from 10 starts or more, times of the authors' machine).
"""

from time import perf_counter

import numpy as np
from _data import curve_sets, published_curves
from _report import (
    argument_parser,
    environment,
    no_convergence_warnings,
    print_table,
    save_tables,
)

from sklearn_twolayer import TwoLayerRegressor


def measure(data, hidden, n_states, options):
    """Training RMSE and fit seconds for each random state."""
    rmse, seconds = [], []
    for seed in range(n_states):
        model = TwoLayerRegressor(hidden, alpha=0.0, random_state=seed, **options)
        with no_convergence_warnings():
            start = perf_counter()
            model.fit(data.X, data.y)
            seconds.append(perf_counter() - start)
        rmse.append(np.sqrt(np.mean((data.y - model.predict(data.X)) ** 2)))
    return np.array(rmse), np.array(seconds)


def published_row(result):
    figures = [result[key] for key in ("min", "median", "seconds")]
    return [result["method"], *("-" if f is None else f"{f:.4f}" for f in figures)]


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("folder", help="data folder")
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="only these sets")
    parser.add_argument("--states", type=int, default=10, help="random states")
    parser.add_argument("--published", type=int, default=5, help="best published rows shown")
    parser.add_argument("--tol", type=float, help="tol of our fits")
    parser.add_argument("--max-iter", type=int, help="max_iter of our fits")
    arguments = parser.parse_args()
    given = {"tol": arguments.tol, "max_iter": arguments.max_iter}
    options = {name: value for name, value in given.items() if value is not None}
    print(environment())
    print(f"TwoLayerRegressor(hidden, alpha=0, {options or 'other defaults'})")
    published = published_curves(arguments.folder)
    conclusions = []
    for data in curve_sets(arguments.folder, arguments.sets):
        results = [row for row in published.get(data.name, []) if row["min"] is not None]
        if not results:
            print(f"\n{data.name}: no published result, number of hidden units unknown")
            continue
        results.sort(key=lambda row: row["min"])
        best, hidden = results[0]["min"], results[0]["hidden"]
        rmse, seconds = measure(data, hidden, arguments.states, options)
        ours = [f"{rmse.min():.4f}", f"{np.median(rmse):.4f}", f"{seconds.mean():.4f}"]
        print_table(
            f"{data.name} ({len(data.y)} x {data.X.shape[1]}, {hidden} hidden units)",
            ["method", "min RMSE", "median RMSE", "mean fit s"],
            [["**ours**", *ours], *map(published_row, results[: arguments.published])],
        )
        near = [row for row in results if row["min"] <= 1.05 * best and row["seconds"] is not None]
        fastest = min(near, key=lambda row: row["seconds"])
        times = f"{fastest['seconds']:.4f} ({fastest['method']})"
        conclusions.append([data.name, ours[1], f"{best:.4f}", ours[2], times])
    print_table(
        "Our median against the best minimum, our time against the fastest within 5 % of that",
        ["set", "our median RMSE", "best published min", "our mean s", "published s"],
        conclusions,
    )
    save_tables(arguments.save)


if __name__ == "__main__":
    main()
