"""Moments of columns, and changes of variables: into the weights and, by adjoints, back."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_twolayer._data.rows import Rows
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.scale import (
    RawForm,
    Standardization,
    TanhForm,
    column_moments,
)

NETWORK = TwoLayerNetwork(3, 4, 2, "tanh")


def moments(X, weight=None, block_size=64):
    """Column means and scales in blocks."""
    with Rows(X, None, weight, standardization=None, dtype=float, block_size=block_size) as rows:
        found = column_moments(rows)
    return found.mean, found.scale


def plain_moments(X, weight=None):
    """Column means and scales in two passes around the first row."""
    deviation = X - X[0]
    mean = np.average(deviation, axis=0, weights=weight)
    variance = np.average((deviation - mean) ** 2, axis=0, weights=weight)
    return X[0] + mean, np.sqrt(variance)


def random_standardization():
    rng = np.random.default_rng(0)
    return Standardization(
        rng.normal(size=3), rng.uniform(0.1, 5, 3), rng.normal(size=2), rng.uniform(0.1, 5, 2)
    )


def random_weights(seed=1):
    """W1, b1, W2, b2."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in ((3, 4), 4, (4, 2), 2)]


def output(X, W1, b1, W2, b2):
    return np.tanh(X @ W1 + b1) @ W2 + b2


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("block_size", [1, 7, 64, 1000])
def test_moments(block_size, is_weighted):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)) * [1e-3, 1, 1e3] + [5, 0, -20]
    weight = rng.uniform(0.1, 3, size=300) if is_weighted else None
    for found, expected in zip(moments(X, weight, block_size), plain_moments(X, weight)):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_moments_around_a_large_mean(seed, is_weighted, is_sparse):
    """Mean 1e8 and standard deviation 1: the naive variance would lose every digit."""
    rng = np.random.default_rng(seed)
    n_rows = rng.integers(1000, 20000)
    X = 1e8 + rng.normal(size=(n_rows, 2))
    weight = rng.uniform(0.5, 2, size=n_rows) if is_weighted else None
    mean, scale = moments(sparse.csr_array(X) if is_sparse else X, weight, block_size=1024)
    expected_mean, expected_scale = plain_moments(X, weight)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-15)
    np.testing.assert_allclose(scale, expected_scale, rtol=1e-10)


def test_moments_with_an_outlier_in_the_first_row():
    """The first row is the origin of the sums, wherever it lies."""
    X = np.random.default_rng(0).normal(size=(2000, 1))
    X[0] = 1e8
    exact = X.astype(np.longdouble)
    mean, scale = moments(X)
    np.testing.assert_allclose(mean, exact.mean(axis=0).astype(float), rtol=1e-10)
    np.testing.assert_allclose(scale, exact.std(axis=0).astype(float), rtol=1e-10)


@pytest.mark.parametrize("is_sparse", [False, True])
def test_weights_are_frequencies(is_sparse):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)) * (rng.uniform(size=(200, 3)) < 0.5)
    weight = rng.integers(1, 5, size=200)
    repeated = np.repeat(X, weight, axis=0)
    if is_sparse:
        X, repeated = sparse.csr_array(X), sparse.csr_array(repeated)
    for found, expected in zip(moments(X, weight.astype(float)), moments(repeated)):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_sparse_moments_equal_dense_moments(is_weighted):
    rng = np.random.default_rng(0)
    X = (100 + rng.normal(size=(200, 4))) * (rng.uniform(size=(200, 4)) < [0, 0.1, 0.9, 1])
    weight = rng.uniform(0.1, 3, size=200) if is_weighted else None
    for found, expected in zip(moments(sparse.csr_array(X), weight), moments(X, weight)):
        np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_sparse_entries_may_be_stored_as_zero_or_in_parts():
    """Stored zeros are zeros; entries stored twice are added."""
    data, columns = np.array([1.0, 2, 0, 4]), np.array([0, 0, 0, 0])
    X = sparse.csr_array((data, columns, np.array([0, 2, 3, 3, 4])), shape=(4, 1))
    for found, expected in zip(moments(X), moments(X.toarray())):
        np.testing.assert_allclose(found, expected, rtol=1e-15)


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e3, -1e8])
@pytest.mark.parametrize("seed", range(5))
def test_constant_column_gets_scale_one(seed, value, is_sparse):
    rng = np.random.default_rng(seed)
    n_rows = rng.integers(1000, 5000)
    X = np.full((n_rows, 1), value)
    weight = rng.uniform(0.5, 2, size=n_rows)
    mean, scale = moments(sparse.csr_array(X) if is_sparse else X, weight, block_size=1024)
    np.testing.assert_array_equal(scale, 1)
    np.testing.assert_allclose(mean, value, rtol=1e-15)


