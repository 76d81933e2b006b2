"""Rows of many columns are learned in coordinates of their span: the minimum is that of F."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._bayes.copies import left_out_shares
from sklearn_twolayer._data import table
from sklearn_twolayer._fit import compare, span

RANDOM = np.random.RandomState(0)
N, F = 24, 700
X = RANDOM.normal(size=(N, F)) * RANDOM.uniform(0.1, 10, size=F) + RANDOM.normal(size=F)
SIGNAL = X[:, 0] - X[:, 1] + RANDOM.normal(size=N)
THREE = np.array(["low", "middle", "high"])[np.digitize(SIGNAL, np.quantile(SIGNAL, [0.3, 0.7]))]
LABELS = np.c_[SIGNAL > 0, X[:, 2] > X[:, 2].mean()].astype(int)
MORE = RANDOM.normal(size=(44, F))  # rows enough for the evidence
LINE = MORE[:, :50].sum(axis=1) + RANDOM.normal(size=44)
CASES = [
    pytest.param(TwoLayerClassifier, SIGNAL > 0, id="two classes"),
    pytest.param(TwoLayerClassifier, THREE, id="three classes"),
    pytest.param(TwoLayerClassifier, LABELS, id="labels"),
    pytest.param(TwoLayerRegressor, SIGNAL, id="one target"),
    pytest.param(
        TwoLayerRegressor, np.c_[SIGNAL, np.abs(X[:, 2])] / SIGNAL.std(), id="two targets"
    ),
]
SOLVERS = pytest.mark.parametrize("solver", ["lbfgs", "lm"])
SETTINGS = {"n_hidden": 10, "solver": "lbfgs", "random_state": 0}


@pytest.fixture
def directions(monkeypatch):
    """How many columns the networks of fits have had, where these are not those of X."""
    found, rotated = [], span.in_span_of_rows

    def observed(problem, settings):
        inside = rotated(problem, settings)
        if inside is not problem:
            found.append(inside.network.n_features)
        return inside

    monkeypatch.setattr(span, "in_span_of_rows", observed)
    return found


def prediction(model, rows):
    return model.predict_proba(rows) if hasattr(model, "predict_proba") else model.predict(rows)


@SOLVERS
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize(("Estimator", "y"), CASES)
def test_the_gradient_in_all_columns_vanishes(Estimator, y, standardize, solver, directions):
    """Also of the part of W1 that no row sees, which the network in coordinates never had."""
    rows = X if standardize else (X - X.mean(axis=0)) / X.std(axis=0)
    options = {"alpha": 0.1, "max_iter": 3000, "standardize": standardize}
    options["tol"] = {"lbfgs": 1e-6, "lm": 1e-11}[solver]
    model = Estimator(**{**SETTINGS, "solver": solver}, **options).fit(rows, y)
    assert directions == [N - 1]
    assert model.coefs_[0].shape == (F, 10)
    loss, (dW1, dW2), (db1, db2) = model.loss_and_gradient(rows, y)
    assert loss == pytest.approx(model.loss_, rel=1e-9)
    unit = rows.std(axis=0)[:, None] if standardize else 1.0
    penalty = 0.1 * (unit * model.coefs_[0]).std()
    assert np.abs(dW1 / unit).max() < 0.05 * penalty
    assert max(np.abs(dW2).max(), np.abs(db1).max(), np.abs(db2).max()) < 0.01


@pytest.mark.parametrize(("Estimator", "y"), CASES)
def test_it_learns_what_the_network_of_all_columns_learns(Estimator, y, directions, monkeypatch):
    """From the same start, where the penalty leaves one minimum."""
    options = {"alpha": 0.3, "tol": 1e-7, "max_iter": 5000}
    inside = Estimator(**SETTINGS, **options).fit(X, y)
    monkeypatch.setattr(span, "pays", lambda n, f, n_hidden: False)
    outside = Estimator(**SETTINGS, **options).fit(X, y)
    assert directions == [N - 1]
    assert inside.loss_ == pytest.approx(outside.loss_, rel=1e-4)
    new = X[::2] + RANDOM.normal(size=X[::2].shape)
    spread = np.abs(prediction(outside, new) - prediction(outside, X).mean(axis=0)).max()
    found, expected = prediction(inside, new), prediction(outside, new)
    assert_allclose(found, expected, atol=0.01 * max(spread, 0.1))


def test_networks_start_alike(monkeypatch):
    """W1 x~ of the rows is that of the network of all columns: only what no row sees is gone."""
    found, rotated = [], span.in_span_of_rows

    def observed(problem, settings):
        found.extend([problem, rotated(problem, settings), settings])
        return problem

    monkeypatch.setattr(span, "in_span_of_rows", observed)
    TwoLayerClassifier(**SETTINGS, alpha=0.1).fit(X, THREE)
    problem, inside, settings = found
    states = np.random.RandomState(3), np.random.RandomState(3)
    params = [each.draw_start(state, settings) for each, state in zip((problem, inside), states)]
    rows = (problem.table.X - problem.scale.mean) / problem.scale.scale
    expected = np.column_stack([rows, np.ones(N)]) @ problem.network.first_layer(params[0])
    coordinates = np.column_stack([inside.table.X, np.ones(N)])
    assert_allclose(coordinates @ inside.network.first_layer(params[1]), expected, atol=1e-10)
    assert_array_equal(inside.network.unpack(params[1])[2], problem.network.unpack(params[0])[2])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_default_fit_of_many_columns_takes_it(dtype, directions):
    model = TwoLayerClassifier(random_state=0).fit(X.astype(dtype), SIGNAL > 0)
    assert directions == [N - 1]
    assert model.coefs_[0].dtype == dtype
    assert model.score(X, SIGNAL > 0) > 0.9


@pytest.mark.parametrize(("Estimator", "y"), CASES[:4])
def test_weights_are_repeats(Estimator, y, directions):
    """By all defaults: no direction is that of rounding, in which starts would differ."""
    weight = RANDOM.randint(1, 4, size=N)
    repeated = np.repeat(np.arange(N), weight)
    weighed = Estimator(random_state=0).fit(X, y, sample_weight=weight)
    copied = Estimator(random_state=0).fit(X[repeated], y[repeated])
    assert directions == [N - 1, N - 1]  # centred rows, and copies span no more
    assert_allclose(prediction(copied, X), prediction(weighed, X), atol=1e-5)


def test_copies_have_the_same_coordinates(monkeypatch):
    """Bit for bit, as folds leave them out together, where a table is too large to merge them."""
    found, rotated = [], span.in_span_of_rows

    def observed(*arguments):
        found.append(rotated(*arguments).table.X)
        return rotated(*arguments)

    monkeypatch.setattr(span, "in_span_of_rows", observed)
    monkeypatch.setattr(table, "MOST_SORTED", 0)
    rows = np.vstack([X, X[::-1]])
    TwoLayerClassifier(**SETTINGS, alpha=0.1).fit(rows, np.r_[THREE, THREE[::-1]])
    assert found[0].shape == (2 * N, N - 1)
    assert_array_equal(found[0][:N], found[0][N:][::-1])


@pytest.mark.parametrize("scoring", ["neg_log_loss", "loss"])
@pytest.mark.parametrize("as_rows", [np.asarray, sparse.csr_array])
def test_validation_rows_are_seen_in_the_same_directions(as_rows, scoring, directions):
    """Their best score is that of the published network, by the user's scorer and by our own."""
    model = TwoLayerClassifier(**SETTINGS, alpha=0.1, early_stopping=True, scoring=scoring)
    new = RANDOM.normal(size=(40, F)) + X.mean(axis=0)
    labels = new[:, 0] > new[:, 1]
    model.fit(X, SIGNAL > 0, X_val=as_rows(new), y_val=labels)
    assert directions == [N - 1]
    best = max(model.validation_scores_)
    probabilities = model.predict_proba(new)[np.arange(40), labels.astype(int)]
    assert np.log(probabilities).mean() == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize(
    ("rows", "parameters"),
    [
        pytest.param(X[:, :90], {}, id="few weights"),
        pytest.param(X, {"solver": "adam"}, id="adam"),
        pytest.param(sparse.csr_array(X), {}, id="sparse"),
        pytest.param(np.tile(X, (16, 1)) + np.arange(16 * N)[:, None], {}, id="many rows"),
    ],
)
def test_who_stays_in_the_columns(rows, parameters, directions):
    y = np.resize(THREE, rows.shape[0])
    options = {**SETTINGS, "alpha": 0.1, "max_iter": 2, **parameters}
    with pytest.warns(Warning):  # it has not converged
        TwoLayerClassifier(**options).fit(rows, y)
    assert directions == []


