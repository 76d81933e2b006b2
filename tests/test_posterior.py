"""Error bars and moderated probabilities, against dense algebra, sampling and simulated data."""

import pickle

import numpy as np
import pytest
from gradient_check import numerical_jacobian
from scipy import sparse
from scipy.stats import norm
from sklearn.base import clone
from sklearn.datasets import make_blobs, make_moons
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor, _learned
from sklearn_twolayer._bayes.averages import expected_hessian
from sklearn_twolayer._bayes.posterior import TEMPERATURES, TRACE
from sklearn_twolayer._bayes.valleys import VALLEYS_TEMPERATURE
from sklearn_twolayer._fit import auto, results
from sklearn_twolayer._network.backprop import jacobian, without_shift
from sklearn_twolayer._network.objective import Penalty, penalty_groups
from sklearn_twolayer._network.scale import Standardization

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(60, 3))
NOISE = RANDOM.normal(size=60)
CURVE = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.3 * NOISE
CLASSES = np.digitize(CURVE, [-0.5, 0.8])
FAR = 50 * np.eye(3)


def regressor(X=X, y=CURVE, sample_weight=None, **parameters):
    parameters = {"n_hidden": 4, "alpha": 0.01, "random_state": 0, **parameters}
    return TwoLayerRegressor(**parameters).fit(X, y, sample_weight=sample_weight)


def classifier(X=X, y=CLASSES, sample_weight=None, **parameters):
    parameters = {"n_hidden": 4, "alpha": "evidence", "random_state": 0, **parameters}
    return TwoLayerClassifier(**parameters).fit(X, y, sample_weight=sample_weight)


def dense_posterior(model, X, y, weight=None):
    """Standard deviations, in the units of y, beta of each target, and gamma.

    By explicit Jacobians with respect to the weights t on the scale of training.
    """
    y = y.reshape(len(y), -1)
    s = np.ones(len(y)) if weight is None else weight
    if isinstance(model.alpha, str) and weight is not None:  # copies of distinct rows count as one
        s = weight * (len(y) / weight.sum())
    network, standardization = model._learned_.network(model.coefs_), model._learned_.scale
    t = network.pack(*standardization.unfold(model.coefs_, model.intercepts_), dtype=float)
    targets = (y - standardization.y_mean) / standardization.y_scale
    standardized = (X - standardization.mean) / standardization.scale
    ones = np.column_stack([standardized, np.ones(len(X))])

    def prediction(t):
        return model._learned_.targets.loss.predict(network.forward(t, ones)[0].copy())

    groups = penalty_groups(network, per_input=len(model.penalty_) > 4)
    J = numerical_jacobian(prediction, t)
    n_residuals = s.sum() * y.shape[1]
    G = 2 / n_residuals * np.einsum("n,ncp,ncq->pq", s, J, J)
    penalty = np.maximum(model.penalty_, TRACE * G.diagonal().max())[groups]
    G += np.diag(penalty)
    share = 1 - penalty * np.linalg.inv(G).diagonal()
    gamma = np.maximum(np.bincount(groups, share), 1e-3).sum()  # of each group at least 0.001
    leverage = np.einsum("ncp,pq,ncq->nc", J, np.linalg.inv(G), J) * 2 / n_residuals
    residuals = prediction(t) - targets
    products = np.einsum("n,nc,nd->cd", s, residuals, residuals)
    C = products / np.sqrt(np.outer(products.diagonal(), products.diagonal()))
    beside = np.einsum("ncp,pq,ndq,cd->nc", J, np.linalg.inv(G), J, C) * 2 / n_residuals
    growth = (s @ beside) / (s @ leverage)
    gammas = gamma * (s @ beside) / (s @ leverage).sum()  # of each target
    beta = (s.sum() - gammas) / (s @ residuals**2)
    variance = VALLEYS_TEMPERATURE * growth * leverage / beta
    return np.sqrt(variance + 1 / beta) * standardization.y_scale, beta, gamma


