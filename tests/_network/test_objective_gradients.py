"""Backprop against central differences, and proof that the comparison can fail."""

import pytest
from gradient_check import LOSSES, check_gradient, random_problem

from sklearn_twolayer._network.activations import ACTIVATIONS
from sklearn_twolayer._network.losses import LogisticSquaredError

BLOCKS = ("W1", "b1", "W2", "b2")


def step_for(activation):
    """The step of the differences: small where they must not straddle a kink."""
    return 1e-4 if activation == "relu" else 1e-3


@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("is_weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("n_outputs", [1, 2, 5])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss_class", LOSSES)
def test_gradient_of_objective(loss_class, activation, n_outputs, is_weighted, is_sparse):
    problem = random_problem(
        loss_class, n_outputs, activation, is_weighted=is_weighted, is_sparse=is_sparse
    )
    check_gradient(problem.value_and_gradient, problem.params, step=step_for(activation))


@pytest.mark.parametrize("alpha", [0, 3.0])
def test_gradient_of_penalty(alpha):
    problem = random_problem(alpha=alpha)
    check_gradient(problem.value_and_gradient, problem.params)


def test_checker_rejects_error_of_one_in_two_thousand():
    problem = random_problem()

    def wrong(params):
        value, gradient = problem.value_and_gradient(params)
        return value, 1.0005 * gradient

    with pytest.raises(AssertionError, match="they differ by"):
        check_gradient(wrong, problem.params)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("loss_class", LOSSES)
def test_checker_rejects_error_in_a_single_weight(loss_class, block):
    """An error of 0.05 % in one entry of dW1, db1, dW2 or db2 is enough."""
    problem = random_problem(loss_class, 2)

    def wrong(params):
        value, gradient = problem.value_and_gradient(params)
        part = problem.network.unpack(gradient)[BLOCKS.index(block)].ravel()
        part[0] *= 1.0005
        return value, gradient

    with pytest.raises(AssertionError, match="they differ by"):
        check_gradient(wrong, problem.params)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_checker_rejects_db2_without_output_derivative(n_outputs):
    """The slip: g'(Z2) = A2 (1 - A2) kept in dW2 and forgotten in db2."""
    problem = random_problem(LogisticSquaredError, n_outputs)

    def wrong(params):
        value, gradient = problem.value_and_gradient(params)
        with problem.rows() as rows:
            Z2 = rows.map(problem.mean_loss(rows).block_raw_prediction(params))
            A2 = problem.loss.predict(Z2)
        delta_without = 2 * (A2 - problem.y) / n_outputs
        db2 = problem.network.unpack(gradient)[3]
        db2[:] = problem.weight @ delta_without / problem.weight.sum()
        return value, gradient

    check_gradient(problem.value_and_gradient, problem.params)
    with pytest.raises(AssertionError, match="they differ by"):
        check_gradient(wrong, problem.params)
