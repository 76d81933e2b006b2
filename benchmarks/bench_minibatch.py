"""Adam on mini-batches of 200 rows: this package, scikit-learn's MLP, PyTorch and JAX.

    python benchmarks/bench_minibatch.py [--quick] [--main] [--without PEER]

One epoch over shuffled rows, divided by its number of steps; the hidden layer is
logistic, the data term the mean squared error or the log loss, without a penalty.
Ours also keeps the moving average of the weights that ``fit`` publishes.
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
from bench_gradient import Problem, our_objective, scikit_learn_model, torch_model

from sklearn_twolayer._optimize.stochastic import (
    Batches,
    Schedule,
    StochasticState,
    adam,
    train_epoch,
)

BATCH_SIZE = 200
LEARNING_RATE = 1e-3


@dataclass
class GivenOrder:
    """In the place of a random state: the rows in this order."""

    order: np.ndarray

    def permutation(self, n_rows):
        """The order of the rows."""
        return self.order


def ours(problem):
    """The epochs that ``fit`` runs."""
    objective, params = our_objective(problem)
    rows, network = objective.mean_loss.rows, objective.mean_loss.network
    random_state = np.random.RandomState(0)
    state = StochasticState(params.astype(problem.dtype), params.astype(problem.dtype))
    options = Schedule(LEARNING_RATE, "constant", max_iter=1, tol=0, n_iter_no_change=1)

    def epoch(permutation=None):
        nonlocal state
        order = random_state if permutation is None else GivenOrder(permutation)
        batches = Batches(rows, BATCH_SIZE, order)
        how = {"rule": adam, "batches": batches, "options": options, "pace": 0}
        state = train_epoch(objective, state, **how)
        return network.unpack(state.params)

    @contextmanager
    def turn():
        with rows:
            yield epoch

    return turn


def scikit_learn(problem):
    """``partial_fit``, which is one epoch of scikit-learn's own loop."""
    mlp = scikit_learn_model(problem, solver="adam", batch_size=BATCH_SIZE, shuffle=True)
    y = problem.y if problem.n_outputs > 1 or problem.n_classes else problem.y.ravel()
    classes = {"classes": np.unique(y)} if problem.n_classes else {}
    mlp.partial_fit(problem.X, y, **classes)
    return lambda: mlp.partial_fit(problem.X, y)


def pytorch(problem, compiled):
    """``torch.optim.Adam(fused=True)`` over shuffled rows in memory."""
    import torch

    model, mean_loss, X, y = torch_model(problem)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)

    def forward(X, y):
        return mean_loss(model(X), y)

    if compiled:
        torch.compiler.reset()
        forward = torch.compile(forward)

    def epoch(permutation=None):
        if permutation is None:
            permutation = torch.randperm(len(X))
        for index in torch.as_tensor(permutation).split(BATCH_SIZE):
            optimizer.zero_grad(set_to_none=True)
            forward(X[index], y[index]).backward()
            optimizer.step()
        return [parameter.detach().numpy().T for parameter in model.parameters()]

    return epoch


def jax_scan(problem):
    """Shuffle, Adam and all steps of the epoch in one jitted ``lax.scan``."""
    import jax
    import jax.numpy as jnp
    from bench_gradient import jax_problem

    loss, weights, X, y = jax_problem(problem)
    gradient = jax.grad(loss)
    map_all = jax.tree_util.tree_map

    def step(state, batch):
        weights, m, v, t = state
        dw = gradient(weights, *batch)
        t = t + 1
        m = map_all(lambda m, g: 0.9 * m + 0.1 * g, m, dw)
        v = map_all(lambda v, g: 0.999 * v + 0.001 * g * g, v, dw)
        rate = LEARNING_RATE / (1 - 0.9**t)
        root = jnp.sqrt(1 - 0.999**t)
        weights = map_all(lambda w, m, v: w - rate * m / (jnp.sqrt(v) / root + 1e-8), weights, m, v)
        return (weights, m, v, t), None

    def run(state, X, y, permutation):
        batches = [A[permutation].reshape(-1, BATCH_SIZE, *A.shape[1:]) for A in (X, y)]
        return jax.lax.scan(step, state, tuple(batches))[0]

    run = jax.jit(run)
    zeros = [jnp.zeros_like(weight) for weight in weights]
    state = (weights, zeros, zeros, jnp.zeros((), problem.dtype))
    shuffle = jax.jit(lambda key: jax.random.permutation(key, problem.n_rows))
    key = jax.random.PRNGKey(0)

    def epoch(permutation=None):
        nonlocal state, key
        if permutation is None:
            key, part = jax.random.split(key)
            permutation = shuffle(part)
        state = jax.block_until_ready(run(state, X, y, permutation))
        return [np.asarray(weight) for weight in state[0]]

    return epoch


