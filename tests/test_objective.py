"""Sum, divide once, penalise once; and the second-order quantities on the same scale."""

import numpy as np
import pytest
from gradient_check import LOSSES, numerical_jacobian, random_problem

from sklearn_twolayer._network import TwoLayerNetwork
from sklearn_twolayer._objective import penalty_groups

KINDS = pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
WEIGHTS = pytest.mark.parametrize("is_weighted", [False, True], ids=["unweighted", "weighted"])
OUTPUTS = pytest.mark.parametrize("n_outputs", [1, 2, 5])
ALL_LOSSES = pytest.mark.parametrize("loss_class", LOSSES)


def standardized(problem):
    """The dense standardised rows of X."""
    X = problem.X if isinstance(problem.X, np.ndarray) else problem.X.toarray()
    return (X - problem.standardization.mean) / problem.standardization.scale


def raw_prediction(problem, params):
    """Z2 of all rows at once."""
    X = standardized(problem)
    return problem.network.forward(params, np.column_stack([X, np.ones(len(X))]))[0]


def weights(problem):
    """s_i / S."""
    s = np.ones(problem.X.shape[0]) if problem.weight is None else problem.weight
    return s / s.sum()


def test_groups_of_weights():
    """W1, b1, W2, b2; with a group for each input column, its row of W1."""
    network = TwoLayerNetwork(2, 3, 2, "tanh")
    for group, part in enumerate(network.unpack(penalty_groups(network))):
        assert (part == group).all()
    W1, b1, W2, b2 = network.unpack(penalty_groups(network, per_input=True))
    np.testing.assert_array_equal(W1, [[0, 0, 0], [1, 1, 1]])
    assert [set(part.ravel()) for part in (b1, W2, b2)] == [{2}, {3}, {4}]


@KINDS
@WEIGHTS
@OUTPUTS
@ALL_LOSSES
def test_value_is_its_definition(loss_class, n_outputs, is_weighted, is_sparse):
    """F = (1 / S) sum_i s_i loss_i + alpha / 2 (|W1|^2 + |W2|^2)."""
    problem = random_problem(loss_class, n_outputs, is_weighted=is_weighted, is_sparse=is_sparse)
    loss, _ = loss_class().loss_and_delta(problem.y, raw_prediction(problem, problem.params))
    W1, _, W2, _ = problem.network.unpack(problem.params)
    expected = weights(problem) @ loss + 0.1 / 2 * ((W1**2).sum() + (W2**2).sum())
    with problem.rows() as rows:
        assert problem.objective.value(problem.params, rows) == pytest.approx(expected, rel=1e-13)


@KINDS
@WEIGHTS
@OUTPUTS
@ALL_LOSSES
def test_all_routes_agree(loss_class, n_outputs, is_weighted, is_sparse):
    """One value and one gradient, whichever method computes them."""
    problem = random_problem(loss_class, n_outputs, is_weighted=is_weighted, is_sparse=is_sparse)
    objective, params = problem.objective, problem.params
    with problem.rows() as rows:
        value, gradient = objective.loss_and_gradient(params, rows)
        value_gn, gradient_gn, _ = objective.gauss_newton(params, rows)
        assert objective.value(params, rows) == value == value_gn
        np.testing.assert_array_equal(gradient_gn, gradient)
        found = objective.raw_prediction(params, rows)
    np.testing.assert_allclose(found, raw_prediction(problem, params), rtol=1e-12, atol=1e-13)


@KINDS
@WEIGHTS
@OUTPUTS
@ALL_LOSSES
def test_gauss_newton_against_differences(loss_class, n_outputs, is_weighted, is_sparse):
    """sum_i s_i / S J_i' H_i J_i + diag(penalty), with J by differences."""
    problem = random_problem(loss_class, n_outputs, is_weighted=is_weighted, is_sparse=is_sparse)
    params = problem.params
    J = numerical_jacobian(lambda params: raw_prediction(problem, params), params)
    hessian = loss_class().hessian(raw_prediction(problem, params))
    expected = np.einsum("n,ncp,ncd,ndq->pq", weights(problem), J, hessian, J, optimize=True)
    expected += np.diag(problem.objective.penalty)
    with problem.rows() as rows:
        matrix = problem.objective.gauss_newton(params, rows)[2]
    np.testing.assert_allclose(matrix, expected, atol=1e-9)


