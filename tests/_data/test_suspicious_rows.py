"""Columns whose variance one row makes are named, ordinary heavy tails are not."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import t as student

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._data.suspicious_rows import complaint_of_columns
from sklearn_twolayer._data.table import Table, read_arrays
from sklearn_twolayer._network.scale import column_moments

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(200, 3))
Y = np.sin(2 * X[:, 0])
SPOILED = X.copy()
SPOILED[17, 1] = 1e9
FAST = {"n_hidden": 3, "alpha": 0.1, "max_iter": 3, "random_state": 0}


def complaint(X, weight=None, names=None):
    table = read_arrays(lambda X, y: (X, y), X, np.zeros(X.shape[0]), weight)
    with table.raw_rows("X", 64) as rows:
        moments = {"X": column_moments(rows)}
    return complaint_of_columns(table, moments, names)


def messages(model, X, y, *weight, method="fit"):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        getattr(model, method)(X, y, *weight)
    caught = [warning for warning in caught if warning.category is UserWarning]
    assert all(warning.filename == __file__ for warning in caught)
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("solver", ["lm", "lbfgs", "adam"])
@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_column_and_row_are_named_once(Estimator, solver):
    model = Estimator(solver=solver, **FAST)
    (message,) = messages(model, SPOILED, Y > 0)
    assert message.startswith("In column 1 of X, row 17 alone, with 1e+09, makes 100 % of the var")
    assert message.endswith(
        "Clip the values, pass them through a QuantileTransformer, or drop the row."
    )


def test_a_stream_is_told_at_its_first_call():
    model = TwoLayerRegressor(4, solver="sgd", random_state=0)
    assert "row 17" in messages(model, SPOILED, Y, method="partial_fit")[0]
    assert messages(model, SPOILED, Y, method="partial_fit") == []


def test_names_of_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(SPOILED, columns=["age", "income", "height"])
    (message,) = messages(TwoLayerRegressor(**FAST), frame, Y)
    assert "In column 'income' of X, row 17 alone" in message


def test_rows_are_counted_as_the_user_does():
    weight = np.ones(200)
    weight[:10] = 0
    (message,) = messages(TwoLayerRegressor(**FAST), SPOILED, Y, weight)
    assert "row 17 alone" in message
    model = TwoLayerRegressor(early_stopping=True, **FAST)
    told = messages(
        model, np.repeat(SPOILED[[17]], 200, axis=0) * (np.arange(200) == 3)[:, None], Y
    )
    assert told == []  # a column with two values
    (message,) = messages(model.set_params(random_state=1), SPOILED, Y)
    assert "row 17 alone" in message


def test_targets():
    y = Y.copy()
    y[30] = -1e9
    (message,) = messages(TwoLayerRegressor(**FAST), X, y)
    assert message.startswith("In y, row 30 alone, with -1e+09,")
    assert "a TransformedTargetRegressor" in message
    (message,) = messages(TwoLayerRegressor(**FAST), X, np.column_stack([Y, y]))
    assert message.startswith("In column 1 of y, row 30 alone")


def test_several_columns_are_counted():
    both = SPOILED.copy()
    both[3, 2] = 1e7
    assert "row 17 alone" in complaint(both)
    assert complaint(both).endswith("The same goes for 1 more column(s).")


def test_sparse_tables():
    table = np.where(RANDOM.uniform(size=X.shape) < 0.3, X, 0)
    table[17, 1] = 1e9
    for matrix in (table, sparse.csr_array(table), sparse.csr_matrix(table)):
        (message,) = messages(TwoLayerRegressor(**FAST), matrix, Y)
        assert "In column 1 of X, row 17 alone" in message


@pytest.mark.parametrize("weight", [None, np.ones(200)])
def test_partitions(weight):
    array = pytest.importorskip("dask.array")
    data = [array.from_array(SPOILED, (15, -1)), array.from_array(Y, 15)]
    data += [] if weight is None else [array.from_array(weight, 15)]
    (message,) = messages(TwoLayerRegressor(**FAST), *data)
    assert "In column 1 of X, row 2 of partition 1 alone" in message


def test_without_standardisation_nothing_is_spoiled():
    assert messages(TwoLayerRegressor(standardize=False, **FAST), SPOILED / 1e6, Y) == []


@pytest.mark.parametrize("n", [20, 100, 1000])
def test_an_outlier_by_size(n):
    x = np.random.RandomState(n).normal(size=(n, 1))
    assert complaint(x) is None
    for factor, is_told in ((3, False), (100, True)):
        x[5] = factor * np.sqrt(n / min(0.02, 1e-4 * n)) / 10
        assert (complaint(x) is not None) == is_told


def test_fewer_than_twenty_rows_do_not_tell_what_is_usual():
    for n, is_told in ((19, False), (20, True)):
        assert (complaint(SPOILED[:n, 1:2]) is not None) == is_told


def test_weights_are_frequencies_here_too():
    weight = np.ones(200)
    for times, is_told in ((1, True), (2, False)):
        weight[17] = times  # two equal rows, neither of which makes it all
        repeated = SPOILED[np.repeat(np.arange(200), weight.astype(int))]
        assert (complaint(SPOILED, weight) is not None) == is_told
        assert (complaint(repeated) is not None) == is_told
    weight[17] = 1e-20  # which spoils nothing
    assert complaint(SPOILED, weight) is None
    assert complaint(SPOILED, np.full(200, 1e-3)) is not None  # of which only the ratios count


LAWS = {
    "normal": lambda random, n: random.normal(size=n),
    "uniform": lambda random, n: random.uniform(size=n),
    "exponential": lambda random, n: random.exponential(size=n),
    "log-normal": lambda random, n: random.lognormal(size=n),
    "Student's t": lambda random, n: student(3).rvs(size=n, random_state=random),
    "one-hot": lambda random, n: np.arange(n) == 7,
    "rare levels": lambda random, n: np.minimum(random.poisson(0.05, size=n), 9),
    "a code among levels": lambda random, n: np.where(np.arange(n) == 7, 999, np.arange(n) % 5),
}


@pytest.mark.parametrize("n", [20, 100, 1000])
@pytest.mark.parametrize("law", LAWS)
def test_ordinary_laws_are_not_suspicious(law, n):
    random = np.random.RandomState(0)
    columns = np.column_stack([LAWS[law](random, n) for _ in range(500)]).astype(float)
    assert complaint(columns) is None


def test_differences_whose_squares_vanish():
    tiny = X * [1, 1e-170, 1]
    (message,) = messages(TwoLayerRegressor(**FAST), tiny, Y)
    assert message.startswith("The values of column 1 of X differ by so little")
    assert "Multiply it by a large number" in message
    (message,) = messages(TwoLayerRegressor(**FAST), X, 1e-200 * Y)
    assert message.startswith("The values of y differ by so little")
    assert complaint(X * [1, 0, 1] + [0, 3.0, 1e20]) is None  # constant, but for rounding


def test_a_table_finds_its_rows():
    table = Table(X, Y, None, encoded=Y[:, None])
    assert table.find("X", 1, X[5, 1]) == "row 5"
    assert table.take(np.arange(4, 9)).find("X", 1, X[5, 1]) == "row 5"
    assert table.take(np.arange(4, 9)).take([1]).find("encoded", 0, Y[5]) == "row 5"
    assert table.find("X", 1, 99.0) is None
