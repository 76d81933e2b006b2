"""Starting weights, on the standardised scale.

The first layer spreads the units over the data: entries of W1 have standard
deviation 1 / (2 sqrt f), so that z = x W1 has 1 / 2 for standardised x, and the
biases spread the kinks or bends over the range of z. Starting twice as steep
ended in worse optima (docs/benchmarks.md). The logistic unit starts where the tanh unit
starts: sigma(z) = (1 + tanh(z / 2)) / 2 makes

    tanh(x W1 + b1) W2 + b2 = sigma(x 2 W1 + 2 b1) 2 W2 + b2 - sum W2.
"""

import numpy as np


def initial_weights(random_state, n_features, n_hidden, activation, constant):
    """W1, b1, W2, b2 of a network that starts near a constant raw prediction.

    Parameters
    ----------
    random_state : RandomState
    n_features, n_hidden : int
        f and h.
    activation : str
    constant : ndarray, shape (k,)
        The raw prediction around which the network starts.
    """
    gain = np.sqrt(0.5) if activation in ("relu", "softplus") else 0.5
    W1 = random_state.normal(scale=gain / np.sqrt(n_features), size=(n_features, n_hidden))
    b1 = random_state.uniform(-0.5, 0.5, size=n_hidden)
    W2 = random_state.normal(scale=0.5 / np.sqrt(n_hidden), size=(n_hidden, len(constant)))
    b2 = np.array(constant, float)
    if activation == "logistic":
        return 2 * W1, 2 * b1, 2 * W2, b2 - W2.sum(axis=0)
    return W1, b1, W2, b2
