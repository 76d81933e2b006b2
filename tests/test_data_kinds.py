"""Data in every container, layout, type and size: the same fit, and nothing written to."""

import numpy as np
import pytest
import sklearn
from scipy import sparse

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

SOLVERS = ["gd", "sgd", "adam", "lbfgs", "lm"]
ESTIMATORS = [TwoLayerRegressor, TwoLayerClassifier]
X = np.random.RandomState(0).normal(size=(60, 4))
X[X < -0.3] = 0
Y = np.digitize(X[:, 0] + X[:, 1] * X[:, 2], [0, 1])

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fitted(Estimator, X, y=Y, sample_weight=None, **parameters):
    model = Estimator(
        **{"n_hidden": 4, "alpha": 0.01, "max_iter": 6, "random_state": 0, **parameters}
    )
    return model.fit(X, y, sample_weight=sample_weight)


def raw(model, X):
    return model.predict(X) if isinstance(model, TwoLayerRegressor) else model.decision_function(X)


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def big_endian(X):
    return X.astype(X.dtype.newbyteorder(">"))


def unaligned(X):
    buffer = np.zeros(X.nbytes + 1, np.uint8)
    view = buffer[1:].view(X.dtype).reshape(X.shape)
    view[...] = X
    return view


DENSE = {
    "Fortran order": np.asfortranarray,
    "read-only": read_only,
    "every other row and column": lambda X: np.kron(X, [[1.0, 7.0], [7.0, 7.0]])[::2, ::2],
    "backwards": lambda X: X[::-1].copy()[::-1],
    "transposed": lambda X: X.T.copy().T,
    "other byte order": big_endian,
    "unaligned": unaligned,
    "lists": lambda X: X.tolist(),
    "objects": lambda X: X.astype(object),
}


