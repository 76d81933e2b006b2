"""The figures of the user guide that no other benchmark has.

    python benchmarks/bench_guide.py --save benchmarks/results/guide.json

The tables tell how often error bars cover the truth, beside the rows, beyond them and for several
targets; how well and how fast many rows are fitted; how much time it takes to find a penalty from
the rows; how far rounding moves a fit; and what float32 loses where the means of columns are large,
in R^2 of the training rows. Times are processor seconds. All data are drawn or come with
scikit-learn: nothing is downloaded. Nothing is chosen by these figures.
"""

from time import process_time

import numpy as np
from _report import (
    argument_parser,
    environment,
    mean_and_error,
    no_convergence_warnings,
    print_table,
    save_tables,
    with_error,
)
from scipy.stats import norm
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_iris,
    load_wine,
    make_classification,
    make_friedman1,
    make_moons,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

Z_90 = norm.ppf(0.95)


def coverage(model, X, y):
    """Share of the targets within the central 90 % interval, one for each column of y."""
    prediction, std = model.predict(X, return_std=True)
    return 100 * (np.abs(y - prediction) < Z_90 * std).mean(axis=0)


def fit(model, X, y):
    """The model, fitted, and the processor seconds that it took."""
    with no_convergence_warnings():
        start = process_time()
        model.fit(X, y)
        return model, process_time() - start


def means(values, decimals):
    """Mean and standard error over the first axis, a text for each column."""
    columns = np.reshape(values, (len(values), -1)).T
    return [with_error(*mean_and_error(column), decimals) for column in columns]


# Error bars


def smooth_function(rng):
    """Two waves and a product, along random directions of three columns."""
    directions, phases = rng.normal(size=(3, 4)), rng.uniform(0, 2 * np.pi, size=2)

    def signal(X):
        Z = X @ directions
        return np.sin(2 * Z[:, :2] + phases).sum(axis=1) + Z[:, 2] * Z[:, 3]

    return signal


def on_the_faces(rng, edge, n=1000):
    """Points on the faces of the cube [-edge, edge]^3."""
    X = rng.uniform(-edge, edge, size=(n, 3))
    X[np.arange(n), rng.integers(3, size=n)] = rng.choice([-edge, edge], size=n)
    return X


def outside_of_the_rows(n_repeats=20):
    """Rows in [-1, 1]^3, and new ones there and on the faces of larger cubes."""
    edges, noise = (1.5, 2, 4), 0.1
    kernel = ConstantKernel() * RBF(np.ones(3)) + WhiteKernel()
    models = {
        "TwoLayerRegressor()": TwoLayerRegressor(random_state=0),
        "GaussianProcessRegressor(RBF + noise)": GaussianProcessRegressor(
            kernel, normalize_y=True, random_state=0
        ),
    }
    rows = []
    for n in (60, 300):
        inside = {name: [] for name in models}
        for seed in range(n_repeats):
            rng = np.random.default_rng(seed)
            signal, X = smooth_function(rng), rng.uniform(-1, 1, size=(n, 3))
            y = signal(X) + noise * rng.normal(size=n)
            places = [rng.uniform(-1, 1, size=(1000, 3))]
            places += [on_the_faces(rng, edge) for edge in edges]
            targets = [signal(new) + noise * rng.normal(size=len(new)) for new in places]
            for name, model in models.items():
                fit(model, X, y)
                inside[name].append([coverage(model, *new) for new in zip(places, targets)])
        rows += [[f"{name}, {n} rows", *means(found, 0)] for name, found in inside.items()]
    print_table(
        "90 % intervals outside of the rows",
        ["new targets inside, %", "among the rows", *(f"cube {edge} times" for edge in edges)],
        rows,
    )


def three_targets(seed, n):
    """Noise of 0.1 %, 38 % and 100 % of what is to be learnt, and that without noise."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, size=(n, 3))
    signal = np.c_[
        np.sin(1.5 * X[:, 0]) + 0.5 * X[:, 1],
        X[:, 1] ** 2 - X[:, 2],
        np.cos(X[:, 0] * X[:, 2]) + X[:, 1],
    ]
    return X, signal + signal.std(axis=0) * [0.001, 0.38, 1] * rng.normal(size=(n, 3)), signal


def line_and_its_copy(seed, n):
    """A line of five columns with noise, and a copy of it."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5))
    y = X.sum(axis=1) + rng.normal(size=n)
    return X, np.c_[y, y], np.c_[X.sum(axis=1), X.sum(axis=1)]


def several_targets(n_repeats=20):
    """Coverage and error of each target."""
    ten_units = {"n_hidden": 10, "random_state": 0}
    rows = []
    for label, draw, n, model in (
        ("default", three_targets, 300, TwoLayerRegressor(random_state=0)),
        ("10 units", three_targets, 300, TwoLayerRegressor(**ten_units)),
        ("10 units, alpha=1/n", three_targets, 300, TwoLayerRegressor(alpha=1 / 300, **ten_units)),
        ("default, a line and its copy", line_and_its_copy, 25, TwoLayerRegressor(random_state=0)),
    ):
        inside, errors = [], []
        for seed in range(n_repeats):
            fit(model, *draw(seed, n)[:2])
            X, y, signal = draw(1000 + seed, 500)
            inside.append(coverage(model, X, y))
            squares = ((model.predict(X) - signal) ** 2).mean(axis=0)
            errors.append(100 * np.sqrt(squares) / signal.std(axis=0))
        for target, cells in enumerate(zip(means(inside, 1), means(errors, 1)), start=1):
            rows.append([f"{label}: target {target}", *cells])
    print_table(
        "Several targets",
        ["", "new targets inside of 90 %, %", "RMSE over the deviation of the signal, %"],
        rows,
    )


