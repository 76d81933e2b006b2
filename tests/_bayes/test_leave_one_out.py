"""Rows predicted without themselves: by refits, by Newton steps and by dense algebra."""

import numpy as np
import pytest
from gradient_check import LOSSES, numerical_jacobian, random_problem

from sklearn_twolayer._bayes.leave_one_out import (
    MAX_LEVERAGE,
    leave_one_out_loss,
    leave_one_out_shift,
)
from sklearn_twolayer._network.curvature import DenseCurvature
from sklearn_twolayer._network.losses import BinaryLogLoss, MulticlassLogLoss, SquaredError
from sklearn_twolayer._network.objective import PenalisedLoss, Penalty
from sklearn_twolayer._optimize.full_batch import levenberg_marquardt


class LinearProblem:
    """F = sum_i loss(Phi_i t) / n + |t|^2 penalty / 2: raw predictions linear in t (p,)."""

    def __init__(self, loss, y, n_outputs, penalty=0.1, n_params=5):
        self.loss, self.y, self.penalty = loss, y, penalty
        self.Phi = np.random.default_rng(0).normal(size=(len(y), n_outputs, n_params))

    def minimum(self, kept):
        """Minimiser over the rows ``kept``, by Newton's method; n stays what it was."""
        t = np.zeros(self.Phi.shape[2])
        for _ in range(30):
            t = t + self.newton_step(t, kept)
        return t

    def newton_step(self, t, kept):
        Phi, n = self.Phi[kept], len(self.y)
        Z2 = Phi @ t
        delta = self.loss.loss_and_delta(self.y[kept], Z2)[1]
        gradient = np.einsum("ncp,nc->p", Phi, delta) / n + self.penalty * t
        return -np.linalg.solve(self.curvature(Z2, kept), gradient)

    def curvature(self, Z2, kept):
        Phi = self.Phi[kept]
        G = np.einsum("ncp,ncd,ndq->pq", Phi, self.loss.hessian(Z2), Phi) / len(self.y)
        return G + self.penalty * np.eye(Phi.shape[2])

    def shift(self, t):
        """``leave_one_out_shift`` of every row."""
        everything = np.ones(len(self.y), bool)
        Z2 = self.Phi @ t
        inverse = np.linalg.inv(self.curvature(Z2, everything))
        V = self.Phi @ inverse @ self.Phi.transpose(0, 2, 1) / len(self.y)
        delta = self.loss.loss_and_delta(self.y, Z2)[1]
        return leave_one_out_shift(V, self.loss.hessian(Z2), delta)


def linear_problem(kind):
    rng = np.random.default_rng(1)
    if kind == "squared error":
        return LinearProblem(SquaredError(), rng.normal(size=(20, 1)), 1)
    if kind == "two outputs":
        return LinearProblem(SquaredError(), rng.normal(size=(20, 2)), 2)
    if kind == "two classes":
        return LinearProblem(BinaryLogLoss(), rng.integers(2, size=(20, 1)).astype(float), 1)
    return LinearProblem(MulticlassLogLoss(), rng.integers(3, size=20), 3)


@pytest.mark.parametrize("kind", ["squared error", "two outputs"])
def test_the_shift_of_least_squares_is_that_of_a_refit(kind):
    problem = linear_problem(kind)
    everything = np.ones(20, bool)
    t = problem.minimum(everything)
    shift = problem.shift(t)
    for i in range(20):
        refit = problem.minimum(np.arange(20) != i)
        np.testing.assert_allclose(shift[i], problem.Phi[i] @ (refit - t), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["two classes", "three classes"])
def test_the_shift_of_log_loss_is_a_newton_step_without_the_row(kind):
    problem = linear_problem(kind)
    t = problem.minimum(np.ones(20, bool))
    shift = problem.shift(t)
    for i in range(20):
        step = problem.newton_step(t, np.arange(20) != i)
        np.testing.assert_allclose(shift[i], problem.Phi[i] @ step, rtol=1e-8, atol=1e-12)


