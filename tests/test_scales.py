"""Columns and targets of any size: constant, far from zero, tiny or huge, standardised or not."""

import re
from functools import partial

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import make_friedman1
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import scale

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._network.curvature import DenseCurvature
from sklearn_twolayer._optimize.full_batch import levenberg_marquardt

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(60, 3))
Y = np.sin(X[:, 0]) + X[:, 1] + 0.2 * RANDOM.normal(size=60)
SOLVERS = ["lm", "lbfgs", "adam"]


def regressor(X, y=Y, **parameters):
    parameters = {"n_hidden": 4, "alpha": 0.001, "max_iter": 30, "tol": 1, **parameters}
    return TwoLayerRegressor(random_state=0, **parameters).fit(X, y)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e6, 1e9, -1e15])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_large_constant_column_costs_no_digits(solver, size, dtype, container):
    """Neither in the fit nor when the standardisation is folded into the weights."""
    with_constant = np.column_stack([X, np.full(60, size)]).astype(dtype)
    of_ones = np.column_stack([X, np.ones(60)]).astype(dtype)
    found = regressor(container(with_constant), solver=solver).predict(container(with_constant))
    expected = regressor(of_ones, solver=solver).predict(of_ones)
    np.testing.assert_allclose(found, expected, atol=1e-2 if dtype == np.float32 else 1e-6)


@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_a_sparse_column_that_centring_loses_is_refused_with_a_way_out(Estimator):
    distant = sparse.csr_array(np.column_stack([X, X[:, 0] + 1e12]))
    with pytest.raises(ValueError, match=r"lost to rounding.*subtract their means"):
        Estimator(4, alpha=0.001, random_state=0).fit(distant, Y > 0)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_without_standardisation_error_bars_go_by_the_unit_of_y(unit):
    """The bounds of the noise are those of a target of variance 1."""
    y = X @ [1.0, -2.0, 0.5] + 0.2 * RANDOM.normal(size=60)
    parameters = {"activation": "identity", "n_hidden": 1, "alpha": 0, "tol": 1e-9}
    expected = regressor(X, y, **parameters).predict(X, return_std=True)[1]
    model = regressor(X, unit * y, standardize=False, solver="lm", **parameters)
    found = model.predict(X, return_std=True)[1]
    np.testing.assert_allclose(found / unit, expected, rtol=0.05)
    assert model.noise_precision_ * unit**2 == pytest.approx(1 / 0.2**2, rel=0.5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        *({"solver": solver} for solver in ("lbfgs", "lm", "adam", "sgd")),
        *({"alpha": alpha} for alpha in ("evidence", "ard")),
        {"early_stopping": True},
        {"n_members": 2},
    ],
    ids=str,
)
def test_a_penalty_that_is_found_is_one_for_y_in_any_units(parameters):
    """Without standardisation X stays as it is: under other units of y, too, in 2^10 steps."""
    model = TwoLayerRegressor(4, standardize=False, random_state=0)
    model.set_params(**parameters, max_iter=20)
    expected = model.fit(X, Y)
    loss, predicted = expected.loss_, expected.predict(X)
    for unit in (2.0**-10, 2.0**10, 2.0**20):
        assert model.fit(X, unit * Y).loss_ == loss
        np.testing.assert_array_equal(model.predict(X), unit * predicted)
        if not {"n_members", "early_stopping"} & set(parameters):
            assert model.loss_and_gradient(X, unit * Y)[0] == pytest.approx(loss)


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "lm"])
def test_what_is_learned_without_standardisation_has_no_units_of_y(solver):
    inputs, y = make_friedman1(300, noise=1, random_state=0)
    inputs, scores = scale(inputs), []
    for unit in (1, 1e-3, 1e3, 1e6):
        model = TwoLayerRegressor(10, standardize=False, solver=solver, random_state=0)
        model.fit(inputs[:200], unit * (y[:200] + 7))
        scores.append(model.score(inputs[200:], unit * (y[200:] + 7)))
    assert min(scores) > 0.9
    assert max(scores) < min(scores) + 0.02


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_textbook_learns_in_the_units_of_y():
    model = TwoLayerRegressor(3, standardize=False, solver="gd", random_state=0)
    model.set_params(max_iter=5, tol=0, learning_rate=1e-3).fit(X, 8 * Y)
    squares = sum(model.penalty_[place] * (W**2).sum() for place, W in zip((0, 2), model.coefs_))
    assert model.loss_ == pytest.approx(np.mean((8 * Y - model.predict(X)) ** 2) + squares / 2)


