"""What both estimators share: fitted attributes, refused fits, warm starts, messages."""

import re
import warnings
from functools import partial
from itertools import permutations

import joblib
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

SOLVERS = ["gd", "sgd", "adam", "lbfgs", "lm"]
ESTIMATORS = [TwoLayerRegressor, TwoLayerClassifier]
RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(60, 3))
Y = np.digitize(X[:, 0] + X[:, 1] ** 2, [0, 1])

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fitted(Estimator, **parameters):
    return Estimator(**{"n_hidden": 4, "alpha": 0.01, "random_state": 0, **parameters}).fit(X, Y)


def state(estimator):
    """The attributes of an estimator, bit for bit, as their hashes."""
    return {name: joblib.hash(value) for name, value in vars(estimator).items()}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_fitted_attributes(Estimator, solver):
    model = fitted(Estimator, solver=solver, max_iter=7)
    k = 1 if Estimator is TwoLayerRegressor else 3
    assert [W.shape for W in model.coefs_] == [(3, 4), (4, k)]
    assert [b.shape for b in model.intercepts_] == [(4,), (k,)]
    assert 1 <= model.n_iter_ <= 7
    assert len(model.loss_curve_) == model.n_iter_
    assert all(type(loss) is float and np.isfinite(loss) for loss in model.loss_curve_)
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.loss_ == model.best_loss_
    assert model.validation_scores_ is None
    assert model.best_validation_score_ is None
    assert model.t_ == 60 * model.n_iter_
    assert model.solver_ == solver
    assert model.n_features_in_ == 3
    assert model.n_outputs_ == k
    assert model.out_activation_ == ("identity" if k == 1 else "softmax")


@pytest.mark.parametrize("solver", ["gd", "lbfgs", "lm"])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_loss_of_full_batch_solvers_never_grows(Estimator, solver):
    curve = fitted(Estimator, solver=solver, max_iter=50).loss_curve_
    assert len(curve) > 5
    assert (np.diff(curve) <= 0).all()


@pytest.mark.parametrize(("solver", "learning_rate"), [("sgd", 0.3), ("adam", 1.0)])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_stochastic_solvers_publish_their_best_epoch(Estimator, solver, learning_rate):
    settings = {"solver": solver, "learning_rate": learning_rate, "batch_size": 5}
    model = fitted(Estimator, max_iter=41, learning_rate_schedule="constant", **settings)
    curve = np.array(model.loss_curve_)
    assert curve[-1] > curve.min()
    assert model.loss_ == curve.min() < curve[0]
    assert model.loss_and_gradient(X, Y)[0] == pytest.approx(model.loss_, rel=1e-12)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_loss_is_the_objective_of_the_published_weights(Estimator, solver, standardize):
    model = fitted(Estimator, solver=solver, max_iter=20, standardize=standardize, alpha=0.1)
    loss, coef_gradients, intercept_gradients = model.loss_and_gradient(X, Y)
    assert loss == pytest.approx(model.loss_, rel=1e-12)
    assert [g.shape for g in coef_gradients] == [W.shape for W in model.coefs_]
    assert [g.shape for g in intercept_gradients] == [b.shape for b in model.intercepts_]


@pytest.mark.parametrize("alpha", ["evidence", 0.1])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_numbers_are_those_of_python(Estimator, alpha):
    """As the annotations say: those of NumPy are printed otherwise."""
    for dtype in (np.float32, np.float64):
        model = Estimator(4, alpha=alpha, solver="lm", random_state=0).fit(X.astype(dtype), Y)
        numbers = [model.loss_and_gradient(X, Y)[0], model.score(X, Y), model.loss_]
        numbers += [model.n_effective_params_, model.best_loss_, *model.loss_curve_]
        if alpha == "evidence":
            numbers.append(model.log_marginal_likelihood_)
        assert {type(number) for number in numbers} == {float}


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_at_a_minimum_the_public_gradient_vanishes(Estimator):
    model = fitted(Estimator, solver="lbfgs", tol=1e-9, max_iter=20_000)
    _, coef_gradients, intercept_gradients = model.loss_and_gradient(X, Y)
    assert max(np.abs(g).max() for g in coef_gradients + intercept_gradients) < 1e-7


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_public_gradient_is_with_respect_to_the_published_weights(Estimator):
    scaled = X * [1, 50, 0.02] + 3
    model = Estimator(4, alpha=0.01, solver="lm", max_iter=3, random_state=0).fit(scaled, Y)

    def loss_after(array, change):
        array += change
        loss, _, _ = model.loss_and_gradient(scaled, Y)
        array -= change
        return loss

    _, coef_gradients, intercept_gradients = model.loss_and_gradient(scaled, Y)
    arrays = model.coefs_ + model.intercepts_
    for array, gradient in zip(arrays, coef_gradients + intercept_gradients):
        direction = 1e-5 * np.random.RandomState(1).normal(size=array.shape) * np.abs(array)
        slope = (loss_after(array, direction) - loss_after(array, -direction)) / 2
        assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-6, abs=1e-9)


