"""Dask collections: the same fit wherever the rows are, lazy predictions, lost workers."""

import os
import signal
import threading
import time
import tracemalloc
import warnings

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.model_selection import GridSearchCV

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._data import partitions
from sklearn_twolayer._data.table import Table

REASON = "the dask extra is not installed"
dask = pytest.importorskip("dask", reason=REASON)
distributed = pytest.importorskip("distributed", reason=REASON)
da = pytest.importorskip("dask.array", reason=REASON)
dd = pytest.importorskip("dask.dataframe", reason=REASON)
pd = pytest.importorskip("pandas", reason=REASON)

N_ROWS = 300
#: A fit of a few iterations: that rows are elsewhere shows in the first one as in the last.
FAST = {"solver": "lbfgs", "alpha": 3e-3, "tol": 1e-2, "max_iter": 10, "random_state": 0}
UNEVEN = (1, 200, 99)  # rows of each partition
ESTIMATORS = pytest.mark.parametrize("estimator", [TwoLayerRegressor, TwoLayerClassifier])
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def data():
    """X far from zero, targets, three classes in order of the rows, and weights."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 3)) * [1, 10, 0.1] + [0, 1000, 5]
    X = X[np.argsort(X[:, 0] + 0.3 * rng.normal(size=N_ROWS))]
    y = np.sin(X[:, 0]) + (X[:, 1] - 1000) / 10 + rng.normal(size=N_ROWS) / 10
    labels = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-1, 0.5])]
    return X, y, labels, rng.integers(0, 3, size=N_ROWS).astype(float)


def target(estimator, data):
    return data[1] if estimator is TwoLayerRegressor else data[2]


def assert_same_fit(model, expected):
    assert model.loss_ == pytest.approx(expected.loss_, rel=1e-10)
    assert model.n_iter_ == expected.n_iter_
    for found, array in zip(model.coefs_, expected.coefs_):
        np.testing.assert_allclose(found, array, rtol=1e-5, atol=1e-7)


@ESTIMATORS
@pytest.mark.parametrize(
    ("options", "chunks"),
    [
        ({"solver": "gd"}, UNEVEN),
        ({"solver": "lbfgs", "alpha": 3e-3}, UNEVEN),
        ({"solver": "lm", "alpha": 1e-3}, UNEVEN),
        ({"solver": "lm", "alpha": 1e-3}, 90),
        ({"solver": "lm", "alpha": 1e-3}, N_ROWS),
        ({"solver": "lm", "alpha": "evidence"}, UNEVEN),
        ({"solver": "lbfgs", "alpha": "evidence", "max_iter": 40}, 90),
        ({"solver": "lbfgs", "alpha": 3e-3, "standardize": False}, UNEVEN),
        ({"solver": "gd", "n_members": 2}, 90),
    ],
)
def test_the_fit_is_that_in_memory(options, estimator, chunks, data):
    X, weight, y = data[0], data[3], target(estimator, data)
    if not options.get("standardize", True):
        X = (X - X.mean(axis=0)) / X.std(axis=0)
    options = {"max_iter": 15, "random_state": 0, **options}
    model, expected = estimator(3, **options), estimator(3, **options).fit(X, y, weight)
    parts = (da.from_array(array, chunks=(chunks, -1)[: array.ndim]) for array in (X, y, weight))
    assert_same_fit(model.fit(*parts), expected)


@ESTIMATORS
def test_on_a_cluster(estimator, client, data):
    """Parts of one partition are summed on the worker, and nothing stays there."""
    X, y, weight = data[0], target(estimator, data), data[3]
    expected = estimator(3, **FAST).fit(X, y, weight)
    rows = da.from_array(X, chunks=(60, 2)).persist()
    before = set(client.futures)
    model = estimator(3, **FAST).fit(rows, y, weight)
    assert_same_fit(model, expected)
    assert_released(client, before)
    prediction = model.predict(rows)
    assert isinstance(prediction, da.Array)
    if estimator is TwoLayerRegressor:
        np.testing.assert_allclose(prediction.compute(), model.predict(X))
    else:
        assert prediction.compute().tolist() == model.predict(X).tolist()
    assert client.status == "running"


def assert_released(client, before):
    """Futures are released by the client's own thread, a little later."""
    for _ in range(200):
        if set(client.futures) == before:
            return
        time.sleep(0.05)
    raise AssertionError(sorted(map(str, set(client.futures) - before)))