@pytest.mark.parametrize("alpha", [0.01, "evidence", "ard"])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(
    "y",
    [CURVE, 7 * np.c_[CURVE, X[:, 0] + 0.1 * NOISE]],
    ids=["one output", "two outputs"],
)
def test_std_is_that_of_the_linearised_network(y, standardize, alpha):
    weight = np.random.RandomState(1).uniform(0.5, 2, size=60)
    model = regressor(y=y, sample_weight=weight, standardize=standardize, alpha=alpha)
    expected, beta, gamma = dense_posterior(model, X, y, weight)
    prediction, std = model.predict(X, return_std=True)
    assert np.array_equal(prediction, model.predict(X))
    np.testing.assert_allclose(std, expected.reshape(y.shape), rtol=1e-6)
    assert model.n_effective_params_ == pytest.approx(gamma, rel=1e-6)
    found = np.atleast_1d(model.noise_precision_) * model._learned_.scale.y_scale**2
    np.testing.assert_allclose(found, beta, rtol=1e-6)


def test_std_of_linear_units_is_that_of_linear_regression():
    """One valley: where the penalty vanishes, sigma^2 (1 + x'(X'X)^-1 x) of least squares."""
    model = regressor(activation="identity", alpha=1e-9, n_hidden=1)
    design = np.column_stack([X, np.ones(len(X))])
    covariance = np.linalg.inv(design.T @ design)
    expected = 1 + np.einsum("np,pq,nq->n", design, covariance, design)
    _, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(std**2 * model.noise_precision_, expected, rtol=1e-4)


def test_std_of_logistic_output():
    y = 1 / (1 + np.exp(-CURVE))
    model = regressor(y=y, output_activation="logistic", alpha=0.001)
    expected, _, _ = dense_posterior(model, X, y)
    prediction, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(std, expected[:, 0], rtol=1e-6)
    assert std.shape == prediction.shape == (60,)


def simulated(seed, n):
    random = np.random.RandomState(seed)
    X = random.uniform(-3, 3, size=(n, 2))
    return X, 3 * np.sin(X[:, 0]) + X[:, 1] ** 2 + 0.5 * random.normal(size=n)


@pytest.mark.parametrize("alpha", ["auto", "evidence"])
def test_intervals_cover_what_they_say(alpha):
    """Over 5 sets of 300 new rows each; with independent rows the standard error is 0.8 %."""
    inside = {0.5: [], 0.9: []}
    for seed in range(5):
        model = regressor(*simulated(seed, 150), alpha=alpha, n_hidden=8)
        new, y = simulated(seed + 100, 300)
        prediction, std = model.predict(new, return_std=True)
        for level, found in inside.items():
            found.append(np.abs(y - prediction) < norm.ppf(0.5 + level / 2) * std)
    assert 0.86 < np.mean(inside[0.9]) < 0.94
    assert 0.44 < np.mean(inside[0.5]) < 0.56


def test_std_grows_away_from_the_data_and_is_never_below_the_noise():
    model = regressor(alpha="evidence", activation="tanh")
    noise = model.noise_precision_**-0.5
    _, near = model.predict(X, return_std=True)
    _, far = model.predict(FAR, return_std=True)
    assert (near > noise).all()
    assert far.min() > 1.5 * np.median(near)


def test_more_rows_make_the_network_surer():
    few, many = (regressor(*simulated(0, n), alpha="evidence", n_hidden=8) for n in (60, 600))
    grid = np.random.RandomState(1).uniform(-2.5, 2.5, size=(50, 2))
    weights = [
        np.sqrt(model.predict(grid, return_std=True)[1] ** 2 - 1 / model.noise_precision_).mean()
        for model in (few, many)
    ]
    assert weights[1] < 0.6 * weights[0]


@pytest.mark.parametrize(
    ("y", "shape"), [(CURVE, (60,)), (CURVE[:, None], (60, 1)), (np.c_[CURVE, X], (60, 4))]
)
def test_std_has_the_shape_of_y(y, shape):
    model = regressor(y=y)
    assert [array.shape for array in model.predict(X, return_std=True)] == [shape, shape]
    assert model.predict(X[:1], return_std=True)[1].shape == (1, *shape[1:])


