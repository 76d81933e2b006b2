"""Neighbouring rows tell the noise of one column, and do not take a curve for noise."""

import numpy as np
import pytest
from gradient_check import random_problem

from sklearn_twolayer import TwoLayerRegressor
from sklearn_twolayer._bayes.curve import noise_of_one_column
from sklearn_twolayer._data.rows import Rows
from sklearn_twolayer._network.losses import SquaredError

CURVES = {
    "four periods": lambda x: np.sin(8 * np.pi * x**2),
    "six periods": lambda x: np.sin(12 * np.pi * x**2),
    "bumps": lambda x: sum(np.exp(-(((x - c) / 0.02) ** 2) / 2) for c in (0.15, 0.4, 0.6, 0.85)),
    "decay": lambda x: np.exp(-4 * x) * np.cos(40 * x),
}


def noise_of(x, y, weight=None, *, block_size=1024):
    """The noise that is told of y (n,) or (n, k), by rows of the column x (n,)."""
    y = y.reshape(len(y), -1)
    problem = random_problem(SquaredError, y.shape[1], n_features=1)
    options = {"standardization": None, "dtype": np.float64, "block_size": block_size}
    with Rows(x[:, None], y, weight, **options) as rows:
        problem.weight = weight
        return noise_of_one_column(problem.mean_loss(rows))


def drawn(n_rows, seed=0):
    """Settings at random, in no order, and noise of variance 1."""
    rng = np.random.default_rng(seed)
    return rng.uniform(size=n_rows), rng.normal(size=n_rows)


@pytest.mark.parametrize("block_size", [4096, 128])
def test_neighbours_tell_the_noise_of_a_curve(block_size):
    """By the squares' mean or median, of which the lesser is asked, whatever the blocks."""
    x, noise = drawn(4000)
    for curve in (100 * x, np.sin(8 * x), 0 * x):
        assert noise_of(x, curve + noise, block_size=block_size) == pytest.approx(1, abs=0.1)


def test_rows_far_out_are_no_noise():
    """They are few, and a curve may be as good as without them."""
    x, noise = drawn(2000)
    noise[::50] += 20
    assert noise_of(x, noise) < 1.3 < np.var(noise) / 5


@pytest.mark.parametrize("is_even", [True, False])
@pytest.mark.parametrize("n_rows", [60, 100, 200])
@pytest.mark.parametrize("name", CURVES)
def test_a_curve_is_no_noise(name, n_rows, is_even):
    """The differences of neighbours alone would be up to most of it."""
    x, noise = drawn(n_rows, seed=n_rows)
    x = np.linspace(0, 1, n_rows) if is_even else x
    y = CURVES[name](x) + 0.05 * noise
    assert noise_of(x, y) < 0.35 * np.var(y)


def test_bends_everywhere_are_no_more_noise_than_their_squares():
    """Which are all alike where y goes up and down: the median of normal numbers is less."""
    y = np.arange(100) % 2 * 2.0 - 1
    assert noise_of(np.arange(100.0), y) == pytest.approx(4 / 1.5)


def test_rows_of_one_setting_tell_the_noise_between_which_the_curve_bends():
    """Of settings that are too few for a wave, those between them would take it for noise."""
    x, noise = drawn(600)
    setting = np.repeat(x[:300], 2)
    y = 3 * np.sin(5000 * setting) + noise
    assert noise_of(setting, y) == pytest.approx(1, abs=0.15)
    first = np.arange(600) % 2 == 0
    assert noise_of(setting[first], y[first]) > 3
    some = first | (np.arange(600) < 300)  # half of the settings with two rows
    assert noise_of(setting[some], y[some]) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("n_settings", [1, 2])
def test_of_two_settings_the_noise_within_them_is_left(n_settings):
    """A curve through both means is had, so all else is noise."""
    noise = drawn(4000)[1]
    setting = np.arange(4000) % n_settings * 1.0
    assert noise_of(setting, 9 * setting + noise) == pytest.approx(1, abs=0.1)
    assert noise_of(np.arange(2.0), np.arange(2.0)) == 0


@pytest.mark.parametrize("decimals", [1, 9])
def test_weights_equal_repeats(decimals):
    x, noise = drawn(50)
    x = x.round(decimals)
    times = np.random.default_rng(1).integers(1, 4, size=50)
    by_weights = noise_of(x, noise, times.astype(float))
    assert by_weights == pytest.approx(noise_of(x.repeat(times), noise.repeat(times)), rel=1e-12)
    assert by_weights != pytest.approx(noise_of(x, noise), rel=1e-3)


def test_of_several_targets_it_is_the_mean():
    x, noise = drawn(100)
    both = np.column_stack([noise, 3 * drawn(100, seed=1)[1]])
    alone = [noise_of(x, y) for y in both.T]
    assert noise_of(x, both) == pytest.approx(np.mean(alone), rel=1e-12)


@pytest.mark.parametrize(("name", "is_asked"), [("six periods", True), (None, False)])
def test_a_curve_is_asked_where_it_may_be_found(name, is_asked, capsys):
    x, noise = drawn(200)
    y = CURVES[name](x) + 0.05 * noise if name else noise
    TwoLayerRegressor(10, n_members=1, random_state=0, verbose=1).fit(x[:, None], y)
    assert ("Learning a curve" in capsys.readouterr().out) == is_asked
