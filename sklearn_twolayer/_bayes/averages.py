"""Expectations over Gaussian raw predictions z ~ N(Z2, V): probabilities, and the curvature.

By Gauss-Hermite quadrature where each output is by itself, and by a fixed symmetric sample
of the standard normal under the softmax, so that the answer is the same every time.
"""

from functools import cache

import numpy as np
from numpy.polynomial.hermite_e import hermegauss

from sklearn_twolayer._network.activations import logistic
from sklearn_twolayer._network.losses import softmax

#: Nodes of Gauss-Hermite quadrature; draws of the sample for more than two classes, to
#: predict, and to choose the temperature and average the curvature.
N_NODES = 32
N_DRAWS = 512
N_CALIBRATION_DRAWS = 64


def expected_prediction(loss, Z2, V, n_draws=N_DRAWS):
    """E A2 (n, k), of the softmax by so many draws, or of logistic outputs each by itself."""
    if loss.ignores_shift:
        return _softmax_of_draws(Z2, V, n_draws).mean(axis=1)
    A2, weights = _logistic_at_nodes(Z2, V)
    return A2 @ weights


def expected_hessian(loss, Z2, V):
    """E of the second derivative (n, k, k) of the log loss in z.

    diag(A2) - A2 A2' under the softmax, A2 (1 - A2) on the diagonal of logistic outputs.
    """
    if loss.ignores_shift:
        A2 = _softmax_of_draws(Z2, V, N_CALIBRATION_DRAWS)
        diagonal, outer = A2.mean(axis=1), A2.transpose(0, 2, 1) @ A2 / A2.shape[1]
    else:
        A2, weights = _logistic_at_nodes(Z2, V)
        diagonal, outer = (A2 * (1 - A2)) @ weights, 0.0
    return diagonal[:, :, None] * np.eye(Z2.shape[1]) - outer


def _logistic_at_nodes(Z2, V):
    """sigma(z) (n, k, nodes) at z = Z2 + sqrt(V) t, and the weights of the nodes t: of sum 1."""
    nodes, weights = _nodes()
    deviation = np.sqrt(np.maximum(np.diagonal(V, axis1=1, axis2=2), 0))
    z = Z2[:, :, None] + deviation[:, :, None] * nodes
    return logistic(z), weights


@cache
def _nodes():
    nodes, weights = hermegauss(N_NODES)
    return nodes, weights / weights.sum()


def _softmax_of_draws(Z2, V, n_draws):
    """softmax(z) (n, draws, k) of a sample of z.

    The common shift of the raw predictions carries no information and is projected out, in
    mean and in variance.
    """
    k = Z2.shape[1]
    centring = np.eye(k) - 1 / k
    Z2 = Z2 @ centring
    eigenvalues, vectors = np.linalg.eigh(centring @ V @ centring)
    root = vectors * np.sqrt(np.maximum(eigenvalues, 0))[:, None, :]
    root = root @ vectors.transpose(0, 2, 1)  # the one root that has no choice of vectors in it
    half = np.random.RandomState(0).standard_normal((n_draws // 2, k))
    draws = np.concatenate([half, -half])
    return softmax(Z2[:, None, :] + draws @ root.transpose(0, 2, 1))
