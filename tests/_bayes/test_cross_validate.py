"""Penalties by left-out rows: a choice that rounding does not make."""

import numpy as np
import pytest

from sklearn_twolayer._bayes.copies import N_FOLDS
from sklearn_twolayer._bayes.cross_validate import (
    CLASSES_GRID,
    FEW_NUMBERS_GRID,
    NUMBERS_GRID,
    n_folds_asked,
)

GRID = CLASSES_GRID


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

    assert GRID.choose(losses, 125) == 1
    assert asked == [list(GRID.strengths), *[[1.0, 3.0]] * 3]
    asked.clear()
    assert GRID.choose(losses, 500, bits=0.2) == 1  # the first fold may have no row of a class
    assert asked == [list(GRID.strengths)] * 5


def test_folds_are_asked_until_they_have_a_hundred_rows():
    assert [n_folds_asked(n) for n in (3, 20, 100, 101, 250, 499, 500, 10**6)] == [
        *(3, 5, 5, 5, 2, 2, 1, 1)
    ]


def test_rows_of_a_rare_class_tell_less():
    assert [n_folds_asked(1000, bits) for bits in (0.0, 0.001, 0.08, 0.2, 0.4, 1.0, 3.0)] == [
        *(0, 5, 5, 3, 2, 1, 1)
    ]


@pytest.mark.parametrize(
    ("n_dealt", "bits", "chosen"), [(100, 0.19, 1.0), (100, 0.21, 0.03), (19, 1.0, 0.03)]
)
def test_few_rows_of_a_rare_class_say_nothing_for_less_than_unit_precision(n_dealt, bits, chosen):
    losses = dict(zip(GRID.strengths, (1.0, 2.0, 3.0, 4.0, 5.0)))
    assert GRID.choose(lambda _, asked: [losses[s] for s in asked], n_dealt, bits) == chosen
    losses[3.0] = 0.5
    assert GRID.choose(lambda _, asked: [losses[s] for s in asked], n_dealt, bits) == 3


def test_where_no_fold_is_asked_unit_precision_stays():
    assert GRID.choose(None, GRID.min_rows, bits=0.0) == 1
