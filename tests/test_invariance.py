"""What must not matter does not: order, units, repetition and storage of the data."""

from dataclasses import replace

import numpy as np
import pytest
from gradient_check import LOSSES, random_problem
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._data.rows import Rows
from sklearn_twolayer._network.activations import ACTIVATIONS
from sklearn_twolayer._network.losses import MulticlassLogLoss, SquaredError
from sklearn_twolayer._network.scale import Standardization, column_moments

EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True, database=None)
FITS = settings(EXAMPLES, max_examples=40)


@st.composite
def problems(draw, losses=LOSSES, is_sparse=None):
    """Networks of every kind and size on a few rows."""
    return random_problem(
        draw(st.sampled_from(losses)),
        draw(st.integers(1, 4)),
        draw(st.sampled_from(list(ACTIVATIONS))),
        is_weighted=draw(st.booleans()),
        is_sparse=draw(st.booleans()) if is_sparse is None else is_sparse,
        n_rows=draw(st.integers(5, 40)),
        n_features=draw(st.integers(1, 4)),
        n_hidden=draw(st.integers(1, 5)),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


def permutation(data, length):
    return np.array(data.draw(st.permutations(range(length))))


def assert_same(problem, other, rearrange=lambda W1, b1, W2, b2: (W1, b1, W2, b2)):
    """The values agree, and so do the gradients after ``rearrange``.

    ``rearrange`` turns the weights of ``problem`` into those of ``other``, which the
    function sets, and so it turns the gradient of one into that of the other.
    """

    def rearranged(params):
        parts = rearrange(*problem.network.unpack(params))
        return np.concatenate([part.ravel() for part in parts])

    value, gradient = problem.value_and_gradient(problem.params)
    other_value, other_gradient = other.value_and_gradient(rearranged(problem.params))
    assert other_value == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(other_gradient, rearranged(gradient), rtol=1e-12, atol=1e-12)


@EXAMPLES
@given(problems(), st.data())
def test_order_of_rows(problem, data):
    order = permutation(data, problem.X.shape[0])
    weight = None if problem.weight is None else problem.weight[order]
    assert_same(problem, replace(problem, X=problem.X[order], y=problem.y[order], weight=weight))


@EXAMPLES
@given(problems(), st.data())
def test_order_of_columns(problem, data):
    order = permutation(data, problem.X.shape[1])
    old = problem.standardization
    standardization = replace(old, mean=old.mean[order], scale=old.scale[order])
    other = replace(problem, X=problem.X[:, order], standardization=standardization)
    assert_same(problem, other, lambda W1, b1, W2, b2: (W1[order], b1, W2, b2))


@EXAMPLES
@given(problems(), st.data())
def test_order_of_hidden_units(problem, data):
    order = permutation(data, problem.network.n_hidden)
    assert_same(problem, problem, lambda W1, b1, W2, b2: (W1[:, order], b1[order], W2[order], b2))


@EXAMPLES
@given(problems(), st.data())
def test_order_of_outputs_and_classes(problem, data):
    """Class c of the other problem is class order[c] of this one."""
    order = permutation(data, problem.network.n_outputs)
    is_classes = isinstance(problem.loss, MulticlassLogLoss)
    y = np.argsort(order)[problem.y] if is_classes else problem.y[:, order]
    other = replace(problem, y=y)
    assert_same(problem, other, lambda W1, b1, W2, b2: (W1, b1, W2[:, order], b2[order]))


@EXAMPLES
@given(problems(), st.data())
def test_repeated_rows_are_weights(problem, data):
    n_rows = problem.X.shape[0]
    times = np.array(data.draw(st.lists(st.integers(1, 4), min_size=n_rows, max_size=n_rows)))
    rows = np.repeat(np.arange(n_rows), times)
    repeated = replace(problem, X=problem.X[rows], y=problem.y[rows], weight=None)
    assert_same(replace(problem, weight=times.astype(float)), repeated)


@EXAMPLES
@given(problems(), st.floats(0.01, 100))
def test_scale_of_weights(problem, factor):
    weight = np.ones(problem.X.shape[0]) if problem.weight is None else problem.weight
    assert_same(problem, replace(problem, weight=factor * weight))


@EXAMPLES
@given(problems(is_sparse=False))
def test_sparse_rows(problem):
    X = problem.X * (np.abs(problem.X) > 0.7)
    assert_same(replace(problem, X=X), replace(problem, X=sparse.csr_array(X)))


def units(data, n_columns):
    """A shift and a power of two for each column."""
    shift = data.draw(st.lists(st.integers(-8, 8), min_size=n_columns, max_size=n_columns))
    power = data.draw(st.lists(st.integers(-20, 20), min_size=n_columns, max_size=n_columns))
    return np.array(shift, float), 2.0 ** np.array(power)


def moments(table, weight):
    with Rows(table, None, weight, standardization=None, dtype=float, block_size=10) as rows:
        found = column_moments(rows)
    return found.mean, found.unit


@EXAMPLES
@given(problems(), st.data())
def test_units_of_inputs(problem, data):
    """Fitted standardisation takes moved and rescaled columns to the same network.

    Zero means something where most rows have it: such columns stay where they are.
    """
    shift, factor = units(data, problem.X.shape[1])
    X = problem.X.toarray() if sparse.issparse(problem.X) else problem.X
    weight = np.ones(len(X)) if problem.weight is None else problem.weight
    for value in (0, -shift):
        shift = np.where(weight @ (value != X) < 0.5 * weight.sum(), 0, shift)
    moved = (X + shift) * factor
    twins = []
    for table in (problem.X, sparse.csr_array(moved) if sparse.issparse(problem.X) else moved):
        mean, scale = moments(table, problem.weight)
        standardization = replace(problem.standardization, mean=mean, scale=scale)
        twins.append(replace(problem, X=table, standardization=standardization))
    assert_same(*twins)


@EXAMPLES
@given(problems(losses=[SquaredError]), st.data())
def test_units_of_targets(problem, data):
    shift, factor = units(data, problem.network.n_outputs)
    twins = []
    for y in (problem.y, (problem.y + shift) * factor):
        old = problem.standardization
        standardization = Standardization(old.mean, old.scale, *moments(y, problem.weight))
        twins.append(replace(problem, y=standardization.apply_targets(y, float)))
    assert_same(*twins)


class Case:
    """An estimator to fit from given weights, its data, and where to predict."""

    def __init__(self, kind, rng):
        n_rows, n_features, n_hidden = 30, 3, 4
        self.kind = kind
        self.X = rng.normal(size=(n_rows, n_features)) + rng.normal(size=n_features)
        self.X_new = rng.normal(size=(10, n_features))
        self.y = {
            "one target": rng.normal(size=(n_rows, 1)),
            "two targets": rng.normal(size=(n_rows, 2)),
            "logistic output": rng.uniform(size=(n_rows, 2)),
            "two classes": rng.permutation(np.arange(n_rows) % 2),
            "three classes": rng.permutation(np.arange(n_rows) % 3),
            "labels": rng.integers(2, size=(n_rows, 3)),
        }[kind]
        self.weight = rng.uniform(0.5, 2, size=n_rows)
        n_outputs = self.y.shape[1] if self.y.ndim == 2 else [1, 3][self.y.max() - 1]
        self.coefs = [
            rng.normal(size=(n_features, n_hidden)),
            rng.normal(size=(n_hidden, n_outputs)),
        ]
        self.intercepts = [rng.normal(size=n_hidden), rng.normal(size=n_outputs)]

    @property
    def is_regressor(self):
        return self.kind in ("one target", "two targets", "logistic output")

    def predictions(self, **params):
        """Predictions for X_new after a short fit from the weights."""
        model = TwoLayerClassifier()
        if self.is_regressor:
            output = "logistic" if self.kind == "logistic output" else "identity"
            model = TwoLayerRegressor(output_activation=output)
        model.set_params(n_hidden=4, tol=0, alpha=0.1, warm_start=True, **params)
        model.coefs_, model.intercepts_ = self.coefs, self.intercepts
        model.fit(self.X, self.y, self.weight)
        return model.predict(self.X_new) if self.is_regressor else model.predict_proba(self.X_new)


# Each change alters a case in place and returns what it does to the predictions.


def same(prediction):
    return prediction


def reorder_rows(case, rng):
    order = rng.permutation(30)
    case.X, case.y, case.weight = case.X[order], case.y[order], case.weight[order]
    return same


def reorder_columns(case, rng):
    order = rng.permutation(3)
    case.X, case.X_new, case.coefs[0] = case.X[:, order], case.X_new[:, order], case.coefs[0][order]
    return same


def reorder_outputs(case, rng):
    if case.kind == "two classes":
        case.y, case.coefs[1], case.intercepts[1] = 1 - case.y, -case.coefs[1], -case.intercepts[1]
        return lambda prediction: prediction[:, ::-1]
    order = rng.permutation(case.coefs[1].shape[1])
    case.y = np.argsort(order)[case.y] if case.y.ndim == 1 else case.y[:, order]
    case.coefs[1], case.intercepts[1] = case.coefs[1][:, order], case.intercepts[1][order]
    return lambda prediction: prediction[:, order]


def change_units_of_inputs(case, rng):
    shift, factor = rng.integers(-8, 8, size=3), 2.0 ** rng.integers(-10, 10, size=3)
    case.X, case.X_new = (case.X + shift) * factor, (case.X_new + shift) * factor
    case.intercepts[0] = case.intercepts[0] - shift @ case.coefs[0]
    case.coefs[0] = case.coefs[0] / factor[:, None]
    return same


def change_units_of_targets(case, rng):
    if case.kind not in ("one target", "two targets"):
        return same
    n_outputs = case.y.shape[1]
    shift, factor = rng.integers(-8, 8, size=n_outputs), 2.0 ** rng.integers(-10, 10, n_outputs)
    case.y, case.coefs[1] = (case.y + shift) * factor, case.coefs[1] * factor
    case.intercepts[1] = (case.intercepts[1] + shift) * factor
    return lambda prediction: (prediction.reshape(10, -1) + shift) * factor


def repeat_rows(case, rng):
    rows = np.repeat(np.arange(30), case.weight.astype(int))
    case.X, case.y, case.weight = case.X[rows], case.y[rows], None
    return same


def store_sparsely(case, rng):
    case.X, case.X_new = sparse.csr_array(case.X), sparse.csr_array(case.X_new)
    return same


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "change",
    [
        reorder_rows,
        reorder_columns,
        reorder_outputs,
        change_units_of_inputs,
        change_units_of_targets,
        repeat_rows,
        store_sparsely,
    ],
)
@FITS
@given(
    kind=st.sampled_from(
        ["one target", "two targets", "logistic output", "two classes", "three classes", "labels"]
    ),
    solver=st.sampled_from(["gd", "lbfgs", "lm"]),
    max_iter=st.integers(1, 20),
    seed=st.integers(0, 2**32 - 1),
)
def test_fit(change, kind, solver, max_iter, seed):
    """Deterministic fits from corresponding weights give corresponding predictions."""
    case, changed = (Case(kind, np.random.default_rng(seed)) for _ in range(2))
    if change is repeat_rows:
        case.weight = changed.weight = np.ceil(2 * case.weight)
    expect = change(changed, np.random.default_rng(seed))
    expected = expect(case.predictions(solver=solver, max_iter=max_iter))
    found = changed.predictions(solver=solver, max_iter=max_iter)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=0, atol=1e-8 * scale)


CONVERSIONS = {"dense": np.asarray, "sparse": sparse.csr_array, "single": np.float32}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("convert", CONVERSIONS.values(), ids=CONVERSIONS)
@pytest.mark.parametrize("parameters", [{"alpha": 0.0}, {"solver": "adam"}], ids=str)
@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_a_column_that_is_constant_in_training_has_no_effect(Estimator, parameters, convert):
    """Not that of its starting weights either, which nothing takes away.

    Adam makes a little of the rounding in implicitly standardised sparse columns.
    """
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(90, 3))
    y = columns[:, 0] > 0 if Estimator is TwoLayerClassifier else columns[:, 0]
    inputs, moved = (convert(np.column_stack([columns, np.full(90, c)])) for c in (5.0, 6.0))
    model = Estimator(4, max_iter=5, random_state=0, **parameters).fit(inputs, y)
    assert abs(model.coefs_[0][3]).max() < 1e-3 * abs(model.coefs_[0][:3]).max()
    found, expected = (model.transform(rows) for rows in (moved, inputs))
    np.testing.assert_allclose(found, expected, atol=1e-3)
