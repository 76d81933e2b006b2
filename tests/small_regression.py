"""The problem and the settings of a regression of twenty rows."""

import numpy as np

from sklearn_twolayer import TwoLayerRegressor
from sklearn_twolayer._data.table import Table
from sklearn_twolayer._data.targets import RealTargets
from sklearn_twolayer._fit.parameters import Plan, checked
from sklearn_twolayer._fit.run import Problem
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.scale import Standardization


def posed(n_outputs=1, n_rows=20, constant=()):
    """The problem of a regression of twenty rows, some of whose targets may be constant."""
    random = np.random.RandomState(0)
    X, y = random.normal(size=(n_rows, 3)), random.normal(size=(n_rows, n_outputs))
    y[:, list(constant)] = 7.0
    table, targets = Table(X, y, None, encoded=y), RealTargets(n_outputs, False, "identity")
    network = TwoLayerNetwork(3, 4, n_outputs, "logistic")
    return Problem(targets, Standardization.none(3, n_outputs), table, network=network)


def settings_of(alpha):
    regressor = TwoLayerRegressor(4, alpha=alpha, solver="lm", max_iter=5, n_members=1)
    return Plan(**vars(checked(regressor.get_params(), "TwoLayerRegressor")))
