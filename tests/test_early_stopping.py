"""Early stopping, for every solver: the split, the best weights, the curves, the refusals."""

import numpy as np
import pytest
from sklearn.datasets import make_circles
from sklearn.metrics import r2_score

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._data.table import validation_split

SOLVERS = ["gd", "sgd", "adam", "lbfgs", "lm"]
RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(200, 3))
NOISY = np.sin(2 * X[:, 0]) + 0.5 * RANDOM.normal(size=200)
TWO = (NOISY > 0).astype(int)
THREE = np.digitize(NOISY, [-0.5, 0.5])
LABELS = np.c_[TWO, THREE > 0, THREE > 1].astype(int)
CASES = [
    pytest.param(TwoLayerRegressor, NOISY, id="one target"),
    pytest.param(TwoLayerRegressor, np.c_[NOISY, X[:, 1] ** 2], id="two targets"),
    pytest.param(TwoLayerClassifier, TWO, id="two classes"),
    pytest.param(TwoLayerClassifier, THREE, id="three classes"),
    pytest.param(TwoLayerClassifier, LABELS, id="labels"),
]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fitted(Estimator, y, X=X, sample_weight=None, **parameters):
    defaults = {"n_hidden": 8, "alpha": 0.01, "random_state": 3, "max_iter": 60}
    model = Estimator(**{"early_stopping": True, **defaults, **parameters})
    return model.fit(X, y, sample_weight=sample_weight)


def parts(model, y):
    """The rows that the model trained on and those that it held out."""
    strata = y if isinstance(model, TwoLayerClassifier) and y.ndim == 1 else None
    random_state = np.random.RandomState(model.random_state)
    return validation_split(len(y), strata, model.validation_fraction, random_state)


def best_step(model):
    """The number of the iteration with the best score, and of these with the least loss."""
    order = np.lexsort((model.validation_loss_curve_, -np.array(model.validation_scores_)))
    return order[0]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("Estimator", "y"), CASES)
def test_the_best_weights_are_restored(Estimator, y, solver):
    model = fitted(Estimator, y, solver=solver)
    train, held_out = parts(model, y)
    assert model.best_validation_score_ == max(model.validation_scores_)
    score = model.score(X[held_out], y[held_out])
    assert score == pytest.approx(model.best_validation_score_, rel=1e-12)
    best = best_step(model)
    assert model.loss_ == model.loss_curve_[best]
    assert model.loss_and_gradient(X[train], y[train])[0] == pytest.approx(model.loss_, rel=1e-10)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("Estimator", "y"), CASES)
def test_curves_and_counts_agree(Estimator, y, solver):
    model = fitted(Estimator, y, solver=solver)
    assert len(model.validation_scores_) == len(model.loss_curve_) == model.n_iter_ <= 60
    assert all(type(score) is float for score in model.validation_scores_)
    assert model.best_loss_ is None
    assert model.t_ == 180 * model.n_iter_


@pytest.mark.parametrize("solver", SOLVERS)
def test_it_stops_after_n_iterations_without_progress(solver):
    settings = {"n_iter_no_change": 2, "tol": 0.0, "max_iter": 2000}
    model = fitted(TwoLayerRegressor, NOISY, solver=solver, **settings)
    bar, waits = -np.inf, []
    for score in model.validation_scores_:
        waits.append(0 if score > bar else waits[-1] + 1)
        bar = max(bar, score)
    assert waits[-1] == 2
    assert max(waits[:-1]) == 1
    assert model.n_iter_ < 2000


@pytest.mark.parametrize(
    ("solver", "learning_rate"),
    [("sgd", 0.1), ("adam", 0.1), ("lbfgs", "auto"), ("lm", "auto")],
)
def test_the_weights_before_overfitting_are_kept(solver, learning_rate):
    y = np.random.RandomState(1).normal(size=60)  # nothing to learn
    settings = {"solver": solver, "learning_rate": learning_rate, "n_hidden": 30, "alpha": 0}
    settings |= {"validation_fraction": 0.5, "n_iter_no_change": 50, "max_iter": 400}
    model = fitted(TwoLayerRegressor, y, X[:60], **settings)
    best = int(np.argmax(model.validation_scores_))
    assert model.validation_scores_[-1] < model.validation_scores_[best]
    assert model.loss_ > model.loss_curve_[-1]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_the_held_out_rows_are_not_learnt(Estimator, solver):
    model = fitted(Estimator, THREE, solver=solver, n_iter_no_change=60)
    _, held_out = parts(model, THREE)
    X_changed = X.copy()
    X_changed[held_out] *= 3
    changed = fitted(Estimator, THREE, X_changed, solver=solver, n_iter_no_change=60)
    assert changed.loss_curve_ == model.loss_curve_
    assert changed.validation_scores_ != model.validation_scores_


