"""Loaders of the benchmark folder: data sets, their published splits and published results.

The folder holds, for each set NAME,

    uci_regression/NAME.npz        X, y, test_index (n_splits, n_test); the other rows train
    uci_classification/NAME.npz    X, y, train_index, test_index (n_splits, ...)
    curves/NAME.npz                X, y; no split, the training error is reported

and the published results in published_uci_regression.csv,
published_uci_classification.csv and published_curves.csv.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

#: Methods whose name or note says that they have more than one hidden layer.
SEVERAL_HIDDEN_LAYERS = re.compile(r"\b([2-9]|two|three|four) hidden\b", re.IGNORECASE)
#: Methods whose note says that they were measured on splits of their own.
OWN_SPLITS = re.compile(r"\bown\b.*\bsplits\b", re.IGNORECASE)


@dataclass(frozen=True)
class DataSet:
    """One data set; ``splits`` is a list of (training rows, test rows)."""

    name: str
    X: np.ndarray
    y: np.ndarray
    splits: list


def regression_sets(folder, names=None):
    """The UCI regression sets: train on the rows outside test_index[i], test on those in it."""
    for name, arrays in _arrays(folder, "uci_regression", names):
        rows = np.arange(len(arrays["y"]))
        splits = [(np.setdiff1d(rows, test), test) for test in arrays["test_index"]]
        yield DataSet(name, arrays["X"], arrays["y"], splits)


def classification_sets(folder, names=None):
    """The UCI classification sets; rows in neither index are unused."""
    for name, arrays in _arrays(folder, "uci_classification", names):
        splits = list(zip(arrays["train_index"], arrays["test_index"]))
        yield DataSet(name, arrays["X"], arrays["y"], splits)


def half(sets, name):
    """Every second set by the number of its training rows: those that defaults were "chosen" on,
    beginning with the smallest, or those of the "confirmation".
    """
    by_size = sorted(sets, key=lambda data: (len(data.splits[0][0]), data.name))
    return by_size[0 if name == "chosen" else 1 :: 2]


def curve_sets(folder, names=None):
    """The curve-fitting sets: the whole set is fitted."""
    for name, arrays in _arrays(folder, "curves", names):
        yield DataSet(name, arrays["X"], arrays["y"], [])


def published_regression(folder):
    """Published (method, metric) results of networks with one hidden layer.

    Returns
    -------
    list of dict
        With dataset, method, metric ("rmse" or "ll"), mean, stderr (or None),
        decimals (printed with), note, and ``comparable``: whether the figures
        are of the published splits. Left out are rows quoted from memory, the
        linear baseline, and networks with several hidden layers.
    """
    rows = _csv(folder, "published_uci_regression.csv")
    own = {row["method"] for row in rows if OWN_SPLITS.search(row["note"])}
    kept = []
    for row in rows:
        text = f"{row['method']} {row['note']}"
        if row["verbatim"] != "yes" or SEVERAL_HIDDEN_LAYERS.search(text):
            continue
        number = {
            "mean": float(row["mean"]),
            "stderr": float(row["stderr"]) if row["stderr"] else None,
            # Trailing zeros are lost in the file; no source prints fewer than two.
            "decimals": max(2, len(row["mean"].partition(".")[2])),
        }
        kept.append(row | number | {"comparable": row["method"] not in own})
    return kept


def published_classification(folder):
    """Published accuracies in per cent: {method: {set: accuracy}}.

    The entry "max" is the best of all 179 classifiers of the study on each set.
    """
    accuracy = {}
    for row in _csv(folder, "published_uci_classification.csv"):
        accuracy.setdefault(row["method"], {})[row["dataset"]] = float(row["mean"])
    return accuracy


def published_curves(folder):
    """Published results of one-hidden-layer fits: {set: list of dict}.

    Each dict has method, hidden (units), min and median (training RMSE over
    starts; None where missing) and seconds (mean).
    """
    results = {}
    for row in _csv(folder, "published_curves.csv"):
        hidden, p = int(row["hidden"]), int(row["p"])
        if int(row["n_params"]) != (p + 1) * hidden + hidden + 1:
            raise ValueError(f"{row['dataset']}: not a network with one hidden layer: {row}")
        result = {
            "method": row["package::algorithm"],
            "hidden": hidden,
            "min": _number(row["train_rmse_min"]),
            "median": _number(row["train_rmse_median"]),
            "seconds": _number(row["time_mean_s"]),
        }
        results.setdefault(row["dataset"], []).append(result)
    return results


def _arrays(folder, kind, names):
    """(name, arrays) of each set of a kind, or of those with the given names, in that order."""
    paths = {path.stem: path for path in sorted(Path(folder, kind).glob("*.npz"))}
    for name in paths if names is None else names:
        if name not in paths:
            raise SystemExit(f"There is no set {name!r} in {kind}; there are {', '.join(paths)}.")
        with np.load(paths[name]) as arrays:
            yield name, dict(arrays)


def _csv(folder, name):
    with open(Path(folder, name), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _number(text):
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
