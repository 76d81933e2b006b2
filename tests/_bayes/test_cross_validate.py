"""Left-out rows: what a fold leaves out, and a choice that rounding does not make."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_twolayer._bayes.copies import N_FOLDS, SortedRows, left_out_shares
from sklearn_twolayer._bayes.cross_validate import (
    CLASSES_GRID,
    FEW_NUMBERS_GRID,
    MIN_RACED,
    NUMBERS_GRID,
)
from sklearn_twolayer._network.scale import Standardization

GRID = CLASSES_GRID
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
UNITS = Standardization(np.zeros(3), np.ones(3), np.zeros(1), np.ones(1))


def test_the_least_loss_wins():
    for best in GRID.strengths:
        losses = {precision: 1.0 + (precision != best) for precision in GRID.strengths}
        assert GRID.least(losses) == best


def test_unit_precision_wins_unless_another_is_clearly_better():
    losses = {precision: 1.0 - 0.005 * (precision != 1) for precision in GRID.strengths}
    assert GRID.least(losses) == 1


@pytest.mark.parametrize("grid", [CLASSES_GRID, NUMBERS_GRID, FEW_NUMBERS_GRID])
def test_every_strength_has_a_rank_among_ties(grid):
    assert sorted(grid.preference) == sorted(grid.strengths) == list(grid.strengths)


def test_beyond_the_strongest_are_stronger_ones():
    assert list(GRID.stronger) == sorted(GRID.stronger)
    assert GRID.stronger[0] > GRID.strengths[-1]


def test_few_rows_are_learned_under_the_weakest_penalty():
    assert GRID.choose(None, GRID.min_rows - 1) == GRID.strengths[0]


def test_every_fold_is_left_out_once():
    seen = []

    def losses(number, strengths):
        seen.append(number)
        return np.ones(len(strengths))

    GRID.choose(losses, 20)
    assert seen == list(range(N_FOLDS))


def falling(n_told):
    """Losses of so many strengths from the weakest, each far less than that before."""
    return [2.0 ** (9 - number) for number in range(n_told)]


@pytest.mark.parametrize(("n_told", "chosen"), [(0, 1.0), (1, 1.0), (3, 1.0), (4, 1.0), (5, 3.0)])
def test_where_the_time_is_over_the_best_that_was_told_is_chosen(n_told, chosen):
    """The preferred one before it was told: what was told are networks that had to learn first."""
    answers = [falling(n_told), []]
    assert GRID.choose(lambda number, strengths: answers.pop(0), 20) == chosen


def test_a_fold_that_was_cut_short_does_not_count():
    """Its losses are of rows by which not all were judged."""
    answers = [falling(5)[::-1], [1e9] * 4]
    assert GRID.choose(lambda number, strengths: answers.pop(0), 20) == 0.03
    assert not answers


def test_what_is_hopeless_in_the_first_fold_is_not_asked_again():
    asked = []

    def losses(number, strengths):
        asked.append(strengths)
        return [1.0 if strength == 1 else 1.2 if strength > 1 else 3.0 for strength in strengths]

    assert GRID.choose(losses, MIN_RACED) == 1
    assert asked == [list(GRID.strengths), *[[1.0, 3.0]] * 4]
    asked.clear()
    assert GRID.choose(losses, MIN_RACED - 1) == 1
    assert asked == [list(GRID.strengths)] * 5


def categories(n=300, noise=0.2):
    """Two columns of four levels, and labels that half of the inputs have, but for the noise."""
    random = np.random.default_rng(1)
    levels, flipped = random.integers(4, size=(n, 2)), random.uniform(size=n) < noise
    return levels.astype(float), (levels.sum(axis=1) + flipped) % 2


def counted(X, y):
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
    k = X.shape[1]
    return Standardization(np.zeros(k), np.ones(k), np.zeros(1), np.ones(1))


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
    alone, labels, count = counted(rows, y)
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


@pytest.mark.parametrize("factor", [1e-3, 0.7, 1e9])
def test_weights_that_are_no_counts_are_dealt_in_equal_parts(factor):
    rows, y = categories(60)
    alone, labels, count = counted(rows, y)
    weight = factor * count * RNG.uniform(0.5, 1.5, size=len(count))
    shares, n_dealt = left_out_shares(alone, labels, plain(rows), frequency=weight)
    assert n_dealt == {1e-3: len(count), 0.7: round(weight.sum()), 1e9: 10**6}[factor]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares >= 0).all()
    of_folds = weight @ shares
    assert np.ptp(of_folds) < 2.01 * weight.sum() / n_dealt


@pytest.mark.parametrize("weight", [2, 2.5])
def test_rows_with_weights_are_copies_where_inputs_never_meet(weight):
    """A row of weight 2.5, if it was in both parts, would tell the kept rows the left-out label."""
    shares, n_dealt = left_out_shares(X, Y, UNITS, frequency=np.full(60, weight))
    assert n_dealt == 60
    np.testing.assert_array_equal(
        shares.argmax(axis=1), SortedRows.of(X, Y, UNITS).deal_distinct()[0]
    )
    assert (shares.max(axis=1) == 1).all()


def test_few_errors_in_copies_leave_them_copies():
    indices = np.repeat(np.arange(60), 10)
    labels = Y[indices]
    labels[::300] = 1 - labels[::300]  # two of sixty inputs
    assert left_out_shares(X[indices], labels, UNITS)[1] == 62
    labels[::50] = 1 - labels[::50]
    assert left_out_shares(X[indices], labels, UNITS)[1] == 600


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
