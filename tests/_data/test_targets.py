"""Targets: what y means, learnt from parts, encoded, weighed and decoded; validation splits."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score

from sklearn_twolayer._data.labels import LabelTargets
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
    ("y", "weight", "expected"),
    [
        ("ab", [1, 1], ()),
        ("ab", [0, 1], (True,)),
        ("abc", [1, 1, 1], ()),
        ("abc", [1, 0, 1], (False, True, False)),
    ],
)
def test_the_output_of_a_class_without_weight_is_constant(y, weight, expected):
    """Two classes have one output together."""
    summary = LabelTargets.summarize(np.array([*y]), np.array(weight, float))
    found = LabelTargets.learn(summary, SimpleNamespace(class_weight=None))
    assert found.is_constant == expected


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


@pytest.mark.parametrize("y", [np.arange(1000).astype(object), np.array([True, False], object)])
def test_objects_that_are_no_strings_are_refused_in_short(y):
    with pytest.raises(
        ValueError, match=r"Unknown label type.*dtype object.*astype\(int\)"
    ) as error:
        LabelTargets.summarize(y, None)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("kind", ["datetime64[D]", "timedelta64[D]", object])
def test_dates_that_are_missing_are_refused(kind):
    y = np.array([0, "NaT", 1], "timedelta64[D]")
    y = (np.datetime64("2020-01-01") + y if kind == "datetime64[D]" else y).astype(kind)
    with pytest.raises(
        ValueError, match=r"missing values.* in 1 row\(s\), the first of them row 1"
    ):
        LabelTargets.check(y)


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


@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_columns_are_no_further_rows(n_classes):
    targets = LabelTargets(np.arange(n_classes), is_multilabel=False)
    y = np.arange(n_classes)
    message = rf"shape \({n_classes}, 2\), but one column of the classes \[0.*\] was fitted"
    with pytest.raises(ValueError, match=message):
        targets.encode(np.column_stack([y, y]))


def test_of_many_labels_a_few_are_named():
    targets = LabelTargets(np.arange(3000), is_multilabel=False)
    with pytest.raises(ValueError, match=r"8\.5, 9\.5, \.\.\.\].* 8, 9, \.\.\.\]\.") as refusal:
        targets.encode(np.arange(3000) + 0.5)
    assert len(str(refusal.value)) < 200


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
    refusal = pytest.raises(ValueError, match=r"^classes=.* not valid.*classes=np.unique\(y_all\)")
    for classes in ([], np.array([]), 3, "abc", {1, 2}, [1, None], [1, np.nan]):
        with refusal:
            targets.with_classes(classes)
        with refusal:
            targets.going_on(classes, None)
    with pytest.raises(TypeError, match=r"^classes=array\(\[1, 'a'\].*: '<' not supported"):
        targets.with_classes(np.array([1, "a"], object))
    with pytest.raises(ValueError, match="first call of partial_fit needs classes"):
        targets.with_classes(None)
    indicator = labels_of(np.array([[0, 1], [1, 1]]))
    assert indicator.with_classes([0, 1]).is_multilabel
    with pytest.raises(ValueError, match=r"classes=\[0, 1, 2\] are not valid: for multilabel y"):
        indicator.with_classes([0, 1, 2])


def test_a_batch_is_weighed_without_the_classes_that_it_lacks():
    targets = LabelTargets(np.array(["a", "b", "c"]), False, {"b": 2, "c": 0.5})
    batch = np.array(["b", "a", "b"])
    assert targets.weigh_stream(batch, None).tolist() == [2, 1, 2]
    assert targets.weigh_stream(batch, np.array([1.0, 2, 3])).tolist() == [2, 2, 6]
    both = LabelTargets(np.arange(2), True, [{0: 3}, None])
    assert both.weigh_stream(np.array([[0, 1], [1, 1]]), None).tolist() == [3, 1]


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ("balanced", "needs all rows at once"),
        (["balanced"], "needs all rows at once"),
        ({"a": 1, "b": 1, "d": 1}, r"names \['d'\], but the classes are \['a', 'b'\]"),
        ({"a": 0}, "every row the weight zero"),
        ({"a": 1e308}, "over the rows is not finite"),
    ],
)
def test_class_weights_that_no_batch_can_follow_are_refused(class_weight, message):
    targets = LabelTargets(np.array(["a", "b"]), False, class_weight)
    with pytest.raises(ValueError, match=message):
        targets.weigh_stream(np.array(["a", "a"]), None)


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
        ("logistic", [1e-3, 3e-3], 1.0),
        ("logistic", [0.01], 1e-4),
        ("identity", [], 1.0),
        ("logistic", [], 1.0),
    ],
)
def test_a_penalty_is_in_units_of_y(output_activation, deviations, unit):
    """Of targets that vary: the root of their mean variance, for logistic output itself.

    Next to no variance is not learnt, and takes the penalty that leads to the mean.
    """
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


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.array(["0.1", "0.2", "nan", "nan"], object), "missing values"),
        (np.array(["0.1", "0.2", "nan", "0.3"]), "missing values"),
        (np.array([0.1, 0.2, np.inf, 0.3], object), "infinite values"),
        (np.array(["0.1", "0.2", "-inf", "0.3"], object), "infinite values"),
        (np.array([[0.1], [0.2], [-np.inf], [np.inf]], object), "infinite values"),
    ],
)
def test_missing_and_infinite_values_are_found_in_objects_and_texts(bad, message):
    with pytest.raises(ValueError, match=f"y has {message}.* the first of them row 2. Drop"):
        RealTargets.check(bad)
