"""The root by layers: what it answers is what the explicit Jacobian says."""

from dataclasses import replace

import numpy as np
import pytest
from any_root import root_of_matrix
from gradient_check import LOSSES, numerical_jacobian, random_problem
from hypothesis import given
from hypothesis import strategies as st

from sklearn_twolayer._network.activations import ACTIVATIONS
from sklearn_twolayer._network.curvature import DenseCurvature, LowRankCurvature
from sklearn_twolayer._network.objective import Penalty
from sklearn_twolayer._network.root import Layer

SMOOTH = tuple(name for name in ACTIVATIONS if name != "relu")


@st.composite
def problems(draw, activations=tuple(ACTIVATIONS)):
    """Networks of every kind and size, with some rows of weight zero."""
    problem = random_problem(
        draw(st.sampled_from(LOSSES)),
        draw(st.integers(1, 4)),
        draw(st.sampled_from(activations)),
        is_weighted=draw(st.booleans()),
        is_sparse=draw(st.booleans()),
        n_rows=draw(st.integers(2, 15)),
        n_features=draw(st.integers(1, 6)),
        n_hidden=draw(st.integers(1, 5)),
        seed=draw(st.integers(0, 2**32 - 1)),
    )
    if problem.weight is not None and draw(st.booleans()):
        problem.weight[1::2] = 0
    if draw(st.booleans()):
        problem = replace(problem, standardization=None)
    return problem


@st.composite
def problems_with_penalties(draw):
    """A penalty for each group of weights, or for each input, by powers of ten."""
    problem = draw(problems())
    n_groups = draw(st.sampled_from([4, problem.network.n_features + 3]))
    exponents = draw(st.lists(st.floats(-4, 2), min_size=n_groups, max_size=n_groups))
    return problem, Penalty.of(problem.network, 10.0 ** np.array(exponents))


def scaled_jacobian(problem):
    """sqrt(s_i H_i / S) J_i (n k, p), with J by differences: up to rotations of the outputs."""
    X = problem.X if isinstance(problem.X, np.ndarray) else problem.X.toarray()
    if problem.standardization is not None:
        X = (X - problem.standardization.mean) / problem.standardization.scale
    X = np.column_stack([X, np.ones(len(X))])

    def raw_prediction(params):
        return problem.network.forward(params, X)[0].copy()

    J = numerical_jacobian(raw_prediction, problem.params)
    hessian = problem.loss.hessian(raw_prediction(problem.params))
    weight = np.ones(len(X)) if problem.weight is None else problem.weight
    eigenvalues, vectors = np.linalg.eigh(hessian * (weight / weight.sum())[:, None, None])
    root = np.sqrt(np.maximum(eigenvalues, 0))[:, :, None] * vectors.transpose(0, 2, 1)
    return (root @ J).reshape(-1, problem.network.n_params)


def root_of(problem, **options):
    with problem.rows(**options) as rows:
        return problem.mean_loss(rows).root(problem.params)


@given(problems(SMOOTH))
def test_the_matrix_of_a_network_is_its_scaled_jacobian(problem):
    """B'B, as the outputs of a row may be turned."""
    expected = scaled_jacobian(problem)
    B = root_of(problem).matrix()
    assert B.shape == expected.shape
    np.testing.assert_allclose(B.T @ B, expected.T @ expected, atol=1e-8)


@given(problems_with_penalties(), st.integers(0, 2**32 - 1))
def test_every_product_is_that_of_the_matrix(posed, seed):
    problem, penalty = posed
    root, rng = root_of(problem), np.random.default_rng(seed)
    B, inverse = root.matrix(), 1 / penalty.per_weight
    v, u = (rng.normal(size=size) for size in B.shape[::-1])
    M = rng.normal(size=(len(B), len(B)))
    of_weights = inverse * np.einsum("qp,qr,rp->p", B, M, B)
    found = root.of_rows(inverse) * root.traces(M)
    for result, expected in (
        (root.times(v), B @ v),
        (root.transposed_times(u), B.T @ u),
        (root.squares, (B**2).sum(axis=0)),
        (root.gram(inverse), B * inverse @ B.T),
        (
            np.bincount(root.of_rows(penalty.groups), found),
            np.bincount(penalty.groups, of_weights),
        ),
    ):
        np.testing.assert_allclose(result, expected, rtol=1e-10, atol=1e-11 * abs(expected).max())


