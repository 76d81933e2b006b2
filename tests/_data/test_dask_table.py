"""Rows in partitions: what they sum to, hand out and refuse, on threads and on a cluster."""

import pickle
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from sklearn_twolayer._data.dask_table import map_collection, read_collection
from sklearn_twolayer._data.labels import LabelTargets
from sklearn_twolayer._data.partitions import Group, one_row
from sklearn_twolayer._data.table import Table, is_collection, read_arrays
from sklearn_twolayer._data.targets import RealTargets
from sklearn_twolayer._network.scale import Standardization, column_moments

REASON = "the dask extra is not installed"
dask = pytest.importorskip("dask", reason=REASON)
distributed = pytest.importorskip("distributed", reason=REASON)
da = pytest.importorskip("dask.array", reason=REASON)
dd = pytest.importorskip("dask.dataframe", reason=REASON)
pd = pytest.importorskip("pandas", reason=REASON)

N_ROWS = 60
CHUNKS = pytest.mark.parametrize("chunks", [60, 25, (1, 40, 19)], ids=["one", "even", "uneven"])


@pytest.fixture(scope="module")
def client(cluster):
    with distributed.Client(cluster) as client:
        yield client


@pytest.fixture(params=["threads", "cluster"])
def anywhere(request):
    """On Dask's own threads, and on a cluster."""
    if request.param == "cluster":
        request.getfixturevalue("client")


@pytest.fixture(scope="module")
def data():
    """X, two targets, three classes in the order of the rows, and weights, some of them zero."""
    rng = np.random.default_rng(0)
    X = np.sort(rng.normal(size=(N_ROWS, 3)), axis=0)
    labels = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    return X, rng.normal(size=(N_ROWS, 2)), labels, rng.integers(0, 3, size=N_ROWS).astype(float)


def check(X, y):
    """Validate a partition."""
    if np.isnan(X).any():
        raise ValueError("Input X contains NaN.")
    return np.asarray(X), np.asarray(y)


def collection(X, y, weight, chunks, targets_class=RealTargets):
    """The table of arrays in chunks."""
    return read_collection(
        da.from_array(X, chunks=(chunks, -1)),
        y,
        weight,
        columns=lambda row: None,
        check=check,
        targets_class=targets_class,
    )


def learned(table, targets_class=RealTargets, class_weight=None):
    """Targets, and the table weighed and encoded by them."""
    settings = SimpleNamespace(output_activation="identity", class_weight=class_weight)
    targets = targets_class.learn(table.summary(targets_class), settings)
    return targets, table.weigh(targets).encode(targets)


def products(X, y, weight):
    """Some sums over a block."""
    return weight.sum(), weight @ X, X.T @ y


@CHUNKS
@pytest.mark.usefixtures("anywhere")
def test_sums_and_moments_are_those_in_memory(chunks, data):
    X, y, _, weight = data
    scale = Standardization(np.ones(3), np.full(3, 2.0), np.ones(2), np.full(2, 3.0))
    results = []
    for table in (collection(X, y, weight, chunks), read_arrays(check, X, y, weight)):
        targets, table = learned(table)
        with table.rows(scale, np.float64, 10) as rows:
            sums, mapped = rows.sum(products), rows.map(lambda X, y, weight: np.hstack([X, y]))
            counts = rows.n_rows, rows.total_weight, rows.weight_of_blocks
        with table.raw_rows("X", 10) as rows:
            moments = [*vars(column_moments(rows)).values()]
        with table.raw_rows("encoded", 10) as rows:
            moments += vars(column_moments(rows)).values()
        mean = table.mean_target(targets, scale)
        shape = table.n_rows, table.n_features, table.dtype, float(table.total_weight)
        results.append([*sums, mapped, *moments, mean, counts, targets])
        assert shape == ((weight > 0).sum(), 3, np.float64, weight.sum())
    for found, expected in zip(*results):
        if isinstance(expected, RealTargets):
            assert found == expected
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@CHUNKS
@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize("class_weight", [None, "balanced", {"a": 2, "c": 0}, {"a": 0, "d": 1}])
def test_class_weights_follow_all_rows(class_weight, chunks, data):
    X, _, labels, weight = data
    table = collection(X, labels, weight, chunks, LabelTargets)
    if isinstance(class_weight, dict) and "d" in class_weight:
        with pytest.raises(ValueError, match=r"class_weight names \['d'\]"):
            learned(table, LabelTargets, class_weight)
        return
    found = learned(table, LabelTargets, class_weight)
    expected = learned(read_arrays(check, X, labels, weight), LabelTargets, class_weight)
    assert found[0].classes.tolist() == expected[0].classes.tolist() == ["a", "b", "c"]
    assert found[1].total_weight == pytest.approx(expected[1].total_weight, rel=1e-14)
    none = Standardization.none(3, 3)
    means = [table.mean_target(targets, none) for targets, table in (found, expected)]
    np.testing.assert_allclose(*means, rtol=1e-13)


