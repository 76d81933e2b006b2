"""Columns whose variance one row or one far value makes are named, ordinary laws are not."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import t as student
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import QuantileTransformer

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._data.suspicious_rows import complaints_of_columns
from sklearn_twolayer._data.table import Table, read_arrays
from sklearn_twolayer._network.scale import column_moments

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(200, 3))
Y = np.sin(2 * X[:, 0])
SPOILED = X.copy()
SPOILED[17, 1] = 1e9
CODED = X.copy()
CODED[5:21, 1] = -999
FAST = {"n_hidden": 3, "alpha": 0.1, "max_iter": 3, "random_state": 0}


def table_and_moments(X, weight=None):
    table = read_arrays(lambda X, y: (X, y), X, np.zeros(X.shape[0]), weight).counted()
    with table.raw_rows("X", 64) as rows:
        return table, {"X": column_moments(rows)}


def complaint(X, weight=None, names=None):
    return "\n".join(complaints_of_columns(*table_and_moments(X, weight), names)) or None


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
    for times in (1, 2):
        weight[17] = times  # two equal rows make it all, too
        repeated = SPOILED[np.repeat(np.arange(200), weight.astype(int))]
        assert "row 17 alone" in complaint(SPOILED, weight)
        assert ("1000000000 in 2 rows" in complaint(repeated)) == (times == 2)
    weight[17] = 1e-20  # which spoils nothing
    assert complaint(SPOILED, weight) is None
    assert complaint(SPOILED, np.full(200, 1e-3)) is not None  # of which only the ratios count


@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_a_code_for_missing_values_is_named_and_the_remedy_ends_the_warning(Estimator):
    model = Estimator(**FAST)
    (message,) = messages(model, CODED, Y > 0)
    assert message.startswith("In column 1 of X, -999 in 16 rows makes 100 % of the variance")
    assert "by SimpleImputer(missing_values=-999, add_indicator=True) in a Pipeline" in message
    imputer = SimpleImputer(missing_values=-999, add_indicator=True)
    assert messages(model, imputer.fit_transform(CODED), Y > 0) == []
    assert messages(model, QuantileTransformer(n_quantiles=50).fit_transform(CODED), Y > 0) == []
    assert messages(model.set_params(standardize=False), CODED / 1e3, Y > 0) == []


CONTAINERS = {
    "array": np.asarray,
    "float32": np.float32,
    "Fortran": np.asfortranarray,
    "csr": sparse.csr_array,
    "csc": sparse.csc_array,
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("value", [-999.0, 99999.0, 0.0])
def test_codes_in_all_kinds_of_tables(container, value):
    """Zeros that a sparse table does not store are values like others."""
    table = np.round(np.where(RANDOM.uniform(size=X.shape) < 0.5, X, 0), 2)
    table[:, 1] = 2000 + X[:, 1] if value == 0 else table[:, 1]
    table[::12, 1] = value
    (message,) = messages(TwoLayerRegressor(**FAST), CONTAINERS[container](table), Y)
    assert message.startswith(f"In column 1 of X, {value:.0f} in 17 rows makes ")


def test_codes_in_a_memory_map_a_stream_and_partitions(tmp_path):
    X = np.tile(CODED, (12, 1))
    np.save(tmp_path / "X.npy", X)
    mapped, expected = np.load(tmp_path / "X.npy", mmap_mode="r"), "-999 in 192 rows makes 100 %"
    assert expected in messages(TwoLayerRegressor(**FAST), mapped, np.tile(Y, 12))[0]
    model = TwoLayerRegressor(4, solver="sgd", random_state=0)
    assert expected in messages(model, X, np.tile(Y, 12), method="partial_fit")[0]
    assert messages(model, X, np.tile(Y, 12), method="partial_fit") == []
    array = pytest.importorskip("dask.array")
    data = array.from_array(X, (110, -1)), array.from_array(np.tile(Y, 12), 110)
    assert expected in messages(TwoLayerRegressor(**FAST), *data)[0]


def test_rows_of_a_class_without_weight_are_not_counted():
    y = np.where(Y > 0, "a", "b")
    y[10:15] = "c"
    model = TwoLayerClassifier(class_weight={"a": 1, "b": 2, "c": 0}, **FAST)
    assert "-999 in 11 rows" in messages(model, CODED, y)[0]


def test_codes_by_the_names_of_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(CODED, columns=["age", "income", "height"])
    frame.loc[3:30, "height"] = 9999999.0
    frame.loc[40, "age"] = 1e9
    row, value = messages(TwoLayerRegressor(**FAST), frame, Y)
    assert row.startswith("In column 'age' of X, row 40 alone") and row.endswith("drop the row.")
    assert value.startswith("In column 'income' of X, -999 in 16 rows")
    assert value.endswith("The same goes for 1 more column(s).")
    (message,) = messages(TwoLayerRegressor(**FAST), frame[["height"]], Y)
    assert "missing_values=9999999," in message  # as Python reads it


def test_codes_in_y():
    y = Y.copy()
    y[::10] = 9999
    (message,) = messages(TwoLayerRegressor(**FAST), X, y)
    assert message.startswith("In y, 9999 in 20 rows makes 100 % of the variance")
    assert "If it is a code for missing values, drop the rows; else use a Transformed" in message
    (message,) = messages(TwoLayerRegressor(**FAST), X, np.column_stack([Y, y]))
    assert message.startswith("In column 1 of y, 9999 in 20 rows")
    assert messages(TwoLayerClassifier(**FAST), X, y == 9999) == []


def variance(x, weight):
    return np.average((x - np.average(x, weights=weight)) ** 2, weights=weight)


@pytest.mark.parametrize("n_coded", [6, 40, 55])
@pytest.mark.parametrize("weight", [None, np.arange(200.0) % 7])
def test_what_the_others_vary(n_coded, weight):
    """The shares come of the moments alone: here of the rows without the value."""
    counts = np.ones(200) if weight is None else weight
    for distance in (8, 20, 60):
        x = X[:, 0].copy()
        x[:n_coded] = -distance
        share = variance(x[n_coded:], counts[n_coded:]) / variance(x, counts)
        message = complaint(x[:, None], weight)
        assert (message is not None) == (share < 0.02)
        if message is not None:
            n_rows = np.count_nonzero(counts[:n_coded])
            expected = f"-{distance} in {n_rows} rows makes {100 * (1 - share):.4g} % of"
            assert expected in message


@pytest.mark.parametrize("value", [0, -1])
def test_what_a_third_of_the_rows_hold_is_no_code(value):
    amounts, row = 1000 + X[:, :1], np.arange(200)[:, None]
    assert f"{value} in 60 rows" in complaint(np.where(row < 60, value, amounts))
    assert complaint(np.where(row < 70, value, amounts)) is None


def test_what_is_not_suspicious_is_not_read_again():
    """Two values, a constant, a heavy tail, counts with their maximum in many rows."""
    columns = [np.arange(200) < 3, np.ones(200), np.exp(2 * X[:, 0]), np.arange(200) % 30]
    _, moments = table_and_moments(np.column_stack(columns).astype(float))
    assert complaints_of_columns(None, moments) == []


LAWS = {
    "normal": lambda random, n: random.normal(size=n),
    "uniform": lambda random, n: random.uniform(size=n),
    "exponential": lambda random, n: random.exponential(size=n),
    "log-normal": lambda random, n: random.lognormal(size=n),
    "Student's t": lambda random, n: student(3).rvs(size=n, random_state=random),
    "one-hot": lambda random, n: np.arange(n) == 7,
    "rare levels": lambda random, n: np.minimum(random.poisson(0.05, size=n), 9),
    "chi-squared": lambda random, n: random.chisquare(1, size=n),
    "counts": lambda random, n: random.negative_binomial(0.3, 0.01, size=n),
    "whole numbers": lambda random, n: np.round(random.lognormal(size=n)),
    "many zeros": lambda random, n: (random.uniform(size=n) < 0.1) * random.lognormal(8, 1, size=n),
    "far from zero": lambda random, n: (random.uniform(size=n) < 0.7) * random.normal(9, 2, size=n),
    "top-coded": lambda random, n: np.minimum(random.lognormal(10, 1, size=n), 2e5),
    "gains": lambda random, n: np.select(
        [random.uniform(size=n) < 0.005, random.uniform(size=n) < 0.08],
        [99999, random.lognormal(8.5, 1, size=n).clip(0, 41310)],
    ),
    "words": lambda random, n: (random.uniform(size=n) < 0.03) * random.normal(0.3, 0.05, size=n),
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


@pytest.mark.parametrize("far", [0, 100])
@pytest.mark.parametrize("exponent", [-155, -160, -161, -162, -165, -200])
def test_differences_whose_squares_lose_digits(exponent, far):
    """Below 2e-308 a float has fewer: predictions were off by up to a fifth of the spread of y."""
    unit = 10.0**exponent
    (message,) = messages(TwoLayerRegressor(**FAST), (X + far) * [1, unit, 1], Y)
    assert message.startswith("The values of column 1 of X differ by so little")
    for still_whole in (1e-150, 1e-153):
        assert messages(TwoLayerRegressor(**FAST), (X + far) * still_whole, Y) == []
    (message,) = messages(TwoLayerRegressor(**FAST), X, unit * Y)
    assert message.startswith("The values of y differ by so little")


def test_a_table_finds_its_rows():
    table = Table(X, Y, None, encoded=Y[:, None])
    assert table.find("X", 1, X[5, 1]) == "row 5"
    assert table.take(np.arange(4, 9)).find("X", 1, X[5, 1]) == "row 5"
    assert table.take(np.arange(4, 9)).take([1]).find("encoded", 0, Y[5]) == "row 5"
    assert table.find("X", 1, 99.0) is None