@given(problems_with_penalties(), st.sampled_from([0.0, 1e-3, 1.0]))
def test_layers_answer_as_the_explicit_matrix_does(posed, mu):
    """The whole factor, by layers and with the Jacobian as it was: under the same penalty."""
    problem, penalty = posed
    root = root_of(problem)
    layered = LowRankCurvature(root, penalty.per_weight)
    explicit = LowRankCurvature(root_of_matrix(root.matrix()), penalty.per_weight)
    np.testing.assert_allclose(layered.diagonal, explicit.diagonal, rtol=1e-12)
    b = np.random.default_rng(0).normal(size=len(penalty.groups))
    J = np.random.default_rng(1).normal(size=(3, problem.network.n_outputs, len(b)))
    layered, explicit = layered.factorize(mu), explicit.factorize(mu)
    assert layered.log_determinant() == pytest.approx(explicit.log_determinant(), rel=1e-11)
    for answer in (
        lambda factor: factor.solve(b),
        lambda factor: factor.determined(penalty.groups),
        lambda factor: factor.covariance(J),
    ):
        expected = answer(explicit)
        atol = 1e-10 * abs(expected).max()
        np.testing.assert_allclose(answer(layered), expected, rtol=1e-8, atol=atol)


@given(problems_with_penalties())
def test_dual_and_primal_agree(posed):
    """Effective parameters and solutions under a penalty, from B'B itself."""
    problem, penalty = posed
    root = root_of(problem)
    B = root.matrix()
    dual = LowRankCurvature(root, penalty.per_weight).factorize()
    primal = DenseCurvature(B.T @ B, penalty.per_weight).factorize()
    found, expected = (each.determined(penalty.groups) for each in (dual, primal))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
    b = np.linspace(-1, 1, len(penalty.groups))
    np.testing.assert_allclose(dual.solve(b), primal.solve(b), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("loss_class", LOSSES)
def test_sparse_rows_have_the_root_of_dense_ones(loss_class):
    sparse = random_problem(loss_class, 3, is_sparse=True)
    dense = replace(sparse, X=sparse.X.toarray())
    np.testing.assert_allclose(
        root_of(sparse).matrix(), root_of(dense).matrix(), rtol=1e-13, atol=1e-14
    )


@pytest.mark.parametrize("loss_class", LOSSES)
def test_rows_in_float32_have_the_root_of_the_weights_as_they_are(loss_class):
    """Whatever form the blocks compute in: where tanh is fast, logistic units are tanh units."""
    problem = random_problem(loss_class, 2, is_sparse=True)
    single, double = (root_of(problem, dtype=dtype).matrix() for dtype in (np.float32, float))
    assert single.dtype == np.float64
    np.testing.assert_allclose(single.T @ single, double.T @ double, atol=1e-5)


def test_a_row_of_weights_is_all_that_is_needed_of_a_diagonal():
    """In the order in which the weights lie: rows of W1, b1, rows of W2, b2."""
    problem = random_problem(n_outputs=2, n_features=2, n_hidden=3)
    groups = Penalty.of(problem.network, np.arange(5.0)).groups
    np.testing.assert_array_equal(root_of(problem).of_rows(groups), [0, 1, 2, 3, 3, 3, 4])


def test_a_layer_has_every_product_of_an_input_and_a_slope():
    layer = Layer(np.array([[2.0, 3.0]]), np.array([[[5.0, 7.0], [11.0, 13.0]]]))
    np.testing.assert_array_equal(layer.matrix(), [[10, 14, 15, 21], [22, 26, 33, 39]])
