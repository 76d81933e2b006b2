"""The problem that a fit is given."""

from types import SimpleNamespace

import numpy as np
import pytest
from small_regression import posed

from sklearn_twolayer import TwoLayerRegressor
from sklearn_twolayer._data.table import Table
from sklearn_twolayer._data.targets import RealTargets
from sklearn_twolayer._fit import run
from sklearn_twolayer._fit.parameters import checked
from sklearn_twolayer._fit.run import Problem
from sklearn_twolayer._network.losses import MulticlassLogLoss
from sklearn_twolayer._network.scale import Standardization


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
