"""alpha="auto": leave-one-out without refits, and a choice that rounding does not make."""

from types import SimpleNamespace

import numpy as np
import pytest
from gradient_check import LOSSES, numerical_jacobian, random_problem
from scipy.optimize import OptimizeResult

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor, _auto, _choose_penalty
from sklearn_twolayer._curvature import DenseCurvature
from sklearn_twolayer._losses import BinaryLogLoss, MulticlassLogLoss, SquaredError
from sklearn_twolayer._minimize import (
    CONVERGED,
    OUT_OF_ITERATIONS,
    STOPPED,
    minimize_levenberg_marquardt,
    was_stopped,
)
from sklearn_twolayer._objective import MAX_LEVERAGE, leave_one_out_shift
from sklearn_twolayer._quadratic_model import QuadraticModel

ESTIMATORS = [TwoLayerRegressor, TwoLayerClassifier]
X = np.random.RandomState(0).normal(size=(60, 3))
Y = (X[:, 0] + X[:, 1] ** 2 + 0.3 * np.random.RandomState(1).normal(size=60) > 0.5).astype(int)


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
@pytest.mark.parametrize("loss_class", LOSSES)
def test_leave_one_out_loss_is_its_definition(loss_class, is_weighted, is_sparse):
    """Row by row: one Gauss-Newton step without one copy of the row, by dense algebra."""
    n_outputs = 1 if loss_class is BinaryLogLoss else 2
    problem = random_problem(loss_class, n_outputs, is_weighted=is_weighted, is_sparse=is_sparse)
    network, loss, params = problem.network, problem.objective.loss, problem.params
    dense = problem.X.toarray() if is_sparse else problem.X
    standardized = (dense - problem.standardization.mean) / problem.standardization.scale
    ones = np.column_stack([standardized, np.ones(len(dense))])

    def raw_prediction(params):
        return network.forward(params, ones)[0].copy()

    Z2, J = raw_prediction(params), numerical_jacobian(raw_prediction, params)
    H, delta = loss.hessian(Z2), loss.loss_and_delta(problem.y, Z2)[1]
    s = np.ones(len(ones)) if problem.weight is None else problem.weight
    copies = max(s.sum(), len(s))  # weights that sum to less count by their ratios
    parts = J.transpose(0, 2, 1) @ H @ J / copies
    G = np.einsum("n,npq->pq", s * copies / s.sum(), parts) + np.eye(network.n_params)
    without = [
        Z2[i] + J[i] @ np.linalg.solve(G - parts[i], J[i].T @ delta[i] / copies)
        for i in range(len(ones))
    ]
    expected = s @ loss.loss_and_delta(problem.y, np.array(without))[0] / s.sum()
    factor = DenseCurvature(G, np.zeros(len(params))).factorize()
    with problem.rows() as rows:
        found = problem.objective.leave_one_out_loss(params, rows, factor, 1.0)
    assert found == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("loss_class", "alpha"), [(SquaredError, 0.03), (BinaryLogLoss, 0.01)])
def test_it_foretells_the_loss_of_left_out_rows(loss_class, alpha):
    """Against a fit without each row, from the fit with it."""
    problem = random_problem(loss_class, n_rows=30, n_hidden=3, is_weighted=False, alpha=0)
    penalty = np.full(len(problem.params), alpha)

    def minimum(rows, start, penalty):
        model = QuadraticModel(problem.objective, rows)
        return minimize_levenberg_marquardt(
            lambda x: model.value(x, penalty),
            start,
            quadratic_model=lambda x: model(x, penalty),
            max_iter=200,
            tol=1e-10,
            callback=lambda x, value: None,
        ).x

    with problem.rows() as rows:
        params = minimum(rows, problem.params, penalty)
        _, _, curvature = QuadraticModel(problem.objective, rows)(params, penalty)
        factor = curvature.factorize()
        found = problem.objective.leave_one_out_loss(params, rows, factor, 1.0)
        loss = problem.objective.value(params, rows)
    left_out = []
    whole_X, whole_y = problem.X, problem.y
    for i in range(30):
        kept = np.arange(30) != i
        problem.X, problem.y = whole_X[kept], whole_y[kept]
        with problem.rows() as rows:
            refit = minimum(rows, params, penalty * 30 / 29)
        problem.X, problem.y = whole_X[~kept], whole_y[~kept]
        with problem.rows() as rows:
            left_out.append(problem.objective.value(refit, rows))
    optimism = np.mean(left_out) - loss
    assert optimism > 0.03 * loss
    assert found - loss == pytest.approx(optimism, rel=0.1)


