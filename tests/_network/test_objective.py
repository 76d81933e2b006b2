"""Sum, divide once, penalise once; and the second-order quantities on the same scale."""

import dis
import pickle
import sys

import numpy as np
import pytest
from gradient_check import LOSSES, directional_derivative, numerical_jacobian, random_problem

from sklearn_twolayer._data.rows import Rows
from sklearn_twolayer._network import objective
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.curvature import DenseCurvature, LowRankCurvature
from sklearn_twolayer._network.losses import SquaredError
from sklearn_twolayer._network.objective import MeanLoss, PenalisedLoss, Penalty, penalty_groups

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


def test_penalty():
    network = TwoLayerNetwork(2, 3, 2, "tanh")
    params = np.random.default_rng(0).normal(size=network.n_params)
    W1, b1, W2, b2 = network.unpack(params)
    fixed = Penalty.fixed(network, 0.3)
    assert fixed.value(params) == pytest.approx(0.15 * ((W1**2).sum() + (W2**2).sum()))
    assert Penalty.fixed(network, 0.0).value(params) == 0
    of_both = Penalty.fixed(network, 0.3, ratio=100.0)
    assert of_both.value(params) == pytest.approx(1.5 * (W1**2).sum() + 0.015 * (W2**2).sum())
    each = Penalty.fixed(network, 0.3, of_inputs=(1.0, 4.0))
    squares = (W1[0] ** 2).sum() + 4 * (W1[1] ** 2).sum() + (W2**2).sum()
    assert each.value(params) == pytest.approx(0.15 * squares)
    strengths = np.arange(1.0, 6)
    by_input = Penalty(penalty_groups(network, per_input=True), strengths)
    parts = (W1[0], W1[1], b1, W2, b2)
    expected = sum(0.5 * alpha * (part**2).sum() for alpha, part in zip(strengths, parts))
    assert by_input.value(params) == pytest.approx(expected)


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
        assert problem.objective(rows).value(problem.params) == pytest.approx(expected, rel=1e-13)


@KINDS
@WEIGHTS
@OUTPUTS
@ALL_LOSSES
def test_all_routes_agree(loss_class, n_outputs, is_weighted, is_sparse):
    """One value and one gradient, whichever method computes them."""
    problem = random_problem(loss_class, n_outputs, is_weighted=is_weighted, is_sparse=is_sparse)
    params = problem.params
    with problem.rows() as rows:
        mean_loss, objective = problem.mean_loss(rows), problem.objective(rows)
        value, gradient = mean_loss.value_and_gradient(params)
        value_gn, gradient_gn, _ = mean_loss.gauss_newton(params)
        assert mean_loss.value(params) == value == value_gn
        np.testing.assert_array_equal(gradient_gn, gradient)
        value, gradient = objective.value_and_gradient(params)
        value_q, gradient_q, _ = objective.quadratic(params)
        assert objective.value(params) == value == value_q
        np.testing.assert_array_equal(gradient_q, gradient)
        found = rows.map(mean_loss.block_raw_prediction(params))
    np.testing.assert_allclose(found, raw_prediction(problem, params), rtol=1e-12, atol=1e-13)


@KINDS
@WEIGHTS
@OUTPUTS
@ALL_LOSSES
def test_gauss_newton_against_differences(loss_class, n_outputs, is_weighted, is_sparse):
    """sum_i s_i / S J_i' H_i J_i, with J by differences."""
    problem = random_problem(loss_class, n_outputs, is_weighted=is_weighted, is_sparse=is_sparse)
    params = problem.params
    J = numerical_jacobian(lambda params: raw_prediction(problem, params), params)
    hessian = loss_class().hessian(raw_prediction(problem, params))
    expected = np.einsum("n,ncp,ncd,ndq->pq", weights(problem), J, hessian, J, optimize=True)
    with problem.rows() as rows:
        matrix = problem.mean_loss(rows).gauss_newton(params)[2]
    np.testing.assert_allclose(matrix, expected, atol=1e-9)


