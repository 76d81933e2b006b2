"""The best network with one hidden layer that anyone can fit."""

from sklearn_twolayer._classifier import TwoLayerClassifier
from sklearn_twolayer._display import LossCurveDisplay
from sklearn_twolayer._network_display import NetworkDisplay
from sklearn_twolayer._regressor import TwoLayerRegressor
from sklearn_twolayer._version import __version__

__all__ = [
    "LossCurveDisplay",
    "NetworkDisplay",
    "TwoLayerClassifier",
    "TwoLayerRegressor",
    "__version__",
]
