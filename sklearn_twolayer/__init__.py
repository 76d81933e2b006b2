"""Networks with one hidden layer as scikit-learn estimators, trained by backward propagation."""

from sklearn_twolayer._classifier import TwoLayerClassifier
from sklearn_twolayer._display import LossCurveDisplay
from sklearn_twolayer._network_display import NetworkDisplay
from sklearn_twolayer._prediction_display import PredictionDisplay
from sklearn_twolayer._regressor import TwoLayerRegressor
from sklearn_twolayer._version import __version__

__all__ = [
    "LossCurveDisplay",
    "NetworkDisplay",
    "PredictionDisplay",
    "TwoLayerClassifier",
    "TwoLayerRegressor",
    "__version__",
]
