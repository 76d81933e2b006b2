"""What the defaults are for: textbook problems are learned without a parameter."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import TwoLayerClassifier

XOR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])


def saddle(rng, n):
    X = rng.normal(size=(n, 2))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def ring(rng, n):
    X = rng.uniform(-1, 1, size=(n, 2))
    return X, ((X**2).sum(axis=1) > 0.5).astype(int)


def waves(rng, n):
    X = rng.uniform(-1, 1, size=(n, 1))
    return X, (np.sin(12 * X[:, 0]) > 0).astype(int)


def checkerboard(rng, n):
    X = rng.uniform(0, 4, size=(n, 2))
    return X, (np.floor(X).sum(axis=1) % 2).astype(int)


def spirals(rng, n):
    arm = rng.integers(2, size=n)
    angle = 3 * np.pi * np.sqrt(rng.uniform(size=n))
    turned = angle + np.pi * arm
    X = np.column_stack([angle * np.cos(turned), angle * np.sin(turned)])
    return X + 0.3 * rng.normal(size=(n, 2)), arm


PROBLEMS = {
    "saddle": (saddle, 20),
    "ring": (ring, 20),
    "waves": (waves, 300),
    "checkerboard": (checkerboard, 400),
    "spirals": (spirals, 300),
}
SEEDS = range(5)


@pytest.mark.parametrize("seed", SEEDS)
def test_xor(seed):
    model = TwoLayerClassifier(random_state=seed).fit(*XOR)
    assert model.score(*XOR) == 1


def accuracies(make_model, draw, n):
    """Accuracy on new rows, for each of the random states."""
    found = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        model = make_model(seed).fit(*draw(rng, n))
        found.append(model.score(*draw(rng, 2000)))
    return np.array(found)


def peer(n_hidden):
    def make_model(seed):
        options = {"activation": "tanh", "solver": "lbfgs", "alpha": 0.1, "max_iter": 2000}
        network = MLPClassifier(n_hidden, random_state=seed, **options)
        return make_pipeline(StandardScaler(), network)

    return make_model


@pytest.mark.parametrize("name", PROBLEMS)
def test_textbook_problems_are_learned_as_by_a_tuned_peer(name):
    draw, n = PROBLEMS[name]
    ours = accuracies(lambda seed: TwoLayerClassifier(random_state=seed), draw, n)
    theirs = max(accuracies(peer(n_hidden), draw, n).mean() for n_hidden in (10, 30))
    assert ours.mean() >= theirs - 0.03


def test_labels_that_are_noise_are_answered_by_their_rate():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 2)), rng.integers(2, size=200)
    model = TwoLayerClassifier(random_state=0).fit(X, y)
    rate = y.mean()
    assert np.abs(model.predict_proba(X)[:, 1] - rate).max() < 0.15