@CHUNKS
@pytest.mark.parametrize("unit", [5e-324, 1e-3, 1.0])
def test_rows_are_counted_as_in_memory(unit, chunks, data):
    X, y, _, weight = data
    weight = unit * np.where(X[:, 0] < 0, weight, 1000 * weight)
    _, found = learned(collection(X, y, weight, chunks).counted())
    _, expected = learned(read_arrays(check, X, y, weight).counted())
    assert found.total_weight == pytest.approx(expected.total_weight)
    assert found.counted() is found
    scale = Standardization.none(3, 2)
    sums = []
    for table in (found, expected):
        with table.rows(scale, np.float64, 10) as rows:
            assert rows.total_weight == pytest.approx(table.total_weight)
            sums.append(rows.sum(lambda X, y, weight: (weight.sum(), weight @ X)))
    for of_partitions, of_all in zip(*sums):
        np.testing.assert_allclose(of_partitions, of_all, rtol=1e-12)


def test_weights_of_classes_that_are_all_zero(data):
    X, _, labels, _ = data
    nothing = {"a": 0, "b": 0, "c": 0}
    with pytest.raises(ValueError, match="gives every row the weight zero"):
        learned(read_arrays(check, X, labels, None), LabelTargets, nothing)
    with pytest.raises(ValueError, match=r"^class_weight={.* gives every row the weight zero"):
        learned(collection(X, labels, None, 20, LabelTargets), LabelTargets, nothing)
    part = {"a": 0}  # the first partition has no other class
    _, table = learned(collection(X, labels, None, 5, LabelTargets), LabelTargets, part)
    assert table.total_weight == (labels != "a").sum()


@pytest.mark.usefixtures("anywhere")
def test_a_split_holds_out_rows_of_each_partition(data):
    X, y, _, _ = data
    targets, table = learned(collection(X, y, None, (1, 40, 19)))
    train, out = table.split(0.1, targets, np.random.RandomState(0))
    assert (train.n_rows, out.n_rows) == (N_ROWS - 6, 6)
    none = Standardization.none(3, 2)
    found = []
    for part in (train, out):
        with part.rows(none, np.float64, 10) as rows:
            found.append(rows.map(lambda X, y, weight: X[:, :-1].copy()))
    np.testing.assert_array_equal(np.sort(np.vstack(found), axis=0), np.sort(X, axis=0))
    with pytest.raises(ValueError, match=r"validation_fraction=0\.01 of each partition"):
        table.split(0.01, targets, np.random.RandomState(0))


def test_batches_go_through_partition_after_partition(data):
    X, y, _, _ = data
    _, table = learned(collection(X, y, None, 25))
    with table.rows(Standardization.none(3, 2), np.float64, 10) as rows:
        batches = [batch[0][:, :-1].copy() for batch in rows.batches(10)]
        random_state = np.random.RandomState(0)
        shuffled = [batch[0][:, :-1].copy() for batch in rows.batches(10, random_state)]
    assert [len(batch) for batch in batches] == [10, 10, 5, 10, 10, 5, 10]
    assert len(batches) == len(shuffled) == rows.n_batches(10)
    np.testing.assert_array_equal(np.vstack(batches), X)
    assert not np.array_equal(np.vstack(shuffled), X)
    np.testing.assert_array_equal(np.sort(np.vstack(shuffled), axis=0), np.sort(X, axis=0))


def test_partitions_are_shuffled_and_so_are_the_rows_of_each(data):
    X = data[0].copy()
    X[:, 0] = np.arange(N_ROWS)
    _, table = learned(collection(X, data[1], None, 15))
    random_state = np.random.RandomState(0)
    with table.rows(Standardization.none(3, 2), np.float64, 10) as rows:
        epochs = [
            np.concatenate([batch[0][:, 0].copy() for batch in rows.batches(5, random_state)])
            for _ in range(2)
        ]
    for epoch in epochs:
        parts = epoch.reshape(4, 15)
        assert not (np.diff(parts) > 0).all(axis=1).any()
        first = parts.min(axis=1)
        np.testing.assert_array_equal(np.sort(parts), np.add.outer(first, np.arange(15)))
        assert sorted(first) == [0, 15, 30, 45]
        assert first.tolist() != sorted(first)
    assert not np.array_equal(*epochs)


