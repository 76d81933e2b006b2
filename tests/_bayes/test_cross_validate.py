"""Left-out rows: folds of distinct rows, and a choice that rounding does not make."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_twolayer._bayes.cross_validate import (
    CLASSES_GRID,
    FEW_NUMBERS_GRID,
    MIN_RACED,
    N_FOLDS,
    NUMBERS_GRID,
    folds,
)
from sklearn_twolayer._network.scale import Standardization

GRID = CLASSES_GRID
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
UNITS = Standardization(np.zeros(3), np.ones(3), np.zeros(1), np.ones(1))


def test_every_fold_has_its_share_of_every_class():
    y = np.repeat([0, 1, 2], [30, 20, 10])
    fold, n_distinct = folds(X, y, UNITS)
    assert n_distinct == 60
    for label, n in zip((0, 1, 2), (6, 4, 2)):
        assert np.bincount(fold[y == label]).tolist() == [n] * N_FOLDS


def test_equal_rows_are_in_one_fold():
    indices = RNG.integers(60, size=200)
    fold, n_distinct = folds(X[indices], Y[indices], UNITS)
    assert n_distinct == len(np.unique(indices))
    for index in np.unique(indices):
        assert len(np.unique(fold[indices == index])) == 1


def test_repeats_leave_the_folds_of_the_rows_as_they_were():
    fold, _ = folds(X, Y, UNITS)
    repeated, _ = folds(np.repeat(X, 3, axis=0), np.repeat(Y, 3), UNITS)
    np.testing.assert_array_equal(repeated, np.repeat(fold, 3))


def test_the_order_of_the_rows_does_not_matter():
    order = RNG.permutation(60)
    np.testing.assert_array_equal(folds(X[order], Y[order], UNITS)[0], folds(X, Y, UNITS)[0][order])


def test_the_units_of_the_columns_do_not_matter():
    scale, mean = np.array([2.0, 0.25, 1024.0]), np.array([1.0, -8.0, 0.0])
    moved = Standardization(mean, scale, np.zeros(1), np.ones(1))
    np.testing.assert_array_equal(folds(X * scale + mean, Y, moved)[0], folds(X, Y, UNITS)[0])


def test_sparse_rows_have_the_folds_of_dense_ones():
    thin = X * (np.abs(X) > 1)
    expected, n_distinct = folds(thin, Y, UNITS)
    found, n_found = folds(sparse.csr_array(thin), Y, UNITS)
    assert n_found == n_distinct
    np.testing.assert_array_equal(found, expected)


def test_multilabel_rows_are_alike_where_all_labels_are():
    fold, n_distinct = folds(np.zeros((8, 3)), np.repeat(np.eye(4), 2, axis=0), UNITS)
    assert n_distinct == 4
    assert fold.tolist() == [3, 3, 2, 2, 1, 1, 0, 0]


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


def test_few_rows_are_learned_under_the_weakest_penalty():
    fold = np.arange(GRID.min_rows - 1) % N_FOLDS
    assert (
        GRID.choose(None, fold, GRID.min_rows - 1, total_weight=GRID.min_rows - 1)
        == GRID.strengths[0]
    )


def test_every_row_is_left_out_once():
    fold, seen = np.arange(20) % N_FOLDS, np.zeros(20, int)

    def losses(kept, left_out, strengths):
        assert not (kept & left_out).any()
        assert (kept | left_out).all()
        seen[left_out] += 1
        return np.ones(len(GRID.strengths))

    GRID.choose(losses, fold, 20, total_weight=20)
    assert (seen == 1).all()


def test_what_was_judged_counts_where_the_time_is_over():
    answers = [np.arange(len(GRID.strengths), 0.0, -1), None]
    fold = np.arange(20) % N_FOLDS
    assert GRID.choose(lambda *_: answers.pop(0), fold, 20, total_weight=20) == GRID.strengths[-1]
    assert GRID.choose(lambda *_: None, fold, 20, total_weight=20) == 1


def test_what_is_hopeless_in_the_first_fold_is_not_asked_again():
    asked = []

    def losses(kept, left_out, strengths):
        asked.append(strengths)
        return [1.0 if strength == 1 else 1.2 if strength > 1 else 3.0 for strength in strengths]

    fold = np.arange(MIN_RACED) % N_FOLDS
    assert GRID.choose(losses, fold, MIN_RACED, total_weight=MIN_RACED) == 1
    assert asked == [list(GRID.strengths), *[[1.0, 3.0, 10.0, 30.0]] * 4]
    asked.clear()
    assert GRID.choose(losses, fold, MIN_RACED - 1, total_weight=MIN_RACED - 1) == 1
    assert asked == [list(GRID.strengths)] * 5
