"""The penalty and the width that a fit takes from what left-out rows lose."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import log_loss
from small_regression import posed, settings_of

from sklearn_twolayer import TwoLayerClassifier
from sklearn_twolayer._bayes.cross_validate import FEW_NUMBERS_GRID, Grid
from sklearn_twolayer._data.table import Table
from sklearn_twolayer._fit import auto, choice
from sklearn_twolayer._fit.auto import Size
from sklearn_twolayer._fit.compare import Comparison
from sklearn_twolayer._fit.left_out import LeftOut
from sklearn_twolayer._fit.monitor import Deadline
from sklearn_twolayer._fit.run import Problem, member_states
from sklearn_twolayer._fit.training import Fit
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.scale import Standardization


@pytest.mark.parametrize(
    ("changes", "n_hidden"),
    [
        ({}, 49),  # (5000 - 10) / (89 + 1 + 10)
        ({"n_features": 10}, 100),
        ({"n_features": 200}, 20),  # there could be 23, which are no other width
        ({"n_features": 300}, 100),  # twenty have no error bars
        ({"n_outputs": 7}, 51),
        ({"n_outputs": 6}, 20),  # 15 pairs
        ({"n_rows": 10**8}, 20),  # the gradient takes too long
        ({"output_activation": "logistic"}, 20),  # labels, which have no borders with each other
        ({"strength": 0.3}, 20),
        ({"strength": 0.3, "n_outputs": 19}, 20),
        ({"strength": 0.3, "n_outputs": 20}, 45),  # which are as many as the units
        ({"n_members": 2}, 20),
        ({"most_hidden": 20}, 20),  # which are asked for
        ({"solver": "lm"}, 20),  # whose steps take the square of the weights
    ],
)
def test_more_units_are_asked_where_pairs_of_classes_are_more(changes, n_hidden):
    options = {"n_rows": 300, "n_features": 89, "n_outputs": 10, "is_regression": False}
    size = Size(**{name: changes.get(name, value) for name, value in options.items()})
    activation = changes.get("output_activation", "softmax")
    targets = SimpleNamespace(n_outputs=size.n_outputs, output_activation=activation)
    settings = SimpleNamespace(
        n_hidden=20,
        most_hidden=changes.get("most_hidden", 100),
        n_members=changes.get("n_members", 1),
        solver=changes.get("solver", "lbfgs"),
    )
    problem = SimpleNamespace(size=size, targets=targets)
    assert choice.wider_width(problem, settings, changes.get("strength", 1.0)) == n_hidden


def test_a_fit_under_the_chosen_penalty_learns_under_a_tenth_of_it_first(monkeypatch):
    """But not where it goes on from weights that have learnt."""
    monkeypatch.setattr(Grid, "choose", lambda grid, losses, n_dealt, bits: 3.0)
    monkeypatch.setattr(Comparison, "with_cheaper_bends", lambda comparison, pair: (3.0, 10.0))
    problem, settings = posed(), settings_of("auto")
    options = {"deadline": Deadline()}
    _, found = choice.with_best_penalty(problem, settings, np.random.RandomState(0), **options)
    assert (found.alpha, found.learning_alpha) == pytest.approx((3 / 20, 0.3 / 20))
    assert found.ratio == 10
    problem = replace(problem, start=SimpleNamespace())
    _, found = choice.with_best_penalty(problem, settings, np.random.RandomState(0), **options)
    assert found.alpha == pytest.approx(3 / 20)
    assert found.learning_alpha is None


def test_a_fit_with_more_units_is_under_the_penalty_of_these(monkeypatch):
    def best_of(folds, grid):
        folds.losses(0, (0.3, 3.0))
        return 3.0, 1.0

    monkeypatch.setattr(choice, "wider_width", lambda *of: 9)
    monkeypatch.setattr(Comparison, "best_of", best_of)
    monkeypatch.setattr(Comparison, "by_wider", lambda folds, *of: (folds, 0.3))
    monkeypatch.setattr(Comparison, "with_cheaper_bends", lambda comparison, pair: pair)
    monkeypatch.setattr(Comparison, "mean_lost_by_evidence", lambda comparison, pair: np.inf)
    settings, random_state = settings_of("auto"), np.random.RandomState(0)
    options = {"deadline": Deadline()}
    problem, found = choice.with_best_penalty(posed(), settings, random_state, **options)
    assert problem.network.n_hidden == found.n_hidden == 9
    assert found.alpha == pytest.approx(0.3 / 20)


def test_a_fit_is_told_the_weights_that_were_compared(monkeypatch):
    """Those of each fold, under the chosen penalty and ratio."""
    problem, settings = posed(), settings_of("auto")
    told = []
    with_cheaper_bends = Comparison.with_cheaper_bends

    def recorded(folds, pair):
        told.append(folds.told)
        return with_cheaper_bends(folds, pair)

    monkeypatch.setattr(Comparison, "with_cheaper_bends", recorded)
    monkeypatch.setattr(Comparison, "mean_lost_by_evidence", lambda comparison, pair: np.inf)
    options = {"deadline": Deadline()}
    _, found = choice.with_best_penalty(problem, settings, np.random.RandomState(0), **options)
    assert len(found.compared) == len(told[-1]) > 1
    for params, fold in zip(found.compared, told[-1]):
        assert any(params is weights for _, weights in fold.values())


@pytest.mark.parametrize("is_told", [True, False])
def test_a_part_of_the_rows_tells_the_penalty_of_all(is_told, monkeypatch):
    """S alpha grows with the root of S, if a fold told it; networks start where the fit does."""
    seen = []

    def losses(comparison, number, strengths):
        seen.append((comparison.networks.problem.table.encoded.ravel(), comparison.start))
        if is_told:
            comparison.told.append(
                dict.fromkeys([(each, 1.0) for each in strengths], (1.0, comparison.start))
            )
        return list(strengths)[::-1]

    monkeypatch.setattr(auto, "MAX_COMPARED_COST", 1)
    monkeypatch.setattr(auto, "MIN_COMPARED_ROWS", 15)
    monkeypatch.setattr(Comparison, "losses", losses)
    monkeypatch.setattr(Comparison, "beyond", lambda folds, strength, stronger: (strength, 1.0))
    monkeypatch.setattr(Comparison, "with_cheaper_bends", lambda comparison, pair: pair)
    monkeypatch.setattr(Comparison, "mean_lost_by_evidence", lambda comparison, pair: np.inf)
    problem, settings = posed(), settings_of("auto")
    start = problem.draw_start(np.random.RandomState(3), settings)
    options = {"deadline": Deadline()}
    _, found = choice.with_best_penalty(problem, settings, np.random.RandomState(3), **options)
    root = (20 / 15) ** 0.5 if is_told else 1
    assert found.alpha == pytest.approx(FEW_NUMBERS_GRID.strengths[-1] / 20 * root)
    for y, params in seen:
        assert len(y) == len(set(y) & set(problem.table.encoded.ravel())) == 15
        np.testing.assert_array_equal(params, start)


def test_a_part_of_the_rows_has_the_rare_class(monkeypatch):
    monkeypatch.setattr(auto, "MAX_COMPARED_COST", 1)
    monkeypatch.setattr(auto, "MIN_COMPARED_ROWS", 40)
    labels = np.repeat([0, 1, 2], [1000, 1000, 3])
    X = np.random.RandomState(0).normal(size=(2003, 2))
    problem = Problem(
        SimpleNamespace(strata=lambda encoded: encoded, n_outputs=3, loss=None),
        Standardization.none(2, 3),
        Table(X, labels, None, encoded=labels),
        network=TwoLayerNetwork(2, 4, 3, "logistic"),
    )
    monkeypatch.setattr(Problem, "size", Size(2003, 2, 3, is_regression=False))
    part = choice.part_to_compare(problem, settings_of("auto"))
    counts = np.bincount(part.table.encoded)
    assert counts.sum() == 40
    assert counts[2] == 2


@pytest.mark.parametrize(("n_members", "n_compared"), [(1, 1), (3, 0)])
def test_members_of_a_committee_do_not_go_on_from_the_same_weights(
    n_members, n_compared, monkeypatch
):
    def losses(comparison, number, strengths):
        comparison.told[:] = [
            dict.fromkeys([(each, 1.0) for each in strengths], (1.0, comparison.start))
        ]
        return list(strengths)[::-1]

    monkeypatch.setattr(Comparison, "losses", losses)
    monkeypatch.setattr(Comparison, "beyond", lambda folds, strength, stronger: (strength, 1.0))
    monkeypatch.setattr(Comparison, "with_cheaper_bends", lambda comparison, pair: pair)
    monkeypatch.setattr(Comparison, "mean_lost_by_evidence", lambda comparison, pair: np.inf)
    settings = replace(settings_of("auto"), n_members=n_members)
    options = {"deadline": Deadline()}
    _, found = choice.with_best_penalty(posed(), settings, np.random.RandomState(0), **options)
    assert len(found.compared) == n_compared


def with_rival(monkeypatch, n_told):
    """Settings with a rival of two units, and networks of which so many of a fold are told."""

    def fits(networks, out, params, candidates):
        return [(10 * 0.5**number, params) for number in range(n_told.pop(0))]

    monkeypatch.setattr(LeftOut, "fits", fits)
    monkeypatch.setattr(LeftOut, "further", lambda networks, out, params, penalty: [])
    rival = replace(settings_of("evidence"), n_hidden=2)
    return replace(settings_of("auto"), n_hidden=3, by_evidence=rival)


@pytest.mark.parametrize("is_better", [True, False])
def test_a_wide_regression_takes_the_rival_that_loses_less(is_better, monkeypatch):
    """Than whole folds under the chosen penalty: here the strongest, so the first."""
    seen, n_told, problem = [], [len(FEW_NUMBERS_GRID.strengths), 1], posed()
    settings = with_rival(monkeypatch, n_told)

    def predicts_better(problem, settings, random_state, *, lost, deadline):
        seen.append((problem.network.n_hidden, settings, lost))
        return is_better

    monkeypatch.setattr(choice, "predicts_better", predicts_better)
    options = {"deadline": Deadline()}
    found = choice.with_best_penalty(problem, settings, np.random.RandomState(0), **options)
    assert not n_told
    lost = 10 * 0.5 ** (len(FEW_NUMBERS_GRID.strengths) - 1) / 4  # of the four rows of a fold
    [(n_hidden, asked, told)] = seen
    assert (n_hidden, asked) == (2, settings.by_evidence)
    assert told == pytest.approx(lost / problem.table.encoded.var())
    if is_better:
        assert (found[0].network.n_hidden, found[1]) == (2, settings.by_evidence)
    else:
        assert found[0] is problem
        assert found[1].alpha == pytest.approx(FEW_NUMBERS_GRID.strengths[-1] / 20)


def test_where_no_fold_was_told_there_is_no_rival(monkeypatch):
    settings = with_rival(monkeypatch, [1])
    monkeypatch.setattr(choice, "predicts_better", lambda *of, **options: pytest.fail())
    options = {"deadline": Deadline()}
    problem = posed()
    found = choice.with_best_penalty(problem, settings, np.random.RandomState(0), **options)
    assert found[0] is problem


@pytest.mark.parametrize(
    ("shares", "n_asked", "is_better"),
    [((0.3, 0.9, 0.1), 1, True), ((2.0, 0.499, 0.3), 3, True), ((0.5, 0.6, 0.7), 3, False)],
)
def test_members_of_the_evidence_are_asked_until_one_loses_less(
    shares, n_asked, is_better, monkeypatch
):
    """By a margin; and from where the members to be will start."""
    states = []

    def training_of(problem, settings, random_state, stack, *, watch):
        states.append(random_state.uniform())
        fit = Fit(left_out_share=shares[len(states) - 1])
        return SimpleNamespace(run=lambda: fit)

    monkeypatch.setattr(choice, "training_of", training_of)
    settings = replace(settings_of("auto"), n_members=3)
    options = {"lost": 0.5, "deadline": Deadline()}
    found = choice.predicts_better(posed(), settings, np.random.RandomState(3), **options)
    assert (found, len(states)) == (is_better, n_asked)
    expected = [state.uniform() for state in member_states(np.random.RandomState(3), 3)]
    assert states == expected[:n_asked]


def test_a_rival_that_is_late_is_not_better():
    options = {"lost": np.inf}
    problem, settings = posed(), replace(settings_of("auto"), solver="lm", n_members=1)
    for deadline, expected in ((Deadline(0.0), False), (Deadline(), True)):
        state = np.random.RandomState(0)
        assert (
            choice.predicts_better(problem, settings, state, deadline=deadline, **options)
            == expected
        )


@pytest.mark.parametrize("lost", [0.4, np.inf])
def test_the_evidence_is_taken_where_it_loses_less(lost, monkeypatch):
    """What left-out rows lose goes with the penalty: error bars ask for it."""
    monkeypatch.setattr(Comparison, "mean_lost", lambda comparison, pair: 0.5)
    monkeypatch.setattr(Comparison, "mean_lost_by_evidence", lambda comparison, pair: lost)
    problem, settings = posed(), settings_of("auto")
    options = {"deadline": Deadline()}
    _, found = choice.with_best_penalty(problem, settings, np.random.RandomState(0), **options)
    assert (found.alpha == "evidence") == (lost < np.inf)
    assert found.left_out_share == pytest.approx(min(lost, 0.5) / problem.table.encoded.var())
    assert found.learning_alpha is None or lost == np.inf


def test_classes_that_are_as_many_as_units_take_more_of_these():
    """Whatever the penalty, where rows that were left out say so."""
    random = np.random.default_rng(21)
    centres, y = random.normal(size=(30, 20)), random.integers(0, 30, 3600)
    X = centres[y] + random.normal(size=(3600, 20))
    few, more = (TwoLayerClassifier(n, random_state=0).fit(X[:600], y[:600]) for n in (30, "auto"))
    assert more.n_hidden_ > 60
    lost = [log_loss(y[600:], model.predict_proba(X[600:])) for model in (few, more)]
    assert lost[1] < 0.95 * lost[0]


@pytest.mark.parametrize(("n_rows", "is_asked"), [(39, False), (40, True)])
def test_bends_of_few_rows_are_not_asked(n_rows, is_asked, monkeypatch):
    asked = []
    monkeypatch.setattr(
        Comparison, "with_cheaper_bends", lambda comparison, pair: asked.append(pair) or pair
    )
    X = np.random.RandomState(0).normal(size=(n_rows, 2))
    TwoLayerClassifier(3, random_state=0).fit(X, np.arange(n_rows) % 2)
    assert bool(asked) == is_asked