def test_the_parameters_go_to_the_workers_once(client, data, monkeypatch):
    """An evaluation is one task for each thread of the cluster, however many partitions."""
    sizes = []
    recorded = _recording(partitions.Partitions.reduce, sizes)
    monkeypatch.setattr(partitions.Partitions, "reduce", recorded, raising=True)
    rows = da.from_array(data[0], chunks=(10, 3))
    TwoLayerRegressor(3, solver="lbfgs", max_iter=3, tol=1, random_state=0).fit(rows, data[1])
    assert sizes and set(sizes) == {2}


def _recording(method, sizes):
    def recorded(self, *arguments):
        sizes.append(len(self._groups))
        return method(self, *arguments)

    return recorded


@pytest.mark.parametrize(
    ("class_weight", "chunks"),
    [("balanced", UNEVEN), ("balanced", N_ROWS), ({"a": 2, "c": 0}, UNEVEN)],
)
def test_class_weights(class_weight, chunks, data):
    X, _, labels, weight = data
    options = {"class_weight": class_weight, **FAST}
    expected = TwoLayerClassifier(3, **options).fit(X, labels, weight)
    rows = da.from_array(X, chunks=(chunks, -1))
    assert_same_fit(TwoLayerClassifier(3, **options).fit(rows, labels, weight), expected)


def test_classes_of_some_partitions_only(data):
    X, _, labels, _ = data
    assert set(labels[:10]) == {"a"}
    model = TwoLayerClassifier(3, **FAST)
    model.fit(da.from_array(X, chunks=(10, -1)), da.from_array(labels, chunks=10))
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert_same_fit(model, TwoLayerClassifier(3, **FAST).fit(X, labels))


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_multilabel(class_weight, data):
    X, labels = data[0], np.column_stack([data[1] > 0, data[0][:, 0] > 1]).astype(int)
    options = {"class_weight": class_weight, **FAST}
    model = TwoLayerClassifier(3, **options).fit(da.from_array(X, chunks=(90, 3)), labels)
    assert_same_fit(model, TwoLayerClassifier(3, **options).fit(X, labels))


def test_two_classes_and_several_targets(data):
    X, y, labels, _ = data
    rows = da.from_array(X, chunks=(90, 3))
    two = labels == "a"
    assert_same_fit(
        TwoLayerClassifier(3, **FAST).fit(rows, two),
        TwoLayerClassifier(3, **FAST).fit(X, two),
    )
    both = np.column_stack([y, y**2])
    assert_same_fit(
        TwoLayerRegressor(3, **FAST).fit(rows, both),
        TwoLayerRegressor(3, **FAST).fit(X, both),
    )


def test_extreme_weights_have_one_unit(data):
    X, y, _, weight = data
    weight = np.where(np.arange(N_ROWS) < 200, 1e-30, 1e30) * weight
    rows = da.from_array(X, chunks=(100, 3))
    assert_same_fit(
        TwoLayerRegressor(3, **FAST).fit(rows, y, weight),
        TwoLayerRegressor(3, **FAST).fit(X, y, weight),
    )


@pytest.mark.usefixtures("dual_form")
def test_few_rows_with_many_weights(data):
    """The dual form, whose root of the Gauss-Newton matrix has a row for each residual."""
    X, y = data[0][:40], data[1][:40]
    options = {"solver": "lm", "alpha": 1e-2, "max_iter": 10, "random_state": 0}
    model = TwoLayerRegressor(20, **options).fit(da.from_array(X, chunks=(15, 3)), y)
    assert_same_fit(model, TwoLayerRegressor(20, **options).fit(X, y))