def test_most_classifiers_do_not_stop_on_a_plateau():
    """Two rings: under 1 / S, and stopped by the accuracy alone, all stayed at the constant."""
    scores = []
    for seed in range(5):
        rings, y = make_circles(1200, noise=0.1, factor=0.8, random_state=seed)
        model = TwoLayerClassifier(early_stopping=True, random_state=seed)
        scores.append(model.fit(rings[:200], y[:200]).score(rings[200:], y[200:]))
    assert np.mean(scores) > 0.6


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_the_split_is_stratified_for_any_number_of_classes(n_classes):
    y = np.repeat(np.arange(n_classes), 200 // n_classes)
    features = RANDOM.normal(size=(len(y), 2))
    names = np.array([f"class {i}" for i in range(n_classes)])[y]
    model = fitted(TwoLayerClassifier, names, features, validation_fraction=0.2, max_iter=3)
    _, held_out = parts(model, names)
    assert np.ptp(np.bincount(y[held_out])) <= 1
    score = model.score(features[held_out], names[held_out])
    assert score == pytest.approx(model.best_validation_score_, rel=1e-12)


@pytest.mark.parametrize(("Estimator", "y"), CASES)
def test_held_out_rows_are_weighted(Estimator, y):
    weight = RANDOM.uniform(0.1, 5, size=200)
    model = fitted(Estimator, y, sample_weight=weight)
    _, held_out = parts(model, y)
    score = model.score(X[held_out], y[held_out], weight[held_out])
    assert score == pytest.approx(model.best_validation_score_, rel=1e-10)
    assert score != pytest.approx(model.score(X[held_out], y[held_out]), rel=1e-6)


def test_several_targets_are_scored_by_their_mean_r2():
    y = np.c_[NOISY, X[:, 1] ** 2]
    model = fitted(TwoLayerRegressor, y)
    _, held_out = parts(model, y)
    columns = [r2_score(y[held_out, k], model.predict(X[held_out])[:, k]) for k in range(2)]
    assert model.best_validation_score_ == pytest.approx(np.mean(columns), rel=1e-10)


def test_a_class_of_one_row_and_one_class_alone():
    rare = np.r_[7, THREE[1:]]
    assert fitted(TwoLayerClassifier, rare).classes_.tolist() == [0, 1, 2, 7]
    one = fitted(TwoLayerClassifier, np.zeros(200, int))
    assert one.best_validation_score_ == 1


@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
@pytest.mark.parametrize(("n_rows", "fraction"), [(2, 0.1), (10, 0.1), (3, 0.3), (200, 0.999)])
def test_too_few_rows_are_refused(Estimator, n_rows, fraction):
    with pytest.raises(ValueError, match=r"early_stopping holds out .* Set early_stopping=False"):
        fitted(Estimator, THREE[:n_rows], X[:n_rows], validation_fraction=fraction)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_warm_start_goes_on(solver):
    settings = {"solver": solver, "max_iter": 3, "n_iter_no_change": 60}
    model = fitted(TwoLayerRegressor, NOISY, warm_start=True, **settings)
    best, loss = model.best_validation_score_, model.loss_
    model.fit(X, NOISY)
    assert len(model.validation_scores_) == 3
    assert model.loss_curve_[0] <= loss * 1.05
    assert model.validation_scores_[0] == pytest.approx(best, abs=0.2)


def test_without_early_stopping_no_row_is_held_out():
    model = fitted(TwoLayerRegressor, NOISY, early_stopping=False)
    assert model.validation_scores_ is None
    assert model.best_validation_score_ is None
    assert model.t_ == 200 * model.n_iter_
