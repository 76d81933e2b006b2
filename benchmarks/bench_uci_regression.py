"""UCI regression: test RMSE and log-likelihood on the published splits.

    python benchmarks/bench_uci_regression.py DATA_FOLDER [--members 1 5 --n-hidden 50]
    python benchmarks/bench_uci_regression.py DATA_FOLDER --peers [--half confirmation]

The first prints for each set the default, or committees of so many networks, beside
published results of networks with one hidden layer on the same splits, and how often
the central 90 % and 50 % intervals of predict(X, return_std=True) hold the target. The
second measures six regressors of scikit-learn on the same splits: each split is
fitted by all models in turn, on one core. As that takes long, it is three splits of
each set, one at a time, and not gas with its 128 columns, unless --splits, --n-jobs
or --sets say otherwise. Times are those of the processor, as another program may have
it in between. The settings are the same for every set, and test rows are seen by the
final prediction only.
"""

from functools import partial
from time import process_time

import numpy as np
from _data import half, published_regression, regression_sets
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
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import RidgeCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from sklearn_twolayer import TwoLayerRegressor

OURS = "**TwoLayerRegressor**"
#: Metric in the published file -> name, sign that makes less better, our decimals.
METRICS = {"rmse": ("RMSE", 1, 4), "ll": ("log-likelihood", -1, 3)}
#: Most training rows of a Gaussian process, whose time grows with their cube.
MOST_ROWS = {"GaussianProcessRegressor": 2000}
#: What --peers does where the command line does not say otherwise.
WITH_PEERS = {"splits": 3, "n_jobs": 1}
#: Sets that --peers takes only where they are named, for their time.
SLOW_SETS = {"gas"}


def our_model(n_features, seed, **options):
    return TwoLayerRegressor(random_state=seed, **options)


def scaled(regressor):
    """A regressor that sees X and y standardised, as ours does."""
    pipeline = make_pipeline(StandardScaler(), regressor)
    return TransformedTargetRegressor(pipeline, transformer=StandardScaler())


def gaussian_process(n_features, seed):
    kernel = ConstantKernel() * RBF(np.ones(n_features)) + WhiteKernel()
    return scaled(GaussianProcessRegressor(kernel, random_state=seed))


#: Label -> ``make(n_features, seed)``.
PEERS = {
    "RidgeCV": lambda f, seed: scaled(RidgeCV(np.logspace(-3, 3, 13))),
    "RandomForestRegressor": lambda f, seed: RandomForestRegressor(random_state=seed),
    "HistGradientBoostingRegressor": lambda f, seed: HistGradientBoostingRegressor(
        random_state=seed
    ),
    "SVR": lambda f, seed: scaled(SVR()),
    "GaussianProcessRegressor": gaussian_process,
    "MLPRegressor": lambda f, seed: scaled(MLPRegressor(random_state=seed)),
}


def measure(data, split, seed, make_model):
    """One fit on one split: seconds, test RMSE, log-likelihood, coverage of intervals."""
    train, test = split
    model = make_model(data.X.shape[1], seed)
    with no_convergence_warnings():
        start = process_time()
        model.fit(data.X[train], data.y[train])
        seconds = process_time() - start
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


def measure_in_turn(data, split, seed, models):
    """{label: result} of all models on one split."""
    n_rows = len(split[0])
    return {
        label: measure(data, split, seed, make)
        for label, make in models.items()
        if n_rows <= MOST_ROWS.get(label, n_rows)
    }


