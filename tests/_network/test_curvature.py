"""Both curvatures against the inverse and the determinant of the matrix they stand for."""

from dataclasses import replace

import numpy as np
import pytest
from any_root import root_of_matrix
from scipy.linalg import LinAlgError

from sklearn_twolayer._network.curvature import DenseCurvature, LowRankCurvature

N_ROOTS, N_PARAMS = 7, 12
DIAGONAL = np.linspace(0.5, 3, N_PARAMS)
EACH = np.arange(N_PARAMS)  # a group for each weight
KINDS = pytest.mark.parametrize("kind", ["dense", "low rank"])
DAMPINGS = pytest.mark.parametrize("mu", [0.0, 1e-3, 10.0])


def root():
    return np.random.default_rng(0).normal(size=(N_ROOTS, N_PARAMS))


def curvature(kind, diagonal=DIAGONAL):
    B = root()
    if kind == "dense":
        return DenseCurvature(B.T @ B, diagonal)
    return LowRankCurvature(root_of_matrix(B), diagonal)


def matrix(diagonal=DIAGONAL, mu=0.0):
    """B'B + diag(d) + mu I."""
    B = root()
    return B.T @ B + np.diag(diagonal + mu)


@KINDS
def test_diagonal(kind):
    np.testing.assert_allclose(curvature(kind).diagonal, matrix().diagonal(), rtol=1e-14)


@DAMPINGS
@KINDS
def test_solve(kind, mu):
    b = np.random.default_rng(1).normal(size=N_PARAMS)
    found = curvature(kind).factorize(mu).solve(b)
    np.testing.assert_allclose(found, np.linalg.solve(matrix(mu=mu), b), rtol=1e-10)


@DAMPINGS
@KINDS
def test_the_inverse_as_a_matrix(kind, mu):
    found = curvature(kind).factorize(mu).inverse.inverse_matrix
    np.testing.assert_allclose(found, np.linalg.inv(matrix(mu=mu)), rtol=1e-10, atol=1e-14)


@DAMPINGS
@KINDS
def test_log_determinant(kind, mu):
    sign, expected = np.linalg.slogdet(matrix(mu=mu))
    assert sign == 1
    assert curvature(kind).factorize(mu).log_determinant() == pytest.approx(expected, rel=1e-12)


@DAMPINGS
@KINDS
def test_determined(kind, mu):
    """1 - d diag(G^-1); the dense form leaves the damping out of d, the dual form does not."""
    penalties = DIAGONAL + (mu if kind == "low rank" else 0.0)
    expected = 1 - penalties * np.linalg.inv(matrix(mu=mu)).diagonal()
    factor = curvature(kind).factorize(mu)
    found = factor.determined(EACH)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)
    groups = EACH % 3
    np.testing.assert_allclose(factor.determined(groups), np.bincount(groups, found), rtol=1e-13)


@KINDS
@pytest.mark.parametrize("n", [N_ROOTS, 20])
def test_unexplained(kind, n):
    """The traces of I - H and of its square, of rows of which B has all that are not zero."""
    B = np.vstack([root(), np.zeros((n - N_ROOTS, N_PARAMS))])
    left = np.eye(n) - B @ np.linalg.inv(matrix()) @ B.T
    found = curvature(kind).factorize().unexplained(n)
    np.testing.assert_allclose(found, [np.trace(left), np.trace(left @ left)], rtol=1e-10)


def test_what_is_unexplained_is_not_lost_to_rounding():
    """In the dual form, which has all rows that the weights interpolate."""
    factor = LowRankCurvature(root_of_matrix(np.eye(3, 5)), np.full(5, 1e-9)).factorize()
    np.testing.assert_allclose(factor.unexplained(3), [3e-9, 3e-18], rtol=1e-6)


def test_determined_under_another_diagonal():
    for kind in ("dense", "low rank"):
        found = replace(curvature(kind), penalties=2 * DIAGONAL).factorize().determined(EACH)
        expected = 1 - 2 * DIAGONAL * np.linalg.inv(matrix(2 * DIAGONAL)).diagonal()
        np.testing.assert_allclose(found, expected, rtol=1e-10)


@DAMPINGS
@KINDS
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_covariance(kind, mu, n_outputs):
    J = np.random.default_rng(2).normal(size=(4, n_outputs, N_PARAMS))
    expected = J @ np.linalg.inv(matrix(mu=mu)) @ J.transpose(0, 2, 1)
    found = curvature(kind).factorize(mu).covariance(J)
    assert found.shape == (4, n_outputs, n_outputs)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@KINDS
def test_another_diagonal_keeps_the_data_and_leaves_the_first_as_it_was(kind):
    first = curvature(kind)
    other = replace(first, penalties=2 * DIAGONAL)
    np.testing.assert_allclose(other.diagonal, matrix(2 * DIAGONAL).diagonal(), rtol=1e-14)
    np.testing.assert_allclose(first.diagonal, matrix().diagonal(), rtol=1e-14)


@KINDS
def test_factorising_changes_nothing(kind):
    G, b = curvature(kind), np.arange(N_PARAMS, dtype=float)
    factor = G.factorize(0.0)
    first = factor.solve(b)
    G.factorize(1.0)
    factor.log_determinant()
    factor.determined(EACH)
    factor.covariance(np.eye(N_PARAMS)[:, None])
    np.testing.assert_array_equal(factor.solve(b), first)
    np.testing.assert_array_equal(G.factorize(0.0).solve(b), first)
    np.testing.assert_array_equal(b, np.arange(N_PARAMS))


def test_a_matrix_that_is_not_positive_definite_is_refused():
    with pytest.raises(LinAlgError):
        DenseCurvature(-2 * np.eye(3), np.ones(3)).factorize(0.5)


@pytest.mark.parametrize("mu", [1e-4, 1.0, 1e6])
def test_weights_without_a_penalty_are_damped_alike(mu):
    """As in Levenberg-Marquardt on a network with free biases."""
    diagonal = np.where(np.arange(N_PARAMS) < 9, 5.0, 0.0)
    b = np.random.default_rng(1).normal(size=N_PARAMS)
    expected = np.linalg.solve(matrix(diagonal, mu), b)
    for kind in ("dense", "low rank"):
        found = curvature(kind, diagonal).factorize(mu).solve(b)
        np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_the_dual_form_has_an_inverse_even_without_a_diagonal():
    """On what the data determine, it is the pseudo-inverse of B'B."""
    b = root().T @ np.arange(1.0, N_ROOTS + 1)
    factor = curvature("low rank", np.zeros(N_PARAMS)).factorize(0.0)
    x = factor.solve(b)
    np.testing.assert_allclose(root().T @ (root() @ x), b, rtol=1e-4)
    assert (factor.determined(EACH) <= 1).all()
    assert np.isfinite(factor.log_determinant())


def test_data_that_say_nothing_still_have_a_factor():
    """A root of zeros, as where every probability has saturated, under free biases."""
    root = root_of_matrix(np.zeros((2, 5)))
    factor = LowRankCurvature(root, np.array([1.0, 1, 1, 0, 0])).factorize(0.0)
    assert np.isfinite(factor.solve(np.ones(5))).all()
    assert np.isfinite(factor.log_determinant())
    assert np.isfinite(factor.determined(np.arange(5))).all()
