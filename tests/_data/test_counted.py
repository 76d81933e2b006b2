"""How many rows weights count: S, or as many as even weights would, where S is less than n."""

from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_twolayer._data.counted import kish, merged_kish, rows_counted, that_count
from sklearn_twolayer._data.table import read_arrays

RANDOM = np.random.RandomState(0)
UNEVEN = np.exp(RANDOM.normal(size=50))
SETTINGS = SimpleNamespace(solver="auto", early_stopping=False)


def counted(weight):
    weight = np.asarray(weight, float)
    return rows_counted(weight.sum(), kish(weight))


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (np.full(10, 0.1), 10),
        (np.full(10, 3.0), 30),
        ([1, 1, 1, 1e-6, 1e-6], 3),
        ([1e-3, 1e-3, 1e-9, 1e-9, 1e-9], 2),
        ([1, 1, 1, 0, 0], 3),
        ([4, 1, 1e-9, 1e-9], 5),  # of a sum of n or more nothing is taken
        ([3, 0.1, 0.1, 0.1, 0.1], 3.4),  # more than the 1.3 that are as good
    ],
)
def test_rows_that_weights_count(weight, expected):
    assert counted(weight) == pytest.approx(expected, rel=1e-4)


def test_one_formula_where_weights_cannot_be_frequencies():
    weight = UNEVEN / UNEVEN.sum()
    assert counted(weight) == pytest.approx(1 / (weight @ weight))
    assert counted(weight) == pytest.approx(counted(2.0**-900 * weight), rel=1e-12)
    assert 1 < counted(weight) < 50


def test_no_sum_is_a_border():
    """Neither that of n rows, nor the one at which weights sum to what they count."""
    for total in (50, kish(UNEVEN)):
        below, above = (counted(UNEVEN * (total / UNEVEN.sum() * f)) for f in (1 - 1e-6, 1 + 1e-6))
        assert below == pytest.approx(above, rel=1e-5)


def test_weights_that_count_are_multiples():
    found = that_count(UNEVEN / 1000)
    assert found.sum() == pytest.approx(counted(UNEVEN / 1000))
    np.testing.assert_allclose(found / UNEVEN, found[0] / UNEVEN[0])
    for enough in (UNEVEN, UNEVEN * 30, UNEVEN * (50 / UNEVEN.sum()), found):
        assert that_count(enough) is enough
    for weight in np.exp(RANDOM.normal(size=(50, 50))):  # of any rounding
        found = that_count(weight / 1000)
        assert that_count(found) is found
    assert that_count(None) is that_count(np.full(7, 0.1)) is that_count(np.ones(3)) is None


def test_weights_without_a_reciprocal_count():
    least = 5e-324 * np.array([3, 2, 1, 1])
    np.testing.assert_allclose(that_count(least), that_count(least / 5e-324 / 1000))


def test_parts_count_as_their_rows_do():
    parts = [UNEVEN[:5], UNEVEN[5:6], np.zeros(0), UNEVEN[6:]]
    found = merged_kish([part.sum() for part in parts], [kish(part) for part in parts])
    assert found == pytest.approx(kish(UNEVEN))


def table_of(X, weight):
    table = read_arrays(lambda X, y: (X, y), X, X[:, 0], weight)
    return table.encode(SimpleNamespace(encode=lambda y, name: y[:, None]))


def test_copies_of_rows_with_small_weights_are_copies():
    X = RANDOM.normal(size=(20, 2)).repeat(3, axis=0)
    small = table_of(X, np.full(60, 0.1)).counted().distinct(SETTINGS)
    unweighted = table_of(X, None).counted().distinct(SETTINGS)
    assert small.weight.tolist() == small.frequency.tolist() == unweighted.weight.tolist()
    assert small.total_weight == 60


def test_the_weights_of_the_user_are_kept():
    weight = UNEVEN / 1000
    table = table_of(RANDOM.normal(size=(50, 2)), weight).counted()
    assert table.as_given.frequency is weight
    assert table.distinct(SETTINGS).as_given.frequency is weight
    assert table.counted() is table
    np.testing.assert_array_equal(table.weight, table.frequency)
