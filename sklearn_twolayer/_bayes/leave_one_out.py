"""How well the network predicts rows that it has not seen, from the rows that it has.

For a network linearised in its weights leaving a row out needs no refit: approximate
leave-one-out cross-validation (Rad & Maleki 2020, "A scalable estimate of the
out-of-sample prediction error via approximate leave-one-out").
"""

import numpy as np

from sklearn_twolayer._network.backprop import without_shift
from sklearn_twolayer._network.losses import symmetric_root

#: A row that determines its own prediction has leverage 1 and no prediction without it.
MAX_LEVERAGE = 0.95


def leave_one_out_loss(mean_loss, params, factor, *, inflation):
    """Mean loss of the rows, each predicted by the linearised network without it.

    And without its copies, of which all rows are taken to have the mean number: m of them move the
    prediction by m V, as one does with S / m in the place of S.
    """

    def loss(y, Z2, V):
        return mean_loss.loss.loss_and_delta(y, Z2)[0]

    scale = mean_loss.distinct_weight / inflation
    return leave_one_out_mean(mean_loss, params, factor, scale=scale, row_function=loss)


def leave_one_out_mean(mean_loss, params, factor, *, scale, row_function, hessian=None):
    """Mean of ``row_function(y, Z2, V)`` over rows predicted without themselves.

    Leaving out one copy of row i moves its raw prediction from Z2 to
    Z2 + V (I - H V)^-1 delta, where V = J G^-1 J' / S is what the row itself
    adds to the fit, by the ``factor`` of G. ``scale`` is S of all rows that were fitted, over a
    factor on the leverage of a row; ``hessian(Z2, V)`` is H where it is not that of the loss.
    """
    loss, block_params = mean_loss.loss, mean_loss.incoming(params)

    def block(X, y, weight):
        Z2, J = mean_loss.linearised(block_params, X)
        V = covariance(loss, factor, scale, J)
        H = loss.hessian(Z2) if hessian is None else hessian(Z2, V)
        _, delta = loss.loss_and_delta(y, Z2)
        values = row_function(y, Z2 + leave_one_out_shift(V, H, delta), V)
        weight = np.ones(len(values)) if weight is None else weight
        return (weight @ values,)

    (total,) = mean_loss.rows.sum(block)
    return total / mean_loss.rows.weight_of_blocks


def covariance(loss, factor, scale, J):
    """V = J (c G)^-1 J' (n, k, k) of a block; the shift that softmax ignores has none."""
    return factor.covariance(without_shift(J) if loss.ignores_shift else J) / scale


def leave_one_out_shift(V, hessian, delta):
    """V (I - H V)^-1 delta (n, k), with the leverages, the eigenvalues of H V, below 0.95.

    With R'R = H it is V (delta + R' (I - R V R')^-1 R V delta).
    """
    if V.shape[1] == 1:
        leverage = (hessian * V)[:, :, 0]
        return V[:, :, 0] * delta * (1 + leverage / (1 - np.minimum(leverage, MAX_LEVERAGE)))
    R = symmetric_root(hessian)
    leverage, vectors = np.linalg.eigh(R @ V @ R.transpose(0, 2, 1))
    delta = delta[:, :, None]
    inner = vectors.transpose(0, 2, 1) @ (R @ (V @ delta))
    inner /= 1 - np.minimum(leverage, MAX_LEVERAGE)[:, :, None]
    return (V @ (delta + R.transpose(0, 2, 1) @ (vectors @ inner)))[:, :, 0]