def test_a_row_that_determines_its_prediction_still_has_a_shift():
    V, hessian, delta = np.full((1, 1, 1), 0.5), np.full((1, 1, 1), 2.0), np.ones((1, 1))
    found = leave_one_out_shift(V, hessian, delta)
    assert found == pytest.approx(0.5 * (1 + 1 / (1 - MAX_LEVERAGE)), rel=1e-12)


@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("is_weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("inflation", [1.0, 1.2])
@pytest.mark.parametrize("loss_class", LOSSES)
def test_leave_one_out_loss_is_its_definition(loss_class, inflation, is_weighted, is_sparse):
    """Row by row: one Gauss-Newton step without one copy of the row, by dense algebra."""
    n_outputs = 1 if loss_class is BinaryLogLoss else 2
    problem = random_problem(loss_class, n_outputs, is_weighted=is_weighted, is_sparse=is_sparse)
    network, loss, params = problem.network, problem.loss, problem.params
    dense = problem.X.toarray() if is_sparse else problem.X
    standardized = (dense - problem.standardization.mean) / problem.standardization.scale
    ones = np.column_stack([standardized, np.ones(len(dense))])

    def raw_prediction(params):
        return network.forward(params, ones)[0].copy()

    Z2, J = raw_prediction(params), numerical_jacobian(raw_prediction, params)
    H, delta = loss.hessian(Z2), loss.loss_and_delta(problem.y, Z2)[1]
    s = np.ones(len(ones)) if problem.weight is None else problem.weight
    copies = s.sum()
    parts = J.transpose(0, 2, 1) @ H @ J / copies
    G = np.einsum("n,npq->pq", s, parts) + np.eye(network.n_params)
    share = inflation / copies
    without = [
        Z2[i] + J[i] @ np.linalg.solve(G - inflation * parts[i], share * J[i].T @ delta[i])
        for i in range(len(ones))
    ]
    expected = s @ loss.loss_and_delta(problem.y, np.array(without))[0] / s.sum()
    factor = DenseCurvature(G, np.zeros(len(params))).factorize()
    with problem.rows() as rows:
        found = leave_one_out_loss(problem.mean_loss(rows), params, factor, inflation=inflation)
    assert found == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    ("loss_class", "n_outputs", "alpha", "error"),
    [
        (SquaredError, 1, 0.03, 0.1),
        (SquaredError, 2, 0.03, 0.1),
        (BinaryLogLoss, 1, 0.01, 0.1),
        (BinaryLogLoss, 3, 0.03, 0.2),
        (MulticlassLogLoss, 3, 0.03, 0.25),
    ],
)
def test_it_foretells_the_loss_of_left_out_rows(loss_class, n_outputs, alpha, error):
    """Against a fit without each row, from the fit with it."""
    sizes = {"n_outputs": n_outputs, "n_rows": 30, "n_hidden": 3}
    problem = random_problem(loss_class, **sizes, is_weighted=False, alpha=0)
    n_params = problem.network.n_params

    def minimum(objective, start):
        options = {"max_iter": 200, "tol": 1e-10, "callback": lambda step: None}
        return levenberg_marquardt(objective, start, **options).x

    def penalty(alpha):
        return Penalty(np.zeros(n_params, int), np.array([alpha]))

    with problem.rows() as rows:
        mean_loss = problem.mean_loss(rows)
        objective = PenalisedLoss(mean_loss, penalty(alpha))
        params = minimum(objective, problem.params)
        factor = objective.quadratic(params)[2].factorize()
        found = leave_one_out_loss(mean_loss, params, factor, inflation=1.0)
        loss = mean_loss.value(params)
    left_out = []
    whole_X, whole_y = problem.X, problem.y
    for i in range(30):
        kept = np.arange(30) != i
        problem.X, problem.y = whole_X[kept], whole_y[kept]
        with problem.rows() as rows:
            refit = minimum(
                PenalisedLoss(problem.mean_loss(rows), penalty(alpha * 30 / 29)), params
            )
        problem.X, problem.y = whole_X[~kept], whole_y[~kept]
        with problem.rows() as rows:
            left_out.append(problem.mean_loss(rows).value(refit))
    optimism = np.mean(left_out) - loss
    assert optimism > 0.03 * loss
    assert found - loss == pytest.approx(optimism, rel=error)
