"""Full-batch loss and gradient: this package, scikit-learn's MLP, PyTorch and JAX.

    python benchmarks/bench_gradient.py [--quick] [--main] [--without PEER]

The same network (logistic hidden layer, no penalty), the same standardised rows
and weights; all results are compared before the clock starts. Ours also centres
and scales the rows, as ``fit`` does.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from _report import print_table, save_tables
from _side_by_side import (
    Hardware,
    arguments,
    contender,
    format_ratio,
    format_time,
    installed,
    installed_peers,
    print_header,
    time_rounds,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import LabelBinarizer

from sklearn_twolayer._data.rows import Rows, block_size
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.losses import BinaryLogLoss, MulticlassLogLoss, SquaredError
from sklearn_twolayer._network.objective import MeanLoss, PenalisedLoss, Penalty
from sklearn_twolayer._network.scale import Standardization


@dataclass
class Problem:
    """Rows, targets and weights of one size; ``n_classes`` 0 is a regression."""

    n_rows: int
    n_features: int
    n_hidden: int
    n_outputs: int
    n_classes: int
    dtype: type

    def __post_init__(self):
        random_state = np.random.RandomState(0)
        f, h, k = self.n_features, self.n_hidden, self.n_outputs
        X = random_state.normal(size=(self.n_rows, f))
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        self.X = X.astype(self.dtype)
        if self.n_classes:
            self.y = random_state.randint(self.n_classes, size=self.n_rows)
        else:
            self.y = random_state.normal(size=(self.n_rows, k)).astype(self.dtype)
        shapes = ((f, h), (h,), (h, k), (k,))
        scales = (f**-0.5, 1, h**-0.5, 1)
        self.weights = [
            random_state.normal(scale=scale, size=shape).astype(self.dtype)
            for scale, shape in zip(scales, shapes)
        ]

    @property
    def n_multiply_adds(self):
        """Of the matrix products of backprop; one output needs no delta W2'."""
        width = 2 * self.n_features + (2 if self.n_outputs == 1 else 3) * self.n_outputs
        return self.n_rows * self.n_hidden * width

    def __str__(self):
        kind = f"{self.n_classes} classes" if self.n_classes else f"k={self.n_outputs}"
        return (
            f"{np.dtype(self.dtype).name} n={self.n_rows:,} f={self.n_features} "
            f"h={self.n_hidden} {kind}"
        )


def our_objective(problem):
    """The objective that ``fit`` minimises, and the flat weights; its rows are not yet open."""
    network = TwoLayerNetwork(
        problem.n_features, problem.n_hidden, problem.n_outputs, activation="logistic"
    )
    loss = SquaredError()
    y = problem.y
    if problem.n_classes:
        loss = BinaryLogLoss() if problem.n_outputs == 1 else MulticlassLogLoss()
        y = y[:, None].astype(problem.dtype) if problem.n_outputs == 1 else y
    W1, b1, W2, b2 = problem.weights
    width = max(problem.n_hidden, problem.n_features + 1, problem.n_outputs)
    rows = Rows(
        problem.X,
        y,
        None,
        standardization=Standardization.none(problem.n_features, problem.n_outputs),
        dtype=problem.dtype,
        block_size=block_size(width, problem.dtype),
    )
    objective = PenalisedLoss(MeanLoss(network, loss, rows), Penalty.fixed(network, 0.0))
    return objective, network.pack([W1, W2], [b1, b2], np.float64)


def ours(problem):
    """The evaluation that L-BFGS asks for."""
    objective, params = our_objective(problem)
    mean_loss = objective.mean_loss

    def loss_and_gradient():
        value, gradient = objective.value_and_gradient(params)
        return value, mean_loss.network.unpack(gradient)

    @contextmanager
    def turn():
        with mean_loss.rows:
            yield loss_and_gradient

    return turn


def scikit_learn_model(problem, **parameters):
    """An MLPRegressor or MLPClassifier of this size, without a penalty."""
    kind = MLPClassifier if problem.n_classes else MLPRegressor
    units = (problem.n_hidden,)
    return kind(hidden_layer_sizes=units, activation="logistic", alpha=0, **parameters)


def scikit_learn(problem):
    """Its own ``_backprop``, over buffers prepared as its L-BFGS prepares them."""
    mlp = scikit_learn_model(problem)
    y = LabelBinarizer().fit_transform(problem.y) if problem.n_classes else problem.y
    units = [problem.n_features, problem.n_hidden, problem.n_outputs]
    mlp._random_state = np.random.RandomState(0)
    mlp._label_binarizer = LabelBinarizer().fit(problem.y) if problem.n_classes else None
    mlp._initialize(y, units, np.dtype(problem.dtype))
    W1, b1, W2, b2 = problem.weights
    mlp.coefs_, mlp.intercepts_ = [W1, W2], [b1, b2]
    activations, deltas = [problem.X, None, None], [None, None]
    gradients = [np.empty_like(W1), np.empty_like(W2)], [np.empty_like(b1), np.empty_like(b2)]
    factor = 1 if problem.n_classes else 2  # its loss is half of ours ...
    share = factor if problem.n_classes else factor / problem.n_outputs  # ... divided by k

    def loss_and_gradient():
        value, coefs, intercepts = mlp._backprop(
            problem.X, y, None, activations, deltas, *gradients
        )
        return factor * value, (coefs[0], intercepts[0], coefs[1], intercepts[1])

    def in_our_units():
        value, parts = loss_and_gradient()
        return value, [share * part for part in parts]

    return loss_and_gradient, in_our_units