REFUSALS = [
    ("a parameter", X, Y, None, {"alpha": -1}),
    ("NaN in X", np.where(X > 2, np.nan, X), Y, None, {}),
    ("text in X", np.full((60, 3), "a"), Y, None, {}),
    ("rows of y", X, Y[:-1], None, {}),
    ("no y", X, None, None, {}),
    ("no rows", X[:0], Y[:0], None, {}),
    ("weights", X, Y, -np.ones(60), {}),
    ("overflow in X", X * 1e300, Y, None, {}),
    ("too few to validate", X[:5], Y[:5], None, {"early_stopping": True}),
    ("diverges", X, Y, None, {"solver": "gd", "learning_rate": 1e6}),
    ("shapes of a warm start", X, Y, None, {"warm_start": True, "n_hidden": 9}),
]


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case[0])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_refused_fit_leaves_no_trace(Estimator, case):
    _, bad_X, bad_y, weight, parameters = case
    model = fitted(Estimator, warm_start=True)
    before, predictions = state(model), model.predict(X)
    settings = {name: model.get_params()[name] for name in parameters}
    model.set_params(**parameters)
    with pytest.raises((ValueError, TypeError)):
        model.fit(bad_X, bad_y, weight)
    model.set_params(**settings)
    assert state(model) == before
    assert np.array_equal(model.predict(X), predictions)


