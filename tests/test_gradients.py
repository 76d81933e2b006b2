"""Backprop against central differences, and proof that the comparison can fail."""

from copy import deepcopy

import numpy as np
import pytest
from gradient_check import LOSSES, check_gradient, random_problem
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._activations import ACTIVATIONS
from sklearn_twolayer._losses import LogisticSquaredError

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
    check_gradient(problem.loss_and_gradient, problem.params, step=step_for(activation))


@pytest.mark.parametrize("alpha", [0, 3.0])
def test_gradient_of_penalty(alpha):
    problem = random_problem(alpha=alpha)
    check_gradient(problem.loss_and_gradient, problem.params)


def test_checker_rejects_error_of_one_in_two_thousand():
    problem = random_problem()

    def wrong(params):
        value, gradient = problem.loss_and_gradient(params)
        return value, 1.0005 * gradient

    with pytest.raises(AssertionError, match="they differ by"):
        check_gradient(wrong, problem.params)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("loss_class", LOSSES)
def test_checker_rejects_error_in_a_single_weight(loss_class, block):
    """An error of 0.05 % in one entry of dW1, db1, dW2 or db2 is enough."""
    problem = random_problem(loss_class, 2)

    def wrong(params):
        value, gradient = problem.loss_and_gradient(params)
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
        value, gradient = problem.loss_and_gradient(params)
        with problem.rows() as rows:
            A2 = problem.objective.loss.predict(problem.objective.raw_prediction(params, rows))
        delta_without = 2 * (A2 - problem.y) / n_outputs
        db2 = problem.network.unpack(gradient)[3]
        db2[:] = problem.weight @ delta_without / problem.weight.sum()
        return value, gradient

    check_gradient(problem.loss_and_gradient, problem.params)
    with pytest.raises(AssertionError, match="they differ by"):
        check_gradient(wrong, problem.params)


def estimator_and_targets(kind, rng, n_rows):
    """An unfitted estimator and targets of a kind."""
    if kind.startswith("classifier"):
        y = {
            "classifier-binary": rng.permutation(np.arange(n_rows) % 2),
            "classifier-multiclass": rng.permutation(np.arange(n_rows) % 3),
            "classifier-multilabel": rng.integers(2, size=(n_rows, 2)),
        }[kind]
        return TwoLayerClassifier(class_weight={0: 2.0}), y
    if kind == "regressor-logistic":
        return TwoLayerRegressor(output_activation="logistic"), rng.uniform(size=n_rows)
    n_outputs = {"regressor": 1, "regressor-two": 2}[kind]
    return TwoLayerRegressor(), 5 + 3 * rng.normal(size=(n_rows, n_outputs))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("standardize", [False, True], ids=["raw", "standardized"])
@pytest.mark.parametrize(
    "kind",
    [
        "regressor",
        "regressor-two",
        "regressor-logistic",
        "classifier-binary",
        "classifier-multiclass",
        "classifier-multilabel",
    ],
)
def test_gradient_of_fitted_estimator(kind, standardize, is_sparse):
    """``loss_and_gradient`` is the derivative in ``coefs_`` and ``intercepts_``."""
    rng = np.random.default_rng(0)
    X = 2 + rng.normal(size=(30, 3)) * [0.5, 1, 2]
    if is_sparse:
        X = sparse.csr_array(X * (rng.uniform(size=X.shape) < 0.5))
    sample_weight = rng.uniform(0.2, 2, size=30)
    model, y = estimator_and_targets(kind, rng, 30)
    model.set_params(n_hidden=4, solver="gd", max_iter=5, standardize=standardize, alpha=0.1)
    model.set_params(random_state=0).fit(X, y, sample_weight)

    def fun(flat):
        copy = deepcopy(model)
        position = 0
        for array in copy.coefs_ + copy.intercepts_:
            array[...] = flat[position : position + array.size].reshape(array.shape)
            position += array.size
        loss, coef_gradients, intercept_gradients = copy.loss_and_gradient(X, y, sample_weight)
        return loss, np.concatenate([d.ravel() for d in coef_gradients + intercept_gradients])

    weights = np.concatenate([array.ravel() for array in model.coefs_ + model.intercepts_])
    check_gradient(fun, weights)


def test_loss_of_estimator_is_the_loss_of_its_fit():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    model = TwoLayerRegressor(n_hidden=4, solver="gd", max_iter=7, random_state=0)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    assert model.loss_and_gradient(X, y)[0] == pytest.approx(model.loss_, rel=1e-12)
