"""Derivatives by central differences, and small random problems to try them on."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sklearn_twolayer._data.rows import Rows
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.losses import (
    BinaryLogLoss,
    LogisticSquaredError,
    MulticlassLogLoss,
    SquaredError,
)
from sklearn_twolayer._network.objective import MeanLoss, PenalisedLoss, Penalty
from sklearn_twolayer._network.scale import Standardization

LOSSES = (SquaredError, LogisticSquaredError, BinaryLogLoss, MulticlassLogLoss)


def directional_derivative(fun, x, direction, step=1e-3):
    """Derivative of ``fun`` at x along a direction v, by a central difference of fourth order.

    (8 (F(x + h v) - F(x - h v)) - (F(x + 2 h v) - F(x - 2 h v))) / (12 h) errs by
    h^4 F^(5) / 30 and by rounding, eps F / h: both about 1e-13 for h = 1e-3.
    """
    near = fun(x + step * direction) - fun(x - step * direction)
    far = fun(x + 2 * step * direction) - fun(x - 2 * step * direction)
    return (8 * near - far) / (12 * step)


def numerical_jacobian(fun, x, step=1e-3):
    """Jacobian d fun / d x (..., p) of an array-valued function, entry of x by entry."""
    columns = [directional_derivative(fun, x, unit, step) for unit in np.eye(len(x))]
    return np.stack(columns, axis=-1)


def check_gradient(fun, x, *, rtol=1e-9, step=1e-3, n_directions=5, seed=0):
    """Raise AssertionError unless ``fun(x) -> (value, gradient)`` returns its own gradient.

    In random directions v with all entries +-1 / sqrt(p), which leave no weight
    out, gradient @ v must equal the derivative of the value. The error is relative
    to |gradient| / sqrt(p), the typical size of gradient @ v. Use a small ``step``
    where the gradient has kinks.
    """
    _, gradient = fun(x)
    tolerance = rtol * np.linalg.norm(gradient) / np.sqrt(len(x))
    rng = np.random.default_rng(seed)
    for _ in range(n_directions):
        v = rng.choice([-1.0, 1.0], size=len(x)) / np.sqrt(len(x))
        expected = directional_derivative(lambda x: fun(x)[0], x, v, step)
        error = abs(gradient @ v - expected)
        if not error <= tolerance:  # also true of NaN
            raise AssertionError(
                f"The gradient along a direction is {gradient @ v:.12g}, by differences "
                f"{expected:.12g}: they differ by {error:.2g}, more than {tolerance:.2g}."
            )


@dataclass
class Problem:
    """A network, a loss, a penalty, data and weights: all that an objective needs."""

    network: TwoLayerNetwork
    loss: object
    penalty: Penalty
    params: np.ndarray
    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    standardization: Standardization

    def rows(self, *, block_size=10, dtype=np.float64):
        """The rows, in several blocks."""
        weight = None if self.weight is None else self.weight.astype(dtype)
        y = self.y if self.y.ndim == 1 else self.y.astype(dtype)
        return Rows(
            self.X,
            y,
            weight,
            standardization=self.standardization,
            dtype=dtype,
            block_size=block_size,
        )

    def mean_loss(self, rows, is_textbook=False):
        """The mean loss of rows, without a penalty."""
        return MeanLoss(self.network, self.loss, rows, is_textbook)

    def objective(self, rows):
        """F of rows."""
        return PenalisedLoss(self.mean_loss(rows), self.penalty)

    def value_and_gradient(self, params):
        """F(params) and dF/dparams."""
        with self.rows() as rows:
            return self.objective(rows).value_and_gradient(params)


def random_targets(loss_class, n_rows, n_outputs, rng):
    """Targets of a kind that the loss takes."""
    if loss_class is MulticlassLogLoss:
        return rng.integers(n_outputs, size=n_rows)
    if loss_class is BinaryLogLoss:
        return rng.integers(2, size=(n_rows, n_outputs)).astype(float)
    return rng.uniform(size=(n_rows, n_outputs))


def random_problem(
    loss_class=SquaredError,
    n_outputs=1,
    activation="logistic",
    *,
    is_weighted=True,
    is_sparse=False,
    alpha=0.1,
    n_rows=23,
    n_features=3,
    n_hidden=4,
    seed=1,
):
    """A ``Problem`` with weights of order 1 on data with means and scales to remove."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features)) * rng.uniform(0.5, 2, size=n_features)
    X += rng.normal(size=n_features)
    if is_sparse:
        X = sparse.csr_array(X * (rng.uniform(size=X.shape) < 0.5))
    network = TwoLayerNetwork(n_features, n_hidden, n_outputs, activation)
    return Problem(
        network=network,
        loss=loss_class(),
        penalty=Penalty.fixed(network, alpha),
        params=rng.normal(size=network.n_params),
        X=X,
        y=random_targets(loss_class, n_rows, n_outputs, rng),
        weight=rng.uniform(0.2, 2, size=n_rows) if is_weighted else None,
        standardization=Standardization(
            mean=rng.normal(size=n_features),
            scale=rng.uniform(0.5, 2, size=n_features),
            y_mean=np.zeros(n_outputs),
            y_scale=np.ones(n_outputs),
        ),
    )