@pytest.mark.parametrize("case", REFUSALS[:-1], ids=lambda case: case[0])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_refused_first_fit_leaves_the_estimator_unfitted(Estimator, case):
    _, bad_X, bad_y, weight, parameters = case
    model = Estimator(4, **{"alpha": 0.01, **parameters})
    before = state(model)
    with pytest.raises((ValueError, TypeError)):
        model.fit(bad_X, bad_y, weight)
    assert state(model) == before
    with pytest.raises(NotFittedError):
        model.predict(X)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_an_interrupted_fit_leaves_no_trace(Estimator, monkeypatch):
    model = fitted(Estimator, verbose=1)
    before = state(model)
    monkeypatch.setattr("builtins.print", lambda line: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert state(model) == before


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_second_fit_forgets_the_first(Estimator):
    first = fitted(Estimator, early_stopping=True, max_iter=5)
    first.set_params(early_stopping=False).fit(X[:, :2], Y)
    second = Estimator(4, alpha=0.01, random_state=0, max_iter=5).fit(X[:, :2], Y)
    assert state(first) == state(second)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_unfitted_estimators_say_so(Estimator):
    model = Estimator()
    is_regressor = Estimator is TwoLayerRegressor
    by_posterior = {"return_std": True} if is_regressor else {"moderated": True}
    uncertain = partial(model.predict if is_regressor else model.predict_proba, **by_posterior)
    gradient = partial(model.loss_and_gradient, y=Y)
    for call in (model.predict, uncertain, model.transform, model.input_gradient, gradient):
        with pytest.raises(NotFittedError):
            call(X)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_warm_start_goes_on_where_the_last_fit_ended(Estimator, solver):
    model = fitted(Estimator, solver=solver, warm_start=True, max_iter=8)
    loss = model.loss_
    model.fit(X, Y)
    assert model.loss_curve_[0] <= loss * 1.05
    assert model.loss_ < loss
    cold = fitted(Estimator, solver=solver, max_iter=8)
    assert model.loss_curve_[0] < cold.loss_curve_[0]
    assert len(model.loss_curve_) == model.n_iter_ <= 8


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_two_warm_fits_of_gd_are_one_long_fit(Estimator):
    settings = {"solver": "gd", "tol": 0, "standardize": False}
    parts = fitted(Estimator, warm_start=True, max_iter=10, **settings).fit(X, Y)
    whole = fitted(Estimator, max_iter=20, **settings)
    for part, one in zip(parts.coefs_ + parts.intercepts_, whole.coefs_ + whole.intercepts_):
        np.testing.assert_allclose(part, one, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("first", "second"), list(permutations(SOLVERS, 2)))
def test_a_warm_start_may_change_the_solver(first, second):
    model = fitted(TwoLayerRegressor, solver=first, warm_start=True, max_iter=5)
    loss = model.loss_
    model.set_params(solver=second).fit(X, Y)
    assert model.loss_curve_[0] <= loss * 1.05


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_warm_start_may_change_the_precision_and_the_scale(solver):
    model = fitted(TwoLayerRegressor, solver=solver, warm_start=True, max_iter=5)
    loss = model.loss_
    model.fit(X.astype(np.float32), Y)
    assert model.coefs_[0].dtype == np.float32
    assert model.loss_curve_[0] <= loss * 1.05


def test_without_warm_start_a_fit_starts_anew():
    model = fitted(TwoLayerRegressor, max_iter=5)
    first = model.predict(X)
    assert np.array_equal(model.fit(X, Y).predict(X), first)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_assigned_weights_are_used_by_predict_and_by_a_warm_start(Estimator, solver):
    source = fitted(Estimator, solver="lm", max_iter=20)
    model = fitted(Estimator, solver=solver, warm_start=True, max_iter=1)
    assert source.loss_ < model.loss_
    model.coefs_, model.intercepts_ = source.coefs_, source.intercepts_
    assert np.array_equal(model.predict(X), source.predict(X))
    assert model.loss_and_gradient(X, Y)[0] == pytest.approx(source.loss_, rel=1e-12)
    kept = [W.copy() for W in source.coefs_]
    model.fit(X, Y)
    assert model.loss_curve_[0] <= source.loss_ * 1.05
    assert all(np.array_equal(W, copy) for W, copy in zip(source.coefs_, kept))


@pytest.mark.parametrize(
    "weights",
    [
        {"coefs_": [np.ones((3, 4))]},
        {"coefs_": [np.ones((3, 4)), np.ones(4)]},
        {"coefs_": [np.ones((2, 4)), np.ones((4, 1))]},
        {"coefs_": [np.ones((3, 4)), np.ones((4, 2))], "intercepts_": [np.ones(4), np.ones(2)]},
        {"intercepts_": [np.ones(3), np.ones(1)]},
        {"intercepts_": [np.ones(4), np.ones((1, 1))]},
    ],
)
@pytest.mark.parametrize("n_rows", [1, 60])
def test_assigned_weights_of_other_shapes_are_refused_where_they_are_used(weights, n_rows):
    """Not by an error of NumPy in the middle of a product, nor with predictions of another kind."""
    model = fitted(TwoLayerRegressor)
    rows, y = X[:n_rows], Y[:n_rows]
    vars(model).update(weights)
    methods = model.predict, model.transform, model.input_gradient
    calls = [*(partial(method, rows) for method in methods), model.to_sklearn_mlp]
    for call in (*calls, partial(model.loss_and_gradient, rows, y), partial(model.score, rows, y)):
        with pytest.raises(ValueError, match=r"have shapes .*f=3 inputs and k=1 outputs needs W1"):
            call()


def test_a_network_that_was_assigned_and_never_fitted_is_not_fitted():
    model = TwoLayerRegressor()
    model.coefs_, model.intercepts_ = [np.ones((3, 4)), np.ones((4, 1))], [np.ones(4), np.ones(1)]
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_a_change_of_one_weight_changes_the_prediction():
    model = fitted(TwoLayerRegressor)
    before = model.predict(X)
    model.intercepts_[1] += 1
    np.testing.assert_allclose(model.predict(X), before + 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "data", "message"),
    [
        ({"n_hidden": 5}, (X, Y), r"shapes \(3, 4\).*n_hidden=5.*warm_start=False"),
        (
            {},
            (X[:, :2], Y),
            "X has 2 features, but .* expecting 3 .* Set warm_start=False to begin",
        ),
        ({}, (X, np.c_[Y, Y]), "2 outputs"),
    ],
)
def test_a_warm_start_with_other_shapes_is_refused(change, data, message):
    model = fitted(TwoLayerRegressor, warm_start=True).set_params(**change)
    with pytest.raises(ValueError, match=message):
        model.fit(*data)


def test_a_warm_start_with_bad_rows_need_not_begin_anew():
    model = fitted(TwoLayerRegressor, warm_start=True)
    for columns in (X, X[:, :2]):
        with pytest.raises(ValueError, match=r"^Input X contains NaN(?!.*warm_start)(?s:.)*$"):
            model.fit(np.where(columns == columns[3, 1], np.nan, columns), Y)


