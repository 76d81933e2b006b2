"""Penalties of inputs: what left-out rows tell of them."""

from types import SimpleNamespace

import numpy as np
import pytest
from small_regression import settings_of

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._fit import inputs
from sklearn_twolayer._fit.auto import Size
from sklearn_twolayer._fit.choice import Compared
from sklearn_twolayer._fit.compare import Comparison
from sklearn_twolayer._fit.inputs import times_of_inputs, with_penalties_of_inputs
from sklearn_twolayer._network.backprop import TwoLayerNetwork

NETWORK = TwoLayerNetwork(2, 3, 1, "logistic")


def shrunk(W1):
    """Weights (p,) of a network whose second input has a fifth of these (2, h)."""
    b1, W2, b2 = np.zeros(3), np.ones((3, 1)), np.zeros(1)
    return NETWORK.pack((W1 * [[1.0], [0.2]], W2), (b1, b2), float)


def of_two_inputs(answers, *, weaker=2.0, bits=1.0, network=NETWORK):
    """What two folds of twenty rows found, and what is asked of them.

    Their networks lose 2 under unit precision, and ``weaker`` under less. Those that go on lose
    what the ``answers`` tell, and their second input shrinks.
    """
    asked = []

    def further(out, params, penalty):
        asked.append(penalty.strengths)
        return [(lost, shrunk(NETWORK.unpack(params)[0])) for lost in answers.pop(0)]

    problem = SimpleNamespace(
        table=SimpleNamespace(weight=None),
        size=Size(20, 2, 1, is_regression=False),
        network=network,
        in_columns=None,
    )
    networks = SimpleNamespace(problem=problem, further=further)
    start = shrunk(np.ones((2, 3)))
    told = [
        {(0.3, 1.0): (weaker, start), (1.0, 1.0): (2.0, start), (3.0, 1.0): (2.0, start)}
        for _ in range(2)
    ]
    shares = np.tile(np.eye(5), (4, 1))
    comparison = Comparison(networks, start, shares, 20, bits, told)
    return Compared(problem, settings_of("auto"), comparison, (1.0, 1.0)), asked


@pytest.mark.parametrize(
    ("answers", "n_rounds"),
    [
        ([[1.8], [1.8], [1.7], [1.9]], 1),  # the second round gains nothing, the first a tenth
        ([[1.9], [1.99], [1.5], [1.5], [1.5], [1.5]], 2),
        ([[1.95], [1.94], [1.94], [1.93]], 0),  # less than a twentieth in all
        ([[2.0]], 0),  # no less in the first fold, and the second is not asked
        ([[1.8], []], 0),  # the time is over
    ],
)
def test_inputs_have_penalties_of_their_own_where_left_out_rows_say_so(answers, n_rounds):
    n_answers = len(answers)
    found, asked = of_two_inputs(answers)
    told = found.comparison.told
    after = with_penalties_of_inputs(found, strength=0.3)  # than which no weaker one is told
    assert len(asked) == n_answers
    assert after.pair == (1.0, 1.0)
    if n_rounds == 0:
        assert after is found
        assert told[0][1.0, 1.0][0] == 2.0
        return
    ratio = 5.0 ** (2 * n_rounds)
    expected = (1 + 1 / ratio) / 2, (1 + ratio) / 2
    halves = np.round(2 * np.log10(expected)) / 2  # a tenth of a decade more would not be told
    assert after.settings.of_inputs == pytest.approx(10**halves)
    np.testing.assert_allclose(asked[0], [13 / 25, 13, 0, 1, 0])
    np.testing.assert_allclose(asked[2 * n_rounds - 1], [*expected, 0, 1, 0])
    assert told[0][1.0, 1.0][0] < 2.0  # what the network loses that has them


@pytest.mark.parametrize(
    ("strength", "answers", "taken"),
    [
        (1.0, [[1.8], [1.8], [1.8], [1.8], [1.5], [1.5], [1.5], [1.5]], 0.3),
        (1.0, [[1.8], [1.8], [1.8], [1.8], [1.79], [1.79], [1.79], [1.79]], 1.0),  # the margin
        (1.0, [[1.95], [1.95], [1.95], [1.95]], None),  # too little is gained to ask for more
        (3.0, [[2.0], [1.5], [1.5], [1.5], [1.5]], 1.0),  # all were held back
        (3.0, [[2.0], [1.95], [1.95], [1.95], [1.95]], None),
        (0.3, [[1.8], [1.8], [1.8], [1.8]], 0.3),
    ],
)
def test_they_are_asked_under_a_weaker_penalty_where_they_matter(strength, answers, taken):
    """Of unit precision at most."""
    n_answers = len(answers)
    found, asked = of_two_inputs(answers)
    found = Compared(found.problem, found.settings, found.comparison, (strength, 1.0))
    after = with_penalties_of_inputs(found, strength)
    assert len(asked) == n_answers
    assert after.pair == ((taken or strength), 1.0)
    assert len(after.settings.of_inputs) == (0 if taken is None else 2)