@pytest.mark.parametrize("solver", ["lm", "lbfgs"])
def test_std_of_float32(solver):
    double = regressor(solver=solver)
    single = regressor(X.astype(np.float32), solver=solver)
    prediction, std = single.predict(X.astype(np.float32), return_std=True)
    assert prediction.dtype == std.dtype == np.float32
    np.testing.assert_allclose(std, double.predict(X, return_std=True)[1], rtol=1e-2)


@pytest.mark.parametrize("n_new", [1, 60, 3000])
def test_std_of_sparse_rows_is_that_of_dense_ones(n_new):
    new = np.random.RandomState(1).choice([0, 0, 1.5], size=(n_new, 3))
    dense, other = regressor(), regressor(sparse.csr_array(X))
    expected = dense.predict(new, return_std=True)[1]
    for rows in (new, sparse.csr_matrix(new)):
        np.testing.assert_allclose(other.predict(rows, return_std=True)[1], expected, rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.01, "evidence", "auto"])
@pytest.mark.parametrize("level", [0.0, -7.5, 1e6])
def test_std_of_a_constant_target_is_that_of_one_more_row(level, alpha):
    """It does not vary: one row with a residual of 1 among 60."""
    prediction, std = regressor(y=np.full(60, level), alpha=alpha).predict(X, return_std=True)
    assert std.min() > 0.9 * 61**-0.5
    assert std.max() < 1.2 * 61**-0.5
    np.testing.assert_allclose(prediction, level, rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize("parameters", [{}, {"standardize": False}], ids=str)
def test_two_rows_do_not_tell_how_much_noise_there_is(parameters):
    """A network goes through both, and that is no news of the next; repeats are no further rows."""
    rows, y = X[:2], 4 * CURVE[:2]
    model = TwoLayerRegressor(random_state=0, **parameters).fit(rows, y)
    std = model.predict(rows, return_std=True)[1]
    assert (std > 0.9 * y.std()).all()
    assert model.predict(X, return_std=True)[1].min() > 0.9 * y.std()
    weighted = TwoLayerRegressor(random_state=0, **parameters).fit(rows, y, [3, 2])
    repeated = TwoLayerRegressor(random_state=0, **parameters).fit(
        rows[[0, 0, 0, 1, 1]], y[[0, 0, 0, 1, 1]]
    )
    assert weighted.noise_precision_ == pytest.approx(repeated.noise_precision_, rel=1e-3)
    assert weighted.noise_precision_**-0.5 == pytest.approx(y.std(), rel=0.1)  # of 2 + 1 - 2


def test_std_scales_with_y_and_not_with_X():
    model, other = regressor(), regressor(X * [8, 1, 0.25], 4 * CURVE)
    _, std = model.predict(X, return_std=True)
    _, other_std = other.predict(X * [8, 1, 0.25], return_std=True)
    np.testing.assert_array_equal(other_std, 4 * std)


@pytest.mark.parametrize("n_rows", [10, 20])
def test_std_with_fewer_rows_than_weights(n_rows):
    """No more weights are determined than there are rows, and the noise is not made up."""
    model = regressor(X[:n_rows], CURVE[:n_rows], n_hidden=50, alpha=0.1)
    assert 1 < model.n_effective_params_ < n_rows
    residual = model.predict(X[:n_rows]) - CURVE[:n_rows]
    share = 1 - model.n_effective_params_ / n_rows
    expected = (residual**2).mean() / share
    assert 1 / model.noise_precision_ == pytest.approx(expected, rel=1e-6)
    assert model.predict(X[:n_rows], return_std=True)[1].max() < 3 * CURVE.std()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["lm", "lbfgs", "adam", "sgd", "gd"])
def test_every_solver_has_a_posterior(solver):
    model = regressor(solver=solver, max_iter=20)
    assert model.predict(X, return_std=True)[1].shape == (60,)
    proba = classifier(solver=solver, alpha=0.01, max_iter=20).predict_proba(X, moderated=True)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)


