"""The objective: sum over rows, divide once, penalise once.

    F(params) = (1 / S) sum_i s_i loss_i  +  1/2 sum_g alpha_g |w_g|^2,     S = sum_i s_i

``MeanLoss`` is the first term and owns no penalty; ``Penalty`` is the second;
``PenalisedLoss`` adds them for every solver. ``loss_and_gradient`` of the estimators writes the
formula out again, to be read.
"""

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from sklearn_twolayer._network import second_order
from sklearn_twolayer._network.curvature import DenseCurvature, LowRankCurvature
from sklearn_twolayer._network.losses import symmetric_root
from sklearn_twolayer._network.products import dense, inner_products, one_output_gradient
from sklearn_twolayer._network.root import Root
from sklearn_twolayer._network.scale import RawForm, TanhForm, tanh_form_pays

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

    @classmethod
    def fixed(cls, network, alpha, ratio=1.0):
        """The penalty of W1 and W2: their alpha has this geometric mean and the ratio a1 / a2."""
        root = np.sqrt(ratio)
        return cls(penalty_groups(network), np.array([alpha * root, 0.0, alpha / root, 0.0]))

    @classmethod
    def of(cls, network, strengths):
        """The penalty with an alpha for W1 or for each of its rows, for b1, W2 and b2."""
        per_input = len(strengths) == network.n_features + 3
        return cls(penalty_groups(network, per_input), strengths)

    @cached_property
    def per_weight(self):
        """The alpha (p,) of each weight."""
        return self.strengths[self.groups]

    def value(self, params):
        """The penalty of ``params``."""
        return 0.5 * float(self.per_weight @ params**2)


