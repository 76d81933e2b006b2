"""Penalties compared by refits, where a linearised network cannot tell what a fit would do."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import BayesianRidge, RidgeCV

from sklearn_twolayer import TwoLayerRegressor
from sklearn_twolayer._bayes.copies import SortedRows
from sklearn_twolayer._bayes.cross_validate import n_folds_asked
from sklearn_twolayer._fit import left_out as module
from sklearn_twolayer._fit.left_out import Refits
from sklearn_twolayer._fit.monitor import Deadline
from sklearn_twolayer._fit.parameters import checked
from sklearn_twolayer._network.objective import Penalty

SEEDS = range(3)


def heteroscedastic(n, seed):
    """The first of two columns, with noise whose deviation grows as exp of the second."""
    random = np.random.RandomState(seed)
    X = random.normal(size=(n, 2))
    return X, X[:, 0] + 0.3 * np.exp(X[:, 1]) * random.normal(size=n)


def bootstrap_of_diabetes(seed):
    """200 rows drawn from 200, and 242 others."""
    X, y = load_diabetes(return_X_y=True)
    random = np.random.RandomState(seed)
    order = random.permutation(442)
    return random.choice(order[:200], 200), order[200:], X, y


@pytest.mark.parametrize("shape", [(60, 50), (100, 80), (150, 120)])
def test_as_many_columns_as_rows_are_as_good_as_in_a_linear_model(shape):
    """The right penalty leaves the weights two thirds of the residuals and more."""
    lost = []
    for seed in SEEDS:
        (n, f), random = shape, np.random.RandomState(seed)
        X = random.normal(size=(n + 300, f))
        signal = X @ np.linspace(1, 0.1, f)
        y = signal + 0.5 * random.normal(size=n + 300)
        ours, linear = TwoLayerRegressor(random_state=seed), BayesianRidge()
        scores = [model.fit(X[:n], y[:n]).score(X[n:], signal[n:]) for model in (ours, linear)]
        lost.append(scores[1] - scores[0])
    assert np.mean(lost) < 0.08


def test_copies_of_rows_are_not_taken_for_left_out_ones():
    """The mean would have R^2 = 0; one copy predicts the other."""
    scores, linear = [], []
    for seed in SEEDS:
        drawn, new, X, y = bootstrap_of_diabetes(seed)
        fits = [TwoLayerRegressor(random_state=seed), RidgeCV(np.logspace(-3, 1, 9))]
        fits = [model.fit(X[drawn], y[drawn]).score(X[new], y[new]) for model in fits]
        scores.append(fits[0])
        linear.append(fits[1])
    assert min(scores) > 0.15
    assert np.mean(scores) > np.mean(linear) - 0.1


@pytest.mark.slow  # copies of rows, above, ask the same refits
def test_noise_that_grows_on_one_side_is_not_learned():
    """A few rows far out make the evidence take it for a signal."""
    lost = []
    for seed in range(4):
        model = TwoLayerRegressor(random_state=seed).fit(*heteroscedastic(1000, seed))
        X, _ = heteroscedastic(1000, 100 + seed)
        lost.append(1 - model.score(X, X[:, 0]))
    assert np.mean(lost) < 0.2


def test_weights_are_compared_as_repeats():
    drawn, new, X, y = bootstrap_of_diabetes(0)
    rows, counts = np.unique(drawn, return_counts=True)
    repeated = TwoLayerRegressor(5, random_state=0).fit(X[np.sort(drawn)], y[np.sort(drawn)])
    weighted = TwoLayerRegressor(5, random_state=0).fit(X[rows], y[rows], sample_weight=counts)
    np.testing.assert_allclose(weighted.penalty_, repeated.penalty_, rtol=1e-5)
    np.testing.assert_allclose(weighted.predict(X[new]), repeated.predict(X[new]), rtol=1e-5)


def test_a_warm_start_has_seen_the_rows_that_refits_leave_out(monkeypatch):
    monkeypatch.setattr(Refits, "losses", _unwanted)
    drawn, _, X, y = bootstrap_of_diabetes(0)
    model = TwoLayerRegressor(5, warm_start=True, alpha=0.01, random_state=0)
    model.fit(X[drawn], y[drawn]).set_params(alpha="auto").fit(X[drawn], y[drawn])
    with pytest.raises(AssertionError, match="refits"):
        model.set_params(warm_start=False).fit(X[drawn], y[drawn])


def _unwanted(refits, start, penalties):
    raise AssertionError("refits")


def test_losses_are_means_over_left_out_rows(monkeypatch):
    """Under a penalty that leaves nothing the network answers with 0: the loss is y'y / n."""
    seen, losses = [], Refits.losses

    def recorded(refits, start, penalties):
        seen.append((refits, start, penalties, losses(refits, start, penalties)))
        return seen[-1][-1]

    monkeypatch.setattr(Refits, "losses", recorded)
    drawn, _, X, y = bootstrap_of_diabetes(0)
    X, y = X[drawn], y[drawn]
    model = TwoLayerRegressor(5, random_state=0).fit(X, y)
    [(refits, start, penalties, found)] = seen
    strengths = [penalty.strengths for penalty in penalties]
    np.testing.assert_allclose(np.divide(strengths[1:], strengths[:-1]), 3.0)
    assert any(np.allclose(model.penalty_, each) for each in strengths)
    assert found.min() < 0.8
    nothing = Penalty(penalties[0].groups, np.full(len(strengths[0]), 1e4))
    target = refits.problem.scale.apply_targets(y[:, None], np.float64)
    fold, n_distinct = SortedRows.of(X, target, refits.problem.scale).deal_distinct()
    is_left_out = fold < n_folds_asked(n_distinct)
    expected = np.mean(target[is_left_out] ** 2)
    assert losses(refits, start, [nothing]) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("times", "has_copies"), [(1, False), (2, True)])