def compare(halves, options, arguments):
    """Ours and the peers side by side: a row for each set, and means over the sets.

    ``halves`` is {name of the half: its sets}.
    """
    models = {OURS: partial(our_model, **options), **PEERS}
    most = MOST_ROWS["GaussianProcessRegressor"]
    rows, ratios, small, times = [], {label: [] for label in models}, [], []
    for part, data in [(part, data) for part, sets in halves.items() for data in sets]:
        results = Parallel(n_jobs=arguments.n_jobs)(
            delayed(measure_in_turn)(data, split, seed, models)
            for seed, split in enumerate(data.splits[: arguments.splits])
        )
        column = {
            label: {key: [result[label][key] for result in results] for key in results[0][label]}
            for label in results[0]
        }
        rmse = {label: np.mean(values["rmse"]) for label, values in column.items()}
        best = min((label for label in rmse if label != OURS), key=rmse.get)
        for label in rmse:
            ratios[label].append(rmse[label] / rmse[best])
        ours, seconds = column[OURS], {k: np.median(v["seconds"]) for k, v in column.items()}
        n_train, time_ratio = len(data.splits[0][0]), seconds[OURS] / seconds["MLPRegressor"]
        if n_train <= most:
            small.append(ratios[OURS][-1])
            times.append(time_ratio)
        figures = [f"{ratios[OURS][-1]:.3f}", best.removesuffix("Regressor")]
        figures += [f"{np.mean(ours['ll']):.3f}", f"{np.mean(ours['in90']):.1f}"]
        figures += [f"{seconds[OURS]:.2f}", f"{time_ratio:.2f}"]
        rows.append([part, data.name, f"{n_train} x {data.X.shape[1]}", *figures])
    header = ["half", "set", "rows", "RMSE / best peer's", "best peer", "log-likelihood", "in 90 %"]
    print_table("Ours and the best peer", [*header, "fit s", "/ MLP's"], rows)
    rows = mean_ratios(ratios, small, most)
    print_table("Geometric mean of the RMSE over the best peer's", ["model", "ratio"], rows)
    print(f"\nFit time over MLPRegressor's, median over these sets: {np.median(times):.2f}")


def mean_ratios(ratios, small, most):
    """Rows of a table: ours, also where a Gaussian process can follow, then the best first.

    ``ratios`` is {label: ratios of the sets}, ``small`` ours of the sets of up to ``most`` rows.
    """
    ratios = dict(ratios)
    named = {
        OURS: ratios.pop(OURS),
        f"{OURS}, sets of up to {most:,} rows": small,
        "GaussianProcessRegressor, the same sets": ratios.pop("GaussianProcessRegressor"),
    }
    mean = {label: np.exp(np.mean(np.log(each))) for label, each in (named | ratios).items()}
    return [[label, f"{mean[label]:.3f}"] for label in (*named, *sorted(ratios, key=mean.get))]


def sets_by_half(arguments):
    """{name of the half: those of its sets that are asked for}; the halves are of all sets."""
    names = {data.name for data in regression_sets(arguments.folder, arguments.sets)}
    if arguments.peers and not arguments.sets:
        names -= SLOW_SETS
    sets = list(regression_sets(arguments.folder))
    parts = [arguments.half] if arguments.half else ["chosen", "confirmation"]
    return {part: [data for data in half(sets, part) if data.name in names] for part in parts}


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
    parser.add_argument("--n-hidden", type=int, help="hidden units")
    parser.add_argument("--members", type=int, nargs="+", help="committee sizes")
    parser.add_argument("--half", choices=("chosen", "confirmation"), help="of the sets")
    parser.add_argument("--peers", action="store_true", help="measure scikit-learn's regressors")
    parser.add_argument("--published", type=int, default=4, help="best published rows shown")
    if parser.parse_args().peers:
        parser.set_defaults(**WITH_PEERS)
    arguments = parser.parse_args()
    options = model_options(arguments)
    if arguments.n_hidden:
        options["n_hidden"] = arguments.n_hidden
    print(environment())
    print(f"TwoLayerRegressor({options or 'defaults'}), {arguments.n_jobs} fits at a time")
    halves = sets_by_half(arguments)
    if arguments.peers:
        compare(halves, options, arguments)
        save_tables(arguments.save)
        return
    published = published_regression(arguments.folder)
    conclusions = []
    for data in [data for sets in halves.values() for data in sets]:
        methods = published_methods(published, data.name)
        rows = []
        for members in arguments.members or [None]:
            make = partial(our_model, **options | ({"n_members": members} if members else {}))
            results = Parallel(n_jobs=arguments.n_jobs)(
                delayed(measure)(data, split, seed, make)
                for seed, split in enumerate(data.splits[: arguments.splits])
            )
            summary, rest = summarise(results)
            label = {None: "default", 1: "one network"}.get(members, f"committee of {members}")
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