def test_extreme_weights_have_one_unit(data):
    X, y, _, _ = data
    weight = np.where(np.arange(N_ROWS) < 20, 1e-30, 1e30)
    _, table = learned(collection(X, y, weight, 20))
    with table.rows(Standardization.none(3, 2), np.float32, 10) as rows:
        (total,) = rows.sum(lambda X, y, weight: (weight.sum(),))
    assert total == pytest.approx(rows.weight_of_blocks, rel=1e-6)
    assert rows.total_weight == pytest.approx(weight.sum(), rel=1e-6)


@pytest.mark.usefixtures("anywhere")
def test_scores_are_sums_over_partitions(data):
    X, y, labels, weight = data
    for targets_class, truth in ((RealTargets, y), (LabelTargets, labels)):
        scores = []
        tables = (
            collection(X, truth, weight, 25, targets_class),
            read_arrays(check, X, truth, weight),
        )
        for table in tables:
            targets, table = learned(table, targets_class)
            prediction = partial(_raw_prediction, np.ones((4, targets.n_outputs)))
            none = Standardization.none(3, targets.n_outputs)
            with table.rows(none, np.float64, 10) as rows:
                scores.append(targets.score(rows, prediction))
        assert scores[0] == pytest.approx(scores[1], rel=1e-12)


def _raw_prediction(first, X, y, weight):
    return np.cumsum(X @ first, axis=1)


def bad(array, row):
    array = array.copy()
    array[row] = np.nan
    return array


@pytest.mark.usefixtures("anywhere")
def test_errors_name_the_partition(data):
    X, y, labels, weight = data
    with pytest.raises(ValueError, match=r"Partition 2 of X, y and sample_weight: .*NaN"):
        collection(bad(X, 45), y, weight, 20)
    with pytest.raises(ValueError, match=r"Partition 1 .*must not be negative"):
        collection(X, y, weight - 4 * (np.arange(N_ROWS) == 30), 20)
    with pytest.raises(ValueError, match="no row is left"):
        collection(X, y, 0 * weight, 20)
    targets = LabelTargets(np.array(["a", "b"]), False)
    with pytest.raises(ValueError, match=r"^Partition \d: y_val has the labels \['c'\]"):
        table = collection(X, labels, None, 60, LabelTargets).encode(targets, "y_val")
        table._partitions.collect(len)


def test_columns_are_checked_here_on_a_row_of_zeros(data):
    frame = dd.from_pandas(pd.DataFrame(data[0], columns=list("abc")), npartitions=2)
    seen = []
    row = one_row(frame)
    assert row.columns.tolist() == list("abc")
    assert row.to_numpy().tolist() == [[0, 0, 0]]
    read_collection(
        da.from_array(data[0], chunks=(20, -1)),
        data[1],
        None,
        columns=seen.append,
        check=check,
        targets_class=RealTargets,
    )
    assert [row.shape for row in seen] == [(1, 3)]


def test_dask_knows_what_is_costly_to_move(data):
    """Else a scheduler would move partitions from worker to worker as if they were nothing."""
    X, y, _, weight = data
    for rows in (X, sparse.csr_array(X)):
        group = Group([Table(rows, y, weight)] * 2)
        nbytes = rows.data.nbytes if sparse.issparse(rows) else rows.nbytes
        assert dask.sizeof.sizeof(group) > 2 * (nbytes + y.nbytes + weight.nbytes)


def test_what_is_sent_can_be_pickled_and_is_light(data):
    targets = LabelTargets(np.arange(3), False, "balanced")
    scale = Standardization.none(3, 3)
    sent = pickle.dumps((check, targets, scale))
    assert len(sent) < 2000
    assert pickle.loads(sent)[1].n_outputs == 3


@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize("n_columns", [0, 1, 2])
def test_a_function_of_a_collection_is_lazy(n_columns, data):
    X = data[0].astype(np.float32)
    rows = da.from_array(X, chunks=((20, 40), (1, 2)))
    assert is_collection(rows) and not is_collection(X, None)
    calls = []

    def function(block):
        calls.append(len(block))
        result = np.cumsum(block, axis=1)
        return result[:, 0] if n_columns == 0 else result[:, :n_columns]

    found = map_collection(rows, function, 3)
    assert calls == [1]
    expected = function(X)
    assert (found.shape, found.dtype, found.chunks[0]) == (expected.shape, np.float32, (20, 40))
    np.testing.assert_array_equal(found.compute(), expected)


def test_a_function_of_a_data_frame_gets_its_names(data):
    table = pd.DataFrame(data[0], columns=list("abc"))
    frame = dd.from_pandas(table, npartitions=3)
    frame = dd.concat([frame, frame[frame["a"] > 1e9]])  # an empty partition

    def function(block):
        assert len(block)
        return block["b"].to_numpy() * 2

    found = map_collection(frame, function, 3)
    assert isinstance(found, da.Array)
    np.testing.assert_array_equal(found.compute(), 2 * data[0][:, 1])
