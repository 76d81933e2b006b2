"""The evidence, where the model is linear in its weights and Laplace's approximation exact."""

from dataclasses import replace

import numpy as np
import pytest
from any_root import root_of_matrix
from gradient_check import random_problem
from scipy.stats import multivariate_normal

from sklearn_twolayer._bayes.choose_penalty import Search
from sklearn_twolayer._bayes.evidence import maximize_evidence, update_precisions
from sklearn_twolayer._bayes.noise import (
    NOISE_PRECISION_BOUNDS,
    Likelihood,
    independence,
    independence_of_targets,
)
from sklearn_twolayer._bayes.posterior import (
    Precisions,
    effective_parameters,
    log_marginal_likelihood,
    posterior_factor,
)
from sklearn_twolayer._data.table import Table
from sklearn_twolayer._fit.training import Fit
from sklearn_twolayer._network.curvature import DenseCurvature, LowRankCurvature
from sklearn_twolayer._network.losses import SquaredError
from sklearn_twolayer._network.objective import PenalisedLoss, Penalty


class LinearModel:
    """Phi t with independent noise: the mean of squared residuals of k outputs side by side.

    Its posterior is Gaussian, so Laplace's approximation is exact.
    """

    def __init__(self, n_rows=30, n_params=6, n_outputs=1, noise=0.5, seed=0):
        rng = np.random.default_rng(seed)
        self.Phi = rng.normal(size=(n_rows * n_outputs, n_params))
        truth = np.where(np.arange(n_params) < n_params // 2, 2.0, 0.1)
        self.y = self.Phi @ (truth * rng.normal(size=n_params))
        self.y += noise * rng.normal(size=len(self.y))
        self.groups = np.repeat([0, 1], [n_params // 2, n_params - n_params // 2])
        self.likelihood = Likelihood(float(n_rows), n_outputs, True)
        self.curve, self.steps, self.asked = (0.0,), (7,), []

    def quadratic(self, params):
        residual, n = self.Phi @ params - self.y, len(self.y)
        matrix = 2 / n * self.Phi.T @ self.Phi
        curvature = DenseCurvature(matrix, np.zeros(len(params)))
        return residual @ residual / n, 2 / n * self.Phi.T @ residual, curvature

    def residual_products(self, params):
        """As expected of independent noise."""
        return np.eye(self.likelihood.n_outputs)

    def penalised(self, penalty):
        return PenalisedLoss(self, penalty)

    def precisions(self, prior, noise):
        return Precisions(self.groups, np.array(prior, float), noise)

    def minimum(self, precisions, likelihood=None):
        penalty = precisions.penalty(likelihood or self.likelihood)
        return self.minimize(Fit(np.zeros(self.Phi.shape[1])), penalty).params

    def minimize(self, before, penalty, **options):
        """The minimiser that ``maximize_evidence`` is handed."""
        _, gradient, curvature = self.penalised(penalty).quadratic(np.zeros(len(before.params)))
        x = curvature.factorize().solve(-gradient)
        self.asked.append({"before": before, **options})
        value = self.penalised(penalty).quadratic(x)[0]
        way = before.curve + self.curve, before.steps + self.steps
        return Fit(x, penalty, value, *way, resume=1.0)

    def log_marginal_likelihood(self, precisions):
        """Of the package, at the minimum."""
        params = self.minimum(precisions)
        value, _, curvature = self.penalised(precisions.penalty(self.likelihood)).quadratic(params)
        factor = posterior_factor(curvature)
        return log_marginal_likelihood(value, factor, precisions, self.likelihood)

    def exact_log_marginal_likelihood(self, precisions):
        """Of a Gaussian with covariance I / beta + Phi diag(1 / a) Phi'."""
        covariance = self.Phi @ np.diag(1 / precisions.prior[self.groups]) @ self.Phi.T
        covariance += np.eye(len(self.y)) / precisions.noise
        return multivariate_normal(cov=covariance).logpdf(self.y)

    def maximum(self, start, max_iter=500):
        search = Search(self, self.likelihood, max_iter, self.minimize, n_columns=3)
        before = Fit(np.zeros(self.Phi.shape[1]), curve=(9.0,), steps=(4,), resume=0.5)
        return maximize_evidence(search, before, start, max_iter=max_iter)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize(("prior", "noise"), [([1, 1], 1), ([0.1, 50], 4), ([30, 0.01], 0.3)])
def test_log_marginal_likelihood_of_a_linear_model_is_exact(n_outputs, prior, noise):
    model = LinearModel(n_outputs=n_outputs)
    precisions = model.precisions(prior, noise)
    expected = model.exact_log_marginal_likelihood(precisions)
    assert model.log_marginal_likelihood(precisions) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_the_fixed_point_is_a_maximum_of_the_marginal_likelihood(n_outputs):
    model = LinearModel(n_outputs=n_outputs)
    start = model.precisions([1, 1], 1.0)
    _, found = model.maximum(start)
    best = model.exact_log_marginal_likelihood(found)
    assert best > model.exact_log_marginal_likelihood(start)
    for factor in (0.8, 1.25):
        for changed in (
            model.precisions(found.prior * [factor, 1], found.noise),
            model.precisions(found.prior * [1, factor], found.noise),
            model.precisions(found.prior, found.noise * factor),
        ):
            assert model.exact_log_marginal_likelihood(changed) < best


def test_one_update_is_mackays():
    """a_g = gamma_g / |w_g|^2, beta = (S k - gamma) / sum |r|^2, with A written out."""
    model = LinearModel()
    start = model.precisions([0.5, 2.0], 3.0)
    t = model.minimum(start)
    A = start.noise * model.Phi.T @ model.Phi + np.diag(start.prior[model.groups])
    gamma = 1 - start.prior[model.groups] * np.linalg.inv(A).diagonal()
    found = update_precisions(model, t, start, model.likelihood)
    expected = [gamma[:3].sum() / (t[:3] @ t[:3]), gamma[3:].sum() / (t[3:] @ t[3:])]
    np.testing.assert_allclose(found.prior, expected, rtol=1e-10)
    residual = model.y - model.Phi @ t
    assert found.noise == pytest.approx((30 - gamma.sum()) / (residual @ residual), rel=1e-10)


def test_one_update_under_the_log_loss_is_stronger():
    """a_g = 1.5 gamma_g / |w_g|^2, with A = S G + diag(a) written out; beta stays 1."""
    model = LinearModel()
    likelihood = Likelihood(30.0, 1, False)
    start = model.precisions([0.5, 2.0], 1.0)
    t = model.minimum(start, likelihood)
    A = 2 * model.Phi.T @ model.Phi + np.diag(start.prior[model.groups])
    gamma = 1 - start.prior[model.groups] * np.linalg.inv(A).diagonal()
    found = update_precisions(model, t, start, likelihood)
    expected = [gamma[:3].sum() / (t[:3] @ t[:3]), gamma[3:].sum() / (t[3:] @ t[3:])]
    np.testing.assert_allclose(found.prior, 1.5 * np.array(expected), rtol=1e-10)
    assert found.noise == 1


def test_no_update_where_the_weights_use_up_the_residuals():
    model = LinearModel(n_rows=8, n_params=6)
    start = model.precisions([1e-6, 1e-6], 1.0)
    t = model.minimum(start)
    assert update_precisions(model, t, start, model.likelihood) is start


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_effective_parameters_are_between_none_and_all(size):
    model = LinearModel()
    penalty = Penalty(model.groups, np.array([size, 1.0]))
    _, _, curvature = model.penalised(penalty).quadratic(np.zeros(6))
    gamma = effective_parameters(penalty, posterior_factor(curvature))
    assert (gamma > 0).all()
    assert (gamma <= 3).all()
    if size != 1:
        assert gamma[0] == pytest.approx(3 if size < 1 else 1e-3, abs=1e-3)


@pytest.mark.parametrize("free", [0.0, 1e-12])
def test_no_more_parameters_are_determined_than_there_are_residuals(free):
    """Also in the dual form, with weights that hardly anything but the data holds."""
    root = root_of_matrix(np.random.default_rng(0).normal(size=(4, 10)))
    penalty = Penalty(np.repeat([0, 1], 5), np.array([2.0, free]))
    gamma = effective_parameters(
        penalty, posterior_factor(LowRankCurvature(root, penalty.per_weight))
    )
    assert gamma.sum() == pytest.approx(4, rel=1e-3)


def test_conversion_between_penalty_and_precision():
    """M = c F: c = beta S k / 2 for squared error, S for log loss."""
    groups, prior = np.array([0, 1, 1]), np.array([3.0, 5.0])
    penalty = Precisions(groups, prior, 4.0).penalty(Likelihood(10.0, 3, True))
    np.testing.assert_allclose(penalty.strengths, 2 * prior / (4 * 10 * 3))
    penalty = Precisions(groups, prior, 1.0).penalty(Likelihood(10.0, 3, False))
    np.testing.assert_allclose(penalty.strengths, prior / 10)
    np.testing.assert_allclose(penalty.per_weight, prior[groups] / 10)


def test_the_log_loss_has_no_noise():
    likelihood = Likelihood(10.0, 3, False)
    assert likelihood.noise_precision(0.3, 2.0) == 1
    precisions = Precisions(np.zeros(2, int), np.ones(1), 1.0)
    factor = DenseCurvature(np.zeros((2, 2)), np.ones(2)).factorize()
    found = log_marginal_likelihood(0.3, factor, precisions, likelihood)
    assert found == pytest.approx(-10 * 0.3 - np.log(10))  # A = 10 I


@pytest.mark.parametrize("loss", [0.0, 1e-320, 1e300])
def test_noise_precision_stays_within_its_bounds(loss):
    found = Likelihood(10.0, 1, True).noise_precision(loss, 10.0)
    assert NOISE_PRECISION_BOUNDS[0] <= found <= NOISE_PRECISION_BOUNDS[1]


def test_targets_that_are_constant_tell_of_no_noise_and_have_no_part_in_gamma():
    """The evidence is that of the others alone; where all are constant it is as if none was."""
    likelihood, alone = Likelihood(10.0, 3, True, np.array([1.0, 0, 0])), Likelihood(10.0, 1, True)
    loss, gamma = 0.3, np.array([4.0, 2.0, 3.0, 0.9])  # the loss is a mean over the targets
    assert likelihood.noise_precision(loss / 3, 2.0) == pytest.approx(
        alone.noise_precision(loss, 2.0)
    )
    assert likelihood.n_telling == pytest.approx(alone.n_telling)
    assert likelihood.scale(5.0) == pytest.approx(3 * alone.scale(5.0))  # of a third of the loss
    np.testing.assert_allclose(likelihood.of_telling(gamma), [4.0, 2.0, 1.0, 0.3])
    np.testing.assert_array_equal(alone.of_telling(gamma), gamma)
    assert Likelihood(10.0, 3, True, np.zeros(3)).n_telling == 30


def test_how_many_targets_tell_independently_of_each_other():
    """(tr C)^2 / tr C^2 of their correlations, less what they are by chance."""
    E = np.linalg.qr(np.random.default_rng(0).normal(size=(50, 3)))[0]
    a, b, c = E.T
    for residuals, expected in [
        (E, 1),
        (np.c_[a, 2 * a, -a], 1 / 3),  # in three units
        (np.c_[a, a, 7 * b], 9 / 5 / 3),
        (np.c_[a, b, a + b], 9 / 5 / 3),  # parts, and their sum
        (np.c_[a - b, b - c, c - a], 2 / 3),  # shares of a whole
        (np.c_[a, 0.8 * a + 0.6 * b], 2 / (2 + 2 * 0.64)),
        (np.c_[a, a, 0 * a], 9 / 5 / 3),
    ]:
        found = independence(residuals.T @ residuals, 1e12)
        assert found == pytest.approx(expected, rel=1e-9)
    assert independence(np.ones((1, 1)), 50.0) == independence(np.empty((0, 0)), 50.0) == 1
    noise = np.random.default_rng(1).normal(size=(50, 40))
    assert independence(noise.T @ noise, 50.0) > 0.9
    assert independence(noise.T @ noise, 1e12) < 0.7


@pytest.mark.parametrize("n_copies", [2, 3])
def test_copies_of_a_target_have_the_evidence_of_one(n_copies):
    """The same precisions, but that the squares of W2 and b2 are so many times as many.

    Nearly: the columns of W2 could differ, and are determined a little better than that of one.
    """
    one = random_problem(SquaredError, n_hidden=2, n_rows=60)
    W1, b1, W2, b2 = one.network.unpack(one.params)
    copies = random_problem(SquaredError, n_copies, n_hidden=2, n_rows=60)
    copies.X, copies.weight, copies.standardization = one.X, one.weight, one.standardization
    copies.y = np.tile(one.y, n_copies)
    W2, b2 = np.tile(W2, n_copies), np.tile(b2, n_copies)
    copies.params = copies.network.pack((W1, W2), (b1, b2), float)
    found = []
    for problem, share in [(one, 1), (copies, 1 / n_copies)]:
        groups, prior = problem.penalty.groups, np.array([1.0, 1.0, share, share])
        with problem.rows() as rows:
            mean_loss = problem.mean_loss(rows)
            likelihood = Likelihood.of(mean_loss)
            before = Precisions(groups, prior, 4.0 * share)
            found.append(update_precisions(mean_loss, problem.params, before, likelihood))
    alone, together = found
    assert alone.noise != 4
    np.testing.assert_allclose(together.noise, alone.noise / n_copies, rtol=0.01)
    np.testing.assert_allclose(together.prior[:2], alone.prior[:2], rtol=0.01)
    ratio = n_copies * together.prior[2:] / alone.prior[2:]
    assert ((ratio > 0.99) & (ratio < n_copies)).all()


def test_a_constant_beside_copies_is_none_of_those_that_tell():
    problem = random_problem(SquaredError, 3, n_rows=60)
    problem.y[:, 2] = 0.0
    problem.y[:, 1] = problem.y[:, 0]
    with problem.rows() as rows:
        mean_loss = problem.mean_loss(rows)
        likelihood = Likelihood.of(mean_loss).told_by(mean_loss, 0 * problem.params)
        products = mean_loss.residual_products(problem.params)
        squares = mean_loss.squares(problem.params)
    assert likelihood.n_telling == pytest.approx(likelihood.total_weight)
    weight = problem.weight.sum() / likelihood.total_weight
    np.testing.assert_allclose(np.diagonal(products), squares * weight)


def test_an_almost_singular_curvature_gets_the_jitter_it_needs():
    ones = np.ones((4, 4))
    factor = posterior_factor(DenseCurvature(ones, np.full(4, -1e-13)))
    assert np.isfinite(factor.log_determinant())


def test_the_way_of_a_fit_goes_on_from_the_one_before():
    model = LinearModel()
    fit, _ = model.maximum(model.precisions([1, 1], 1.0), max_iter=3)
    assert fit.curve == (9.0, 0.0, 0.0, 0.0)
    assert fit.steps == (4, 7, 7, 7)
    assert [asked["max_iter"] for asked in model.asked] == [1, 1, 1]
    assert [asked["before"].resume for asked in model.asked] == [0.5, 1.0, 1.0]
    assert [asked["keep"] for asked in model.asked] == [None] * 3


def test_precisions_that_stay_for_three_updates_in_a_row_have_converged():
    """One of the next updates may move the weights so that the precisions move again."""
    model = LinearModel()
    _, found = model.maximum(model.precisions([1, 1], 1.0))
    n_before = len(model.asked)
    model.maximum(found)
    assert len(model.asked) - n_before == 1 + 3
    assert n_before > 1 + 3


def test_where_no_step_goes_down_the_value_under_other_precisions_counts_as_one():
    model = LinearModel()
    model.curve = model.steps = ()
    fit, _ = model.maximum(model.precisions([1, 1], 1.0), max_iter=2)
    assert fit.curve[0] == 9
    assert fit.curve[-1] == fit.loss == model.penalised(fit.penalty).quadratic(fit.params)[0]
    assert fit.steps == (4, 4, 4)


def test_a_constant_target_has_no_part_in_the_independence_of_the_others():
    """Of a target, its copy in other units and a constant one in three tells something."""
    y = np.random.RandomState(0).normal(size=(50, 1))
    targets = np.hstack([y, 2 * y + 1, np.full((50, 1), 7.0)])
    table = Table(np.zeros((50, 1)), targets, None, encoded=targets)
    assert independence_of_targets(table) == pytest.approx(1 / 3)
    constants = replace(table, encoded=np.full((50, 3), 7.0))
    assert independence_of_targets(constants) == pytest.approx(1 / 3)  # one tells where y is