def test_a_column_that_varies_by_rounding_alone_is_constant():
    X = np.array([[0.3], [0.1 + 0.2]]).repeat(10, axis=0)
    assert np.ptp(X) > 0
    mean, scale = moments(X)
    assert scale == 1
    assert mean == pytest.approx(0.3, rel=1e-15)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_rows_without_weight_are_no_extremes(container):
    X, weight = np.array([[-50.0], [1.0], [2.0], [90.0]]), np.array([0.0, 1.0, 1.0, 0.0])
    with Rows(container(X), None, weight, standardization=None, dtype=float, block_size=4) as rows:
        found = column_moments(rows)
    assert (found.least, found.greatest) == (1, 2)
    assert (found.mean, found.scale) == (1.5, 0.5)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_blocks_without_weight(container):
    """A class of weight 0 may come first, and fill the blocks of a lane."""
    X = np.random.default_rng(0).normal(size=(2000, 2))
    weight = np.repeat([0.0, 1.0, 0.0], [1000, 500, 500])
    found = moments(container(X), weight)
    for one, expected in zip(found, plain_moments(X[1000:1500])):
        np.testing.assert_allclose(one, expected, rtol=1e-12)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("block_size", [1, 64, 1000])
def test_shares_of_the_rows_at_both_ends(block_size, is_weighted, container):
    """An end that a later block has, one that an earlier one has, zeros that are not stored."""
    rng = np.random.default_rng(0)
    X = np.array([0.0, -3.0, 5.0]) + rng.integers(0, 4, size=(300, 3))
    X[:150, 2] = 6  # neither end
    weight = rng.integers(0, 4, size=300).astype(float) if is_weighted else None
    options = {"standardization": None, "dtype": float, "block_size": block_size}
    with Rows(container(X), None, weight, **options) as rows:
        found = column_moments(rows)
    weight = np.ones(300) if weight is None else weight
    for share, end in ((found.least_share, found.least), (found.greatest_share, found.greatest)):
        np.testing.assert_allclose(share, weight @ (end == X) / weight.sum(), rtol=1e-14)


def unit(X, weight=None, container=np.asarray):
    """What a column is divided by."""
    with Rows(container(X), None, weight, standardization=None, dtype=float, block_size=64) as rows:
        return column_moments(rows).unit


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("low, high", [(0, 1), (1, 0), (-3, 5), (1e6, 1e6 + 0.1), (0.1, 0.3)])
@pytest.mark.parametrize("n_rare", [1, 40, 999])
def test_two_values_lie_two_apart_however_rare_one_is(n_rare, low, high, container):
    X = np.full((1000, 1), float(low))
    X[np.random.default_rng(n_rare).permutation(1000)[:n_rare]] = high
    weight = np.random.default_rng(0).integers(1, 4, 1000).astype(float)
    half = abs(X.max() - X.min()) / 2
    np.testing.assert_allclose(unit(X, None, container), half, rtol=1e-15)
    np.testing.assert_allclose(unit(X, weight, container), half, rtol=1e-15)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_a_third_value_in_one_row_is_seen(container):
    X = 3 + np.eye(1000)[:, :1] + np.eye(1000)[:, 1:2] / 1000
    np.testing.assert_allclose(unit(X, None, container), X.std(), rtol=1e-12)
    ignored = np.arange(1000) != 1  # a row of no weight does not count
    np.testing.assert_allclose(unit(X, 1.0 * ignored, container), 0.5, rtol=1e-15)


