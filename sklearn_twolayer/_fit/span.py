"""Rows of many columns: the network learns in coordinates of the span of the rows.

Under one penalty for all of W1 a minimum has no part of W1 that the rows do not see: it would
cost, and change nothing (the representer theorem: Kimeldorf & Wahba 1971, "Some results on
Tchebycheffian spline functions"). With an orthonormal basis Q (f, n) of the span of the n
standardised rows X~,

    X~ = C Q'       C = X~ Q (n, n)       X~ W1 = C (Q' W1)       |W1|^2 = |Q' W1|^2

so that L-BFGS finds n h weights in the place of f h, and W1 = Q (Q' W1) afterwards.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.linalg import qr

from sklearn_twolayer._bayes.posterior import MAX_WEIGHTS
from sklearn_twolayer._fit.auto import compares_penalties, n_params
from sklearn_twolayer._fit.monitor import announce
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.products import dense
from sklearn_twolayer._network.scale import Standardization

#: Columns for each row from which it pays, and the most multiply-adds of the basis: a second.
COLUMNS_OF_A_ROW, MAX_BASIS_COST = 2, 2e10


@dataclass(frozen=True)
class Coordinates(Standardization):
    """Of rows that are coordinates in a basis Q (f, m) of standardised ones: it changes nothing."""

    standardization: Standardization  # of the columns
    basis: np.ndarray

    @property
    def of_columns(self):
        """That of the columns of the user's rows."""
        return self.standardization

    def of_inputs(self, W1):
        """Q' W1: without the part that no row sees."""
        return self.basis.T @ W1

    def fold(self, W1, b1, W2, b2):
        """Weights of the network of coordinates -> coefs, intercepts in the user's units."""
        return self.standardization.fold(self.basis @ W1, b1, W2, b2)


def in_span_of_rows(problem, settings, start):
    """The problem in coordinates of the span of its rows, where that pays; else as it is.

    Fits with error bars stay in the columns, as these know of directions that no row has, and so do
    those that go on from a warm ``start``. Equal rows span the same as one, bit for bit.
    """
    table, network, held_out = problem.table, problem.network, problem.held_out
    has_error_bars = n_params(problem.size, network.n_hidden) <= MAX_WEIGHTS
    is_dense = table.is_in_memory and not sparse.issparse(table.X)
    is_dense &= held_out is None or held_out.is_in_memory
    is_free = start is None and not has_error_bars and is_blind_to_rotations(problem.size, settings)
    if not is_free or not is_dense or not pays(*table.X.shape):
        return problem
    distinct, number = np.unique(table.X, axis=0, return_inverse=True)
    columns = _standardized(problem.scale, distinct).T
    basis, upper = qr(columns, mode="economic", overwrite_a=True, check_finite=False)
    m, y_units = basis.shape[1], (problem.scale.y_mean, problem.scale.y_scale)
    announce(settings, f"The rows of {len(basis)} columns span {m} directions: learning in these")
    if held_out is not None:
        coordinates = _standardized(problem.scale, dense(held_out.X)) @ basis
        held_out = replace(held_out, X=coordinates.astype(held_out.dtype))
    return replace(
        problem,
        scale=Coordinates(np.zeros(m), np.ones(m), *y_units, problem.scale, basis),
        table=replace(table, X=upper.T[number.ravel()].astype(table.dtype)),
        held_out=held_out,
        network=TwoLayerNetwork(m, network.n_hidden, network.n_outputs, network.activation),
        of_columns=problem,
    )


def is_blind_to_rotations(size, settings):
    """Whether a fit takes L-BFGS, and one penalty for all of W1: no evidence, no rival by lm."""
    has_one_penalty = isinstance(settings.alpha, float) or compares_penalties(settings, size)
    return has_one_penalty and settings.solver == "lbfgs" and settings.by_evidence is None


def pays(n, f):
    """Whether a basis of n rows is found in a second, and makes weights many times fewer."""
    return f >= COLUMNS_OF_A_ROW * n and 2 * f * n**2 <= MAX_BASIS_COST


def in_columns(problem, fits):
    """The problem and the fits, where they are in coordinates, in the columns that X has."""
    if problem.of_columns is None:
        return problem, fits
    coordinates, basis = problem.network, problem.scale.basis
    problem = problem.of_columns.of_width(coordinates.n_hidden)

    def params(fit):
        W1, b1, W2, b2 = coordinates.unpack(fit.params)
        return problem.network.pack([basis @ W1, W2], [b1, b2], np.float64)

    begun = [fit for fit in fits if fit.params is not None]
    return problem, [replace(fit, params=params(fit)) for fit in begun]


def _standardized(scale, X):
    """The standardised rows (n, f) of X, in float64."""
    rows = np.ones((X.shape[0], X.shape[1] + 1))
    rows[:, :-1] = X
    return scale.apply_block(rows)[:, :-1]
