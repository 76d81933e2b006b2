"""Networks of sigmoid units trained by backward propagation: NumPy beside the estimators.

Run it with ``python docs/examples/backprop_by_hand.py``, then change it.
"""

import warnings

import numpy as np

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor


def sigma(Z):
    return 1 / (1 + np.exp(-Z))


def squared_error(Z2, y):
    A2 = sigma(Z2)
    return (A2 - y) ** 2, 2 * (A2 - y) * A2 * (1 - A2)  # loss, delta = d loss / d Z2


def log_loss(Z2, y):
    A2 = sigma(Z2)
    return -y * np.log(A2) - (1 - y) * np.log(1 - A2), A2 - y


def squared_error_of_identity(Z2, y):
    A2 = Z2
    return (A2 - y) ** 2, 2 * (A2 - y)


def train(loss_and_delta, X, y, weights, learning_rate, n_steps):
    W1, b1, W2, b2 = weights
    for _ in range(n_steps):
        A1 = sigma(X @ W1 + b1)  # forward
        loss, delta = loss_and_delta(A1 @ W2 + b2, y)
        d1 = (delta @ W2.T) * A1 * (1 - A1)  # backward
        rate = learning_rate / len(X)
        W1, b1 = W1 - rate * X.T @ d1, b1 - rate * d1.sum(axis=0)  # the update rule
        W2, b2 = W2 - rate * A1.T @ delta, b2 - rate * delta.sum(axis=0)
    return loss.mean(), [W1, b1, W2, b2]


def train_estimator(model, X, y, weights, learning_rate, n_steps):
    """The same by the package: plain gradient descent from weights of our own."""
    model.set_params(n_hidden=len(weights[1]), alpha=0, standardize=False, warm_start=True)
    model.set_params(solver="gd", learning_rate=learning_rate, max_iter=1, tol=0, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that max_iter ended the fit: we want that
        model.fit(X, y.ravel())  # only to have weights that can be replaced
        model.coefs_, model.intercepts_ = list(weights[::2]), list(weights[1::2])
        model.set_params(max_iter=n_steps).fit(X, y.ravel())
    return [model.coefs_[0], model.intercepts_[0], model.coefs_[1], model.intercepts_[1]]


X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
y = np.array([[0], [1], [1], [0]])  # exclusive or: no straight line separates it
rng = np.random.default_rng(0)
start = [rng.normal(size=shape) for shape in ((2, 4), (4,), (4, 1), (1,))]
networks = {
    squared_error: TwoLayerRegressor(output_activation="logistic"),
    log_loss: TwoLayerClassifier(),
    squared_error_of_identity: TwoLayerRegressor(),
}
for loss_and_delta, model in networks.items():
    loss, weights = train(loss_and_delta, X, y, start, learning_rate=0.5, n_steps=4000)
    theirs = train_estimator(model, X, y, start, learning_rate=0.5, n_steps=4000)
    difference = max(abs(a - b).max() for a, b in zip(weights, theirs))
    print(f"{loss_and_delta.__name__:26} loss {loss:.4f}, answers", model.predict(X).round(2))
    assert difference < 1e-9, "the estimator went another way"