def check_equal(problem, epochs):
    """After an epoch over the same batches, all have the same weights."""
    permutation = np.random.RandomState(1).permutation(problem.n_rows)
    results = {name: epoch(permutation) for name, epoch in epochs.items()}
    expected = results.pop("ours")
    tolerance = 1e-2 if problem.dtype is np.float32 else 1e-6
    for name, weights in results.items():
        for found, weight in zip(weights, expected):
            np.testing.assert_allclose(
                found, weight, rtol=tolerance, atol=tolerance * np.abs(weight).max(), err_msg=name
            )


def compare(problem, n_rounds, without):
    """A row of the table: time of a step, peers as multiples of it, share of the limit."""
    makers = {
        "PyTorch": partial(pytorch, problem, compiled=False),
        "torch.compile": partial(pytorch, problem, compiled=True),
        "JAX scan": partial(jax_scan, problem),
    }
    checkable = installed(makers, without)
    turn = ours(problem)
    with turn() as epoch:
        check_equal(problem, {"ours": epoch, **checkable})
    peers = {"scikit-learn": scikit_learn(problem), **checkable}
    hardware = Hardware(problem.dtype)
    contenders = {name: contender(function) for name, function in peers.items()}
    contenders |= {"ours": turn, **hardware.contenders()}
    seconds = time_rounds(contenders, n_rounds)
    seconds["limit"] = hardware.limit(
        seconds, problem.n_multiply_adds, problem.n_rows * problem.n_hidden
    )
    n_steps = -(-problem.n_rows // BATCH_SIZE)
    return [
        str(problem),
        format_time(np.median(seconds["ours"]) / n_steps),
        *(format_ratio(seconds, name, "ours") for name in ("scikit-learn", *makers)),
        f"{100 * np.median(seconds['limit'] / seconds['ours']):.0f} %",
    ]


def problems(quick, is_main):
    """The main size in both precisions, then one change at a time."""
    n = 4_000 if quick else 20_000
    if is_main:
        yield Problem(n, 20, 100, 1, 0, np.float32)
        return
    for dtype in (np.float32, np.float64):
        yield Problem(n, 20, 100, 1, 0, dtype)
        yield Problem(n, 20, 100, 10, 0, dtype)
        yield Problem(n, 20, 10, 1, 0, dtype)
        yield Problem(n, 20, 1000, 1, 0, dtype)
        yield Problem(n, 784, 100, 1, 0, dtype)
        yield Problem(n, 20, 100, 1, 2, dtype)
        yield Problem(n, 20, 100, 10, 10, dtype)


def main():
    """Print the table."""
    options = arguments(__doc__)
    print_header(f"Adam step, batch {BATCH_SIZE}")
    print("Peers: times slower than ours, median over interleaved rounds (quartiles).\n")
    header = ("problem", "ours", "scikit-learn", "PyTorch", "torch.compile", "JAX scan")
    n_rounds = 5 if options.quick else 11
    sizes = problems(options.quick, options.main)
    rows = (compare(problem, n_rounds, options.without) for problem in sizes)
    print_table("Adam, a step of 200 rows", (*header, "of the limit"), rows)
    save_tables(options.save, *installed_peers())


if __name__ == "__main__":
    main()