@pytest.mark.parametrize("y", [Y == 1, Y + 1, Y.astype(str), np.eye(3)[Y].astype(int)])
def test_a_warm_start_with_other_classes_is_refused(y):
    model = fitted(TwoLayerClassifier, warm_start=True)
    with pytest.raises(ValueError, match=r"warm_start.*classes"):
        model.fit(X, y)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_fit_that_did_not_converge_says_what_to_change(solver):
    model = TwoLayerRegressor(
        4, alpha=0.01, solver=solver, max_iter=2, learning_rate_schedule="constant"
    )
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, Y)
    message = str(caught[0].message)
    assert f"solver='{solver}'" in message
    assert "max_iter=2" in message
    assert f"Increase max_iter, or choose a tol larger than {model.tol:g}." in message
    assert caught[0].filename == __file__
    assert model.n_iter_ == 2


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_fit_that_converged_does_not_warn(solver):
    model = TwoLayerRegressor(4, solver=solver, tol=0.1, alpha=0.1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y)
    assert model.n_iter_ > 1


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
def test_verbose_prints_a_readable_line_per_iteration(solver, early_stopping, capsys):
    settings = {"solver": solver, "max_iter": 5, "early_stopping": early_stopping}
    model = fitted(TwoLayerRegressor, verbose=1, **settings)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_
    for i, line in enumerate(lines):
        words = line.split()
        assert words[:3] == ["Iteration", str(i + 1), "loss"]
        assert float(words[3]) == pytest.approx(model.loss_curve_[i], rel=1e-5)
        assert (words[4:6] == ["validation", "score"]) == early_stopping
    fitted(TwoLayerRegressor, verbose=0, **settings)
    assert capsys.readouterr() == ("", "")


def headings(capsys, estimator, X=X, y=Y):
    """What ``verbose=1`` prints besides iterations."""
    estimator.set_params(verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("Iteration") for line in lines) > 0
    return [line for line in lines if not line.startswith("Iteration")]


def test_verbose_names_the_stages_of_a_fit_that_chooses_its_penalty(capsys):
    random = np.random.RandomState(0)
    many = random.normal(size=(90, 4))
    wave = np.sin(many).sum(axis=1) + 0.1 * random.normal(size=90)
    lines = headings(capsys, TwoLayerRegressor(9, random_state=0), many, wave)
    assert lines[0] == "Learning under next to no penalty"
    assert "Evidence: a penalty for each of W1, b1, W2 and b2" in lines
    assert "Evidence: a penalty for each input, b1, W2 and b2" in lines
    assert any(line.startswith("Comparing penalties: ") for line in lines)
    assert lines[-2].startswith("Chosen: the evidence by ")
    assert lines[-1] == "To the minimum under these penalties"
    lines = headings(capsys, TwoLayerClassifier(3, random_state=0), many, wave > 0)
    assert [re.sub("on [0-9]+ left", "on n left", line) for line in lines[:5]] == [
        f"Comparing 5 penalties on n left-out rows, fold {number} of 5" for number in range(1, 6)
    ]
    assert "Comparing penalties: W2 10 times less, W1 3.16 times more" in lines[5:]
    assert lines[-2].startswith("Final fit: alpha = ")
    assert lines[-1] == "From the network of the comparison that loses least"
    members = TwoLayerClassifier(3, n_members=2, random_state=0)
    lines = headings(capsys, members, many, wave > 0)
    assert [line.split(" = ")[0] for line in lines[-2:]] == ["Learning under alpha", "Under alpha"]


def test_verbose_names_starts_members_and_pilots(capsys):
    lines = headings(capsys, TwoLayerRegressor(3, alpha=0.01, random_state=0))
    assert lines[:5] == [f"Start {number} of 5" for number in range(1, 6)]
    settings = {"alpha": 0.01, "n_members": 2, "solver": "lbfgs", "random_state": 0}
    lines = headings(capsys, TwoLayerRegressor(3, **settings))
    assert lines == ["Member 1 of 2", "Member 2 of 2"]
    lines = headings(capsys, TwoLayerRegressor(2, alpha="evidence"), X, np.c_[Y, X[:, 0]])
    assert lines[0] == "Finding the noise of each target: pilot fit 1"


def test_verbose_says_which_parameters_are_ignored(capsys):
    settings = {"alpha": 0.01, "solver": "lbfgs", "momentum": 0.5, "n_jobs": 1}
    lines = headings(capsys, TwoLayerRegressor(3, **settings))
    assert lines == [
        "n_jobs=1 is ignored: n_members=1.",
        "momentum=0.5 is ignored: solver='lbfgs' does not read it.",
    ]
    TwoLayerRegressor(3, **settings).fit(X, Y)
    assert capsys.readouterr().out == ""