def test_a_warm_start_goes_on_in_the_columns(directions):
    options = {**SETTINGS, "alpha": 0.1, "warm_start": True, "tol": 1e-6, "max_iter": 3000}
    model = TwoLayerClassifier(**options).fit(X, THREE)
    first = model.loss_
    model.fit(X, THREE)
    assert directions == [N - 1]
    assert model.loss_ <= first * (1 + 1e-9)


@pytest.mark.parametrize("alpha", ["evidence", "auto", 0.1])
def test_error_bars_know_of_directions_that_no_row_has(alpha, directions, monkeypatch):
    """They are those of a fit in the columns, and wider where a row leaves the span."""
    options = {"n_hidden": 3, "solver": "lm", "alpha": alpha, "random_state": 0, "tol": 1e-8}
    inside = TwoLayerRegressor(**options).fit(MORE, LINE)
    monkeypatch.setattr(span, "pays", lambda n, f, n_hidden: False)
    outside = TwoLayerRegressor(**options).fit(MORE, LINE)
    assert directions == [len(MORE) - 1]
    outlying = 3 * RANDOM.normal(size=(5, F))
    for rows in (MORE, outlying):
        y, bars = inside.predict(rows, return_std=True)
        y_expected, expected = outside.predict(rows, return_std=True)
        assert_allclose(y, y_expected, atol=0.02 * LINE.std())
        assert_allclose(bars, expected, rtol=0.05)
    _, bars_of_rows = inside.predict(MORE, return_std=True)
    _, bars_of_others = inside.predict(outlying, return_std=True)
    assert bars_of_others.min() > bars_of_rows.max()
    assert inside.n_effective_params_ == pytest.approx(outside.n_effective_params_, rel=0.1)