@KINDS
@WEIGHTS
@OUTPUTS
@ALL_LOSSES
def test_root_times_its_transpose_is_gauss_newton(loss_class, n_outputs, is_weighted, is_sparse):
    """The dual form: B'B is the matrix of the primal form."""
    problem = random_problem(loss_class, n_outputs, is_weighted=is_weighted, is_sparse=is_sparse)
    with problem.rows() as rows:
        mean_loss = problem.mean_loss(rows)
        matrix = mean_loss.gauss_newton(problem.params)[2]
        B = mean_loss.root(problem.params).matrix()
    assert B.shape == (23 * n_outputs, problem.network.n_params)
    np.testing.assert_allclose(B.T @ B, matrix, atol=1e-13)


@ALL_LOSSES
def test_gauss_newton_is_the_hessian_of_a_linear_network(loss_class):
    """In W2 and b2 the network is linear: there the matrix is exact for canonical losses."""
    problem = random_problem(loss_class, 3, alpha=0)
    n_first = problem.network.n_first

    def output_gradient(output_layer):
        params = np.concatenate([problem.params[:n_first], output_layer])
        return problem.value_and_gradient(params)[1][n_first:]

    with problem.rows() as rows:
        matrix = problem.mean_loss(rows).gauss_newton(problem.params)[2]
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
    params = problem.params
    total = 0
    with problem.rows() as rows:
        objective = problem.objective(rows)
        for batch in rows.batches(batch_size, np.random.RandomState(0)):
            share = batch[0].shape[0] / rows.n_rows
            total += share * objective.batch_gradient(params, batch)
        expected = objective.value_and_gradient(params)[1]
    np.testing.assert_allclose(total, expected, rtol=1e-12, atol=1e-13)


@KINDS
@ALL_LOSSES
def test_params_are_not_overwritten(loss_class, is_sparse):
    problem = random_problem(loss_class, 2, is_sparse=is_sparse)
    kept = problem.params.copy()
    with problem.rows() as rows:
        objective, mean_loss = problem.objective(rows), problem.mean_loss(rows)
        objective.quadratic(problem.params)
        mean_loss.gauss_newton(problem.params)
        mean_loss.root(problem.params)
        objective.batch_gradient(problem.params, next(rows.batches(5)))
    np.testing.assert_array_equal(problem.params, kept)


@KINDS
@ALL_LOSSES
def test_float32_blocks_sum_in_float64(loss_class, is_sparse):
    problem = random_problem(loss_class, 2, is_sparse=is_sparse)
    value, gradient = problem.value_and_gradient(problem.params)
    with problem.rows(dtype=np.float32) as rows:
        single, single_gradient = problem.objective(rows).value_and_gradient(problem.params)
    assert single_gradient.dtype == np.float64
    assert single == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(single_gradient, gradient, atol=1e-5)


class Counted:
    """Rows that count how often they are summed or mapped."""

    def __init__(self, rows):
        self.rows = rows
        self.n_passes = 0

    def __getattr__(self, name):
        if name in ("sum", "map"):
            self.n_passes += 1
        return getattr(self.rows, name)


def some_penalty(problem):
    """One for each input column, and for b1, W2 and b2."""
    return Penalty.of(problem.network, np.linspace(0.1, 2, problem.network.n_features + 3))


