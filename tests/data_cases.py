"""Fits of every kind, drawn at random: data as users have them, parameters as they set them.

What has a meaning to shrink (sizes, kinds, scales, parameters) is drawn by hypothesis, the numbers
by a seed.
"""

import warnings
from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

SOLVERS = ["lm", "lbfgs", "adam", "sgd", "gd", "auto"]
ACTIVATIONS = ["logistic", "tanh", "relu", "softplus", "identity"]


#: What a fit may say.
COMPLAINTS = ConvergenceWarning, UserWarning, DataConversionWarning


def quietly(function, *arguments, **options):
    """What the function returns; its complaints are none of our business, other warnings are."""
    with warnings.catch_warnings():
        for kind in COMPLAINTS:
            warnings.simplefilter("ignore", kind)
        return function(*arguments, **options)


def strided(X):
    return np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2]


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def with_explicit_zeros(X):
    found = sparse.csr_array(np.ones(X.shape, X.dtype))
    found.data[:] = X.ravel()
    return found


def with_duplicates(X):
    """Entries that are stored in two parts."""
    rows, columns = np.divmod(np.arange(X.size), X.shape[1])
    part = X.ravel() // 2
    parts = np.concatenate([part, X.ravel() - part]).astype(X.dtype)
    twice = np.concatenate([rows, rows]), np.concatenate([columns, columns])
    return sparse.coo_array((parts, twice), shape=X.shape)


def with_long_indices(X):
    found = sparse.csr_array(X)
    found.indices, found.indptr = found.indices.astype(np.int64), found.indptr.astype(np.int64)
    return found


def names_of(X):
    return [f"x{column}" for column in range(X.shape[1])]


def pandas_frame(X, dtype=None):
    import pandas

    frame = pandas.DataFrame(X, columns=names_of(X))
    return frame if dtype is None else frame.astype(dtype)


def pandas_frame_of_several_kinds(X):
    frame = pandas_frame(X)
    for number, name in enumerate(frame.columns):
        frame[name] = frame[name].astype(["float64", "Float64", "double[pyarrow]"][number % 3])
    return frame


def polars_frame(X):
    import polars

    return polars.DataFrame(dict(zip(names_of(X), X.T)))


#: Containers whose numbers are those of the array, in the same order.
DENSE = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "strided": strided,
    "reversed": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "read-only": read_only,
    "list": lambda X: X.tolist(),
    "big-endian": lambda X: X.astype(X.dtype.newbyteorder(">")),
    "object": lambda X: X.astype(object),
}
FRAMES = {
    "pandas": pandas_frame,
    "pandas nullable": lambda X: pandas_frame(X, "Float64"),
    "pandas arrow": lambda X: pandas_frame(X, "double[pyarrow]"),
    "pandas of several kinds": pandas_frame_of_several_kinds,
    "polars": polars_frame,
}
SPARSE = {
    "csr": sparse.csr_array,
    "csr matrix": sparse.csr_matrix,
    "csc": sparse.csc_array,
    "coo": sparse.coo_array,
    "lil": sparse.lil_array,
    "dok": sparse.dok_array,
    "bsr": sparse.bsr_array,
    "dia": sparse.dia_array,
    "explicit zeros": with_explicit_zeros,
    "duplicates": with_duplicates,
    "long indices": with_long_indices,
}
CONTAINERS = DENSE | FRAMES | SPARSE
#: Containers that end in float64 whatever the array.
IN_FLOAT64 = {"list", "object", "big-endian", *FRAMES}


def pandas_series(y, dtype=None):
    import pandas

    return pandas.Series(y, dtype=dtype)


def polars_series(y, dtype=None):
    import polars

    series = polars.Series(y.tolist())
    return series if dtype is None else series.cast(getattr(polars, dtype))


#: Kinds of labels: from class numbers (n,).
LABELS = {
    "integers": lambda y: y,
    "small integers": lambda y: y.astype(np.uint8),
    "negative": lambda y: 3 * y - 7,
    "whole floats": lambda y: y.astype(float),
    "whole float32": lambda y: y.astype(np.float32),
    "strings": lambda y: np.char.add("class ", y.astype(str)),
    "objects": lambda y: np.array([f"c{label}" for label in y], object),
    "list": lambda y: [f"c{label}" for label in y],
    "list of integers": lambda y: y.tolist(),
    "bytes are refused": lambda y: y.astype("S"),
    "pandas": pandas_series,
    "pandas category": lambda y: pandas_series(y.astype(str), "category"),
    "pandas string": lambda y: pandas_series(y.astype(str), "string"),
    "pandas nullable": lambda y: pandas_series(y, "Int64"),
    "pandas arrow": lambda y: pandas_series(y, "int64[pyarrow]"),
    "pandas arrow string": lambda y: pandas_series(y.astype(str), "string[pyarrow]"),
    "polars": polars_series,
    "polars string": lambda y: polars_series(y.astype(str)),
    "polars category": lambda y: polars_series(y.astype(str), "Categorical"),
}
TARGETS = {
    "numbers": lambda y: y,
    "list": lambda y: y.tolist(),
    "float32": lambda y: np.clip(y, -1e30, 1e30).astype(np.float32),
    "objects": lambda y: y.astype(object),
    "big-endian": lambda y: y.astype(">f8"),
    "strided": lambda y: np.repeat(y, 2, axis=0)[::2],
    "pandas": lambda y: pandas_series(y) if y.ndim == 1 else pandas_frame(y),
    "pandas nullable": lambda y: pandas_series(y, "Float64") if y.ndim == 1 else y,
    "pandas arrow": lambda y: pandas_series(y, "double[pyarrow]") if y.ndim == 1 else y,
    "polars": lambda y: polars_series(y) if y.ndim == 1 else polars_frame(y),
}


