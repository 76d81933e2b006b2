"""Default settings: 5-fold cross-validation of untuned estimators on raw tables.

    python benchmarks/bench_defaults.py

compares TwoLayerRegressor() and TwoLayerClassifier() with scikit-learn's MLP on
raw inputs, on scaled inputs, and (regression) on scaled inputs and targets, all
with their default parameters. Every repetition draws new folds and new starts.

Friedman-1 has 500 rows and noise of standard deviation 1, the usual choice: the
regression function has a standard deviation of about 4.9, so that R^2 = 0.96 is
the most that any model can reach. Its columns are multiplied by 10^-3 to 10^3
and y by 10^4, as tables with several units of measurement are.
"""

from functools import partial
from time import perf_counter

import numpy as np
from _report import (
    add_model_arguments,
    argument_parser,
    environment,
    mean_and_error,
    model_options,
    no_convergence_warnings,
    print_table,
    save_tables,
    with_error,
)
from joblib import Parallel, delayed
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
    make_friedman1,
)
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor


def friedman1_in_units():
    """Friedman-1 with columns in units from 10^-3 to 10^3 and y in units of 10^4."""
    X, y = make_friedman1(500, n_features=10, noise=1.0, random_state=0)
    return X * np.logspace(-3, 3, 10), 1e4 * y


REGRESSION_SETS = {
    "diabetes": partial(load_diabetes, return_X_y=True),
    "Friedman-1, columns rescaled": friedman1_in_units,
}
CLASSIFICATION_SETS = {
    "breast cancer": partial(load_breast_cancer, return_X_y=True),
    "wine": partial(load_wine, return_X_y=True),
    "digits": partial(load_digits, return_X_y=True),
}


def regressors(random_state, options):
    """Our regressor and its peers."""
    mlp = MLPRegressor(random_state=random_state)
    scaled = make_pipeline(StandardScaler(), mlp)
    return {
        "**TwoLayerRegressor()**": TwoLayerRegressor(random_state=random_state, **options),
        "MLPRegressor(), raw": mlp,
        "MLPRegressor(), X scaled": scaled,
        "MLPRegressor(), X and y scaled": TransformedTargetRegressor(
            regressor=scaled, transformer=StandardScaler()
        ),
    }


def classifiers(random_state, options):
    """Our classifier and its peers."""
    mlp = MLPClassifier(random_state=random_state)
    return {
        "**TwoLayerClassifier()**": TwoLayerClassifier(random_state=random_state, **options),
        "MLPClassifier(), raw": mlp,
        "MLPClassifier(), X scaled": make_pipeline(StandardScaler(), mlp),
    }


def measure(model, X, y, train, test):
    """One fit: its score on the test rows, log loss (nan for regression) and seconds."""
    with no_convergence_warnings():
        start = perf_counter()
        model.fit(X[train], y[train])
        seconds = perf_counter() - start
    loss = np.nan
    if hasattr(model, "predict_proba"):
        loss = log_loss(y[test], model.predict_proba(X[test]), labels=model.classes_)
    return model.score(X[test], y[test]), loss, seconds


def cross_validate(X, y, make_models, splitter, arguments, options):
    """{label: array (3, n_repeats * 5) of scores, log losses and seconds}."""
    jobs = [
        (label, model, train, test)
        for seed in range(arguments.repeats)
        for train, test in splitter(5, shuffle=True, random_state=seed).split(X, y)
        for label, model in make_models(seed, options).items()
    ]
    results = Parallel(n_jobs=arguments.n_jobs)(
        delayed(measure)(model, X, y, train, test) for _, model, train, test in jobs
    )
    columns = {}
    for (label, *_), result in zip(jobs, results):
        columns.setdefault(label, []).append(result)
    return {label: np.array(values).T for label, values in columns.items()}


def rows_of(measured, score_decimals):
    """Table rows; the difference to ours is paired over the folds."""
    (_, (ours, _, _)), *_ = measured.items()
    for label, (score, loss, seconds) in measured.items():
        difference = "" if label.startswith("**") else with_error(*mean_and_error(score - ours), 3)
        yield [
            label,
            with_error(*mean_and_error(score), score_decimals),
            difference,
            with_error(*mean_and_error(loss), 3),
            len(score),
            f"{np.median(seconds):.2f}",
        ]


def main():
    parser = argument_parser(__doc__)
    add_model_arguments(parser)
    parser.add_argument("--repeats", type=int, default=5, help="seeds of folds and starts")
    parser.add_argument("--n-jobs", type=int, default=2, help="fits at a time, one core each")
    arguments = parser.parse_args()
    options = model_options(arguments)
    print(environment())
    print(f"5 folds x {arguments.repeats} seeds, {arguments.n_jobs} fits at a time")
    kinds = (
        (REGRESSION_SETS, regressors, KFold, "R^2"),
        (CLASSIFICATION_SETS, classifiers, StratifiedKFold, "accuracy"),
    )
    for sets, make_models, splitter, score in kinds:
        for name, load in sets.items():
            X, y = load()
            measured = cross_validate(X, y, make_models, splitter, arguments, options)
            print_table(
                f"{name} ({X.shape[0]} rows, {X.shape[1]} inputs)",
                ["model", score, "difference to ours", "log loss", "fits", "fit s"],
                rows_of(measured, 4),
            )
    save_tables(arguments.save)


if __name__ == "__main__":
    main()
