"""Curvatures: symmetric positive definite matrices that Cholesky takes apart.

A curvature G (p, p) is a matrix of the data plus a diagonal of penalties. Two
classes hold the matrix of the data, one as it is and one as B'B with fewer rows
than columns; ``factorize(mu)`` gives the factor of G + mu I, which solves
equations and answers what Levenberg-Marquardt, the evidence and the error bars
ask of an inverse that is never formed.
"""

import numpy as np
from scipy.linalg import LinAlgError, blas, cho_factor, cho_solve, lapack, solve_triangular

#: Least diagonal of the dual form, as a share of B'B: its inverse must exist.
LOW_RANK_FLOOR = 1e-10


class DenseCurvature:
    """G = A + diag(d) for a matrix A (p, p)."""

    def __init__(self, matrix, diagonal):
        self._matrix = matrix
        self._diagonal = diagonal

    @property
    def diagonal(self):
        """The diagonal of G (p,)."""
        return self._matrix.diagonal() + self._diagonal

    def with_diagonal(self, diagonal):
        """The same data under other penalties."""
        return DenseCurvature(self._matrix, diagonal)

    def factorize(self, mu=0.0):
        """Factor of G + mu I; LinAlgError where that is not positive definite."""
        damped = self._matrix.copy()
        damped.reshape(-1)[:: len(damped) + 1] += self._diagonal + mu  # the diagonal, as a view
        return DenseFactor(damped, self._diagonal)


class DenseFactor:
    """G = C C' by Cholesky, overwriting G, of data under penalties d (p,)."""

    def __init__(self, matrix, penalties):
        self._penalties = penalties
        # LAPACK works in Fortran order, where the C-ordered lower triangle is the upper one.
        # For a few weights SciPy's wrappers take longer than what they wrap.
        self._upper, failed_at = lapack.dpotrf(matrix.T, overwrite_a=True)
        if failed_at:
            raise LinAlgError(f"The leading minor of order {failed_at} is not positive.")

    def __getstate__(self):
        """The triangle that holds numbers: half of the matrix."""
        triangle = self._upper.T[np.tri(len(self._upper), dtype=bool)]
        return {"penalties": self._penalties, "triangle": triangle}

    def __setstate__(self, state):
        self._penalties = state["penalties"]
        lower = np.zeros((len(self._penalties),) * 2)
        lower[np.tri(len(lower), dtype=bool)] = state["triangle"]
        self._upper = lower.T

    @property
    def n_stored(self):
        """Numbers that a pickle holds."""
        p = len(self._penalties)
        return p * (p + 1) // 2 + p

    def solve(self, b):
        """G^-1 b."""
        return lapack.dpotrs(self._upper, b)[0]

    def log_determinant(self):
        """Ln |G|."""
        return 2 * np.log(self._upper.diagonal()).sum()

    def determined(self):
        """1 - d diag(G^-1) (p,): how far the data determine each weight of penalty d."""
        root, _ = lapack.dtrtri(self._upper)  # G^-1 = root root'
        return 1 - self._penalties * np.einsum("pq,pq->p", root, root)

    def covariance(self, J):
        """J_i G^-1 J_i' (n, k, k) for J (n, k, p)."""
        roots = [blas.dtrsm(1.0, self._upper, J_c, side=1) for J_c in _outputs(J)]  # J_c C'^-1
        return _row_products(roots, roots)


class LowRankCurvature:
    """G = B'B + diag(d) for B (q, p) with q < p: the dual form."""

    def __init__(self, root, diagonal):
        self._root = root
        self._diagonal = diagonal

    @property
    def diagonal(self):
        """The diagonal of G (p,)."""
        return np.einsum("qp,qp->p", self._root, self._root) + self._diagonal

    def with_diagonal(self, diagonal):
        """The same data under other penalties."""
        return LowRankCurvature(self._root, diagonal)

    def factorize(self, mu=0.0):
        """Factor of G + mu I; LinAlgError where that is not positive definite."""
        data = np.einsum("qp,qp->p", self._root, self._root)
        floor = LOW_RANK_FLOOR * max(data.max(), 1e-30)
        return LowRankFactor(self._root, np.maximum(self._diagonal + mu, floor))


class LowRankFactor:
    """G = B'B + D through the small matrix I + B D^-1 B' (Woodbury).

    G^-1 = D^-1 - D^-1 B' (I + B D^-1 B')^-1 B D^-1.
    """

    def __init__(self, root, diagonal):
        self._inverse = 1 / diagonal
        self._scaled = root * self._inverse  # B D^-1
        half = root * np.sqrt(self._inverse)  # a product with its own transpose is half the work
        small = half @ half.T
        small[np.diag_indices_from(small)] += 1
        self._small = cho_factor(small, lower=True, overwrite_a=True, check_finite=False)

    @property
    def n_stored(self):
        """Numbers that a pickle holds."""
        return self._inverse.size + self._scaled.size + self._small[0].size

    def solve(self, b):
        """G^-1 b."""
        return self._inverse * b - self._scaled.T @ cho_solve(self._small, self._scaled @ b)

    def log_determinant(self):
        """Ln |G| = ln |I + B D^-1 B'| + ln |D|."""
        return 2 * np.log(self._small[0].diagonal()).sum() - np.log(self._inverse).sum()

    def determined(self):
        """1 - D diag(G^-1) (p,), without cancellation."""
        V = solve_triangular(self._small[0], self._scaled, lower=True, check_finite=False)
        return np.einsum("qp,qp->p", V, V) / self._inverse

    def covariance(self, J):
        """J_i G^-1 J_i' (n, k, k) for J (n, k, p)."""
        small, options = self._small[0], {"side": 1, "lower": 1, "trans_a": 1}
        outputs = _outputs(J)
        roots = [blas.dtrsm(1.0, small, (self._scaled @ J_c.T).T, **options) for J_c in outputs]
        prior = _row_products([J_c * self._inverse for J_c in outputs], outputs)
        return prior - _row_products(roots, roots)


def _outputs(J):
    """The Jacobians (n, p) of each output, as they lie in memory: by columns."""
    return [J[:, c] for c in range(J.shape[1])]


def _row_products(A, B):
    """a_i' b_i (n, k, k) of the rows of each A (n, p) with those of each B."""
    return np.array([[np.einsum("np,np->n", a, b) for b in B] for a in A]).transpose(2, 0, 1)
