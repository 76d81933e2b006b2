"""The objective: sum over rows, divide once, penalise once.

    F(params) = (1 / S) sum_i s_i loss_i  +  1/2 sum_g alpha_g |w_g|^2,     S = sum_i s_i

``MeanLoss`` is the first term and owns no penalty; ``Penalty`` is the second;
``PenalisedLoss`` adds them for every solver. ``loss_and_gradient`` of the estimators writes the
formula out again, to be read.
"""

from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from sklearn_twolayer._network.activations import TANH_IS_FAST
from sklearn_twolayer._network.backprop import (
    TwoLayerNetwork,
    directional_derivative,
    gauss_newton,
    jacobian,
    second_directional_derivative,
)
from sklearn_twolayer._network.curvature import DenseCurvature, LowRankCurvature
from sklearn_twolayer._network.losses import symmetric_root
from sklearn_twolayer._network.products import dense, inner_products, one_output_gradient
from sklearn_twolayer._network.root import Root
from sklearn_twolayer._network.scale import RawForm, TanhForm

#: A smaller matrix is factorised before NumPy has begun with the many products of its root; and
#: with more residuals for each weight the matrix of the residuals is too large to pay
#: (docs/choices.md).
SMALL_MATRIX, FEW_RESIDUALS = 128, 0.8


def penalty_groups(network, per_input=False):
    """Group (p,) of each parameter: W1 (or each of its rows), b1, W2 and b2."""
    groups = np.empty(network.n_params, int)
    W1, b1, W2, b2 = network.unpack(groups)
    W1[...] = np.arange(network.n_features)[:, None] if per_input else 0
    n_first = network.n_features if per_input else 1
    b1[...], W2[...], b2[...] = n_first, n_first + 1, n_first + 2
    return groups


@dataclass(frozen=True)
class Penalty:
    """1/2 sum_g alpha_g |w_g|^2: the group (p,) of each weight, the alpha (G,) of each group."""

    groups: np.ndarray
    strengths: np.ndarray
    of_inputs: tuple = ()  # (f,) how many times that of W1 each input has, if that was asked

    @classmethod
    def fixed(cls, network, alpha, ratio=1.0, of_inputs=()):
        """The penalty of W1 and W2: their alpha has this geometric mean and the ratio a1 / a2.

        The row of W1 of each input has ``of_inputs`` (f,) times that of W1, if they are given.
        """
        root, groups = np.sqrt(ratio), penalty_groups(network, per_input=len(of_inputs) > 0)
        first = alpha * root * np.array(of_inputs if len(of_inputs) else (1.0,))
        return cls(groups, np.array([*first, 0.0, alpha / root, 0.0]), tuple(of_inputs))

    @classmethod
    def of(cls, network, strengths):
        """The penalty with an alpha for W1 or for each of its rows, for b1, W2 and b2."""
        per_input = len(strengths) == network.n_features + 3
        return cls(penalty_groups(network, per_input), strengths)

    @cached_property
    def per_weight(self):
        """The alpha (p,) of each weight."""
        return self.strengths[self.groups]

    @cached_property
    def units(self):
        """Units (p,) of the weights in which those of all inputs cost alike; 1 if they do anyway.

        Next to weights that cost a thousand times as much L-BFGS would take long for the others.
        While the evidence changes penalties it is better off without (docs/choices.md).
        """
        if not self.of_inputs:
            return 1.0
        units, times = np.ones(len(self.strengths)), np.array(self.of_inputs)
        units[:-3] = (np.median(times) / times) ** 0.5
        return units[self.groups]

    def value(self, params):
        """The penalty of ``params``."""
        return 0.5 * float(self.per_weight @ params**2)


