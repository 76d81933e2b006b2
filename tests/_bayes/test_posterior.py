"""Posteriors from all rows or a part of them, noise target by target, answers block by block."""

from dataclasses import replace

import numpy as np
import pytest
from any_root import root_of_matrix
from gradient_check import random_problem

from sklearn_twolayer._bayes import noise
from sklearn_twolayer._bayes.averages import expected_prediction
from sklearn_twolayer._bayes.leave_one_out import leave_one_out_mean
from sklearn_twolayer._bayes.noise import (
    Likelihood,
    noise_precisions,
    shares_of_targets,
    variance_of_unseen,
)
from sklearn_twolayer._bayes.posterior import (
    PRIOR_PRECISION_BOUNDS,
    effective_parameters,
    posterior_factor,
    posterior_of,
)
from sklearn_twolayer._bayes.valleys import (
    VALLEYS_TEMPERATURE,
    believed_share,
    surely_of_variance,
)
from sklearn_twolayer._learned import (
    ANSWER_BYTES,
    MIN_ROWS,
    rows_of_block,
    standard_deviation,
)
from sklearn_twolayer._network.backprop import TwoLayerNetwork, jacobian, without_shift
from sklearn_twolayer._network.curvature import LowRankCurvature
from sklearn_twolayer._network.losses import (
    BinaryLogLoss,
    LogisticSquaredError,
    MulticlassLogLoss,
    SquaredError,
)
from sklearn_twolayer._network.objective import Penalty

LOSSES = [SquaredError, LogisticSquaredError, BinaryLogLoss, MulticlassLogLoss]


def taken(problem, indices):
    """The problem of some of the rows."""
    weight = None if problem.weight is None else problem.weight[indices]
    return replace(problem, X=problem.X[indices], y=problem.y[indices], weight=weight)


def posterior(problem, part=None, params=None, few=None, left_out_share=None):
    """Posterior of a problem, its curvature from the rows ``part``."""
    params = problem.params if params is None else params
    with problem.rows() as rows:
        mean_loss = problem.mean_loss(rows)
        others = {"left_out_share": left_out_share}
        for name, indices in (("part", part), ("few", few)):
            if indices is not None:
                chosen = taken(problem, indices)
                others[name] = chosen.mean_loss(chosen.rows())
        return posterior_of(mean_loss, params, problem.penalty, **others)


@pytest.mark.parametrize("loss_class", LOSSES)
def test_a_part_of_all_rows_gives_the_same_posterior(loss_class):
    problem = random_problem(loss_class, n_outputs=3, n_rows=60)
    whole, part = posterior(problem), posterior(problem, np.arange(60))
    for name in ("scale", "n_effective", "log_marginal_likelihood", "temperature", "n_rows"):
        assert getattr(part, name) == pytest.approx(getattr(whole, name), rel=1e-12)
    np.testing.assert_allclose(part.noise_precision, whole.noise_precision, rtol=1e-12)
    X = np.column_stack([problem.X, np.ones(60)])
    for found, expected in zip(part.raw_prediction(X), whole.raw_prediction(X)):
        np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("loss_class", LOSSES)
def test_a_part_is_scaled_to_all_rows(loss_class):
    """Every row twice, of which the part has one: the matrix and S are those of all."""
    half = random_problem(loss_class, n_outputs=3, n_rows=40)
    problem = taken(half, np.tile(np.arange(40), 2))
    whole, part = posterior(problem), posterior(problem, np.arange(40))
    assert (whole.n_rows, part.n_rows) == (80, 40)
    for name in ("total_weight", "scale", "n_effective", "log_marginal_likelihood", "temperature"):
        assert getattr(part, name) == pytest.approx(getattr(whole, name), rel=1e-8)
    np.testing.assert_allclose(part.noise_precision, whole.noise_precision, rtol=1e-10)
    X = np.column_stack([problem.X, np.ones(80)])
    expected = whole.raw_prediction(X)[1]
    np.testing.assert_allclose(part.raw_prediction(X)[1], expected, rtol=1e-8, atol=1e-12)