@dataclass
class Case:
    """A fit: what the estimator is, and what it is fitted to."""

    Estimator: type
    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    container: str
    kind: str
    parameters: dict
    is_extreme: bool = False
    is_multilabel: bool = False
    note: dict = field(default_factory=dict)

    def __repr__(self):
        weight = None if self.weight is None else self.weight.dtype
        return (
            f"{self.Estimator.__name__}(**{self.parameters}) on X {self.X.shape} {self.X.dtype} "
            f"as {self.container}, y {self.y.shape} as {self.kind}, weight {weight}, {self.note}"
        )

    @property
    def model(self):
        return self.Estimator(**self.parameters)

    def data(self):
        """X, y and the weights, each in its container."""
        kinds = TARGETS if self.Estimator is TwoLayerRegressor else LABELS
        y = self.y if self.is_multilabel else kinds[self.kind](self.y)
        X = (
            self.X.astype(np.float32)
            if self.container in SPARSE and self.X.dtype == "f2"
            else self.X
        )
        return CONTAINERS[self.container](X), y, self.weight

    def changed(self, **changes):
        return replace(self, **changes)


EXPONENTS = [0, 0, 0, 0, -3, 3, -8, 8, -30, 30, -150, 150]


@st.composite
def inputs(draw, n_rows, exponents=EXPONENTS):
    """X (n, f), and whether its scales are extreme."""
    f = draw(st.sampled_from([1, 2, 3, 5, 30]))
    random = np.random.RandomState(draw(st.integers(0, 2**16)))
    kind = draw(st.sampled_from(["normal", "normal", "counts", "bits", "heavy", "holey"]))
    X = {
        "normal": lambda: random.normal(size=(n_rows, f)),
        "counts": lambda: random.poisson(2.0, size=(n_rows, f)).astype(float),
        "bits": lambda: random.randint(2, size=(n_rows, f)).astype(float),
        "heavy": lambda: random.standard_t(2, size=(n_rows, f)),
        "holey": lambda: random.normal(size=(n_rows, f)) * (random.uniform(size=(n_rows, f)) < 0.2),
    }[kind]()
    changes = draw(st.sets(st.sampled_from(["constant", "zero", "columns", "rows", "shift"])))
    if "columns" in changes:
        X[:, f // 2 :] = X[:, : f - f // 2]
    if "rows" in changes:
        X[n_rows // 2 :] = X[: n_rows - n_rows // 2]
    if "shift" in changes:
        X += draw(st.sampled_from([-5.0, 100.0, 1e5]))
    scales = 10.0 ** np.array(draw(st.lists(st.sampled_from(exponents), min_size=f, max_size=f)))
    X *= scales
    if "constant" in changes:
        X[:, 0] = draw(st.sampled_from([1.0, 7.25, -1e10]))
    if "zero" in changes:
        X[:, -1] = 0
    dtype = draw(st.sampled_from([np.float64] * 4 + [np.float32, np.float32, np.int64, bool, "f2"]))
    if dtype in (np.int64, bool, "f2"):
        X = np.clip(X, -1e4, 1e4)
    with np.errstate(over="ignore", under="ignore"):
        X = X.astype(dtype)
    if dtype == np.float32:
        X = np.nan_to_num(X, posinf=1e30, neginf=-1e30)
    return X, kind, sorted(changes)


@st.composite
def weights(draw, n_rows):
    kind = draw(st.sampled_from([None] * 4 + ["ones", "reals", "counts", "tiny", "huge", "single"]))
    random = np.random.RandomState(draw(st.integers(0, 2**16)))
    if kind is None:
        return None
    weight = {
        "ones": np.ones(n_rows),
        "reals": random.uniform(0.1, 2, size=n_rows),
        "counts": random.poisson(1.5, size=n_rows).astype(float),
        "tiny": 1e-150 * random.uniform(0.1, 2, size=n_rows),
        "huge": 1e150 * random.uniform(0.1, 2, size=n_rows),
        "single": np.eye(n_rows)[0],
    }[kind]
    weight[0] = max(weight[0], weight.max(), 1e-300)
    return weight


PARAMETERS = {
    "n_hidden": st.sampled_from([1, 2, 4, "auto"]),
    "activation": st.sampled_from(ACTIVATIONS),
    "solver": st.sampled_from(SOLVERS),
    "alpha": st.sampled_from([0, 1e-8, 0.01, 0.01, 1.0, 1e6, "auto", "auto", "evidence", "ard"]),
    "standardize": st.sampled_from([True, True, True, False]),
    "n_members": st.sampled_from([1, 1, 1, 2]),
    "learning_rate": st.sampled_from(["auto", "auto", "auto", 1e-8, 0.5]),
    "learning_rate_schedule": st.sampled_from(["cosine", "constant"]),
    "momentum": st.sampled_from([0, 0.9]),
    "nesterovs_momentum": st.booleans(),
    "batch_size": st.sampled_from(["auto", 1, 7, 10**6]),
    "shuffle": st.booleans(),
    "max_iter": st.sampled_from([1, 2, 5, 15]),
    "tol": st.sampled_from([0, 1e-4, 1.0]),
    "early_stopping": st.sampled_from([False, False, False, True]),
    "n_iter_no_change": st.sampled_from([1, 10, np.inf]),
    "warm_start": st.sampled_from([False, False, True]),
}


@st.composite
def parameters(draw):
    """Constructor parameters that agree with each other."""
    drawn = {name: draw(values) for name, values in PARAMETERS.items()}
    if isinstance(drawn["alpha"], str) and drawn["alpha"] != "auto":
        drawn |= {"solver": "lm", "early_stopping": False}
    if drawn["warm_start"]:
        drawn["n_members"] = 1
    return drawn | {"random_state": 0}


N_ROWS = [1, 2, 3, 5, 8, 13, 21, 30, 45]


@st.composite
def regressions(draw, n_rows=N_ROWS, exponents=EXPONENTS):
    n = draw(st.sampled_from(n_rows))
    X, kind, changes = draw(inputs(n, exponents))
    random = np.random.RandomState(draw(st.integers(0, 2**16)))
    k = draw(st.sampled_from([None, None, 1, 2, 3]))
    y = random.normal(size=(n, k or 1))
    with np.errstate(over="ignore"):
        signal = X.astype(float)[:, [0]]
        spread = np.abs(signal).max() or 1.0
    y = y + np.sin(3 * signal / spread)
    far = [-50, 50] if exponents is EXPONENTS else []
    y_scale = draw(st.sampled_from([0, 0, 0, -3, 5, *far]))
    drawn = draw(parameters())
    if draw(st.sampled_from([False] * 5 + [True])):
        drawn |= {"output_activation": "logistic", "n_members": 1}
        y, y_scale = 1 / (1 + np.exp(-y)), 0
    y *= 10.0**y_scale
    shape = draw(st.sampled_from(["free"] * 4 + ["constant", "one constant", "shifted"]))
    if shape == "constant":
        y[:] = y[0]
    elif shape == "one constant":
        y[:, 0] = y[0, 0]
    elif shape == "shifted" and "output_activation" not in drawn:
        y += 1e6 * 10.0**y_scale
    y = y[:, 0] if k is None else y
    return Case(
        TwoLayerRegressor,
        X,
        y,
        draw(weights(n)),
        draw(st.sampled_from(list(CONTAINERS))),
        draw(st.sampled_from(list(TARGETS))),
        drawn,
        note={"X": kind, "changes": changes, "y": shape, "y_scale": y_scale},
    )


@st.composite
def classifications(draw, n_rows=N_ROWS, exponents=EXPONENTS, most_classes=150):
    n = draw(st.sampled_from(n_rows))
    is_multilabel = draw(st.sampled_from([False] * 4 + [True]))
    n_classes = draw(st.sampled_from([1, *[2, 3, 5, 12] * 4, most_classes]))
    n = max(n, n_classes) if n_classes == 150 and draw(st.booleans()) else n
    X, kind, changes = draw(inputs(n, exponents))
    random = np.random.RandomState(draw(st.integers(0, 2**16)))
    drawn = draw(parameters())
    if is_multilabel:
        y = random.randint(2, size=(n, max(min(n_classes, 5), 2)))
    else:
        y = random.permutation(np.arange(n) % n_classes)
        drawn["class_weight"] = draw(st.sampled_from([None, None, "balanced"]))
    if n_classes == 150:
        drawn |= {"n_hidden": 2, "max_iter": 2, "n_members": 1}
    return Case(
        TwoLayerClassifier,
        X,
        y,
        draw(weights(n)),
        draw(st.sampled_from(list(CONTAINERS))),
        draw(st.sampled_from(list(LABELS))),
        drawn,
        is_multilabel=is_multilabel,
        note={"X": kind, "changes": changes},
    )
