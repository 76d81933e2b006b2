"""Curvatures: symmetric positive definite matrices that Cholesky takes apart.

A curvature G (p, p) is a matrix of the data plus a diagonal of penalties. Two
classes hold the matrix of the data, one as it is and one as B'B with fewer rows
than columns (``root``); ``factorize(mu)`` gives the factor of G + mu I, which solves
equations and answers what Levenberg-Marquardt, the evidence and the error bars
ask of an inverse that is never formed. ``replace(curvature, penalties=...)`` is the same data
under other penalties.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import LinAlgError, blas, lapack

from sklearn_twolayer._network.root import Root

#: Least diagonal of the dual form, as a share of B'B: its inverse must exist.
LOW_RANK_FLOOR = 1e-10


@dataclass(frozen=True)
class DenseCurvature:
    """G = A + diag(d) for the matrix A (p, p) of the data and penalties d (p,)."""

    matrix: np.ndarray
    penalties: np.ndarray

    @property
    def diagonal(self):
        """The diagonal of G (p,)."""
        return self.matrix.diagonal() + self.penalties

    def factorize(self, mu=0.0):
        """Factor of G + mu I; LinAlgError where that is not positive definite."""
        damped = self.matrix.copy()
        damped.reshape(-1)[:: len(damped) + 1] += self.penalties + mu  # the diagonal, as a view
        return DenseFactor(_cholesky(damped), self.penalties)


@dataclass(frozen=True)
class DenseFactor:
    """G = C C', with C' (p, p) in Fortran order, of data under penalties d (p,)."""

    upper: np.ndarray
    penalties: np.ndarray

    def __getstate__(self):
        """Return what a pickle holds: the triangle with numbers, half of the matrix."""
        triangle = self.upper.T[np.tri(len(self.upper), dtype=bool)]
        return {"penalties": self.penalties, "triangle": triangle}

    def __setstate__(self, state):
        lower = np.zeros((len(state["penalties"]),) * 2)
        lower[np.tri(len(lower), dtype=bool)] = state["triangle"]
        vars(self).update(upper=lower.T, penalties=state["penalties"])

    @property
    def n_stored(self):
        """Numbers that a pickle holds."""
        p = len(self.penalties)
        return p * (p + 1) // 2 + p

    def solve(self, b):
        """G^-1 b."""
        return lapack.dpotrs(self.upper, b)[0]

    def log_determinant(self):
        """Ln |G|."""
        return 2 * np.log(self.upper.diagonal()).sum()

    def determined(self, groups):
        """1 - d diag(G^-1), how far the data determine each weight, summed over ``groups`` (p,)."""
        root, _ = lapack.dtrtri(self.upper)  # G^-1 = root root'
        determined = 1 - self.penalties * np.einsum("pq,pq->p", root, root)
        return np.bincount(groups, determined)

    def unexplained(self, n):
        """tr(I - H) and tr (I - H)^2 of the hat matrix H (n, n): those of G^-1 diag(d), and n - p.

        H = B G^-1 B' has the eigenvalues of G^-1 A, with A = B'B, and zeros.
        """
        left = self.penalties * self.inverse_matrix
        beside = n - len(left)
        return beside + np.trace(left), beside + np.vdot(left, left.T)

    @property
    def inverse(self):
        """G^-1 for predictions."""
        return self

    @property
    def inverse_matrix(self):
        """G^-1 (p, p), for predictions without this package."""
        return self.solve(np.eye(len(self.upper)))

    def covariance(self, J):
        """J_i G^-1 J_i' (n, k, k) for J (n, k, p)."""
        outputs = J.transpose(1, 0, 2)  # of which each lies in memory by columns
        roots = [blas.dtrsm(1.0, self.upper, J_c, side=1) for J_c in outputs]  # J_c C'^-1
        return _row_products(roots, roots)


@dataclass(frozen=True)
class LowRankCurvature:
    """G = B'B + diag(d) for the root B (q, p), q < p, of the data: the dual form.

    d is constant in each row of the weights of a layer of B.
    """

    root: Root
    penalties: np.ndarray

    @property
    def diagonal(self):
        """The diagonal of G (p,)."""
        return self.root.squares + self.penalties

    def factorize(self, mu=0.0):
        """Factor of G + mu I; LinAlgError where that is not positive definite."""
        floor = LOW_RANK_FLOOR * max(self.root.squares.max(), 1e-30)
        diagonal = np.maximum(self.penalties + mu, floor)
        inverse = 1 / diagonal
        small = self.root.gram(inverse)
        small.reshape(-1)[:: len(small) + 1] += 1
        return LowRankFactor(self.root, inverse, _cholesky(small))


