"""Losses of the raw prediction Z2: the one line in which the estimators differ.

Each loss knows its output activation A2 and offers, for a block of n rows with
k outputs,

``loss_and_delta(y, Z2)``
    loss (n,), the loss of each row, and delta (n, k) = d loss / d Z2.
``hessian(Z2)``
    (n, k, k), the positive semidefinite second derivative that Gauss-Newton
    uses: A2'(Z2)^2 times the second derivative in A2 for the squared error,
    the exact second derivative in Z2 for the log loss (its canonical link
    makes both the same). Where it is the same in all rows, (1, k, k).
``predict(Z2)``
    A2 (n, k).
``slope(Z2)``
    d A2 / d Z2 (n, k), of the losses of numbers, whose error bars and ``input_gradient`` are those
    of A2.
``log_predict(Z2)``
    ln A2 (n, k), of the log losses.
``output_activation``
    The name of the function that makes A2 of Z2.
``is_squared_error``
    Whether the residuals have a noise precision; the log loss has none.
``is_quadratic``
    Whether it is quadratic in Z2: then Z2 has the units of y, and the Hessian is that of any row.
``ignores_shift``
    Whether a number added to all raw predictions of a row changes nothing.
``mean_target(y, weight, n_outputs)``
    Weighted mean (k,) of the targets, or share of each class.
``constant(mean_target)``
    The constant raw prediction (k,) with the least loss: where to start b2.
``entropy(mean_target)``
    The loss of that constant, of the log losses.

===============================  ==========  ==========================  ====================
loss                             A2          loss per row                delta
===============================  ==========  ==========================  ====================
SquaredError                     Z2          mean_k (A2 - y)^2           2 (A2 - y) / k
SquaredError, logistic output    sigma(Z2)   mean_k (A2 - y)^2           2 (A2 - y) A2 (1 - A2) / k
BinaryLogLoss (and multilabel)   sigma(Z2)   -y ln A2 - (1-y) ln(1-A2)   A2 - y
MulticlassLogLoss                softmax     -ln A2[y]                   A2 - onehot(y)
===============================  ==========  ==========================  ====================
"""

import numpy as np
from scipy.special import entr, logit, logsumexp

from sklearn_twolayer._network.activations import logistic


def softmax(Z):
    """exp(z) / sum exp(z) over the last axis, in place."""
    Z -= Z.max(axis=-1, keepdims=True)
    np.exp(Z, out=Z)
    Z /= Z.sum(axis=-1, keepdims=True)
    return Z


def _diagonal_matrices(diagonal):
    """(n, k) -> (n, k, k) with the rows of ``diagonal`` on the diagonals."""
    return diagonal[:, :, None] * np.eye(diagonal.shape[1], dtype=diagonal.dtype)


class SquaredError:
    """Mean over the k outputs of (A2 - y)^2 with A2 = Z2."""

    output_activation = "identity"
    is_squared_error = is_quadratic = True
    ignores_shift = False

    def predict(self, Z2):
        return Z2

    def slope(self, Z2):
        """Slope d A2 / d Z2 (n, k) of the output activation."""
        return np.ones_like(Z2)

    def loss_and_delta(self, y, Z2):
        residual = Z2 - y
        delta = residual * (2 / y.shape[1])
        return 0.5 * np.einsum("nk,nk->n", residual, delta), delta

    def hessian(self, Z2):
        k = Z2.shape[1]
        return np.eye(k, dtype=Z2.dtype)[None] * (2 / k)

    def mean_target(self, y, weight, n_outputs):
        return np.average(y, axis=0, weights=weight)

    def constant(self, mean_target):
        return mean_target


class _LogisticOutput:
    """Losses with A2 = sigma(Z2)."""

    output_activation = "logistic"
    is_quadratic = ignores_shift = False

    def predict(self, Z2):
        return logistic(Z2.copy())

    def mean_target(self, y, weight, n_outputs):
        return np.average(y, axis=0, weights=weight)

    def constant(self, mean_target):
        return logit(np.clip(mean_target, 1e-6, 1 - 1e-6))  # finite where all rows agree


