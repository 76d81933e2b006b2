"""Where the network is not good as it stands, and what helps.

    python benchmarks/bench_limits.py --save benchmarks/results/limits.json

The tables tell how a series goes on beyond its rows, how columns with long tails, classes around a
centre or with covariances of their own, and more weights than the rows can determine are learnt,
each beside what is better there.
All data are drawn: nothing is downloaded. Nothing is chosen by these figures.
"""

import numpy as np
from _report import argument_parser, environment, print_table, save_tables
from bench_guide import coverage, fit, means
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import lfilter
from scipy.stats import ortho_group
from sklearn.datasets import make_gaussian_quantiles
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.svm import SVC

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor


def series_with_a_season(rng, power, memory, n=400):
    """A rise of 40, waves of three, and noise of 0.3 of which a part stays."""
    t = np.arange(n)
    noise = lfilter([0.3], [1, -memory], rng.normal(size=n))
    return 40 * (t / n) ** power + 3 * np.sin(2 * np.pi * t / 12) + noise


def forecasts(values, test):
    """Errors of ours and of ridge from twelve lags, in units of the noise, and our coverage."""
    rows = sliding_window_view(values, 13)
    train, new = np.delete(rows, test, axis=0), rows[test]
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13)))
    models = [
        fit(model, train[:, :-1], train[:, -1])[0]
        for model in (TwoLayerRegressor(random_state=0), ridge)
    ]
    X, y = new[:, :-1], new[:, -1]
    errors = [root_mean_squared_error(y, model.predict(X)) / 0.3 for model in models]
    return [*errors, coverage(models[0], X, y)]


def trends(n_repeats=5):
    """Forecasts of the last fifth of a series, as it is and without what grows."""
    rows = []
    for label, power, memory in (
        ("straight trend", 1, 0.7),
        ("bent trend", 2, 0.7),
        ("bent trend, new noise", 2, 0),
    ):
        found = []
        for seed in range(n_repeats):
            rng = np.random.default_rng(seed)
            y = series_with_a_season(rng, power, memory)
            t, last = np.arange(len(y))[:, None], -1 - np.arange(80)
            line = LinearRegression().fit(t[:-80], y[:-80]).predict(t)
            some = rng.choice(len(y) - 12, 80, replace=False)
            ways = ((y, some), (y, last), (np.diff(y), last), (y - line, last))
            found.append([forecasts(*way) for way in ways])
        names = ("any fifth", "last fifth", "last fifth, steps", "last fifth, beside a line")
        rows += [[f"{label}: {name}", *means(way, 1)] for name, way in zip(names, zip(*found))]
    header = ["RMSE over the noise", "ours", "RidgeCV, scaled", "ours inside of 90 %, %"]
    print_table("Twelve lags of a series of 400 values", header, rows)


def long_tails(n_repeats=3):
    """Four log-normal columns, 1,000 rows, transformed or not."""
    shapes = {
        "as they are": FunctionTransformer(),
        "np.log": FunctionTransformer(np.log),
        "np.log1p": FunctionTransformer(np.log1p),
        "PowerTransformer()": PowerTransformer(),
        "QuantileTransformer()": QuantileTransformer(),
    }
    models = {
        name: make_pipeline(shape, TwoLayerRegressor(random_state=0))
        for name, shape in shapes.items()
    }
    models["HistGradientBoostingRegressor()"] = HistGradientBoostingRegressor(random_state=0)
    errors = {name: [] for name in models}
    for seed in range(n_repeats):
        L = 2 * np.random.default_rng(seed).normal(size=(3000, 4))
        X, y = np.exp(L), L[:, 0] + L[:, 1] * L[:, 2] / 2
        for name, model in models.items():
            prediction = fit(model, X[:1000], y[:1000])[0].predict(X[1000:])
            errors[name].append(root_mean_squared_error(y[1000:], prediction) / y[1000:].std())
    rows = [[name, *means(found, 3)] for name, found in errors.items()]
    header = ["", "RMSE over the deviation of y"]
    print_table("y = ln x0 + ln x1 ln x2 / 2 of log-normal columns", header, rows)


def one_around_the_other(n_features, seed):
    """X and y of 2,300 rows, of a class the half that is nearer to the centre."""
    shape = {"n_samples": 2300, "n_features": n_features, "n_classes": 2}
    return make_gaussian_quantiles(**shape, random_state=seed)


def other_covariances(n_features, seed):
    """X and y of 2,300 rows: normal clouds of one shape, turned otherwise in each class.

    Their axes are from 1/2 to 2 long.
    """
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=2300)
    turns = ortho_group.rvs(n_features, size=2, random_state=seed)
    Z = np.geomspace(0.5, 2, n_features) * rng.normal(size=(2300, n_features))
    return np.einsum("nf,nfg->ng", Z, turns[y]), y


def curved_borders(n_repeats=3):
    """Two classes of 300 rows whose border bends in all columns at once."""
    models = [
        TwoLayerClassifier(random_state=0),
        make_pipeline(StandardScaler(), SVC()),
        QuadraticDiscriminantAnalysis(),
    ]
    header = ["accuracy, %", "TwoLayerClassifier()", "SVC(), scaled X"]
    header += ["QuadraticDiscriminantAnalysis()"]
    titles = {
        "One class around the other, 300 rows": one_around_the_other,
        "Normal columns, whose covariances differ between two classes, 300 rows": other_covariances,
    }
    for title, draw in titles.items():
        rows = []
        for n_features in (10, 15, 20):
            accuracy = []
            for seed in range(n_repeats):
                X, y = draw(n_features, seed)
                fitted = [fit(model, X[:300], y[:300])[0] for model in models]
                accuracy.append([100 * model.score(X[300:], y[300:]) for model in fitted])
            rows.append([f"{n_features} columns", *means(accuracy, 1)])
        print_table(title, header, rows)


def more_weights_than_rows(n_repeats=3):
    """A classifier of 1,000 rows, 30 levels that say nothing and three numbers."""
    rows = []
    for n_hidden in ("auto", 3):
        for alpha in ("auto", "evidence", "ard"):
            losses = []
            for seed in range(n_repeats):
                rng = np.random.default_rng(seed)
                levels, Z = rng.integers(30, size=1500), rng.normal(size=(1500, 3))
                X, y = np.c_[np.eye(30)[levels], Z], Z[:, 0] + rng.logistic(size=1500) > 0
                model = TwoLayerClassifier(n_hidden, alpha=alpha, random_state=0)
                fit(model, X[:1000], y[:1000])
                both = (model.predict_proba(X[1000:], moderated=m) for m in (False, True))
                losses.append([log_loss(y[1000:], probability) for probability in both])
            rows.append([f"{model.n_hidden_} units, alpha='{alpha}'", *means(losses, 2)])
    header = ["log loss of new rows", "plain", "moderated"]
    print_table("30 levels and three numbers, 1,000 rows, two classes", header, rows)


def main():
    parser = argument_parser(__doc__)
    arguments = parser.parse_args()
    print(environment())
    trends()
    long_tails()
    curved_borders()
    more_weights_than_rows()
    save_tables(arguments.save)


if __name__ == "__main__":
    main()
