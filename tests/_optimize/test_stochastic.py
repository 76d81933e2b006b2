"""Update rules against hand formulas and PyTorch, and the mini-batch loop."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_twolayer._optimize.full_batch import CONVERGED, OUT_OF_ITERATIONS, STALLED
from sklearn_twolayer._optimize.stochastic import (
    Schedule,
    StochasticState,
    adam,
    schedule_factor,
    sgd,
    stochastic,
    train_epoch,
)

TARGET = np.array([1.0, -2.0, 3.0])
CURVATURE = np.array([1.0, 0.5, 2.0])
GRADIENTS = np.random.default_rng(0).normal(size=(8, 3))
RULES = {
    "adam": adam,
    "sgd": partial(sgd, momentum=0.0, nesterov=False),
    "momentum": partial(sgd, momentum=0.9, nesterov=False),
    "nesterov": partial(sgd, momentum=0.9, nesterov=True),
}
ALL_RULES = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def value(x):
    """F(x) = sum_j curvature_j (x_j - target_j)^2 / 2."""
    return 0.5 * CURVATURE @ (x - TARGET) ** 2


def batch_gradient(x, batch):
    """dF/dx, plus the noise that the batch brings."""
    return CURVATURE * (x - TARGET) + batch


class Batches:
    """The batches of every epoch, and how many the loop believes they are."""

    def __init__(self, batches, n_batches):
        self.batches, self.n_batches = batches, n_batches

    def __call__(self):
        return self.batches

    def __len__(self):
        return self.n_batches


def epoch(state, batches, batch_gradient=batch_gradient, *, n_batches=None, pace=0, **options):
    """``train_epoch`` with plain gradient steps, but for what the options say."""
    n_batches = len(batches) if n_batches is None else n_batches
    rule = options.pop("rule", RULES["sgd"])
    options = {"learning_rate": 1.0, "schedule": "constant", **options}
    return train_epoch(
        SimpleNamespace(batch_gradient=batch_gradient),
        state,
        rule=rule,
        batches=Batches(batches, n_batches),
        options=Schedule(**options, max_iter=1, tol=0.0, n_iter_no_change=1),
        pace=pace,
    )


def descend(x, gradients, step):
    """``x``, one scalar at a time, under the rule ``step(state, gradient) -> (state, change)``."""
    x, path = list(x), []
    states = [None] * len(x)
    for gradient in gradients:
        for j in range(len(x)):
            states[j], change = step(states[j], gradient[j])
            x[j] -= change
        path.append(list(x))
    return np.array(path)


def path_of(rule, x, gradients, learning_rate):
    """The same path by ``train_epoch``, with given gradients instead of computed ones."""
    state, path = StochasticState(x, x), []
    for gradient in gradients:
        state = epoch(
            state, [gradient], lambda params, batch: batch, rule=rule, learning_rate=learning_rate
        )
        path.append(state.params)
    return np.array(path)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_by_hand(momentum, nesterov):
    """Momentum u <- momentum u + gradient; Nesterov steps along gradient + momentum u."""

    def step(u, gradient):
        u = gradient if u is None else momentum * u + gradient
        return u, 0.1 * (gradient + momentum * u if nesterov else u)

    rule = partial(sgd, momentum=momentum, nesterov=nesterov)
    found = path_of(rule, TARGET, GRADIENTS, 0.1)
    np.testing.assert_allclose(found, descend(TARGET, GRADIENTS, step), rtol=1e-13)


def test_adam_by_hand():
    """Kingma & Ba (2015), Algorithm 1."""

    def step(state, gradient):
        m, v, t = (0, 0, 0) if state is None else state
        t = t + 1
        m = 0.9 * m + (1 - 0.9) * gradient
        v = 0.999 * v + (1 - 0.999) * gradient**2
        m_hat = m / (1 - 0.9**t)
        v_hat = v / (1 - 0.999**t)
        return (m, v, t), 0.1 * m_hat / (v_hat**0.5 + 1e-8)

    found = path_of(adam, TARGET, GRADIENTS, 0.1)
    np.testing.assert_allclose(found, descend(TARGET, GRADIENTS, step), rtol=1e-12)


@ALL_RULES
def test_rules_are_pure(rule):
    """Neither the gradient nor the state before the step is changed."""
    gradient = TARGET.copy()
    _, state = rule(gradient, None)
    first, _ = rule(gradient, state)
    again, _ = rule(gradient, state)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(gradient, TARGET)


@ALL_RULES
@pytest.mark.parametrize("learning_rate", [0.1, 0.003])
def test_rules_equal_pytorch(rule, learning_rate):
    torch = pytest.importorskip("torch", reason="compares with torch.optim where it is installed")
    w = torch.tensor(np.zeros(3), requires_grad=True)
    keywords = getattr(rule, "keywords", {"momentum": 0, "nesterov": False})
    optimizer = torch.optim.SGD([w], lr=learning_rate, **keywords)
    if rule is adam:
        optimizer = torch.optim.Adam([w], lr=learning_rate)
    noise = np.random.default_rng(0).normal(size=(50, 3))
    for extra in noise:
        optimizer.zero_grad()
        residual = w - torch.from_numpy(TARGET)
        (0.5 * torch.from_numpy(CURVATURE) @ residual**2 + torch.from_numpy(extra) @ w).backward()
        optimizer.step()
    start = StochasticState(np.zeros(3), np.zeros(3))
    found = epoch(start, noise, rule=rule, learning_rate=learning_rate)
    np.testing.assert_allclose(found.params, w.detach().numpy(), rtol=1e-12)


def test_schedule():
    assert schedule_factor("constant", 0.7) == 1
    found = [schedule_factor("cosine", progress) for progress in (0, 1 / 3, 0.5, 1, 1.2)]
    np.testing.assert_allclose(found, [1, 0.75, 0.5, 0, 0], atol=1e-15)


def test_cosine_decays_within_an_epoch():
    """Four steps of gradient 1 at progress 0, 1/4, 1/2 and 3/4."""
    start = StochasticState(np.zeros(1), np.zeros(1))
    options = {"learning_rate": 0.1, "schedule": "cosine", "pace": 0.25}
    found = epoch(start, range(4), lambda params, batch: np.ones(1), **options)
    factors = 0.5 * (1 + np.cos(np.pi * np.array([0, 0.25, 0.5, 0.75])))
    assert found.params[0] == pytest.approx(-0.1 * factors.sum())
    assert (found.progress, found.n_steps) == (1, 4)


def test_average():
    """The plain mean of the steps at first, later a memory of 50 steps, or of an epoch."""
    start = StochasticState(np.zeros(1), np.zeros(1))
    long_epoch = partial(epoch, n_batches=100)

    def unit(params, batch):
        return -np.ones(1)

    assert long_epoch(start, [0], unit).average[0] == 1
    young = long_epoch(start, range(10), unit)
    assert young.params[0] == 10
    assert young.average[0] == pytest.approx(np.arange(1, 11).mean())
    old = long_epoch(start, range(60), unit)
    older = long_epoch(old, [0], unit)
    assert older.average[0] == pytest.approx(0.98 * old.average[0] + 0.02 * 61)
    short = epoch(old, range(4), unit)
    by_hand = old.average[0]
    for value in (61, 62, 63, 64):
        by_hand += (value - by_hand) / 4
    assert short.average[0] == pytest.approx(by_hand)
    whole = epoch(old, [0], unit)
    assert whole.average[0] == whole.params[0] == 61


class NoisyBatches:
    """Four batches in an epoch, others each time."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def __call__(self):
        return 0.1 * self.rng.normal(size=(4, 3))

    def __len__(self):
        return 4


