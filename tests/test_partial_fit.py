"""partial_fit: one epoch for each call, and what goes on from call to call."""

import inspect
import pickle
from copy import deepcopy

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, learning_curve
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(150, 3)) * [1, 5, 1] + [0, 20, 0]
SIGNAL = np.sin(X[:, 0]) + 0.1 * X[:, 1]
THREE = np.array(["low", "middle", "high"])[np.digitize(SIGNAL, [1.5, 2.5])]
LABELS = np.c_[SIGNAL > 2, X[:, 2] > 0].astype(int)
WEIGHT = RANDOM.randint(1, 4, size=150)
SOLVERS = pytest.mark.parametrize("solver", ["sgd", "adam"])
CASES = [
    pytest.param(TwoLayerRegressor, SIGNAL, None, id="one target"),
    pytest.param(TwoLayerRegressor, np.c_[SIGNAL, 9 * X[:, 2] ** 2], None, id="two targets"),
    pytest.param(TwoLayerClassifier, SIGNAL > 2, [False, True], id="two classes"),
    pytest.param(TwoLayerClassifier, THREE, ["middle", "low", "high"], id="three classes"),
    pytest.param(TwoLayerClassifier, LABELS, [0, 1], id="labels"),
]
ALL_CASES = pytest.mark.parametrize(("Estimator", "y", "classes"), CASES)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_parameters_have_the_order_of_scikit_learns_network():
    """Its classes come last, unlike those of ``SGDClassifier``."""
    ours = inspect.signature(TwoLayerClassifier.partial_fit).parameters
    assert list(ours) == ["self", "X", "y", "sample_weight", "classes"]


def network(Estimator, **parameters):
    settings = {"n_hidden": 6, "solver": "adam", "random_state": 0, "batch_size": 40}
    settings["alpha"] = 0.001  # "auto" goes by the rows of all calls
    return Estimator(**{**settings, **parameters})


def streamed(model, X, y, classes=None, n_calls=1, **arguments):
    if classes is not None:
        arguments["classes"] = classes
    for _ in range(n_calls):
        model.partial_fit(X, y, **arguments)
    return model


@SOLVERS
@ALL_CASES
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_calls_with_all_rows_equal_the_epochs_of_a_fit(Estimator, y, classes, solver, weight):
    model = network(Estimator, solver=solver)
    streamed(model, X, y, classes, n_calls=30, sample_weight=weight)
    whole = network(
        Estimator, solver=solver, max_iter=30, learning_rate_schedule="constant", tol=0
    ).fit(X, y, weight)
    assert model.loss_curve_ == whole.loss_curve_
    assert model.n_iter_ == whole.n_iter_ == 30
    assert model.t_ == whole.t_
    assert model.best_loss_ == whole.best_loss_ == whole.loss_
    if model.loss_ == model.best_loss_:
        assert all(np.array_equal(a, b) for a, b in zip(model.coefs_, whole.coefs_))


@SOLVERS
def test_the_weights_are_those_of_the_fit_too(solver):
    """Up to the epoch in which the loss is least, which is the one that fit publishes."""
    options = {"solver": solver, "learning_rate": 1e-3}
    model = streamed(network(TwoLayerRegressor, **options), X, SIGNAL, n_calls=30)
    whole = network(
        TwoLayerRegressor, max_iter=30, learning_rate_schedule="constant", tol=0, **options
    ).fit(X, SIGNAL)
    assert whole.loss_ == whole.loss_curve_[-1]
    for name in ("coefs_", "intercepts_"):
        pairs = zip(getattr(model, name), getattr(whole, name))
        assert all(np.array_equal(a, b) for a, b in pairs)
    assert np.array_equal(model.predict(X), whole.predict(X))


@pytest.mark.parametrize("random_state", [None, 3, np.random.RandomState(3)])
def test_the_random_stream_goes_on(random_state):
    state = deepcopy(random_state)
    model = network(TwoLayerRegressor, random_state=state)
    first = streamed(model, X, SIGNAL, n_calls=1).coefs_[0]
    second = streamed(model, X, SIGNAL, n_calls=1).coefs_[0]
    assert not np.array_equal(first, second)
    if random_state is not None:
        fresh = network(TwoLayerRegressor, random_state=deepcopy(random_state))
        assert np.array_equal(streamed(fresh, X, SIGNAL, n_calls=2).coefs_[0], second)


def test_the_first_call_fixes_the_scaling():
    model = network(TwoLayerRegressor).partial_fit(X[:75], SIGNAL[:75])
    scaling = model._learned_.scale
    assert np.allclose(scaling.mean, X[:75].mean(axis=0))
    model.partial_fit(1000 * X[75:], SIGNAL[75:])
    assert model._learned_.scale is scaling


