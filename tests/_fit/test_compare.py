"""What left-out rows tell of penalties, and of the ratio of those of both layers."""

from dataclasses import make_dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import log_loss
from small_regression import posed, settings_of

from sklearn_twolayer import TwoLayerClassifier
from sklearn_twolayer._bayes.cross_validate import Grid
from sklearn_twolayer._fit import left_out
from sklearn_twolayer._fit.auto import Size
from sklearn_twolayer._fit.compare import TIMES_LESS, TIMES_MORE, Comparison
from sklearn_twolayer._fit.left_out import LeftOut
from sklearn_twolayer._fit.monitor import Deadline
from sklearn_twolayer._fit.parameters import checked
from sklearn_twolayer._fit.training import LEARNING_STEPS, Fit, Training
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.objective import Penalty
from sklearn_twolayer._optimize.full_batch import Flat

Networks = make_dataclass("Networks", ["fits", "settings", "problem", "further", "to_the_end"])
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
    problem = SimpleNamespace(table=table, size=size, network=NETWORK, in_columns=None)
    networks = SimpleNamespace(fits=fits, settings=settings, problem=problem)
    networks.further = lambda out, params, penalty: fits(out, params, [penalty])
    networks.to_the_end = lambda out, params, penalty: []  # no time is left for it
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
    ("answers", "first"),
    [
        ([[2.0], [1.8], [1.7]], 1.0),
        ([[1.99], [1.8], [1.7]], 1.0),  # no better by a hundredth from where it is
        ([[1.95], [1.94], [2.1], [1.7]], 1.0),  # by less than a twentieth
        ([[2.0], [2.1], [1.95]], None),  # than the next stronger, but not than the chosen one
        ([[2.0], [2.2]], None),
        ([[1.8], [1.7]], 0.3),  # where bends pay from there the next stronger is not asked
    ],
)
def test_where_bends_gain_nothing_the_next_stronger_penalty_is_asked(answers, first):
    folds, asked = comparison([[2.0, 2.15, 2.2], *answers])
    folds.losses(0, (0.3, 1.0, 3.0))
    strength, ratio = folds.with_cheaper_bends((0.3, 1.0))
    assert len(asked) == 1 + len(answers)
    if first is None:
        assert (strength, ratio) == (0.3, 1)
    else:
        assert strength**3 * ratio**0.5 == pytest.approx(first**3)  # a1^2 a2 stays
        assert ratio == TIMES_LESS[1] ** 1.5


def test_a_stronger_penalty_that_not_all_folds_have_told_is_not_the_next():
    folds, _ = comparison([[2.0, 2.1, 2.2], [2.0, 2.2]])
    folds.losses(0, (0.3, 1.0, 3.0))
    assert folds._next_stronger((0.3, 1.0)) == [(1.0, 1.0)]
    folds.losses(1, (0.3, 3.0))
    for fold in folds.told:
        fold[0.5, 10.0] = 1.0, 0  # of another ratio
    assert folds._next_stronger((0.3, 1.0)) == [(3.0, 1.0)]
    assert folds._next_stronger((3.0, 1.0)) == []


@pytest.mark.parametrize(
    ("at_end", "answers", "more"),
    [
        ([1.5, 1.9], [[1.6], [1.6], [1.5], [1.5]], TIMES_MORE[1]),
        ([1.5, 1.9], [[1.6], [1.6], [1.7], [1.7]], TIMES_MORE[0]),
        ([1.5, 1.9], [[1.9], [1.2], [1.7], [1.7]], TIMES_MORE[0]),  # no race: both folds decide
        ([1.5, 1.9], [[1.67], [1.67], [1.66], [1.66]], 1),  # by less than a twentieth
        ([1.5, 1.9], [[1.7], [1.7]], 1),
        ([1.5], [], 1),  # the time is over
    ],
)
def test_networks_of_cheap_bends_go_on_and_then_under_stronger_penalties(at_end, answers, more):
    """What the fit comes to is nearer to where they end than to where they are compared."""
    folds, asked = comparison([[3.0, 2.0], [3.0, 2.0], [1.4], [1.4], [1.3], [1.3], *answers])
    gone_on, ends = [], [*at_end]

    def to_the_end(out, params, penalty):
        gone_on.append((params, penalty.strengths))
        return [(ends.pop(0), "the end")] if ends else []

    folds.networks.to_the_end = to_the_end
    for number in range(2):
        folds.losses(number, STRENGTHS)
    strength, ratio = folds.with_cheaper_bends((1.0, 1.0))
    bent = TIMES_LESS[1] ** -0.25
    assert (strength, ratio) == pytest.approx((bent * more, TIMES_LESS[1] ** 1.5))
    penalty = Penalty.fixed(NETWORK, bent, ratio)
    for number, (params, strengths) in enumerate(gone_on):
        assert params == 5 + number  # where they have been compared
        np.testing.assert_allclose(strengths, penalty.strengths)
    assert [params for _, params, _ in asked[6:8]] == ["the end"] * len(answers[:2])
    assert len(asked) == 6 + len(answers)
    if more == 1 and answers:
        assert folds.mean_lost((strength, ratio)) == pytest.approx(sum(at_end) / 8)


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


def test_networks_go_on_to_the_end_for_longer_than_they_are_compared(monkeypatch):
    problem, settings = posed(), replace(settings_of("auto"), solver="lbfgs")
    networks, asked = LeftOut(problem, settings, Deadline()), []
    minimize = Training.minimize

    def recorded(training, before, penalty, *, max_iter, **options):
        asked.append((max_iter, options["flat"]))
        return minimize(training, before, penalty, max_iter=max_iter, **options)

    monkeypatch.setattr(Training, "minimize", recorded)
    params = problem.draw_start(np.random.RandomState(0), settings)
    penalty = Penalty.fixed(problem.network, 1.0)
    [(further, _)] = networks.further(SHARES[:, 0], params, penalty)
    [(lost, _)] = networks.to_the_end(SHARES[:, 0], params, penalty)
    assert lost != further
    assert [max_iter for max_iter, _ in asked] == [settings.max_iter, 3 * settings.max_iter]
    assert asked[1][1] == Flat.once_learned(settings.tol)


def test_boundaries_that_curve_all_around_do_not_overfit():
    """Networks that stop early chose a penalty under which the fit lost twice as much."""
    random = np.random.default_rng(2)
    X = random.normal(size=(3000, 5))
    radius = np.linalg.norm(X, axis=1)
    noisy = radius * np.exp(0.05 * random.normal(size=3000))
    y = np.searchsorted(np.quantile(radius, [0.25, 0.5, 0.75]), noisy)
    lost = []
    for seed in (1, 2, 4):
        model = TwoLayerClassifier(random_state=seed).fit(X[:1000], y[:1000])
        lost.append(log_loss(y[1000:], model.predict_proba(X[1000:])))
    assert np.mean(lost) < 0.5
