"""Targets: what y means, learnt from parts, encoded, weighed and decoded; validation splits."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score

from sklearn_twolayer._data.labels import (
    LabelTargets,
    class_weight_of_rows,
    label_totals,
    merge_label_totals,
)
from sklearn_twolayer._data.table import validation_split
from sklearn_twolayer._data.targets import RealTargets

X = np.arange(8.0).reshape(4, 2)
Y = np.array([3, 1, 2, 1])


#: Settings, of which real targets read the output activation.
IDENTITY, LOGISTIC = (SimpleNamespace(output_activation=name) for name in ("identity", "logistic"))


def labels_of(y, class_weight=None, parts=1):
    """What ``LabelTargets`` learn from y, in parts."""
    summaries = [LabelTargets.summarize(part, None) for part in np.array_split(y, parts)]
    summary = summaries[0] if parts == 1 else LabelTargets.merge(summaries)
    return LabelTargets.learn(summary, SimpleNamespace(class_weight=class_weight))


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        ([2, 1, 2], [1, 2]),
        ([-1, 1, -1], [-1, 1]),
        ([0, 7, -3], [-3, 0, 7]),
        ([1.0, 3.0, 1.0], [1.0, 3.0]),
        ([True, False, True], [False, True]),
        (["b", "a", "b"], ["a", "b"]),
        (np.array(["b", "a", "c"], dtype=object), ["a", "b", "c"]),
        ([5, 5, 5], [5]),
    ],
)
def test_classes_are_sorted_and_keep_their_type(y, classes):
    y = np.asarray(y)
    for parts in (1, 2):
        found = labels_of(y, parts=parts)
        assert found.classes.tolist() == classes
        assert found.classes.dtype == y.dtype
        assert not found.is_multilabel


def test_an_indicator_matrix_has_the_indices_of_its_columns_for_classes():
    for parts in (1, 2):
        found = labels_of(np.array([[0, 1, 1], [1, 0, 1]]), parts=parts)
        assert found.classes.tolist() == [0, 1, 2]
        assert found.is_multilabel
        assert (found.n_outputs, found.output_activation) == (3, "logistic")


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        ([0.1, 0.2, 1.0], "continuous"),
        ([[0.1, 2], [1, 1], [0, 0]], "continuous-multioutput"),
        ([[0, 2], [1, 1], [0, 0]], "multiclass-multioutput"),
    ],
)
def test_what_is_no_set_of_labels_is_refused_by_its_kind(y, kind):
    for parts in (1, 3):
        with pytest.raises(ValueError, match=f"Unknown label type: {kind}.*TwoLayerRegressor"):
            labels_of(np.asarray(y), parts=parts)


def test_indicators_of_parts_may_make_no_indicator():
    with pytest.raises(ValueError, match="Unknown label type: multiclass-multioutput"):
        labels_of(np.array([[0, 1], [1, 1], [0, 2], [2, 2]]), parts=2)


def test_two_classes_are_encoded_as_a_column_of_zeros_and_ones():
    encoded = LabelTargets(np.array(["a", "b"]), False).encode(np.array(["b", "a", "b"]))
    assert encoded.dtype == np.float64
    assert encoded.tolist() == [[1], [0], [1]]


@pytest.mark.parametrize("n_classes", [1, 3, 10])
def test_one_class_and_more_than_two_are_encoded_as_indices(n_classes):
    classes = np.arange(n_classes) * 5 - 7
    indices = np.random.RandomState(0).randint(n_classes, size=20)
    assert np.array_equal(LabelTargets(classes, False).encode(classes[indices]), indices)


def test_an_indicator_matrix_becomes_floats():
    encoded = LabelTargets(np.arange(2), True).encode(np.array([[True, False], [True, True]]))
    assert encoded.dtype == np.float64
    assert encoded.tolist() == [[1, 0], [1, 1]]


def test_labels_that_were_not_fitted_are_named():
    with pytest.raises(ValueError, match=r"labels \['c'\], not among \['a', 'b'\]"):
        LabelTargets(np.array(["a", "b"]), False).encode(np.array(["a", "c"]))
    with pytest.raises(ValueError, match=r"shape \(1, 2\), but 3 labels were fitted"):
        LabelTargets(np.arange(3), True).encode(np.array([[0, 1]]))


def test_no_class_weight_leaves_the_weights_alone():
    weight = np.array([1.0, 2, 3, 4])
    assert class_weight_of_rows(None, Y, None) is None
    assert class_weight_of_rows(None, Y, weight) is weight


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
    ],
)
def test_bad_class_weights_are_refused_by_name(class_weight, message):
    with pytest.raises(ValueError, match=message):
        class_weight_of_rows(class_weight, Y, None)


def split(n_rows, labels, fraction, seed=0):
    return validation_split(n_rows, labels, fraction, np.random.RandomState(seed))


@pytest.mark.parametrize("n_rows", [11, 40, 101])
@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.9])
def test_a_split_parts_the_rows(n_rows, fraction):
    train, validation = split(n_rows, None, fraction)
    assert sorted([*train, *validation]) == list(range(n_rows))
    assert len(validation) == np.ceil(fraction * n_rows)


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_a_split_keeps_the_shares_of_the_classes(n_classes):
    labels = np.repeat(np.arange(n_classes), 10 * np.arange(1, n_classes + 1))
    _, validation = split(len(labels), labels, 0.1)
    shares = np.bincount(labels[validation], minlength=n_classes)
    assert shares.tolist() == list(range(1, n_classes + 1))


def test_a_split_without_room_for_every_class_is_random():
    _, validation = split(30, np.arange(30) % 10, 0.1)
    assert len(validation) == 3
    _, validation = split(30, np.r_[1, np.zeros(29)], 0.2)
    assert len(validation) == 6


def test_a_split_follows_its_seed():
    assert np.array_equal(split(50, None, 0.2, 1)[1], split(50, None, 0.2, 1)[1])
    assert not np.array_equal(split(50, None, 0.2, 1)[1], split(50, None, 0.2, 2)[1])


@pytest.mark.parametrize(
    ("n_rows", "fraction"), [(1, 0.5), (2, 0.5), (10, 0.1), (3, 0.3), (20, 0.999)]
)
def test_a_split_with_too_few_rows_is_refused(n_rows, fraction):
    with pytest.raises(ValueError, match=f"validation_fraction={fraction} of .*early_stopping"):
        split(n_rows, None, fraction)


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


def test_targets_weigh_parts_by_the_totals_of_all():
    y, weight = np.array([0, 0, 0, 1, 1, 2]), np.arange(1.0, 7)
    summary = LabelTargets.merge(
        [LabelTargets.summarize(y[rows], weight[rows]) for rows in (slice(0, 2), slice(2, 6))]
    )
    targets = LabelTargets.learn(summary, SimpleNamespace(class_weight="balanced"))
    assert targets.totals is None  # what is published or sent to encode stays light
    expected = targets.weigh(y, weight)
    found = targets.for_parts(summary).weigh(y[:2], weight[:2])
    assert found.tolist() == expected[:2].tolist()
    again = pickle.loads(pickle.dumps(targets.for_parts(summary)))
    assert again.weigh(y[2:], weight[2:]).tolist() == expected[2:].tolist()


@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_classes_are_decoded_from_the_raw_prediction(n_classes):
    targets = labels_of(np.array(["a", "b", "c"])[np.arange(6) % n_classes])
    k = 1 if n_classes == 2 else n_classes
    assert targets.n_outputs == k
    assert targets.output_activation == ("logistic" if n_classes == 2 else "softmax")
    assert targets.loss.output_activation == targets.output_activation
    Z2 = np.array([[-1.0], [2.0]]) if k == 1 else np.eye(n_classes)
    if n_classes > 1:
        decoded = targets.decode(Z2)
        assert decoded.tolist() == targets.classes[: len(Z2)].tolist()
    else:
        assert targets.decode(np.array([[-3.0], [3.0]])).tolist() == ["a", "a"]


def test_labels_of_an_indicator_are_decoded_one_by_one():
    targets = LabelTargets(np.arange(2), True)
    assert targets.decode(np.array([[-1.0, 2], [3, 0]])).tolist() == [[0, 1], [1, 0]]
    assert targets.strata(np.array([[0, 1]])) is None
    assert labels_of(Y).strata(Y) is Y


def test_the_first_batch_names_all_classes():
    targets = labels_of(np.array([1, 2, 1])).with_classes([3, 1, 2])
    assert targets.classes.tolist() == [1, 2, 3]
    for classes in (None, [1, 2, 3]):
        later = targets.going_on(classes, {1: 2})
        assert later.classes is targets.classes
        assert later.class_weight == {1: 2}
    with pytest.raises(ValueError, match=r"classes=\[1, 2\] are not those"):
        targets.going_on([1, 2], None)
    with pytest.raises(ValueError, match="first call of partial_fit needs classes"):
        targets.with_classes(None)
    indicator = labels_of(np.array([[0, 1], [1, 1]]))
    assert indicator.with_classes([0, 1]).is_multilabel
    with pytest.raises(ValueError, match="not those of the first call"):
        indicator.with_classes([0, 1, 2])


def test_a_batch_is_weighed_without_the_classes_that_it_lacks():
    targets = LabelTargets(np.array(["a", "b", "c"]), False, {"b": 2, "c": 0.5})
    batch = np.array(["b", "a", "b"])
    assert targets.weigh_stream(batch, None).tolist() == [2, 1, 2]
    assert targets.weigh_stream(batch, np.array([1.0, 2, 3])).tolist() == [2, 2, 6]
    both = LabelTargets(np.arange(2), True, [{0: 3}, None])
    assert both.weigh_stream(np.array([[0, 1], [1, 1]]), None).tolist() == [3, 1]
    assert LabelTargets(np.arange(3), False).weigh_stream(batch, None) is None


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ("balanced", "needs all rows at once"),
        (["balanced"], "needs all rows at once"),
        ({"a": 1, "b": 1, "d": 1}, r"names \['d'\], but the classes are \['a', 'b'\]"),
    ],
)
def test_class_weights_that_no_batch_can_follow_are_refused(class_weight, message):
    targets = LabelTargets(np.array(["a", "b"]), False, class_weight)
    with pytest.raises(ValueError, match=message):
        targets.weigh_stream(np.array(["a"]), None)


def test_a_start_has_every_class():
    three = LabelTargets(np.arange(3), False)
    encoded, weight = three.start_with_every_class(np.array([0, 2]), np.array([2.0, 3]))
    assert encoded.tolist() == [0, 2, 0, 1, 2]
    assert weight.tolist() == [2, 3, 1, 1, 1]
    whole = np.array([0, 1, 2])
    assert three.start_with_every_class(whole, None)[0] is whole
    two = LabelTargets(np.arange(2), False)
    encoded, weight = two.start_with_every_class(np.array([[1.0]]), None)
    assert encoded.tolist() == [[1], [0], [1]]
    assert weight is None


def test_a_warm_start_needs_the_same_classes():
    targets = LabelTargets(np.arange(2), False)
    targets.check_same(LabelTargets(np.arange(2), False, "balanced"))
    with pytest.raises(ValueError, match="same classes as in the previous"):
        targets.check_same(LabelTargets(np.arange(3), False))
    with pytest.raises(ValueError, match="another kind of y"):
        targets.check_same(LabelTargets(np.arange(2), True))


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("y", [np.array([0.2, 1.5, -1]), np.array([[0.2, 3], [1, 0], [1, 1]])])
def test_real_targets(y, parts):
    summaries = [RealTargets.summarize(part, None) for part in np.array_split(y, parts)]
    summary = summaries[0] if parts == 1 else RealTargets.merge(summaries)
    targets = RealTargets.learn(summary, IDENTITY)
    assert targets == RealTargets(y.reshape(3, -1).shape[1], y.ndim == 1, "identity")
    np.testing.assert_array_equal(targets.encode(y), y.reshape(3, -1))
    np.testing.assert_array_equal(targets.decode(y.reshape(3, -1)), y)
    with pytest.raises(ValueError, match="but the network was fitted to"):
        targets.encode(np.zeros((3, 4)))
    logistic = RealTargets.learn(summary, LOGISTIC)
    assert logistic.loss.output_activation == "logistic"
    lowest, highest = y.min(), y.max()
    assert logistic.complaint.startswith(f"y ranges from {lowest:.3g} to {highest:.3g}, but")
    within = RealTargets.learn(np.array([0.0, 1]), LOGISTIC)
    assert within.complaint is None


@pytest.mark.parametrize(
    ("output_activation", "deviations", "unit"),
    [
        ("identity", [3.0, 4.0], 12.5**0.5),
        ("identity", [0.2], 0.3),
        ("logistic", [0.2], 0.04),
        ("logistic", [1e-3, 3e-3], 5e-6),
        ("identity", [], 1.0),
        ("logistic", [], 1.0),
    ],
)
def test_a_penalty_is_in_units_of_y(output_activation, deviations, unit):
    """Of targets that vary: of the root of their mean variance, of itself for logistic output."""
    moments = SimpleNamespace(
        scale=np.array([*deviations, 1.0]),
        is_constant=np.arange(len(deviations) + 1) == len(deviations),
    )
    targets = RealTargets(len(deviations) + 1, False, output_activation)
    assert targets.penalty_unit == 1
    assert targets.in_units(moments).penalty_unit == pytest.approx(unit, rel=1e-12)


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    y, Z2, weight = rng.normal(size=(30, 2)), rng.normal(size=(30, 2)), rng.uniform(size=30)

    def rows_of(y):
        return SimpleNamespace(
            n_rows=len(y), first=lambda name: y[0], sum=lambda block: block(None, y, weight)
        )

    def prediction(X, y, weight):
        return Z2

    expected = r2_score(y, Z2, sample_weight=weight)
    found = RealTargets(2, False, "identity").score(rows_of(y), prediction)
    assert found == pytest.approx(expected, rel=1e-12)
    labels = (y > 0).astype(float)
    expected = accuracy_score(labels, Z2 > 0, sample_weight=weight)
    found = LabelTargets(np.arange(2), True).score(rows_of(labels), prediction)
    assert found == pytest.approx(expected, rel=1e-12)
