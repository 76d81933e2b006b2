"""Moderated against plain probabilities: the log loss of new rows.

    python benchmarks/bench_moderation.py [--save FILE]

A row for each set and penalty: means over splits, the largest loss and the largest gain of
moderation on one split, and the temperatures that were chosen.
"""

import warnings
from collections import Counter

import numpy as np
from _report import argument_parser, print_table, save_tables
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_blobs,
    make_moons,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklearn_twolayer import TwoLayerClassifier

N_SPLITS = 8


def blobs(seed):
    """Four classes that overlap."""
    return make_blobs(300, centers=4, n_features=5, cluster_std=4, random_state=seed)


def moons(seed):
    """Two classes that overlap."""
    return make_moons(400, noise=0.25, random_state=seed)


def table(load, n_features=None):
    """A set of scikit-learn, whatever the seed."""

    def rows(seed):
        X, y = load(return_X_y=True)
        return X[:600, :n_features], y[:600]

    return rows


#: Name -> rows of a seed, number of training rows.
SETS = {
    "moons, 40 rows": (moons, 40),
    "moons, 100 rows": (moons, 100),
    "blobs": (blobs, 100),
    "iris": (table(load_iris), 90),
    "iris sepals": (table(load_iris, 2), 90),
    "wine": (table(load_wine), 107),
    "breast cancer": (table(load_breast_cancer), 150),
    "digits": (table(load_digits), 150),
}


def losses_of_split(name, alpha, seed):
    """Log loss of the plain and of the moderated probabilities, and the temperature."""
    rows, n_train = SETS[name]
    X, y = rows(seed)
    X, X_new, y, y_new = train_test_split(X, y, train_size=n_train, random_state=seed, stratify=y)
    model = TwoLayerClassifier(alpha=alpha, random_state=0).fit(X, y)
    plain, moderated = (
        log_loss(y_new, model.predict_proba(X_new, moderated=m), labels=model.classes_)
        for m in (False, True)
    )
    return plain, moderated, model._learned_.posteriors[0].temperature


def row(name, label, alpha):
    """A row of the table."""
    found = [losses_of_split(name, alpha, seed) for seed in range(N_SPLITS)]
    plain, moderated, temperatures = np.transpose(found)
    change = moderated - plain
    counts = ", ".join(f"{t:g}: {n}" for t, n in sorted(Counter(temperatures).items()))
    means = f"{plain.mean():.3f}", f"{moderated.mean():.3f}"
    return name, label, *means, f"{change.max():+.3f}", f"{change.min():+.3f}", counts


def main():
    """Print the table."""
    options = argument_parser(__doc__).parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    header = ("set", "alpha", "plain", "moderated", "worst split", "best split", "temperatures")
    rows = [
        row(name, label, alpha)
        for name, (_, n_train) in SETS.items()
        for label, alpha in (("auto", "auto"), ("0.01 / n", 0.01 / n_train))
    ]
    print_table("Log loss of new rows, plain and moderated", header, rows)
    save_tables(options.save)


if __name__ == "__main__":
    main()