def with_zeros_stored(X):
    """All of X stored, the zeros too."""
    rows, columns = np.indices(X.shape).reshape(2, -1)
    return sparse.coo_array((X.ravel(), (rows, columns)), shape=X.shape).tocsr()


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, with_zeros_stored])
def test_what_is_rarely_another_than_zero_counts_by_its_other_values(container, is_weighted):
    """As the two values of a rare level do: half of their root mean square."""
    random = np.random.default_rng(0)
    X, weight = random.gamma(2, size=(1000, 3)), random.integers(0, 4, 1000).astype(float)
    X[:, 0] *= random.random(1000) < 0.01
    X[:, 1] *= random.choice([-1, 1], size=1000) * (random.random(1000) < 0.1)
    X[:, 2] *= random.random(1000) < 0.7  # most of its values are others than zero
    repeated = np.repeat(X, weight.astype(int), axis=0) if is_weighted else X
    root = np.sqrt((repeated**2).sum(axis=0) / (repeated != 0).sum(axis=0))
    found = unit(X, weight if is_weighted else None, container)
    np.testing.assert_allclose(found[:2], root[:2] / 2, rtol=1e-12)
    np.testing.assert_allclose(found[2], repeated[:, 2].std(), rtol=1e-12)


def test_units_go_over_into_one_another_where_half_is_zero():
    """There the standard deviation is never less than half of the root mean square."""
    X = np.zeros((2000, 1))
    X[:1000, 0] = np.random.default_rng(0).normal(5, 0.1, size=1000)
    before = unit(X)
    X[999] = 0
    np.testing.assert_allclose(unit(X), before, rtol=1e-3)


def test_rounding_makes_no_third_value():
    X = np.array([[0.3], [0.1 + 0.2], [7.0]]).repeat(10, axis=0)
    np.testing.assert_allclose(unit(X), 3.35, rtol=1e-14)


def test_too_large_values_have_no_finite_scale():
    X = np.ones((5, 2))
    X[1, 1] = 1e300
    assert np.isfinite(moments(X)[1]).tolist() == [True, False]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_rows", [1, 63, 64, 65, 200])
def test_update(n_rows, dtype):
    X = np.random.default_rng(2).normal(size=(n_rows, 3)).astype(dtype)
    rows = np.column_stack([X, np.ones(n_rows, dtype)])
    standardization = random_standardization()
    standardization.update(dtype)(rows)
    expected = (X - standardization.mean) / standardization.scale
    np.testing.assert_allclose(rows[:, :-1], expected, rtol=20 * np.finfo(dtype).eps, atol=1e-6)
    np.testing.assert_array_equal(rows[:, -1], 1)


def test_update_of_many_columns():
    rows = np.random.default_rng(2).normal(size=(70, 101))
    standardization = Standardization(np.arange(100.0), np.full(100, 2.0), np.zeros(1), np.ones(1))
    expected = np.column_stack([(rows[:, :-1] - np.arange(100)) / 2, rows[:, -1]])
    standardization.update(float)(rows)
    np.testing.assert_allclose(rows, expected, rtol=1e-14)


def test_apply_targets():
    standardization = random_standardization()
    y = np.random.default_rng(2).normal(size=(5, 2))
    expected = (y - standardization.y_mean) / standardization.y_scale
    np.testing.assert_allclose(standardization.apply_targets(y, float), expected)
    classes = np.array([0, 2, 1])
    assert standardization.apply_targets(classes, float) is classes


