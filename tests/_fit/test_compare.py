"""What left-out rows tell of penalties, and of the ratio of those of both layers."""

from dataclasses import make_dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._bayes.cross_validate import FEW_NUMBERS_GRID, Grid
from sklearn_twolayer._data.table import Table
from sklearn_twolayer._data.targets import RealTargets
from sklearn_twolayer._fit import auto, compare, left_out
from sklearn_twolayer._fit.auto import Size
from sklearn_twolayer._fit.compare import TIMES_LESS, Comparison
from sklearn_twolayer._fit.left_out import LeftOut
from sklearn_twolayer._fit.monitor import Deadline
from sklearn_twolayer._fit.parameters import checked
from sklearn_twolayer._fit.run import Problem
from sklearn_twolayer._fit.training import LEARNING_STEPS, Fit
from sklearn_twolayer._fit.weights import member_states
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.objective import Penalty
from sklearn_twolayer._network.scale import Standardization

Networks = make_dataclass("Networks", ["fits", "settings", "problem", "further"])
NETWORK = TwoLayerNetwork(2, 3, 1, "logistic")
SHARES = np.tile(np.eye(5), (4, 1))  # of twenty rows
STRENGTHS = 0.3, 1.0


def comparison(answers, weight=None):
    """Of networks that lose what the answers tell, one list after the other; and what was asked.

    The weights of a network are how many there were before it.
    """
    asked = []

    def fits(out, params, candidates):
        asked.append((out, params, candidates))
        return [(lost, len(asked)) for lost in answers.pop(0)]

    settings = checked(TwoLayerClassifier().get_params(), "TwoLayerClassifier")
    table = SimpleNamespace(weight=weight)
    size = Size(20, 2, 1, is_regression=False)
    problem = SimpleNamespace(table=table, size=size, network=NETWORK)
    networks = SimpleNamespace(fits=fits, settings=settings, problem=problem)
    networks.further = lambda out, params, penalty: fits(out, params, [penalty])
    return Comparison(networks, 0, SHARES, 20, 1.0), asked


def test_a_fold_leaves_out_its_rows_under_each_penalty():
    folds, asked = comparison([[2.0, 3.0]])
    assert folds.losses(1, STRENGTHS) == [2.0, 3.0]
    [(out, params, candidates)] = asked
    np.testing.assert_array_equal(out, SHARES[:, 1])
    assert params == 0
    for strength, penalty in zip(STRENGTHS, candidates):  # times S
        np.testing.assert_allclose(penalty.strengths, [strength, 0, strength, 0])


@pytest.mark.parametrize(("weight", "lost"), [(None, 6 / 8), (np.tile([1, 3, 0, 0, 0], 4), 6 / 16)])
def test_the_mean_loss_of_whole_folds(weight, lost):
    folds, _ = comparison([[2.0, 3.0], [4.0, 5.0], [1.0]], weight)
    assert folds.mean_lost((1.0, 1.0)) == np.inf
    for number in range(3):
        folds.losses(number, STRENGTHS)
    assert folds.mean_lost((0.3, 1.0)) == pytest.approx(lost)