@dataclass(frozen=True)
class LowRankFactor:
    """G = B'B + D through the small matrix I + B D^-1 B' = C C' (Woodbury).

    G^-1 = D^-1 - D^-1 B' (I + B D^-1 B')^-1 B D^-1.
    """

    root: Root  # B (q, p)
    inverse_diagonal: np.ndarray  # (p,) of D^-1
    upper: np.ndarray  # C' (q, q) in Fortran order

    def solve(self, b):
        """G^-1 b."""
        x = self.inverse_diagonal * b
        small = lapack.dpotrs(self.upper, self.root.times(x))[0]
        return x - self.inverse_diagonal * self.root.transposed_times(small)

    def log_determinant(self):
        """Ln |G| = ln |I + B D^-1 B'| + ln |D|."""
        return 2 * np.log(self.upper.diagonal()).sum() - np.log(self.inverse_diagonal).sum()

    def determined(self, groups):
        """1 - D diag(G^-1), summed over each of the ``groups`` (p,) of rows of weights.

        tr(D^-1 B_g' (I + B D^-1 B')^-1 B_g), without cancellation.
        """
        of_rows = self.root.of_rows
        half = lapack.dpotri(self.upper)[0].T  # of a symmetric matrix; the other half is zero
        half *= 2
        half.reshape(-1)[:: len(half) + 1] /= 2
        return np.bincount(of_rows(groups), of_rows(self.inverse_diagonal) * self.root.traces(half))

    def unexplained(self, n):
        """tr(I - H) and tr (I - H)^2 of the hat matrix H (n, n), of n - q zeros beside these.

        I - H = (I + B D^-1 B')^-1, without cancellation.
        """
        left = lapack.dpotrs(self.upper, np.eye(len(self.upper)))[0]
        beside = n - len(left)
        return beside + np.trace(left), beside + np.vdot(left, left)

    @cached_property
    def inverse(self):
        """G^-1 for predictions, without the layers of B and the rows of X in them."""
        scaled = self.root.matrix()
        scaled *= self.inverse_diagonal
        return LowRankInverse(scaled, self.inverse_diagonal, self.upper)

    def covariance(self, J):
        """J_i G^-1 J_i' (n, k, k) for J (n, k, p)."""
        return self.inverse.covariance(J)


@dataclass(frozen=True)
class LowRankInverse:
    """D^-1 - D^-1 B' (C C')^-1 B D^-1 with B D^-1 as a matrix: many columns take it faster."""

    scaled: np.ndarray  # B D^-1 (q, p)
    inverse_diagonal: np.ndarray  # (p,) of D^-1
    upper: np.ndarray  # C' (q, q) in Fortran order

    @property
    def n_stored(self):
        """Numbers that a pickle holds."""
        return self.inverse_diagonal.size + self.scaled.size + self.upper.size

    @property
    def inverse_matrix(self):
        """G^-1 (p, p), for predictions without this package."""
        root = blas.dtrsm(1.0, self.upper, self.scaled.T, side=1)
        return np.diag(self.inverse_diagonal) - root @ root.T

    def covariance(self, J):
        """J_i G^-1 J_i' (n, k, k) for J (n, k, p)."""
        outputs = J.transpose(1, 0, 2)
        roots = [blas.dtrsm(1.0, self.upper, (self.scaled @ J_c.T).T, side=1) for J_c in outputs]
        prior = _row_products([J_c * self.inverse_diagonal for J_c in outputs], outputs)
        return prior - _row_products(roots, roots)


def _cholesky(matrix):
    """C' in Fortran order with C C' = ``matrix``, overwritten; LinAlgError if there is none."""
    # LAPACK works in Fortran order, where the C-ordered lower triangle is the upper one.
    # For a few weights SciPy's wrappers take longer than what they wrap.
    upper, failed_at = lapack.dpotrf(matrix.T, overwrite_a=True)
    if failed_at:
        raise LinAlgError(f"The leading minor of order {failed_at} is not positive.")
    return upper


def _row_products(A, B):
    """a_i' b_i (n, k, k) of the rows of each A (n, p) with those of each B."""
    return np.array([[np.einsum("np,np->n", a, b) for b in B] for a in A]).transpose(2, 0, 1)
