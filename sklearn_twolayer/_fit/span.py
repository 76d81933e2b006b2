"""Rows of many columns: the network learns in coordinates of the span of the rows.

Under one penalty for all of W1 a minimum has no part of W1 that the rows do not see: it would
cost, and change nothing (the representer theorem: Kimeldorf & Wahba 1971, "Some results on
Tchebycheffian spline functions"). With an orthonormal basis Q (f, m) of the m < n directions that
n standardised rows X~ span,

    X~ = C Q'       C = X~ Q (n, m)       X~ W1 = C (Q' W1)       |W1|^2 = |Q' W1|^2

so that m h weights are found in the place of f h, and W1 = Q (Q' W1) afterwards, or as soon as
columns are to have penalties of their own (``inputs``).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.linalg import qr

from sklearn_twolayer._bayes.copies import SortedRows
from sklearn_twolayer._fit.auto import compares_penalties
from sklearn_twolayer._fit.monitor import announce
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.objective import Penalty
from sklearn_twolayer._network.scale import Standardization

#: Directions that a part of the rows this small, of the largest, has are rounding.
ROUNDING = 1e-10
#: Columns for each row, and weights, from which it pays; most multiply-adds of a basis: a second.
COLUMNS_OF_A_ROW, MANY_WEIGHTS, MAX_BASIS_COST = 2, 1000, 2e10


@dataclass(frozen=True)
class Coordinates(Standardization):
    """Of rows that are coordinates in a basis Q (f, m) of standardised ones: X stays as it is."""

    columns: Standardization
    basis: np.ndarray

    @property
    def of_user(self):
        """That of the columns of the user's rows, and of y as it is by now."""
        return replace(self.columns, y_mean=self.y_mean, y_scale=self.y_scale)

    def project(self, W1):
        """Q' W1: without the part that no row sees."""
        return self.basis.T @ W1

    def fold(self, W1, b1, W2, b2):
        """Weights of the network of coordinates -> coefs, intercepts in the user's units."""
        return self.of_user.fold(self.basis @ W1, b1, W2, b2)


def in_span_of_rows(problem, settings):
    """The problem in coordinates of the span of its rows, where that pays; else as it is.

    Equal rows span the same as one, bit for bit.
    """
    table, network, held_out = problem.table, problem.network, problem.held_out
    is_dense = table.is_in_memory and not sparse.issparse(table.X)
    is_dense &= held_out is None or held_out.is_in_memory
    is_free = is_blind_to_rotations(problem.size, settings)
    if not is_free or not is_dense or not pays(*table.X.shape, network.n_hidden):
        return problem
    rows = _of_standardized(problem.scale, table, np.copy)
    number = SortedRows.of(table.X, table.encoded, problem.scale).inputs  # of its distinct row
    basis, coordinates = basis_of(rows[np.unique(number, return_index=True)[1]])
    m, y_units = basis.shape[1], (problem.scale.y_mean, problem.scale.y_scale)
    announce(settings, f"The rows of {len(basis)} columns span {m} directions: learning in these")
    if held_out is not None:
        of_held_out = _of_standardized(problem.scale, held_out, lambda rows: rows @ basis)
        held_out = replace(held_out, X=of_held_out.astype(held_out.dtype))
    return replace(
        problem,
        scale=Coordinates(np.zeros(m), np.ones(m), *y_units, problem.scale, basis),
        table=replace(table, X=coordinates[number].astype(table.dtype)),
        held_out=held_out,
        network=TwoLayerNetwork(m, network.n_hidden, network.n_outputs, network.activation),
        in_columns=problem,
    )


def is_blind_to_rotations(size, settings):
    """Whether a fit is the same, but for rounding, in any orthonormal coordinates of the columns.

    Steps of L-BFGS and of Levenberg-Marquardt are, under one penalty for all of W1. Pilot fits tell
    the units of several targets whose penalty the evidence finds: these stay in the columns.
    """
    has_pilots = size.is_regression and size.n_outputs > 1 and isinstance(settings.alpha, str)
    has_pilots &= not compares_penalties(settings, size)
    return settings.solver in ("lbfgs", "lm") and settings.alpha != "ard" and not has_pilots


def pays(n, f, n_hidden):
    """Whether a basis of n rows is found in a second, and makes many weights many times fewer."""
    is_wide = f >= COLUMNS_OF_A_ROW * n and f * n_hidden >= MANY_WEIGHTS
    return is_wide and 2 * f * n**2 <= MAX_BASIS_COST


def problem_in_columns(problem):
    """A problem in coordinates, as one in the columns that X has: with the same units of y."""
    return replace(problem.in_columns, scale=problem.scale.of_user, noise=problem.noise)


def fit_in_columns(problem, fit):
    """A fit in coordinates, as one in the columns: error bars know of directions no row has."""
    penalty = Penalty.of(problem.in_columns.network, fit.penalty.strengths)
    return replace(fit, params=params_in_columns(problem, fit.params), penalty=penalty)


def params_in_columns(problem, params):
    """Weights of a network of coordinates, as those of one of columns: W1 = Q (Q' W1)."""
    W1, b1, W2, b2 = problem.network.unpack(params)
    return problem.in_columns.network.pack([problem.scale.basis @ W1, W2], [b1, b2], np.float64)


def rows_in_columns(problem):
    """X, the encoded targets and the standardisation of a problem, of the columns that X has.

    What is asked of the columns, as which of them are codes, or whether they make a grid, means
    nothing in coordinates.
    """
    problem = problem.in_columns or problem
    return problem.table.X, problem.table.encoded, problem.scale


def basis_of(rows):
    """Q (f, m) of the span of rows (n, f), and their coordinates (n, m).

    By a QR decomposition with pivoting, as centred rows span n - 1 directions at most: one more
    would be rounding, normalised.
    """
    basis, upper, order = qr(
        rows.T, mode="economic", overwrite_a=True, check_finite=False, pivoting=True
    )
    size = np.abs(np.diagonal(upper))
    m = max(np.count_nonzero(size > ROUNDING * size[0]), 1)
    return basis[:, :m], upper[:m, np.argsort(order)].T


def _of_standardized(scale, table, function):
    """A function of the standardised rows (n, f) of a table in memory, block by block, stacked."""
    with table.rows(scale, np.float64, table.n_features + 1) as rows:

        def block(X, y, weight):
            X = scale.apply_block(X) if rows.is_sparse else X
            return function(X[:, :-1])

        return rows.map(block)