@pytest.mark.parametrize("layout", DENSE.values(), ids=DENSE.keys())
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_layout_of_an_array_changes_no_bit_of_the_fit(Estimator, layout):
    model, expected = fitted(Estimator, layout(X)), fitted(Estimator, X)
    assert all(np.array_equal(found, W) for found, W in zip(model.coefs_, expected.coefs_))
    np.testing.assert_allclose(raw(model, layout(X)), raw(expected, X), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("solver", SOLVERS)
def test_memory_mapped_arrays(solver, tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = fitted(TwoLayerRegressor, mapped, solver=solver)
    expected = fitted(TwoLayerRegressor, X, solver=solver)
    assert np.array_equal(model.predict(mapped), expected.predict(X))


def with_64_bit_indices(X):
    X = sparse.csr_array(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def with_unsorted_indices(X):
    X = sparse.csr_array(X)
    for start, stop in zip(X.indptr[:-1], X.indptr[1:]):
        X.indices[start:stop] = X.indices[start:stop][::-1]
        X.data[start:stop] = X.data[start:stop][::-1]
    X.has_sorted_indices = False
    return X


def with_duplicate_indices(X):
    """Each entry stored as a quarter and three quarters of itself."""
    X = sparse.csr_array(X)
    data = np.repeat(X.data, 2) * np.tile([0.25, 0.75], X.nnz)
    return sparse.csr_array((data, np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape)


def with_stored_zeros(X):
    n, f = X.shape
    return sparse.csr_array((X.ravel(), np.tile(np.arange(f), n), f * np.arange(n + 1)), X.shape)


SPARSE = {
    "csr": sparse.csr_array,
    "csc": sparse.csc_array,
    "coo": sparse.coo_array,
    "csr_matrix": sparse.csr_matrix,
    "64-bit indices": with_64_bit_indices,
    "unsorted indices": with_unsorted_indices,
    "duplicate indices": with_duplicate_indices,
    "stored zeros": with_stored_zeros,
}


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("container", SPARSE.values(), ids=SPARSE.keys())
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_sparse_is_dense(Estimator, container, standardize):
    weight = np.linspace(0.5, 2, 60)
    settings = {"sample_weight": weight, "standardize": standardize}
    model = fitted(Estimator, container(X), **settings)
    expected = fitted(Estimator, X, **settings)
    np.testing.assert_allclose(container(X).toarray(), X, rtol=1e-15)
    np.testing.assert_allclose(raw(model, container(X)), raw(model, X), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(raw(model, X), raw(expected, X), rtol=1e-8, atol=1e-9)
    losses = [model.loss_and_gradient(data, Y)[0] for data in (container(X), X)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_sparse_is_dense_for_every_solver_and_many_blocks(Estimator, solver, small_blocks):
    big = np.tile(X, (20, 1)) * np.linspace(0.5, 2, 60 * 20)[:, None]
    y = np.tile(Y, 20)
    settings = {"y": y, "solver": solver, "max_iter": 3}
    model = fitted(Estimator, sparse.csr_array(big), **settings)
    expected = fitted(Estimator, big, **settings)
    np.testing.assert_allclose(raw(model, X), raw(expected, X), rtol=1e-8, atol=1e-9)
    assert model.loss_ == pytest.approx(expected.loss_, rel=1e-10)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_precision_of_X_is_the_precision_of_the_model(Estimator, solver, container):
    models = {
        dtype: fitted(Estimator, container(X.astype(dtype)), solver=solver)
        for dtype in (np.float32, np.float64)
    }
    for dtype, model in models.items():
        assert {W.dtype for W in model.coefs_ + model.intercepts_} == {np.dtype(dtype)}
        assert raw(model, container(X.astype(dtype))).dtype == dtype
        _, coef_gradients, intercept_gradients = model.loss_and_gradient(X.astype(dtype), Y)
        assert np.isfinite(coef_gradients[0]).all()
        assert np.isfinite(intercept_gradients[0]).all()
    difference = raw(models[np.float32], X.astype(np.float32)) - raw(models[np.float64], X)
    assert 0 < np.abs(difference).max() < 1e-3


def test_probabilities_have_the_precision_of_X():
    model = fitted(TwoLayerClassifier, X.astype(np.float32))
    assert model.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert model.predict_log_proba(X.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, int, np.float16, np.longdouble])
def test_other_numbers_are_float64(dtype):
    data = (3 * X).astype(dtype)
    model = fitted(TwoLayerRegressor, data)
    assert model.coefs_[0].dtype == np.float64
    assert np.array_equal(
        model.predict(data),
        fitted(TwoLayerRegressor, data.astype(float)).predict(data.astype(float)),
    )


@pytest.mark.parametrize("container", [np.array, sparse.csr_array, with_duplicate_indices])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", SOLVERS)
def test_the_data_of_the_caller_are_not_written_to(solver, dtype, container):
    def bits(data):
        parts = (data.data, data.indices, data.indptr) if sparse.issparse(data) else (data,)
        return [np.asarray(part).tobytes() for part in parts]

    data, y = container(X.astype(dtype)), np.array([Y, Y**2], dtype).T.copy()
    weight = np.linspace(0, 2, 60).astype(dtype)
    before = [bits(argument) for argument in (data, y, weight)]
    model = fitted(TwoLayerRegressor, data, y, weight, solver=solver)
    model.predict(data)
    model.score(data, y, weight)
    model.loss_and_gradient(data, y, weight)
    assert [bits(argument) for argument in (data, y, weight)] == before


def test_a_fitted_model_keeps_no_view_of_the_data():
    data = X.copy()
    model = fitted(TwoLayerRegressor, data)
    expected = model.predict(X)
    data += 100
    assert np.array_equal(model.predict(X), expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
def test_values_that_are_no_numbers_are_refused(container, value):
    bad = X.copy()
    bad[3, 1] = value
    message = "NaN" if np.isnan(value) else "infinity"
    with pytest.raises(ValueError, match=f"X contains {message}"):
        fitted(TwoLayerRegressor, container(bad))
    model = fitted(TwoLayerRegressor, X)
    with pytest.raises(ValueError, match=f"X contains {message}"):
        model.predict(container(bad))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (X[:, 0], "Expected 2D array"),
        (X[:, :, None], "dim 3"),
        (X[:0], r"0 sample\(s\)"),
        (X[:, :0], r"0 feature\(s\)"),
        (X + 1j, "Complex data not supported"),
        (X[:-1], "inconsistent numbers of samples"),
    ],
)
def test_data_without_a_meaning_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        fitted(TwoLayerRegressor, bad)


def test_predict_wants_the_features_of_the_fit():
    model = fitted(TwoLayerRegressor, X)
    with pytest.raises(ValueError, match="X has 3 features, but TwoLayerRegressor is expecting 4"):
        model.predict(X[:, :3])


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_a_few_rows_are_enough(Estimator, solver, n_rows):
    model = fitted(Estimator, X[:n_rows], Y[:n_rows], solver=solver)
    assert np.isfinite(raw(model, X)).all()
    assert np.isfinite(model.loss_curve_).all()


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("solver", SOLVERS)
def test_constant_columns_do_no_harm(solver, container):
    constant = np.c_[X, np.full(60, 7.25), np.zeros(60)]
    model = fitted(TwoLayerRegressor, container(constant), solver=solver)
    assert np.isfinite(model.predict(constant)).all()
    assert model.loss_ < 1.5
    only = fitted(TwoLayerRegressor, container(constant[:, 4:]), solver=solver)
    assert np.ptp(only.predict(constant[:, 4:])) == 0


def test_one_feature():
    model = fitted(TwoLayerRegressor, X[:, :1], X[:, 0] ** 2, max_iter=200)
    assert model.score(X[:, :1], X[:, 0] ** 2) > 0.9


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_many_blocks_are_predicted_as_one(Estimator, small_blocks):
    model = fitted(Estimator, X)
    big = np.tile(X, (170, 1))
    np.testing.assert_allclose(raw(model, big)[:60], raw(model, X), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(raw(model, big)[-60:], raw(model, X), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("n_rows", [511, 512, 513, 1025])
def test_blocks_of_any_remainder(n_rows, small_blocks):
    data = np.random.RandomState(1).normal(size=(n_rows, 2))
    model = fitted(TwoLayerRegressor, data, data[:, 0], n_hidden=2)
    by_hand = 1 / (1 + np.exp(-(data @ model.coefs_[0] + model.intercepts_[0])))
    by_hand = (by_hand @ model.coefs_[1] + model.intercepts_[1])[:, 0]
    np.testing.assert_allclose(model.predict(data), by_hand, rtol=1e-12, atol=1e-12)
    W1, W2 = model.coefs_[0] * data.std(axis=0)[:, None], model.coefs_[1] / data[:, 0].std()
    loss = ((by_hand - data[:, 0]) ** 2).mean() / data[:, 0].var()
    penalty = 0.01 / 2 * ((W1**2).sum() + (W2**2).sum())
    assert model.loss_ == pytest.approx(loss + penalty, rel=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", SOLVERS)
def test_far_apart_scales_end_in_numbers(solver, dtype):
    exponent = 30 if dtype is np.float32 else 150
    scales = 10.0 ** np.array([exponent, -exponent, 0, exponent])
    data, y = (X * scales).astype(dtype), Y * 10.0**exponent
    model = fitted(TwoLayerRegressor, data, y, solver=solver)
    assert np.isfinite(model.predict(data)).all()
    assert np.isfinite(model.loss_curve_).all()
    plain = fitted(TwoLayerRegressor, X.astype(dtype), Y, solver=solver).predict(X.astype(dtype))
    tolerance = 1e-3 if dtype is np.float32 else 1e-6
    np.testing.assert_allclose(model.predict(data) / 10.0**exponent, plain, atol=tolerance)


def test_X_or_y_near_the_largest_number_are_refused_with_their_column():
    with pytest.raises(ValueError, match="In column 2 of X there are values too large to st"):
        fitted(TwoLayerRegressor, X * [1, 1, 1e300, 1])
    unchecked = sklearn.config_context(assume_finite=True)
    with (
        unchecked,
        pytest.raises(ValueError, match=r"In column 2 of X there are missing.*Fill"),
    ):
        fitted(TwoLayerRegressor, X * [1, 1, np.nan, 1])
    with pytest.raises(ValueError, match="In y there are values too large to standardise"):
        fitted(TwoLayerRegressor, X, Y * 1e300)
    with pytest.raises(ValueError, match="In column 1 of y there are values too large"):
        fitted(TwoLayerRegressor, X, np.c_[Y, Y * 1e300])
    with pytest.raises(ValueError, match="not finite at the starting weights"):
        fitted(TwoLayerRegressor, X, Y * 1e300, standardize=False)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("solver", ["lbfgs", "adam", "lm"])
def test_targets_that_do_not_fit_into_float32_are_refused(solver, standardize):
    with pytest.raises(ValueError, match="float32"):
        settings = {"solver": solver, "standardize": standardize}
        fitted(TwoLayerRegressor, X.astype(np.float32), (Y + 1) * 1e39, **settings)