class LogisticSquaredError(_LogisticOutput):
    """Mean over the k outputs of (A2 - y)^2 with A2 = sigma(Z2).

    The factor g'(Z2) = A2 (1 - A2) that the log loss does not have: where the
    output saturates it vanishes, and with it the gradient.
    """

    is_squared_error = True

    def slope(self, Z2):
        """Slope d A2 / d Z2 (n, k) of the output activation."""
        A2 = self.predict(Z2)
        return A2 * (1 - A2)

    def loss_and_delta(self, y, Z2):
        A2 = self.predict(Z2)
        residual = A2 - y
        delta = residual * A2 * (1 - A2) * (2 / y.shape[1])
        return np.einsum("nk,nk->n", residual, residual) / y.shape[1], delta

    def hessian(self, Z2):
        A2 = self.predict(Z2)
        return _diagonal_matrices((A2 * (1 - A2)) ** 2 * (2 / Z2.shape[1]))


class BinaryLogLoss(_LogisticOutput):
    """-y ln A2 - (1 - y) ln(1 - A2) with A2 = sigma(Z2), summed over the labels.

    Computed as max(z, 0) - y z + ln(1 + exp(-|z|)), which neither overflows nor
    loses the small losses of confident right answers.
    """

    is_squared_error = False

    def loss_and_delta(self, y, Z2):
        loss = np.maximum(Z2, 0) - y * Z2 + np.log1p(np.exp(-np.abs(Z2)))
        return loss.sum(axis=1), self.predict(Z2) - y

    def entropy(self, mean_target):
        return float((entr(mean_target) + entr(1 - mean_target)).sum())

    def log_predict(self, Z2):
        """Return ln A2, which does not round to ln 0."""
        return -np.logaddexp(0, -Z2)

    def hessian(self, Z2):
        A2 = self.predict(Z2)
        return _diagonal_matrices(A2 * (1 - A2))


class MulticlassLogLoss:
    """-ln A2[y] with A2 = softmax(Z2); y (n,) holds the index of the class."""

    output_activation = "softmax"
    is_squared_error = is_quadratic = False
    ignores_shift = True

    def predict(self, Z2):
        return softmax(Z2.copy())

    def loss_and_delta(self, y, Z2):
        rows = np.arange(len(y))
        delta = np.array(Z2.T, order="C")  # (k, n): over few classes NumPy is slow along rows
        delta -= delta.max(axis=0)
        of_class = delta[y, rows]
        np.exp(delta, out=delta)
        total = delta.sum(axis=0)
        delta /= total
        delta[y, rows] -= 1
        return np.log(total) - of_class, delta.T

    def log_predict(self, Z2):
        """Return ln A2, which does not round to ln 0."""
        return Z2 - logsumexp(Z2, axis=1, keepdims=True)

    def entropy(self, mean_target):
        return float(entr(mean_target).sum())

    def hessian(self, Z2):
        A2 = self.predict(Z2)
        return _diagonal_matrices(A2) - A2[:, :, None] * A2[:, None, :]

    def mean_target(self, y, weight, n_outputs):
        share = np.bincount(y, weights=weight, minlength=n_outputs)
        return share / share.sum()

    def constant(self, mean_target):
        return np.log(np.maximum(mean_target, 1e-6))


def symmetric_root(hessian):
    """R (n, k, k) with R'R = hessian, from its eigenvalues."""
    if hessian.shape[1] == 1:
        return np.sqrt(np.maximum(hessian, 0))
    eigenvalues, vectors = np.linalg.eigh(hessian)
    return np.sqrt(np.maximum(eigenvalues, 0))[:, :, None] * np.swapaxes(vectors, 1, 2)
