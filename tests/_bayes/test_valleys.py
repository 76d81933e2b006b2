"""How far the variance of a prediction is believed, by the rows that are left out, or by y."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from gradient_check import random_problem
from scipy.stats import chi2

from sklearn_twolayer._bayes import noise
from sklearn_twolayer._bayes.noise import Likelihood, variance_of_drawn, variance_of_unseen
from sklearn_twolayer._bayes.posterior import posterior_factor
from sklearn_twolayer._bayes.valleys import (
    VALLEYS_TEMPERATURE,
    believed_share,
    median,
    surely_of_variance,
    valleys,
    variance_of_new_y,
)
from sklearn_twolayer._network.backprop import jacobian
from sklearn_twolayer._network.losses import LogisticSquaredError, SquaredError
from sklearn_twolayer._network.objective import Penalty


def factor_of(problem, few):
    """The factor of the curvature of the penalised objective of a few rows."""
    curvature = few.quadratic(problem.params)[2]
    return posterior_factor(replace(curvature, penalties=problem.penalty.per_weight))


def penalised(loss_class=SquaredError, **options):
    """A random problem all of whose weights have a penalty."""
    problem = random_problem(loss_class, is_weighted=False, **options)
    problem.penalty = Penalty.of(problem.network, np.full(4, 0.1))
    return problem


def believed(units, left_out_share=None, n_rows=12, activation="logistic"):
    """The temperature, and the variance of the median row, as a share of that of y, under it.

    Of new rows where these are fewer than twenty, else of those that lack themselves.
    """
    problem = penalised(n_rows=n_rows, activation=activation)
    with problem.rows() as rows:
        few = problem.mean_loss(rows)
        factor, likelihood = factor_of(problem, few), Likelihood.of(few)
        told = {"units": units, "likelihood": likelihood, "left_out_share": left_out_share}
        temperature = valleys(few, problem.params, factor, **told)
        if n_rows < 20:
            said, _ = variance_of_drawn(few, problem.params, factor, units, most_rows=20)
        else:
            said = variance_of_unseen(few, problem.params, factor, units)
    return temperature, temperature * np.median(said) / likelihood.variance


def test_half_of_the_rows_may_be_uncertain_by_what_bounds_them_but_no_more():
    """Targets that never vary have no part in it."""
    unseen = np.array([[0.1, 7.0], [0.3, 7.0], [9.0, 7.0]])
    assert believed_share(unseen, 0.2, np.array([0.75, 0.0])) == pytest.approx(0.15 / 0.3)
    assert believed_share(unseen, 0.2, np.array([2.0, 0.0])) == 1
    assert believed_share(unseen, 0.2, np.array([0.0, 0.0])) == 1
    assert believed_share(unseen, np.inf, np.array([0.75, 0.0])) == 1
    assert believed_share(0 * unseen, 0.2, np.array([0.75, 0.0])) == 1  # what is full varies not
    assert believed_share(unseen, 0.2, np.array([0.75, 1.0])) == pytest.approx(0.35 / 7.3)


@pytest.mark.parametrize("n", [20, 35.5])
def test_a_variance_is_as_large_as_nineteen_estimates_of_twenty_say(n):
    assert surely_of_variance(n) == pytest.approx(chi2.ppf(0.05, n) / n)


@pytest.mark.parametrize("n", [2, 3, 7, 19])
def test_a_new_y_is_within_nine_intervals_of_ten(n):
    """Of normal numbers, about the mean of n others."""
    y = np.random.default_rng(n).normal(size=(40_000, n + 1))
    others, new = y[:, :n], y[:, n]
    std = np.sqrt(variance_of_new_y(n)) * others.std(axis=1)
    covered = np.mean(np.abs(new - others.mean(axis=1)) < 1.6449 * std)
    assert covered == pytest.approx(0.9, abs=0.008)


@pytest.mark.parametrize("n", [0.3, 1.0, 1.0001])
def test_less_than_two_rows_tell_of_no_variance(n):
    assert variance_of_new_y(n) == np.inf


@pytest.mark.parametrize("loss_class", [SquaredError, LogisticSquaredError])
def test_new_rows_are_drawn_with_the_mean_and_the_covariance_of_the_few(loss_class):
    """Their variance is that of a prediction A2 of any row."""
    problem = penalised(loss_class, n_rows=7)
    scale = problem.standardization
    X = np.column_stack([(problem.X - scale.mean) / scale.scale, np.ones(7)])
    new = np.array([X.mean(axis=0) + (a - b) / 2**0.5 for a, b in permutations(X, 2)])
    np.testing.assert_allclose(new.mean(axis=0), X.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(np.cov(new.T, ddof=0), np.cov(X.T, ddof=1), atol=1e-12)
    with problem.rows() as rows:
        few = problem.mean_loss(rows)
        factor = factor_of(problem, few)
        found, weights = variance_of_drawn(few, problem.params, factor, 0.3, most_rows=20)
    np.testing.assert_array_equal(weights, np.ones(42))
    Z2, A1 = problem.network.forward(problem.params, new)
    J = jacobian(problem.network, problem.params, new, A1)[:, 0] * problem.loss.slope(Z2)
    expected = [0.3 * j @ factor.solve(j) for j in J]
    np.testing.assert_allclose(np.sort(found[:, 0]), np.sort(expected), rtol=1e-8)


def test_new_rows_are_drawn_as_often_as_rows_weigh():
    """Copies of a row are pairs, too, whose difference is zero."""
    weight = np.array([1.0, 7, 1, 2, 1])
    weighted = replace(penalised(n_rows=5), weight=weight)
    rows = np.repeat(np.arange(5), weight.astype(int))
    repeated = replace(weighted, X=weighted.X[rows], y=weighted.y[rows], weight=None)
    medians, totals, temperatures = [], [], []
    for problem in (weighted, repeated):
        with problem.rows() as rows:
            few = problem.mean_loss(rows)
            factor = factor_of(problem, few)
            found, pairs = variance_of_drawn(few, problem.params, factor, 1.0, most_rows=20)
            told = {"units": 1e9, "likelihood": Likelihood.of(few), "left_out_share": None}
            temperatures.append(valleys(few, problem.params, factor, **told))
        medians.append(median(found[:, 0], pairs))
        totals.append(pairs.sum())
    assert totals[0] == pytest.approx(totals[1])
    assert totals[0] == pytest.approx(12 * 11)
    assert medians[0] == pytest.approx(medians[1], rel=1e-8)
    assert temperatures[0] == pytest.approx(temperatures[1], rel=1e-8)


def test_many_rows_are_drawn_from_the_heaviest_and_many_columns_in_fewer_pairs(monkeypatch):
    weight = np.r_[np.full(25, 1e-6), np.ones(4)]
    problem = replace(penalised(n_rows=29), weight=weight)
    alone = replace(problem, X=problem.X[25:], y=problem.y[25:], weight=None)
    with problem.rows() as rows, alone.rows() as heavy:
        few, heaviest = problem.mean_loss(rows), problem.mean_loss(heavy)
        of_rows = problem.params, factor_of(problem, few), 1.0
        found, pairs = variance_of_drawn(few, *of_rows, most_rows=4)
        expected, _ = variance_of_drawn(heaviest, *of_rows, most_rows=4)
        monkeypatch.setattr(noise, "MOST_DRAWN", 1)
        said, _ = variance_of_drawn(few, *of_rows, most_rows=4)
    assert len(pairs) == len(found) == 12
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    np.testing.assert_allclose(said, found[:4], rtol=1e-8)  # each row with the next


@pytest.mark.parametrize("weights", [[1, 1, 1, 1], [2, 1, 3, 2], [1, 5, 1, 1], [3, 3, 1, 1]])
def test_the_median_counts_values_as_often_as_they_weigh(weights):
    values = np.array([3.0, 1.0, 7.0, 4.0])
    assert median(values, np.array(weights, float)) == np.median(np.repeat(values, weights))
    assert median(values) == np.median(values)


def test_new_rows_are_the_same_of_sparse_rows():
    sparse = penalised(n_rows=9, is_sparse=True)
    found = []
    for problem in (sparse, replace(sparse, X=sparse.X.toarray())):
        with problem.rows() as rows:
            few = problem.mean_loss(rows)
            factor = factor_of(problem, few)
            found.append(variance_of_drawn(few, problem.params, factor, 1.0, most_rows=20)[0])
    np.testing.assert_allclose(*found, rtol=1e-8)


@pytest.mark.parametrize("left_out_share", [None, 0.0, 1e-6, 1e6])
@pytest.mark.parametrize("n_rows", [2, 5, 19])
def test_few_rows_are_no_less_certain_than_one_who_knows_only_y(n_rows, left_out_share):
    """The variance between valleys is part of it. What they lose is luck."""
    temperature, variance = believed(1e9, left_out_share, n_rows)
    assert temperature < 1
    assert variance == pytest.approx(variance_of_new_y(n_rows))
    assert believed(1e-9, left_out_share, n_rows)[0] == VALLEYS_TEMPERATURE


def test_one_valley_is_no_less_certain_either():
    temperature, variance = believed(1e9, activation="identity")
    assert temperature < 1
    assert variance == pytest.approx(variance_of_new_y(12))
    assert believed(1e-9, activation="identity")[0] == 1


def test_rows_that_count_as_few_are_few_however_many_are_stored():
    """As of those that have next to no weight; less than two tell nothing of y."""
    problem = penalised(n_rows=30)
    with problem.rows() as rows:
        few = problem.mean_loss(rows)
        factor, likelihood = factor_of(problem, few), Likelihood.of(few)
        told = {"units": 1e9, "left_out_share": None}
        for n, is_bound in ((3.0, True), (1.9, False)):
            counted = replace(likelihood, total_weight=n)
            found = valleys(few, problem.params, factor, likelihood=counted, **told)
            assert (found < 1) is is_bound


def test_a_single_row_bounds_nothing():
    problem = penalised(n_rows=1)
    with problem.rows() as rows:
        few = problem.mean_loss(rows)
        told = {"units": 1e9, "likelihood": Likelihood.of(few), "left_out_share": None}
        found = valleys(few, problem.params, factor_of(problem, few), **told)
    assert found == VALLEYS_TEMPERATURE


@pytest.mark.parametrize("left_out_share", [1e-6, 0.3])
def test_from_twenty_rows_on_they_are_bound_by_what_left_out_rows_lose(left_out_share):
    most = left_out_share / surely_of_variance(20)
    temperature, variance = believed(1e9, left_out_share, 20)
    assert temperature < VALLEYS_TEMPERATURE
    assert variance == pytest.approx(VALLEYS_TEMPERATURE * most)
    for nothing in (None, 0.0):
        assert believed(1e9, nothing, 20)[0] == VALLEYS_TEMPERATURE
