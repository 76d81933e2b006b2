"""What labels weigh: the weights of classes times those of the rows, and totals of parts."""

import numpy as np
import pytest

from sklearn_twolayer._data.labels import (
    class_weight_of_rows,
    label_totals,
    merge_label_totals,
)

Y = np.array([3, 1, 2, 1])


def test_class_weights_multiply_the_weights():
    assert class_weight_of_rows({1: 5, 3: 2}, Y, None).tolist() == [2, 5, 1, 5]
    weight = np.array([1.0, 2, 3, 4])
    assert class_weight_of_rows({1: 5, 3: 2}, Y, weight).tolist() == [2, 10, 3, 20]
    assert weight.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("weight", [None, np.array([1.0, 2, 3, 4])])
def test_balanced_classes_weigh_the_same_and_together_what_they_weighed(weight):
    balanced = class_weight_of_rows("balanced", Y, weight)
    totals = [balanced[label == Y].sum() for label in (1, 2, 3)]
    total = 4 if weight is None else weight.sum()
    assert totals == pytest.approx([total / 3] * 3, rel=1e-15)


def test_a_class_without_weight_takes_no_part_of_the_balance():
    balanced = class_weight_of_rows("balanced", Y, None, known=np.arange(5))
    np.testing.assert_array_equal(balanced, class_weight_of_rows("balanced", Y, None))


def test_balanced_with_weights_equals_balanced_with_repeats():
    times = np.array([1, 2, 3, 4])
    repeated = class_weight_of_rows("balanced", Y.repeat(times), None)
    weighted = class_weight_of_rows("balanced", Y, times.astype(float))
    assert weighted / times == pytest.approx(repeated[np.cumsum(times) - 1], rel=1e-15)


def test_a_list_of_class_weights_has_one_for_each_label():
    y = np.array([[0, 1], [1, 1], [1, 0], [1, 1]])
    found = class_weight_of_rows([{0: 3}, "balanced"], y, None)
    assert found == pytest.approx([3 * 2 / 3, 2 / 3, 2, 2 / 3], rel=1e-15)
    both = class_weight_of_rows({0: 3}, y, None)
    assert both.tolist() == [3, 1, 3, 1]


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({1: -1}, "must not be negative"),
        ({1: 1, 9: 1}, r"names \[9\], but the classes of y are \[1, 2, 3\]"),
        ({"1": 1}, r"names \['1'\]"),
        ({1: 0, 2: 0, 3: 0}, "every row the weight zero"),
        ([{1: 1}, {1: 1}], r"list of 2, but y has 1 column"),
        ([], r"list of 0, but y has 1 column"),
        ({1: np.nan}, "class_weight"),
        ({1: np.inf}, "class_weight"),
        ({1: "heavy"}, "class_weight"),
        ({1: 10**400}, "must be real numbers, finite"),
        ({1: 1j}, "must be real numbers"),
        ({1: 1e308, 2: 1e308, 3: 1e308}, "over the rows is not finite"),
    ],
)
def test_bad_class_weights_are_refused_by_name(class_weight, message):
    with pytest.raises(ValueError, match=message):
        class_weight_of_rows(class_weight, Y, None)


def test_of_many_classes_a_few_are_named():
    with pytest.raises(ValueError, match=r"names \[-1\], but the classes of y are .* 9, \.\.\.\]"):
        class_weight_of_rows({-1: 2}, np.arange(3000), None)


def test_label_totals_of_parts_make_those_of_all():
    weight = np.array([1.0, 2, 3, 4])
    y = np.array([["b", "x"], ["a", "x"], ["c", "y"], ["a", "x"]])
    parts = [label_totals(y[:1], weight[:1]), label_totals(y[1:], weight[1:])]
    for (labels, totals), expected in zip(merge_label_totals(parts), label_totals(y, weight)):
        assert labels.tolist() == expected[0].tolist()
        assert totals.tolist() == expected[1].tolist()
    with pytest.raises(ValueError, match=r"partitions of \[1, 2\] columns"):
        merge_label_totals([label_totals(y, None), label_totals(y[:, 0], None)])


def test_class_weights_of_a_part_follow_the_totals_of_all():
    y, weight = np.array([0, 0, 0, 1, 1, 2]), np.arange(1.0, 7)
    expected = class_weight_of_rows("balanced", y, weight)
    found = class_weight_of_rows("balanced", y[:3], weight[:3], label_totals(y, weight))
    assert found.tolist() == expected[:3].tolist()
    assert class_weight_of_rows({0: 0}, y[:3], None, label_totals(y, None)).tolist() == [0, 0, 0]


def test_class_weights_may_name_classes_that_are_missing():
    """As in scikit-learn: all classes of y have a weight, and a fold may lack one."""
    y = np.array([0, 1, 1])
    found = class_weight_of_rows({0: 2.0, 1: 3.0, 2: 5.0}, y, None)
    np.testing.assert_array_equal(found, [2, 3, 3])
    with pytest.raises(ValueError, match="names \\[2\\]"):
        class_weight_of_rows({0: 2.0, 2: 5.0}, y, None)