@pytest.mark.parametrize("solver", ["lbfgs", "lm"])
def test_a_float_is_the_alpha_of_an_objective_in_the_units_of_y(solver):
    """F itself, and not one that is in proportion to it."""
    model = TwoLayerRegressor(3, standardize=False, alpha=0.5, solver=solver, random_state=0)
    model.fit(X, 8 * Y)
    squares = sum((W**2).sum() for W in model.coefs_)
    expected = np.mean((8 * Y - model.predict(X)) ** 2) + 0.5 / 2 * squares
    assert model.loss_ == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["lm", "lbfgs", "adam"])
def test_a_warm_start_without_standardisation_goes_on_in_the_units_of_y(solver):
    parameters = {"standardize": False, "solver": solver, "max_iter": 100, "random_state": 0}
    model = TwoLayerRegressor(4, warm_start=True, **parameters).fit(X, 1000 * Y)
    score = model.score(X, 1000 * Y)
    model.set_params(max_iter=1).fit(X, 1000 * Y)
    assert model.score(X, 1000 * Y) > score - 0.05


def test_targets_too_small_for_float32_are_refused():
    with pytest.raises(ValueError, match="do not fit into float32"):
        regressor(X.astype(np.float32), 1e-60 * Y)
    regressor(X, 1e-60 * Y)


def test_columns_with_squares_near_the_largest_number_are_told_by_name_and_not_by_numpy():
    """What NumPy warns of on the way is an error in tests."""
    parameters = {"activation": "identity", "standardize": False}
    assert np.isfinite(regressor(1e150 * X, solver="lm", **parameters).predict(1e150 * X)).all()
    with pytest.raises(ValueError, match="Gradient descent diverged"):
        regressor(1e150 * X, solver="gd", **parameters)


def test_a_curvature_that_is_no_number_is_refused():
    """And not damped without an end."""

    class Flat:
        def quadratic(self, x):
            return 1.0, np.ones(2), DenseCurvature(np.full((2, 2), np.inf), np.zeros(2))

    with pytest.raises(ValueError, match=r"curvature is not finite at the starting weights$"):
        levenberg_marquardt(Flat(), np.zeros(2), max_iter=1, tol=0, callback=lambda step: None)


@pytest.mark.parametrize("solver", ["lm", "lbfgs"])
def test_the_advice_on_what_overflows_is_one_that_can_be_followed(solver):
    parameters = {"activation": "identity", "solver": solver}
    with pytest.raises(ValueError, match=r"not finite.* X or y .*, or set standardize=True"):
        regressor(1e160 * X, standardize=False, **parameters)
    model = regressor(X, warm_start=True, **parameters)
    model.coefs_[1] *= 1e200
    with pytest.raises(ValueError, match=r"not finite.* X or y holds values .*Scale them\.$"):
        model.fit(X, Y)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_relevance_of_a_huge_column_refuses_no_fit(solver):
    """Its squares overflow; all units are saturated but at the other rows."""
    raw = X.copy()
    raw[7, 1] = 1e200
    model = regressor(raw, solver=solver, standardize=False)
    assert np.isfinite(model.feature_relevance_).all()
    assert model.feature_importances_.sum() == pytest.approx(1)


