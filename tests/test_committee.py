"""A committee of networks is one network: the mean of its members, each from its own start."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from joblib import parallel_config
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import log_loss, mean_squared_error, r2_score

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._fit import run
from sklearn_twolayer._fit.run import member_states

ESTIMATORS = [TwoLayerRegressor, TwoLayerClassifier]
SOLVERS = ["lm", "lbfgs", "adam", "sgd", "gd"]
X = np.random.RandomState(0).normal(size=(60, 3))
Y = np.digitize(X[:, 0] + X[:, 1] * X[:, 2], [-0.5, 0.5])

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fitted(Estimator, X=X, y=Y, sample_weight=None, **parameters):
    settings = {"n_hidden": 4, "alpha": 0.01, "n_members": 3, "max_iter": 10, "random_state": 0}
    return Estimator(**{**settings, **parameters}).fit(X, y, sample_weight=sample_weight)


def raw(model, X=X):
    if isinstance(model, TwoLayerRegressor):
        return model.predict(X)
    return model.decision_function(X)


def weights(model):
    return model.coefs_ + model.intercepts_


def members(Estimator, n_members=3, random_state=0, **parameters):
    """The members, each fitted by itself with its random state."""
    states = member_states(np.random.RandomState(random_state), n_members)
    return [fitted(Estimator, n_members=1, random_state=state, **parameters) for state in states]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_first_member_is_the_single_network(Estimator, solver):
    committee = fitted(Estimator, solver=solver)
    single = fitted(Estimator, solver=solver, n_members=1)
    np.testing.assert_array_equal(committee.coefs_[0][:, :4], single.coefs_[0])
    np.testing.assert_array_equal(committee.intercepts_[0][:4], single.intercepts_[0])
    np.testing.assert_allclose(committee.coefs_[1][:4] * 3, single.coefs_[1], rtol=1e-15)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_raw_prediction_is_the_mean_of_the_members(Estimator, solver):
    expected = np.mean([raw(model) for model in members(Estimator, solver=solver)], axis=0)
    committee = fitted(Estimator, solver=solver)
    np.testing.assert_allclose(raw(committee), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("n_members", [1, 2, 5])
def test_it_is_one_network_with_all_hidden_units(n_members, n_outputs):
    y = np.stack([Y] * n_outputs, axis=1)
    model = fitted(TwoLayerRegressor, y=y, n_members=n_members, max_iter=3)
    W1, W2 = model.coefs_
    b1, b2 = model.intercepts_
    assert W1.shape == (3, 4 * n_members)
    assert b1.shape == (4 * n_members,)
    assert W2.shape == (4 * n_members, n_outputs)
    assert b2.shape == (n_outputs,)
    expected = 1 / (1 + np.exp(-(X @ W1 + b1))) @ W2 + b2
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-10, atol=1e-12)


def test_members_differ_and_do_not_depend_on_their_number():
    few, many = fitted(TwoLayerRegressor, n_members=2), fitted(TwoLayerRegressor, n_members=4)
    np.testing.assert_array_equal(many.coefs_[0][:, :8], few.coefs_[0])
    starts = many.coefs_[0].reshape(3, 4, 4)
    assert all(not np.allclose(starts[:, 0], starts[:, i]) for i in range(1, 4))


@pytest.mark.parametrize("alpha", [0.01, "auto"])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_number_of_jobs_changes_nothing(Estimator, alpha):
    one, two = (fitted(Estimator, n_jobs=n, n_members=2, alpha=alpha) for n in (None, 2))
    for first, second in zip(weights(one), weights(two)):
        np.testing.assert_array_equal(first, second)
    assert one.loss_curve_ == two.loss_curve_


def test_there_are_no_more_jobs_than_members():
    one = fitted(TwoLayerRegressor, n_members=2, alpha=0.01)
    with parallel_config("threading"):
        other = fitted(TwoLayerRegressor, n_members=2, alpha=0.01, n_jobs=10**30)
    assert np.array_equal(one.coefs_[0], other.coefs_[0])


@pytest.mark.parametrize("state", [lambda: 0, lambda: np.random.RandomState(0)])
def test_the_random_state_decides(state):
    model, again, other = (fitted(TwoLayerRegressor, random_state=s) for s in (state(), state(), 1))
    np.testing.assert_array_equal(raw(model), raw(again))
    assert not np.allclose(raw(model), raw(other))


def test_the_statistics_are_those_of_the_best_member():
    parts = members(TwoLayerRegressor, alpha="evidence", max_iter="auto")
    best = min(parts, key=lambda model: model.loss_)
    committee = fitted(TwoLayerRegressor, alpha="evidence", max_iter="auto")
    assert committee.loss_ == best.loss_
    assert committee.loss_curve_ == best.loss_curve_
    assert committee.n_iter_ == best.n_iter_
    variances = [1 / model.noise_precision_ for model in parts]
    assert 1 / committee.noise_precision_ == pytest.approx(np.mean(variances), rel=1e-12)
    np.testing.assert_array_equal(committee.prior_precision_, best.prior_precision_)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_std_is_mean_of_variances_plus_variance_of_means(n_outputs):
    y = np.c_[Y, X[:, 0] ** 2][:, :n_outputs]
    # Of several targets the evidence asks one pilot for the noise, of the first member alone.
    alpha = "evidence" if n_outputs == 1 else 0.01
    parts = members(TwoLayerRegressor, y=y, alpha=alpha)
    means, stds = zip(*(model.predict(X, return_std=True) for model in parts))
    committee = fitted(TwoLayerRegressor, y=y, alpha=alpha)
    mean, std = committee.predict(X, return_std=True)
    expected = np.sqrt(np.mean(np.square(stds), axis=0) + np.var(means, axis=0))
    np.testing.assert_allclose(mean, np.mean(means, axis=0), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(std, expected, rtol=1e-10)


def test_the_only_member_that_is_left_has_twice_the_variance_of_a_single_network(monkeypatch):
    """What the others would have told of starts is not known of it (their rows are lost here)."""
    y = X[:, 0] + np.sin(2 * X[:, 1]) + 0.1 * np.random.RandomState(1).normal(size=60)
    one = fitted(TwoLayerRegressor, y=y, alpha="auto", n_members=1)
    fit_member = run.fit_member

    def lost(*problem, watch):
        fit = fit_member(*problem, watch=watch)
        return replace(fit, left_out_share=np.inf) if watch.number else fit

    monkeypatch.setattr(run, "fit_member", lost)
    left = fitted(TwoLayerRegressor, y=y, alpha="auto", n_members=3)
    np.testing.assert_array_equal(raw(left), raw(one))
    assert left.noise_precision_ == one.noise_precision_
    variances = (m.predict(X, True)[1] ** 2 - 1 / m.noise_precision_ for m in (left, one))
    np.testing.assert_allclose(next(variances), 2 * next(variances), rtol=1e-6)


@pytest.mark.parametrize("y", [Y, (Y > 0).astype(int), np.c_[Y > 0, Y > 1].astype(int)])
def test_moderated_probabilities(y):
    model = fitted(TwoLayerClassifier, y=y, alpha="evidence")
    moderated, plain = model.predict_proba(X, moderated=True), model.predict_proba(X)
    assert moderated.shape == plain.shape
    if y.ndim == 1:
        np.testing.assert_allclose(moderated.sum(axis=1), 1, rtol=1e-12)
    if y.max() == 1:
        np.testing.assert_array_equal(moderated > 0.5, plain > 0.5)


def test_a_committee_of_classifiers_is_a_classifier():
    model = fitted(TwoLayerClassifier, y=np.array(["a", "b", "c"])[Y])
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), model.classes_[proba.argmax(axis=1)])
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(proba), rtol=1e-9)
    assert model.score(X, np.array(["a", "b", "c"])[Y]) > 0.7


def test_a_committee_of_regressors_is_a_regressor():
    model = fitted(TwoLayerRegressor)
    assert model.score(X, Y) == r2_score(Y, model.predict(X)) > 0.7


@pytest.mark.parametrize("alpha", [0.01, "evidence"])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_pickles_and_clones(Estimator, alpha):
    model = fitted(Estimator, alpha=alpha)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(raw(copy), raw(model))
    again = clone(model)
    assert again.n_members == 3
    np.testing.assert_array_equal(raw(again.fit(X, Y)), raw(model))


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_sparse_rows_and_float32(Estimator):
    holey = np.where(X > 0, X, 0)
    dense, other = fitted(Estimator, holey), fitted(Estimator, sparse.csr_array(holey))
    np.testing.assert_allclose(raw(other, holey), raw(dense, holey), rtol=1e-6, atol=1e-8)
    single = fitted(Estimator, X.astype(np.float32))
    assert {array.dtype for array in weights(single)} == {np.dtype(np.float32)}
    np.testing.assert_allclose(raw(single, X.astype(np.float32)), raw(fitted(Estimator)), atol=1e-2)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_weights_are_repeats(Estimator):
    counts = np.random.RandomState(1).randint(0, 3, size=60)
    weighted = fitted(Estimator, sample_weight=counts, alpha=0.1)
    repeated = fitted(Estimator, np.repeat(X, counts, 0), np.repeat(Y, counts), alpha=0.1)
    np.testing.assert_allclose(raw(weighted), raw(repeated), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_early_stopping(Estimator):
    model = fitted(Estimator, early_stopping=True, solver="adam")
    single = fitted(Estimator, early_stopping=True, solver="adam", n_members=1)
    np.testing.assert_array_equal(model.coefs_[0][:, :4], single.coefs_[0])
    assert model.best_validation_score_ == max(model.validation_scores_)


def test_logistic_output_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match="n_members=3 needs output_activation='identity'"):
        fitted(TwoLayerRegressor, y=Y / 2, output_activation="logistic")


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_warm_start_is_refused_with_the_way_out(Estimator):
    with pytest.raises(ValueError, match="n_members=3 cannot be used with warm_start=True"):
        fitted(Estimator, warm_start=True)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_it_predicts_better_than_its_members_do_on_average(Estimator):
    """Jensen: the loss is convex in the raw prediction."""
    committee, parts = fitted(Estimator), members(Estimator)
    score = np.mean([model.score(X, Y) for model in parts])
    if Estimator is TwoLayerRegressor:
        assert committee.score(X, Y) > score
    else:
        rows = np.arange(60)
        losses = [-model.predict_log_proba(X)[rows, Y].mean() for model in [committee, *parts]]
        assert losses[0] < np.mean(losses[1:])


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_no_error_bar_is_shorter_than_the_published_noise(n_outputs):
    y = np.c_[X[:, 0] ** 2, Y][:, :n_outputs] + np.random.RandomState(3).normal(size=(60, 1))
    model = fitted(TwoLayerRegressor, y=y, alpha=0.03, n_members=4)
    _, std = model.predict(np.r_[X, 100 * X], return_std=True)
    noise = np.atleast_1d(model.noise_precision_) ** -0.5
    assert (std.reshape(-1, n_outputs) >= noise * (1 - 1e-9)).all()


@pytest.mark.parametrize("alpha", [0.1, "ard"])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_public_loss_is_the_mean_loss_of_the_folded_network(Estimator, alpha):
    weight = np.random.RandomState(2).randint(1, 4, size=60)
    model = fitted(Estimator, sample_weight=weight, alpha=alpha, standardize=False)
    loss, coef_gradients, _ = model.loss_and_gradient(X, Y, weight)
    metric = log_loss if Estimator is TwoLayerClassifier else mean_squared_error
    predicted = model.predict_proba(X) if Estimator is TwoLayerClassifier else model.predict(X)
    expected = metric(Y, predicted, sample_weight=weight)
    if Estimator is TwoLayerRegressor and alpha == "ard":  # in units of the variance of y
        expected /= np.average((Y - np.average(Y, weights=weight)) ** 2, weights=weight)
    assert loss == pytest.approx(expected, rel=1e-9)

    W1, losses = model.coefs_[0], []
    for step in (1e-6, -1e-6):
        model.coefs_[0] = W1 + step
        losses.append(model.loss_and_gradient(X, Y, weight)[0])
    slope = (losses[0] - losses[1]) / 2e-6
    assert coef_gradients[0].sum() == pytest.approx(slope, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_committee_that_goes_on_as_one_network_has_an_objective(Estimator):
    model = fitted(Estimator, n_hidden="auto", alpha=0.1, n_members=3)
    model.set_params(warm_start=True, n_members=1).fit(X, Y)
    assert model.loss_and_gradient(X, Y)[0] == pytest.approx(model.loss_, rel=1e-9)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_public_gradient_has_the_shape_of_the_committee(Estimator):
    model = fitted(Estimator)
    _, coef_gradients, intercept_gradients = model.loss_and_gradient(X, Y)
    assert [g.shape for g in coef_gradients + intercept_gradients] == [
        array.shape for array in weights(model)
    ]