@pytest.mark.usefixtures("dual_form")
@KINDS
@ALL_LOSSES
@pytest.mark.parametrize(
    ("n_rows", "curvature_class"), [(40, DenseCurvature), (9, LowRankCurvature)]
)
def test_quadratic(n_rows, curvature_class, loss_class, is_sparse):
    """Value, gradient and curvature of F under a penalty of each input."""
    problem = random_problem(loss_class, 2, n_rows=n_rows, is_sparse=is_sparse)
    params, penalty = problem.params, some_penalty(problem)
    with problem.rows() as rows:
        mean_loss = problem.mean_loss(rows)
        objective = PenalisedLoss(mean_loss, penalty)
        value, gradient = objective.value_and_gradient(params)
        matrix = mean_loss.gauss_newton(params)[2] + np.diag(penalty.per_weight)
        found_value, found_gradient, curvature = objective.quadratic(params)
        free = mean_loss.quadratic(params)[2]
    assert isinstance(curvature, curvature_class)
    assert found_value == value
    np.testing.assert_array_equal(found_gradient, gradient)
    np.testing.assert_allclose(curvature.diagonal, matrix.diagonal(), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(free.diagonal + penalty.per_weight, curvature.diagonal, rtol=1e-14)
    expected = np.linalg.solve(matrix, gradient)
    np.testing.assert_allclose(curvature.factorize().solve(gradient), expected, rtol=1e-7)


@pytest.mark.usefixtures("dual_form")
@pytest.mark.parametrize(("n_rows", "n_passes"), [(40, 1), (9, 2)])
def test_the_rows_are_read_once_for_each_point(n_rows, n_passes):
    """The dual form takes two passes: the gradient, and the root of the curvature."""
    problem = random_problem(n_outputs=2, n_rows=n_rows)
    with problem.rows() as rows:
        counted = Counted(rows)
        mean_loss = problem.mean_loss(counted)
        for penalty in (Penalty.fixed(problem.network, 0.0), some_penalty(problem)):
            PenalisedLoss(mean_loss, penalty).quadratic(problem.params)
            mean_loss.quadratic(problem.params.copy())
            assert counted.n_passes == n_passes
        mean_loss.quadratic(problem.params + 1)
        assert counted.n_passes == 2 * n_passes


def test_it_is_not_fooled_by_a_point_that_changes_in_place():
    problem = random_problem(n_rows=40)
    with problem.rows() as rows:
        objective = problem.objective(rows)
        params = problem.params.copy()
        before = objective.quadratic(params)[0]
        params += 0.5
        assert objective.quadratic(params)[0] != before
        assert objective.quadratic(params)[0] == pytest.approx(objective.value(params), rel=1e-12)


@KINDS
@ALL_LOSSES
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_acceleration(loss_class, n_outputs, is_sparse):
    """sum_i s_i J_i' H_i d^2 Z2_i / dt^2 / S, from differences of the raw predictions."""
    problem = random_problem(loss_class, n_outputs, "tanh", is_sparse=is_sparse)
    x = problem.params
    v = np.random.default_rng(2).normal(size=len(x))

    def prediction(x):
        return raw_prediction(problem, x).copy()

    def slope(x):
        return directional_derivative(prediction, x, v)

    second = directional_derivative(slope, x, v)
    J = numerical_jacobian(prediction, x)
    H = problem.loss.hessian(prediction(x))
    expected = np.einsum("n,ncp,ncd,nd->p", weights(problem), J, H, second)
    with problem.rows() as rows:
        found = problem.objective(rows).acceleration(x, v)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_acceleration_of_a_network_that_is_linear_along_the_direction_is_zero():
    """Along W2 and b2 the raw prediction is linear."""
    problem = random_problem(n_outputs=2)
    v = np.zeros(len(problem.params))
    v[problem.network.n_first :] = 1.0
    with problem.rows() as rows:
        assert not problem.objective(rows).acceleration(problem.params, v).any()


@KINDS
@pytest.mark.parametrize("activation", ["logistic", "tanh"])
def test_linearised(activation, is_sparse):
    """Z2 and its Jacobian in the network's own weights, on standardised rows."""
    problem = random_problem(n_outputs=2, activation=activation, is_sparse=is_sparse)
    J = numerical_jacobian(lambda x: raw_prediction(problem, x).copy(), problem.params)
    with problem.rows(block_size=100) as rows:
        mean_loss = problem.mean_loss(rows)
        params = mean_loss.incoming(problem.params)
        Z2, found = mean_loss.linearised(params, next(rows.batches(100))[0])
    np.testing.assert_allclose(Z2, raw_prediction(problem, problem.params), rtol=1e-12)
    np.testing.assert_allclose(found, J, atol=1e-9)


@KINDS
def test_what_is_sent_to_other_machines_has_no_rows(is_sparse):
    problem = random_problem(is_sparse=is_sparse)
    with problem.rows(block_size=100) as rows:
        mean_loss = problem.mean_loss(rows)
        mean_loss.quadratic(problem.params)
        block = mean_loss.block_raw_prediction(problem.params)
        sent, owner = pickle.loads(pickle.dumps((block, mean_loss)))
        assert owner.rows is None
        batch = next(rows.batches(100))
        np.testing.assert_array_equal(sent(*batch), block(*batch))


@KINDS
@OUTPUTS
@ALL_LOSSES
def test_the_textbook_gives_the_same_numbers(loss_class, n_outputs, is_sparse):
    """With and without the tanh form and the shortcut of one output."""
    problem = random_problem(loss_class, n_outputs, is_sparse=is_sparse)
    with problem.rows() as rows:
        value, gradient = problem.mean_loss(rows).value_and_gradient(problem.params)
        plain = problem.mean_loss(rows, is_textbook=True)
        found, found_gradient = plain.value_and_gradient(problem.params)
        assert plain.value(problem.params) == found == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(found_gradient, gradient, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu"])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("n_features", [2, 6])
def test_the_textbook_runs_every_line(n_features, n_outputs, activation):
    """All lines of ``forward`` and ``backward``, of the network itself, whatever its shape."""
    problem = random_problem(
        n_outputs=n_outputs, activation=activation, n_features=n_features, n_hidden=4
    )
    methods = [TwoLayerNetwork.forward.__code__, TwoLayerNetwork.backward.__code__]
    lines = {code: set() for code in methods}

    def trace(frame, event, argument):
        if frame.f_code not in lines:
            return None
        assert frame.f_locals["self"] is problem.network
        if event == "line":
            lines[frame.f_code].add(frame.f_lineno)
        return trace

    previous = sys.gettrace()
    with problem.rows(block_size=100) as rows:
        mean_loss = problem.mean_loss(rows, is_textbook=True)
        sys.settrace(trace)
        try:
            mean_loss.value_and_gradient(problem.params)
        finally:
            sys.settrace(previous)
    for code in methods:
        written = {line for _, line in dis.findlinestarts(code) if line is not None}
        assert lines[code] == written - {code.co_firstlineno}


def test_tanh_forms_are_for_gradients_in_float32(monkeypatch):
    """Jacobians are taken in float64, and their columns never meet a tanh form."""

    def runs_tanh(activation, dtype):
        network, X = TwoLayerNetwork(3, 4, 2, activation), np.zeros((1, 3))
        rows = Rows(X, None, None, standardization=None, dtype=dtype, block_size=1)
        form = MeanLoss(network, SquaredError(), rows).incoming(np.ones(network.n_params))
        return form[0] == 0.5

    for is_fast in (False, True):
        monkeypatch.setattr(objective, "TANH_IS_FAST", is_fast)
        assert runs_tanh("logistic", np.float32) == is_fast
        assert not runs_tanh("logistic", np.float64)
        assert not runs_tanh("tanh", np.float32)


def test_in_its_units_the_weights_of_all_inputs_cost_alike():
    network = TwoLayerNetwork(3, 2, 1, "tanh")
    penalty = Penalty.fixed(network, 0.1, 4.0, (1.0, 100.0, 0.01))
    cost = penalty.per_weight * penalty.units**2
    W1, b1, W2, b2 = network.unpack(cost)
    np.testing.assert_allclose(W1, 0.2)  # the alpha of the middle one
    for weights, alpha in ((b1, 0), (W2, 0.05), (b2, 0)):
        np.testing.assert_allclose(weights, alpha)
    assert Penalty.fixed(network, 0.1).units == 1.0
    assert Penalty.of(network, penalty.strengths).units == 1.0  # of the evidence