def minimize(value=value, batch_gradient=batch_gradient, **options):
    """``stochastic`` from zero, with four noisy batches in an epoch."""
    rule = options.pop("rule", adam)
    callback = options.pop("callback", lambda step: None)
    settings = {
        "learning_rate": 0.1,
        "schedule": "cosine",
        "max_iter": 100,
        "tol": 0.0,
        "n_iter_no_change": 10,
    }
    return stochastic(
        SimpleNamespace(value=value, batch_gradient=batch_gradient),
        StochasticState(np.zeros(3), np.zeros(3)),
        rule=rule,
        batches=NoisyBatches(),
        options=Schedule(**(settings | options)),
        callback=callback,
    )


@ALL_RULES
def test_cosine_runs_its_course(rule):
    result = minimize(rule=rule)
    assert result.status == CONVERGED
    assert result.nit == 100
    assert result.state.progress == pytest.approx(1)
    np.testing.assert_allclose(result.x, TARGET, atol=0.05)


def test_a_cosine_that_ends_while_the_loss_falls_is_out_of_iterations():
    settings = {"learning_rate": 1e-3, "max_iter": 5}
    assert minimize(tol=1e-9, **settings).status == OUT_OF_ITERATIONS
    assert minimize(tol=1.0, **settings).status == CONVERGED