@pytest.mark.parametrize("is_weighted", [False, True])
def test_error_bars_of_fewer_than_twenty_rows(is_weighted, data):
    """Whose rows are brought together, with their weights."""
    X, y = data[0][:250:20], data[1][:250:20]
    weight = 1.0 + np.arange(len(y)) % 2 if is_weighted else None
    options = {"solver": "lm", "alpha": 1e-3, "max_iter": 10, "random_state": 0}
    model = TwoLayerRegressor(3, **options).fit(da.from_array(X, chunks=(5, 3)), y, weight)
    _, std = model.predict(X, return_std=True)
    _, expected = TwoLayerRegressor(3, **options).fit(X, y, weight).predict(X, return_std=True)
    np.testing.assert_allclose(std, expected, rtol=1e-6)


def test_float32(data):
    X, y = data[0].astype(np.float32), data[1].astype(np.float32)
    rows = da.from_array(X, chunks=(90, 3))
    model = TwoLayerRegressor(3, **FAST).fit(rows, y)
    assert model.coefs_[0].dtype == model.predict(rows).dtype == np.float32


def test_sparse_blocks(data):
    X, y = data[0] * (data[0] > [0, 1000, 5]), data[1]
    rows = da.from_array(X, chunks=(90, 3)).map_blocks(sparse.csr_array)
    model = TwoLayerRegressor(3, **FAST).fit(rows, y)
    expected = TwoLayerRegressor(3, **FAST).fit(sparse.csr_array(X), y)
    assert_same_fit(model, expected)
    np.testing.assert_allclose(model.predict(rows).compute(), model.predict(X))


def test_data_frames_with_unknown_lengths_and_an_empty_partition(data):
    X, y, labels, weight = data
    names = ["width", "height", "depth"]
    table = pd.DataFrame(X, columns=names).assign(y=y, label=labels, weight=weight)
    frame = dd.from_pandas(table, npartitions=4)
    frame = dd.concat([frame, frame[frame["y"] > 1e9]])
    model = TwoLayerRegressor(3, **FAST).fit(frame[names], frame["y"], frame["weight"])
    assert_same_fit(model, TwoLayerRegressor(3, **FAST).fit(table[names], y, weight))
    assert model.feature_names_in_.tolist() == names
    np.testing.assert_allclose(model.predict(frame[names]).compute(), model.predict(table[names]))
    score = model.score(frame[names], frame["y"], frame["weight"])
    assert score == pytest.approx(model.score(table[names], y, weight), abs=1e-12)
    classifier = TwoLayerClassifier(3, **FAST).fit(frame[names], frame["label"])
    assert_same_fit(classifier, TwoLayerClassifier(3, **FAST).fit(table[names], labels))
    arrays = frame[names].to_dask_array(), frame["y"].to_dask_array()
    assert np.isnan(arrays[0].shape[0])
    unknown = TwoLayerRegressor(3, **FAST).fit(*arrays)
    assert_same_fit(unknown, TwoLayerRegressor(3, **FAST).fit(X, y))


def test_parquet(tmp_path, data):
    X, y = data[:2]
    table = pd.DataFrame(X, columns=list("abc")).assign(y=y)
    for part, start in enumerate(range(0, N_ROWS, 100)):
        table[start : start + 100].to_parquet(tmp_path / f"part.{part}.parquet")
    frame = dd.read_parquet(tmp_path)
    assert frame.npartitions == 3
    model = TwoLayerRegressor(3, **FAST).fit(frame[list("abc")], frame["y"])
    assert_same_fit(model, TwoLayerRegressor(3, **FAST).fit(table[list("abc")], y))


def test_hdf5(tmp_path, data):
    h5py = pytest.importorskip("h5py", reason="h5py reads HDF5")
    X, y = data[:2]
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        rows = da.from_array(file.create_dataset("X", data=X), chunks=(80, 3))
        targets = da.from_array(file.create_dataset("y", data=y), chunks=80)
        model = TwoLayerRegressor(3, **FAST).fit(rows, targets)
    assert_same_fit(model, TwoLayerRegressor(3, **FAST).fit(X, y))