def test_scaling_can_be_left_to_a_scaler_before():
    scaler = StandardScaler().fit(X)
    model = network(TwoLayerRegressor, standardize=False, learning_rate=0.1)
    for _ in range(50):
        for start in range(0, 150, 30):
            rows = slice(start, start + 30)
            model.partial_fit(scaler.transform(X[rows]), SIGNAL[rows])
    assert model.score(scaler.transform(X), SIGNAL) > 0.9


@ALL_CASES
def test_batches_of_any_size_and_kind(Estimator, y, classes):
    model = network(Estimator, learning_rate=0.1)
    arguments = {} if classes is None else {"classes": classes}
    for _ in range(60):
        for start, stop in ((0, 60), (60, 61), (61, 150)):
            rows = sparse.csr_array(X[start:stop]) if start else X[start:stop]
            model.partial_fit(rows, y[start:stop], **arguments)
            arguments = {}
    assert model.n_iter_ == 180 == len(model.loss_curve_)
    assert model.t_ == 60 * 150
    assert model.score(X, y) > 0.8


def test_a_class_that_comes_late_is_learnt():
    order = np.argsort(THREE)
    model = network(TwoLayerClassifier, learning_rate=0.03)
    model.partial_fit(X[order[:60]], THREE[order[:60]], classes=np.unique(THREE))
    assert len(np.unique(THREE[order[:60]])) < 3
    assert (model.predict_proba(X) > 1e-3).any(axis=0).all()
    streamed(model, X, THREE, n_calls=200)
    assert model.score(X, THREE) > 0.9


def test_class_weights_hold_for_classes_that_a_batch_lacks():
    weight = {"low": 3.0, "middle": 1.0, "high": 2.0}
    model = network(TwoLayerClassifier, class_weight=weight)
    factor = np.array([weight[label] for label in THREE])
    plain = network(TwoLayerClassifier)
    for rows in (slice(0, 2), slice(2, 150)):
        model.partial_fit(X[rows], THREE[rows], classes=np.unique(THREE))
        plain.partial_fit(X[rows], THREE[rows], factor[rows], classes=np.unique(THREE))
    assert np.array_equal(model.coefs_[0], plain.coefs_[0])


@SOLVERS
def test_it_goes_on_after_fit_and_after_new_weights(solver):
    model = network(TwoLayerRegressor, solver=solver, max_iter=50).fit(X, SIGNAL)
    loss, curve = model.loss_, model.loss_curve_
    model.partial_fit(X, SIGNAL)
    assert model.loss_ == pytest.approx(loss, rel=0.2)
    assert model.loss_curve_[:-1] == curve
    model.coefs_ = [np.zeros_like(W) for W in model.coefs_]
    model.intercepts_ = [np.zeros_like(b) for b in model.intercepts_]
    model.set_params(learning_rate=1e-9).partial_fit(X, SIGNAL)
    assert np.abs(model.predict(X)).max() < 1e-3


def test_the_first_batch_is_one_step_from_the_weights_that_the_user_has_set():
    model = network(TwoLayerRegressor, solver="sgd", momentum=0, batch_size=len(X))
    model.set_params(learning_rate=1e-3, standardize=False)
    fitted = clone(model).partial_fit(X, SIGNAL)
    _, coef_gradients, intercept_gradients = fitted.loss_and_gradient(X, SIGNAL)
    model.coefs_, model.intercepts_ = fitted.coefs_, fitted.intercepts_
    model.partial_fit(X, SIGNAL)
    for W, before, slope in zip(model.coefs_, fitted.coefs_, coef_gradients):
        np.testing.assert_allclose(W, before - 1e-3 * slope, rtol=1e-12)
    for b, before, slope in zip(model.intercepts_, fitted.intercepts_, intercept_gradients):
        np.testing.assert_allclose(b, before - 1e-3 * slope, rtol=1e-12)


def test_a_fit_starts_a_new_stream():
    model = streamed(network(TwoLayerRegressor), X, SIGNAL, n_calls=5)
    again = model.fit(X, SIGNAL).coefs_[0]
    assert np.array_equal(again, network(TwoLayerRegressor).fit(X, SIGNAL).coefs_[0])
    assert clone(model).partial_fit(X, SIGNAL).n_iter_ == 1


def test_a_warm_start_takes_the_moments_along():
    model = network(TwoLayerRegressor, warm_start=True, max_iter=3)
    streamed(model, X, SIGNAL, n_calls=5)
    assert model._learned_.resume.state.n_steps == 20
    assert model.fit(X, SIGNAL).loss_curve_[0] < model.partial_fit(X, SIGNAL).loss_curve_[0] * 2