def test_constant_learning_rate_runs_out_of_iterations():
    result = minimize(schedule="constant", max_iter=5)
    assert result.status == OUT_OF_ITERATIONS
    assert not result.success
    assert result.nit == 5


def test_best_epoch_is_kept():
    """Of the averaged weights that the callback saw, the one with the least value."""
    seen = []
    result = minimize(learning_rate=1.0, schedule="constant", callback=seen.append)
    values = [step.value for step in seen]
    best = int(np.argmin(values))
    assert best < len(values) - 1
    assert result.fun == values[best] == value(result.x)
    np.testing.assert_array_equal(result.x, seen[best].x)
    assert [step.least for step in seen] == list(np.minimum.accumulate(values))
    assert all(value(step.best) == step.least for step in seen)
    assert [step.n_iter for step in seen] == list(range(1, 101))
    assert result.state is seen[-1].state


@pytest.mark.parametrize("exception", [KeyboardInterrupt, RuntimeError])
def test_what_the_callback_raises_goes_through(exception):
    seen = []

    def callback(step):
        seen.append(step)
        if len(seen) == 3:
            raise exception

    with pytest.raises(exception):
        minimize(callback=callback)
    assert len(seen) == 3


def test_plateau_ends_a_constant_learning_rate():
    """After ``n_iter_no_change`` epochs without progress; the first one counts as progress."""
    result = minimize(value=lambda x: 1.0, schedule="constant", tol=1e-3, n_iter_no_change=7)
    assert result.status == CONVERGED
    assert result.nit == 8


def test_plateau_shortens_the_cosine():
    """The rest of the schedule then takes ``n_iter_no_change`` epochs."""
    result = minimize(value=lambda x: 1.0, tol=1e-3, n_iter_no_change=7)
    assert result.status == CONVERGED
    assert result.nit == 8 + 7
    assert result.state.progress == pytest.approx(1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_epoch_that_is_not_finite_is_refused_and_shortened(bad):
    """The learning rate is halved until the epoch stays where F is finite."""
    refused, seen = [], []

    def walled(x):
        if np.abs(x).max() < 4:
            return value(x)
        refused.append(x)
        return bad

    result = minimize(
        value=walled,
        rule=RULES["sgd"],
        learning_rate=2.0,
        callback=lambda step: seen.append(step.value),
    )
    assert refused
    assert result.nit == len(seen) == 100
    assert np.isfinite(seen).all()
    np.testing.assert_allclose(result.x, TARGET, atol=0.05)


def test_refused_epoch_starts_again_from_the_same_state():
    starts = []

    def recorded(x, batch):
        starts.append(x.copy())
        return np.ones(3)

    values = iter([1.0, 1.0, np.nan, np.nan, 0.5])  # the start, then each epoch
    result = minimize(
        value=lambda x: next(values),
        batch_gradient=recorded,
        rule=RULES["sgd"],
        learning_rate=1.0,
        schedule="constant",
        max_iter=2,
    )
    np.testing.assert_array_equal(starts[4], starts[8])
    np.testing.assert_array_equal(starts[4], starts[12])
    np.testing.assert_array_equal(starts[13] - starts[12], -0.125)  # 1 / 2 / 4
    assert result.fun == 0.5


def test_stalls_where_every_epoch_is_refused():
    result = minimize(value=lambda x: np.nan)
    assert result.status == STALLED
    assert not result.success
    assert result.nit == 0
    np.testing.assert_array_equal(result.x, 0)