def chosen_among(losses, monkeypatch):
    """Index of the candidate that ``automatic`` takes, given their leave-one-out losses."""
    candidates = [
        OptimizeResult(index=index, loss=loss, status=CONVERGED)
        for index, loss in enumerate(losses)
    ]
    replacements = {
        "evidence": lambda fit, params, damping: candidates[:1],
        "_rivals": lambda fit, start: candidates[1:],
        "leave_one_out_loss": lambda fit, candidate: candidate.loss,
        "_finish": lambda fit, candidate: candidate,
    }
    for name, function in replacements.items():
        monkeypatch.setattr(_choose_penalty, name, function)
    return list(_choose_penalty.automatic(SimpleNamespace(), None))[-1].index


@pytest.mark.parametrize(
    ("losses", "index"),
    [
        ([1.0, 1.0, 1.0], 0),
        ([1.0, 1 - 1e-12, 1 - 1e-9], 0),
        ([1.0, 0.9, 0.9 - 1e-12], 1),
        ([1.0, 2.0, 0.5], 2),
        ([np.inf, 1.0, 1.0], 1),
        ([np.inf, np.inf, np.inf], 0),
        ([0.0, 0.0, 0.0], 0),
    ],
)
def test_the_least_loss_wins_by_a_margin_and_ties_go_to_the_first(losses, index, monkeypatch):
    assert chosen_among(losses, monkeypatch) == index


class Starts:
    """A fit from several starts, known by number: ``fun`` after the trial, and at the end."""

    groups = staticmethod(lambda per_input: np.zeros(1, int))

    def __init__(self, fun, status=None, end=None):
        self.fun, self.end, self.max_iter, self.calls = fun, end or {}, 50, []
        self.status = status or [OUT_OF_ITERATIONS] * len(fun)
        self.other_starts = range(1, len(fun))

    def minimize(self, start, penalty, max_iter, damping):
        self.calls.append((start, max_iter, damping))
        fun = self.fun[start] if damping is None else self.end.get(start, self.fun[start])
        result = {"fun": fun, "status": self.status[start], "damping": start + 0.5}
        return OptimizeResult(result, x=start, curve=[0.0] * max_iter)

    def found(self):
        """Which start each stage of the fit had, and the last stage."""
        stages = []
        for stage in _choose_penalty.fixed(self, 0, None, alpha=0.01):
            stages.append(stage)
            if was_stopped(stage):
                break
        return [stage.x for stage in stages], stages[-1]


def test_the_best_two_starts_go_on():
    fit = Starts([3.0, 1.0, 4.0, 2.0])
    stages, last = fit.found()
    assert stages == [0, 1, 1, 1, 1, 1]
    trials = [(start, 20, None) for start in range(4)]
    assert fit.calls == [*trials, (1, 30, 1.5), (3, 30, 3.5)]
    assert len(last.curve) == 50


def test_the_second_may_win_in_the_end():
    fit = Starts([3.0, 1.0, 2.0], end={1: 0.9, 2: 0.5})
    assert fit.found()[0] == [0, 1, 1, 1, 2]


def test_among_equal_starts_the_first_goes_on():
    assert Starts([1.0, 1 - 1e-9, 1.0]).found()[0] == [0, 0, 0, 0, 0]


def test_a_start_that_has_converged_does_not_go_on():
    fit = Starts([1.0, 2.0], [CONVERGED, CONVERGED])
    assert fit.found()[0] == [0, 0, 0, 0]
    assert len(fit.calls) == 2


def test_a_stop_ends_the_starts_and_keeps_the_best():
    fit = Starts([2.0, 1.0, 1.5, 0.1], [*[OUT_OF_ITERATIONS] * 2, STOPPED, CONVERGED])
    stages, last = fit.found()
    assert stages == [0, 1, 1]
    assert last.status == STOPPED


def test_without_other_starts_there_is_no_trial():
    fit = Starts([1.0], [CONVERGED])
    assert fit.found()[0] == [0]
    assert fit.calls == [(0, 50, None)]


