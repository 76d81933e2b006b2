"""What is refused says of what it speaks: the argument as the user calls it, the row, the type."""

from functools import partial

import numpy as np
import pytest

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._fit import run
from sklearn_twolayer._network.backprop import TwoLayerNetwork

BOTH = pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
X = np.random.RandomState(0).normal(size=(40, 3))
LABELS = (X[:, 0] > 0).astype(int)
SETTINGS = {"n_hidden": 3, "alpha": 0.1, "random_state": 0}
#: What has no rows: functions that make it, since a generator can be read once.
NO_ROWS = {
    "generator": lambda: (label for label in LABELS),
    "dict": lambda: {"a": 1},
    "object": object,
    "set": lambda: {1, 2},
    "int": lambda: 5,
    "str": lambda: "abc",
    "ndarray": lambda: np.array(None, object),
}


def in_partitions(*arrays):
    dask_array = pytest.importorskip("dask.array")
    return [dask_array.from_array(array, (10, -1)[: array.ndim]) for array in arrays]


@BOTH
@pytest.mark.parametrize("kind", NO_ROWS)
def test_a_y_without_rows_is_named_with_its_type(kind, Estimator):
    model, make = Estimator(**SETTINGS).fit(X, LABELS), NO_ROWS[kind]
    classes = {"classes": [0, 1]} if Estimator is TwoLayerClassifier else {}
    calls = [
        partial(model.fit, X),
        partial(Estimator(solver="sgd", **SETTINGS).partial_fit, X, **classes),
        partial(model.loss_and_gradient, X),
        lambda y: model.fit(X, LABELS, X_val=X, y_val=y),
    ]
    before = model.predict(X)
    for call in calls:
        with pytest.raises(TypeError, match=rf"y is of type {kind}, .* Pass an array or a list"):
            call(make())
    with pytest.raises((TypeError, ValueError)):  # in the words of scikit-learn
        model.score(X, make())
    assert np.array_equal(model.predict(X), before)


@BOTH
@pytest.mark.parametrize("kind", NO_ROWS)
def test_and_so_it_is_beside_partitions(kind, Estimator):
    (collection,) = in_partitions(X)
    model, message = Estimator(**SETTINGS).fit(X, LABELS), f"y is of type {kind}, which has no"
    for call in (Estimator(**SETTINGS).fit, model.score):
        with pytest.raises(TypeError, match=message):
            call(collection, NO_ROWS[kind]())


@BOTH
def test_a_network_that_no_memory_holds_is_refused_before_weights_are_drawn(Estimator):
    wide = Estimator(10**8, alpha=0.1)
    message = r"n_hidden=100000000 makes 5e\+08 weights of 3 inputs and 1 .* n_hidden <= 53687091\."
    with pytest.raises(ValueError, match=message):
        wide.fit(X, LABELS)


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [((2**28, 1, 1), "Choose fewer columns"), ((2**27 - 2, 2, 1), "Choose n_hidden <= 1")],
)
def test_the_remedy_for_too_many_weights_can_be_followed(shape, remedy):
    f, h, k = shape
    assert remedy in run.too_wide(TwoLayerNetwork(f, h, k, "tanh"))
    assert TwoLayerNetwork(2**27 - 2, 1, k, "tanh").n_params <= run.MOST_WEIGHTS


@BOTH
def test_without_y_scikit_learn_speaks(Estimator):
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        Estimator().fit(X, None)


@BOTH
def test_nan_among_objects_is_named_with_its_row(Estimator):
    """scikit-learn says no more than "Input contains NaN"."""
    y = LABELS.astype(object)
    y[[7, 9]] = np.nan
    model = Estimator(**SETTINGS).fit(X, LABELS)
    message = r"y has missing values .* in 2 row\(s\), the first of them row 7\."
    for call in (model.fit, model.loss_and_gradient):
        with pytest.raises(ValueError, match=f"^{message}"):
            call(X, y)
    with pytest.raises(ValueError, match=f"^X_val and y_val: {message}"):
        model.fit(X, LABELS, X_val=X, y_val=y)


@BOTH
@pytest.mark.parametrize("kind", ["arrays", "dask"])
@pytest.mark.parametrize("weight", [0 * LABELS, LABELS[:3], -1 - LABELS])
def test_weights_of_validation_rows_have_their_name(weight, kind, Estimator):
    data = (X, LABELS) if kind == "arrays" else in_partitions(X, LABELS)
    validation = {"X_val": data[0], "y_val": data[1], "sample_weight_val": weight}
    with pytest.raises(ValueError, match=r"^X_val, y_val and sample_weight_val: "):
        Estimator(**SETTINGS).fit(*data, **validation)


def test_labels_of_validation_rows_are_those_of_y_val():
    model, other = TwoLayerClassifier(**SETTINGS), np.where(np.arange(40) == 3, 2, LABELS)
    with pytest.raises(ValueError, match=r"^y_val has the labels \[2\], not among \[0, 1\]\.$"):
        model.fit(X, LABELS, X_val=X, y_val=other)
    with pytest.raises(ValueError, match=r"but y_val holds \[0, 1, 2\]\. Pass \(y_val == the"):
        model.fit(X, np.c_[LABELS, LABELS], X_val=X, y_val=np.c_[other, other])
    with pytest.raises(ValueError, match=r"^y has the labels \[2\]"):
        model.fit(X, LABELS).loss_and_gradient(X, other)


@BOTH
def test_delayed_objects_are_no_collections_of_rows(Estimator):
    """They have any attribute that is asked of them."""
    dask = pytest.importorskip("dask")
    model, rows = Estimator(**SETTINGS).fit(X, LABELS), dask.delayed(X)
    collections, label = in_partitions(X, LABELS), dask.delayed(LABELS)
    calls = [
        partial(model.fit, rows, LABELS),
        partial(model.fit, collections[0], label),
        partial(model.fit, *collections, label),
        partial(model.predict, rows),
        partial(model.score, rows, LABELS),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"Got Delayed\w* where a Dask array or a Dask data"):
            call()


@BOTH
def test_a_collection_of_other_columns_is_refused_before_it_is_computed(Estimator):
    model, (rows,) = Estimator(**SETTINGS).fit(X, LABELS), in_partitions(X)
    names = ("predict", "transform", "input_gradient", "predict_proba", "decision_function")
    for method in (getattr(model, name) for name in names if hasattr(model, name)):
        with pytest.raises(ValueError, match=r"X has 2 features, but TwoLayer.* 3 features"):
            method(rows[:, :2])
        with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
            method(rows[:, 0])
        unknown = rows.map_blocks(lambda block: block, chunks=((10,) * 4, (np.nan,)))
        assert np.array_equal(method(unknown).compute(), method(rows).compute())
