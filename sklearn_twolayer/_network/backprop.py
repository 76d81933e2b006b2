"""The network: forward pass, backprop and second order of a block of rows. Read this file first.

    hidden    Z1 = X W1 + b1    A1 = g(Z1)    X (n, f)   W1 (f, h)   b1 (h,)   A1 (n, h)
    output    Z2 = A1 W2 + b2                 W2 (h, k)  b2 (k,)     Z2 (n, k)

All weights live in one flat vector ``params`` of length p, in the order W1, b1,
W2, b2, each in C order. The rows come as [X 1] (n, f + 1): since W1 and b1 lie
side by side in ``params``, one product [X 1] [W1; b1] = X W1 + b1 does both.

Nothing here has a loss or a penalty in it: ``delta`` (n, k) = d loss / d Z2 arrives as an
argument, and so does ``hessian`` (n, k, k) = d^2 loss / d Z2^2, or (1, k, k) where it is the
same in all rows. ``objective`` sums over blocks, divides and penalises.

Behind the network stand its second order, which Levenberg-Marquardt and error bars ask for, and
what gd needs for its rate: Jacobian, Gauss-Newton matrix, derivatives of Z2 along v. There A1 is
what ``network.forward(params, X)`` returned, and stays as it is.
"""

import numpy as np

from sklearn_twolayer._network.activations import ACTIVATIONS
from sklearn_twolayer._network.products import (
    BLOCK_BYTES,
    Workspace,
    dense,
    outer_products,
    pairs_of_columns,
    product,
    product_over_rows,
)

#: With more inputs for each hidden unit products of their pairs are wider than those of inputs and
#: units, and no faster.
MANY_INPUTS = 3


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


def jacobian(network, params, X, A1, *, root=1.0):
    """J (n, k, p) = d Z2 / d params of the rows, in the workspace of the network.

    In memory the rows are innermost: there are more of them than hidden units. Each is
    multiplied by its ``root`` (n,).
    """
    n, f, h, k = len(A1), network.n_features, network.n_hidden, network.n_outputs
    _, _, W2, _ = network.unpack(params)
    Xt, A1t = np.multiply(dense(X).T, root, order="C"), np.ascontiguousarray(A1.T)
    Dt = ACTIVATIONS[network.activation].derivative(A1t, out=np.empty_like(A1t))
    Jt = network.workspace("J", (k, network.n_params, n), params.dtype)
    Jt[:, network.n_first :] = 0
    for c in range(k):
        first = Jt[c, : network.n_first].reshape(f + 1, h, n)
        np.multiply(Xt[:, None, :], Dt * W2[:, c, None], out=first)
        second = Jt[c, network.n_first + c : network.n_first + h * k : k]
        np.multiply(A1t, root, out=second)
        Jt[c, network.n_first + h * k + c] = root
    return Jt.transpose(2, 0, 1)


def without_shift(J):
    """J (n, k, p) less its mean over the outputs, in place: d (Z2 - mean Z2) / d params.

    Under the softmax a common shift of the raw predictions means nothing, and free biases leave
    it without any curvature: G^-1 is infinite there, where the rest of J never points.
    """
    J -= J.mean(axis=1, keepdims=True)
    return J


def directional_derivative(network, params, v, X, *, A1):
    """J v = R{Z2} (n, k), the derivative of Z2(params + t v) at t = 0, without J.

    Forward as the network goes: R{Z1} = X V1 + c1, R{A1} = g'(Z1) * R{Z1}, and
    R{Z2} = R{A1} W2 + A1 V2 + c2.
    """
    _, _, W2, _ = network.unpack(params)
    _, _, V2, c2 = network.unpack(v)
    RA1 = ACTIVATIONS[network.activation].derivative(A1, out=np.empty_like(A1))
    RA1 *= X @ network.first_layer(v)
    return RA1 @ W2 + A1 @ V2 + c2


def second_directional_derivative(network, params, v, X, *, A1):
    """d^2 Z2(params + t v) / dt^2 (n, k) at t = 0.

    With R = [X 1] [V1; c1] it is 2 (g'(Z1) * R) V2 + (g''(Z1) * R^2) W2.
    """
    _, _, W2, _ = network.unpack(params)
    _, _, V2, _ = network.unpack(v)
    R = X @ network.first_layer(v)
    g = ACTIVATIONS[network.activation]
    first = g.derivative(A1, out=np.empty_like(A1))
    second = g.second_derivative(A1, out=np.empty_like(A1))
    return (2 * first * R) @ V2 + (second * R * R) @ W2