# Penalties from the rows


def many_rows(n_repeats=3):
    """A penalty from a part of the rows beside a fixed one."""
    n = 30_000
    rows = []
    for label, alpha in (("alpha='auto', from a part", "auto"), ("alpha=1 / 30_000", 1 / n)):
        error, seconds = [], []
        for seed in range(n_repeats):
            X, signal = make_friedman1(n, random_state=seed)
            noise = 0.02 * signal.std() * np.random.default_rng(seed).normal(size=n)
            model, time = fit(TwoLayerRegressor(50, alpha=alpha, random_state=0), X, signal + noise)
            X, signal = make_friedman1(10_000, random_state=1000 + seed)
            error.append(100 * np.sqrt(((model.predict(X) - signal) ** 2).mean()) / signal.std())
            seconds.append(time)
        rows.append([label, *means(error, 2), *means(seconds, 1)])
    header = ["", "RMSE over the deviation of the signal, %", "seconds"]
    print_table("Friedman-1, 30,000 rows, noise of 2 %, 50 units", header, rows)


def friedman(n):
    """Friedman-1 with noise of standard deviation 1."""
    return make_friedman1(n, noise=1.0, random_state=0)


def time_of_a_penalty(n_repeats=3):
    """Fits of one network under each name, and of the default, in times of that with a float."""
    classes = make_classification(2000, 20, n_informative=10, n_classes=3, random_state=0)
    tables = (
        (TwoLayerRegressor, "diabetes", load_diabetes(return_X_y=True)),
        (TwoLayerRegressor, "Friedman-1, 300 rows", friedman(300)),
        (TwoLayerRegressor, "Friedman-1, 1,000 rows", friedman(1000)),
        (TwoLayerRegressor, "Friedman-1, 3,000 rows", friedman(3000)),
        (TwoLayerClassifier, "iris", load_iris(return_X_y=True)),
        (TwoLayerClassifier, "wine", load_wine(return_X_y=True)),
        (TwoLayerClassifier, "breast cancer", load_breast_cancer(return_X_y=True)),
        (TwoLayerClassifier, "two moons, 400 rows", make_moons(400, noise=0.25, random_state=0)),
        (TwoLayerClassifier, "2,000 rows, 20 columns, 3 classes", classes),
    )
    rows = []
    for Estimator, name, (X, y) in tables:
        float_alpha = {"alpha": 1 / len(y), "n_members": 1}
        named = [{"alpha": alpha, "n_members": 1} for alpha in ("evidence", "ard", "auto")]
        base, *found = (
            np.median([fit(Estimator(**given, random_state=0), X, y)[1] for _ in range(n_repeats)])
            for given in (float_alpha, *named, {})
        )
        ratios = (f"{seconds / base:.1f}" for seconds in found)
        rows.append([f"{Estimator.__name__}, {name}", f"{base:.2f}", *ratios])
    print_table(
        "Time of one network, and of the default, in times of that with alpha=1/n",
        ["", "alpha=1/n, s", "evidence", "ard", "auto", "default"],
        rows,
    )


# Rounding


def waves(rng):
    """Draws rows of two classes, parted by three waves across each other."""
    directions = rng.normal(size=(4, 3))

    def draw(n):
        X = rng.normal(size=(n, 4))
        raw = np.sin(X @ directions).sum(axis=1) + 0.3 * rng.normal(size=n)
        return X, raw > 0

    return draw


def rounding(n_tables=64):
    """Fits to rows, and to the same rows times 1 + 1e-12 or so."""
    rows = []
    for tol in (1e-4, 1e-6):
        change, other_penalty = [], 0
        for seed in range(n_tables):
            rng = np.random.default_rng(seed)
            draw = waves(rng)
            X, y = draw((150, 500)[seed % 2])
            new, _ = draw(3000)
            moved = X * (1 + 1e-12 * rng.normal(size=X.shape))
            model, other = (
                fit(TwoLayerClassifier(tol=tol, random_state=0), inputs, y)[0]
                for inputs in (X, moved)
            )
            change.append(abs(model.predict_proba(new) - other.predict_proba(new)).max())
            other_penalty += not np.allclose(model.penalty_, other.penalty_, rtol=1e-3)
        quantiles = (f"{quantile:.2g}" for quantile in np.quantile(change, [0.5, 0.9]))
        rows.append([f"{tol:g}", *quantiles, f"{other_penalty} of {n_tables}"])
    print_table(
        "Inputs of a classifier changed by 1e-12: largest change of 3,000 new probabilities",
        ["tol", "median table", "nine of ten tables at most", "another penalty"],
        rows,
    )


def single_precision():
    """R^2 of training rows in float32, whose columns have means of many standard deviations."""
    rows = []
    for mean in (0, 1e5, 1e6):
        X, y = make_friedman1(1000, random_state=0)
        shifted = ((X - X.mean(axis=0)) / X.std(axis=0) + mean).astype(np.float32)
        model, _ = fit(TwoLayerRegressor(20, alpha=1e-4, random_state=0), shifted, y)
        rows.append([f"{mean:g}", f"{model.score(shifted, y):.4f}"])
    print_table(
        "float32",
        ["mean of the columns over their standard deviation", "R^2 of the training rows"],
        rows,
    )


def main():
    parser = argument_parser(__doc__)
    arguments = parser.parse_args()
    print(environment())
    outside_of_the_rows()
    several_targets()
    many_rows()
    time_of_a_penalty()
    rounding()
    single_precision()
    save_tables(arguments.save)


if __name__ == "__main__":
    main()