def test_the_solver_may_change_between_calls():
    """From the weights that there are; only moments of the other solver are left behind."""
    model = network(TwoLayerRegressor, warm_start=True, max_iter=3, tol=0)
    streamed(model, X, SIGNAL, n_calls=20)
    for solver in ("sgd", "adam"):
        before = model.loss_
        model.set_params(solver=solver).partial_fit(X, SIGNAL)
        assert model.solver_ == solver
        assert model.loss_ < 1.2 * before
    for solver in ("sgd", "adam", "lm", "adam"):
        before = model.loss_
        model.set_params(solver=solver).fit(X, SIGNAL)
        assert model.solver_ == solver
        assert model.loss_ < 1.2 * before


def test_a_stream_survives_a_pickle():
    model = streamed(network(TwoLayerRegressor), X, SIGNAL, n_calls=2)
    copy = pickle.loads(pickle.dumps(model))
    for each in (model, copy):
        streamed(each, X, SIGNAL, n_calls=2)
    assert np.array_equal(model.coefs_[0], copy.coefs_[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_first_call_fixes_the_dtype(dtype):
    model = network(TwoLayerRegressor).partial_fit(X.astype(dtype), SIGNAL)
    model.partial_fit(X, SIGNAL)
    assert model.coefs_[0].dtype == model.predict(X).dtype == dtype


def test_alpha_auto_is_that_of_a_fit_to_the_rows_of_all_calls():
    model = streamed(network(TwoLayerRegressor, alpha="auto"), X, SIGNAL, n_calls=3)
    rows, target = np.tile(X, (3, 1)), np.tile(SIGNAL, 3)
    whole = network(TwoLayerRegressor, alpha="auto", max_iter=3).fit(rows, target)
    assert np.array_equal(model.penalty_, whole.penalty_)
    assert model.loss_and_gradient(X, SIGNAL)[0] == pytest.approx(model.loss_)


def test_it_has_no_error_bars():
    model = network(TwoLayerRegressor, max_iter=3).fit(X, SIGNAL)
    assert model.predict(X, return_std=True)[1].all()
    with pytest.raises(ValueError, match="trained by partial_fit"):
        model.partial_fit(X, SIGNAL).predict(X, return_std=True)
    assert not hasattr(model, "n_effective_params_")


@pytest.mark.parametrize("solver", ["auto", "lm", "lbfgs", "gd"])
@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_other_solvers_do_not_have_it(Estimator, solver):
    model = Estimator(solver=solver)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError, match="has no attribute 'partial_fit'") as error:
        model.partial_fit(X, THREE)
    assert "solver='sgd' or solver='adam'" in str(error.value.__cause__)


@pytest.mark.parametrize(
    ("parameters", "arguments", "message"),
    [
        ({}, {}, r"needs classes: .*classes=np.unique\(y_all\)"),
        ({}, {"classes": []}, r"classes=\[\] is not valid: .*classes=np.unique\(y_all\)"),
        ({}, {"classes": {*THREE}}, "an array or a list of all labels"),
        ({}, {"classes": [*THREE, None]}, "none of them missing"),
        (
            {"class_weight": dict.fromkeys(THREE, 0)},
            {"classes": THREE},
            "every row the weight zero",
        ),
        ({}, {"classes": ["low", "high"]}, r"y has the labels \['middle'\]"),
        ({"early_stopping": True}, {"classes": THREE}, "early_stopping=False and score"),
        ({"n_members": 2}, {"classes": THREE}, "Set n_members=1"),
        ({"class_weight": "balanced"}, {"classes": THREE}, "compute_class_weight"),
        ({"class_weight": {"odd": 2}}, {"classes": THREE}, r"names \['odd'\]"),
        ({"alpha": "evidence"}, {"classes": THREE}, "or choose a float or 'auto'"),
    ],
)
def test_a_call_without_meaning_is_refused(parameters, arguments, message):
    model = network(TwoLayerClassifier, **parameters)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, THREE, **arguments)
    assert not hasattr(model, "coefs_")


