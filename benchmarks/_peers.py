"""Other ways to train the same tanh network, each stopped at a loss or a time limit.

Each peer is a function ``peer(X, y, hidden, seed, target, limit)`` of standardised
X (n, f) and y (n,) that minimises the mean squared error without a penalty and
returns (seconds, MSE): the time to the target, or the time used and the least
MSE seen.
"""

from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from time import perf_counter

import numpy as np
from _report import no_convergence_warnings
from scipy.optimize import least_squares
from sklearn.neural_network import MLPRegressor


class Stop(Exception):
    """The target is reached or the time is up."""


class Stopwatch:
    """Shown every loss, it keeps the least and stops the search."""

    def __init__(self, target, limit):
        self._target, self._limit = target, limit
        self._start = perf_counter()
        self.least, self.seconds = np.inf, 0.0

    def see(self, loss):
        self.seconds = perf_counter() - self._start
        self.least = min(self.least, float(loss))
        if self.least <= self._target or self.seconds > self._limit:
            raise Stop


def until_stopped(search, target, limit):
    """Run ``search(watch)`` until it ends or the watch stops it; (seconds, least MSE)."""
    watch = Stopwatch(target, limit)
    with suppress(Stop):
        search(watch)
    return watch.seconds, watch.least


def sklearn_stochastic(X, y, hidden, seed, target, limit, solver, learning_rate):
    """MLPRegressor with "adam" or "sgd": as many epochs as the limit has time for."""

    def fit(epochs):
        model = MLPRegressor(
            hidden_layer_sizes=hidden,
            activation="tanh",
            solver=solver,
            alpha=0,
            learning_rate_init=learning_rate,
            max_iter=epochs,
            tol=0,
            n_iter_no_change=epochs,
            random_state=seed,
        )
        start = perf_counter()
        model.fit(X, y)
        return 2 * np.array(model.loss_curve_), perf_counter() - start

    with no_convergence_warnings():
        pilot = 50
        _, seconds = fit(pilot)
        losses, seconds = fit(max(int(pilot * limit / seconds), 1))
    reached = np.flatnonzero(losses <= target)
    epochs = reached[0] + 1 if len(reached) else len(losses)
    return seconds * epochs / len(losses), losses.min()


def sklearn_lbfgs(X, y, hidden, seed, target, limit):
    """MLPRegressor with "lbfgs", started again from its own weights until time is up."""
    model = MLPRegressor(
        hidden_layer_sizes=hidden,
        activation="tanh",
        solver="lbfgs",
        alpha=0,
        max_iter=100,
        tol=0,
        warm_start=True,
        random_state=seed,
    )

    def search(watch):
        while True:
            model.fit(X, y)
            watch.see(2 * model.loss_)

    with no_convergence_warnings():
        return until_stopped(search, target, limit)


def scipy_least_squares(X, y, hidden, seed, target, limit, method):
    """scipy.optimize.least_squares with the analytic Jacobian of the residuals."""
    n, f = X.shape
    random = np.random.default_rng(seed)
    start = np.concatenate(
        [
            random.normal(scale=1 / np.sqrt(f), size=f * hidden),
            random.uniform(-1, 1, size=hidden),
            random.normal(scale=0.5 / np.sqrt(hidden), size=hidden),
            [0.0],
        ]
    )

    def unpack(params):
        W1, b1, W2, b2 = np.split(params, np.cumsum([f * hidden, hidden, hidden]))
        return W1.reshape(f, hidden), b1, W2, b2

    def hidden_layer(params):
        W1, b1, *_ = unpack(params)
        return np.tanh(X @ W1 + b1)

    def jacobian(params):
        A1, W2 = hidden_layer(params), unpack(params)[2]
        db1 = W2 * (1 - A1**2)
        dW1 = (X[:, :, None] * db1[:, None, :]).reshape(n, -1)
        return np.hstack([dW1, db1, A1, np.ones((n, 1))])

    def search(watch):
        def residual(params):
            *_, W2, b2 = unpack(params)
            error = hidden_layer(params) @ W2 + b2 - y
            watch.see(np.mean(error**2))
            return error

        tolerances = dict.fromkeys(["ftol", "xtol", "gtol"], 1e-15)
        least_squares(residual, start, jacobian, method=method, max_nfev=10**6, **tolerances)

    return until_stopped(search, target, limit)


def torch_network(X, y, hidden, seed):
    """Parameters and loss function of the network in PyTorch, float64."""
    import torch

    torch.manual_seed(seed)
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    network = torch.nn.Sequential(
        torch.nn.Linear(X.shape[1], hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, 1)
    ).double()
    return network.parameters(), lambda: torch.mean((network(X)[:, 0] - y) ** 2)


def torch_adam(X, y, hidden, seed, target, limit, learning_rate):
    """PyTorch's Adam on all rows."""
    import torch

    params, loss_function = torch_network(X, y, hidden, seed)
    optimiser = torch.optim.Adam(params, lr=learning_rate)

    def search(watch):
        while True:
            optimiser.zero_grad()
            loss = loss_function()
            watch.see(loss.item())
            loss.backward()
            optimiser.step()

    return until_stopped(search, target, limit)


def torch_lbfgs(X, y, hidden, seed, target, limit):
    """PyTorch's L-BFGS with the strong Wolfe line search."""
    import torch

    params, loss_function = torch_network(X, y, hidden, seed)
    optimiser = torch.optim.LBFGS(
        params,
        max_iter=100,
        history_size=20,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def search(watch):
        def closure():
            optimiser.zero_grad()
            loss = loss_function()
            watch.see(loss.item())
            loss.backward()
            return loss

        while True:
            optimiser.step(closure)

    return until_stopped(search, target, limit)


PEERS = {
    "MLPRegressor, adam": partial(sklearn_stochastic, solver="adam", learning_rate=0.01),
    "MLPRegressor, sgd": partial(sklearn_stochastic, solver="sgd", learning_rate=0.1),
    "MLPRegressor, lbfgs": sklearn_lbfgs,
    "scipy least_squares, lm": partial(scipy_least_squares, method="lm"),
    "scipy least_squares, trf": partial(scipy_least_squares, method="trf"),
}
if find_spec("torch"):
    PEERS["PyTorch Adam"] = partial(torch_adam, learning_rate=0.01)
    PEERS["PyTorch L-BFGS"] = torch_lbfgs
