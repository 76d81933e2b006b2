"""
Two update rules, and a unit that is stuck
==========================================

One network, two losses. Both learn by gradient descent, ``w <- w - rate *
dF/dw``, and backward propagation computes their gradients alike but for one
line, ``delta = d loss / d Z2``:

- squared error with a sigmoid output: ``delta = 2 (A2 - y) A2 (1 - A2)``
- log loss: ``delta = A2 - y``

The factor ``A2 (1 - A2)`` decides whether an output unit that starts out
confidently wrong ever learns.
"""

# %%
# How hard each loss pulls
# ------------------------
# Take a row with y = 1. The further Z2 lies on the wrong side, left of
# zero, the harder the log loss pulls; the squared error lets go.

import matplotlib.pyplot as plt
import numpy as np

Z2 = np.linspace(-8, 8, 200)
A2 = 1 / (1 + np.exp(-Z2))

figure, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(Z2, 1 - A2, color="C0", lw=2)
ax.plot(Z2, 2 * (1 - A2) * A2 * (1 - A2), color="C1", lw=2)
ax.text(-7.5, 0.9, "log loss", color="C0")
ax.text(-7.5, 0.06, "squared error", color="C1")
ax.set(xlabel="Z2 of a row with y = 1", ylabel="pull upwards: -delta")
plt.show()

# %%
# Both from the same bad start
# ----------------------------
# ``loss_and_gradient`` hands out F and its gradient at the weights that the
# estimator has, so the update rule can be written down as it stands in the
# textbook. ``b2 = -6`` makes the network say "benign" with 99.8 %
# certainty, whatever the row.

from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

X, benign = load_breast_cancer(return_X_y=True)
X, y = StandardScaler().fit_transform(X), 1 - benign


def descend(model, n_steps=400, rate=1.0):
    """Share of the rows classified rightly, before each step."""
    model.set_params(n_hidden=5, alpha=0.0, standardize=False).fit(X, y)
    rng = np.random.default_rng(0)
    W1, W2 = (rng.normal(0, 0.3, W.shape) for W in model.coefs_)
    b1, b2 = np.zeros(5), np.array([-6.0])
    accuracy = []
    for _ in range(n_steps):
        model.coefs_, model.intercepts_ = [W1, W2], [b1, b2]
        accuracy.append(np.mean((model.predict(X) > 0.5) == y))
        _, (dW1, dW2), (db1, db2) = model.loss_and_gradient(X, y)
        W1, W2 = W1 - rate * dW1, W2 - rate * dW2
        b1, b2 = b1 - rate * db1, b2 - rate * db2
    return accuracy


squared_error = descend(TwoLayerRegressor(output_activation="logistic"))
log_loss = descend(TwoLayerClassifier())

# %%
# What happens
# ------------

# sphinx_gallery_thumbnail_number = 2
figure, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(100 * np.array(log_loss), color="C0", lw=2)
ax.plot(100 * np.array(squared_error), color="C1", lw=2)
ax.text(100, 90, "log loss", color="C0")
ax.text(100, 66, "squared error", color="C1")
ax.set(xlabel="step of gradient descent", ylabel="rightly classified (%)")
plt.show()

# %%
# What was seen
# -------------
# Under the log loss the saturated unit recovers within some ten steps.
# Under the squared error it stalls for more than 200: the answers are
# wrong, but the gradient has almost vanished. That is why
# :class:`~sklearn_twolayer.TwoLayerClassifier` minimises the log loss.