def calls(model):
    if isinstance(model, TwoLayerRegressor):
        return lambda: model.predict(X, return_std=True)
    return lambda: model.predict_proba(X, moderated=True)


@pytest.mark.parametrize("fit", [regressor, classifier])
def test_without_a_posterior_the_error_names_the_way_out(fit, monkeypatch):
    monkeypatch.setattr(_learned, "MOST_PICKLED", 0)
    with pytest.warns(UserWarning, match="will have no error bars"):
        copy = pickle.loads(pickle.dumps(fit(alpha=0.01)))
    with pytest.raises(ValueError, match=r"no error bars.*fit again.*alpha='evidence'"):
        calls(copy)()
    monkeypatch.setattr(auto, "MAX_GAUSS_NEWTON_SIZE", 5)
    monkeypatch.setattr(results, "MAX_WEIGHTS", 5)
    with pytest.raises(ValueError, match=r"no error bars.* weights.*smaller n_hidden"):
        calls(fit(alpha=0.01))()


@pytest.mark.parametrize("alpha", ["auto", "evidence", "ard"])
@pytest.mark.parametrize("fit", [regressor, classifier])
def test_the_posterior_of_a_chosen_penalty_is_pickled(fit, alpha):
    model = fit(alpha=alpha)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(calls(copy)(), calls(model)())


def binary(**parameters):
    return classifier(y=(CURVE > 0).astype(int), **parameters)


def multilabel(**parameters):
    return classifier(y=np.c_[CURVE > 0, X[:, 0] + NOISE > 0].astype(int), **parameters)


def test_moderated_probabilities_of_two_classes():
    """They sum to one, are nearer to even, and the decision stays what it is."""
    model = binary()
    plain, moderated = model.predict_proba(X), model.predict_proba(X, moderated=True)
    np.testing.assert_allclose(moderated.sum(axis=1), 1, rtol=1e-12)
    assert (abs(moderated - 0.5) <= abs(plain - 0.5) + 1e-9).all()
    np.testing.assert_array_equal(moderated.argmax(axis=1), plain.argmax(axis=1))
    np.testing.assert_array_equal(model.predict(X), moderated.argmax(axis=1))


def test_moderated_probabilities_of_three_classes():
    model = classifier()
    plain, moderated = model.predict_proba(X), model.predict_proba(X, moderated=True)
    assert moderated.shape == (60, 3)
    np.testing.assert_allclose(moderated.sum(axis=1), 1, rtol=1e-12)
    assert ((moderated > 0) & (moderated < 1)).all()
    np.testing.assert_array_equal(moderated, model.predict_proba(X, moderated=True))
    np.testing.assert_array_equal(plain, model.predict_proba(X))


def test_moderated_probabilities_of_labels_are_each_labels_own():
    model = multilabel()
    plain, moderated = model.predict_proba(X), model.predict_proba(X, moderated=True)
    assert moderated.shape == (60, 2)
    np.testing.assert_array_equal(moderated > 0.5, plain > 0.5)


def test_moderated_probabilities_of_float32():
    model = classifier(X.astype(np.float32))
    assert model.predict_proba(X.astype(np.float32), moderated=True).dtype == np.float32


@pytest.mark.parametrize("fit", [binary, classifier, multilabel])
def test_the_temperature_scales_the_covariance(fit):
    model = fit()
    (posterior,) = model._learned_.posteriors
    assert posterior.temperature in TEMPERATURES
    ones = np.column_stack([X, np.ones(60)])
    ones = model._learned_.scale.apply_block(ones)
    Z2, V = posterior.raw_prediction(ones)
    network, params = posterior.network, posterior.params
    J = jacobian(network, params, ones, network.forward(params, ones)[1])
    J = without_shift(J) if fit is classifier else J
    expected = posterior.temperature / 60 * posterior.factor.covariance(J)
    np.testing.assert_allclose(V, expected, rtol=1e-10)
    np.testing.assert_allclose(np.squeeze(Z2), model.decision_function(X), rtol=1e-8, atol=1e-8)