class MeanLoss:
    """(1 / S) sum_i s_i loss_i over the rows, as a function of the weights ``params`` (p,).

    The rows have been entered by the caller. Blocks of a textbook run ``network.forward`` and
    ``network.backward`` as they stand. Otherwise logistic units are computed as tanh units, and the
    gradient of one output is cut short: the same numbers, but for rounding, in less time. There are
    ``copies`` rows for each distinct one, of which statistics count one, as noise is no less in
    copies: ``distinct_weight`` is S over ``copies``.

    The ``_block_*`` methods are functions of one block, with weights that have gone through
    ``incoming``, so that they can run on another thread or another machine.
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
        if tanh_form_pays(network, rows.dtype) and not is_textbook:
            self._forms.append(TanhForm(network))
            self._inner = self._forms[-1].network
        self._backward = self._inner.backward
        is_wide = network.n_features < network.n_hidden and not rows.is_sparse
        if is_wide and network.n_outputs == 1 and not is_textbook:
            self._backward = partial(one_output_gradient, network=self._inner)
        self._average = None
        self._point = None

    def __getstate__(self):
        """What block functions take along to other machines: everything but the rows."""
        return {**vars(self), "rows": None, "_point": None}

    def incoming(self, params):
        """Weights as the blocks need them: a changed copy (p,) in the dtype of the rows."""
        params = params.astype(self.rows.dtype)
        for form in self._forms:
            params = form.apply(params)
        return params

    def _outgoing(self, gradient):
        """Adjoint of ``incoming``: a gradient (p,), or columns (p, m), which it overwrites."""
        for form in reversed(self._forms):
            gradient = form.adjoint(gradient)
        return gradient

    def averaged(self, average):
        """The same mean loss, whose curvature has the Hessians ``average(Z2, J)`` (n, k, k)."""
        other = copy(self)
        other.rows, other._average = self.rows, average  # a copy goes without rows
        return other

    def hessian(self, Z2, jacobian):
        """H (n, k, k) of a block, by the loss or by an average, which needs ``jacobian()``."""
        return self.loss.hessian(Z2) if self._average is None else self._average(Z2, jacobian())

    def value(self, params):
        """The mean loss: a forward pass."""
        (loss,) = self.rows.sum(partial(self._block_loss, self.incoming(params)))
        return float(loss) / self.rows.weight_of_blocks

    def value_and_gradient(self, params):
        """The mean loss and its gradient (p,): a forward pass and backprop."""
        block = partial(self._block_loss_and_gradient, self.incoming(params))
        loss, gradient = self.rows.sum(block)
        S = self.rows.weight_of_blocks
        return float(loss) / S, self._outgoing(gradient) / S

    def batch_gradient(self, params, batch):
        """Unbiased estimate of the gradient from a mini-batch (X, y, weight) of the rows.

        It is in the network's workspace: it holds until the next evaluation.
        """
        _, gradient = self._block_loss_and_gradient(self.incoming(params), *batch)
        gradient = self._outgoing(gradient)
        gradient *= self.rows.n_rows / (batch[0].shape[0] * self.rows.weight_of_blocks)
        return gradient

    def quadratic(self, params):
        """The mean loss, its gradient (p,) and its Gauss-Newton curvature, without a penalty.

        The rows are read once for each point: while only the penalty changes, as it
        does when the evidence is maximised, what is here is kept. The curvature is a matrix
        (p, p), or its root where that is cheaper.
        """
        if self._point is None or not np.array_equal(self._point[0], params):
            n_residuals, p = self.rows.n_rows * self.network.n_outputs, self.network.n_params
            free = np.zeros(p)
            if p > SMALL_MATRIX and n_residuals < FEW_RESIDUALS * p:
                loss, gradient = self.value_and_gradient(params)
                curvature = LowRankCurvature(self.root(params), free)
            else:
                loss, gradient, matrix = self.gauss_newton(params)
                curvature = DenseCurvature(matrix, free)
            self._point = params.copy(), loss, gradient, curvature
        return self._point[1:]

    def gauss_newton(self, params):
        """The mean loss, its gradient (p,) and its Gauss-Newton matrix (p, p)."""
        block = partial(self._block_gauss_newton, self.incoming(params))
        loss, gradient, matrix = self.rows.sum(block)
        S = self.rows.weight_of_blocks
        matrix = self._outgoing(self._outgoing(matrix).T)
        return float(loss) / S, self._outgoing(gradient) / S, matrix / S

    def root(self, params):
        """The root B (n k, p) of the Gauss-Newton matrix B'B, layer by layer.

        The rows of B are those of sqrt(s_i H_i / S) J_i: what the dual form of
        Levenberg-Marquardt needs where n k < p.
        """
        f, k = self.network.n_features, self.network.n_outputs
        params = params.astype(self.rows.dtype)
        collected = self.rows.map(partial(self._block_root, params)).astype(np.float64, copy=False)
        X, A1, R = collected[:, : f + 1], collected[:, f + 1 : -k * k], collected[:, -k * k :]
        R = R.reshape(-1, k, k) / np.sqrt(self.rows.weight_of_blocks)
        return Root.of_network(self.network, params, X, A1, root=R)

    def pulled_back(self, derivative, params, v):
        """J' H d (p,) over the rows, / S, with a ``derivative`` d (n, k) of Z2 along v.

        That of first order, d = J v, makes it the product of the Gauss-Newton matrix and v,
        forward along v and then backward; that of second order is an acceleration.
        """
        block = partial(self._block_pulled_back, derivative, self.incoming(params))
        (gradient,) = self.rows.sum(partial(block, v=self.incoming(v)))
        return self._outgoing(gradient) / self.rows.weight_of_blocks

    def squares(self, params):
        """sum_i s_i r_ic^2 (k,) of the residuals r = A2 - y of each output, one of each copy."""
        (sums,) = self.rows.sum(partial(self._block_squares, self.incoming(params)))
        return sums * (self.distinct_weight / self.rows.weight_of_blocks)

    def residual_products(self, params):
        """sum_i s_i r_i r_i' (k, k) of the residuals, over the rows of the blocks."""
        (sums,) = self.rows.sum(partial(self._block_products, self.incoming(params)))
        return sums

    def block_raw_prediction(self, params):
        """Z2 (n, k), as a function of a block."""
        return partial(forward_block, self._inner, params=self.incoming(params))

    def linearised(self, block_params, X):
        """Z2 (n, k) and J (n, k, p) = d Z2 / d params of a block; in the network's workspace.

        ``block_params`` are ``incoming(params)``, J is with respect to ``params``.
        """
        Z2, A1 = self._inner.forward(block_params, X)
        return Z2, self._jacobian(block_params, X, A1)

    def _jacobian(self, block_params, X, A1):
        J = second_order.jacobian(self._inner, block_params, X, A1)
        columns = self._outgoing(J.reshape(-1, J.shape[2]).T)
        return columns.T.reshape(J.shape)

    def _block_squares(self, params, X, y, weight):
        weight = np.ones(len(y)) if weight is None else weight
        return (weight @ self._block_residual(params, X, y) ** 2,)

    def _block_products(self, params, X, y, weight):
        return (inner_products(self._block_residual(params, X, y), weight),)

    def _block_residual(self, params, X, y):
        return self.loss.predict(self._inner.forward(params, X)[0]) - y

    def _block_loss(self, params, X, y, weight):
        Z2, _ = self._inner.forward(params, X)
        return (weighted(*self.loss.loss_and_delta(y, Z2), weight)[0],)

    def _block_loss_and_gradient(self, params, X, y, weight):
        """Weighted sums over one block of the loss and of its gradient."""
        Z2, A1 = self._inner.forward(params, X)
        loss, delta = weighted(*self.loss.loss_and_delta(y, Z2), weight)
        return loss, self._backward(params, X, A1, delta)

    def _block_gauss_newton(self, params, X, y, weight):
        Z2, A1 = self._inner.forward(params, X)
        loss, delta = weighted(*self.loss.loss_and_delta(y, Z2), weight)
        hessian = self.hessian(Z2, partial(self._jacobian, params, X, A1))
        if weight is not None:
            hessian *= weight[:, None, None]
        matrix = second_order.gauss_newton(self._inner, params, X, A1, hessian=hessian)
        return loss, self._backward(params, X, A1, delta), matrix

    def _block_pulled_back(self, derivative, params, *block, v):
        X, _, weight = block
        Z2, A1 = self._inner.forward(params, X)
        along = derivative(self._inner, params, v, X, A1=A1)
        delta = np.einsum("ncd,nd->nc", self.loss.hessian(Z2), along)
        if weight is not None:
            delta *= weight[:, None]
        return (self._backward(params, X, A1, delta),)

    def _block_root(self, params, X, y, weight):
        """[X 1], A1 and sqrt(s_i H_i) of a block side by side, for ``params`` as they are."""
        X = self._standardized(X)
        Z2, A1 = self.network.forward(params, X)
        jacobian = partial(second_order.jacobian, self.network, params, X, A1)
        R = symmetric_root(self.hessian(Z2, jacobian))
        if weight is not None:
            R *= np.sqrt(weight)[:, None, None]
        return np.hstack([X, A1, R.reshape(len(R), -1)])


def forward_block(network, X, y, weight, *, params):
    """Z2 (n, k) of a block of rows."""
    return network.forward(params, X)[0]


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
            Gv = self.mean_loss.pulled_back(second_order.directional_derivative, params, v)
            v = Gv + self.penalty.per_weight * v
            eigenvalue = float(np.linalg.norm(v))
        return eigenvalue

    def acceleration(self, params, v):
        """Second directional derivative of Z2 along v, pulled back to the weights (p,)."""
        derivative = second_order.second_directional_derivative
        return self.mean_loss.pulled_back(derivative, params, v)
