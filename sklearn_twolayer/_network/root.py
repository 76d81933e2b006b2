"""The root B of a Gauss-Newton matrix B'B, layer by layer: a matrix that is never formed.

Backprop's gradient of a layer is the outer product of what goes into the layer and what comes
back to it, so that for row i and output c the derivative of a raw prediction is p_i q_ic':

    B = [P1 . Q1    P2 . Q2]        P1 = [X 1]     Q1 = (R W2') * g'(Z1)       R'R = s H / S
                                    P2 = [A1 1]    Q2 = R

where the rows of P . Q are all products of an entry of p_i and one of q_ic: a Khatri-Rao product
(Khatri & Rao 1968, "Solutions to some functional equations and their applications to
characterization of probability distributions"). Whatever is asked of B needs P and Q alone:

    B v = sum of (P V) * Q over the columns        B'u = P'(u * Q)
    B D^-1 B' = (P D^-1 P') * (Q Q')

summed over both layers, for D that is constant in each row of the weights of a layer, as the
penalty of an input is. The last is the neural tangent kernel (Jacot, Gabriel & Hongler 2018,
"Neural tangent kernel: convergence and generalization in neural networks").
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sklearn_twolayer._network.activations import ACTIVATIONS


@dataclass(frozen=True)
class Layer:
    """P . Q (n k, a b) for the inputs P (n, a) of a layer and the slopes Q (n, k, b) at its units.

    Weights, and whatever is of their shape, arrive as a matrix (a, b).
    """

    inputs: np.ndarray
    slopes: np.ndarray

    @cached_property
    def gram_of_slopes(self):
        """Q Q' (n k, n k): the same for every D."""
        Q = self.slopes.reshape(-1, self.slopes.shape[2])
        return Q @ Q.T

    def times(self, V):
        """(P . Q) V (n, k) for V (a, b)."""
        return np.einsum("nb,ncb->nc", self.inputs @ V, self.slopes)

    def transposed_times(self, u):
        """(P . Q)' u (a, b) for u (n, k)."""
        return self.inputs.T @ np.einsum("nc,ncb->nb", u, self.slopes)

    def squares(self):
        """The diagonal of (P . Q)' (P . Q), as a matrix (a, b)."""
        return (self.inputs**2).T @ (self.slopes**2).sum(axis=1)

    def gram(self, inverse):
        """(P . Q) D^-1 (P . Q)' (n k, n k) for D^-1 = diag(inverse) (a,) in each column."""
        n, k, _ = self.slopes.shape
        scaled = self.inputs * np.sqrt(inverse)
        gram = self.gram_of_slopes.reshape(n, k, n, k) * (scaled @ scaled.T)[:, None, :, None]
        return gram.reshape(n * k, n * k)

    def traces(self, M):
        """tr(M (P . Q) (P . Q)') of the columns of each row of the weights (a,)."""
        n, k, _ = self.slopes.shape
        of_rows = (M * self.gram_of_slopes).reshape(n, k, n, k).sum(axis=(1, 3))
        return np.einsum("na,na->a", self.inputs, of_rows @ self.inputs)

    def matrix(self):
        """P . Q (n k, a b) itself."""
        n, k, _ = self.slopes.shape
        return (self.inputs[:, None, :, None] * self.slopes[:, :, None, :]).reshape(n * k, -1)


@dataclass(frozen=True)
class Root:
    """B (q, p) of a network, whose weights are vectors (p,): those of one layer, then the other's.

    D is a vector (p,) too, constant in each row of the weights of a layer.
    """

    first: Layer
    second: Layer

    @classmethod
    def of_network(cls, network, params, X, A1, *, root):
        """The root of rows [X 1], from A1 (n, h) and R (n, k, k), the ``root`` of s H / S."""
        _, _, W2, _ = network.unpack(params)
        slope = ACTIVATIONS[network.activation].derivative(A1, out=np.empty_like(A1))
        second = np.column_stack([A1, np.ones(len(A1), A1.dtype)])
        return cls(Layer(X, (root @ W2.T) * slope[:, None, :]), Layer(second, root))

    def _split(self, v):
        """The parts [W1; b1] (f + 1, h) and [W2; b2] (h + 1, k) of v (p,)."""
        h, k = self.first.slopes.shape[2], self.second.slopes.shape[2]
        n_first = self.first.inputs.shape[1] * h
        return v[:n_first].reshape(-1, h), v[n_first:].reshape(-1, k)

    def times(self, v):
        """B v (q,) for v (p,)."""
        V1, V2 = self._split(v)
        return (self.first.times(V1) + self.second.times(V2)).ravel()

    def transposed_times(self, u):
        """B'u (p,) for u (q,)."""
        u = u.reshape(self.second.slopes.shape[:2])
        first, second = self.first.transposed_times(u), self.second.transposed_times(u)
        return np.append(first, second)

    @cached_property
    def squares(self):
        """The diagonal (p,) of B'B."""
        return np.append(self.first.squares(), self.second.squares())

    def gram(self, inverse):
        """B D^-1 B' (q, q) for the inverse (p,) of D."""
        first, second = self._split(inverse)
        gram = self.first.gram(first[:, 0])
        gram += self.second.gram(second[:, 0])
        return gram

    def traces(self, M):
        """tr(M C C') for M (q, q) and the columns C of each row of weights, of both layers."""
        return np.append(self.first.traces(M), self.second.traces(M))

    def of_rows(self, v):
        """The value of v (p,) in each row of weights, of both layers."""
        first, second = self._split(v)
        return np.append(first[:, 0], second[:, 0])

    def matrix(self):
        """B (q, p) itself."""
        return np.hstack([self.first.matrix(), self.second.matrix()])