def test_a_weaker_penalty_without_a_gain_by_inputs_is_not_taken():
    """Though it loses less than what was found: that is no question of inputs."""
    found, asked = of_two_inputs([[1.8], [1.8], [3.0], [3.0], [3.0]], weaker=1.5)
    after = with_penalties_of_inputs(found, strength=1.0)
    assert after.pair == (1.0, 1.0)
    assert len(after.settings.of_inputs) == 2
    assert len(asked) == 5


def test_a_weaker_penalty_that_loses_half_as_much_more_is_hopeless():
    found, asked = of_two_inputs([[1.8]] * 4, weaker=3.0)
    after = with_penalties_of_inputs(found, strength=1.0)
    assert after.pair == (1.0, 1.0)
    assert len(asked) == 4


@pytest.mark.parametrize(
    "changes", [{"network": TwoLayerNetwork(1, 3, 1, "logistic")}, {"bits": 0.9}, {"told": []}]
)
def test_one_input_and_few_told_rows_have_no_penalties_of_inputs(changes):
    """Of twenty rows with nine tenths of a bit there is told what eighteen would."""
    told = changes.pop("told", None)
    found, asked = of_two_inputs([], **changes)
    if told == []:
        found.comparison.told.clear()
    assert with_penalties_of_inputs(found, strength=1.0) is found
    assert not asked


def test_an_input_is_penalised_by_what_it_takes_of_the_penalty():
    W1 = np.array([[1.0, -1.0], [0.1, 0.1], [1e-4, 0.0], [0.0, 0.0]])
    squares = np.array([1, 0.01, 5e-9])
    times = times_of_inputs(W1)  # constant inputs have no part in the mean
    np.testing.assert_allclose(times, [squares.mean(), 100 * squares.mean(), 1000, 1000])
    np.testing.assert_array_equal(times_of_inputs(0 * W1), 1)


def of_three_columns(n_columns, Estimator):
    random = np.random.default_rng(0)
    rows = random.normal(size=(700, n_columns))
    y = 3 * (rows[:, 0] + rows[:, 1] - rows[:, 2]) + random.logistic(size=700)
    y = y > 0 if Estimator is TwoLayerClassifier else y
    model = Estimator(5, solver="lbfgs", random_state=0)
    return model, rows[:200], y[:200], rows[200:], y[200:]


@pytest.mark.parametrize("Estimator", [TwoLayerClassifier, TwoLayerRegressor])
@pytest.mark.parametrize("n_columns", [100, 450])
def test_the_columns_of_wide_tables_have_them_too(n_columns, Estimator):
    """Which learn in coordinates of the span of their rows: without them .62, R^2 .38."""
    model, X, y, new, y_new = of_three_columns(n_columns, Estimator)
    model.fit(X, y)
    assert model.penalty_.shape == (n_columns + 3,)
    assert model.penalty_[:3].max() < np.median(model.penalty_[:n_columns]) / 10
    assert model.score(new, y_new) > 0.7


def test_too_wide_a_table_stays_in_coordinates(monkeypatch):
    monkeypatch.setattr(inputs, "MAX_COST_OF_COLUMNS", 200 * 450 * 5 - 1)
    model, X, y, _, _ = of_three_columns(450, TwoLayerClassifier)
    assert model.fit(X, y).penalty_.shape == (4,)


def test_constant_columns_change_nothing():
    model, X, y, new, y_new = of_three_columns(20, TwoLayerClassifier)
    lost = [
        model.fit(np.hstack([X, np.ones((200, n))]), y).score(
            np.hstack([new, np.ones((500, n))]), y_new
        )
        for n in (0, 100)
    ]
    assert lost[0] == pytest.approx(lost[1], abs=0.03)
    assert model.penalty_.shape == (123,)


def test_verbose_tells_the_penalties_of_inputs(capsys):
    model, X, y, _, _ = of_three_columns(20, TwoLayerClassifier)
    model.set_params(verbose=1).fit(X, y)
    text = capsys.readouterr().out
    assert "Comparing penalties: of each input its own" in text
    assert ", of inputs " in text