def test_classes_of_a_matrix_of_labels_are_its_columns():
    """And there need not have been a call before."""
    model = network(TwoLayerClassifier)
    for wrong in ([0], [1, 2], ["a", "b"]):
        with pytest.raises(ValueError, match=r"are not valid: .* its columns, \[0, 1\]\.$"):
            model.partial_fit(X, LABELS, classes=wrong)
    model.partial_fit(X, LABELS, classes=[0, 1])
    with pytest.raises(ValueError, match="not those of the first call"):
        model.partial_fit(X, LABELS, classes=[0, 1, 2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: model.partial_fit(X[:, :2], THREE), "X has 2 features"),
        (lambda model: model.partial_fit(X, THREE, classes=["low"]), "are not those of the first"),
        (lambda model: model.partial_fit(X, THREE, classes=[]), r"classes=\[\] is not valid"),
        (
            lambda model: model.partial_fit(X[THREE == "low"], THREE[THREE == "low"]),
            "class_weight={'low': 0} gives every row the weight zero",
        ),
        (lambda model: model.partial_fit(X, THREE[:5]), "inconsistent numbers of samples"),
        (lambda model: model.partial_fit(X, np.full(150, "odd")), r"labels \['odd'\]"),
        (
            lambda model: model.set_params(n_hidden=9).partial_fit(X, THREE),
            "n_hidden=9 needs .* Start with a clone",
        ),
    ],
)
def test_a_refused_call_leaves_everything_as_it_was(call, message):
    model = network(TwoLayerClassifier, class_weight={"low": 0})
    model.partial_fit(X, THREE, classes=np.unique(THREE))
    before = {**vars(model), "n_hidden": 9}
    with pytest.raises(ValueError, match=message):
        call(model)
    assert {**vars(model), "n_hidden": 9}.items() >= before.items()


def test_a_regressor_keeps_its_number_of_targets():
    model = network(TwoLayerRegressor).partial_fit(X, SIGNAL)
    with pytest.raises(ValueError, match="fitted to 1 outputs"):
        model.partial_fit(X, np.c_[SIGNAL, SIGNAL])


def test_batches_of_images_and_routed_weights():
    images, digits = load_digits(return_X_y=True)
    with sklearn.config_context(enable_metadata_routing=True):
        model = network(TwoLayerClassifier, n_hidden=20, learning_rate=0.01)
        model.set_partial_fit_request(sample_weight=True, classes=True)
        assert model.get_metadata_routing().partial_fit.requests["classes"] is True
    for start in [*range(0, 1500, 100)] * 4:
        rows = slice(start, start + 100)
        model.partial_fit(images[rows], digits[rows], classes=np.arange(10))
    assert model.score(images[1500:], digits[1500:]) > 0.85


def test_learning_curve_exploits_it():
    model = network(TwoLayerClassifier, learning_rate=0.03)
    sizes, scores, _ = learning_curve(
        model, X, SIGNAL > 2, exploit_incremental_learning=True, shuffle=True, random_state=0
    )
    assert np.isfinite(scores).all()
    assert len(sizes) == 5


def test_a_search_over_stochastic_solvers_still_fits():
    search = GridSearchCV(network(TwoLayerRegressor), {"solver": ["sgd", "adam"]}, cv=2)
    model = search.fit(X, SIGNAL).best_estimator_
    n_iter = model.n_iter_
    assert model.partial_fit(X, SIGNAL).n_iter_ == n_iter + 1


def test_a_refused_call_draws_no_random_numbers():
    models = [network(TwoLayerRegressor).partial_fit(X, SIGNAL) for _ in range(2)]
    with pytest.raises(ValueError, match="values too large"):
        models[0].partial_fit(X, SIGNAL * 1e300)
    for model in models:
        model.partial_fit(X, SIGNAL)
    np.testing.assert_array_equal(models[0].coefs_[0], models[1].coefs_[0])


def test_a_column_that_is_constant_in_the_first_batch_has_its_weights():
    """It need not stay so, but nothing tells its unit; one of zeros may be an indicator."""
    rows = np.column_stack([X, np.zeros(len(X)), np.ones(len(X)), np.full(len(X), 5.0)])
    constant = rf"In the first batch column {rows.shape[1] - 1} of X is constant, 5: the first"
    with pytest.warns(UserWarning, match=constant):
        model = network(TwoLayerRegressor).partial_fit(rows, SIGNAL)
    assert abs(model.coefs_[0][-1]).min() > 0
    model.partial_fit(rows, SIGNAL)  # of later batches nothing is said


def test_a_first_batch_of_one_row_tells_no_units():
    others = rf"column 0 .* and {X.shape[1]} more column\(s\) are: .* scale X and y"  # y too
    with pytest.warns(UserWarning, match=others):
        network(TwoLayerRegressor).partial_fit(1 + abs(X[:1]), [7.0])
    network(TwoLayerRegressor).set_params(standardize=False).partial_fit(1 + abs(X[:1]), [7.0])
