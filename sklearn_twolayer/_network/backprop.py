"""The network: forward pass and backprop of a block of rows. Read this file first.

    hidden    Z1 = X W1 + b1    A1 = g(Z1)    X (n, f)   W1 (f, h)   b1 (h,)   A1 (n, h)
    output    Z2 = A1 W2 + b2                 W2 (h, k)  b2 (k,)     Z2 (n, k)

All weights live in one flat vector ``params`` of length p, in the order W1, b1,
W2, b2, each in C order. The rows come as [X 1] (n, f + 1): since W1 and b1 lie
side by side in ``params``, one product [X 1] [W1; b1] = X W1 + b1 does both.

Nothing here has a loss or a penalty in it: ``delta`` (n, k) = d loss / d Z2 arrives as an
argument, and ``objective`` sums over blocks, divides and penalises.
"""

import numpy as np

from sklearn_twolayer._network.activations import ACTIVATIONS
from sklearn_twolayer._network.products import (
    BLOCK_BYTES,
    Workspace,
    product,
    product_over_rows,
)


def raw_prediction(coefs, intercepts, X, activation):
    """Z2 (n, k) of a few rows X as they come: ``forward`` without its preparations."""
    (W1, W2), (b1, b2) = coefs, intercepts
    return ACTIVATIONS[activation].function(X @ W1 + b1) @ W2 + b2


class TwoLayerNetwork:
    """One hidden layer and one output layer over a flat vector of weights.

    Parameters
    ----------
    n_features, n_hidden, n_outputs : int
        f, h and k.
    activation : str
        Key of ``ACTIVATIONS``: the hidden activation g.

    Notes
    -----
    Hidden layers and gradients belong to the ``workspace`` of the calling thread: they hold
    until the next ``forward`` or ``backward`` in the same thread.
    """

    def __init__(self, n_features, n_hidden, n_outputs, activation):
        self.n_features = n_features
        self.n_hidden = n_hidden
        self.n_outputs = n_outputs
        self.activation = activation
        self.n_first = (n_features + 1) * n_hidden
        self.n_params = self.n_first + (n_hidden + 1) * n_outputs
        self.width = max(n_hidden, n_features + 1, n_outputs)  # columns of the widest array
        # Blocks of a matrix have as many rows as weights, as each adds p^2 numbers, or more while
        # the derivatives of their first layer (a quarter of them, if one product takes all) stay in
        # cache.
        widest = max(self.width, self.n_first // (4 if n_outputs == 1 else 1))
        self.width_of_matrix = min(widest, max(BLOCK_BYTES // (8 * self.n_params), 1))
        self.workspace = Workspace()

    def pack(self, coefs, intercepts, dtype):
        """[W1, W2], [b1, b2] -> params (p,)."""
        (W1, W2), (b1, b2) = coefs, intercepts
        return np.concatenate([W1, b1, W2, b2], axis=None, dtype=dtype)

    def unpack(self, params):
        """Params (p,) -> the views W1 (f, h), b1 (h,), W2 (h, k), b2 (k,)."""
        f, h, k = self.n_features, self.n_hidden, self.n_outputs
        W1, b1 = params[: f * h].reshape(f, h), params[f * h : self.n_first]
        W2 = params[self.n_first : self.n_first + h * k].reshape(h, k)
        return W1, b1, W2, params[self.n_first + h * k :]

    def first_layer(self, params):
        """Params (p,) -> the view [W1; b1] (f + 1, h)."""
        return params[: self.n_first].reshape(self.n_features + 1, self.n_hidden)

    def forward(self, params, X):
        """Raw prediction Z2 (n, k) and hidden layer A1 (n, h) of the rows [X 1]."""
        g = ACTIVATIONS[self.activation].function
        _, _, W2, b2 = self.unpack(params)
        Z1 = self.workspace("A1", (X.shape[0], self.n_hidden), params.dtype)
        product(X, self.first_layer(params), out=Z1)  # Z1 = X W1 + b1
        A1 = g(Z1)  # in the memory of Z1
        Z2 = product(A1, W2, out=np.empty((len(A1), self.n_outputs), A1.dtype))
        Z2 += b2  # Z2 = A1 W2 + b2
        return Z2, A1

    def backward(self, params, X, A1, delta):
        """Gradient (p,) of the loss summed over the rows [X 1], by the chain rule.

        Overwrites A1; the gradient is in the workspace.
        """
        dg = ACTIVATIONS[self.activation].derivative
        _, _, W2, _ = self.unpack(params)
        gradient = self.workspace("gradient", params.shape, params.dtype)
        _, _, dW2, db2 = self.unpack(gradient)
        product_over_rows(A1, delta, dW2, self.workspace)  # dW2 = A1' delta
        delta.sum(axis=0, out=db2)  # db2 = sum delta
        d1 = product(delta, W2.T, out=self.workspace("d1", A1.shape, A1.dtype))
        d1 *= dg(A1, out=A1)  # d1 = (delta W2') * g'(Z1)
        first = self.first_layer(gradient)
        product_over_rows(X, d1, first, self.workspace)  # dW1 = X' d1, db1 = sum d1
        return gradient
