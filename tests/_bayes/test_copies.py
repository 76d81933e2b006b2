"""Copies of rows: what repeats a row tells nothing new, and what is equal by chance does."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from sklearn_twolayer import TwoLayerRegressor
from sklearn_twolayer._bayes.copies import N_FOLDS, SortedRows, frequencies, without_copies
from sklearn_twolayer._data.table import Table
from sklearn_twolayer._fit import run
from sklearn_twolayer._network.scale import Standardization

ROWS = np.random.default_rng(0).normal(size=(60, 3))
LABELS = (ROWS[:, 0] * ROWS[:, 1] > 0).astype(int)
UNITS = Standardization.none(3, 1)


def rows_of_numbers(n, seed=0, n_features=4):
    random = np.random.RandomState(seed)
    X = random.normal(size=(n, n_features))
    y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + 0.3 * random.normal(size=n)
    return X, y


def rows_of_levels(n, seed=0):
    """Three levels in two columns, whose sum has noise, and is rounded."""
    random = np.random.RandomState(seed)
    X = random.randint(3, size=(n, 2)).astype(float)
    return X, np.round(X.sum(axis=1) + 0.5 * random.normal(size=n))


def counted(X, y, weight=None):
    table = Table(X, y, weight, encoded=y[:, None])
    return without_copies(table, Standardization.none(X.shape[1], 1))[1], table


@pytest.mark.parametrize("times", [1, 3])
def test_copies_are_counted_by_repeats_and_by_weights(times):
    X, y = rows_of_numbers(50)
    assert counted(X, y, np.full(50, float(times)))[0] == times
    assert counted(X.repeat(times, axis=0), y.repeat(times))[0] == times
    weight = np.arange(1.0, 51)
    assert counted(X, y, weight)[0] == weight.mean()
    rows = np.repeat(np.arange(50), np.arange(1, 51))
    assert counted(X[rows], y[rows])[0] == pytest.approx(weight.mean())
    assert counted(X, y, np.full(50, 0.01))[0] == pytest.approx(1)  # no frequencies


def test_what_is_equal_by_chance_is_no_copy():
    X, y = rows_of_levels(300)
    assert counted(X, y)[0] == 1
    assert counted(X, y, np.full(300, 2.0))[0] == 1
    noiseless = X[:, 0] * X[:, 1]  # a table whose cells are all seen
    assert counted(X, noiseless)[0] == 1


def test_few_values_of_y_do_not_hide_copies():
    """Inputs of their own bring their y along."""
    X, y = rows_of_numbers(60)
    assert counted(X.repeat(3, axis=0), np.round(y).repeat(3))[0] == pytest.approx(3)


def outcomes(random):
    """A binary input and outcome."""
    X = random.randint(2, size=(1000, 1)).astype(float)
    return X, (random.uniform(size=1000) < np.where(X[:, 0] > 0, 0.7, 0.2)).astype(float)


def ratings(random):
    X = random.randint(2, size=(1000, 1)).astype(float)
    return X, np.clip(np.round(3 + X[:, 0] + random.normal(size=1000)), 1, 5)


def design(random):
    """A table whose cells have a y of their own."""
    X = random.randint(3, size=(1000, 3)).astype(float)
    return X, X @ [1, 3, 9] + X[:, 0] * X[:, 1]


def doses(random):
    X = random.randint(5, size=(200, 1)).astype(float)
    return X, np.round(10 * np.sin(X[:, 0]) + random.normal(size=200), 1)


@pytest.mark.parametrize("draw", [outcomes, ratings, design, doses])
def test_rows_that_fill_a_design_are_no_copies(draw):
    assert counted(*draw(np.random.RandomState(0)))[0] == 1


def test_the_rate_of_a_binary_outcome_is_found():
    X, y = outcomes(np.random.RandomState(0))
    prediction = TwoLayerRegressor(random_state=0).fit(X, y).predict([[0.0], [1.0]])
    expected = y[X[:, 0] == 0].mean(), y[X[:, 0] == 1].mean()
    np.testing.assert_allclose(prediction, expected, atol=0.05)


def test_the_distinct_rows_weigh_as_much_as_their_copies():
    X, y = rows_of_numbers(20)
    rows = np.random.RandomState(0).permutation(np.repeat(np.arange(20), np.arange(1, 21)))
    for weight in (None, np.full(len(rows), 2.0)):
        _, table = counted(X[rows], y[rows], weight)
        merged, _ = without_copies(table, Standardization.none(4, 1))
        assert merged.n_rows == 20
        _, first = np.unique(rows, return_index=True)
        np.testing.assert_array_equal(merged.numbers, np.sort(first))
        np.testing.assert_array_equal(merged.X, X[rows[merged.numbers]])
        expected = (1 + rows[merged.numbers]) * (1.0 if weight is None else 2.0)
        np.testing.assert_array_equal(merged.weight, expected)
        np.testing.assert_array_equal(merged.frequency, expected)


def test_a_bootstrap_has_copies_and_those_of_a_few_rows_are_left():
    X, y = rows_of_numbers(200)
    drawn = np.random.RandomState(0).choice(200, 200)
    _, table = counted(X[drawn], y[drawn])
    assert without_copies(table, Standardization.none(4, 1))[0].n_rows == len(set(drawn))


def test_other_rows_stay_as_they_are():
    X, y = rows_of_levels(300)
    few = rows_of_numbers(50)
    few = np.vstack([few[0], few[0][:2]]), np.append(few[1], few[1][:2])
    for rows in (rows_of_numbers(50), few, (X, y)):
        _, table = counted(*rows)
        assert without_copies(table, Standardization.none(rows[0].shape[1], 1))[0] is table


def test_weights_below_one_are_raised_to_the_number_of_rows():
    X, y = rows_of_numbers(10)
    _, table = counted(X, y, np.full(10, 0.1))
    np.testing.assert_allclose(frequencies(table.weight, table.n_rows), 1)


@pytest.mark.parametrize("alpha", ["auto", "evidence"])
def test_copies_do_not_tell_their_noise_for_a_signal(alpha):
    """They had let a fit learn the noise: R^2 of .6 for .92, and a noise of next to none."""
    X, y = rows_of_numbers(150)
    new, signal = rows_of_numbers(1000, 1)
    model = TwoLayerRegressor(10, n_members=3, alpha=alpha, random_state=0)
    once = model.fit(X, y).score(new, signal)
    noise = model.noise_precision_
    for rows in (X.repeat(20, axis=0), y.repeat(20)), (X, y, np.full(150, 20.0)):
        with warnings.catch_warnings():
            if len(rows) > 2:
                warnings.filterwarnings("ignore", "The weights of the 150 rows sum to 3000")
            model.fit(*rows)
        assert model.score(new, signal) > once - 0.05
        assert model.noise_precision_ == pytest.approx(noise, rel=0.2)
        prediction, std = model.predict(new, return_std=True)
        assert 0.85 < (abs(prediction - signal) < 1.645 * std).mean() < 0.95


def test_repeats_are_fitted_as_their_weights():
    X, y = rows_of_numbers(100)
    rows = np.repeat(np.arange(100), np.random.RandomState(1).randint(1, 20, 100))
    model = TwoLayerRegressor(5, random_state=0)
    repeated = model.fit(X[rows], y[rows]).predict(X)
    weighted = model.fit(X, y, np.bincount(rows)).predict(X)
    np.testing.assert_allclose(repeated, weighted, rtol=1e-6, atol=1e-8)


@pytest.mark.filterwarnings("ignore:solver='gd' stopped")
def test_where_no_penalty_is_found_rows_stay_as_they_are(monkeypatch):
    def fails(table, scale):
        raise AssertionError

    monkeypatch.setattr(run, "without_copies", fails)
    X, y = rows_of_numbers(40)
    rows = X.repeat(3, axis=0), y.repeat(3)
    TwoLayerRegressor(3, alpha=0.01, random_state=0).fit(*rows)
    TwoLayerRegressor(3, solver="gd", max_iter=2, tol=0).fit(*rows)
    TwoLayerRegressor(3, early_stopping=True, random_state=0).fit(*rows)
    with pytest.raises(AssertionError):
        TwoLayerRegressor(3, random_state=0).fit(*rows)


# How distinct rows are dealt to folds


def dealt(X, y, scale=UNITS):
    return SortedRows.of(X, y, scale).deal_distinct()


def test_every_fold_has_its_share_of_every_class():
    y = np.repeat([0, 1, 2], [30, 20, 10])
    fold, n_distinct = dealt(ROWS, y)
    assert n_distinct == 60
    for label, n in zip((0, 1, 2), (6, 4, 2)):
        assert np.bincount(fold[y == label]).tolist() == [n] * N_FOLDS


def test_equal_rows_are_in_one_fold():
    indices = np.random.default_rng(1).integers(60, size=200)
    fold, n_distinct = dealt(ROWS[indices], LABELS[indices])
    assert n_distinct == len(np.unique(indices))
    for index in np.unique(indices):
        assert len(np.unique(fold[indices == index])) == 1


def test_repeats_leave_the_folds_of_the_rows_as_they_were():
    fold, _ = dealt(ROWS, LABELS)
    repeated, _ = dealt(np.repeat(ROWS, 3, axis=0), np.repeat(LABELS, 3))
    np.testing.assert_array_equal(repeated, np.repeat(fold, 3))


def test_the_order_of_the_rows_does_not_matter():
    order = np.random.default_rng(1).permutation(60)
    found, _ = dealt(ROWS[order], LABELS[order])
    np.testing.assert_array_equal(found, dealt(ROWS, LABELS)[0][order])


def test_the_units_of_the_columns_do_not_matter():
    scale, mean = np.array([2.0, 0.25, 1024.0]), np.array([1.0, -8.0, 0.0])
    moved = Standardization(mean, scale, np.zeros(1), np.ones(1))
    found, _ = dealt(ROWS * scale + mean, LABELS, moved)
    np.testing.assert_array_equal(found, dealt(ROWS, LABELS)[0])


def test_the_order_in_which_a_sparse_row_is_stored_makes_no_other_row():
    rows = sparse.csr_array(np.tile(np.linspace(0.1, 0.9, 7), (2, 1)))
    rows.indices[7:], rows.data[7:] = rows.indices[6::-1].copy(), rows.data[6::-1].copy()
    rows.has_sorted_indices = False
    _, n_distinct = dealt(rows, np.zeros(2), SimpleNamespace(scale=np.ones(7)))
    assert n_distinct == 1


def test_sparse_rows_have_the_folds_of_dense_ones():
    thin = ROWS * (np.abs(ROWS) > 1)
    expected, n_distinct = dealt(thin, LABELS)
    found, n_found = dealt(sparse.csr_array(thin), LABELS)
    assert n_found == n_distinct
    np.testing.assert_array_equal(found, expected)


def test_multilabel_rows_are_alike_where_all_labels_are():
    fold, n_distinct = dealt(np.zeros((8, 3)), np.repeat(np.eye(4), 2, axis=0))
    assert n_distinct == 4
    assert fold.tolist() == [3, 3, 2, 2, 1, 1, 0, 0]