@pytest.mark.parametrize(
    ("answers", "times"),
    [
        ([[1.8], [1.8], [1.6], [1.6]], TIMES_LESS[1]),
        ([[1.94], [1.94], [1.85], [1.85]], TIMES_LESS[1]),  # together more than a twentieth
        ([[1.94], [1.94], [1.93], [1.93]], 1),  # within the margin
        ([[1.8], [1.8], [1.79], [1.79]], TIMES_LESS[0]),  # within the margin of a step
        ([[1.9], [1.99], [1.8], [1.95]], TIMES_LESS[1]),
        ([[1.99], [1.99]], 1),
        ([[2.0]], 1),  # no less in the first fold, and the second is not asked
        ([[1.8], [1.9], [1.7], []], TIMES_LESS[0]),  # the time is over
        ([[]], 1),
    ],
)
def test_bends_become_cheaper_as_long_as_less_is_lost(answers, times):
    """Of W2; those of W1 dearer, so that a bend, W2 W1 W1', costs the same."""
    folds, asked = comparison([[3.0, 2.0], [3.0, 2.0], *answers])
    for number in range(2):
        folds.losses(number, STRENGTHS)
    strength, ratio = found = folds.with_cheaper_bends((1.0, 1.0))
    a1, a2 = strength * ratio**0.5, strength / ratio**0.5
    assert (a1, a2) == pytest.approx((times**0.5, 1 / times))
    assert len(asked) == 2 + len(answers)
    first = 2 * TIMES_LESS.index(times) if times > 1 else None
    lost = [2.0, 2.0] if first is None else answers[first : first + 2]
    assert folds.mean_lost(found) == pytest.approx(np.sum(lost) / 8)  # under what was chosen
    for number, (_, params, [penalty]) in enumerate(asked[2:]):
        assert params == number + 1  # where the same fold has come to
        a1, _, a2, _ = penalty.strengths
        assert a1**2 * a2 == pytest.approx(1)
        assert a2 == pytest.approx(1 / TIMES_LESS[number // 2])


@pytest.mark.parametrize(
    ("answers", "chosen"), [([[1.9], [1.8]], 30.0), ([[1.9], [1.9]], 10.0), ([[2.0]], 1.0)]
)
def test_strengths_grow_beyond_as_long_as_less_is_lost(answers, chosen):
    folds, asked = comparison([[3.0, 2.0], *answers])
    folds.losses(0, STRENGTHS)
    assert folds.beyond(1.0, (10.0, 30.0)) == (chosen, 1)
    found = [penalty.strengths for _, _, [penalty] in asked[1:]]
    expected = [[10, 0, 10, 0], [30, 0, 30, 0]]
    np.testing.assert_allclose(found, expected[: len(found)])
    lost, network = folds.told[0][chosen, 1.0]
    assert (
        folds.mean_lost((chosen, 1.0)) == lost / 4 == {1.0: 2.0, 10.0: 1.9, 30.0: 1.8}[chosen] / 4
    )
    assert network == {1.0: 1, 10.0: 2, 30.0: 3}[chosen]


@pytest.mark.parametrize(
    ("answers", "lost"),
    [
        ([1.0, 2.9], 3.9 / 8),
        ([1.0, 2.97], np.inf),  # no less than by a hundredth
        ([4.1], np.inf),
        ([np.inf], np.inf),  # the time is over
    ],
)
def test_the_evidence_is_asked_as_long_as_it_may_lose_less(answers, lost):
    folds, _ = comparison([[3.0, 2.0], [3.0, 2.0]])
    for number in range(2):
        folds.losses(number, STRENGTHS)
    asked, answers = [], list(answers)

    def loss_by_evidence(out, params):
        asked.append((out, params))
        return answers.pop(0)

    folds.networks.loss_by_evidence = loss_by_evidence
    assert folds.mean_lost_by_evidence((1.0, 1.0)) == pytest.approx(lost)
    for number, (out, params) in enumerate(asked):
        np.testing.assert_array_equal(out, SHARES[:, number])
        assert params == 0  # where networks start
    assert not answers


@pytest.mark.parametrize(
    ("strength", "answers", "chosen"),
    [
        (1.0, [[9.0, 1.8], [9.0, 1.9]], 1.0),
        (1.0, [[9.0, 1.99], [9.0, 1.7]], 1.0),  # both folds together
        (1.0, [[9.0, 1.9], [9.0, 1.93]], None),  # within the margin
        (1.0, [[9.0, 2.0]], None),  # no less in the first fold, and the second is not asked
        (1.0, [[9.0]], None),  # the time is over
        (1.0, [[9.0, 1.8], [9.0]], None),
        (3.0, [[9.0, 1.9, 1.7], [9.0, 1.9, 1.8]], 3.0),
        (3.0, [[9.0, 1.7, 9.0], [9.0, 1.7, 9.0]], 1.0),
        (3.0, [[9.0, 1.7, 1.69], [9.0, 1.7, 1.69]], 1.0),  # no better by a hundredth
        (3.0, [[9.0, 2.1, 2.0]], None),
    ],
)
def test_more_units_are_taken_where_they_lose_less(strength, answers, chosen):
    """Under the penalty that won or unit precision, after learning under a tenth of this."""
    folds, asked = comparison([[3.0, 2.0], [3.0, 2.0], *answers])
    narrow = folds.networks.problem
    folds.networks.problem.of_width = lambda n_hidden: SimpleNamespace(
        **vars(narrow) | {"network": TwoLayerNetwork(2, n_hidden, 1, "logistic")}
    )
    folds = replace(folds, networks=Networks(**vars(folds.networks)))
    for number in range(2):
        folds.losses(number, (0.3, strength))
    found = folds.by_wider(strength, 7, "a wider start")
    assert len(asked) == 2 + len(answers)
    for number, (out, params, penalties) in enumerate(asked[2:]):
        np.testing.assert_array_equal(out, SHARES[:, number])
        assert params == "a wider start"
        expected = (0.1, 1.0) if strength == 1 else (0.1, 1.0, strength)
        for each, penalty in zip(expected, penalties, strict=True):
            np.testing.assert_allclose(penalty.strengths, [each, 0, each, 0])
            assert penalty.groups.size == 7 * (2 + 1 + 1) + 1
    if chosen is None:
        assert found is None
        return
    wider, taken = found
    assert taken == chosen
    lost = [losses[1 if taken == 1 else 2] for losses in answers]
    assert wider.mean_lost((taken, 1.0)) == pytest.approx(sum(lost) / 8)
    assert wider.networks_under((taken, 1.0)) == (3, 4)
    assert wider.networks.problem.network.n_hidden == 7


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
    assert compare.wider_width(problem, settings, changes.get("strength", 1.0)) == n_hidden


@pytest.mark.parametrize(
    ("answers", "chosen"),
    [
        ([[3.0, 2.0]] * 5 + [[1.9]] * 5, 10.0),
        ([[3.0, 2.0]] * 5 + [[2.1]] * 5, 1.0),
        ([[2.0, 3.0]] * 5, 0.3),
    ],
)
def test_only_the_strongest_of_a_grid_leads_beyond_it(answers, chosen):
    folds, asked = comparison(answers)
    n_answers = len(answers)
    grid = Grid((1.0, 0.3), 3, stronger=(10.0,))
    assert folds.best_of(grid) == (chosen, 1)
    assert len(asked) == n_answers


def test_no_strength_is_refused_by_the_luck_of_one_fold():
    folds, _ = comparison([[3.0, 2.0], [3.0, 2.0], [2.1], [1.5]])
    for number in range(2):
        folds.losses(number, STRENGTHS)
    assert folds.beyond(1.0, (10.0,)) == (10, 1)


def test_a_first_fold_of_no_weight_is_not_the_end_of_a_race():
    folds, _ = comparison([[0.0, 0.0], [3.0, 2.0], [0.0], [1.5], [0.0], [1.5]])
    for number in range(2):
        folds.losses(number, STRENGTHS)
    assert folds.with_cheaper_bends((1.0, 1.0))[1] > 1


def test_without_a_whole_fold_there_is_nothing_beyond():
    folds, asked = comparison([[2.0]])
    folds.losses(0, STRENGTHS)
    assert folds.with_cheaper_bends((1.0, 1.0)) == (1, 1)
    assert folds.beyond(1.0, (10.0,)) == (1, 1)
    assert len(asked) == 1


@pytest.mark.parametrize(("loss", "asked"), [(0.4, [100]), (0.6, [100, 300])])
def test_a_network_that_has_not_learned_gets_the_time_that_a_plateau_takes(loss, asked):
    steps = []

    def minimize(before, penalty, *, max_iter, flat=None):
        steps.append(max_iter)
        return Fit(before.params, penalty, loss)

    rows = SimpleNamespace(total_weight=20.0)
    mean_loss = SimpleNamespace(value=lambda params: 1.0, rows=rows)
    settings = SimpleNamespace(max_iter=100)
    training = SimpleNamespace(settings=settings, mean_loss=mean_loss, minimize=minimize)
    fit = left_out._to_learn(training, Fit(), penalty=Penalty.fixed(NETWORK, 1.0))
    assert fit.loss == loss
    assert fit.penalty.strengths[0] == 1 / 20
    assert steps == asked


def test_networks_that_have_learned_go_on_from_there(monkeypatch):
    """Under another ratio; only those of the weakest penalty begin."""
    calls, to_learn = [], left_out._to_learn

    def recorded(name):
        method = getattr(LeftOut, name)

        def record(*arguments):
            calls.append(name)
            return method(*arguments)

        monkeypatch.setattr(LeftOut, name, record)

    def learning(*arguments, penalty):
        calls.append("learns")
        return to_learn(*arguments, penalty=penalty)

    recorded("fits")
    recorded("further")
    monkeypatch.setattr(left_out, "_to_learn", learning)
    X = np.random.RandomState(0).normal(size=(120, 3))
    TwoLayerClassifier(5, random_state=0).fit(X, (X**2).sum(axis=1) > 2)
    assert calls.count("learns") == calls.count("fits") == 5
    assert calls.count("further") > 0


def posed():
    """The problem of a regression of twenty rows."""
    random = np.random.RandomState(0)
    X, y = random.normal(size=(20, 3)), random.normal(size=(20, 1))
    table, targets = Table(X, y, None, encoded=y), RealTargets(1, False, "identity")
    network = TwoLayerNetwork(3, 4, 1, "logistic")
    return Problem(targets, Standardization.none(3, 1), table, network=network)


def settings_of(alpha):
    regressor = TwoLayerRegressor(4, alpha=alpha, solver="lm", max_iter=5, n_members=1)
    return checked(regressor.get_params(), "TwoLayerRegressor")


def test_a_fit_under_the_chosen_penalty_learns_under_a_tenth_of_it_first(monkeypatch):
    """But not where it goes on from weights that have learnt."""
    monkeypatch.setattr(Grid, "choose", lambda grid, losses, n_dealt, bits: 3.0)
    monkeypatch.setattr(Comparison, "with_cheaper_bends", lambda comparison, pair: (3.0, 10.0))
    problem, settings = posed(), settings_of("auto")
    options = {"deadline": Deadline()}
    _, found = compare.with_best_penalty(problem, settings, np.random.RandomState(0), **options)
    assert (found.alpha, found.learning_alpha) == pytest.approx((3 / 20, 0.3 / 20))
    assert found.ratio == 10
    start = SimpleNamespace(params=lambda network, scale: np.zeros(network.n_params))
    _, found = compare.with_best_penalty(problem, settings, None, start=start, **options)
    assert found.alpha == pytest.approx(3 / 20)
    assert found.learning_alpha is None


def test_a_fit_with_more_units_is_under_the_penalty_of_these(monkeypatch):
    def best_of(folds, grid):
        folds.losses(0, (0.3, 3.0))
        return 3.0, 1.0

    monkeypatch.setattr(compare, "wider_width", lambda *of: 9)
    monkeypatch.setattr(Comparison, "best_of", best_of)
    monkeypatch.setattr(Comparison, "by_wider", lambda folds, *of: (folds, 0.3))
    monkeypatch.setattr(Comparison, "with_cheaper_bends", lambda comparison, pair: pair)
    monkeypatch.setattr(Comparison, "mean_lost_by_evidence", lambda comparison, pair: np.inf)
    settings, random_state = settings_of("auto"), np.random.RandomState(0)
    options = {"deadline": Deadline()}
    problem, found = compare.with_best_penalty(posed(), settings, random_state, **options)
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
    _, found = compare.with_best_penalty(problem, settings, np.random.RandomState(0), **options)
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
    _, found = compare.with_best_penalty(problem, settings, np.random.RandomState(3), **options)
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
    part = compare.part_to_compare(problem, settings_of("auto"))
    counts = np.bincount(part.table.encoded)
    assert counts.sum() == 40
    assert counts[2] == 2


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_more_folds_are_asked_where_one_has_few_of_a_class(class_weight, capsys):
    """By the rows that there are, weights counted: what a class weighs tells nothing."""
    X, rare = np.random.RandomState(0).normal(size=(600, 2)), np.repeat([0, 1], [540, 60])
    twice, even = np.repeat([2.0, 1.0], [300, 300]), np.arange(600) % 2
    options = {"class_weight": class_weight, "max_iter": 2, "random_state": 0, "verbose": 1}
    for y, weight, asked in ((rare, None, 2), (rare, twice, 3), (even, None, 1)):
        TwoLayerClassifier(2, **options).fit(X, y, weight)
        assert f"fold 1 of {asked}" in capsys.readouterr().out
    TwoLayerClassifier(2, **options).fit(X, np.zeros(600, int))
    assert "fold" not in capsys.readouterr().out  # of a class without others nothing is told


@pytest.mark.parametrize("max_iter", [1, 1000])
def test_epochs_of_adam_are_no_iterations_of_a_comparison(max_iter):
    settings = replace(settings_of("auto"), solver="adam", max_iter=max_iter)
    asked = Comparison.of(posed(), settings, None, Deadline()).networks.settings
    assert (asked.solver, asked.max_iter) == ("lbfgs", LEARNING_STEPS)


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
    _, found = compare.with_best_penalty(posed(), settings, np.random.RandomState(0), **options)
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

    def predicts_better(problem, settings, random_state, *, lost, deadline, start):
        seen.append((problem.network.n_hidden, settings, lost))
        return is_better

    monkeypatch.setattr(compare, "predicts_better", predicts_better)
    options = {"deadline": Deadline()}
    found = compare.with_best_penalty(problem, settings, np.random.RandomState(0), **options)
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
    monkeypatch.setattr(compare, "predicts_better", lambda *of, **options: pytest.fail())
    options = {"deadline": Deadline()}
    problem = posed()
    found = compare.with_best_penalty(problem, settings, np.random.RandomState(0), **options)
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

    def training_of(problem, settings, random_state, stack, *, watch, start):
        states.append(random_state.uniform())
        fit = Fit(left_out_share=shares[len(states) - 1])
        return SimpleNamespace(run=lambda start: fit)

    monkeypatch.setattr(compare, "training_of", training_of)
    settings = replace(settings_of("auto"), n_members=3)
    options = {"lost": 0.5, "deadline": Deadline(), "start": None}
    found = compare.predicts_better(posed(), settings, np.random.RandomState(3), **options)
    assert (found, len(states)) == (is_better, n_asked)
    expected = [state.uniform() for state in member_states(np.random.RandomState(3), 3)]
    assert states == expected[:n_asked]


def test_a_rival_that_is_late_is_not_better():
    options = {"lost": np.inf, "start": None}
    problem, settings = posed(), replace(settings_of("auto"), solver="lm", n_members=1)
    for deadline, expected in ((Deadline(0.0), False), (Deadline(), True)):
        state = np.random.RandomState(0)
        assert (
            compare.predicts_better(problem, settings, state, deadline=deadline, **options)
            == expected
        )


@pytest.mark.parametrize("lost", [0.4, np.inf])
def test_the_evidence_is_taken_where_it_loses_less(lost, monkeypatch):
    """What left-out rows lose goes with the penalty: error bars ask for it."""
    monkeypatch.setattr(Comparison, "mean_lost", lambda comparison, pair: 0.5)
    monkeypatch.setattr(Comparison, "mean_lost_by_evidence", lambda comparison, pair: lost)
    problem, settings = posed(), settings_of("auto")
    options = {"deadline": Deadline()}
    _, found = compare.with_best_penalty(problem, settings, np.random.RandomState(0), **options)
    assert (found.alpha == "evidence") == (lost < np.inf)
    assert found.left_out_share == pytest.approx(min(lost, 0.5) / problem.table.encoded.var())
    assert found.learning_alpha is None or lost == np.inf


def test_networks_by_the_evidence_predict_rows_that_they_have_not_seen():
    """Of a line and little noise less is lost than the half of what a constant loses."""
    problem, settings = posed(), settings_of("auto")
    y = problem.table.X[:, :1] + 0.1 * problem.table.encoded
    problem = replace(problem, table=replace(problem.table, y=y, encoded=y))
    networks = LeftOut(problem, settings, Deadline())
    params = problem.draw_start(np.random.RandomState(0), settings)
    out = SHARES[:, 0]
    lost = networks.loss_by_evidence(out, params)
    assert 0 < lost < (y[:, 0] ** 2 @ out) / 2
    assert networks.loss_by_evidence(0 * out, params) == 0
    late = replace(networks, deadline=Deadline(0.0))
    assert late.loss_by_evidence(out, params) == np.inf
