"""Train both estimators on real data, compare them, and draw their loss curves.

Run it with ``python docs/examples/quickstart.py``. It takes about a minute on
two cores, prints a table for each data set, and saves ``loss_curves.png`` in the
current folder. The data come with scikit-learn; nothing is downloaded.
"""

import time
import warnings

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_validate
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor


def scaled(model):
    """Standardised inputs, then the model: ours need no scaler, as they have one inside."""
    return make_pipeline(StandardScaler(), model)


# Each model, and the penalties among which the grid search chooses. The MLPs get more than
# their 200 epochs, so that they converge, and MLPRegressor the scaled target that it needs.
REGRESSORS = [
    ("Ridge", scaled(Ridge()), {"ridge__alpha": [1, 10, 100]}),
    (
        "MLPRegressor",
        TransformedTargetRegressor(
            scaled(MLPRegressor(max_iter=2000, random_state=0)), transformer=StandardScaler()
        ),
        {"regressor__mlpregressor__alpha": [1, 3, 10]},
    ),
    ("TwoLayerRegressor", TwoLayerRegressor(random_state=0), {"alpha": [0.003, 0.01, 0.03]}),
]
CLASSIFIERS = [
    (
        "LogisticRegression",
        scaled(LogisticRegression(max_iter=1000)),
        {"logisticregression__C": [0.1, 1, 10]},
    ),
    (
        "MLPClassifier",
        scaled(MLPClassifier(max_iter=1000, random_state=0)),
        {"mlpclassifier__alpha": [0.0001, 0.01, 1]},
    ),
    ("TwoLayerClassifier", TwoLayerClassifier(random_state=0), {"alpha": [0.0003, 0.001, 0.003]}),
]
N_FOLDS = 3
# Heading of the table -> scorer of scikit-learn, and the sign to print it with.
R2 = {"R^2": ("r2", 1)}
ACCURACY_AND_LOG_LOSS = {"accuracy": ("accuracy", 1), "log loss": ("neg_log_loss", -1)}

# Solver -> colour of its loss curve, distinct for colour-blind readers too.
SOLVERS = {
    "gd": "#7F7F7F",
    "sgd": "#E69F00",
    "adam": "#009E73",
    "lbfgs": "#0072B2",
    "lm": "#D55E00",
}


def compare(title, models, X, y, folds, metrics):
    """Print cross-validated scores of the models, with the default and the chosen penalty.

    The grid search, within the training rows, chooses by the last metric.
    """
    print(f"\n{title}: {X.shape[0]} rows, {X.shape[1]} columns, {folds.n_splits} folds")
    print(f"{'':26}" + "".join(f"{name:>18}" for name in metrics) + f"{'seconds':>10}")
    scorers = {name: scorer for name, (scorer, _) in metrics.items()}
    for name, model, grid in models:
        penalty = next(iter(grid)).rpartition("__")[2]
        search = GridSearchCV(model, grid, cv=3, scoring=list(scorers.values())[-1])
        for label, estimator in (name, model), (f"  {penalty} by grid search", search):
            result = cross_validate(estimator, X, y, cv=folds, scoring=scorers, n_jobs=2)
            line = f"{label:26}"
            for metric, (_, sign) in metrics.items():
                scores = sign * result[f"test_{metric}"]
                error = scores.std(ddof=1) / np.sqrt(len(scores))
                line += f"{scores.mean():10.3f} ± {error:.3f}"
            print(f"{line}{result['fit_time'].mean():10.2f}", flush=True)


def loss_curve(estimator, X, y):
    """The objective after each iteration, whether the solver converged or not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y).loss_curve_


def draw_loss_curves(path):
    """Save a picture of the objective under each solver, all from the same start."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print('\nNo picture: matplotlib is missing. Install it with pip install ".[plot]".')
        return
    panels = [
        ("TwoLayerRegressor on diabetes", TwoLayerRegressor, load_diabetes),
        ("TwoLayerClassifier on breast cancer", TwoLayerClassifier, load_breast_cancer),
    ]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, (title, estimator, load) in zip(figure.subplots(1, 2), panels):
        X, y = load(return_X_y=True)
        for solver, color in SOLVERS.items():
            model = estimator(solver=solver, alpha=0.01, max_iter=1000, random_state=0)
            curve = loss_curve(model, X, y)
            axes.plot(range(1, len(curve) + 1), curve, color=color, lw=2, label=solver)
            axes.plot(len(curve), curve[-1], "o", color=color, ms=5)
        axes.set_title(title, loc="left", fontsize=11)
        axes.set(xscale="log", xlim=(0.9, 1200), ylim=0)
        axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
        axes.set_xlabel("iteration (sgd and adam: epoch)")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="0.9", lw=0.8)
        axes.set_axisbelow(True)
    figure.axes[0].set_ylabel("objective $F$")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right center")
    figure.savefig(path, dpi=200)
    print(f"\nSaved {path}: the objective under each solver, all from the same start.")


def main():
    """Compare the models on three data sets, then draw the loss curves."""
    start = time.perf_counter()
    print("Cross-validation: mean ± standard error over the folds, and seconds for each fit.")
    folds = KFold(N_FOLDS, shuffle=True, random_state=0)
    compare("Diabetes", REGRESSORS, *load_diabetes(return_X_y=True), folds, R2)
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=0)
    for title, load in (("Breast cancer", load_breast_cancer), ("Digits", load_digits)):
        compare(title, CLASSIFIERS, *load(return_X_y=True), folds, ACCURACY_AND_LOG_LOSS)
    draw_loss_curves("loss_curves.png")
    print(f"Done in {time.perf_counter() - start:.0f} seconds.")


if __name__ == "__main__":
    main()