class MeanLoss:
    """(1 / S) sum_i s_i loss_i over the rows, as a function of the weights ``params`` (p,).

    The rows have been entered by the caller. Blocks of a textbook run ``network.forward`` and
    ``network.backward`` as they stand. Otherwise logistic units are computed as tanh units where
    these cost less, in float32 with AVX-512, and the gradient of one output is cut short: the
    same numbers, but for rounding, in less time. There are ``copies`` rows for each distinct one,
    of which statistics count one, as noise is no less in copies: ``distinct_weight`` is S over
    ``copies``.

    Functions of one block run on other threads, and on other machines, which get no rows with it.
    """

    def __init__(self, network, loss, rows, is_textbook=False, *, copies=1.0):
        self.network = network
        self.loss = loss
        self.rows = rows
        self.distinct_weight = rows.total_weight / copies
        self._forms = []  # changes of variables, in the order in which they are applied
        self._inner = network  # what the blocks compute with
        self._standardized = dense  # a block as ``network`` itself needs it
        if rows.is_sparse and rows.standardization is not None:
            self._standardized = rows.standardization.apply_block
            self._forms.append(RawForm(network, rows.standardization))
        tanh_pays = network.activation == "logistic" and rows.dtype == np.float32 and TANH_IS_FAST
        if tanh_pays and not is_textbook:
            self._forms.append(TanhForm(network))
            shape = network.n_features, network.n_hidden, network.n_outputs
            self._inner = TwoLayerNetwork(*shape, "tanh")
        self._backward = self._inner.backward
        is_wide = network.n_features < network.n_hidden and not rows.is_sparse
        if is_wide and network.n_outputs == 1 and not is_textbook:
            self._backward = partial(one_output_gradient, network=self._inner)
        self._point = None

    def __getstate__(self):
        """Return what block functions take along to other machines: everything but the rows."""
        return {**vars(self), "rows": None, "_point": None}

    def incoming(self, params):
        """Weights as the blocks need them: a changed copy (p,) in the dtype of the rows."""
        params = params.astype(self.rows.dtype)
        for form in self._forms:
            params = form.apply(params)
        return params

    def _outgoing(self, gradient):
        """Apply the adjoint of ``incoming`` to a gradient (p,), or columns (p, m), overwritten."""
        for form in reversed(self._forms):
            gradient = form.adjoint(gradient)
        return gradient

    def value(self, params):
        """The mean loss: a forward pass."""
        incoming = self.incoming(params)

        def block(X, y, weight):
            Z2, _ = self._inner.forward(incoming, X)
            return (weighted(*self.loss.loss_and_delta(y, Z2), weight)[0],)

        (loss,) = self.rows.sum(block)
        return float(loss) / self.rows.weight_of_blocks

    def value_and_gradient(self, params):
        """The mean loss and its gradient (p,): a forward pass and backprop."""
        loss, gradient = self.rows.sum(partial(self._loss_and_gradient, self.incoming(params)))
        S = self.rows.weight_of_blocks
        return float(loss) / S, self._outgoing(gradient) / S

    def batch_gradient(self, params, batch):
        """Unbiased estimate of the gradient from a mini-batch (X, y, weight); in the workspace."""
        _, gradient = self._loss_and_gradient(self.incoming(params), *batch)
        gradient = self._outgoing(gradient)
        gradient *= self.rows.n_rows / (batch[0].shape[0] * self.rows.weight_of_blocks)
        return gradient

    def _loss_and_gradient(self, incoming, X, y, weight):
        """Weighted sums over one block of the loss and of its gradient."""
        Z2, A1 = self._inner.forward(incoming, X)
        loss, delta = weighted(*self.loss.loss_and_delta(y, Z2), weight)
        return loss, self._backward(incoming, X, A1, delta)

    def quadratic(self, params, average=None):
        """The mean loss, its gradient (p,) and its Gauss-Newton curvature, without a penalty.

        The rows are read once for each point: while only the penalty changes what is here is kept.
        The curvature is a matrix (p, p), or its root where that is cheaper. Its Hessians are those
        of the loss, or an ``average(Z2, J)`` (n, k, k) of them.
        """
        is_known = self._point is not None and self._point[0] is average
        if not is_known or not np.array_equal(self._point[1], params):
            n_residuals, p = self.rows.n_rows * self.network.n_outputs, self.network.n_params
            free = np.zeros(p)
            if p > SMALL_MATRIX and n_residuals < FEW_RESIDUALS * p:
                loss, gradient = self.value_and_gradient(params)
                curvature = LowRankCurvature(self.root(params, average), free)
            else:
                loss, gradient, matrix = self.gauss_newton(params, average)
                curvature = DenseCurvature(matrix, free)
            self._point = average, params.copy(), loss, gradient, curvature
        return self._point[2:]

    def gauss_newton(self, params, average=None):
        """The mean loss, its gradient (p,) and its Gauss-Newton matrix (p, p)."""
        incoming = self.incoming(params)

        def block(X, y, weight):
            Z2, A1 = self._inner.forward(incoming, X)
            loss, delta = weighted(*self.loss.loss_and_delta(y, Z2), weight)
            if average is None:
                hessian = self.loss.hessian(Z2)
            else:
                hessian = average(Z2, self._jacobian(incoming, X, A1))
            of_block = self._inner, incoming, X, A1
            matrix = gauss_newton(*of_block, hessian=hessian, weight=weight)
            return loss, self._backward(incoming, X, A1, delta), matrix

        loss, gradient, matrix = self.rows.sum(block)
        S = self.rows.weight_of_blocks
        matrix = self._outgoing(self._outgoing(matrix).T)
        return float(loss) / S, self._outgoing(gradient) / S, matrix / S

    def root(self, params, average=None):
        """The root B (n k, p) of the Gauss-Newton matrix B'B, layer by layer.

        The rows of B are those of sqrt(s_i H_i / S) J_i.
        """
        network, params = self.network, params.astype(self.rows.dtype)

        def block(X, y, weight):  # [X 1], A1 and sqrt(s_i H_i) side by side
            X = self._standardized(X)
            Z2, A1 = network.forward(params, X)
            if average is None:
                hessian = self.loss.hessian(Z2)
            else:
                hessian = average(Z2, jacobian(network, params, X, A1))
            R = np.broadcast_to(symmetric_root(hessian), (len(A1), *hessian.shape[1:]))
            if weight is not None:
                R = R * np.sqrt(weight)[:, None, None]
            return np.hstack([X, A1, R.reshape(len(R), -1)])

        f, k = network.n_features, network.n_outputs
        collected = self.rows.map(block).astype(np.float64, copy=False)
        X, A1, R = collected[:, : f + 1], collected[:, f + 1 : -k * k], collected[:, -k * k :]
        R = R.reshape(-1, k, k) / np.sqrt(self.rows.weight_of_blocks)
        return Root.of_network(network, params, X, A1, root=R)

    def pulled_back(self, derivative, params, v):
        """J' H d (p,) over the rows, / S, with a ``derivative`` d (n, k) of Z2 along v.

        With d = J v it is the product of the Gauss-Newton matrix and v, forward along v and then
        backward; with the second derivative an acceleration.
        """
        incoming, v = self.incoming(params), self.incoming(v)

        def block(X, y, weight):
            Z2, A1 = self._inner.forward(incoming, X)
            along = derivative(self._inner, incoming, v, X, A1=A1)
            delta = np.einsum("ncd,nd->nc", self.loss.hessian(Z2), along)
            if weight is not None:
                delta *= weight[:, None]
            return (self._backward(incoming, X, A1, delta),)

        (gradient,) = self.rows.sum(block)
        return self._outgoing(gradient) / self.rows.weight_of_blocks

    def squares(self, params):
        """sum_i s_i r_ic^2 (k,) of the residuals r = A2 - y of each output, one of each copy."""
        incoming = self.incoming(params)

        def block(X, y, weight):
            residual = self.loss.predict(self._inner.forward(incoming, X)[0]) - y
            weight = np.ones(len(y)) if weight is None else weight
            return (weight @ residual**2,)

        (sums,) = self.rows.sum(block)
        return sums * (self.distinct_weight / self.rows.weight_of_blocks)

    def residual_products(self, params):
        """sum_i s_i r_i r_i' (k, k) of the residuals, over the rows of the blocks."""
        incoming = self.incoming(params)

        def block(X, y, weight):
            residual = self.loss.predict(self._inner.forward(incoming, X)[0]) - y
            return (inner_products(residual, weight),)

        (sums,) = self.rows.sum(block)
        return sums

    def block_raw_prediction(self, params):
        """Z2 (n, k), as a function of a block."""
        return partial(self._forward_block, self.incoming(params))

    def _forward_block(self, incoming, X, y, weight):
        return self._inner.forward(incoming, X)[0]

    def linearised(self, block_params, X):
        """Z2 (n, k) and J (n, k, p) = d Z2 / d params of a block; in the network's workspace.

        ``block_params`` are ``incoming(params)``, J is with respect to ``params``.
        """
        Z2, A1 = self._inner.forward(block_params, X)
        return Z2, self._jacobian(block_params, X, A1)

    def _jacobian(self, block_params, X, A1):
        J = jacobian(self._inner, block_params, X, A1)
        columns = self._outgoing(J.reshape(-1, J.shape[2]).T)
        return columns.T.reshape(J.shape)


