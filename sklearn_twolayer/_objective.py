"""The objective: sum over rows, divide once, penalise once.

    F(params) = (1 / S) sum_i s_i loss_i  +  1/2 sum_j penalty_j params_j^2

with S = sum_i s_i. ``penalty`` (p,) holds alpha for the entries of W1 and W2 and
zero for the biases, or what the evidence has found for the group of each parameter.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

#: A row that determines its own prediction has leverage 1 and no prediction without it.
MAX_LEVERAGE = 0.95


def penalty_groups(network, per_input=False):
    """Group (p,) of each parameter: W1 (or each of its rows), b1, W2 and b2."""
    groups = np.empty(network.n_params, int)
    W1, b1, W2, b2 = network.unpack(groups)
    W1[...] = np.arange(network.n_features)[:, None] if per_input else 0
    n_first = network.n_features if per_input else 1
    b1[...], W2[...], b2[...] = n_first, n_first + 1, n_first + 2
    return groups


def fixed_penalty(alpha):
    """Penalty of W1, b1, W2 and b2; zero where a strategy is to choose it."""
    alpha = 0.0 if isinstance(alpha, str) else alpha
    return np.array([alpha, 0.0, alpha, 0.0])


@dataclass(frozen=True)
class Objective:
    """F of one network, one loss and one penalty; the rows arrive with each evaluation.

    Every ``_block_*`` method is a function of one block, so that it can run on
    another thread or another machine. They compute with the network's tanh form.
    """

    network: object
    loss: object
    penalty: np.ndarray

    def value(self, params, rows):
        """F(params): a forward pass."""
        block = partial(self._block_loss, self._incoming(params, rows))
        (loss,) = rows.sum(block)
        return self._value(loss, params, rows)

    def raw_prediction(self, params, rows):
        """Z2 (n, k) of the rows."""
        return rows.map(self.block_raw_prediction(params, rows))

    def block_raw_prediction(self, params, rows):
        """The block function behind ``raw_prediction``."""
        return partial(self._block_raw_prediction, self._incoming(params, rows))

    def loss_and_gradient(self, params, rows):
        """F(params) and dF/dparams (p,): a forward pass and backprop."""
        block = partial(self._block_loss_and_gradient, self._incoming(params, rows))
        loss, gradient = rows.sum(block)
        gradient = self._outgoing_gradient(gradient, rows) / rows.weight_of_blocks
        return self._value(loss, params, rows), gradient + self.penalty * params

    def gauss_newton(self, params, rows):
        """F, dF/dparams and the Gauss-Newton matrix (p, p) of F."""
        block = partial(self._block_gauss_newton, self._incoming(params, rows))
        loss, gradient, matrix = rows.sum(block)
        gradient = self._outgoing_gradient(gradient, rows) / rows.weight_of_blocks
        matrix = self._outgoing_matrix(matrix, rows) / rows.weight_of_blocks
        matrix[np.diag_indices_from(matrix)] += self.penalty
        value = self._value(loss, params, rows)
        return value, gradient + self.penalty * params, matrix

    def acceleration(self, params, v, rows):
        """J' H times the second directional derivative of Z2 along v, over the rows, / S."""
        block = partial(
            self._block_acceleration, self._incoming(params, rows), self._incoming(v, rows)
        )
        (gradient,) = rows.sum(block)
        return self._outgoing_gradient(gradient, rows) / rows.weight_of_blocks

    def root_gauss_newton(self, params, rows):
        """B (n k, p) with B'B the Gauss-Newton matrix of the data term of F.

        The rows of B are those of sqrt(s_i H_i / S) J_i: what the dual form of
        Levenberg-Marquardt needs where n k < p.
        """
        root = rows.map(partial(self._block_root, self._incoming(params, rows)))
        root = root.reshape(-1, self.network.n_params) / np.sqrt(rows.weight_of_blocks)
        return self._outgoing_gradient(root.T, rows).T

    def leave_one_out_loss(self, params, rows, factor, inflation):
        """Mean loss of the rows, each predicted by the linearised network without it.

        Parameters
        ----------
        factor : DenseFactor or LowRankFactor
            Of the curvature G of F at ``params``.
        inflation : float
            Factor on the leverage of a row.
        """
        return self.leave_one_out_mean(params, rows, factor, inflation, self._row_loss)

    def _row_loss(self, y, Z2, V):
        return self.loss.loss_and_delta(y, Z2)[0]

    def leave_one_out_mean(self, params, rows, factor, inflation, row_function):
        """Mean of ``row_function(y, Z2, V)`` over rows predicted without themselves.

        Leaving out one copy of row i moves its raw prediction from Z2 to
        Z2 + V (I - H V)^-1 delta, where V = J G^-1 J' / S is what the row itself
        adds to the fit (Rad & Maleki 2020, "A scalable estimate of the
        out-of-sample prediction error via approximate leave-one-out").
        """
        block = partial(
            self._block_leave_one_out,
            self._incoming(params, rows),
            factor,
            inflation / rows.total_weight,
            row_function,
            _raw_standardization(rows),
        )
        (total,) = rows.sum(block)
        return total / rows.weight_of_blocks

    def batch_gradient(self, params, rows, batch):
        """Unbiased estimate of dF/dparams from a mini-batch (X, y, weight) of the rows.

        It is in the network's workspace: it holds until the next evaluation.
        """
        _, gradient = self._block_loss_and_gradient(self._incoming(params, rows), *batch)
        gradient = self._outgoing_gradient(gradient, rows)
        gradient *= rows.n_rows / (batch[0].shape[0] * rows.weight_of_blocks)
        penalty = self.penalty.astype(params.dtype)
        penalty *= params
        gradient += penalty
        return gradient

    def _block_loss_and_gradient(self, params, X, y, weight):
        """Weighted sums over one block of the loss and of its gradient."""
        Z2, A1 = self.network.tanh_form.forward(params, X)
        loss, delta = self._weighted(*self.loss.loss_and_delta(y, Z2), weight)
        return loss, self.network.tanh_form.backward(params, X, A1, delta)

    def _value(self, loss, params, rows):
        return float(loss) / rows.weight_of_blocks + 0.5 * float(self.penalty @ params**2)

    def _block_raw_prediction(self, params, X, y, weight):
        return self.network.tanh_form.forward(params, X)[0]

    def _block_loss(self, params, X, y, weight):
        Z2, _ = self.network.tanh_form.forward(params, X)
        return (self._weighted(*self.loss.loss_and_delta(y, Z2), weight)[0],)

    def _block_gauss_newton(self, params, X, y, weight):
        Z2, A1 = self.network.tanh_form.forward(params, X)
        loss, delta = self._weighted(*self.loss.loss_and_delta(y, Z2), weight)
        hessian = self.loss.hessian(Z2)
        if weight is not None:
            hessian *= weight[:, None, None]
        matrix = self.network.tanh_form.gauss_newton(params, X, A1, hessian)
        return loss, self.network.tanh_form.backward(params, X, A1, delta), matrix

    def _block_acceleration(self, params, v, X, y, weight):
        Z2, A1 = self.network.tanh_form.forward(params, X)
        second = self.network.tanh_form.second_directional_derivative(params, v, X, A1)
        hessian = self.loss.hessian(Z2)
        if weight is not None:
            hessian *= weight[:, None, None]
        delta = np.einsum("ncd,nd->nc", hessian, second)
        return (self.network.tanh_form.backward(params, X, A1, delta),)

    def _block_root(self, params, X, y, weight):
        Z2, A1 = self.network.tanh_form.forward(params, X)
        root = _symmetric_root(self.loss.hessian(Z2))
        if weight is not None:
            root *= np.sqrt(weight)[:, None, None]
        return root @ self.network.tanh_form.jacobian(params, X, A1)

    def _block_leave_one_out(
        self, params, factor, scale, row_function, standardization, X, y, weight
    ):
        Z2, A1 = self.network.tanh_form.forward(params, X)
        J = self.network.tanh_form.jacobian(params, X, A1)
        columns = J.reshape(-1, J.shape[2]).T
        J = self.unfold_gradient(columns, standardization).T.reshape(J.shape)
        V = scale * factor.covariance(J)
        _, delta = self.loss.loss_and_delta(y, Z2)
        Z2 = Z2 + leave_one_out_shift(V, self.loss.hessian(Z2), delta)
        values = row_function(y, Z2, V)
        weight = np.ones(len(values)) if weight is None else weight
        return (weight @ values,)

    @staticmethod
    def _weighted(loss, delta, weight):
        if weight is None:
            return loss.sum(dtype=np.float64), delta
        delta *= weight[:, None]
        return loss @ weight.astype(np.float64), delta

    def _incoming(self, params, rows):
        """Params for the blocks, in tanh form; for raw sparse blocks folded before."""
        params = params.astype(rows.dtype)
        if rows.is_sparse:
            first = self.network.first_layer(params)
            first[...] = rows.standardization.fold_first(first)
        return self.network.to_tanh_form(params)

    def _outgoing_gradient(self, gradient, rows):
        """Adjoint of ``_incoming``, for a gradient (p,) or for columns (p, m); overwrites them."""
        return self.unfold_gradient(gradient, _raw_standardization(rows))

    def _outgoing_matrix(self, matrix, rows):
        return self._outgoing_gradient(self._outgoing_gradient(matrix, rows).T, rows)

    def unfold_gradient(self, gradient, standardization):
        """Gradients (p,) or (p, m) of blocks -> in the network's weights, on standardised rows.

        ``standardization`` is the one that the blocks lack. Overwrites the gradients.
        """
        gradient = self.network.from_tanh_form(gradient)
        if standardization is None:
            return gradient
        n_first = self.network.n_first
        shape = (self.network.n_features + 1, -1)
        first = standardization.fold_first_gradient(gradient[:n_first].reshape(shape))
        return np.concatenate([first.reshape(n_first, *gradient.shape[1:]), gradient[n_first:]])


def _raw_standardization(rows):
    """The standardisation that the blocks of the rows still lack: that of sparse rows."""
    return rows.standardization if rows.is_sparse else None


def _symmetric_root(hessian):
    """R (n, k, k) with R'R = hessian, from its eigenvalues."""
    eigenvalues, vectors = np.linalg.eigh(hessian)
    return np.sqrt(np.maximum(eigenvalues, 0))[:, :, None] * np.swapaxes(vectors, 1, 2)


def leave_one_out_shift(V, hessian, delta):
    """V (I - H V)^-1 delta (n, k), with the leverages, the eigenvalues of H V, below 0.95.

    With R'R = H it is V (delta + R' (I - R V R')^-1 R V delta).
    """
    R = _symmetric_root(hessian)
    leverage, vectors = np.linalg.eigh(R @ V @ R.transpose(0, 2, 1))
    delta = delta[:, :, None]
    inner = vectors.transpose(0, 2, 1) @ (R @ (V @ delta))
    inner /= 1 - np.minimum(leverage, MAX_LEVERAGE)[:, :, None]
    return (V @ (delta + R.transpose(0, 2, 1) @ (vectors @ inner)))[:, :, 0]