def test_rows_have_copies(times, has_copies):
    X, y = heteroscedastic(50, 0)
    problem = posed(np.tile(X, (times, 1)), np.tile(y, times))
    assert Refits(problem, None, None).has_copies == has_copies
    assert Refits(posed(X, y, np.full(50, float(times))), None, None).has_copies == has_copies


def test_copies_that_count_as_one_are_left_out_as_one():
    X, y = heteroscedastic(50, 0)
    problem = posed(X, y, np.full(50, 7.0))
    problem.copies = 7.0
    assert not Refits(problem, None, None).has_copies
    problem = posed(X, y, np.arange(1.0, 51))
    problem.copies = problem.table.weight.mean()
    assert Refits(problem, None, None).has_copies


def posed(X, y, weight=None):
    """As much of a problem as the folds ask for."""
    table = SimpleNamespace(X=X, encoded=y[:, None], n_rows=len(y), weight=weight)
    scale = SimpleNamespace(mean=X.mean(axis=0), scale=X.std(axis=0))
    return SimpleNamespace(table=table, scale=scale, copies=1.0)


def test_what_is_too_late_is_not_compared(monkeypatch):
    """Sums of a fold that was cut short are fewer than penalties, and none counts."""
    settings = checked(vars(TwoLayerRegressor(max_iter=5)), "Regressor")
    refits = Refits(posed(*heteroscedastic(50, 0)), settings, Deadline())
    penalties, sums = [Penalty(np.zeros(1, int), np.ones(1))] * 2, [np.ones(2), np.ones(1)]

    def fits(*arguments):
        return [(lost, None) for lost in sums.pop(0)]

    monkeypatch.setattr(module.LeftOut, "fits", fits)
    np.testing.assert_allclose(refits.losses(None, penalties), 0.1)  # of the ten rows of a fold
    sums.append(np.ones(0))
    assert refits.losses(None, penalties) is None


@pytest.mark.filterwarnings("ignore:The weights of the 60 rows sum to 720")
def test_the_rival_of_a_constant_is_penalised_as_if_copies_were_one():
    """S alpha is a prior for rows that tell something, of which twelve copies are one."""
    random = np.random.default_rng(2)
    X = random.normal(size=(60, 6))
    y = 3 * X[:, 0] * X[:, 1] + 0.15 * random.normal(size=60)
    model = TwoLayerRegressor(8, n_members=1, random_state=2)
    penalty = model.fit(X, y).penalty_
    assert penalty[0] == pytest.approx(module.RIVAL_STRENGTHS[1] / 60)  # the rival's
    np.testing.assert_allclose(model.fit(X, y, np.full(60, 12.0)).penalty_, penalty)
