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

summed over the layers, for D that is constant in each row of the weights of a layer, as the
penalty of an input is. The last is the neural tangent kernel (Jacot, Gabriel & Hongler 2018,
"Neural tangent kernel: convergence and generalization in neural networks").
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise, starmap
from math import prod

import numpy as np

from sklearn_twolayer._network.activations import ACTIVATIONS


@dataclass(frozen=True)
class Layer:
    """P . Q (n k, a b) for the inputs P (n, a) of a layer and the slopes Q (n, k, b) at its units.

    Weights, and whatever is of their shape, arrive as a matrix (a, b).
    """

    inputs: np.ndarray
    slopes: np.ndarray

    @property
    def shape(self):
        """Rows and columns (a, b) of the weights."""
        return self.inputs.shape[1], self.slopes.shape[2]

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


class Root:
    """B (q, p) of some layers, whose weights lie one after the other in vectors (p,).

    D is a vector (p,) too, constant in each row of the weights of a layer.
    """

    def __init__(self, *layers):
        self._layers = layers
        ends = tuple(accumulate((prod(layer.shape) for layer in layers), initial=0))
        self._slices = tuple(starmap(slice, pairwise(ends)))

    @classmethod
    def of_network(cls, network, params, X, A1, *, root):
        """That of rows [X 1] with the hidden layer A1 and the ``root`` R (n, k, k) of s H / S."""
        _, _, W2, _ = network.unpack(params)
        slope = ACTIVATIONS[network.activation].derivative(A1, out=np.empty_like(A1))
        second = np.column_stack([A1, np.ones(len(A1), A1.dtype)])
        return cls(Layer(X, (root @ W2.T) * slope[:, None, :]), Layer(second, root))

    def times(self, v):
        """B v (q,) for v (p,)."""
        return sum(layer.times(V) for layer, V in self._parts(v)).ravel()

    def transposed_times(self, u):
        """B'u (p,) for u (q,)."""
        parts = (each.transposed_times(u.reshape(each.slopes.shape[:2])) for each in self._layers)
        return np.concatenate([part.ravel() for part in parts])

    @cached_property
    def squares(self):
        """The diagonal (p,) of B'B."""
        return np.concatenate([layer.squares().ravel() for layer in self._layers])

    def gram(self, inverse):
        """B D^-1 B' (q, q) for the inverse (p,) of D."""
        first, *others = (layer.gram(V[:, 0]) for layer, V in self._parts(inverse))
        for gram in others:
            first += gram
        return first

    def traces(self, M):
        """tr(M C C') for M (q, q) and the columns C of each row of weights, of all layers."""
        return np.concatenate([layer.traces(M) for layer in self._layers])

    def of_rows(self, v):
        """The value of v (p,) in each row of weights, of all layers."""
        return np.concatenate([V[:, 0] for _, V in self._parts(v)])

    def matrix(self):
        """B (q, p) itself."""
        return np.hstack([layer.matrix() for layer in self._layers])

    def _parts(self, v):
        """The layers, and the part (a, b) of v (p,) that belongs to each."""
        layers = zip(self._layers, self._slices)
        return [(layer, v[part].reshape(layer.shape)) for layer, part in layers]
