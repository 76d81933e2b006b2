"""Scorers of the user's choice, of validation rows with and without weights."""

import numpy as np
import pytest
import sklearn
from sklearn.metrics import (
    adjusted_rand_score,
    average_precision_score,
    get_scorer,
    make_scorer,
    max_error,
    r2_score,
)

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(80, 3))
Y = np.sin(2 * X[:, 0]) + X[:, 1]
LABELS = np.where(Y > 0, "up", "down")
WEIGHT = RANDOM.randint(0, 4, size=40).astype(float)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def minus_largest_error(y, found):
    return -np.abs(y - found).max()


def by_hand(model, X, y):
    return -max_error(y, model.predict(X))


#: Estimator and scoring, of metrics that take no weights.
WITHOUT = [
    (TwoLayerRegressor, "neg_max_error"),
    (TwoLayerRegressor, make_scorer(minus_largest_error)),
    (TwoLayerRegressor, by_hand),
    (TwoLayerClassifier, "adjusted_rand_score"),
    (TwoLayerClassifier, make_scorer(adjusted_rand_score)),
]
IDS = ["name", "scorer", "callable", "name of classes", "scorer of classes"]


def fitted(Estimator, scoring, weight, solver="lbfgs", **parameters):
    y = Y if Estimator is TwoLayerRegressor else LABELS
    model = Estimator(
        4, solver=solver, alpha=0.01, max_iter=6, scoring=scoring, random_state=0, **parameters
    )
    return model.fit(X[40:], y[40:], X_val=X[:40], y_val=y[:40], sample_weight_val=weight), y


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize(("Estimator", "scoring"), WITHOUT, ids=IDS)
def test_metrics_without_weights_score_weighed_rows(Estimator, scoring, routing, early_stopping):
    with sklearn.config_context(enable_metadata_routing=routing):
        model, y = fitted(Estimator, scoring, WEIGHT, early_stopping=early_stopping)
        kept = WEIGHT > 0  # weight 0 equals the row left out
        scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
        expected = scorer(model, X[:40][kept], y[:40][kept])
    assert len(model.validation_scores_) == model.n_iter_
    found = model.best_validation_score_ if early_stopping else model.validation_scores_[-1]
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("solver", ["gd", "sgd", "adam", "lbfgs", "lm"])
def test_they_do_for_every_solver(solver):
    model, _ = fitted(TwoLayerRegressor, "neg_max_error", WEIGHT, solver=solver)
    assert np.isfinite(model.validation_scores_).all()


@pytest.mark.parametrize("scoring", ["r2", make_scorer(r2_score)])
def test_metrics_with_weights_get_them(scoring):
    model, _ = fitted(TwoLayerRegressor, scoring, WEIGHT)
    expected = r2_score(Y[:40], model.predict(X[:40]), sample_weight=WEIGHT)
    assert model.validation_scores_[-1] == pytest.approx(expected, rel=1e-6)
    assert expected != pytest.approx(r2_score(Y[:40], model.predict(X[:40])), rel=1e-6)


def test_a_type_error_of_a_scorer_is_the_users():
    def scorer(model, X, y, sample_weight=None):
        return len(model)

    with pytest.raises(TypeError, match=r"^scoring=<function .*scorer at .*has no len\(\)\. "):
        fitted(TwoLayerRegressor, scorer, WEIGHT)


@pytest.mark.parametrize("answer", [None, "good", {"r2": 1.0}, [0.5]])
def test_an_answer_that_is_no_number_names_the_scoring(answer):
    def scorer(model, X, y):
        return answer

    with pytest.raises(TypeError, match=r"scoring=<function .*scorer.* returned .* one number"):
        fitted(TwoLayerRegressor, scorer, None, early_stopping=True)


@pytest.mark.parametrize("answer", [np.float32(0.5), np.array(0.5), True, 1])
def test_numbers_of_other_types_are_scores(answer):
    model, _ = fitted(TwoLayerRegressor, lambda model, X, y: answer, None)
    assert set(model.validation_scores_) == {float(answer)}


def test_a_name_for_two_classes_has_others_for_more():
    three = np.digitize(Y, [-0.5, 0.5])
    model = TwoLayerClassifier(4, alpha=0.01, scoring="roc_auc", early_stopping=True)
    with pytest.raises(ValueError, match=r"scoring='roc_auc' cannot score.*'roc_auc_ovr'"):
        model.fit(X, three)
    model.set_params(scoring="roc_auc_ovr", random_state=0).fit(X, three)
    assert model.best_validation_score_ <= 1


@pytest.mark.parametrize(
    ("Estimator", "y", "scoring", "advice"),
    [
        (TwoLayerRegressor, Y, "roc_auc", "such as 'loss'."),
        (TwoLayerRegressor, Y, "neg_brier_score", "such as 'loss'."),
        (TwoLayerRegressor, Y, "accuracy", "such as 'loss'."),
        (TwoLayerRegressor, Y > 0, "f1", "such as 'loss'."),
        (TwoLayerClassifier, LABELS, "r2", "such as 'loss'."),
        (TwoLayerClassifier, np.digitize(Y, [-1, 1]), "f1", "'f1_samples', 'f1_weighted', 'loss'."),
        (TwoLayerClassifier, LABELS, "average_precision", "make_scorer(..., pos_label=)."),
        (TwoLayerClassifier, LABELS, "neg_brier_score", "make_scorer(..., pos_label=)."),
    ],
)
def test_a_name_that_cannot_score_such_targets_is_told_with_the_way_out(
    Estimator, y, scoring, advice
):
    with pytest.raises(ValueError) as refusal:
        Estimator(4, scoring=scoring, early_stopping=True, random_state=0).fit(X, y)
    message = str(refusal.value)
    assert message.startswith(f"scoring={scoring!r} cannot score these rows: ")
    assert ". Choose another scoring, such as " in message
    assert ".. Choose" not in message
    assert message.endswith(advice)


def test_the_way_out_for_labels_that_are_not_0_and_1():
    how = {"response_method": "predict_proba", "pos_label": "up"}
    scoring = make_scorer(average_precision_score, **how)
    model, _ = fitted(TwoLayerClassifier, scoring, WEIGHT, early_stopping=True)
    expected = average_precision_score(
        LABELS[:40] == "up", model.predict_proba(X[:40])[:, 1], sample_weight=WEIGHT
    )
    assert model.best_validation_score_ == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("Estimator", "asks"),
    [
        (TwoLayerRegressor, lambda model, X: model.predict(X, return_std=True)),
        (TwoLayerClassifier, lambda model, X: model.predict_proba(X, moderated=True)),
    ],
)
def test_a_scorer_that_asks_for_error_bars_is_told_that_the_fit_has_not_ended(Estimator, asks):
    """And not that the network is too large for any."""
    with pytest.raises(ValueError, match=r"no error bars: .* this one has not ended: let scorers"):
        fitted(Estimator, lambda model, X, y: asks(model, X), None, early_stopping=True)


def test_an_error_without_words_is_named_by_its_kind():
    def scorer(model, X, y):
        raise ValueError

    with pytest.raises(ValueError, match=r"cannot score these rows: ValueError\. Choose another"):
        fitted(TwoLayerRegressor, scorer, None)
