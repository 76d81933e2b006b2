"""The best network with one hidden layer that anyone can fit."""

from sklearn_twolayer._classifier import TwoLayerClassifier
from sklearn_twolayer._display import LossCurveDisplay
from sklearn_twolayer._network_display import NetworkDisplay
from sklearn_twolayer._regressor import TwoLayerRegressor

__all__ = ["LossCurveDisplay", "NetworkDisplay", "TwoLayerClassifier", "TwoLayerRegressor"]
__version__ = "0.1.0"
