"""Which inputs matter: feature_relevance_ and feature_importances_."""

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_friedman1
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.inspection import permutation_importance

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(60, 4)) * [1, 3, 0.1, 1] + [0, 5, 0, 1]
X[:, 3] = 7.0  # says nothing
Y = np.sin(X[:, 0]) + X[:, 1] / 3
TARGETS = {
    "one": (TwoLayerRegressor, Y),
    "two": (TwoLayerRegressor, np.column_stack([Y, 10 * X[:, 2]])),
    "binary": (TwoLayerClassifier, Y.mean() < Y),
    "three": (TwoLayerClassifier, np.digitize(Y, np.quantile(Y, [0.3, 0.7]))),
}


def network(kind, X=X, weight=None, **parameters):
    Estimator, y = TARGETS[kind]
    return Estimator(**{"n_hidden": 5, "alpha": 0.01, "random_state": 0, **parameters}).fit(
        X, y, weight
    )


def plain_relevance(model, X, y_scale, weight=None):
    """By ``input_gradient`` of each row."""
    gradients = model.input_gradient(X).reshape(len(X), -1, X.shape[1]) / np.reshape(
        y_scale, (1, -1, 1)
    )
    if model.out_activation_ == "softmax":
        gradients = gradients - gradients.mean(axis=1, keepdims=True)
    squares = np.average((gradients**2).mean(axis=1), axis=0, weights=weight)
    mean = np.average(X, axis=0, weights=weight)
    return np.sqrt(squares * np.average((X - mean) ** 2, axis=0, weights=weight))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("weight", [None, RANDOM.randint(1, 4, size=60)])
@pytest.mark.parametrize("settings", [{}, {"standardize": False}, {"solver": "lbfgs"}])
@pytest.mark.parametrize("kind", TARGETS)
def test_it_is_the_root_mean_square_of_the_gradient(kind, settings, weight):
    model, y = network(kind, weight=weight, **settings), TARGETS[kind][1]
    y_scale = 1.0
    if isinstance(model, TwoLayerRegressor) and settings.get("standardize") is not False:
        deviation = y - np.average(y, axis=0, weights=weight)
        y_scale = np.sqrt(np.average(deviation**2, axis=0, weights=weight))
    expected = plain_relevance(model, X, y_scale, weight)
    np.testing.assert_allclose(model.feature_relevance_, expected, rtol=1e-6, atol=1e-12)
    assert model.feature_relevance_[3] == 0
    assert model.feature_importances_.sum() == pytest.approx(1)
    total = model.feature_relevance_.sum()
    np.testing.assert_allclose(model.feature_importances_, model.feature_relevance_ / total)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_all_classes_share_moves_no_probability():
    """Without a penalty the raw predictions have a common part, which softmax does not see."""
    model = network("three", solver="lbfgs", alpha=0.0, max_iter=3)
    assert np.abs(model.coefs_[1].mean(axis=1)).max() > 1e-2
    expected = plain_relevance(model, X, 1.0)
    np.testing.assert_allclose(model.feature_relevance_, expected, rtol=1e-6, atol=1e-12)


def test_a_committee_is_one_network():
    model = network("one", n_members=3)
    np.testing.assert_allclose(
        model.feature_relevance_, plain_relevance(model, X, Y.std()), rtol=1e-6, atol=1e-12
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", TARGETS)
def test_sparse_and_dask_tables_have_the_same(kind):
    array, y = pytest.importorskip("dask.array"), TARGETS[kind][1]
    expected = network(kind, max_iter=10).feature_relevance_
    model = network(kind, X=sparse.csr_array(X), max_iter=10)
    np.testing.assert_allclose(model.feature_relevance_, expected, rtol=1e-4, atol=1e-12)
    model = clone(model).fit(array.from_array(X, (25, -1)), y)
    np.testing.assert_allclose(model.feature_relevance_, expected, rtol=1e-4, atol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_many_rows_are_judged_by_a_part():
    rows = np.random.RandomState(1).normal(size=(50_000, 2))
    y = rows[:, 0] + 0.5 * np.sin(rows[:, 1])
    model = TwoLayerRegressor(5, solver="adam", max_iter=2, random_state=0).fit(rows, y)
    expected = plain_relevance(model, rows, y.std())
    np.testing.assert_allclose(model.feature_relevance_, expected, rtol=0.02)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, marks=pytest.mark.slow),
        {"alpha": 0.01},
        {"solver": "adam"},
        pytest.param({"alpha": "ard"}, marks=pytest.mark.slow),
    ],
)
def test_diabetes_agrees_with_permutation_importance(settings):
    X, y = load_diabetes(return_X_y=True)
    model = TwoLayerRegressor(random_state=0, **settings).fit(X, y)
    expected = permutation_importance(model, X, y, n_repeats=10, random_state=0).importances_mean
    assert spearmanr(model.feature_importances_, expected)[0] > 0.9
    assert model.feature_importances_[2] > 0.1  # bmi


@pytest.mark.parametrize(
    "settings",
    [pytest.param({}, marks=pytest.mark.slow), {"alpha": 0.01}, {"solver": "adam"}],
)
def test_irrelevant_columns_get_little(settings):
    X, y = make_friedman1(300, noise=1.0, random_state=0)
    model = TwoLayerRegressor(random_state=0, **settings).fit(X, y)
    assert model.feature_importances_[5:].max() < 0.5 * model.feature_importances_[:5].min()


def test_selection_by_importance_works_as_it_comes():
    X, y = make_friedman1(200, noise=0.5, random_state=0)
    network = TwoLayerRegressor(5, alpha=0.01, random_state=0)
    assert RFE(network, n_features_to_select=5).fit(X, y).support_[:5].all()
    assert SelectFromModel(network).fit(X, y).get_support()[5:].sum() == 0
    X, y = load_iris(return_X_y=True)
    chosen = SelectFromModel(TwoLayerClassifier(5, random_state=0)).fit(X, y).get_support()
    assert chosen.tolist() == [False, False, True, True]


def test_where_nothing_is_relevant_the_shares_are_even():
    model = TwoLayerRegressor(4, alpha=0.01, random_state=0).fit(X, np.ones(60))
    assert model.feature_relevance_.tolist() == [0] * 4
    assert model.feature_importances_.tolist() == [0.25] * 4


@pytest.mark.filterwarnings("ignore:In the first batch")
def test_partial_fit_has_that_of_its_rows():
    model = TwoLayerRegressor(4, solver="adam", random_state=0)
    for rows in (slice(0, 30), slice(30, 60)):
        model.partial_fit(X[rows], Y[rows])
        y_scale = model._learned_.scale.y_scale
        expected = plain_relevance(model, X[rows], y_scale)
        np.testing.assert_allclose(model.feature_relevance_, expected, rtol=1e-6, atol=1e-12)


def test_float32():
    model = network("one", X=X.astype(np.float32))
    np.testing.assert_allclose(
        model.feature_relevance_, network("one").feature_relevance_, rtol=1e-2, atol=1e-12
    )