def test_moderation_pays_where_the_network_is_too_sure():
    """Hardly a penalty on 37 weights of 40 noisy rows; new rows judge."""
    losses = []
    for seed in range(3):
        random = np.random.RandomState(seed)
        rows = random.normal(size=(1000, 4))
        y = (rows[:, 0] + rows[:, 1] ** 2 + random.normal(size=1000) > 1).astype(int)
        model = classifier(rows[:40], y[:40], alpha=0.001, n_hidden=6)
        assert model._learned_.posteriors[0].temperature > 0
        plain, moderated = (model.predict_proba(rows[40:], moderated=m) for m in (False, True))
        losses.append([log_loss(y[40:], plain), log_loss(y[40:], moderated)])
    plain, moderated = np.mean(losses, axis=0)
    assert moderated < 0.95 * plain


@pytest.mark.parametrize("seed", [0, 1])
def test_the_evidence_leaves_a_classifier_its_curve(seed):
    """A network held back while it learned became linear, with 0.84 to 0.86."""
    rows, y = make_moons(700, noise=0.25, random_state=1)
    rows, new, y, y_new = train_test_split(rows, y, train_size=200, random_state=seed, stratify=y)
    model = TwoLayerClassifier(alpha="evidence", random_state=seed).fit(rows, y)
    assert model.score(new, y_new) > 0.89


def separable_blobs(seed):
    return make_blobs(200, centers=4, n_features=5, cluster_std=4, random_state=seed)


def noisy_moons(seed):
    return make_moons(200, noise=0.25, random_state=seed)


@pytest.mark.parametrize(("rows", "n_train"), [(separable_blobs, 100), (noisy_moons, 40)])
def test_moderation_by_left_out_rows_is_no_gamble(rows, n_train):
    """Weak penalties, under which all training rows are certain; new rows judge.

    Where the curvature of certain rows, next to none, made the posterior, moderated losses were
    up to three times the plain ones, or equal to them.
    """
    losses = []
    for seed in range(8):
        X, y = rows(seed)
        model = TwoLayerClassifier(50, alpha=0.01 / n_train, random_state=0)
        model.fit(X[:n_train], y[:n_train])
        new = (model.predict_proba(X[n_train:], moderated=m) for m in (False, True))
        losses.append([log_loss(y[n_train:], probability) for probability in new])
    plain, moderated = np.transpose(losses)
    assert (moderated < plain + 0.1).all(), (plain, moderated)
    assert moderated.mean() < 0.95 * plain.mean()


SEPARABLE = [X[:, 0] > 0, np.digitize(X[:, 0], [-0.5, 0.5]), np.c_[X[:, 0] > 0, X[:, 1] > X[:, 2]]]


@pytest.mark.parametrize("y", SEPARABLE)
def test_the_curvature_of_a_classifier_is_averaged_over_its_own_posterior(y):
    """The Gauss-Newton matrix of expected Hessians is that of the posterior, nearly."""
    model = classifier(y=y.astype(int), alpha=0.01 / 60, n_hidden=6, solver="lm")
    (posterior,) = model._learned_.posteriors
    ones = model._learned_.scale.apply_block(np.column_stack([X, np.ones(60)]))
    network, params, p = posterior.network, posterior.params, posterior.network.n_params
    Z2, A1 = network.forward(params, ones)
    loss, J = model._learned_.targets.loss, jacobian(network, params, ones, A1).copy()
    J = without_shift(J) if loss.ignores_shift else J
    V = posterior.factor.covariance(J) / 60
    penalty = Penalty.fixed(network, 0.01 / 60).per_weight + 1e-6 / 60
    penalty[-network.n_outputs :] = 1 / 60
    expected = np.einsum("nkp,nkl,nlq->pq", J, expected_hessian(loss, Z2, V), J) / 60
    inverse = np.column_stack([posterior.factor.solve(column) for column in np.eye(p)])
    ratio = (expected.diagonal() + penalty) / np.linalg.inv(inverse).diagonal()
    assert np.abs(np.log(ratio)).max() < 0.7
    laplace = np.einsum("nkp,nkl,nlq->pq", J, loss.hessian(Z2), J) / 60
    assert np.median(laplace.diagonal() / expected.diagonal()) < 0.6


