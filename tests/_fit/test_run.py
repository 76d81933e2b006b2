"""The problem that a fit is given, and the pilot fits that find the noise of each target."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_twolayer import TwoLayerRegressor
from sklearn_twolayer._data.table import Table
from sklearn_twolayer._data.targets import RealTargets
from sklearn_twolayer._fit import run
from sklearn_twolayer._fit.monitor import Deadline
from sklearn_twolayer._fit.parameters import checked
from sklearn_twolayer._fit.run import Problem
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.losses import MulticlassLogLoss
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
        assert (settings.n_starts, settings.left_out_share) == (1, 0.0)
        precision = (problem.scale.y_scale / deviations) ** 2  # as measured by that scale
        return SimpleNamespace(posterior=SimpleNamespace(noise_precision=precision))

    monkeypatch.setattr(run, "fit_member", fit_member)
    options = {"deadline": Deadline()}
    problem, _ = run.weigh_targets(
        posed(len(deviations), constant=constant),
        replace(settings_of(alpha), n_starts=3, left_out_share=0.5),
        np.random.RandomState(0),
        **options,
    )
    return problem.scale.y_scale, pilots


@pytest.mark.parametrize("weight", [None, np.linspace(0.5, 2, 100)])
def test_networks_of_copies_are_as_wide_as_that_of_one(weight):
    """Linear in each other, and whatever constants are beside them."""
    random = np.random.RandomState(0)
    X, y = random.normal(size=(100, 8)), random.normal(size=(100, 2))
    a, b = y.T
    settings = checked(TwoLayerRegressor().get_params(), "TwoLayerRegressor")
    widths = []
    for y in (a[:, None], np.c_[a, 3 - 2 * a], np.c_[a, 1e9 + a, 0 * a], np.c_[a, b]):
        targets = RealTargets(y.shape[1], False, "identity")
        problem, _ = run.pose(settings, targets, Table(X, y, weight, encoded=y))
        widths.append(problem.network.n_hidden)
    assert widths[0] < 10
    assert widths[1:3] == widths[:1] * 2
    assert widths[3] > widths[0]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_copies_of_rows_have_no_units_of_their_own():
    """They are no residuals that more weights could learn from, as repeats or as weights."""
    random = np.random.RandomState(0)
    X, y = random.normal(size=(60, 3)), random.normal(size=60)
    model = TwoLayerRegressor(max_iter=1, random_state=0)
    width = model.fit(X, y).n_hidden_
    assert width == 5
    assert model.fit(np.tile(X, (4, 1)), np.tile(y, 4)).n_hidden_ == width
    assert model.fit(X, y, sample_weight=np.full(60, 4.0)).n_hidden_ == width
    assert model.fit(X, y, sample_weight=random.uniform(0, 4, 60)).n_hidden_ == width


def test_targets_are_measured_in_units_of_their_noise(monkeypatch):
    """Whose geometric mean is one, so that F is about as large as before."""
    scale, pilots = weighed([1.0, 4.0], monkeypatch, alpha="ard")
    np.testing.assert_allclose(scale, [0.5, 2.0])
    assert pilots == ["evidence"] * run.MOST_PILOTS


def test_targets_of_about_the_same_noise_need_no_second_pilot(monkeypatch):
    scale, pilots = weighed([1.0, 1.21], monkeypatch)
    np.testing.assert_allclose(scale, [1 / 1.1, 1.1])
    assert len(pilots) == 1


def test_a_constant_target_is_not_weighed_and_the_others_are_as_without_it(monkeypatch):
    """Its noise is in no unit: in that of the pilot before it would compound."""
    scale, pilots = weighed([1.0, 0.05, 4.0], monkeypatch, constant=[1])
    np.testing.assert_allclose(scale, [0.5, 1.0, 2.0])
    assert len(pilots) == run.MOST_PILOTS


def test_pilots_are_believed_no_noise_of_less_than_a_share_of_the_largest(monkeypatch):
    """All of them together: beside a target that counts too much the others stay unlearned."""
    scale, pilots = weighed([1.0, 1e-5], monkeypatch)
    np.testing.assert_allclose(scale, [run.LEAST_NOISE**-0.5, run.LEAST_NOISE**0.5])
    assert len(pilots) == run.MOST_PILOTS


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


@pytest.mark.parametrize(("deviations", "alpha"), [([3.0], "evidence"), ([1.0, 4.0], 0.1)])
def test_nothing_is_weighed_where_nothing_is_to_be_chosen(deviations, alpha, monkeypatch):
    scale, pilots = weighed(deviations, monkeypatch, alpha)
    assert not pilots
    assert (scale == 1).all()


@pytest.mark.parametrize(
    ("shares", "scale"),
    [
        ([0.999, 0.001], 0.001 * np.log(1000) - 0.999 * np.log(0.999)),
        ([0.5, 0.5], np.log(2)),
        ([0.25] * 4, 1.0),
        ([1.0, 0.0], 1.0),  # which says nothing of a scale
    ],
)
def test_the_gradient_is_as_large_as_the_loss_of_the_constant(shares, scale):
    labels = np.repeat(np.arange(len(shares)), np.round(1000 * np.array(shares)).astype(int))
    X, loss = np.zeros((1000, 2)), MulticlassLogLoss()
    targets = SimpleNamespace(loss=loss, n_outputs=len(shares), is_numeric=False)
    table = Table(X, labels, None, encoded=labels)
    problem = Problem(targets, Standardization.none(2, len(shares)), table)
    assert problem.gradient_scale == pytest.approx(scale)


def test_the_gradient_of_numbers_has_the_scale_of_their_variance():
    assert posed(2).gradient_scale == 1