def test_a_memory_map_is_an_array(tmp_path, data):
    X, y = data[:2]
    X_map = np.memmap(tmp_path / "X", dtype=np.float64, mode="w+", shape=X.shape)
    X_map[:] = X
    model = TwoLayerRegressor(3, **FAST).fit(X_map, y)
    assert model.loss_ == TwoLayerRegressor(3, **FAST).fit(X, y).loss_
    assert_same_fit(
        TwoLayerRegressor(3, **FAST).fit(da.from_array(X_map, chunks=(70, 3)), y), model
    )


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_stochastic_solvers_read_partition_after_partition(shuffle, solver, data):
    X, y = data[:2]
    options = {"solver": solver, "shuffle": shuffle, "batch_size": 30, "random_state": 0}
    options.update(max_iter=15, learning_rate=0.1, tol=1e-3)
    rows = da.from_array(X, chunks=(90, 3))
    model, again = (TwoLayerRegressor(3, **options).fit(rows, y) for _ in range(2))
    assert model.loss_ == again.loss_
    assert model.score(X, y) > 0.9
    if not shuffle:  # batches of 30 rows end where partitions of 90 do: the same batches
        assert_same_fit(model, TwoLayerRegressor(3, **options).fit(X, y))


@ESTIMATORS
def test_early_stopping_holds_out_rows_of_each_partition(estimator, data):
    X, y = data[0], target(estimator, data)
    rows = da.from_array(X, chunks=((1, 100, 100, 99), (3,)))
    model = estimator(3, early_stopping=True, **FAST).fit(rows, y)
    assert model.best_validation_score_ > 0.8
    assert model.t_ == model.n_iter_ * (N_ROWS - 30)


def test_early_stopping_needs_partitions_with_enough_rows(data):
    model = TwoLayerRegressor(3, early_stopping=True, **FAST)
    with pytest.raises(ValueError, match="none has enough rows"):
        model.fit(da.from_array(data[0], chunks=(10, 3)), data[1])


def test_dask_knows_what_is_costly_to_move(data):
    """Else a scheduler would move partitions from worker to worker as if they were nothing."""
    X, y, _, weight = data
    for rows in (X, sparse.csr_array(X)):
        group = partitions.Group([Table(rows, y, weight)] * 2)
        nbytes = rows.data.nbytes if sparse.issparse(rows) else rows.nbytes
        assert dask.sizeof.sizeof(group) > 2 * (nbytes + y.nbytes + weight.nbytes)


@ESTIMATORS
def test_own_validation_rows(estimator, data):
    X, y = data[0], target(estimator, data)
    rows = da.from_array(X, chunks=(90, 3))
    expected = estimator(3, **FAST).fit(X, y, X_val=X, y_val=y)
    for validation in (rows, X):
        model = estimator(3, **FAST).fit(rows, y, X_val=validation, y_val=y)
        np.testing.assert_allclose(model.validation_scores_, expected.validation_scores_)
        np.testing.assert_allclose(model.validation_loss_curve_, expected.validation_loss_curve_)


def test_a_scorer_needs_rows_in_memory(data):
    rows = da.from_array(data[0], chunks=(90, 3))
    model = TwoLayerRegressor(3, scoring="neg_mean_absolute_error", early_stopping=True)
    with pytest.raises(ValueError, match="validation rows in memory"):
        model.fit(rows, data[1])