def fitted(Estimator, X=X, y=Y, sample_weight=None, **parameters):
    model = Estimator(**{"n_hidden": 4, "random_state": 0, **parameters})
    return model.fit(X, y, sample_weight=sample_weight)


def raw(model, X):
    return model.predict(X) if isinstance(model, TwoLayerRegressor) else model.decision_function(X)


@pytest.mark.parametrize("n_rows", [20, 60], ids=["dual", "primal"])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_choice_is_the_same_for_weights_and_for_repeats(Estimator, n_rows):
    rows, target = X[:n_rows], Y[:n_rows]
    counts = np.ones(n_rows, int)
    counts[: n_rows // 4] = 2
    counts[-1] = 0
    weighted = fitted(Estimator, rows, target, counts)
    repeated = fitted(Estimator, np.repeat(rows, counts, 0), np.repeat(target, counts))
    np.testing.assert_allclose(weighted.penalty_, repeated.penalty_, rtol=1e-6)
    np.testing.assert_allclose(raw(weighted, X), raw(repeated, X), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_chosen_penalty_predicts_left_out_rows_about_as_well_as_any(Estimator):
    """Noise alone: a fit must not chase it, whatever the evidence thinks."""
    random = np.random.RandomState(3)
    rows, noise = random.normal(size=(80, 4)), random.standard_t(2, size=80)
    target = noise if Estimator is TwoLayerRegressor else (noise > 0).astype(int)
    model = fitted(Estimator, rows, target, n_hidden=10)
    spread = raw(model, random.normal(size=(500, 4))).std()
    assert spread < 0.5 * (noise.std() if Estimator is TwoLayerRegressor else 1)


@pytest.mark.parametrize(
    "parameters",
    [
        {"solver": "adam"},
        {"solver": "sgd"},
        {"solver": "lbfgs"},
        {"solver": "gd"},
        {"early_stopping": True},
        {"early_stopping": True, "solver": "lm"},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_without_lm_on_all_rows_auto_is_a_float(Estimator, parameters):
    if Estimator is TwoLayerClassifier and parameters == {"solver": "lbfgs"}:
        pytest.skip("compares penalties by cross-validation")
    default = 1 / (54 if "early_stopping" in parameters else 60)  # rows to train on
    if parameters.get("solver") in ("sgd", "adam"):
        default = Estimator._stochastic_alpha
    model = fitted(Estimator, max_iter=5, **parameters)
    np.testing.assert_array_equal(model.penalty_, [default, 0, default, 0])
    explicit = fitted(Estimator, max_iter=5, alpha=default, **parameters)
    np.testing.assert_array_equal(raw(model, X), raw(explicit, X))


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_where_the_matrix_is_too_large_auto_is_a_float(Estimator, monkeypatch):
    assert _auto.resolve(Estimator(), 10**8, 100, 1).alpha == Estimator._stochastic_alpha
    if Estimator is TwoLayerRegressor:
        assert _auto.resolve(Estimator(), 10**5, 100, 1).alpha == 1e-5
        assert _auto.resolve(Estimator(), 10**5, 100, 1, 4e5).alpha == 1 / 4e5
    monkeypatch.setattr(_auto, "MAX_COMPARED_COST", 5)
    monkeypatch.setattr(_auto, "MAX_GAUSS_NEWTON_SIZE", 5)
    model = fitted(Estimator)
    assert model.solver_ == "lbfgs"
    assert model.penalty_[0] == 1 / 60
    assert not hasattr(model, "prior_precision_")


@pytest.mark.parametrize("alpha", ["evidence", "ard"])
@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"solver": "adam"}, "solver is 'adam'"),
        ({"solver": "lbfgs"}, "solver is 'lbfgs'"),
        ({"early_stopping": True}, "early_stopping=True"),
    ],
)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_evidence_that_cannot_be_had_is_refused_with_the_way_out(
    Estimator, parameters, reason, alpha
):
    with pytest.raises(ValueError, match=f"alpha='{alpha}' needs.*{reason}.*solver='lm'"):
        fitted(Estimator, alpha=alpha, **parameters)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_max_iter_holds_for_all_candidates(Estimator):
    with pytest.warns(UserWarning, match="max_iter=3"):
        model = fitted(Estimator, alpha="evidence", max_iter=3)
    assert model.n_iter_ == len(model.loss_curve_) == 3