@KINDS
@WEIGHTS
@OUTPUTS
@ALL_LOSSES
def test_root_times_its_transpose_is_gauss_newton(loss_class, n_outputs, is_weighted, is_sparse):
    """The dual form: B'B + diag(penalty) is the matrix of the primal form."""
    problem = random_problem(loss_class, n_outputs, is_weighted=is_weighted, is_sparse=is_sparse)
    objective, params = problem.objective, problem.params
    with problem.rows() as rows:
        matrix = objective.gauss_newton(params, rows)[2]
        B = objective.root_gauss_newton(params, rows)
    assert B.shape == (23 * n_outputs, problem.network.n_params)
    np.testing.assert_allclose(B.T @ B + np.diag(objective.penalty), matrix, atol=1e-13)


@ALL_LOSSES
def test_gauss_newton_is_the_hessian_of_a_linear_network(loss_class):
    """In W2 and b2 the network is linear: there the matrix is exact for canonical losses."""
    problem = random_problem(loss_class, 3)
    n_first = problem.network.n_first

    def output_gradient(output_layer):
        params = np.concatenate([problem.params[:n_first], output_layer])
        return problem.loss_and_gradient(params)[1][n_first:]

    with problem.rows() as rows:
        matrix = problem.objective.gauss_newton(problem.params, rows)[2]
    found = matrix[n_first:, n_first:]
    hessian = numerical_jacobian(output_gradient, problem.params[n_first:])
    is_canonical = loss_class.__name__ != "LogisticSquaredError"
    assert np.allclose(found, hessian, atol=1e-10) == is_canonical


@KINDS
@WEIGHTS
@pytest.mark.parametrize("batch_size", [1, 5, 23])
@ALL_LOSSES
def test_mini_batches_average_to_the_gradient(loss_class, batch_size, is_weighted, is_sparse):
    """Weighted by their number of rows: the estimate has no bias."""
    problem = random_problem(loss_class, 2, is_weighted=is_weighted, is_sparse=is_sparse)
    objective, params = problem.objective, problem.params
    permutation = np.random.default_rng(0).permutation(23)
    total = 0
    with problem.rows() as rows:
        for batch in rows.batches(batch_size, permutation):
            share = batch[0].shape[0] / rows.n_rows
            total += share * objective.batch_gradient(params, rows, batch)
        expected = objective.loss_and_gradient(params, rows)[1]
    np.testing.assert_allclose(total, expected, rtol=1e-12, atol=1e-13)


@KINDS
@ALL_LOSSES
def test_params_are_not_overwritten(loss_class, is_sparse):
    problem = random_problem(loss_class, 2, is_sparse=is_sparse)
    kept = problem.params.copy()
    with problem.rows() as rows:
        problem.objective.gauss_newton(problem.params, rows)
        problem.objective.root_gauss_newton(problem.params, rows)
        problem.objective.batch_gradient(problem.params, rows, next(rows.batches(5)))
    np.testing.assert_array_equal(problem.params, kept)


@KINDS
@ALL_LOSSES
def test_float32_blocks_sum_in_float64(loss_class, is_sparse):
    problem = random_problem(loss_class, 2, is_sparse=is_sparse)
    value, gradient = problem.loss_and_gradient(problem.params)
    with problem.rows(dtype=np.float32) as rows:
        single, single_gradient = problem.objective.loss_and_gradient(problem.params, rows)
    assert single_gradient.dtype == np.float64
    assert single == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(single_gradient, gradient, atol=1e-5)
