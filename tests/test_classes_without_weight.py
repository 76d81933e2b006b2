"""Classes whose rows all have weight zero: they are classes, of a small probability."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from sklearn_twolayer import TwoLayerClassifier

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["ash", "beech", "cedar"])[Y]
SOLVERS = ["lm", "lbfgs", "adam", "sgd"]


def network(**parameters):
    return TwoLayerClassifier(**{"n_hidden": 4, "alpha": 0.01, "random_state": 0, **parameters})


def assert_says_unseen(model, X, unseen):
    probability, log_probability = model.predict_proba(X), model.predict_log_proba(X)
    assert probability.shape == log_probability.shape == (X.shape[0], len(model.classes_))
    assert probability[:, unseen].max() < 0.05
    assert np.isfinite(log_probability).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1)


@pytest.mark.parametrize("solver", SOLVERS)
def test_of_three_classes_all_stay(solver):
    seen = Y != 1
    model = network(solver=solver).fit(X, NAMES, seen)
    assert model.classes_.tolist() == ["ash", "beech", "cedar"]
    assert_says_unseen(model, X, 1)
    assert model.score(X[seen], NAMES[seen]) > 0.95


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("unseen", [0, 1])
def test_of_two_classes_both_stay(unseen, solver):
    two = Y < 2
    model = network(solver=solver).fit(X[two], Y[two], Y[two] != unseen)
    assert model.classes_.tolist() == [0, 1]
    assert_says_unseen(model, X, unseen)


@pytest.mark.parametrize("alpha", ["auto", "evidence", "ard"])
def test_where_the_penalty_is_chosen(alpha):
    model = network(alpha=alpha).fit(X, Y, Y != 2)
    assert_says_unseen(model, X, 2)


@pytest.mark.parametrize("class_weight", ["balanced", {1: 3.0}, {0: 2.0, 1: 3.0, 2: 1.0}])
def test_class_weights_are_those_of_the_classes_with_weight(class_weight):
    seen = Y != 1
    model = network(class_weight=class_weight).fit(X, Y, seen)
    assert_says_unseen(model, X, 1)
    factors = class_weight if isinstance(class_weight, dict) else {}
    weight = np.array([factors.get(label, 1.0) for label in Y]) * seen
    expected = network().fit(X, Y, weight)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize(
    ("labels", "size"), [(NAMES, 10), (Y, 75), (Y < 1, 75)], ids=["names", "numbers", "two"]
)
def test_partitions_without_weight_have_classes(size, labels):
    array = pytest.importorskip("dask.array")
    weight = (Y != 0).astype(float)
    expected = network().fit(X, labels, weight)
    chunks = {"chunks": (size, -1)}
    data = [array.from_array(X, **chunks), *(array.from_array(a, size) for a in (labels, weight))]
    model = network().fit(*data)
    assert model.classes_.tolist() == expected.classes_.tolist() == np.unique(labels).tolist()
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-6)


def test_calibration_answers_with_the_right_classes():
    order = np.random.RandomState(0).permutation(len(Y))
    rows, labels = X[order], Y[order]
    weight = (labels != 0).astype(float)

    def score(model):
        options = {"cv": 3, "method": "sigmoid"}
        calibrated = CalibratedClassifierCV(model, **options).fit(rows, labels, weight)
        return calibrated.score(rows, labels, weight)

    assert score(network()) > 0.85
    assert score(network()) >= score(LogisticRegression(max_iter=10000)) - 0.1


def test_early_stopping_and_warm_starts_know_the_class():
    seen = Y != 1
    assert_says_unseen(network(early_stopping=True).fit(X, Y, seen), X, 1)
    model = network(warm_start=True).fit(X, Y, seen).fit(X, Y)
    assert model.score(X, Y) > 0.95


def test_a_partition_of_class_weight_zero():
    array = pytest.importorskip("dask.array")
    data = array.from_array(X, (50, -1)), array.from_array(Y, 50)
    model = network(class_weight={0: 0.0}).fit(*data)
    expected = network(class_weight={0: 0.0}).fit(X, Y)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"n_hidden": 20}, {"solver": "lm"}])
@pytest.mark.parametrize("weight", [0.0, 1e-6])
def test_moderated_probabilities_do_not_speak_for_a_class_that_no_row_has_shown(weight, options):
    """Its raw prediction bends the loss nowhere: without a prior it would be anything."""
    seen = Y != 2
    model = network(**options)
    if weight:
        model.set_params(class_weight={2: weight}).fit(X, Y)
    else:
        model.fit(X, Y, seen)
    plain, moderated = model.predict_proba(X[seen]), model.predict_proba(X[seen], moderated=True)
    assert moderated[:, 2].max() < 0.01
    rows = np.arange(seen.sum())
    loss, least = (-np.log(p[rows, Y[seen]]).mean() for p in (moderated, plain))
    assert loss < 1.5 * least
