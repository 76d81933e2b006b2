"""Copies of rows: what repeats a row tells nothing new, and what is equal by chance does."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._bayes.copies import (
    N_FOLDS,
    SortedRows,
    left_out_shares,
    replicates_tell_noise,
    without_copies,
)
from sklearn_twolayer._data import table as table_module
from sklearn_twolayer._data.table import Table
from sklearn_twolayer._network.scale import Standardization

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(60, 3))
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
    assert counted(X, y, np.full(50, 0.9))[0] == 1  # next to rows that count more


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


def test_many_copies_are_merged_where_rows_are_too_many_to_sort(monkeypatch):
    """But a few are left, and so is what is equal by chance."""
    X, y = rows_of_numbers(50)
    rows = np.random.RandomState(0).permutation(np.repeat(np.arange(50), 1 + np.arange(50) % 3))
    _, table = counted(X[rows], y[rows])
    merged, copies = without_copies(table, Standardization.none(4, 1))
    assert merged.n_rows == 50
    assert copies == len(rows) / 50
    np.testing.assert_array_equal(merged.weight, (1 + np.arange(50) % 3)[rows[merged.numbers]])
    few = np.vstack([X, X[:2]]), np.append(y, y[:2])
    for others in (few, rows_of_levels(300)):
        _, table = counted(*others)
        assert without_copies(table, Standardization.none(others[0].shape[1], 1))[0] is table
    monkeypatch.setattr(table_module, "MOST_SORTED", 0)
    model = TwoLayerRegressor(3, alpha="evidence", random_state=0)
    assert model.fit(X[rows], y[rows]).curvature_rows_ == 50


@pytest.mark.parametrize("as_X", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("kind", ["numbers", "targets", "classes", "labels", "categories"])
def test_repeats_are_fitted_as_their_weights(kind, as_X):
    """Bit for bit, in any order: else rounding may choose another penalty, and another valley."""
    X, y = rows_of_numbers(100)
    if kind == "targets":
        y = np.column_stack([y, X[:, 0]])
    if kind == "classes":
        y = np.digitize(y, [-1, 0.5])
    if kind == "labels":
        y = np.column_stack([y > 0, X[:, 0] * X[:, 1] > 0]).astype(int)
    if kind == "categories":
        X, y = np.round(X[:, :2]), y > 0
    Estimator = TwoLayerRegressor if kind in ("numbers", "targets") else TwoLayerClassifier
    model = Estimator(random_state=0)
    rows = np.random.RandomState(1).permutation(np.repeat(np.arange(100), np.arange(100) % 4))
    repeated = model.fit(as_X(X[rows]), y[rows])
    method = "predict" if kind in ("numbers", "targets") else "predict_proba"
    prediction = getattr(repeated, method)(as_X(X))
    weighted = model.fit(as_X(X), y, np.bincount(rows, minlength=100))
    np.testing.assert_array_equal(prediction, getattr(weighted, method)(as_X(X)))


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
    _, n_distinct = dealt(rows, np.zeros(2), SimpleNamespace(mean=0.0, scale=np.ones(7)))
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


# What the folds leave out of each row


def categories(n=300, noise=0.2):
    """Two columns of four levels, and labels that half of the inputs have, but for the noise."""
    random = np.random.default_rng(1)
    levels, flipped = random.integers(4, size=(n, 2)), random.uniform(size=n) < noise
    return levels.astype(float), (levels.sum(axis=1) + flipped) % 2


def pairs_counted(X, y):
    """Each pair of inputs and label once, and how often it comes."""
    pairs, count = np.unique(np.c_[X, y], axis=0, return_counts=True)
    return pairs[:, :-1], pairs[:, -1], count.astype(float)


def left_out_of_pairs(X, y, shares, frequency):
    """How much of each pair of inputs and label each fold leaves out."""
    _, pair = np.unique(np.c_[X, y], axis=0, return_inverse=True)
    left_out = shares * frequency[:, None]
    return np.array([np.bincount(pair.ravel(), of_fold) for of_fold in left_out.T]).T


def plain(X):
    """Standardisation that moves no column."""
    return Standardization.none(X.shape[1], 1)


def test_rows_that_meet_by_chance_are_left_out_one_by_one():
    """What is left out of an input and a label leaves others of them, and is a random share."""
    rows, y = categories()
    shares, n_dealt = left_out_shares(rows, y, plain(rows))
    assert n_dealt == len(y)
    assert set(np.unique(shares)) == {0.0, 1.0}
    assert (shares.sum(axis=1) == 1).all()
    left_out = left_out_of_pairs(rows, y, shares, np.ones(len(y)))
    count = left_out.sum(axis=1)
    assert (left_out.max(axis=1) < count)[count > 5].all()
    in_turn = np.abs(left_out - count[:, None] / N_FOLDS) < 1
    assert not in_turn.all()


def test_units_give_every_fold_its_share_of_every_class():
    rows, y = categories(noise=0.1)
    shares, _ = left_out_shares(rows, y, plain(rows))
    for label in (0, 1):
        assert np.ptp(shares[y == label].sum(axis=0)) <= 1


def test_weights_are_dealt_as_repeats_are():
    rows, y = categories()
    found, n_found = left_out_shares(rows, y, plain(rows))
    alone, labels, count = pairs_counted(rows, y)
    shares, n_dealt = left_out_shares(alone, labels, plain(rows), frequency=count)
    assert n_found == n_dealt
    expected = left_out_of_pairs(rows, y, found, np.ones(len(y)))
    np.testing.assert_allclose(left_out_of_pairs(alone, labels, shares, count), expected)


def test_units_are_dealt_whatever_the_order_and_the_units_of_rows():
    rows, y = categories()
    expected = left_out_of_pairs(rows, y, left_out_shares(rows, y, plain(rows))[0], np.ones(300))
    scale, mean, order = np.array([2.0, 0.25]), np.array([4.0, -8.0]), RNG.permutation(300)
    moved = Standardization(mean, scale, np.zeros(1), np.ones(1))
    X_moved, y_moved = (rows * scale + mean)[order], y[order]
    shares, _ = left_out_shares(X_moved, y_moved, moved)
    found = left_out_of_pairs(X_moved, y_moved, shares, np.ones(300))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("factor", [0.3, 0.7, 1e9])
def test_weights_that_are_no_counts_are_dealt_in_equal_parts(factor):
    rows, y = categories(60)
    alone, labels, count = pairs_counted(rows, y)
    weight = factor * count * RNG.uniform(0.5, 1.5, size=len(count))
    shares, n_dealt = left_out_shares(alone, labels, plain(rows), frequency=weight)
    assert n_dealt == min(round(weight.sum()), 10**6)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares >= 0).all()
    of_folds = weight @ shares
    assert np.ptp(of_folds) < 2.01 * weight.sum() / n_dealt


@pytest.mark.parametrize("weight", [2, 2.5])
def test_rows_with_weights_are_copies_where_inputs_never_meet(weight):
    """A row of weight 2.5, if it was in both parts, would tell the kept rows the left-out label."""
    shares, n_dealt = left_out_shares(ROWS, LABELS, UNITS, frequency=np.full(60, weight))
    assert n_dealt == 60
    np.testing.assert_array_equal(
        shares.argmax(axis=1), SortedRows.of(ROWS, LABELS, UNITS).deal_distinct()[0]
    )
    assert (shares.max(axis=1) == 1).all()


def singles(times=1):
    """Forty rows of two classes, and a single one of each of three more, with so many copies."""
    y = np.repeat([0, 1, 2, 3, 4], [20, 20, times, times, times])
    return ROWS[np.r_[:40, np.repeat([40, 41, 42], times)]], y


@pytest.mark.parametrize("times", [1, 3])
def test_the_only_row_of_a_class_is_left_out_by_no_fold(times):
    X, y = singles(times)
    shares, n_dealt = left_out_shares(X, y, UNITS)
    assert n_dealt == 40
    np.testing.assert_array_equal(shares.sum(axis=1), y < 2)
    assert [shares[y == label].sum(axis=0).tolist() for label in (0, 1)] == [[4] * N_FOLDS] * 2
    once, labels = singles()
    weight = np.where(labels < 2, 1, times)
    weighted, n_weighted = left_out_shares(once, labels, UNITS, frequency=weight)
    assert n_weighted == n_dealt
    np.testing.assert_array_equal(np.repeat(weighted, weight, axis=0), shares)


def test_where_no_class_has_two_rows_none_is_left_out():
    for X in (ROWS, np.zeros((60, 3))):  # which tells the rows apart, and which does not
        shares, n_dealt = left_out_shares(X, np.arange(60), UNITS)
        assert n_dealt < 10
        assert not shares.any()


def test_the_only_row_with_or_without_one_of_several_labels_is_left_out_by_no_fold():
    """Others may have labels that nobody else has together."""
    y = RNG.integers(2, size=(60, 12))
    assert len(np.unique(y, axis=0)) > 50
    y[:, 0], y[:, 1] = np.arange(60) == 7, np.arange(60) != 9
    shares, n_dealt = left_out_shares(ROWS, y, UNITS)
    assert n_dealt == 58
    assert np.flatnonzero(shares.sum(axis=1) == 0).tolist() == [7, 9]


def test_the_only_unit_of_a_class_is_left_out_by_no_fold():
    rows, y = categories()
    y[:3] = 2, 3, 3
    shares, n_dealt = left_out_shares(rows, y, plain(rows))
    assert n_dealt == 299
    np.testing.assert_array_equal(shares.sum(axis=1), y != 2)
    shares, n_dealt = left_out_shares(rows, y, plain(rows), frequency=np.full(300, 2))
    assert n_dealt == 600  # of which each class has two
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_each_number_of_a_regression_is_left_out():
    shares, n_dealt = left_out_shares(ROWS, ROWS[:, :1], UNITS, are_labels=False)
    assert n_dealt == shares.sum() == 60


def test_few_errors_in_copies_leave_them_copies():
    indices = np.repeat(np.arange(60), 10)
    labels = LABELS[indices]
    labels[::300] = 1 - labels[::300]  # two of sixty inputs
    assert left_out_shares(ROWS[indices], labels, UNITS)[1] == 62
    labels[::50] = 1 - labels[::50]
    assert left_out_shares(ROWS[indices], labels, UNITS)[1] == 600


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("is_one_hot", [False, True])
@pytest.mark.parametrize(("times", "n_expected"), [(2, 16), (3, 48)])
def test_rows_that_fill_a_table_are_left_out_one_by_one(times, n_expected, is_one_hot, is_sparse):
    """Without noise as with it: a cell that is left out whole says nothing of new rows."""
    cells = np.indices((4, 4)).reshape(2, -1).T
    y = np.repeat(cells.sum(axis=1) % 2, times)
    if is_one_hot:
        cells = np.hstack([np.eye(4)[level] for level in cells.T])
    rows = np.repeat(cells, times, axis=0).astype(float)
    given = sparse.csr_array(rows) if is_sparse else rows
    assert left_out_shares(given, y, plain(rows))[1] == n_expected


def test_two_columns_of_two_values_each_are_a_table():
    """And no factor of four levels, whose indicators have one value fewer together."""
    rows = np.repeat(np.indices((2, 2)).reshape(2, -1).T, 5, axis=0).astype(float)
    assert left_out_shares(rows, rows.sum(axis=1) % 2, plain(rows))[1] == 20


def test_a_single_column_is_no_table():
    """Nor is it with a copy, or a constant, beside it."""
    column = np.repeat(RNG.normal(size=(40, 1)), 3, axis=0)
    rows = np.hstack([column, 2 * column, np.ones((120, 1))])
    assert left_out_shares(rows, (column[:, 0] > 0).astype(int), plain(rows))[1] == 40


def test_cells_of_which_most_are_empty_are_no_table():
    rows = np.repeat(RNG.integers(4, size=(20, 6)), 10, axis=0).astype(float)
    y = np.repeat(RNG.integers(2, size=20), 10)
    assert left_out_shares(rows, y, plain(rows))[1] == 20


def test_numbers_are_never_equal_by_chance():
    rows, y = categories()
    shares, n_dealt = left_out_shares(rows, y, plain(rows), are_labels=False)
    fold, n_distinct = SortedRows.of(rows, y, plain(rows)).deal_distinct()
    assert n_dealt == n_distinct < 40
    np.testing.assert_array_equal(shares.argmax(axis=1), fold)


# Settings that are measured several times


def series(n_settings=8, times=5):
    """Doses in no order, each measured several times, with more for the larger ones."""
    dose = np.repeat(3.0 ** -np.arange(n_settings), times)
    return dose[:, None], 10 * dose + 0.1 * np.random.RandomState(0).normal(size=len(dose))


def dealt_few(X, y, frequency=None):
    options = {"frequency": frequency, "are_labels": False, "are_few": True}
    return left_out_shares(X, y, plain(X), **options)


@pytest.mark.parametrize("is_sparse", [False, True])
def test_a_setting_is_left_out_whole_and_the_outermost_never(is_sparse):
    X, y = series()
    shares, n_dealt = dealt_few(sparse.csr_array(X) if is_sparse else X, y)
    assert n_dealt == 6
    assert (np.ptp(shares.reshape(8, 5, N_FOLDS), axis=1) == 0).all()
    assert shares.sum(axis=1).tolist() == [0] * 5 + [1] * 30 + [0] * 5
    assert np.sort(shares.sum(axis=0)).tolist() == [5, 5, 5, 5, 10]


@pytest.mark.parametrize(("n_settings", "n_left_out"), [(5, 5), (6, 4)])
def test_of_five_settings_each_is_left_out_and_of_six_those_between(n_settings, n_left_out):
    X, y = series(n_settings)
    shares, n_dealt = dealt_few(X, y)
    assert n_dealt == n_left_out
    assert shares.sum() == 5 * n_left_out


def test_settings_of_two_numbers_have_ends_of_both():
    number = np.repeat(np.arange(9.0), 3)
    X = np.c_[number, (number - 4.25) ** 2]  # least at 4, and greatest at 0, as the first
    shares, n_dealt = dealt_few(X, RNG.normal(size=27))
    assert n_dealt == 6
    assert set(number[shares.sum(axis=1) == 0]) == {0, 4, 8}


@pytest.mark.parametrize("are_few", [False, True])
def test_only_settings_of_few_numbers_are_left_out_whole(are_few):
    X, y = series()
    n_dealt = left_out_shares(X, y, plain(X), are_labels=False, are_few=are_few)[1]
    assert n_dealt == (6 if are_few else 40)


def single_rows():
    return rows_of_numbers(30)


def tripled_rows():
    X, y = single_rows()
    return X.repeat(3, axis=0), y.repeat(3)


def corners():
    X = np.repeat(np.indices((2, 2, 2)).reshape(3, -1).T, 4, axis=0).astype(float)
    return X, X @ [1, 2, 3] + RNG.normal(size=32)


def levels():
    return np.repeat(np.eye(6), 5, axis=0), RNG.normal(size=30)


def too_few_settings():
    return series(4)


@pytest.mark.parametrize("draw", [single_rows, tripled_rows, corners, levels, too_few_settings])
def test_rows_that_are_no_replicates_of_a_number_are_dealt_one_by_one(draw):
    X, y = draw()
    shares, n_dealt = dealt_few(X, y)
    fold, n_distinct = SortedRows.of(X, y, plain(X)).deal_distinct()
    assert n_dealt == n_distinct
    np.testing.assert_array_equal(shares.argmax(axis=1), fold)
    assert (shares.sum(axis=1) == 1).all()
    assert not replicates_tell_noise(X, y, plain(X))


def test_weights_and_order_leave_the_folds_of_settings_as_they_were():
    X, y = series(8, 3)
    expected, n_dealt = dealt_few(X, y)
    times = np.random.RandomState(1).randint(1, 4, size=24)
    rows = np.random.RandomState(2).permutation(np.repeat(np.arange(24), times))
    found, n_found = dealt_few(X[rows], y[rows])
    assert n_found == n_dealt
    np.testing.assert_array_equal(found, expected[rows])
    weighted, _ = dealt_few(X, y, times.astype(float))
    np.testing.assert_array_equal(weighted, expected)


@pytest.mark.parametrize(("times", "tells"), [(1, False), (2, True), (5, True)])
def test_replicates_tell_the_noise_where_half_of_the_residuals_are_theirs(times, tells):
    X, y = series(times=times)
    assert replicates_tell_noise(X, y, plain(X)) == tells
    if times == 2:  # equal ones tell nothing
        y[1] = y[0]
        assert not replicates_tell_noise(X, y, plain(X))
        assert dealt_few(X, y)[1] == 6


def test_a_dilution_series_is_no_flight_of_stairs():
    """Beside its siblings a left-out row had said nothing of the penalty: .02 to .67 for .02."""
    errors, new = [], np.linspace(0, 100, 201)
    for seed in range(50, 54):
        X = np.repeat(100 * 3.0 ** -np.arange(8), 5)[:, None]
        y = 2 * X[:, 0] + 3 * np.random.default_rng(seed).normal(size=40)
        model = TwoLayerRegressor(random_state=seed).fit(X, y)
        error = model.predict(new[:, None]) - 2 * new
        errors.append(np.sqrt(np.mean(error**2)) / y.std())
    assert np.mean(errors) < 0.1


def test_what_is_lost_of_a_left_out_setting_is_not_the_noise():
    """Replicates tell the noise, and the others little of how a curve goes on."""
    x = np.repeat(3.0 ** -np.arange(5), 8)
    y = x / (x + 0.15) + 0.02 * np.random.RandomState(0).normal(size=40)
    model = TwoLayerRegressor(random_state=0).fit(x[:, None], y)
    assert 0.01 < model.noise_precision_**-0.5 < 0.04


@pytest.mark.parametrize(("n_settings", "times"), [(6, 3), (10, 6)])
def test_weights_are_repeats_of_rows_that_share_their_setting(n_settings, times):
    """As no y comes at two of them, equal rows are copies, and settings do not meet by chance."""
    random = np.random.RandomState(0)
    x = np.repeat(np.linspace(0, 1, n_settings), times)[:, None]
    y = np.sin(7 * x[:, 0]) + 0.3 * random.normal(size=len(x))
    count = random.randint(1, 4, size=len(x))
    weighted = TwoLayerRegressor(random_state=0).fit(x, y, count.astype(float))
    repeated = TwoLayerRegressor(random_state=0).fit(x.repeat(count, axis=0), y.repeat(count))
    for found, expected in zip(*(m.predict(x, return_std=True) for m in (weighted, repeated))):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
