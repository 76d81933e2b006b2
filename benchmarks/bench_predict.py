"""Prediction of 1, 1,000 and 1,000,000 rows: this package and its peers.

    python benchmarks/bench_predict.py [--quick] [--main] [--without PEER]

The two estimators validate their input, which is most of the time for one row:
the last column is what ours takes beyond scikit-learn's ``validate_data``.
"""

import warnings
from functools import partial

import numpy as np
from _report import print_table, save_tables
from _side_by_side import (
    arguments,
    contender,
    format_ratio,
    format_time,
    installed,
    installed_peers,
    print_header,
    time_rounds,
)
from bench_gradient import Problem, jax_problem, scikit_learn_model, torch_model
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import validate_data

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor


def estimators(problem):
    """Ours and scikit-learn's, both with the weights of the problem."""
    kind = TwoLayerClassifier if problem.n_classes else TwoLayerRegressor
    few = slice(500)
    y = problem.y[few] if problem.n_classes else problem.y[few, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ours = kind(problem.n_hidden, solver="lbfgs", max_iter=1).fit(problem.X[few], y)
        peer = scikit_learn_model(problem, max_iter=1).fit(problem.X[few], y)
    W1, b1, W2, b2 = problem.weights
    for model in (ours, peer):
        model.coefs_, model.intercepts_ = [W1, W2], [b1, b2]
    return ours, peer


def pytorch(problem, n_rows):
    """The module under ``inference_mode``."""
    import torch

    model, _, X, _ = torch_model(problem)
    X = X[:n_rows]

    def predict():
        with torch.inference_mode():
            return model(X).numpy()

    return predict


def jax_jit(problem, n_rows):
    """A jitted forward pass."""
    import jax

    _, (W1, b1, W2, b2), X, _ = jax_problem(problem)
    forward = jax.jit(lambda X: jax.nn.sigmoid(X @ W1 + b1) @ W2 + b2)
    X = X[:n_rows]
    return lambda: jax.block_until_ready(forward(X))


def compare(problem, n_rows, n_rounds, without):
    """A row of the table."""
    ours, peer = estimators(problem)
    X = problem.X[:n_rows]
    name = "predict_proba" if problem.n_classes else "predict"
    functions = {
        "ours": lambda: getattr(ours, name)(X),
        "scikit-learn": lambda: getattr(peer, name)(X),
        "validation": lambda: validate_data(
            ours, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=False
        ),
    }
    makers = {
        "PyTorch": partial(pytorch, problem, n_rows),
        "JAX": partial(jax_jit, problem, n_rows),
    }
    others = installed(makers, without)
    tolerance = 1e-4 if problem.dtype is np.float32 else 1e-9
    expected = functions["ours"]()
    np.testing.assert_allclose(
        functions["scikit-learn"](), expected, rtol=tolerance, atol=tolerance
    )
    if not problem.n_classes:
        for function in others.values():
            found = np.asarray(function())[:, 0]
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    contenders = {other: contender(function) for other, function in (functions | others).items()}
    seconds = time_rounds(contenders, n_rounds)
    return [
        f"{problem}, {name} {n_rows:,}",
        format_time(np.median(seconds["ours"])),
        *(format_ratio(seconds, other, "ours") for other in ("scikit-learn", *makers)),
        format_time(np.median(seconds["ours"] - seconds["validation"])),
    ]


def cases(quick, is_main):
    """Problems and numbers of rows."""
    n = 100_000 if quick else 1_000_000
    if is_main:
        yield Problem(n, 20, 100, 1, 0, np.float32), n
        return
    for dtype in (np.float32, np.float64):
        for n_rows in (1, 1000, n):
            yield Problem(n, 20, 100, 1, 0, dtype), n_rows
        yield Problem(n, 20, 100, 1, 2, dtype), n
        yield Problem(n, 20, 10, 1, 0, dtype), n
        yield Problem(n // 10, 20, 1000, 1, 0, dtype), n // 10
        yield Problem(n // 10, 784, 100, 1, 0, dtype), n // 10


def main():
    """Print the table."""
    options = arguments(__doc__)
    print_header("Prediction")
    print("Peers: times slower than ours, median over interleaved rounds (quartiles).\n")
    header = ("problem", "ours", "scikit-learn", "PyTorch", "JAX jit", "ours less validation")
    n_rounds = 5 if options.quick else 11
    sizes = cases(options.quick, options.main)
    print_table("Prediction", header, [compare(*case, n_rounds, options.without) for case in sizes])
    save_tables(options.save, *installed_peers())


if __name__ == "__main__":
    main()