def test_an_objective_that_is_no_number_is_refused_and_numpy_says_nothing():
    model, large = regressor(X.astype(np.float32), activation="softplus"), X.astype(np.float32)
    loss, *gradients = model.loss_and_gradient(1e10 * large, Y)
    assert np.isfinite([loss, *(part.sum() for parts in gradients for part in parts)]).all()
    with pytest.raises(ValueError, match="not finite in float32: X or y holds values too large"):
        model.loss_and_gradient(1e25 * large, Y)
    with pytest.raises(ValueError, match=r"loss \(inf\) or its gradient is not finite"):
        regressor(X).loss_and_gradient(X, 1e200 * Y)
    model = regressor(X)
    model.coefs_[1] *= 1e200
    with pytest.raises(ValueError, match=r"the weights are too large \(up to .*e\+"):
        model.loss_and_gradient(X, Y)


@pytest.mark.parametrize("size", [1e100, 1e300, 1.7e308])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus"])
def test_an_answer_to_far_rows_is_a_number_or_refused(activation, dtype, size):
    """Without a word from NumPy, whose warnings are errors here."""
    parameters = {"activation": activation, "alpha": 0.01, "random_state": 0}
    inputs = X.astype(dtype)
    real = TwoLayerRegressor(3, **parameters).fit(inputs, Y)
    three = TwoLayerClassifier(3, **parameters).fit(inputs, np.digitize(Y, [0, 1]))
    two = TwoLayerClassifier(3, **parameters).fit(inputs, Y > 0)
    far = np.r_[X, np.clip(X, -1, 1) * size]
    calls = [partial(real.predict, return_std=True), real.transform, real.input_gradient]
    for model in (two, three):
        moderated = partial(model.predict_proba, moderated=True)
        calls += [model.predict_proba, model.predict_log_proba, moderated]
    for call in calls:
        for rows in (far, sparse.csr_array(far), np.tile(far, (3, 1))):
            try:
                answers = call(rows)
            except ValueError as error:
                told = re.match(r"Row (\d+) of X and \d+ more hold values too large", str(error))
                assert int(told[1]) >= 60
            else:
                assert np.isfinite(answers).all()
            assert np.isfinite(call(rows[:60])).all()
    for call in (three.predict_proba, real.predict):
        if activation == "tanh" and dtype == np.float64:
            call(far)
        elif dtype == np.float32:
            with pytest.raises(ValueError, match=r"in float32, whose weights .* Scale X as the"):
                call(far)
    if activation != "tanh" and size >= 1e300:  # of whose bars the square is no number
        for model in (two, three):
            with pytest.raises(ValueError, match="values too large for this network"):
                model.predict_proba(far, moderated=True)


def test_weights_that_are_no_numbers_are_not_blamed_on_rows():
    for name in ("coefs_", "intercepts_"):
        model = TwoLayerRegressor(3, alpha=0.01, random_state=0).fit(X, Y)
        setattr(model, name, [np.nan * array for array in getattr(model, name)])
        with pytest.raises(ValueError, match="hold weights that are not finite"):
            model.predict(X)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_rare_levels_of_a_category_are_not_learned_by_heart(container):
    """A third of the levels occurs once: as tall as sqrt(n) they would be fitted exactly."""
    random = np.random.RandomState(0)
    share, effect = 1 / np.arange(1, 301), random.normal(size=300)
    level = random.choice(300, 3000, p=share / share.sum())
    y = random.uniform(size=3000) < 1 / (1 + np.exp(-2 * effect[level]))
    one_hot = np.eye(300)[level]
    one_hot = one_hot[:, one_hot[:1000].any(axis=0)]
    train, new = container(one_hot[:1000]), container(one_hot[1000:])
    models = LogisticRegression(), TwoLayerClassifier(random_state=0)
    expected, found = (
        log_loss(y[1000:], model.fit(train, y[:1000]).predict_proba(new)) for model in models
    )
    assert found < expected + 0.02


def test_float32_columns_may_lie_far_from_zero():
    """As far as the user guide says: the means, folded into b1, cancel again in a prediction."""
    columns = np.random.default_rng(0).normal(size=(300, 4))
    target = np.sin(2 * columns[:, 0]) + columns[:, 1]
    rows = (columns + 1e5).astype(np.float32)
    model = TwoLayerRegressor(12, alpha=1e-5, random_state=0).fit(rows, target)
    assert model.score(rows, target) > 0.999
