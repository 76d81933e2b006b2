"""The user's own validation rows, their curves, and scoring."""

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import get_scorer, log_loss, make_scorer, mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._fit.parameters import InvalidParameterError

SOLVERS = ["gd", "sgd", "adam", "lbfgs", "lm"]
RANDOM = np.random.RandomState(0)
X, X_VAL = RANDOM.normal(size=(150, 3)), RANDOM.normal(size=(60, 3))
WEIGHT_VAL = RANDOM.uniform(0.5, 3, size=60)
SETTINGS = {"n_hidden": 6, "random_state": 0, "max_iter": 30, "alpha": 1e-3}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def signal(X):
    return np.sin(2 * X[:, 0]) + 0.3 * X[:, 1]


def noisy(X):
    return 100 * signal(X) + 40 * np.random.RandomState(1).normal(size=len(X))


def three(X):
    return np.array(["low", "middle", "high"])[np.digitize(noisy(X), [-50, 50])]


def labels(X):
    return np.c_[noisy(X) > 0, noisy(X) > 50].astype(int)


LOG_LOSS = make_scorer(log_loss, response_method="predict_proba", greater_is_better=False)
CASES = [
    pytest.param(TwoLayerRegressor, noisy, id="one target"),
    pytest.param(TwoLayerRegressor, lambda X: np.c_[noisy(X), X[:, 2]], id="two targets"),
    pytest.param(TwoLayerClassifier, lambda X: noisy(X) > 0, id="two classes"),
    pytest.param(TwoLayerClassifier, three, id="three classes"),
    pytest.param(TwoLayerClassifier, labels, id="labels"),
]


def fitted(Estimator, target, *, X=X, X_val=X_VAL, weight=None, **parameters):
    model = Estimator(**{**SETTINGS, **parameters})
    return model.fit(X, target(X), X_val=X_val, y_val=target(X_val), sample_weight_val=weight)


def mean_loss(model, X, y, weight=None):
    """The loss without penalty: ``loss_and_gradient`` of a model that has none."""
    free = clone(model)
    vars(free).update({**vars(model), "penalty_": np.zeros(4)})
    return free.loss_and_gradient(X, y, weight)[0]


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("Estimator", "target"), CASES)
def test_every_solver_has_validation_curves(Estimator, target, solver, early_stopping):
    model = fitted(
        Estimator, target, solver=solver, early_stopping=early_stopping, weight=WEIGHT_VAL
    )
    curve, scores = model.validation_loss_curve_, model.validation_scores_
    assert len(curve) == len(scores) == len(model.loss_curve_) == model.n_iter_
    assert model.best_validation_score_ == max(scores)
    assert model.t_ == 150 * model.n_iter_
    if solver in ("sgd", "adam") and not early_stopping:
        published = int(np.argmin(model.loss_curve_))
    else:
        best = np.lexsort((curve, -np.array(scores)))[0]  # of equal scores that of the least loss
        published = best if early_stopping else -1
    y_val = target(X_VAL)
    assert scores[published] == pytest.approx(model.score(X_VAL, y_val, WEIGHT_VAL), rel=1e-6)
    assert curve[published] == pytest.approx(mean_loss(model, X_VAL, y_val, WEIGHT_VAL), rel=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("Estimator", "target"), CASES)
def test_watching_validation_rows_changes_nothing(Estimator, target, solver):
    watched = fitted(Estimator, target, solver=solver)
    alone = Estimator(**SETTINGS, solver=solver).fit(X, target(X))
    assert watched.loss_curve_ == alone.loss_curve_
    assert np.array_equal(watched.coefs_[0], alone.coefs_[0])
    assert alone.validation_scores_ is alone.validation_loss_curve_ is None


@pytest.mark.parametrize("alpha", ["auto", "evidence", "ard"])
def test_curves_stay_side_by_side_when_lm_chooses_penalties(alpha):
    model = fitted(TwoLayerRegressor, noisy, alpha=alpha, max_iter=200)
    assert len(model.validation_loss_curve_) == len(model.loss_curve_) == model.n_iter_
    expected = mean_loss(model, X_VAL, noisy(X_VAL))
    assert model.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-6)


def test_curves_stay_side_by_side_with_several_starts():
    """Without a penalty the validation loss of the training rows is the objective."""
    model = TwoLayerRegressor(4, alpha=0.0, random_state=0)
    model.fit(X, noisy(X), X_val=X, y_val=noisy(X))
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == model.n_iter_
    np.testing.assert_allclose(model.validation_loss_curve_, model.loss_curve_, rtol=1e-6)


