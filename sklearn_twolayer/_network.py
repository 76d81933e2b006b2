"""The network: forward pass, backprop and the Gauss-Newton matrix, block by block.

    hidden    A1 = g(X W1 + b1)      X (n, f)   W1 (f, h)   b1 (h,)   A1 (n, h)
    output    Z2 = A1 W2 + b2        W2 (h, k)  b2 (k,)     Z2 (n, k)

All weights live in one flat vector ``params`` of length p, in the order W1, b1,
W2, b2, each in C order. The rows come as [X 1] (n, f + 1): since W1 and b1 lie
side by side in ``params``, one product [X 1] [W1; b1] = X W1 + b1 does both.

What the sums over rows need from here never has a loss or a penalty in it:
``delta`` (n, k) = d loss / d Z2 and ``hessian`` (n, k, k) = d^2 loss / d Z2^2
arrive as arguments.
"""

from functools import cached_property

import numpy as np

from sklearn_twolayer._activations import ACTIVATIONS
from sklearn_twolayer._workspace import Workspace


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
    ``hidden`` arrays belong to the workspace of the calling thread: they hold
    until the next ``forward`` in the same thread.
    """

    def __init__(self, n_features, n_hidden, n_outputs, activation):
        self.n_features = n_features
        self.n_hidden = n_hidden
        self.n_outputs = n_outputs
        self.activation = activation
        self.n_first = (n_features + 1) * n_hidden
        self.n_params = self.n_first + (n_hidden + 1) * n_outputs
        self._has_shortcut = activation == "tanh" and n_outputs == 1 and n_features < n_hidden
        self._workspace = Workspace()

    def pack(self, coefs, intercepts, dtype):
        """[W1, W2], [b1, b2] -> params (p,)."""
        parts = (coefs[0], intercepts[0], coefs[1], intercepts[1])
        return np.concatenate([np.asarray(part, dtype).ravel() for part in parts])

    def unpack(self, params):
        """Params (p,) -> the views W1 (f, h), b1 (h,), W2 (h, k), b2 (k,)."""
        f, h, k = self.n_features, self.n_hidden, self.n_outputs
        W1, b1 = params[: f * h].reshape(f, h), params[f * h : self.n_first]
        W2 = params[self.n_first : self.n_first + h * k].reshape(h, k)
        return W1, b1, W2, params[self.n_first + h * k :]

    def first_layer(self, params):
        """Params (p,) -> the view [W1; b1] (f + 1, h)."""
        return params[: self.n_first].reshape(self.n_features + 1, self.n_hidden)

    @cached_property
    def tanh_form(self):
        """The network of tanh units that predicts the same as this one of logistic units.

        sigma(z) = (1 + tanh(z / 2)) / 2, so ``to_tanh_form`` moves the factors into the
        weights, and a logistic layer costs what a tanh layer costs. Any other network
        is its own tanh form.
        """
        if self.activation != "logistic":
            return self
        return TwoLayerNetwork(self.n_features, self.n_hidden, self.n_outputs, "tanh")

    def to_tanh_form(self, params):
        """Params (p,) of this network -> of its tanh form, in place.

        W1 <- W1 / 2, b1 <- b1 / 2, W2 <- W2 / 2, b2 <- b2 + sum W2 / 2.
        """
        if self.activation == "logistic":
            params[: -self.n_outputs] *= 0.5
            _, _, W2, b2 = self.unpack(params)
            b2 += W2.sum(axis=0)
        return params

    def from_tanh_form(self, gradient):
        """Gradient (p,), or columns (p, m), in the weights of the tanh form -> in ours.

        Adjoint of ``to_tanh_form``, in place: dW1 / 2, db1 / 2, (dW2 + db2) / 2, db2.
        """
        if self.activation == "logistic":
            shape = (self.n_hidden, self.n_outputs, *gradient.shape[1:])
            dW2 = gradient[self.n_first : -self.n_outputs].reshape(shape)
            dW2 += gradient[-self.n_outputs :]
            gradient[: -self.n_outputs] *= 0.5
        return gradient

    def forward(self, params, X):
        """Raw prediction Z2 (n, k) and hidden layer A1 (n, h) of the rows [X 1]."""
        _, _, W2, b2 = self.unpack(params)
        A1 = self._hidden_array("A1", X, params.dtype)
        _product(X, self.first_layer(params), out=A1)  # Z1 = X W1 + b1
        A1 = ACTIVATIONS[self.activation].function(A1)  # A1 = g(Z1)
        Z2 = _product(A1, W2, out=np.empty((len(A1), self.n_outputs), A1.dtype))
        Z2 += b2
        return Z2, A1

    def backward(self, params, X, A1, delta):
        """Gradient (p,) of the loss summed over the rows, by the chain rule.

        dW2 = A1' delta, db2 = sum delta, d1 = (delta W2') * g'(Z1),
        dW1 = X' d1, db1 = sum d1. Overwrites A1; the gradient is in the workspace.
        """
        _, _, W2, _ = self.unpack(params)
        gradient = self._workspace("gradient", params.shape, params.dtype)
        _, _, dW2, db2 = self.unpack(gradient)
        _product_over_rows(A1, delta, dW2, self._workspace)
        first = self.first_layer(gradient)
        if self._has_shortcut and isinstance(X, np.ndarray):
            db2[...] = self._one_output_gradient(X, A1, delta, W2, out=first)
            return gradient
        delta.sum(axis=0, out=db2)
        d1 = _product(delta, W2.T, out=self._hidden_array("d1", X, params.dtype))
        d1 *= ACTIVATIONS[self.activation].derivative(A1, out=A1)
        _product_over_rows(X, d1, first, self._workspace)  # dW1 = X' d1, db1 = sum d1
        return gradient

    def _one_output_gradient(self, X, A1, delta, W2, out):
        """X' d1 for one output of tanh units, without ever forming d1 (n, h).

        X' ((delta W2') * (1 - A1^2)) = (X' delta - (X * delta)' A1^2) * W2'. Returns
        the last row of X' delta = [X 1]' delta, which is db2 = sum delta.
        """
        moment = X.T @ delta
        weighted = np.multiply(X, delta, out=self._workspace("X delta", X.shape, X.dtype))
        np.multiply(A1, A1, out=A1)
        _product_over_rows(weighted, A1, out, self._workspace)
        np.subtract(moment, out, out=out)
        out *= W2.T
        return moment[-1]

    def jacobian(self, params, X, A1):
        """J (n, k, p) = d Z2 / d params of the rows, in the workspace."""
        n, f, h, k = len(A1), self.n_features, self.n_hidden, self.n_outputs
        _, _, W2, _ = self.unpack(params)
        D = self._derivative(A1)
        Xd = _dense(X)
        J = self._workspace("J", (n, k, self.n_params), params.dtype)
        J[:, :, self.n_first :] = 0
        for c in range(k):
            first = J[:, c, : self.n_first].reshape(n, f + 1, h)
            np.multiply(Xd[:, :, None], (D * W2[:, c])[:, None, :], out=first)
            J[:, c, self.n_first + c : self.n_first + h * k : k] = A1
            J[:, c, self.n_first + h * k + c] = 1
        return J

    def second_directional_derivative(self, params, v, X, A1):
        """d^2 Z2(params + t v) / dt^2 (n, k) at t = 0.

        With R = [X 1] [V1; c1] it is 2 (g'(Z1) * R) V2 + (g''(Z1) * R^2) W2.
        """
        _, _, W2, _ = self.unpack(params)
        _, _, V2, _ = self.unpack(v)
        R = X @ self.first_layer(v)
        second = ACTIVATIONS[self.activation].second_derivative(A1, out=np.empty_like(A1))
        return (2 * self._derivative(A1) * R) @ V2 + (second * R * R) @ W2

    def gauss_newton(self, params, X, A1, hessian):
        """Sum over rows of J' H J (p, p), without ever storing J for k > 1 outputs.

        One output: J'HJ is one symmetric rank-n product. More outputs: the
        blocks of the first layer need sum_n (W2 H_n W2')_ij D_ni D_nj x_n x_n',
        whatever the number of outputs k (the outputs collapse).
        """
        if self.n_outputs == 1:
            J = self.jacobian(params, X, A1)[:, 0]
            J *= np.sqrt(hessian[:, 0])
            return J.T @ J
        return self._collapsed_gauss_newton(params, X, A1, hessian)

    def _collapsed_gauss_newton(self, params, X, A1, hessian):
        n, f, h, k = len(A1), self.n_features, self.n_hidden, self.n_outputs
        _, _, W2, _ = self.unpack(params)
        D = self._derivative(A1)
        Xd = _dense(X)
        Ad = np.column_stack([A1, np.ones(n, A1.dtype)])
        WH = D[:, :, None] * (W2 @ hessian)  # (n, h, k): D_j (W2 H)_jc
        M = np.matmul(WH, W2.T)  # (n, h, h): D_i (W2 H W2')_ij
        M *= D[:, None, :]
        matrix = np.empty((self.n_params, self.n_params), params.dtype)
        first = matrix[: self.n_first, : self.n_first].reshape(f + 1, h, f + 1, h)
        cross = matrix[: self.n_first, self.n_first :].reshape(f + 1, h, h + 1, k)
        output = matrix[self.n_first :, self.n_first :].reshape(h + 1, k, h + 1, k)
        for i in range(h):  # the upper triangle of the hidden units, j >= i
            weighted = Xd[:, None, :] * M[:, i, i:, None]  # (n, h - i, f + 1)
            block = Xd.T @ weighted.reshape(n, -1)
            first[:, i, :, i:] = block.reshape(f + 1, h - i, f + 1).transpose(0, 2, 1)
            first[:, i:, :, i] = first[:, i, :, i:].transpose(0, 2, 1)
        for c in range(k):
            weighted = Xd[:, :, None] * WH[:, None, :, c]
            cross[:, :, :, c] = (weighted.reshape(n, -1).T @ Ad).reshape(f + 1, h, h + 1)
            for d in range(c, k):
                output[:, c, :, d] = Ad.T @ (Ad * hessian[:, c, d, None])
                output[:, d, :, c] = output[:, c, :, d]
        matrix[self.n_first :, : self.n_first] = matrix[: self.n_first, self.n_first :].T
        return matrix

    def _derivative(self, A1):
        return ACTIVATIONS[self.activation].derivative(A1, out=np.empty_like(A1))

    def _hidden_array(self, name, X, dtype):
        return self._workspace(name, (X.shape[0], self.n_hidden), dtype)


def _dense(X):
    return X if isinstance(X, np.ndarray) else X.toarray()


def _product(X, W, out):
    """``out[:] = X @ W`` for dense and for sparse X."""
    if not isinstance(X, np.ndarray):
        out[...] = X @ W
        return out
    if X.shape[1] == 1:
        return np.multiply(X, W, out=out)  # a third of the time of BLAS
    m = _rows_of_small_product(len(X), W.size)
    stacked = len(X) - len(X) % m
    if m == len(X):
        return np.matmul(X, W, out=out)
    np.matmul(_stack(X[:stacked], m), W, out=_stack(out[:stacked], m))
    if stacked < len(X):
        np.matmul(X[stacked:], W, out=out[stacked:])
    return out


def _product_over_rows(X, D, out, workspace):
    """``out[:] = X.T @ D``, a sum over the rows, for dense and for sparse X."""
    n, f = X.shape
    m = _rows_of_small_product(n, out.size)
    if m == n or f > m or not isinstance(X, np.ndarray):
        out[...] = X.T @ D
        return
    stacked = n - n % m
    products = workspace("products", (n // m, *out.shape), out.dtype)
    np.matmul(_stack(X[:stacked], m).transpose(0, 2, 1), _stack(D[:stacked], m), out=products)
    products.sum(axis=0, out=out)
    if stacked < n:
        out += X[stacked:].T @ D[stacked:]


def _rows_of_small_product(n, multiply_adds_of_a_row):
    """How many of n rows to multiply at once: as many as BLAS has a kernel for, or all.

    OpenBLAS multiplies matrices without copying them first, in two thirds of the time,
    where this takes at most 10^6 multiply-adds; ``matmul`` of a stack of such products
    is still one call.
    """
    for m in (n, 128, 64, 32):
        if m * multiply_adds_of_a_row <= 10**6:
            return min(m, n)
    return n


def _stack(X, m):
    """The view (n / m, m, columns) of the n rows X."""
    return X.reshape(-1, m, X.shape[1])
