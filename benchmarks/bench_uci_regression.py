"""UCI regression: test RMSE and log-likelihood on the published splits, 50 hidden units.

    python benchmarks/bench_uci_regression.py DATA_FOLDER

prints for each set a single network and a committee beside published results of
networks with one hidden layer on the same splits, and how often the central 90 %
and 50 % intervals of predict(X, return_std=True) hold the target. The settings
are the same for every set, and test rows are seen by the final prediction only.
"""

from time import perf_counter

import numpy as np
from _data import published_regression, regression_sets
from _report import (
    add_data_arguments,
    add_model_arguments,
    argument_parser,
    environment,
    mean_and_error,
    model_options,
    no_convergence_warnings,
    print_table,
    save_tables,
    supports,
    with_error,
)
from joblib import Parallel, delayed
from scipy.stats import norm

from sklearn_twolayer import TwoLayerRegressor

#: Metric in the published file -> name, sign that makes less better, our decimals.
METRICS = {"rmse": ("RMSE", 1, 4), "ll": ("log-likelihood", -1, 3)}


def measure(data, split, seed, options):
    """One fit on one split: seconds, test RMSE, log-likelihood, coverage of intervals."""
    train, test = split
    model = TwoLayerRegressor(50, random_state=seed, **options)
    with no_convergence_warnings():
        start = perf_counter()
        model.fit(data.X[train], data.y[train])
        seconds = perf_counter() - start
    std = np.full(len(test), np.nan)
    if supports(model.predict, "return_std"):
        mean, std = model.predict(data.X[test], return_std=True)
    else:
        mean = model.predict(data.X[test])
    error = data.y[test] - mean
    return {
        "seconds": seconds,
        "rmse": np.sqrt(np.mean(error**2)),
        "ll": norm.logpdf(error, scale=std).mean(),
        "in90": 100 * np.mean(np.abs(error) <= norm.ppf(0.95) * std),
        "in50": 100 * np.mean(np.abs(error) <= norm.ppf(0.75) * std),
    }


def summarise(results):
    """Mean and standard error of the metrics over the splits, and the rest of a table row."""
    column = {key: [result[key] for result in results] for key in results[0]}
    summary = {metric: mean_and_error(column[metric]) for metric in METRICS}
    coverage = [with_error(*mean_and_error(column[key]), 1) for key in ("in90", "in50")]
    return summary, [*coverage, len(results), f"{np.median(column['seconds']):.2f}"]


def published_methods(published, name):
    """{method: {metric: published row}} of a set."""
    methods = {}
    for row in published:
        if row["dataset"] == name:
            methods.setdefault(row["method"], {})[row["metric"]] = row
    return methods


def best_methods(methods, metric, most):
    """Names of the best comparable methods by a metric."""
    sign = METRICS[metric][1]
    able = [m for m, rows in methods.items() if metric in rows and rows[metric]["comparable"]]
    return sorted(able, key=lambda method: sign * methods[method][metric]["mean"])[:most]


def published_rows(methods, most):
    """Table rows of the methods that are among the best in one of the metrics."""
    best = [method for metric in METRICS for method in best_methods(methods, metric, most)]
    for method in dict.fromkeys(best):
        cells = [_published_cell(methods[method].get(m), METRICS[m][2]) for m in METRICS]
        yield [method, *cells, "", "", "", ""]


def _published_cell(row, decimals):
    if row is None:
        return "-"
    return with_error(row["mean"], row["stderr"], min(decimals, row["decimals"]))


def verdicts(name, label, summary, methods):
    """Rows of the last table: a metric of ours against the best published one.

    Equal means within one standard error of ours, plus half a unit in the last
    digit that was published.
    """
    for metric, (title, sign, decimals) in METRICS.items():
        for method in best_methods(methods, metric, 1):
            row, (mean, error) = methods[method][metric], summary[metric]
            excess = sign * (mean - row["mean"])
            verdict = "better" if excess < 0 else "worse"
            if abs(excess) <= error + 0.5 * 10.0 ** -row["decimals"]:
                verdict = "equal"
            ours = with_error(mean, error, decimals)
            theirs = _published_cell(row, decimals)
            yield [name, label, title, ours, theirs, method, "-" if np.isnan(mean) else verdict]


def main():
    parser = argument_parser(__doc__)
    add_data_arguments(parser, splits=5)
    add_model_arguments(parser)
    parser.add_argument("--members", type=int, nargs="+", default=[1, 5], help="committee sizes")
    parser.add_argument("--published", type=int, default=4, help="best published rows shown")
    arguments = parser.parse_args()
    options = model_options(arguments)
    print(environment())
    print(f"TwoLayerRegressor(50, {options or 'defaults'}), {arguments.n_jobs} fits at a time")
    published = published_regression(arguments.folder)
    conclusions = []
    for data in regression_sets(arguments.folder, arguments.sets):
        methods = published_methods(published, data.name)
        rows = []
        for members in arguments.members:
            more = options | ({"n_members": members} if members > 1 else {})
            if members > 1 and not supports(TwoLayerRegressor, "n_members"):
                continue
            results = Parallel(n_jobs=arguments.n_jobs)(
                delayed(measure)(data, split, seed, more)
                for seed, split in enumerate(data.splits[: arguments.splits])
            )
            summary, rest = summarise(results)
            label = "one network" if members == 1 else f"committee of {members}"
            figures = [with_error(*summary[m], METRICS[m][2]) for m in METRICS]
            rows.append([f"**ours, {label}**", *figures, *rest])
            conclusions += verdicts(data.name, label, summary, methods)
        n, f = data.X.shape
        print_table(
            f"{data.name} ({n} rows, {f} inputs)",
            ["method", "RMSE", "log-likelihood", "in 90 %", "in 50 %", "splits", "fit s"],
            rows + list(published_rows(methods, arguments.published)),
        )
    print_table(
        "Against the best published result",
        ["set", "model", "metric", "ours", "published", "method", "ours is"],
        conclusions,
    )
    save_tables(arguments.save)


if __name__ == "__main__":
    main()