def test_a_posterior_lives_on_the_standardised_scale():
    """What ``predict`` adds to it is the scale of y alone."""
    model = regressor()
    assert isinstance(model._learned_.scale, Standardization)
    weights = model.coefs_, model.intercepts_
    Z2 = model._learned_.by_posterior(*weights, X, lambda all, X: all[0].raw_prediction(X)[0])
    standardization = model._learned_.scale
    expected = (model.predict(X) - standardization.y_mean) / standardization.y_scale
    np.testing.assert_allclose(Z2[:, 0], expected, rtol=1e-8, atol=1e-8)


def test_error_bars_of_other_weights_are_refused():
    model = regressor()
    model.coefs_ = [2 * W for W in model.coefs_]
    model.predict(X)
    with pytest.raises(ValueError, match="have been assigned to since the fit"):
        model.predict(X, return_std=True)
    committee = classifier(n_members=2)
    committee.predict_proba(X, moderated=True)
    committee.intercepts_[1] = committee.intercepts_[1] + 1
    width = committee.coefs_[0].shape[1]
    how = f"with warm_start=True, n_members=1 and n_hidden={width} to start"
    with pytest.raises(ValueError, match=f"have been assigned to since the fit.*{how}"):
        committee.predict_proba(X, moderated=True)


@pytest.mark.parametrize("alpha", [0.01, "evidence", "ard"])
def test_a_column_that_never_varied_is_as_uncertain_as_its_prior(alpha):
    """Its weights are zero, and of the prior of W1; relevance determination switches it off."""
    constant = np.column_stack([X, np.zeros(60)])
    model = regressor(constant, alpha=alpha)
    moved = constant + np.array([0, 0, 0, 1])
    before, std = model.predict(constant, return_std=True)
    prediction, found = model.predict(moved, return_std=True)
    np.testing.assert_array_equal(prediction, before)
    penalty = model.penalty_[3 if alpha == "ard" else 0]
    V = VALLEYS_TEMPERATURE / (model._learned_.posteriors[0].scale * penalty)
    Z1 = constant @ model.coefs_[0] + model.intercepts_[0]
    slope = model.coefs_[1][:, 0] / (2 + 2 * np.cosh(Z1))  # of a logistic unit
    expected = np.sqrt(std**2 + V * (slope**2).sum(axis=1))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert (found > std).all()
    assert ((found / std).max() < 1.01) == (alpha == "ard")


@pytest.mark.parametrize("alpha", [0, 1e-3])
@pytest.mark.parametrize(
    ("n_rows", "n_hidden"), [(60, 20), (100, 20), (150, 40)], ids=["p=121", "p=121 n=100", "p=241"]
)
def test_no_more_is_determined_than_there_are_rows(n_rows, n_hidden, alpha):
    """The matrix of fewer residuals than weights is singular: rounding must not fill it.

    Whichever of its forms is taken, and whether rows are repeated or weighted.
    """
    random = np.random.default_rng(0)
    X, new = random.normal(size=(n_rows, 4)), random.normal(size=(50, 4))
    target = np.sin(X[:, 0]) + 0.1 * random.normal(size=n_rows)
    model = TwoLayerRegressor(n_hidden, solver="lm", alpha=alpha, random_state=0)
    weighted = clone(model).fit(X, target, np.full(n_rows, 2.0))
    repeated = clone(model).fit(X.repeat(2, axis=0), target.repeat(2))
    for fitted_model in (weighted, repeated):
        assert fitted_model.n_effective_params_ <= n_rows * (1 + 1e-6)
    if alpha:  # without a penalty the ways to no loss at all are many
        spread, expected = (each.predict(new, return_std=True)[1] for each in (weighted, repeated))
        assert np.median(spread) == pytest.approx(np.median(expected), rel=0.05)