def gauss_newton(network, params, X, A1, *, hessian, weight=None):
    """Sum over rows of s_i J_i' H_i J_i (p, p) for the weights s (n,) of the rows, or none.

    J is stored for one output alone, whose matrix is one symmetric product. ``hessian`` (1, k, k)
    is the same H in all rows: the matrix is that of one output, times constants.
    """
    if network.n_outputs == 1:
        root = np.sqrt(hessian[:, 0, 0] if weight is None else hessian[:, 0, 0] * weight)
        J = jacobian(network, params, X, A1, root=root)[:, 0]
        return J.T @ J
    if len(hessian) == 1:
        return _separable_gauss_newton(network, params, X, A1, hessian=hessian[0], weight=weight)
    if weight is not None:
        hessian = hessian * weight[:, None, None]
    return _collapsed_gauss_newton(network, params, X, A1, hessian=hessian)


def _separable_gauss_newton(network, params, X, A1, *, hessian, weight):
    """Return the matrix where one Hessian (k, k) holds for all rows: their sum has no output in it.

    J_c = [D_j x_a W2_jc, A1 at c] is that of one output with W2 = 1, V = [D_j x_a, A1], times
    constants, so that G is V' diag(s) V times W2 H W2', W2 H or H.
    """
    f, h, n_first = network.n_features, network.n_hidden, network.n_first
    _, _, W2, _ = network.unpack(params)
    units = TwoLayerNetwork(f, h, 1, network.activation)
    ones, root = np.ones(units.n_params, params.dtype), 1.0 if weight is None else np.sqrt(weight)
    V = jacobian(units, ones, X, A1, root=root)[:, 0]
    products = V.T @ V
    W2H = W2 @ hessian
    matrix = np.empty((network.n_params, network.n_params), params.dtype)
    first = products[:n_first, :n_first].reshape(f + 1, h, f + 1, h) * (W2H @ W2.T)[:, None, :]
    cross = products[:n_first, n_first:].reshape(f + 1, h, h + 1, 1) * W2H[:, None, :]
    matrix[:n_first, :n_first] = first.reshape(n_first, n_first)
    matrix[:n_first, n_first:] = cross.reshape(n_first, -1)
    matrix[n_first:, :n_first] = matrix[:n_first, n_first:].T
    matrix[n_first:, n_first:] = np.kron(products[n_first:, n_first:], hessian)
    return matrix


def _collapsed_gauss_newton(network, params, X, A1, *, hessian):
    """The blocks of the first layer need sum_n (W2 H_n W2')_ij D_ni D_nj x_n x_n', for any k.

    Each pair of hidden units is summed once, and so is each pair of inputs, if they are few.
    Of wide rows pairs of inputs would be too many to keep, and products of matrices as fast.
    """
    n, f, h, k = len(A1), network.n_features, network.n_hidden, network.n_outputs
    n_first = network.n_first
    _, _, W2, _ = network.unpack(params)
    D = ACTIVATIONS[network.activation].derivative(A1, out=np.empty_like(A1))
    Xd = dense(X)
    Ad = np.column_stack([A1, np.ones(n, A1.dtype)])
    WH = D[:, :, None] * (W2 @ hessian)  # (n, h, k): D_j (W2 H)_jc
    matrix = np.empty((network.n_params, network.n_params), params.dtype)
    first = matrix[:n_first, :n_first].reshape(f + 1, h, f + 1, h)
    cross = matrix[:n_first, n_first:].reshape(f + 1, h, h + 1, k)
    output = matrix[n_first:, n_first:].reshape(h + 1, k, h + 1, k)
    pairs = pairs_of_columns(Xd) if f + 1 <= MANY_INPUTS * h else None
    for i in range(h):  # the upper triangle of the hidden units, j >= i
        M = WH[:, i] @ W2[i:].T
        M *= D[:, i:]  # D_i (W2 H W2')_ij D_j
        block = outer_products(Xd, M, pairs)  # sum_n x_n x_n' M_nj
        first[:, i, :, i:], first[:, i:, :, i] = block, block.transpose(0, 2, 1)
    for c in range(k):
        weighted = Xd[:, :, None] * WH[:, None, :, c]
        cross[:, :, :, c] = (weighted.reshape(n, -1).T @ Ad).reshape(f + 1, h, h + 1)
        for d in range(c, k):
            output[:, c, :, d] = Ad.T @ (Ad * hessian[:, c, d, None])
            output[:, d, :, c] = output[:, c, :, d]
    matrix[n_first:, :n_first] = matrix[:n_first, n_first:].T
    return matrix
