"""Where the network is not good as it stands, and what helps.

    python benchmarks/bench_limits.py --save benchmarks/results/limits.json

The tables tell how a series goes on beyond its rows, how columns with long tails, classes around a
centre or with covariances of their own, more weights than the rows can determine, several targets
that share nothing, and many that are a curve are learnt, each beside what is better there.
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
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.multioutput import MultiOutputRegressor
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


def beside_noise(n_rows, rng):
    """X, the one function of it that is to be learnt, and the noise of six targets."""
    X = rng.normal(size=(n_rows, 3))
    function = np.sin(3 * X[:, :1]) + X[:, 1:2] ** 2
    return X, function, np.c_[0.1 * rng.normal(size=n_rows), rng.normal(size=(n_rows, 5))]


def of_their_own(n_rows, rng):
    """X, six waves, each of a column of its own, and their noise."""
    X = rng.normal(size=(n_rows, 6))
    return X, np.sin(2 * X), 0.1 * rng.normal(size=(n_rows, 6))


def of_the_same(n_rows, rng):
    """X, six mixtures of two functions of three columns, and their noise."""
    X, mixture = rng.normal(size=(n_rows, 3)), rng.normal(size=(2, 6))
    functions = np.c_[np.sin(2 * X[:, 0]) + X[:, 1], X[:, 1] * X[:, 2]]
    return X, functions @ mixture, 0.3 * rng.normal(size=(n_rows, 6))


def error_of_functions(model, X, functions, noise, n_rows):
    """The mean RMSE of new rows over the deviation of each function; other targets are noise."""
    k = functions.shape[1]
    y = np.c_[functions, np.zeros_like(noise[:, k:])] + noise
    found = fit(model, X[:n_rows], y[:n_rows])[0].predict(X[n_rows:])[:, :k]
    truth = functions[n_rows:]
    return np.mean(np.sqrt(np.mean((found - truth) ** 2, axis=0)) / truth.std(axis=0))


def together_or_one_by_one(n_repeats=5):
    """Several targets in one network, or each in a network of its own."""
    rows, joint = [], TwoLayerRegressor(random_state=0)
    models = joint, MultiOutputRegressor(joint)
    for title, draw, sizes in (
        ("a function beside five targets of noise", beside_noise, (60, 100, 200, 400)),
        ("six waves of six columns", of_their_own, (60, 150)),
        ("six mixtures of two functions", of_the_same, (60, 150)),
    ):
        for n_rows in sizes:
            found = []
            for seed in range(n_repeats):
                drawn = draw(n_rows + 2000, np.random.default_rng(seed))
                found.append([error_of_functions(model, *drawn, n_rows) for model in models])
            rows.append([f"{title}, {n_rows} rows", *means(found, 3)])
    header = ["RMSE over the deviation", "together", "MultiOutputRegressor"]
    print_table("Targets together, or one by one", header, rows)


def moving_peak(n_rows, rng):
    """X of three columns, and a peak on a grid of 50 points that they move, widen and raise."""
    X, grid = rng.uniform(-1, 1, size=(n_rows, 3)), np.linspace(-1, 1, 50)
    place, width, height = 0.6 * X[:, :1], 0.2 + 0.1 * X[:, 1:2], 1 + 0.5 * X[:, 2:]
    peak = height * np.exp(-(((grid - place) / width) ** 2) / 2)
    return X, peak, 0.02 * rng.normal(size=peak.shape)


def lines(n_rows, rng):
    """X of five columns, five lines, and their noise."""
    X = rng.normal(size=(n_rows, 5))
    functions = X @ rng.normal(size=(5, 5)) / 5**0.5
    return X, functions, 0.3 * rng.normal(size=(n_rows, 5))


def many_targets(n_repeats=3):
    """Curves as targets, and lines of few rows, beside a Gaussian process and ridge."""
    kernel = ConstantKernel() * RBF(np.ones(3)) + WhiteKernel(0.01)
    process = GaussianProcessRegressor(kernel, normalize_y=True)
    rows = []
    for title, draw, n_rows, other in (
        ("50 points of a moving peak, a Gaussian process", moving_peak, 60, process),
        ("50 points of a moving peak, a Gaussian process", moving_peak, 150, process),
        ("five lines of five columns, RidgeCV", lines, 12, RidgeCV(np.logspace(-3, 3, 13))),
        ("five lines of five columns, RidgeCV", lines, 25, RidgeCV(np.logspace(-3, 3, 13))),
    ):
        found = []
        for seed in range(n_repeats):
            drawn = draw(n_rows + 2000, np.random.default_rng(seed))
            models = TwoLayerRegressor(random_state=0), other
            found.append([error_of_functions(model, *drawn, n_rows) for model in models])
        rows.append([f"{title}, {n_rows} rows", *means(found, 3)])
    header = ["RMSE over the deviation", "ours", "the other"]
    print_table("Curves and lines as targets", header, rows)


def main():
    parser = argument_parser(__doc__)
    arguments = parser.parse_args()
    print(environment())
    trends()
    long_tails()
    curved_borders()
    more_weights_than_rows()
    together_or_one_by_one()
    many_targets()
    save_tables(arguments.save)


if __name__ == "__main__":
    main()