def test_the_noise_is_that_of_all_rows_whatever_the_part():
    """Outliers beyond the part widen the bars."""
    problem = random_problem(SquaredError, n_outputs=2, n_rows=60)
    calm = posterior(problem, np.arange(30))
    problem.y[50] += 100
    loud = posterior(problem, np.arange(30))
    assert (loud.noise_precision < 0.1 * calm.noise_precision).all()


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("loss_class", [SquaredError, LogisticSquaredError])
def test_a_row_that_is_unseen_has_the_variance_of_the_posterior_without_it(loss_class, is_weighted):
    """The precision of the weights, less what the row adds, and its inverse; of A2, not of Z2."""
    problem = random_problem(loss_class, n_outputs=1, n_rows=30, is_weighted=is_weighted)
    problem.penalty = Penalty.of(problem.network, np.full(4, 0.1))
    weight = np.ones(30) if problem.weight is None else problem.weight
    found = posterior(problem)
    scale = problem.standardization
    X = np.column_stack([(problem.X - scale.mean) / scale.scale, np.ones(30)])
    Z2, A1 = problem.network.forward(problem.params, X)
    slope = problem.loss.slope(Z2)
    J = jacobian(problem.network, problem.params, X, A1.copy())[:, 0] * slope  # of A2
    shares = 2 * weight / weight.sum()
    matrix = (J.T * shares) @ J + np.diag(problem.penalty.per_weight)
    with problem.rows() as rows:
        few = problem.mean_loss(rows)
        curvature = few.quadratic(problem.params)[2]
        factor = posterior_factor(replace(curvature, penalties=problem.penalty.per_weight))
        unseen = variance_of_unseen(few, problem.params, factor, 1 / found.scale)
    for i in range(30):
        without = np.linalg.inv(matrix - shares[i] * np.outer(J[i], J[i]))
        assert unseen[i, 0] == pytest.approx(J[i] @ without @ J[i] / found.scale, rel=1e-6)


def test_targets_of_unequal_noise_are_bounded_by_their_own_variances():
    """By those of predictions, in which each target has its spread."""
    problem = random_problem(SquaredError, n_outputs=2, n_rows=30, is_weighted=False)
    problem.penalty = Penalty.of(problem.network, np.full(4, 0.1))
    problem.y *= [1.0, 100.0]
    found = posterior(problem, left_out_share=1e-6)
    with problem.rows() as rows:
        few = problem.mean_loss(rows)
        curvature = few.quadratic(problem.params)[2]
        factor = posterior_factor(replace(curvature, penalties=problem.penalty.per_weight))
        units = found.spread**2 / found.scale
        unseen = variance_of_unseen(few, problem.params, factor, units)
        variances = Likelihood.of(few).variances
    share = believed_share(unseen, 1e-6 / surely_of_variance(30), variances)
    assert found.temperature == pytest.approx(VALLEYS_TEMPERATURE * share, rel=1e-6)


@pytest.mark.parametrize("units", [[1.0, 1.0], [1.0, 100.0]])
def test_what_left_out_rows_lose_widens_the_bars(units):
    """By the one factor that makes the noise the ``noise_share`` of that, or by none.

    The share is that of the variance, so that it is the same in other units of a target.
    """
    problem = random_problem(SquaredError, n_outputs=2, n_rows=60)
    problem.penalty = Penalty.of(problem.network, np.full(4, 0.1))
    problem.y *= units
    free = posterior(problem)
    likelihood, _, gamma, factor = linear_network(problem)
    told = np.mean(1 / (free.noise_precision * likelihood.variances))
    share = likelihood.noise_share(gamma, factor)
    calm = posterior(problem, left_out_share=0.9 * told / share)
    np.testing.assert_array_equal(calm.noise_precision, free.noise_precision)
    wide = posterior(problem, left_out_share=5 * told / share)
    np.testing.assert_allclose(wide.noise_precision, free.noise_precision / 5, rtol=1e-10)
    X = np.column_stack([problem.X, np.ones(60)])
    np.testing.assert_allclose(wide.raw_prediction(X)[1], 5 * free.raw_prediction(X)[1], rtol=1e-10)


