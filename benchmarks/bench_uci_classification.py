"""UCI classification: test accuracy and log loss on the published splits.

    python benchmarks/bench_uci_classification.py DATA_FOLDER [--peers] [--half confirmation]

prints for each set the accuracy, the log loss of the plain and of the moderated
probabilities and the fit time, then the means over the sets beside the published
accuracies; with --peers scikit-learn's classifiers take turns with ours on the same
splits, with scaled inputs and one thread each. The settings are the same for every
set, and test rows are seen by the final prediction only, whereas the published
classifiers were tuned on rows that overlap the test rows.
"""

from contextlib import suppress
from functools import partial
from time import perf_counter

import numpy as np
from _data import classification_sets, half, published_classification
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
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from sklearn_twolayer import TwoLayerClassifier

PEERS = {
    "MLPClassifier()": MLPClassifier,
    "MLPClassifier(50 tanh, lbfgs, alpha=1)": partial(
        MLPClassifier, 50, activation="tanh", solver="lbfgs", alpha=1, max_iter=1000
    ),
    "LogisticRegression()": partial(LogisticRegression, max_iter=1000),
    "RandomForestClassifier(500)": partial(RandomForestClassifier, 500),
    "SVC()": SVC,
}
#: Published methods beside which each set is shown.
SHOWN = ("nnet_caret", "avNNet_caret", "rf_caret", "svm_C", "elm_kernel_matlab", "max")


def log_loss(y, probability, classes):
    """Mean of -ln of the probability of y; a class unknown to the model has 1e-15."""
    column = np.searchsorted(classes, y).clip(max=len(classes) - 1)
    known = classes[column] == y
    chosen = np.where(known, probability[np.arange(len(y)), column], 0)
    return -np.log(np.maximum(chosen, 1e-15)).mean()


def measure(data, split, seed, make_model):
    """One fit on one split: seconds, accuracy in per cent, plain and moderated log loss."""
    train, test = split
    model = make_model(random_state=seed)
    with no_convergence_warnings():
        start = perf_counter()
        model.fit(data.X[train], data.y[train])
        seconds = perf_counter() - start
    X, y = data.X[test], data.y[test]
    result = {"seconds": seconds, "accuracy": 100 * model.score(X, y)}
    result |= {"plain": np.nan, "moderated": np.nan}
    if hasattr(model, "predict_proba"):
        result["plain"] = log_loss(y, model.predict_proba(X), model.classes_)
        if supports(model.predict_proba, "moderated"):
            with suppress(ValueError):  # no error bars: too many weights
                probability = model.predict_proba(X, moderated=True)
                result["moderated"] = log_loss(y, probability, model.classes_)
    return result


def our_model(random_state, **options):
    return TwoLayerClassifier(random_state=random_state, **options)


def scaled(make_classifier, random_state):
    classifier = make_classifier(random_state=random_state)
    return make_pipeline(StandardScaler(), classifier)


def measure_sets(sets, models, arguments):
    """{model: {set: {quantity: values over the splits}}}; the models take turns on each split."""
    jobs = [
        (data, split, seed)
        for data in sets
        for seed, split in enumerate(data.splits[: arguments.splits])
    ]

    def all_models(job):
        with threadpool_limits(1):
            return {name: measure(*job, make_model) for name, make_model in models.items()}

    results = Parallel(n_jobs=arguments.n_jobs)(delayed(all_models)(job) for job in jobs)
    summary = {name: {data.name: {} for data in sets} for name in models}
    for (data, _, _), of_models in zip(jobs, results):
        for name, result in of_models.items():
            for key, value in result.items():
                summary[name][data.name].setdefault(key, []).append(value)
    return summary


def set_row(data, measured, published):
    """A row of the table of sets."""
    figures = [
        with_error(*mean_and_error(measured[key]), decimals)
        for key, decimals in (("accuracy", 1), ("plain", 3), ("moderated", 3))
    ]
    size = f"{len(data.y)} x {data.X.shape[1]}, {len(np.unique(data.y))}"
    seconds = f"{np.median(measured['seconds']):.2f}"
    return [data.name, size, *figures, seconds] + [
        f"{published[method][data.name]:.1f}" if data.name in published.get(method, {}) else "-"
        for method in SHOWN
    ]


def mean_row(label, summary, unit):
    """Means over the sets; the standard error is that of the splits, sets being given."""
    cells = []
    for key, decimals in (("accuracy", 2), ("plain", 3), ("moderated", 3)):
        each = [mean_and_error(measured[key]) for measured in summary.values()]
        mean, error = np.array(each).T
        cells.append(with_error(mean.mean(), np.sqrt((error**2).sum()) / len(each), decimals))
    seconds = np.concatenate([measured["seconds"] for measured in summary.values()])
    return [label, *cells, f"{seconds.mean():.2f}", time_ratio(summary, unit)]


def time_ratio(summary, unit):
    """Median over the sets of the fit time in those of another model, ``unit``."""
    if unit is None:
        return "-"
    ratios = [np.mean(summary[name]["seconds"]) / np.mean(unit[name]["seconds"]) for name in unit]
    return f"{np.median(ratios):.2f}"


def published_mean_rows(published, names):
    """Mean accuracies of the published methods over the sets, best first."""
    rows = []
    for method, accuracy in published.items():
        values = [accuracy[name] for name in names if name in accuracy]
        if len(values) == len(names):
            note = "best of all on each set" if method == "max" else method
            rows.append([f"published: {note}", f"{np.mean(values):.2f}", "-", "-", "-", "-"])
    return sorted(rows, key=lambda row: float(row[1]), reverse=True)


def main():
    parser = argument_parser(__doc__)
    add_data_arguments(parser, splits=4)
    add_model_arguments(parser)
    parser.add_argument("--n-hidden", type=int, help="hidden units")
    parser.add_argument("--members", type=int, nargs="+", default=[1], help="committee sizes")
    parser.add_argument("--half", choices=("chosen", "confirmation"), help="of the sets")
    parser.add_argument("--peers", action="store_true", help="measure scikit-learn's classifiers")
    arguments = parser.parse_args()
    options = model_options(arguments)
    if arguments.n_hidden:
        options["n_hidden"] = arguments.n_hidden
    print(environment())
    print(f"TwoLayerClassifier({options or 'defaults'}), {arguments.n_jobs} fits at a time")
    sets = list(classification_sets(arguments.folder, arguments.sets))
    sets = half(sets, arguments.half) if arguments.half else sets
    published = published_classification(arguments.folder)
    models = {}
    for members in arguments.members:
        label = "one network" if members == 1 else f"committee of {members}"
        more = options | ({"n_members": members} if members > 1 else {})
        models[f"**ours, {label}**"] = partial(our_model, **more)
    ours = list(models)
    for label, peer in PEERS.items() if arguments.peers else ():
        models[f"measured: {label}"] = partial(scaled, peer)
    summary = measure_sets(sets, models, arguments)
    for label in ours:
        print_table(
            f"{label.strip('*')}: mean over {arguments.splits} splits",
            ["set", "n x f, classes", "accuracy %", "log loss", "moderated", "fit s", *SHOWN],
            [set_row(data, summary[label][data.name], published) for data in sets],
        )
    unit = summary.get("measured: MLPClassifier()")
    means = [mean_row(label, summary[label], unit) for label in models]
    print_table(
        f"Means over {len(sets)} sets",
        ["method", "accuracy %", "log loss", "moderated", "fit s", "time / MLPClassifier()"],
        means + published_mean_rows(published, [data.name for data in sets]),
    )
    save_tables(arguments.save)


if __name__ == "__main__":
    main()
