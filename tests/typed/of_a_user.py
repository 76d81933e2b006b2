"""A program of a user, checked by mypy: what may be written, and what may not."""

from typing import assert_type

import numpy as np

from sklearn_twolayer import (
    LossCurveDisplay,
    NetworkDisplay,
    PredictionDisplay,
    TwoLayerClassifier,
    TwoLayerRegressor,
)
from sklearn_twolayer.onnx import register_converters

X, y = np.zeros((10, 2)), np.arange(10)

model = TwoLayerRegressor(20, activation="tanh", alpha=0.01, random_state=0)
assert_type(model.fit(X, y), TwoLayerRegressor)
assert_type(model.fit([[0.0, 1.0]], [1.0], X_val=X, y_val=y), TwoLayerRegressor)
mean, std = model.predict(X, return_std=True)
assert_type(std.ndim, int)
assert_type(model.predict(X).ndim, int)
with_std = model.n_outputs_ == 1
answers = model.predict(X, return_std=with_std)
assert_type(answers[0] if isinstance(answers, tuple) else answers, np.ndarray)
assert_type(model.score(X, y, sample_weight=y), float)
loss, coef_gradients, _ = model.loss_and_gradient(X, y)
assert_type(loss, float)
assert_type(coef_gradients[0].ndim, int)
assert_type(model.n_iter_, int)
assert_type(len(model.coefs_), int)
features: np.ndarray = model.transform(X)

classifier = TwoLayerClassifier(n_hidden="auto", class_weight="balanced", max_time=1).fit(X, y)
assert_type(classifier, TwoLayerClassifier)
probability: np.ndarray = classifier.predict_proba(X, moderated=True)
classes: np.ndarray = classifier.classes_

assert_type(LossCurveDisplay.from_estimator(model), LossCurveDisplay)
assert_type(NetworkDisplay.from_estimator(model, feature_names=["a", "b"]), NetworkDisplay)
assert_type(PredictionDisplay.from_estimator(model, X, y, level=0.9), PredictionDisplay)
register_converters()

# An unused "type: ignore" is an error: each of these lines has to be refused.
TwoLayerRegressor(activation="sigmoid")  # type: ignore[arg-type]
TwoLayerRegressor(solver="newton")  # type: ignore[arg-type]
TwoLayerRegressor(n_hidden=2.5)  # type: ignore[arg-type]
TwoLayerRegressor(alpha="none")  # type: ignore[arg-type]
TwoLayerRegressor(hidden_layer_sizes=5)  # type: ignore[call-arg]
TwoLayerClassifier(output_activation="identity")  # type: ignore[call-arg]
mean, std = model.predict(X)[0], model.predict(X, return_std="yes")  # type: ignore[call-overload]
answer: str = model.predict(X)  # type: ignore[assignment]
score: str = classifier.score(X, y)  # type: ignore[assignment]