def linear_network(problem):
    """The likelihood, the residuals R = I - H of each unit of noise, gamma and the factor."""
    with problem.rows() as rows:
        mean_loss = problem.mean_loss(rows)
        likelihood, curvature = Likelihood.of(mean_loss), mean_loss.quadratic(problem.params)[2]
        factor = posterior_factor(replace(curvature, penalties=problem.penalty.per_weight))
        scale = problem.standardization
        X = np.column_stack([(problem.X - scale.mean) / scale.scale, np.ones(len(problem.X))])
        J = np.array(mean_loss.linearised(mean_loss.incoming(problem.params), X)[1])
    weight = np.ones(len(X)) if problem.weight is None else problem.weight
    B = J * np.sqrt(2 / J.shape[1] * weight / weight.sum())[:, None, None]
    B = B.reshape(-1, J.shape[2])
    hat = B @ np.linalg.solve(B.T @ B + np.diag(problem.penalty.per_weight), B.T)
    gamma = effective_parameters(problem.penalty, factor)
    return likelihood, np.eye(len(hat)) - hat, gamma, factor


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("n_rows", [6, 60])
@pytest.mark.parametrize("alpha", [1e-4, 0.1])
def test_the_noise_is_that_of_which_left_out_rows_lose_so_much(n_rows, n_outputs, alpha):
    """The expectation for noise of variance 1, with the mean leverage for that of each row."""
    sizes = {"n_rows": n_rows, "is_weighted": False, "alpha": alpha}
    problem = random_problem(SquaredError, n_outputs, **sizes)
    problem.penalty = Penalty.of(problem.network, np.full(4, alpha))
    likelihood, R, gamma, factor = linear_network(problem)
    lost = np.mean(np.sum((R / np.mean(np.diagonal(R))) ** 2, axis=1))
    assert likelihood.noise_share(gamma, factor) * lost == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("n_rows", [6, 10])
def test_rows_that_are_interpolated_have_the_noise_that_left_out_rows_tell(n_rows):
    """However weak the penalty: where all residuals vanish, only what is left out tells of noise.

    An n-th of it is noise at least, and all of it at most.
    """
    problem = random_problem(SquaredError, n_rows=n_rows, is_weighted=False)
    problem.penalty = Penalty.of(problem.network, np.full(4, 1e-8))
    scale = problem.standardization
    X = np.column_stack([(problem.X - scale.mean) / scale.scale, np.ones(n_rows)])
    problem.y = problem.network.forward(problem.params, X)[0]
    found = posterior(problem, left_out_share=0.5)
    assert found.n_effective > 0.99 * n_rows
    noise = 1 / (found.noise_precision * problem.y.var())
    assert 0.5 / n_rows * (1 - 1e-9) <= noise <= 0.5