def test_folded_weights_are_the_same_function():
    """Raw rows through the folded weights give the prediction in the units of y."""
    standardization, weights = random_standardization(), random_weights()
    X = np.random.default_rng(2).normal(size=(6, 3))
    (W1, W2), (b1, b2) = standardization.fold(*weights)
    standardized = (X - standardization.mean) / standardization.scale
    expected = output(standardized, *weights) * standardization.y_scale + standardization.y_mean
    np.testing.assert_allclose(output(X, W1, b1, W2, b2), expected, rtol=1e-12)


def test_unfold_is_the_inverse_of_fold():
    standardization, weights = random_standardization(), random_weights()
    (W1, W2), (b1, b2) = standardization.unfold(*standardization.fold(*weights))
    for found, expected in zip((W1, b1, W2, b2), weights):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_none_changes_nothing():
    weights = random_weights()
    (W1, W2), (b1, b2) = Standardization.none(3, 2).fold(*weights)
    for found, expected in zip((W1, b1, W2, b2), weights):
        np.testing.assert_array_equal(found, expected)


def test_unfold_gradient_is_the_adjoint_of_unfold():
    """<L d, g> = <d, unfold_gradient(g)> with L the linear part of ``unfold``."""
    standardization, gradient = random_standardization(), random_weights(seed=3)
    (W1, W2), (b1, b2) = standardization.fold(*random_weights())
    dW1, db1, dW2, db2 = random_weights(seed=2)
    moved = standardization.unfold([W1 + dW1, W2 + dW2], [b1 + db1, b2 + db2])
    start = standardization.unfold([W1, W2], [b1, b2])
    linear = [
        after - before for part in zip(moved, start) for after, before in zip(*part, strict=True)
    ]
    left = sum((d * g).sum() for d, g in zip(linear, [gradient[i] for i in (0, 2, 1, 3)]))
    coefs, intercepts = standardization.unfold_gradient(*gradient)
    right = sum((d * g).sum() for d, g in zip((dW1, dW2, db1, db2), coefs + intercepts))
    assert left == pytest.approx(right, rel=1e-12)


def test_tanh_form_of_a_logistic_network():
    """The same prediction, and a gradient that the chain rule carries back."""
    network = TwoLayerNetwork(3, 4, 2, "logistic")
    rng = np.random.default_rng(0)
    params = rng.normal(size=network.n_params)
    X1 = np.column_stack([rng.normal(size=(7, 3)), np.ones(7)])
    delta = rng.normal(size=(7, 2))
    Z2, A1 = network.forward(params, X1)
    gradient = network.backward(params, X1, A1, delta)
    form, of_tanh = TanhForm(network), TwoLayerNetwork(3, 4, 2, "tanh")
    moved = form.apply(params.copy())
    found, A1 = of_tanh.forward(moved, X1)
    np.testing.assert_allclose(found, Z2, rtol=1e-13, atol=1e-14)
    found = form.adjoint(of_tanh.backward(moved, X1, A1, delta))
    np.testing.assert_allclose(found, gradient, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(form.invert(moved), params, rtol=1e-13, atol=1e-14)


def forms():
    """The changes of variables of a network."""
    network = TwoLayerNetwork(3, 4, 2, "logistic")
    return [TanhForm(network), RawForm(network, random_standardization())]


@pytest.mark.parametrize("form", forms(), ids=["tanh", "raw"])
def test_adjoint_of_a_form(form):
    """<apply(P), Q> = <P, adjoint(Q)> for all P and Q: the forms are linear."""
    P, Q = np.random.default_rng(2).normal(size=(2, form.network.n_params))
    left = form.apply(P.copy()) @ Q
    assert left == pytest.approx(P @ form.adjoint(Q.copy()), rel=1e-12)


def test_adjoint_of_the_raw_form_takes_columns():
    """As Jacobians have them: tanh forms are for gradients in float32 alone."""
    form = forms()[1]
    columns = np.random.default_rng(0).normal(size=(form.network.n_params, 5))
    expected = np.column_stack([form.adjoint(column.copy()) for column in columns.T])
    for order in "CF":
        found = form.adjoint(columns.copy(order))
        np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)
