"""The same random_state gives the same bits; copies of a model predict the same bits."""

import copy
import io
import pickle
from itertools import product

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

SOLVERS = ["gd", "sgd", "adam", "lbfgs", "lm"]
ESTIMATORS = [TwoLayerRegressor, TwoLayerClassifier]
RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(60, 3))
Y = np.digitize(X[:, 0] + X[:, 1] * X[:, 2], [0, 1])

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def unfitted(Estimator, **parameters):
    return Estimator(
        **{"n_hidden": 4, "alpha": 0.01, "max_iter": 5, "random_state": 0, **parameters}
    )


def same_bits(one, other):
    """Whether two models have the same weights and the same curves, bit for bit."""
    pairs = zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_)
    curves = (one.loss_curve_, one.validation_scores_) == (
        other.loss_curve_,
        other.validation_scores_,
    )
    return curves and all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_same_seed_gives_the_same_bits(Estimator, solver, early_stopping):
    model = unfitted(Estimator, solver=solver, early_stopping=early_stopping)
    first = clone(model).fit(X, Y)
    assert same_bits(first, clone(model).fit(X, Y))
    assert not same_bits(first, clone(model).set_params(random_state=1).fit(X, Y))
    again = model.fit(X, Y)
    assert same_bits(first, again.fit(X, Y))


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_random_state_instance_moves_on(solver):
    seeds = np.random.RandomState(5), np.random.RandomState(5)
    first, second = (unfitted(TwoLayerRegressor, solver=solver, random_state=s) for s in seeds)
    assert same_bits(first.fit(X, Y), second.fit(X, Y))
    assert same_bits(first, unfitted(TwoLayerRegressor, solver=solver, random_state=5).fit(X, Y))
    before = copy.deepcopy(first)
    assert not same_bits(before, first.fit(X, Y))
    assert same_bits(first, second.fit(X, Y))


def test_no_seed_means_the_global_state_of_numpy():
    global_state, model = check_random_state(None), unfitted(TwoLayerRegressor, random_state=None)
    global_state.seed(3)
    first = clone(model).fit(X, Y)
    assert not same_bits(first, clone(model).fit(X, Y))
    global_state.seed(3)
    assert same_bits(first, clone(model).fit(X, Y))


def test_a_fit_with_its_own_seed_leaves_the_global_state_alone():
    global_state = check_random_state(None)
    global_state.seed(3)
    unfitted(TwoLayerRegressor, solver="sgd", early_stopping=True).fit(X, Y).predict(X)
    assert global_state.normal() == np.random.RandomState(3).normal()


def test_the_order_of_shuffled_rows_follows_the_seed():
    start = unfitted(TwoLayerRegressor, solver="sgd", shuffle=False, batch_size=7)
    model = unfitted(TwoLayerRegressor, solver="sgd", shuffle=True, batch_size=7)
    assert same_bits(clone(model).fit(X, Y), clone(model).fit(X, Y))
    assert not same_bits(model.fit(X, Y), start.fit(X, Y))


@pytest.mark.parametrize(
    ("container", "dtype"), [(np.asarray, np.float32), (sparse.csr_array, np.float64)]
)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_number_of_threads_changes_no_bit(Estimator, solver, dtype, container, small_blocks):
    big = RANDOM.normal(size=(1500, 3)).astype(dtype)
    y = np.digitize(big[:, 0] * big[:, 1], [0, 1])
    models, predictions = [], []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            model = unfitted(Estimator, solver=solver, max_iter=2).fit(container(big), y)
            models.append(model)
            predictions.append(model.predict(container(big)))
    assert same_bits(*models)
    assert np.array_equal(*predictions)


def through_pickle(model):
    return pickle.loads(pickle.dumps(model))


def through_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    return joblib.load(file)


COPIES = [through_pickle, through_joblib, copy.copy, copy.deepcopy]


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("duplicate", COPIES)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_copies_are_the_same_model(Estimator, solver, duplicate, warm_start):
    model = unfitted(Estimator, solver=solver, warm_start=warm_start, batch_size=7).fit(X, Y)
    twin = duplicate(model)
    assert same_bits(model, twin)
    assert twin.get_params() == model.get_params()
    assert np.array_equal(twin.predict(X), model.predict(X))
    assert twin.loss_and_gradient(X, Y)[0] == model.loss_and_gradient(X, Y)[0]
    assert same_bits(twin.fit(X, Y), model.fit(X, Y))


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_clone_is_not_fitted_but_fits_the_same(Estimator):
    model = unfitted(Estimator).fit(X, Y)
    twin = clone(model)
    assert vars(twin).keys() == twin.get_params().keys()
    assert same_bits(twin.fit(X, Y), model)


def test_the_model_survives_its_deep_copy():
    model = unfitted(TwoLayerRegressor).fit(X, Y)
    expected = model.predict(X)
    twin = copy.deepcopy(model)
    twin.coefs_[0][:] = 0
    assert np.array_equal(model.predict(X), expected)


@pytest.mark.parametrize(
    ("solver", "warm_start", "dtype"),
    [
        *product(["gd", "lbfgs"], [True], [np.float32]),
        *product(["lm"], [False, True], [np.float32, np.float64]),
        *product(["sgd", "adam"], [False], [np.float64]),
    ],
)
@pytest.mark.filterwarnings("ignore:What is being pickled will have no error bars")
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_pickle_holds_the_weights_once(Estimator, solver, warm_start, dtype):
    wide = RANDOM.normal(size=(60, 400)).astype(dtype)
    settings = {"n_hidden": 60, "solver": solver, "warm_start": warm_start}
    model = unfitted(Estimator, **settings).fit(wide, Y > 0)
    n_bytes = sum(array.nbytes for array in model.coefs_ + model.intercepts_)
    n_bytes += 8 * len(model.loss_curve_)
    assert n_bytes > 10 * 8_000
    assert len(pickle.dumps(model)) <= 1.3 * n_bytes + 8_000
    model.predict(wide)
    model.loss_and_gradient(wide, Y > 0)
    assert len(pickle.dumps(model)) <= 1.3 * n_bytes + 8_000