@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_own_rows_equal_the_rows_that_a_split_would_hold_out(solver, n_members):
    settings = {**SETTINGS, "solver": solver, "early_stopping": True, "n_members": n_members}
    random_state = np.random.RandomState(3)
    split = TwoLayerRegressor(**{**settings, "random_state": random_state}).fit(X, noisy(X))
    random_state = np.random.RandomState(3)
    kept, out = train_test_split(np.arange(150), test_size=15, random_state=random_state)
    own = TwoLayerRegressor(**{**settings, "random_state": random_state})
    own.fit(X[kept], noisy(X)[kept], X_val=X[out], y_val=noisy(X)[out])
    assert own.validation_scores_ == split.validation_scores_
    assert np.array_equal(own.coefs_[0], split.coefs_[0])


@pytest.mark.parametrize(
    "scoring",
    [
        "loss",
        "neg_log_loss",
        "roc_auc",
        LOG_LOSS,
    ],
)
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_scoring_decides_when_to_stop(scoring, own, weighted):
    y, y_val = noisy(X) > 0, noisy(X_VAL) > 0
    model = TwoLayerClassifier(
        **{**SETTINGS, "max_iter": 200, "alpha": 0},
        solver="lbfgs",
        early_stopping=True,
        scoring=scoring,
        tol=1e-3,
    )
    weights = {"sample_weight": np.repeat([1.0, 2.0], 75)} if weighted else {}
    if own:
        weight_val = {"sample_weight_val": WEIGHT_VAL} if weighted else {}
        model.fit(X, y, **weights, X_val=X_VAL, y_val=y_val, **weight_val)
        weight = WEIGHT_VAL if weighted else None
        if scoring == "loss":
            assert -mean_loss(model, X_VAL, y_val, weight) == pytest.approx(
                model.best_validation_score_, rel=1e-9
            )
        elif isinstance(scoring, str):
            scorer = get_scorer(scoring)
            found = scorer(model, X_VAL, y_val, sample_weight=weight)
            assert found == pytest.approx(model.best_validation_score_, rel=1e-9)
    else:
        model.fit(X, y, **weights)
    assert model.best_validation_score_ == max(model.validation_scores_)
    if scoring == "loss":
        assert np.allclose(model.validation_scores_, -np.array(model.validation_loss_curve_))
    assert 1 < len(model.validation_scores_) < 200


def test_a_callable_sees_the_rows_and_a_fitted_model():
    seen = []

    def scorer(model, X, y):
        seen.append((X, y, model))
        return -mean_absolute_error(y, model.predict(X))

    model = fitted(TwoLayerRegressor, noisy, solver="lm", scoring=scorer)
    assert len(seen) == model.n_iter_
    assert np.array_equal(seen[0][0], X_VAL)
    assert np.array_equal(seen[0][1], noisy(X_VAL))
    assert model.validation_scores_[-1] == scorer(model, X_VAL, noisy(X_VAL))


def test_a_scorer_reads_labels_and_class_names():
    model = fitted(TwoLayerClassifier, three, scoring="f1_macro", early_stopping=True)
    scorer = get_scorer("f1_macro")
    assert scorer(model, X_VAL, three(X_VAL)) == pytest.approx(model.best_validation_score_)


def test_class_weights_stay_with_the_training_rows():
    model = fitted(TwoLayerClassifier, three, class_weight={"low": 5.0}, solver="lbfgs")
    assert model.score(X_VAL, three(X_VAL)) == pytest.approx(model.validation_scores_[-1])


def test_sparse_validation_rows_equal_dense_ones():
    dense = fitted(TwoLayerRegressor, noisy, solver="lbfgs")
    model = TwoLayerRegressor(**SETTINGS, solver="lbfgs")
    model.fit(X, noisy(X), X_val=sparse.csr_array(X_VAL), y_val=noisy(X_VAL))
    assert np.allclose(model.validation_loss_curve_, dense.validation_loss_curve_, rtol=1e-10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X_val": X_VAL}, "y_val is missing: pass both"),
        ({"y_val": noisy(X_VAL)}, "X_val is missing: pass both"),
        ({"sample_weight_val": WEIGHT_VAL}, "needs X_val and y_val"),
        ({"X_val": X_VAL[:, :2], "y_val": noisy(X_VAL)}, "X has 2 features, but .* 3 features"),
        ({"X_val": X_VAL, "y_val": noisy(X_VAL)[:5]}, "inconsistent numbers of samples"),
        ({"X_val": X_VAL, "y_val": np.c_[X_VAL[:, :2]]}, "^y_val has shape .* 1 output"),
        (
            {"X_val": X_VAL, "y_val": noisy(X_VAL), "sample_weight_val": -WEIGHT_VAL},
            "must not be negative",
        ),
    ],
)
def test_bad_validation_data_are_refused(arguments, message):
    model = TwoLayerRegressor(**SETTINGS).fit(X, noisy(X))
    before = model.predict(X)
    with pytest.raises(ValueError, match=message):
        model.fit(X, -noisy(X), **arguments)
    assert np.array_equal(model.predict(X), before)


