"""What is asked of the rows before a fit: the noise of each target, and the penalty."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_twolayer import TwoLayerRegressor
from sklearn_twolayer._bayes.cross_validate import FEW_NUMBERS_GRID
from sklearn_twolayer._data.table import Table
from sklearn_twolayer._data.targets import RealTargets
from sklearn_twolayer._fit import choose
from sklearn_twolayer._fit.compare import LeftOut
from sklearn_twolayer._fit.monitor import Deadline
from sklearn_twolayer._fit.parameters import checked
from sklearn_twolayer._fit.run import Problem
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.scale import Standardization


def settings_of(alpha):
    parameters = TwoLayerRegressor(4, alpha=alpha, solver="lm", max_iter=5, n_members=1)
    return checked(parameters.get_params(), "TwoLayerRegressor")


def posed(n_outputs, n_rows=20, constant=()):
    random = np.random.RandomState(0)
    X, y = random.normal(size=(n_rows, 3)), random.normal(size=(n_rows, n_outputs))
    y[:, list(constant)] = 7.0
    table, targets = Table(X, y, None, encoded=y), RealTargets(n_outputs, False, "identity")
    network = TwoLayerNetwork(3, 4, n_outputs, "logistic")
    return Problem(targets, Standardization.none(3, n_outputs), table, network=network)


def weighed(deviations, monkeypatch, alpha="evidence", constant=()):
    """The scales of targets after pilots that find these deviations, and how many there were."""
    pilots = []

    def fit_member(problem, settings, random_state, *, watch, start):
        pilots.append(settings.alpha)
        precision = (problem.scale.y_scale / deviations) ** 2  # as measured by that scale
        return SimpleNamespace(posterior=SimpleNamespace(noise_precision=precision))

    monkeypatch.setattr(choose, "fit_member", fit_member)
    options = {"deadline": Deadline()}
    problem, _ = choose.weigh_targets(
        posed(len(deviations), constant=constant),
        settings_of(alpha),
        np.random.RandomState(0),
        **options,
    )
    return problem.scale.y_scale, pilots


def test_targets_are_measured_in_units_of_their_noise(monkeypatch):
    """Whose geometric mean is one, so that F is about as large as before."""
    scale, pilots = weighed([1.0, 4.0], monkeypatch, alpha="ard")
    np.testing.assert_allclose(scale, [0.5, 2.0])
    assert pilots == ["evidence"] * choose.MOST_PILOTS


def test_targets_of_about_the_same_noise_need_no_second_pilot(monkeypatch):
    scale, pilots = weighed([1.0, 1.21], monkeypatch)
    np.testing.assert_allclose(scale, [1 / 1.1, 1.1])
    assert len(pilots) == 1


def test_a_constant_target_is_not_weighed_and_the_others_are_as_without_it(monkeypatch):
    """Its noise is in no unit: in that of the pilot before it would compound."""
    scale, pilots = weighed([1.0, 0.05, 4.0], monkeypatch, constant=[1])
    np.testing.assert_allclose(scale, [0.5, 1.0, 2.0])
    assert len(pilots) == choose.MOST_PILOTS


def test_a_pilot_is_believed_no_noise_of_less_than_a_hundredth_of_the_largest(monkeypatch):
    """A target that it fits by heart, or drowns, would leave the others to rounding."""
    monkeypatch.setattr(choose, "MOST_PILOTS", 1)
    scale, _ = weighed([1.0, 1e-5], monkeypatch)
    np.testing.assert_allclose(scale, [10.0, 0.1])


@pytest.mark.parametrize("constant", [[0], [0, 1]])
def test_one_target_that_varies_has_nothing_to_be_weighed_against(constant, monkeypatch):
    scale, pilots = weighed([1.0, 4.0], monkeypatch, constant=constant)
    assert not pilots
    assert (scale == 1).all()


@pytest.mark.parametrize(("deviations", "alpha"), [([3.0], "evidence"), ([1.0, 4.0], 0.1)])
def test_nothing_is_weighed_where_nothing_is_to_be_chosen(deviations, alpha, monkeypatch):
    scale, pilots = weighed(deviations, monkeypatch, alpha)
    assert not pilots
    assert (scale == 1).all()


def test_a_fit_under_the_chosen_penalty_learns_under_a_tenth_of_it_first(monkeypatch):
    """But not where it goes on from weights that have learnt."""
    grid = SimpleNamespace(choose=lambda losses, n_dealt: 3.0, strengths=(1.0,))
    monkeypatch.setattr(choose, "grid_of", lambda size: grid)
    monkeypatch.setattr(choose.Comparison, "ratio", lambda comparison, strength: 10.0)
    problem, settings = posed(1), settings_of("auto")
    options = {"deadline": Deadline()}
    found = choose.choose_alpha(problem, settings, np.random.RandomState(0), **options)
    assert (found.alpha, found.learning_alpha) == pytest.approx((3 / 20, 0.3 / 20))
    assert found.ratio == 10
    start = SimpleNamespace(params=lambda network, scale: np.zeros(network.n_params))
    found = choose.choose_alpha(problem, settings, None, start=start, **options)
    assert found.alpha == pytest.approx(3 / 20)
    assert found.learning_alpha is None


@pytest.mark.parametrize(("loss", "is_low"), [(0.001, True), (10.0, False)])
def test_a_fold_that_was_cut_short_does_not_tell_the_noise(loss, is_low, monkeypatch):
    """What whole folds lose under the chosen penalty does: here the strongest, so the first."""
    n_told = [len(FEW_NUMBERS_GRID.strengths), 1]

    def fits(networks, rows, params, candidates, flat):
        if len(candidates) == 1:  # of another ratio
            return []
        return [(loss * 0.5**number, params) for number in range(n_told.pop(0))]

    monkeypatch.setattr(LeftOut, "fits", fits)
    quiet = settings_of("evidence")
    settings = replace(settings_of("auto"), at_low_noise=quiet)
    options = {"deadline": Deadline()}
    found = choose.choose_alpha(posed(1), settings, np.random.RandomState(0), **options)
    assert not n_told
    if is_low:
        assert found is quiet
    else:
        assert found.alpha == pytest.approx(FEW_NUMBERS_GRID.strengths[-1] / 20)