def torch_model(problem):
    """An ``nn.Sequential``, its mean loss, and the rows as tensors."""
    import torch

    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)
    model = torch.nn.Sequential(
        torch.nn.Linear(problem.n_features, problem.n_hidden),
        torch.nn.Sigmoid(),
        torch.nn.Linear(problem.n_hidden, problem.n_outputs),
    ).to(X.dtype)
    with torch.no_grad():
        for parameter, weight in zip(model.parameters(), problem.weights):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(weight.T)))
    if not problem.n_classes:
        return model, torch.nn.MSELoss(), X, y
    if problem.n_outputs == 1:
        return model, torch.nn.BCEWithLogitsLoss(), X, y[:, None].to(X.dtype)
    return model, torch.nn.CrossEntropyLoss(), X, y


def pytorch(problem, compiled):
    """``backward``; gradients are set to None, not to zero."""
    import torch

    model, mean_loss, X, y = torch_model(problem)

    def forward(X, y):
        return mean_loss(model(X), y)

    if compiled:
        torch.compiler.reset()  # shapes of the last problem must not make these dynamic
        forward = torch.compile(forward)

    def loss_and_gradient():
        model.zero_grad(set_to_none=True)
        loss = forward(X, y)
        loss.backward()
        return loss.item(), [parameter.grad.numpy().T for parameter in model.parameters()]

    return loss_and_gradient


def jax_problem(problem):
    """The mean loss as a function of (weights, X, y), and these as arrays."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    X, y = jnp.asarray(problem.X), jnp.asarray(problem.y)
    weights = [jnp.asarray(weight) for weight in problem.weights]

    def loss(weights, X, y):
        W1, b1, W2, b2 = weights
        Z2 = jax.nn.sigmoid(X @ W1 + b1) @ W2 + b2
        if not problem.n_classes:
            return jnp.mean((Z2 - y) ** 2)
        if problem.n_outputs == 1:
            return jnp.mean(jnp.logaddexp(0, Z2[:, 0]) - y * Z2[:, 0])
        log_probability = jax.nn.log_softmax(Z2)
        return -jnp.mean(jnp.take_along_axis(log_probability, y[:, None], axis=1))

    return loss, weights, X, y


def jax_jit(problem):
    """``jit(value_and_grad(loss))``."""
    import jax

    loss, *arguments = jax_problem(problem)
    function = jax.jit(jax.value_and_grad(loss))
    return lambda: jax.block_until_ready(function(*arguments))


def check_equal(problem, functions):
    """All contenders compute the same loss and gradient."""
    rtol = 2e-3 if problem.dtype is np.float32 else 1e-8
    results = {name: function() for name, function in functions.items()}
    value, gradient = results.pop("ours")
    scale = max(np.abs(part).max() for part in gradient)
    for name, (other_value, other_gradient) in results.items():
        np.testing.assert_allclose(float(other_value), value, rtol=rtol, err_msg=name)
        for part, other in zip(gradient, other_gradient):
            np.testing.assert_allclose(
                np.asarray(other), part, rtol=rtol, atol=rtol * scale, err_msg=name
            )


def compare(problem, n_rounds, without):
    """A row of the table: our time, peers' times as multiples of it, share of the limit."""
    plain, in_our_units = scikit_learn(problem)
    makers = {
        "scikit-learn": lambda: plain,
        "PyTorch": partial(pytorch, problem, compiled=False),
        "torch.compile": partial(pytorch, problem, compiled=True),
        "JAX": partial(jax_jit, problem),
    }
    peers = installed(makers, without)
    turn = ours(problem)
    with turn() as our_function:
        check_equal(problem, {"ours": our_function, **peers, "scikit-learn": in_our_units})
    hardware = Hardware(problem.dtype)
    contenders = {name: contender(function) for name, function in peers.items()}
    contenders |= {"ours": turn, **hardware.contenders()}
    seconds = time_rounds(contenders, n_rounds)
    seconds["limit"] = hardware.limit(
        seconds, problem.n_multiply_adds, problem.n_rows * problem.n_hidden
    )
    return [
        str(problem),
        format_time(np.median(seconds["ours"])),
        *(format_ratio(seconds, name, "ours") for name in makers),
        f"{100 * np.median(seconds['limit'] / seconds['ours']):.0f} %",
    ]


def problems(quick, is_main):
    """The main size in both precisions, then one change at a time."""
    n = 20_000 if quick else 100_000
    if is_main:
        yield Problem(n, 20, 100, 1, 0, np.float32)
        return
    for dtype in (np.float32, np.float64):
        yield Problem(n, 20, 100, 1, 0, dtype)
        yield Problem(n, 20, 100, 10, 0, dtype)
        yield Problem(n, 20, 10, 1, 0, dtype)
        yield Problem(n // 10, 20, 1000, 1, 0, dtype)
        yield Problem(n // 10, 784, 100, 1, 0, dtype)
        yield Problem(n, 20, 100, 1, 2, dtype)
        yield Problem(n, 20, 100, 10, 10, dtype)


def main():
    """Print the table."""
    options = arguments(__doc__)
    print_header("Full-batch loss and gradient")
    print("Peers: times slower than ours, median over interleaved rounds (quartiles).\n")
    header = ("problem", "ours", "scikit-learn", "PyTorch", "torch.compile", "JAX jit")
    n_rounds = 5 if options.quick else 15
    sizes = problems(options.quick, options.main)
    rows = (compare(problem, n_rounds, options.without) for problem in sizes)
    print_table("Full-batch loss and gradient", (*header, "of the limit"), rows)
    save_tables(options.save, *installed_peers())


if __name__ == "__main__":
    main()