def test_unknown_labels_are_refused():
    with pytest.raises(ValueError, match=r"^y_val has the labels \['odd'\]"):
        TwoLayerClassifier().fit(X, three(X), X_val=X_VAL, y_val=["odd"] * 60)


def test_a_score_that_is_no_number_is_refused():
    def undefined(model, X, y):
        return np.nan

    with pytest.raises(ValueError, match="score of the validation rows is nan"):
        fitted(TwoLayerRegressor, noisy, scoring=undefined)


@pytest.mark.parametrize("scoring", ["accurate", 3, ["r2"]])
def test_unknown_scorings_are_refused(scoring):
    with pytest.raises(InvalidParameterError, match="get_scorer_names"):
        TwoLayerRegressor(scoring=scoring).fit(X, noisy(X))


@pytest.fixture
def metadata_routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_a_pipeline_transforms_the_validation_rows(metadata_routing):
    table, target = load_diabetes(return_X_y=True)
    X, X_val, y, y_val = train_test_split(1000 * table + 7, target, random_state=0)
    network = TwoLayerRegressor(5, alpha=1e-2, early_stopping=True, random_state=0)
    network.set_fit_request(X_val=True, y_val=True)
    pipeline = make_pipeline(StandardScaler(), network, transform_input=["X_val"])
    pipeline.fit(X, y, X_val=X_val, y_val=y_val)
    best = pipeline[-1].best_validation_score_
    assert pipeline.score(X_val, y_val) == pytest.approx(best, rel=1e-10)
    assert best > 0.3


def test_weights_are_routed_through_search_and_cross_validation(metadata_routing):
    X, kind = load_breast_cancer(return_X_y=True)
    X, X_val, kind, kind_val = train_test_split(X, kind, random_state=0)
    weight = np.random.RandomState(0).uniform(0.1, 2, size=len(kind))
    network = TwoLayerClassifier(3, solver="lbfgs", early_stopping=True, scoring="loss")
    network.set_fit_request(sample_weight=True, X_val=True, y_val=True)
    scoring = get_scorer("accuracy").set_score_request(sample_weight=True)
    scaler = StandardScaler().set_fit_request(sample_weight=True)
    pipeline = make_pipeline(scaler, network, transform_input=["X_val"])
    metadata = {"sample_weight": weight, "X_val": X_val, "y_val": kind_val}
    options = {"scoring": scoring, "cv": 3, "error_score": "raise"}
    scores = cross_validate(pipeline, X, kind, params=metadata, **options)
    assert scores["test_score"].mean() > 0.9
    grid = {"twolayerclassifier__alpha": [1e-3, 1e-1]}
    search = GridSearchCV(pipeline, grid, **options).fit(X, kind, **metadata)
    assert search.best_estimator_[-1].validation_loss_curve_
    assert search.best_score_ > 0.9


def test_validation_data_pass_through_a_search_without_routing():
    search = GridSearchCV(TwoLayerRegressor(4, random_state=0), {"alpha": [1e-2, 1e-1]}, cv=3)
    search.fit(X, noisy(X), X_val=X_VAL, y_val=noisy(X_VAL))
    model = search.best_estimator_
    expected = r2_score(noisy(X_VAL), model.predict(X_VAL))
    assert model.validation_scores_[-1] == pytest.approx(expected)


def test_named_columns_are_compared_with_those_of_the_fit():
    pandas = pytest.importorskip("pandas")
    frame, frame_val = (pandas.DataFrame(part, columns=list("abc")) for part in (X, X_VAL))
    model = TwoLayerRegressor(**SETTINGS, early_stopping=True, scoring="neg_mean_absolute_error")
    model.fit(frame, noisy(X), X_val=frame_val, y_val=noisy(X_VAL))
    assert model.feature_names_in_.tolist() == list("abc")
    with pytest.raises(ValueError, match="same order"):
        model.fit(frame, noisy(X), X_val=frame_val[["b", "a", "c"]], y_val=noisy(X_VAL))


def unweighted_scorer(estimator, X, y):
    return estimator.score(X, y)


@pytest.mark.parametrize("scoring", [unweighted_scorer, "neg_max_error"])
def test_a_scorer_that_weighs_no_rows_may_score_weighted_ones(scoring):
    model = TwoLayerRegressor(solver="lbfgs", early_stopping=True, scoring=scoring, **SETTINGS)
    model.fit(X, signal(X), np.linspace(1, 2, len(X)))
    assert model.best_validation_score_ == max(model.validation_scores_)