def test_precisions_of_columns_stay_in_them(directions):
    TwoLayerRegressor(3, solver="lm", alpha="ard", random_state=0).fit(X, SIGNAL)
    assert directions == []


def test_weights_give_coordinates_no_precision_of_their_own(directions):
    """S is more than the columns, of which the rows tell no more than before."""
    weight = np.full(len(MORE), 40.0)
    options = {"n_hidden": 3, "solver": "lm", "random_state": 0}
    with pytest.warns(UserWarning, match="Weights are frequencies"):
        model = TwoLayerRegressor(**options).fit(MORE, LINE, sample_weight=weight)
    assert directions == [len(MORE) - 1]
    assert len(model.penalty_) == 4


DESIGN = np.array([(a, b, c) for a in range(3) for b in range(2) for c in range(2)])
CELLS = DESIGN.repeat(5, axis=0)
SETTINGS_OF_FACTORS = np.array([(a, b) for a in range(3) for b in range(3)]).repeat(4, axis=0)


@pytest.mark.parametrize(
    ("Estimator", "factors", "y"),
    [
        pytest.param(
            TwoLayerClassifier,
            np.c_[np.eye(3)[CELLS[:, 0]], CELLS[:, 1:]],
            (CELLS[:, 0] == 1) ^ (CELLS[:, 1] > 0),
            id="all cells of a table",
        ),
        pytest.param(
            TwoLayerRegressor,
            SETTINGS_OF_FACTORS,
            SETTINGS_OF_FACTORS.prod(axis=1) + 0.3 * RANDOM.normal(size=36),
            id="replicates of a design",
        ),
    ],
)
def test_folds_go_by_what_columns_say(Estimator, factors, y, directions, monkeypatch):
    """Codes, grids and replicated settings are to be seen in the columns alone."""
    found = []

    def recorded(*arguments, **options):
        found.append(left_out_shares(*arguments, **options))
        return found[-1]

    monkeypatch.setattr(compare, "left_out_shares", recorded)
    rows = np.c_[factors, np.zeros((len(y), 300))]
    options = {"n_hidden": 10, "solver": "lbfgs", "random_state": 0}
    Estimator(**options).fit(rows, y)
    assert directions == [np.linalg.matrix_rank(factors - factors.mean(axis=0))]
    monkeypatch.setattr(span, "pays", lambda n, f, n_hidden: False)
    Estimator(**options).fit(rows, y)
    (shares, n_dealt), (expected, n_expected) = found
    assert n_dealt == n_expected == len(y)
    assert_array_equal(shares, expected)


def test_validation_rows_take_the_memory_of_a_block():
    new = sparse.random_array((20_000, F), density=0.001, format="csr", random_state=0)
    labels = np.resize([False, True], 20_000)
    model = TwoLayerClassifier(**SETTINGS, alpha=0.1, early_stopping=True)
    tracemalloc.start()
    try:
        model.fit(X, SIGNAL > 0, X_val=new, y_val=labels)
        assert tracemalloc.get_traced_memory()[1] < 40e6  # a dense copy takes 112 MB
    finally:
        tracemalloc.stop()


def test_zeros_of_either_sign_are_the_same_row(directions):
    rows = np.vstack([X, X])
    rows[0, 5], rows[N, 5] = 0.0, -0.0
    TwoLayerClassifier(**SETTINGS, alpha=0.1).fit(rows, np.r_[THREE, THREE])
    assert directions == [N - 1]


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_a_basis_has_as_many_directions_as_the_rows(rank):
    rows = RANDOM.normal(size=(6, rank)) @ RANDOM.normal(size=(rank, 40))
    basis, coordinates = span.basis_of(rows.copy())
    assert basis.shape == (40, rank)
    assert_allclose(basis.T @ basis, np.eye(rank), atol=1e-12)
    assert_allclose(coordinates @ basis.T, rows, atol=1e-12)


def test_rows_without_a_difference_have_one_direction():
    basis, coordinates = span.basis_of(np.zeros((5, 30)))
    assert (basis.shape, coordinates.shape) == ((30, 1), (5, 1))
    assert not coordinates.any()


def test_the_user_is_told(capsys):
    TwoLayerClassifier(**SETTINGS, alpha=0.1, verbose=1).fit(X, THREE)
    assert f"The rows of {F} columns span {N - 1} directions" in capsys.readouterr().out
