"""The pilot fits that find the noise of each of several targets."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from small_regression import posed, settings_of

from sklearn_twolayer import TwoLayerRegressor
from sklearn_twolayer._fit import choice
from sklearn_twolayer._fit.monitor import Deadline


def weighed(deviations, monkeypatch, alpha="evidence", constant=()):
    """The scales of targets after pilots that find these deviations, and how many there were."""
    pilots = []

    def fit_member(problem, settings, random_state, *, watch):
        pilots.append(settings.alpha)
        assert (settings.n_starts, settings.left_out_share) == (1, None)
        precision = (problem.scale.y_scale / deviations) ** 2  # as measured by that scale
        return SimpleNamespace(posterior=SimpleNamespace(noise_precision=precision))

    monkeypatch.setattr(choice, "fit_member", fit_member)
    problem = choice.weigh_targets(
        posed(len(deviations), constant=constant),
        replace(settings_of(alpha), n_starts=3, left_out_share=0.5),
        np.random.RandomState(0),
        Deadline(),
    )
    return problem.scale.y_scale, pilots


def test_targets_are_measured_in_units_of_their_noise(monkeypatch):
    """Whose geometric mean is one, so that F is about as large as before."""
    scale, pilots = weighed([1.0, 4.0], monkeypatch, alpha="ard")
    np.testing.assert_allclose(scale, [0.5, 2.0])
    assert pilots == ["evidence"] * choice.MOST_PILOTS


def test_targets_of_about_the_same_noise_need_no_second_pilot(monkeypatch):
    scale, pilots = weighed([1.0, 1.21], monkeypatch)
    np.testing.assert_allclose(scale, [1 / 1.1, 1.1])
    assert len(pilots) == 1


def test_a_constant_target_is_not_weighed_and_the_others_are_as_without_it(monkeypatch):
    """Its noise is in no unit: in that of the pilot before it would compound."""
    scale, pilots = weighed([1.0, 0.05, 4.0], monkeypatch, constant=[1])
    np.testing.assert_allclose(scale, [0.5, 1.0, 2.0])
    assert len(pilots) == choice.MOST_PILOTS


def test_pilots_are_believed_no_noise_of_less_than_a_share_of_the_largest(monkeypatch):
    """All of them together: beside a target that counts too much the others stay unlearned."""
    scale, pilots = weighed([1.0, 1e-5], monkeypatch)
    np.testing.assert_allclose(scale, [choice.LEAST_NOISE**-0.5, choice.LEAST_NOISE**0.5])
    assert len(pilots) == choice.MOST_PILOTS


@pytest.mark.slow
def test_a_target_without_noise_leaves_the_others_to_be_learned():
    for seed in (1, 3, 4):
        random = np.random.RandomState(seed)
        X = random.uniform(-1, 1, size=(1100, 5))
        signal = np.c_[X[:, 0], np.sin(6 * X[:, 1]) * X[:, 2]]
        y = signal + [0, 0.05] * random.normal(size=(1100, 2))
        model = TwoLayerRegressor(random_state=seed).fit(X[:600], y[:600])
        error = np.abs(model.predict(X[600:]) - signal[600:]).mean(axis=0)
        assert (error < [0.003, 0.05]).all()


@pytest.mark.parametrize("constant", [[0], [0, 1]])
def test_one_target_that_varies_has_nothing_to_be_weighed_against(constant, monkeypatch):
    scale, pilots = weighed([1.0, 4.0], monkeypatch, constant=constant)
    assert not pilots
    assert (scale == 1).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("n_outputs", "alpha", "is_asked"),
    [(1, "evidence", False), (2, 0.1, False), (2, "evidence", True)],
)
def test_pilots_are_asked_where_the_evidence_weighs_several_targets(
    n_outputs, alpha, is_asked, monkeypatch
):
    asked, weigh_targets = [], choice.weigh_targets
    monkeypatch.setattr(
        choice, "weigh_targets", lambda *of: asked.append(n_outputs) or weigh_targets(*of)
    )
    table = posed(n_outputs).table
    regressor = TwoLayerRegressor(4, alpha=alpha, solver="lm", max_iter=5, n_members=1)
    regressor.fit(table.X, table.y)
    assert bool(asked) == is_asked