def test_predictions_are_lazy(data):
    X, y, labels, weight = data
    rows = da.from_array(X, chunks=((100, 200), (1, 2)))
    regressor = TwoLayerRegressor(3, **FAST).fit(X, y)
    classifier = TwoLayerClassifier(3, **FAST).fit(X, labels)
    calls = [
        (regressor.predict, {}),
        (regressor.transform, {}),
        (regressor.input_gradient, {}),
        (classifier.predict, {}),
        (classifier.predict_proba, {}),
        (classifier.predict_proba, {"moderated": True}),
        (classifier.predict_log_proba, {}),
        (classifier.decision_function, {}),
        (classifier.input_gradient, {}),
    ]
    for method, options in calls:
        lazy, expected = method(rows, **options), method(X, **options)
        assert isinstance(lazy, da.Array)
        assert (lazy.shape, lazy.dtype, lazy.chunks[0]) == (
            expected.shape,
            expected.dtype,
            (100, 200),
        )
        found = lazy.compute()
        if found.dtype.kind == "f":
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
        else:
            assert (found == expected).all()
    prediction, std = regressor.predict(rows, return_std=True)
    expected = regressor.predict(X, return_std=True)
    np.testing.assert_allclose(prediction.compute(), expected[0])
    np.testing.assert_allclose(std.compute(), expected[1])
    for model, y_true in ((regressor, y), (classifier, labels)):
        score = model.score(rows, y_true, sample_weight=weight)
        assert isinstance(score, float)
        assert score == pytest.approx(model.score(X, y_true, weight), abs=1e-12)
    loss, _, _ = regressor.loss_and_gradient(rows, y)
    assert loss == pytest.approx(regressor.loss_and_gradient(X, y)[0], rel=1e-12)


def test_scores_of_constant_targets_are_those_of_scikit_learn(data):
    X, y = data[:2]
    model = TwoLayerRegressor(3, **FAST).fit(X, y)
    rows = da.from_array(X, chunks=(90, 3))
    assert model.score(rows, np.full(N_ROWS, 1e6)) == model.score(X, np.full(N_ROWS, 1e6)) == 0
    model.coefs_[1][:] = 0
    constant = np.full(N_ROWS, model.intercepts_[1][0])
    assert model.score(rows, constant) == model.score(X, constant) == 1


def test_scores_of_targets_far_from_zero(data):
    X, y = data[:2]
    model = TwoLayerRegressor(3, **FAST).fit(X, y)
    model.intercepts_[1] += 1e7
    score = model.score(da.from_array(X, chunks=(90, 3)), y + 1e7)
    assert score == pytest.approx(model.score(X, y + 1e7), abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_memory_is_bounded_by_the_blocks(solver):
    """40 partitions of 0.8 MB, made when they are asked for, two at a time."""

    def rows_of_block(number):
        return np.random.default_rng(int(number[0])).random((5000, 20))

    shape = ((5000,) * 40, (20,))
    X = da.arange(40, chunks=1).map_blocks(rows_of_block, chunks=shape, new_axis=1, dtype=float)
    y = (X[:, 0] > 0.5) + 0.0
    model = TwoLayerRegressor(2, solver=solver, max_iter=2, tol=1, random_state=0, alpha=1e-3)
    with dask.config.set(scheduler="threads", num_workers=2):
        model.fit(X[:10_000], y[:10_000])
        tracemalloc.start()
        try:
            model.fit(X, y).predict(X).sum().compute()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 12e6 < 40 * 5000 * 20 * 8 / 2


def nan_in(array, row):
    array = array.copy()
    array[row] = np.nan
    return array


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y, w: (nan_in(X, 250), y, w), "Partition 2.*NaN"),
        (lambda X, y, w: (X, nan_in(y, 150), w), "Partition 1.*NaN"),
        (
            lambda X, y, w: (X, y, np.where(X[:, 0] == X[150, 0], -1, w)),
            "Partition 1.*negative",
        ),
        (lambda X, y, w: (X, y, 0 * w), "no row is left"),
        (lambda X, y, w: (X, y[:200], w), "X has 300 rows, but y has 200"),
        (lambda X, y, w: (X[:, 0], y, w), "Expected 2D array"),
    ],
)
@pytest.mark.parametrize("on_cluster", [False, True], ids=["threads", "cluster"])
def test_what_is_wrong_is_named(on_cluster, change, message, data, request):
    if on_cluster:
        request.getfixturevalue("client")
    X, y, weight = change(data[0], data[1], data[3] + 1)
    arrays = (da.from_array(array, chunks=(100, -1)[: array.ndim]) for array in (X, y, weight))
    model = TwoLayerRegressor(3, **FAST)
    with pytest.raises(ValueError, match=message):
        model.fit(*arrays)
    assert not hasattr(model, "coefs_")


