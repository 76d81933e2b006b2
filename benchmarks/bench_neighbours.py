"""Other models that one would take for a small table, untuned, on the same folds.

    python benchmarks/bench_neighbours.py --save benchmarks/results/neighbours.json

Five-fold cross-validation of each model as its author delivers it, with the scaling that it
needs: R^2 or log loss and accuracy, how many targets lie in the central 90 % interval where a
model gives one, processor seconds for a fit and processor microseconds to predict a row among
1,000. The data come with scikit-learn or are drawn; nothing is downloaded. RealMLP takes part
where pytabkit is installed.
"""

import time
import warnings
from functools import partial
from importlib.util import find_spec

import numpy as np
from _report import (
    argument_parser,
    environment,
    mean_and_error,
    print_table,
    save_tables,
    with_error,
)
from scipy.stats import norm
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
    make_friedman1,
)
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

N_FOLDS = 5
#: What RealMLP needs, where it is installed.
REAL_MLP = ("pytabkit", "torch") if find_spec("pytabkit") else ()


def scaled(model):
    """The model on standardised columns."""
    return make_pipeline(StandardScaler(), model)


def gaussian_process(n_features):
    """Normal noise, one length for each column, lengths and noise by marginal likelihood."""
    kernel = ConstantKernel() * RBF(np.ones(n_features)) + WhiteKernel()
    return scaled(GaussianProcessRegressor(kernel, normalize_y=True, random_state=0))


def regressors(n_features):
    """Name -> model."""
    models = {
        "TwoLayerRegressor()": TwoLayerRegressor(random_state=0),
        "GaussianProcessRegressor(RBF + noise)": gaussian_process(n_features),
        "HistGradientBoostingRegressor()": HistGradientBoostingRegressor(random_state=0),
        "RandomForestRegressor()": RandomForestRegressor(random_state=0),
        "RidgeCV()": scaled(RidgeCV(np.logspace(-3, 3, 13))),
        "MLPRegressor(), X and y scaled": TransformedTargetRegressor(
            scaled(MLPRegressor(max_iter=1000, random_state=0)), transformer=StandardScaler()
        ),
    }
    return models | real_mlp("RealMLP_TD_Regressor")


def classifiers(n_features):
    """Name -> model."""
    models = {
        "TwoLayerClassifier()": TwoLayerClassifier(random_state=0),
        "GaussianProcessClassifier()": scaled(GaussianProcessClassifier(random_state=0)),
        "HistGradientBoostingClassifier()": HistGradientBoostingClassifier(random_state=0),
        "RandomForestClassifier()": RandomForestClassifier(random_state=0),
        "LogisticRegression()": scaled(LogisticRegression(max_iter=1000)),
        "MLPClassifier()": scaled(MLPClassifier(max_iter=1000, random_state=0)),
    }
    return models | real_mlp("RealMLP_TD_Classifier")


def real_mlp(name):
    """RealMLP with its tuned defaults, on one thread, where it is installed.

    On two threads its small products take six times as long.
    """
    if not REAL_MLP:
        return {}
    import pytabkit

    options = {"device": "cpu", "random_state": 0, "n_cv": 1, "n_threads": 1}
    return {f"{name}()": getattr(pytabkit, name)(**options)}


def microseconds_of_a_row(model, X):
    """Time to predict 1,000 rows, the least of three, for each row."""
    rows = np.resize(X, (1000, X.shape[1]))
    times = []
    for _ in range(3):
        start = time.process_time()
        model.predict(rows)
        times.append(time.process_time() - start)
    return 1e6 * min(times) / len(rows)


def in_interval(model, X, y):
    """Share of the targets in the central 90 % interval; nan where the model gives none."""
    try:
        prediction, std = model.predict(X, return_std=True)
    except TypeError:
        return np.nan
    return np.mean(np.abs(y - prediction) < norm.ppf(0.95) * std)


def regression_scores(model, X, y):
    return [r2_score(y, model.predict(X)), 100 * in_interval(model, X, y)]


def classification_scores(model, X, y):
    probability = np.clip(model.predict_proba(X), 1e-15, 1)
    loss = log_loss(y, probability / probability.sum(axis=1, keepdims=True))
    return [100 * accuracy_score(y, model.predict(X)), loss]


def measure(model, X, y, folds, scores):
    """Scores, seconds and microseconds (folds, 4) of a model."""
    found = []
    for train, test in folds.split(X, y):
        fitted, start = clone(model), time.process_time()
        fitted.fit(X[train], y[train])
        seconds = time.process_time() - start
        found.append([*scores(fitted, X[test], y[test]), seconds, microseconds_of_a_row(fitted, X)])
    return np.array(found)


def row(name, found, decimals):
    """A line of a table: means, with standard errors of the scores."""
    (first, loss, seconds, micro), cells = found.T, []
    for values, digits in zip((first, loss), decimals):
        cells.append(with_error(*mean_and_error(values), digits))
    return [name, *cells, f"{seconds.mean():.2f}", f"{micro.mean():.1f}"]


REGRESSION = {
    "diabetes": partial(load_diabetes, return_X_y=True),
    "Friedman-1, 500 rows, noise 1": partial(make_friedman1, 500, noise=1.0, random_state=0),
}
CLASSIFICATION = {
    "breast cancer": load_breast_cancer,
    "wine": load_wine,
    "digits, 900 rows": lambda **options: [part[::2] for part in load_digits(**options)],
}


def main():
    """Print the tables."""
    arguments = argument_parser(__doc__).parse_args()
    print(environment(*REAL_MLP))
    warnings.simplefilter("ignore")  # of convergence and length scales at their bounds: untuned
    columns = "fit, CPU s", "µs a row"
    for title, load in REGRESSION.items():
        X, y = load()
        folds = KFold(N_FOLDS, shuffle=True, random_state=0)
        models = regressors(X.shape[1])
        found = {
            name: measure(model, X, y, folds, regression_scores) for name, model in models.items()
        }
        rows = [row(name, values, (3, 0)) for name, values in found.items()]
        print_table(title, ("model", "R²", "in 90 %", *columns), rows)
        save_tables(arguments.save, *REAL_MLP)
    for title, load in CLASSIFICATION.items():
        X, y = load(return_X_y=True)
        folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=0)
        models = classifiers(X.shape[1])
        found = {
            name: measure(model, X, y, folds, classification_scores)
            for name, model in models.items()
        }
        rows = [row(name, values, (1, 3)) for name, values in found.items()]
        print_table(title, ("model", "accuracy %", "log loss", *columns), rows)
        save_tables(arguments.save, *REAL_MLP)


if __name__ == "__main__":
    main()