def weighted(loss, delta, weight):
    """Sum (float) of the loss of the rows, and delta (n, k), times their weights."""
    if weight is None:
        return loss.sum(dtype=np.float64), delta
    delta *= weight[:, None]
    return loss @ weight.astype(np.float64), delta


@dataclass(frozen=True)
class PenalisedLoss:
    """F = mean loss + penalty: what every solver minimises.

    Steps of Levenberg-Marquardt bend where F is below ``bends_below``.
    """

    mean_loss: MeanLoss
    penalty: Penalty
    bends_below: float = 0.0

    def value(self, params):
        """F(params)."""
        return self.mean_loss.value(params) + self.penalty.value(params)

    def value_and_gradient(self, params):
        """F(params) and dF/dparams (p,)."""
        loss, gradient = self.mean_loss.value_and_gradient(params)
        return loss + self.penalty.value(params), gradient + self.penalty.per_weight * params

    def batch_gradient(self, params, batch):
        """``MeanLoss.batch_gradient``, and the whole gradient of the penalty."""
        gradient = self.mean_loss.batch_gradient(params, batch)
        penalty = self.penalty.per_weight.astype(params.dtype)
        penalty *= params
        gradient += penalty
        return gradient

    def quadratic(self, params):
        """F(params), dF/dparams (p,) and the curvature of F."""
        loss, gradient, curvature = self.mean_loss.quadratic(params)
        alpha = self.penalty.per_weight
        value = loss + self.penalty.value(params)
        return value, gradient + alpha * params, replace(curvature, penalties=alpha)

    def largest_curvature(self, params, n_iter=20):
        """The largest eigenvalue of the Gauss-Newton matrix G of F, from below.

        By power iteration: v <- G v / |v|. It starts along W2, whatever the order of the units
        and outputs.
        """
        network, v = self.mean_loss.network, np.zeros(len(params))
        network.unpack(v)[2][...] = network.unpack(params)[2]
        eigenvalue = float(np.linalg.norm(v))
        for _ in range(n_iter):
            if not eigenvalue > 0:
                break
            v = v / eigenvalue
            Gv = self.mean_loss.pulled_back(directional_derivative, params, v)
            v = Gv + self.penalty.per_weight * v
            eigenvalue = float(np.linalg.norm(v))
        return eigenvalue

    def acceleration(self, params, v):
        """Second directional derivative of Z2 along v, pulled back to the weights (p,)."""
        return self.mean_loss.pulled_back(second_directional_derivative, params, v)