def test_collections_that_do_not_go_together(data):
    X, y = data[:2]
    rows, targets = da.from_array(X, chunks=(100, 3)), da.from_array(y, chunks=100)
    model = TwoLayerRegressor(3, **FAST)
    with pytest.raises(TypeError, match="Got ndarray where a Dask array"):
        model.fit(X, targets)
    unknown = rows[targets > -np.inf]
    with pytest.raises(ValueError, match="y is in memory"):
        model.fit(unknown, y)
    with pytest.raises(ValueError, match="3 partitions, but y has 1"):
        model.fit(unknown, da.from_array(y, chunks=-1))
    with pytest.raises(ValueError, match="class"):
        TwoLayerClassifier(3).fit(rows, targets)
    model.fit(rows, targets)
    with pytest.raises(ValueError, match="3 features"):
        model.predict(rows[:, :2]).compute()


@pytest.mark.slow
def test_a_lost_worker_does_not_lose_the_fit(data):
    """One of two processes is killed while the fit runs; its partitions are read again."""
    X, y = data[:2]
    options = {"solver": "lbfgs", "alpha": 0.01, "tol": 1e-2, "random_state": 0}
    expected = TwoLayerRegressor(3, **options).fit(X, y, X_val=X, y_val=y)
    killed = []

    def kill_a_worker(model, X_val, y_val):
        if not killed:
            held = {worker for keys in client.who_has().values() for worker in keys}
            pids = client.run(os.getpid)
            assert held == set(pids)
            killed.append(pids[min(held)])
            os.kill(killed[0], signal.SIGKILL)
        return 0.0

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as client,
        warnings.catch_warnings(),
    ):
        rows = da.from_array(X, chunks=(50, 3))
        model = TwoLayerRegressor(3, scoring=kill_a_worker, **options)
        model.fit(rows, y, X_val=X, y_val=y)
    assert len(killed) == 1
    assert_same_fit(model, expected)


def test_grid_search_on_a_cluster(client, data):
    X, y = data[:2]
    grid = {"alpha": [1e-3, 1.0]}
    with joblib.parallel_config("dask"):
        search = GridSearchCV(TwoLayerRegressor(3, **FAST), grid, cv=3).fit(X, y)
    expected = GridSearchCV(TwoLayerRegressor(3, **FAST), grid, cv=3).fit(X, y)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"], rtol=1e-6
    )


def test_what_cannot_be_pickled_stays_here(data):
    """Callbacks, or what a user has set, are nothing to the workers."""
    cloudpickle = pytest.importorskip("cloudpickle", reason=REASON)
    n_graphs = 0

    def elsewhere(graph, keys, **options):
        nonlocal n_graphs
        n_graphs += 1
        return dask.get(cloudpickle.loads(cloudpickle.dumps(graph)), keys)

    model = TwoLayerRegressor(3, **FAST)
    model.note = threading.Lock()
    rows, y = da.from_array(data[0], chunks=(100, -1)), da.from_array(data[1], chunks=100)
    with dask.config.set(scheduler=elsewhere):
        model.fit(rows, y)
        found = model.predict(rows).compute()
    assert n_graphs > model.n_iter_
    np.testing.assert_allclose(found, model.predict(data[0]))
    assert model.note is not None


def test_partial_fit_takes_arrays(data):
    model = TwoLayerRegressor(solver="adam")
    X, y = da.from_array(data[0], chunks=(100, -1)), da.from_array(data[1], chunks=100)
    with pytest.raises(TypeError, match="partial_fit takes arrays"):
        model.partial_fit(X, y)
    assert not hasattr(model, "coefs_")
