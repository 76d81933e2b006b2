"""TwoLayerClassifier: labels, probabilities, class weights, and life inside scikit-learn."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import TwoLayerClassifier

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(120, 3))
SCORE = X[:, 0] + X[:, 1] ** 2
TWO = (SCORE > 0.5).astype(int)
THREE = np.digitize(SCORE, [0, 1])
TEN = np.argsort(np.argsort(SCORE)) // 12
LABELS = np.c_[TWO, THREE == 1, THREE > 0].astype(int)
SOLVERS = ["gd", "sgd", "adam", "lbfgs", "lm"]


def fitted(X, y, sample_weight=None, **parameters):
    model = TwoLayerClassifier(**{"n_hidden": 5, "alpha": 0.01, "random_state": 0, **parameters})
    return model.fit(X, y, sample_weight=sample_weight)


NAMES = np.array(["no", "perhaps", "yes"])
KINDS = {
    "two integers": TWO,
    "minus and plus one": 2 * TWO - 1,
    "booleans": TWO.astype(bool),
    "two strings": NAMES[TWO],
    "three integers": THREE,
    "negative integers": 5 * THREE - 7,
    "floats": THREE / 1.0,
    "small integers": THREE.astype(np.uint8),
    "large integers": THREE + 2**62,
    "strings": NAMES[THREE],
    "objects": NAMES[THREE].astype(object),
    "ten": TEN,
}


@pytest.mark.parametrize("y", KINDS.values(), ids=KINDS.keys())
def test_labels_of_any_type_come_back(y):
    model = fitted(X, y)
    classes, codes = np.unique(y, return_inverse=True)
    assert model.classes_.tolist() == classes.tolist()
    assert model.classes_.dtype == y.dtype
    predicted = model.predict(X)
    assert predicted.dtype == y.dtype
    assert predicted.shape == (120,)
    assert np.array_equal(predicted, model.classes_[model.predict_proba(X).argmax(axis=1)])
    assert model.score(X, y) == accuracy_score(y, predicted) > 1.5 / len(classes)
    assert np.array_equal(model.predict_proba(X), fitted(X, codes).predict_proba(X))
    assert model.score(X.tolist(), y.tolist()) == model.score(X, y)


@pytest.mark.parametrize(("y", "n_classes"), [(TWO, 2), (THREE, 3), (TEN, 10)])
def test_probabilities(y, n_classes):
    model = fitted(X, y)
    probability, raw = model.predict_proba(X), model.decision_function(X)
    assert probability.shape == (120, n_classes)
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(np.log(probability), model.predict_log_proba(X), rtol=1e-10)
    if n_classes == 2:
        assert raw.shape == (120,)
        np.testing.assert_allclose(probability[:, 1], 1 / (1 + np.exp(-raw)), rtol=1e-14)
        assert np.array_equal(model.predict(X), raw > 0)
        assert (model.n_outputs_, model.out_activation_) == (1, "logistic")
    else:
        softmax = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(probability, softmax, rtol=1e-13)
        assert (model.n_outputs_, model.out_activation_) == (n_classes, "softmax")


@pytest.mark.parametrize("y", [TWO, THREE, LABELS])
def test_logarithms_of_many_rows_take_little_more_than_the_answer(y):
    model, few = fitted(X, y), fitted(X, y).predict_log_proba(X)
    model.predict_log_proba(many := np.tile(X, (500, 1)))  # which also makes what is kept
    tracemalloc.start()
    try:
        logarithms = model.predict_log_proba(many)
        assert tracemalloc.get_traced_memory()[1] < 2.2 * logarithms.nbytes + 4e6
    finally:
        tracemalloc.stop()
    np.testing.assert_allclose(logarithms, np.tile(few, (500, 1)), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("y", [TWO, THREE, LABELS])
def test_far_away_probabilities_and_their_logarithms_stay_finite(y):
    model = fitted(X, y)
    for W in model.coefs_:
        W *= 1e3
    assert (model.predict_proba(X) >= 0).all()
    assert (model.predict_proba(X) <= 1).all()
    assert np.isfinite(model.predict_log_proba(X)).all()
    assert model.predict_log_proba(X).min() < -1000


@pytest.mark.parametrize("y", [TWO, THREE])
def test_the_objective_is_the_log_loss_plus_the_penalty(y):
    model = fitted(X, y, standardize=False, alpha=0.1)
    penalty = 0.1 / 2 * sum((W**2).sum() for W in model.coefs_)
    expected = log_loss(y, model.predict_proba(X)) + penalty
    assert model.loss_and_gradient(X, y)[0] == pytest.approx(expected, rel=1e-13)
    assert model.loss_ == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    "y", [LABELS, LABELS.astype(bool), LABELS.astype(float), sparse.csr_array(LABELS)]
)
def test_multilabel(y):
    model = fitted(X, y)
    assert model.classes_.tolist() == [0, 1, 2]
    assert (model.n_outputs_, model.out_activation_) == (3, "logistic")
    probability, predicted = model.predict_proba(X), model.predict(X)
    assert probability.shape == model.decision_function(X).shape == (120, 3)
    assert np.array_equal(predicted, probability > 0.5)
    assert model.score(X, y) == (predicted == LABELS).all(axis=1).mean() > 0.6
    np.testing.assert_allclose(np.log(probability), model.predict_log_proba(X), rtol=1e-10)
    assert np.array_equal(model.predict(X[:1]), predicted[:1])


def test_the_log_loss_of_several_labels_is_their_sum():
    y = np.c_[TWO, TWO]
    model = fitted(X, y, standardize=False)
    penalty = 0.01 / 2 * sum((W**2).sum() for W in model.coefs_)
    expected = sum(log_loss(TWO, probability) for probability in model.predict_proba(X).T)
    assert model.loss_ == pytest.approx(expected + penalty, rel=1e-13)


@pytest.mark.parametrize("y", [np.zeros((120, 2), int), np.ones((120, 2), int)])
def test_labels_that_never_vary_are_predicted_without_a_warning(y):
    model = fitted(X, y)
    assert np.array_equal(model.predict(X), y)
    assert np.isfinite(model.loss_)


@pytest.mark.parametrize("label", [7, "only", True])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_one_class_fits_the_constant(solver, label):
    y = np.full(120, label)
    model = fitted(X, y, solver=solver, max_iter=20)
    assert model.classes_.tolist() == [label]
    assert np.array_equal(model.predict(X), y)
    assert np.array_equal(model.predict_proba(X), np.ones((120, 1)))
    assert np.array_equal(model.predict_log_proba(X), np.zeros((120, 1)))
    assert model.score(X, y) == 1


def test_one_class_needs_no_warning():
    assert fitted(X, np.zeros(120)).predict_proba(X).min() == 1


BAD = [
    (SCORE, "Unknown label type: continuous.*TwoLayerRegressor"),
    (np.c_[SCORE, SCORE], "Unknown label type: continuous-multioutput"),
    (np.c_[THREE, TWO], "Unknown label type: multiclass-multioutput"),
    (NAMES[np.c_[THREE, TWO]], "Unknown label type: multiclass-multioutput"),
    (np.where(TWO, np.nan, 1.0), "y contains NaN"),
    (np.where(TWO, np.inf, 1.0), "y contains infinity"),
    (TWO[:-1], "inconsistent numbers of samples"),
    (None, "requires y"),
]


@pytest.mark.parametrize(("y", "message"), BAD)
def test_what_is_no_set_of_labels_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        fitted(X, y)


def test_a_column_of_labels_is_taken_with_a_warning():
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        model = fitted(X, TWO[:, None])
    assert np.array_equal(model.predict(X), fitted(X, TWO).predict(X))


def test_loss_and_gradient_refuses_labels_that_were_not_fitted():
    model = fitted(X, NAMES[TWO])
    with pytest.raises(ValueError, match=r"labels \['yes'\], not among \['no', 'perhaps'\]"):
        model.loss_and_gradient(X, NAMES[THREE])
    with pytest.raises(ValueError, match=r"shape \(120, 2\), but 3 labels were fitted"):
        fitted(X, LABELS).loss_and_gradient(X, LABELS[:, :2])


def test_loss_and_gradient_takes_some_of_the_fitted_labels():
    model = fitted(X, THREE)
    assert np.isfinite(model.loss_and_gradient(X[THREE == 1], THREE[THREE == 1])[0])


@pytest.mark.parametrize("y", [TWO, THREE, LABELS])
@pytest.mark.parametrize("settings", [{}, {"n_hidden": 20}, {"class_weight": "balanced"}])
def test_weights_are_repeats(settings, y):
    """By lm: L-BFGS magnifies rounding."""
    settings = {"solver": "lm", **settings}
    weight = RANDOM.randint(0, 4, size=120)
    weighted = fitted(X, y, weight, **settings)
    repeated_X, repeated_y = X.repeat(weight, axis=0), y.repeat(weight, axis=0)
    repeated = fitted(repeated_X, repeated_y, **settings)
    for method in ("decision_function", "predict_proba", "predict"):
        found, expected = (getattr(model, method)(X) for model in (weighted, repeated))
        assert np.abs(found - expected).max() <= 1e-7 * np.abs(expected).max()
    losses = [
        weighted.loss_and_gradient(X, y, weight)[0],
        weighted.loss_and_gradient(repeated_X, repeated_y)[0],
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    assert weighted.score(X, y, weight) == pytest.approx(weighted.score(repeated_X, repeated_y))


def test_a_class_without_weight_is_a_class():
    weight = (THREE != 1).astype(float)
    model = fitted(X, THREE, weight)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict_proba(X)[:, 1].max() < 1e-3
    assert model.loss_and_gradient(X, THREE, weight)[0] == pytest.approx(model.loss_, rel=1e-12)
    assert fitted(X, THREE, THREE == 2).classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("weight", [None, RANDOM.uniform(0.5, 2, size=120)])
@pytest.mark.parametrize("class_weight", [{0: 2, 1: 0.5, 2: 3}, {1: 4}, "balanced"])
def test_class_weights_are_sample_weights(class_weight, weight):
    ones = np.ones(120) if weight is None else weight
    if class_weight == "balanced":
        totals = np.bincount(THREE, weights=ones)
        factor = ones.sum() / (3 * totals)
    else:
        factor = np.array([class_weight.get(label, 1) for label in range(3)])
    expected = fitted(X, THREE, ones * factor[THREE]).predict_proba(X)
    found = fitted(X, THREE, weight, class_weight=class_weight)
    # both fits converge, from weights that were multiplied in another order
    np.testing.assert_allclose(found.predict_proba(X), expected, rtol=1e-8)
    assert found.loss_and_gradient(X, THREE, weight)[0] == pytest.approx(found.loss_, rel=1e-12)


def test_class_weights_of_named_classes_and_of_several_labels():
    named = fitted(X, NAMES[THREE], class_weight={"no": 3, "yes": 2}).predict_proba(X)
    coded = fitted(X, THREE, class_weight={0: 3, 2: 2}).predict_proba(X)
    assert np.array_equal(named, coded)
    y = LABELS[:, :2]
    several = fitted(X, y, class_weight=[{1: 3}, None]).predict_proba(X)
    weight = np.where(y[:, 0] == 1, 3.0, 1.0)
    assert np.array_equal(several, fitted(X, y, weight).predict_proba(X))


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({5: 1}, r"class_weight names \[5\]"),
        ({0: -1}, "must not be negative"),
        ({0: np.nan}, "class_weight"),
        ({0: np.inf}, "class_weight"),
        ({0: 0, 1: 0, 2: 0}, "every row the weight zero"),
        (["balanced", None], "class_weight is a list of 2, but y has 1 column"),
    ],
)
def test_bad_class_weights_are_refused(class_weight, message):
    with pytest.raises(ValueError, match=message):
        fitted(X, THREE, class_weight=class_weight)


def test_identity_activation_is_logistic_regression():
    model = fitted(X, THREE, activation="identity", alpha=1e-6, tol=1e-10, max_iter=1000)
    linear = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(X, THREE)
    np.testing.assert_allclose(model.predict_proba(X), linear.predict_proba(X), atol=2e-3)


def test_in_a_pipeline_and_a_grid_search_on_real_data():
    cancer_X, cancer_y = load_breast_cancer(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), TwoLayerClassifier(4, alpha=0.01, random_state=0))
    grid = {"twolayerclassifier__alpha": [0.003, 0.03]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=1, scoring="roc_auc")
    assert search.fit(cancer_X, cancer_y).best_score_ > 0.98
    assert (cross_val_score(pipeline, cancer_X, cancer_y, cv=3) > 0.94).all()


def test_in_meta_estimators():
    iris_X, iris_y = load_iris(return_X_y=True)
    model = TwoLayerClassifier(4, alpha=0.01, random_state=0)
    calibrated = CalibratedClassifierCV(model, cv=3).fit(iris_X, iris_y)
    assert calibrated.score(iris_X, iris_y) > 0.94
    one_against_rest = OneVsRestClassifier(model).fit(iris_X, iris_y)
    assert one_against_rest.score(iris_X, iris_y) > 0.94