def test_residuals_that_are_shrunk_alike_lose_no_more_than_the_noise():
    """I - H = e I: a row that is left out is predicted by zero, and loses its noise alone."""
    likelihood = Likelihood(20.0, 1, True, np.ones(1))
    for e in (1e-9, 1e-3, 0.5):
        factor = LowRankCurvature(root_of_matrix(np.eye(20)), np.full(20, e / (1 - e))).factorize()
        gamma = factor.determined(np.arange(20) // 5)
        assert likelihood.noise_share(gamma, factor) == pytest.approx(1, rel=1e-5)


def test_a_constant_target_leaves_the_widening_as_it_is():
    """It has no share in the variance, and its weights count for nothing."""
    projection = LowRankCurvature(root_of_matrix(np.eye(15, 20)), np.full(20, 1e-9)).factorize()
    varying = Likelihood(20.0, 1, True, np.ones(1))
    beside = Likelihood(20.0, 2, True, np.array([1.0, 0.0]))
    gamma = np.array([5.0, 4.0, 5.0, 1.0])
    expected = varying.widening(np.full(1, 100.0), 0.5, gamma, projection)
    assert expected == pytest.approx(0.25 * 0.5 * 100)
    gamma[-2:] *= 2  # with the weights of the constant
    found = beside.widening(np.array([100.0, 1.0]), 0.5, gamma, projection)
    assert found == pytest.approx(expected)
    most = varying.widening(np.full(1, 1e6), 0.5, np.full(4, 5.5), projection)  # no exact gamma
    assert most == pytest.approx(0.5 * 1e6 / 20)


def test_left_out_rows_of_classes_widen_nothing():
    problem = random_problem(BinaryLogLoss, n_outputs=1, n_rows=60)
    free, told = posterior(problem), posterior(problem, left_out_share=100.0)
    assert told.scale == free.scale


@pytest.mark.parametrize("loss_class", [SquaredError, LogisticSquaredError])
def test_noise_of_targets_is_that_of_their_residuals_and_leverages(loss_class):
    """beta_c = (S - gamma_c) / sum_i s_i r_ic^2, from the residuals of each target alone."""
    problem = random_problem(loss_class, n_outputs=3, n_rows=60)
    problem.y *= [1, 0.1, 0.01]
    with problem.rows() as rows:
        mean_loss, params = problem.mean_loss(rows), problem.params
        factor = posterior_factor(
            replace(mean_loss.quadratic(params)[2], penalties=problem.penalty.per_weight)
        )
        squares = mean_loss.squares(params)
        shares, growth = shares_of_targets(mean_loss, params, factor, varies=np.ones(3, bool))
        options = {
            "variances": Likelihood.of(mean_loss).variances,
            "few": mean_loss,
            "factor": factor,
        }
        found, same_growth, _ = noise_precisions(mean_loss, params, 7.0, **options)
        Z2 = rows.map(mean_loss.block_raw_prediction(params))
    ones = problem.standardization.apply_block(np.column_stack([problem.X, np.ones(60)]))
    A2, s = problem.loss.predict(Z2), problem.weight
    S = max(s.sum(), 60)
    np.testing.assert_allclose(squares, s @ (A2 - problem.y) ** 2 * S / s.sum(), rtol=1e-12)
    J = (
        jacobian(problem.network, params, ones, problem.network.forward(params, ones)[1])
        * problem.loss.slope(Z2)[:, :, None]
    )
    leverage = np.array([[[j @ factor.solve(i) for i in row] for j in row] for row in J])
    leverage = np.einsum("n,ncd->cd", s, leverage)
    expected = leverage.diagonal() / leverage.trace()
    np.testing.assert_allclose(shares, expected, rtol=1e-8)
    R = (A2 - problem.y) * np.sqrt(s / s.sum() * S)[:, None]
    C = R.T @ R / np.sqrt(np.outer(squares, squares))
    grown = (C * leverage).sum(axis=1) / leverage.diagonal()
    np.testing.assert_allclose(growth, grown, rtol=1e-8)
    np.testing.assert_array_equal(same_growth, growth)
    assert (abs(grown - 1) > 1e-3).all()
    np.testing.assert_allclose(found, (S - 7 * expected * grown) / squares, rtol=1e-8)


def test_the_bars_of_copies_are_those_of_one():
    """The row that tells of W1 is one row, whose noise both copies have."""
    one, two = random_problem(n_rows=60), random_problem(n_outputs=2, n_rows=60)
    W1, b1, W2, b2 = one.network.unpack(one.params)
    two.X, two.weight, two.standardization = one.X, one.weight, one.standardization
    two.y = np.tile(one.y, 2)
    two.params = two.network.pack((W1, np.tile(W2, 2)), (b1, np.tile(b2, 2)), float)
    two.penalty = replace(one.penalty, groups=two.penalty.groups)
    two.penalty = replace(two.penalty, strengths=one.penalty.strengths * [1, 1, 0.5, 0.5])
    alone, together = posterior(one), posterior(two)
    X = one.standardization.apply_block(np.column_stack([one.X, np.ones(60)]))
    V, of_copies = alone.raw_prediction(X)[1][:, 0, 0], together.raw_prediction(X)[1]
    np.testing.assert_allclose(together.noise_precision, alone.noise_precision[0], rtol=0.05)
    for c in range(2):  # on average over the rows
        assert one.weight @ of_copies[:, c, c] == pytest.approx(one.weight @ V, rel=1e-3)


def test_the_variances_of_the_targets_take_one_pass(monkeypatch):
    """A read of the whole file, where rows are on disk."""
    shifts = []  # one for each block, the same one within a pass

    def counted(*block, shift, is_weighed):
        shifts.append(shift)
        return moments_of_targets(*block, shift=shift, is_weighed=is_weighed)

    moments_of_targets = noise._moments_of_targets
    monkeypatch.setattr(noise, "_moments_of_targets", counted)
    posterior(random_problem(SquaredError, n_outputs=2, n_rows=30))
    assert {id(shift) for shift in shifts} == {id(shifts[0])}


def test_effective_parameters_of_linear_targets_are_shared_by_their_leverages():
    """All of gamma is the sum of all leverages: nothing is left over by the shares."""
    problem = random_problem(SquaredError, n_outputs=3, n_rows=60)
    found = posterior(problem)
    J = jacobian(
        problem.network,
        problem.params,
        ones := problem.standardization.apply_block(np.column_stack([problem.X, np.ones(60)])),
        problem.network.forward(problem.params, ones)[1],
    )
    s = problem.weight / problem.weight.sum()
    leverage = np.einsum("n,ncc->", s, found.factor.covariance(J)) * 2 / 3
    assert leverage == pytest.approx(found.n_effective, rel=1e-6)


def test_a_constant_target_is_given_one_more_row_and_the_others_are_not():
    problem = random_problem(SquaredError, n_outputs=2, n_rows=60, is_weighted=False)
    before = posterior(problem)
    problem.y[:, 1] = 0.7
    found = posterior(problem)
    degrees = 60 - before.n_effective * shares(problem)
    more = np.array([0, 1])
    expected = (degrees + more) / (sum_of_squares(problem) + more)
    np.testing.assert_allclose(found.noise_precision, expected, rtol=1e-8)
    assert found.n_effective < before.n_effective
    assert np.ptp(found.spread**2 * found.noise_precision) < 1e-8  # its noise is nobody else's


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("n_distinct", [1, 2, 3])
def test_distinct_rows_are_counted_up_to_three(n_distinct, is_sparse):
    """Across blocks, whatever their order; rows that differ in y alone are two."""
    problem = random_problem(SquaredError, n_rows=60, is_sparse=is_sparse)
    first = np.zeros(60, int)
    first[-n_distinct:] = np.arange(n_distinct)
    few = taken(problem, first)
    with few.rows() as rows:
        assert noise.n_distinct(rows) == n_distinct
    with problem.rows() as rows:
        assert noise.n_distinct(rows) == 3
    few = taken(problem, np.zeros(60, int))
    few.y[7] += 1
    with few.rows() as rows:
        assert noise.n_distinct(rows) == 2


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_the_noise_that_few_rows_are_given_is_not_in_the_uncertainty_of_the_weights(n_outputs):
    """The precision of all targets has no such row: there two rows are fitted without any noise."""
    problem = taken(random_problem(SquaredError, n_outputs=n_outputs), np.arange(2))
    assert (posterior(problem).spread == 1).all()
    three = taken(random_problem(SquaredError, n_outputs=2), np.arange(3))
    assert (posterior(three).spread != 1).any()


@pytest.mark.parametrize("repeats", [1, 20])
def test_two_distinct_rows_are_given_one_more_and_three_are_not(repeats):
    """Of each target, whose residual is one standard deviation of it."""
    for n_distinct in (2, 3):
        rows = np.repeat(np.arange(n_distinct), repeats)
        problem = taken(random_problem(SquaredError, n_outputs=2, is_weighted=False), rows)
        found = posterior(problem)
        degrees = len(rows) - np.minimum(found.n_effective * shares(problem), 0.99 * len(rows))
        more, variance = n_distinct < 3, problem.y.var(axis=0)
        expected = (degrees + more) / (sum_of_squares(problem) + more * variance)
        np.testing.assert_allclose(found.noise_precision, expected, rtol=1e-6)


def sum_of_squares(problem):
    with problem.rows() as rows:
        return problem.mean_loss(rows).squares(problem.params)


def shares(problem):
    """Of targets in the effective parameters."""
    with problem.rows() as rows:
        mean_loss = problem.mean_loss(rows)
        factor = posterior(problem).factor
        varies = problem.y.var(axis=0) > 1e-20
        found = shares_of_targets(mean_loss, problem.params, factor, varies=varies)
        return np.prod(found, axis=0)


def test_the_spread_of_one_target_is_one():
    problem = random_problem(SquaredError, n_rows=60)
    np.testing.assert_allclose(posterior(problem).spread, [1.0], rtol=1e-12)
    problem = random_problem(MulticlassLogLoss, n_outputs=3, n_rows=60)
    np.testing.assert_array_equal(posterior(problem).spread, np.ones(3))


def test_a_standard_deviation_is_in_proportion_to_the_noise_of_its_own_target():
    """Where targets share no weights: f + sigma e and one that is noise alone."""
    problem = random_problem(SquaredError, n_outputs=2, n_rows=60)
    loud = taken(problem, np.arange(60))
    with problem.rows() as rows:
        Z2 = rows.map(problem.mean_loss(rows).block_raw_prediction(problem.params))
    loud.y[:, 1] = Z2[:, 1] + 10 * (problem.y[:, 1] - Z2[:, 1])
    X = np.column_stack([problem.X, np.ones(60)])
    quiet_std, loud_std = (
        standard_deviation([posterior(each)], X, slope=np.ones_like) for each in (problem, loud)
    )
    np.testing.assert_allclose(loud_std, quiet_std * [1, 10], rtol=1e-8)


@pytest.mark.parametrize("alpha", [0.0, 1e-30])
@pytest.mark.parametrize("loss_class", LOSSES)
def test_without_a_penalty_the_weakest_prior_of_the_evidence_holds_the_weights(alpha, loss_class):
    """Two equal columns: their difference has no curvature, and a variance of 1 / prior."""
    problem = random_problem(loss_class, n_outputs=3, n_rows=60, alpha=alpha)
    problem.X[:, 1] = problem.X[:, 0]
    problem.standardization.mean[1] = problem.standardization.mean[0]
    problem.standardization.scale[1] = problem.standardization.scale[0]
    found = posterior(problem)
    direction = np.zeros(problem.network.n_params)
    direction[[0, 4]] = 0.5**0.5, -(0.5**0.5)  # W1[0, 0] - W1[1, 0] of 4 hidden units
    variance = direction @ found.factor.solve(direction) / found.scale
    assert 0.1 < variance * PRIOR_PRECISION_BOUNDS[0] < 10


@pytest.mark.parametrize("n_outputs", [3, 6])
@pytest.mark.parametrize("alpha", [0.0, 1e-3])
def test_moderated_probabilities_do_not_hang_on_the_last_digit_of_a_weight(n_outputs, alpha):
    """Free biases leave the common shift of the softmax without curvature."""
    problem = random_problem(MulticlassLogLoss, n_outputs=n_outputs, n_rows=80, alpha=alpha)
    problem.params *= 0.3
    X = np.column_stack([problem.X, np.ones(80)])
    first = replace(posterior(problem), temperature=1.0)
    expected = expected_prediction(problem.loss, *first.raw_prediction(X))
    for seed in range(3):
        change = 1e-15 * np.random.default_rng(seed).choice([-1, 1], size=len(problem.params))
        other = posterior(problem, params=problem.params * (1 + change))
        assert other.temperature == posterior(problem).temperature
        other = replace(other, temperature=1.0)
        found = expected_prediction(problem.loss, *other.raw_prediction(X))
        assert np.abs(found - expected).max() < 1e-10


def test_the_covariance_of_softmax_outputs_has_no_common_shift():
    problem = random_problem(MulticlassLogLoss, n_outputs=4, n_rows=80, alpha=1e-3)
    _, V = posterior(problem).raw_prediction(np.column_stack([problem.X, np.ones(80)]))
    assert np.abs(V.sum(axis=2)).max() < 1e-10 * np.abs(V).max()
    assert np.abs(V).max() < 1e4


def test_without_shift_takes_the_mean_over_outputs_away():
    J = np.random.default_rng(0).normal(size=(5, 3, 7))
    centring = np.eye(3) - 1 / 3
    expected = np.einsum("cd,ndp->ncp", centring, J)
    np.testing.assert_allclose(without_shift(J.copy()), expected, atol=1e-15)


def test_left_out_rows_are_predicted_without_the_shift():
    """What a row adds to the fit is finite, as is what is predicted without it."""
    problem = random_problem(MulticlassLogLoss, n_outputs=4, n_rows=80, alpha=1e-3)
    largest = []

    def row_function(y, Z2, V):
        largest.append(np.abs(V).max())
        return np.zeros(len(y))

    with problem.rows() as rows:
        mean_loss = problem.mean_loss(rows)
        options = {"scale": rows.total_weight, "row_function": row_function}
        leave_one_out_mean(mean_loss, problem.params, posterior(problem).factor, **options)
    assert max(largest) < 1e4


def test_expected_softmax_does_not_hang_on_the_choice_of_eigenvectors():
    """Equal eigenvalues have no eigenvectors of their own."""
    Z2, V = np.array([[1.0, 0.0, -1.0, 0.3]]), 2 * np.eye(4)[None]
    expected = expected_prediction(MulticlassLogLoss(), Z2, V)
    for seed in range(5):
        noise = 1e-15 * np.random.default_rng(seed).normal(size=(1, 4, 4))
        found = expected_prediction(MulticlassLogLoss(), Z2, V + noise + noise.transpose(0, 2, 1))
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(("f", "h", "k"), [(3, 4, 1), (20, 50, 10), (50, 90, 1), (10, 50, 60)])
def test_a_block_is_bounded(f, h, k):
    """Its Jacobian has at most 16 MB, or few rows."""
    network = TwoLayerNetwork(f, h, k, "logistic")
    n_rows = rows_of_block(network)
    assert n_rows >= MIN_ROWS
    assert n_rows == MIN_ROWS or 8 * n_rows * k * network.n_params <= ANSWER_BYTES


def test_penalties_of_biases_stay_free():
    problem = random_problem(SquaredError, n_rows=60, alpha=0.0)
    weak = posterior(problem)
    problem = replace(problem, penalty=Penalty.fixed(problem.network, 1e-9))
    np.testing.assert_allclose(posterior(problem).n_effective, weak.n_effective, rtol=1e-3)


def test_the_likelihood_is_that_of_all_rows_whatever_the_part():
    """M = c F with the residuals of all rows: beyond the part they tell the evidence too."""
    problem = random_problem(SquaredError, n_rows=60)
    problem = replace(problem, penalty=Penalty(problem.penalty.groups, np.full(4, 0.1)))
    calm = posterior(problem, np.arange(30))
    problem.y[50] += 100
    loud = posterior(problem, np.arange(30))
    assert loud.scale < 0.1 * calm.scale
    assert loud.log_marginal_likelihood < calm.log_marginal_likelihood - 10


def test_a_row_left_out_is_one_of_all_rows():
    """What it adds to the fit goes by S, not by the weight of those that are judged."""
    problem = random_problem(SquaredError, n_rows=60)
    covariances = []

    def row_function(y, Z2, V):
        covariances.append(V)
        return np.zeros(len(y))

    with problem.rows(block_size=100) as rows:
        mean_loss, factor = problem.mean_loss(rows), posterior(problem).factor
        for scale in (rows.total_weight, 2 * rows.total_weight):
            options = {"scale": scale, "row_function": row_function}
            leave_one_out_mean(mean_loss, problem.params, factor, **options)
    np.testing.assert_allclose(2 * covariances[1], covariances[0], rtol=1e-12)
