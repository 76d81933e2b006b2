"""Each feature where people use it: in a Pipeline and in a search, on scikit-learn's data."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import (
    LossCurveDisplay,
    NetworkDisplay,
    TwoLayerClassifier,
    TwoLayerRegressor,
)
from sklearn_twolayer._fit import monitor

DATA = {TwoLayerRegressor: load_diabetes, TwoLayerClassifier: load_breast_cancer}
LEAST_SCORE = {TwoLayerRegressor: 0.3, TwoLayerClassifier: 0.9}
SCORE = {TwoLayerRegressor: "r2", TwoLayerClassifier: "accuracy"}

pytestmark = pytest.mark.parametrize("holder", ["pipeline", "search"])


@pytest.fixture(params=list(DATA), ids=lambda Estimator: Estimator.__name__)
def Estimator(request):
    return request.param


@pytest.fixture
def data(Estimator):
    """X_train, X_test, y_train, y_test."""
    X, y = DATA[Estimator](return_X_y=True)
    return train_test_split(X, y, random_state=0)


def held(holder, Estimator, steps_after=(), pipeline_options=None, **parameters):
    """A Pipeline that ends in a network, alone or in a search over its size."""
    settings = {"n_hidden": 4, "alpha": 0.03, "random_state": 0, **parameters}
    steps = [("scale", StandardScaler()), ("network", Estimator(**settings)), *steps_after]
    pipeline = Pipeline(steps, **(pipeline_options or {}))
    if holder == "pipeline":
        return pipeline
    return GridSearchCV(pipeline, {"network__n_hidden": [2, 4]}, cv=2, error_score="raise")


def pipeline_of(model):
    return getattr(model, "best_estimator_", model)


def test_partial_fit_goes_on_with_the_network_that_was_found(holder, Estimator, data):
    X, X_test, y, y_test = data
    model = held(holder, Estimator, solver="adam").fit(X, y)
    pipeline = pipeline_of(model)
    answer = model.predict_proba if is_classifier(model) else model.predict
    n_iter, before = pipeline[-1].n_iter_, answer(X_test)
    pipeline[-1].partial_fit(pipeline[:-1].transform(X), y)
    assert pipeline[-1].n_iter_ == n_iter + 1
    assert model.score(X_test, y_test) > LEAST_SCORE[Estimator]
    assert 0 < np.abs(answer(X_test) - before).max() < np.ptp(before)


def test_own_validation_rows(holder, Estimator, data):
    X, X_val, y, y_val = data
    with sklearn.config_context(enable_metadata_routing=True):
        model = held(
            holder,
            Estimator,
            pipeline_options={"transform_input": ["X_val"]},
            solver="lbfgs",
            early_stopping=True,
        )
        network = model.estimator[-1] if holder == "search" else model[-1]
        network.set_fit_request(X_val=True, y_val=True)
        model.fit(X, y, X_val=X_val, y_val=y_val)
        found = pipeline_of(model)[-1].best_validation_score_
        assert found == pytest.approx(pipeline_of(model).score(X_val, y_val), rel=1e-9)
    assert found > LEAST_SCORE[Estimator]


def test_scoring(holder, Estimator, data):
    X, X_val, y, y_val = data
    name = "neg_log_loss" if Estimator is TwoLayerClassifier else "neg_mean_absolute_error"
    model = held(holder, Estimator, early_stopping=True, scoring=name).fit(X, y)
    network = pipeline_of(model)[-1]
    assert network.best_validation_score_ == max(network.validation_scores_) < 0
    assert get_scorer(name)(model, X_val, y_val) > 3 * network.best_validation_score_


def test_callbacks(holder, Estimator, data):
    callback = pytest.importorskip("sklearn.callback", reason="callbacks need scikit-learn 1.9")
    X, _, y, _ = data
    monitor = callback.ScoringMonitor(scoring=SCORE[Estimator])
    model = held(holder, Estimator, solver="lm")
    network = model.estimator[-1] if holder == "search" else model[-1]
    network.set_callbacks(monitor)
    model.fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "fit"]
    assert len(rows) == (1 if holder == "pipeline" else 5)
    scores = [row[SCORE[Estimator]] for row in rows]
    assert model.score(X, y) in [pytest.approx(score, rel=1e-9) for score in scores]


def test_max_time(holder, Estimator, data, monkeypatch):
    X, X_test, y, y_test = data
    times = iter(range(10**6))
    monkeypatch.setattr(monitor, "perf_counter", lambda: next(times))
    model = held(holder, Estimator, solver="lm", max_time=4)
    with pytest.warns(ConvergenceWarning, match="max_time=4 seconds"):
        model.fit(X, y)
    assert pipeline_of(model)[-1].n_iter_ == 4
    assert model.score(X_test, y_test) > LEAST_SCORE[Estimator]


def test_transform(holder, Estimator, data):
    X, X_test, y, y_test = data
    last = LogisticRegression() if Estimator is TwoLayerClassifier else Ridge(alpha=1e-3)
    model = held(holder, Estimator, steps_after=[("last", last)]).fit(X, y)
    names = pipeline_of(model)[:-1].get_feature_names_out()
    n_hidden = pipeline_of(model)["network"].n_hidden
    assert len(names) == n_hidden
    assert pipeline_of(model)[:-1].transform(X_test).shape == (len(X_test), n_hidden)
    assert model.score(X_test, y_test) > LEAST_SCORE[Estimator]


def test_input_gradient(holder, Estimator, data):
    """The chain rule through the scaler, against differences of the whole model."""
    X, X_test, y, _ = data
    model = held(holder, Estimator).fit(X, y)
    scaler, network = pipeline_of(model)
    gradient = network.input_gradient(scaler.transform(X_test)) / scaler.scale_
    predict = model.decision_function if is_classifier(network) else model.predict
    step = 1e-5 * X[:, 2].std()
    up, down = X_test.copy(), X_test.copy()
    up[:, 2] += step
    down[:, 2] -= step
    difference = (predict(up) - predict(down)) / (2 * step)
    assert gradient[:, 2] == pytest.approx(difference, rel=1e-5, abs=1e-7 * abs(difference).max())


def test_displays(holder, Estimator, data):
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="pictures need matplotlib")
    X, _, y, _ = data
    model = held(holder, Estimator).fit(X, y)
    network = pipeline_of(model)[-1]
    curve = LossCurveDisplay.from_estimator(model)
    assert curve.line_.get_ydata().tolist() == network.loss_curve_
    drawn = NetworkDisplay.from_estimator(model)
    n_shown = min(network.n_features_in_, 20)
    assert len(drawn.texts_) >= n_shown
    pyplot.close("all")


def test_warm_start(holder, Estimator, data):
    """In a search it is the candidate that is refitted; each clone starts anew."""
    X, X_test, y, y_test = data
    model = held(holder, Estimator, solver="lbfgs", warm_start=True, tol=1e-2).fit(X, y)
    pipeline = pipeline_of(model)
    first = pipeline[-1].loss_
    pipeline.set_params(network__tol=1e-4).fit(X, y)
    assert pipeline[-1].loss_ < first
    assert clone(pipeline).set_params(network__tol=1e-2).fit(X, y)[-1].loss_ == first
    assert model.score(X_test, y_test) > LEAST_SCORE[Estimator]
