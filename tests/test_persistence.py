"""skops stores and loads fitted estimators, given the types that docs/deployment.md lists."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

#: What has to be trusted to load an estimator after any fit.
TRUSTED = {
    "sklearn_twolayer._classifier.TwoLayerClassifier",
    "sklearn_twolayer._bayes.posterior.PointMass",
    "sklearn_twolayer._bayes.posterior.Posterior",
    "sklearn_twolayer._data.labels.LabelTargets",
    "sklearn_twolayer._data.targets.RealTargets",
    "sklearn_twolayer._fit.weights.Resume",
    "sklearn_twolayer._learned.Learned",
    "sklearn_twolayer._network.backprop.TwoLayerNetwork",
    "sklearn_twolayer._network.curvature.DenseFactor",
    "sklearn_twolayer._network.curvature.LowRankInverse",
    "sklearn_twolayer._network.products.Workspace",
    "sklearn_twolayer._network.scale.Standardization",
    "sklearn_twolayer._optimize.stochastic.StochasticState",
    "sklearn_twolayer._regressor.TwoLayerRegressor",
}
FITS = {
    "float alpha": {"alpha": 0.01},
    "early stopping": {"early_stopping": True},
    "adam": {"solver": "adam", "tol": 1.0},
    "warm start": {"warm_start": True, "alpha": 0.01},
    "warm start of adam": {"solver": "adam", "tol": 1.0, "warm_start": True},
    "evidence": {"alpha": "evidence"},
    "ard": {"alpha": "ard"},
    "auto": {"alpha": "auto"},
    "committee": {"alpha": "evidence", "n_members": 2},
    "few rows": {"alpha": "evidence", "n_hidden": 40},
    "RandomState": {"alpha": 0.01, "random_state": np.random.RandomState(3)},
    "NumPy numbers": {"alpha": np.float64(0.01), "n_hidden": np.int64(3)},
}
HAS_POSTERIOR = {"evidence", "ard", "auto", "committee", "few rows"}
IS_WARM = {"warm start", "warm start of adam"}
X, y = load_diabetes(return_X_y=True)
FEATURES = X[:, 2:6]


def fitted(Estimator, name):
    n = 20 if name == "few rows" else 150
    params = {"n_hidden": 3, "random_state": 0, **FITS[name]}
    return Estimator(**params).fit(FEATURES[:n], targets(Estimator)[:n])


def targets(Estimator):
    return y if Estimator is TwoLayerRegressor else np.digitize(y, [100, 200])


def import_skops():
    return pytest.importorskip(
        "skops.io", reason="skops comes with the test extra", exc_type=ModuleNotFoundError
    )


def through_skops(model):
    skops_io = import_skops()
    return skops_io.loads(skops_io.dumps(model), trusted=sorted(TRUSTED))


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_after_every_kind_of_fit(Estimator, name):
    model = fitted(Estimator, name)
    twin = through_skops(model)
    assert vars(twin).keys() == vars(model).keys()
    np.testing.assert_array_equal(twin.predict(FEATURES), model.predict(FEATURES))
    np.testing.assert_array_equal(twin.loss_curve_, model.loss_curve_)
    if name in HAS_POSTERIOR:
        np.testing.assert_array_equal(uncertain(twin), uncertain(model))
    if name in IS_WARM:
        again = [estimator.fit(FEATURES, targets(Estimator)) for estimator in (twin, model)]
        np.testing.assert_array_equal(again[0].coefs_[0], again[1].coefs_[0])


def uncertain(model):
    if isinstance(model, TwoLayerRegressor):
        return model.predict(FEATURES, return_std=True)
    return model.predict_proba(FEATURES, moderated=True)


def wide_classifier():
    """One whose probabilities are not moderated: that would take too long."""
    model = TwoLayerClassifier(600, solver="lbfgs", alpha=0.01, random_state=0)
    return model.fit(FEATURES[:150], targets(TwoLayerClassifier)[:150])


def test_a_network_that_is_not_moderated():
    model = wide_classifier()
    np.testing.assert_array_equal(uncertain(through_skops(model)), uncertain(model))


@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_partial_fit_goes_on(Estimator):
    labels = targets(Estimator)
    classes = {"classes": np.unique(labels)} if Estimator is TwoLayerClassifier else {}
    model = Estimator(3, solver="adam", random_state=0).partial_fit(FEATURES, labels, **classes)
    twin = through_skops(model)
    for estimator in (model, twin):
        estimator.partial_fit(FEATURES[:100], labels[:100])
    np.testing.assert_array_equal(twin.predict(FEATURES), model.predict(FEATURES))


def test_multilabel_targets_and_string_labels():
    for labels in (np.column_stack([y > 100, y > 200]).astype(int), np.where(y > 100, "b", "a")):
        model = TwoLayerClassifier(3, alpha=0.01, random_state=0).fit(FEATURES, labels)
        assert np.array_equal(through_skops(model).predict(FEATURES), model.predict(FEATURES))


def test_no_type_is_trusted_that_no_fit_needs():
    skops_io = import_skops()
    models = [fitted(TwoLayerRegressor, name) for name in FITS]
    models += [
        TwoLayerRegressor(3, solver="adam").partial_fit(FEATURES, y),
        fitted(TwoLayerClassifier, "float alpha"),
        wide_classifier(),
    ]
    found = (skops_io.get_untrusted_types(data=skops_io.dumps(model)) for model in models)
    assert set().union(*found) == TRUSTED


def test_the_document_lists_the_types():
    text = (Path(__file__).parents[1] / "docs" / "deployment.md").read_text("utf-8")
    assert all(f'"{name}"' in text for name in TRUSTED)
    assert text.count('"sklearn_twolayer._') == len(TRUSTED)
