"""Rows in memory: the weights that have a meaning, and the rows that take part."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from sklearn_twolayer._data import table as table_module
from sklearn_twolayer._data.table import Table, read_arrays
from sklearn_twolayer._network.products import dense

X = np.arange(8.0).reshape(4, 2)
Y = np.array([3, 1, 2, 1])


def check_weights(X, y, sample_weight):
    """X, y and the weights of the rows that take part."""
    table = read_arrays(lambda X, y: (X, y), X, y, sample_weight)
    return table.X, table.y, table.weight


def test_no_weights_and_weights_of_one_are_none():
    for sample_weight in (None, 1, np.ones(4), [1, 1, 1, 1]):
        found_X, found_y, weight = check_weights(X, Y, sample_weight)
        assert weight is None
        assert np.array_equal(found_X, X)
        assert np.array_equal(found_y, Y)


def test_rows_of_weight_zero_are_dropped():
    found_X, found_y, weight = check_weights(X, Y, [2, 0, 0.5, 0])
    assert np.array_equal(found_X, X[[0, 2]])
    assert found_y.tolist() == [3, 2]
    assert weight.tolist() == [2, 0.5]


def test_what_is_left_after_dropping_may_be_unweighted():
    assert check_weights(X, Y, [1, 0, 1, 1])[2] is None


def test_a_number_weighs_every_row():
    assert check_weights(X, Y, 2.5)[2].tolist() == [2.5] * 4


def test_weights_are_not_written_to():
    sample_weight = np.array([2.0, 0, 1, 3])
    check_weights(X, Y, sample_weight)
    assert sample_weight.tolist() == [2, 0, 1, 3]


@pytest.mark.parametrize(
    ("sample_weight", "message"),
    [
        ([1, -2, 1, 1], "row 1 has -2"),
        (-1, "must not be negative"),
        ([1, np.nan, 1, 1], "sample_weight: Input contains NaN"),
        ([1, np.inf, 1, 1], "sample_weight: Input contains infinity"),
        (np.zeros(4), "gives every row the weight zero"),
        ([1e308, 1e308, 1, 1], "sum of sample_weight over the rows is not finite"),
        (0, "gives every row the weight zero"),
        (np.ones(3), r"each of the 4 rows of X, shape \(4,\); it has shape \(3,\)"),
        (np.ones((4, 1)), r"it has shape \(4, 1\)"),
        (["a"] * 4, "could not convert"),
        ([], "0 sample"),
    ],
)
def test_bad_weights_are_refused(sample_weight, message):
    with pytest.raises(ValueError, match=message):
        check_weights(X, Y, sample_weight)


def test_rows_that_are_left_keep_the_numbers_by_which_the_user_knows_them():
    table = read_arrays(lambda X, y: (X, y), X, Y, [0, 1, 0, 2.5])
    assert table.X.tolist() == X[[1, 3]].tolist()
    assert table.y.tolist() == [1, 1]
    assert table.weightless.tolist() == [3, 2]
    assert table.numbers.tolist() == [1, 3]
    assert table.find("X", 0, X[3, 0]) == "row 3"


def test_shares_of_rows_weigh_less():
    table = read_arrays(lambda X, y: (X, y), X, Y, [2, 1, 0.5, 4])
    part = table.take_shares(np.array([0.5, 0, 1, 0.25]))
    assert np.array_equal(part.X, X[[0, 2, 3]])
    assert part.weight.tolist() == [1, 0.5, 1]
    assert part.total_weight == 2.5


def test_shares_of_rows_without_weights():
    table = read_arrays(lambda X, y: (X, y), X, Y, None)
    assert table.take_shares(np.array([0.5, 0, 1, 0.25])).weight.tolist() == [0.5, 1, 0.25]
    assert table.take_shares(np.array([0.0, 1, 0, 1])).weight is None


def test_a_part_is_the_same_every_time_and_has_the_smaller_ones():
    table = Table(np.arange(100.0).reshape(-1, 1), np.arange(100), None, frequency=np.ones(100))
    drawn = [set(table.part(n).y) for n in (20, 20, 50)]
    assert drawn[0] == drawn[1] < drawn[2]
    assert table.part(20).frequency.tolist() == [1] * 20


@pytest.mark.parametrize("shape", [(1000,), (1000, 1)])
def test_a_part_has_its_share_of_each_label_and_two_at_least(shape):
    """Where one of them is left out the other is not."""
    labels = np.repeat([3, 0, 1, 2], [690, 300, 7, 3])
    np.random.RandomState(0).shuffle(labels)
    table = Table(np.zeros((1000, 1)), labels, None)
    for n_rows in (50, 100, 500):
        counts = np.bincount(table.part(n_rows, strata=labels.reshape(shape)).y)
        shares = np.maximum(np.array([300, 7, 3, 690]) * n_rows / 1000, 2)
        np.testing.assert_allclose(counts, shares, atol=3)
        assert counts.min() >= 2
    few = table.part(4, strata=labels.reshape(shape))
    assert sorted(few.y) == [0, 1, 2, 3]


# Distinct rows


def rows_of_numbers(n):
    random = np.random.RandomState(0)
    X = random.normal(size=(n, 4))
    return X, X[:, 0] + random.normal(size=n)


def asked(**parameters):
    """The settings of a fit, as far as they say which rows are made one."""
    return SimpleNamespace(**{"solver": "auto", "early_stopping": False, **parameters})


@pytest.mark.parametrize("as_X", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("weight", [None, np.arange(1.0, 211)])
def test_the_distinct_rows_weigh_as_much_as_their_copies(as_X, weight):
    X, y = rows_of_numbers(20)
    rows = np.random.RandomState(0).permutation(np.repeat(np.arange(20), np.arange(1, 21)))
    table = Table(as_X(X[rows]), y[rows], weight, encoded=y[rows, None])
    merged = table.distinct(asked())
    assert merged.n_rows == 20
    assert merged.as_given is table
    np.testing.assert_array_equal(np.sort(rows[merged.numbers]), np.arange(20))
    assert (as_X(X[rows[merged.numbers]]) != merged.X).sum() == 0
    np.testing.assert_array_equal(merged.y, y[rows[merged.numbers]])
    expected = np.bincount(rows, weight)[rows[merged.numbers]]
    np.testing.assert_array_equal(merged.weight, expected)
    np.testing.assert_array_equal(merged.frequency, expected)


def test_rows_that_only_look_alike_stay_apart():
    """Equal inputs with another y, and inputs that are equal along a random direction."""
    X, y = np.ones((4, 2)), np.array([0.0, 1, 1, 0])
    merged = Table(X, y, None, encoded=y[:, None]).distinct(asked())
    assert sorted(zip(merged.y, merged.weight)) == [(0, 2), (1, 2)]
    X = np.array([[1e17, 0], [1e17, 1], [1e17, 2], [1e17, 1]])
    y = np.zeros(4)
    merged = Table(X, y, None, encoded=y[:, None]).distinct(asked())
    assert merged.as_given.n_rows == 4
    assert {tuple(row) for row in merged.X} == {tuple(row) for row in X}
    assert merged.total_weight == 4


def test_where_rows_are_not_summed_each_is_one():
    """Those of a textbook, of mini-batches, and those of which some are held out."""
    X, y = rows_of_numbers(50)
    rows = np.repeat(np.arange(50), 2)
    table = Table(X[rows], y[rows], None, encoded=y[rows, None])
    assert table.distinct(asked()).n_rows == 50
    for parameters in ({"solver": "gd"}, {"solver": "adam"}, {"early_stopping": True}):
        assert table.distinct(asked(**parameters)) is table


@pytest.mark.parametrize("as_X", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(("far", "dtype"), [(-9999, np.float32), (-1e15, float), (1e300, float)])
def test_a_far_value_hides_no_order(as_X, far, dtype):
    """Beside it the others are the same along a direction, of rounding: their columns sort them."""
    random = np.random.RandomState(0)
    X, y = random.uniform(size=(200, 2)).astype(dtype), random.randint(2, size=200)
    X[3] = far
    rows = random.permutation(np.repeat(np.arange(200), 2))
    found = Table(as_X(X), y, np.full(200, 2.0), encoded=y[:, None]).distinct(asked())
    other = Table(as_X(X[rows]), y[rows], None, encoded=y[rows, None]).distinct(asked())
    assert found.n_rows == other.n_rows == 200
    np.testing.assert_array_equal(dense(found.X), dense(other.X))
    np.testing.assert_array_equal(found.encoded, other.encoded)
    np.testing.assert_array_equal(found.weight, other.weight)


@pytest.mark.parametrize("constant", [1e15, 1.7e18])
def test_a_large_column_hides_no_copies(constant):
    """A constant, or a date that hardly moves, beside which the others are rounding."""
    X, y = rows_of_numbers(40)
    y = np.round(y)
    drift = np.random.RandomState(2).randint(3, size=40) * np.spacing(constant)
    for column in (np.zeros(40), drift):
        rows = np.column_stack([X, constant + column]).repeat(2, axis=0)
        table = Table(rows, y.repeat(2), None, encoded=y.repeat(2)[:, None])
        shuffled = table.take(np.random.RandomState(3).permutation(80))
        assert table.distinct(asked()).n_rows == shuffled.distinct(asked()).n_rows == 40


@pytest.mark.parametrize("as_X", [np.asarray, sparse.csr_array])
def test_rows_are_sorted_the_same_in_any_order_and_units(as_X):
    X, y = rows_of_numbers(50)
    y, rows, units = np.round(y), np.random.RandomState(1).permutation(50), 2.0 ** np.arange(4)
    X[:, 1] = 7.0
    found = Table(as_X(X), y, None, encoded=y[:, None]).distinct(asked())
    other = Table(as_X(units * X[rows]), y[rows], None, encoded=y[rows, None]).distinct(asked())
    assert found.weight is None
    np.testing.assert_array_equal(units * dense(found.X), dense(other.X))
    np.testing.assert_array_equal(found.encoded, other.encoded)
    np.testing.assert_array_equal(found.numbers, rows[other.numbers])


def test_large_tables_stay_as_they_are(monkeypatch):
    X, y = np.ones((6, 2)), np.zeros(6)
    monkeypatch.setattr(table_module, "MOST_SORTED", 17)
    table = Table(X, y, None, encoded=y[:, None])
    assert table.distinct(asked()) is table
    monkeypatch.setattr(table_module, "MOST_SORTED", 18)
    assert table.distinct(asked()).n_rows == 1
