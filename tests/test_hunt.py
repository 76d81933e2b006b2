"""A fit of whatever a user may pass ends well, or in an error that says what was wrong.

A few hundred fits run with the other tests, always the same ones; thousands of new ones with

    python -m pytest tests/test_hunt.py tests/test_sequences.py --hypothesis-profile=hunt
"""

import traceback
from pathlib import Path

import numpy as np
import pytest
import sklearn
from data_cases import CONTAINERS, IN_FLOAT64, SPARSE, classifications, quietly, regressions
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st
from joblib import parallel_config
from threadpoolctl import threadpool_limits

import sklearn_twolayer
from sklearn_twolayer import TwoLayerRegressor
from sklearn_twolayer._data import rows

PACKAGE = Path(sklearn_twolayer.__file__).parent

for library in ("pandas", "polars", "pyarrow"):
    pytest.importorskip(library)

pytestmark = pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")


def is_explained(error):
    """Whether an error was raised on purpose: by this package, or by scikit-learn's validation."""
    last = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    utilities, base = (Path(sklearn.__file__).parent / name for name in ("utils", "base.py"))
    allowed = PACKAGE, utilities, base
    return any(last == place or place in last.parents for place in allowed)


def fitted(case, **parameters):
    """The fitted model, or the error that refuses the case, which must be an explained one."""
    model = case.model.set_params(**parameters)
    X, y, weight = case.data()
    try:
        return quietly(model.fit, X, y, sample_weight=weight)
    except (ValueError, TypeError) as error:
        assert is_explained(error), traceback.format_exc()
        assert not [name for name in vars(model) if name.endswith("_")], "half-fitted"
        return error


def is_finite(array):
    return bool(np.isfinite(array).all())


def check_fitted(model, X, y, weight):
    """What every fitted model promises."""
    f, n_hidden = model.coefs_[0].shape
    assert all(is_finite(array) for array in model.coefs_ + model.intercepts_)
    assert len({array.dtype for array in model.coefs_ + model.intercepts_}) == 1
    assert is_finite(model.loss_curve_)
    assert np.isfinite(model.loss_)
    assert model.n_iter_ >= 1
    assert f == model.n_features_in_
    assert abs(model.feature_importances_.sum() - 1) < 1e-9
    assert is_finite(model.feature_relevance_)
    hidden = model.transform(X)
    assert is_finite(hidden)
    assert hidden.shape[1] == n_hidden
    if isinstance(model, TwoLayerRegressor):
        assert is_finite(model.predict(X))
        if model._learned_.posteriors:
            _, std = model.predict(X, return_std=True)
            assert is_finite(std)
            assert (std > 0).all()
            assert is_finite(model.n_effective_params_)
    else:
        answers = [model.predict_proba(X)]
        if model._learned_.posteriors:
            answers.append(model.predict_proba(X, moderated=True))
        for probability in answers:
            assert ((probability >= 0) & (probability <= 1)).all()
            if model.out_activation_ == "softmax" or probability.shape[1] == 2:
                is_multilabel = model._learned_.targets.is_multilabel
                assert is_multilabel or np.allclose(probability.sum(axis=1), 1, atol=1e-5)
        assert is_finite(model.predict_log_proba(X))


def check_case(case):
    note(repr(case))
    model = fitted(case)
    if isinstance(model, Exception):
        note(f"refused: {model}")
        return model
    X, y, weight = case.data()
    quietly(check_fitted, model, X, y, weight)
    loss, *_ = quietly(model.loss_and_gradient, X, y, weight)
    assert np.isfinite(loss)
    score = quietly(model.score, X, y, sample_weight=weight)
    assert np.isfinite(score) or case.X.shape[0] < 2
    return model


@given(regressions())
def test_a_regression_of_any_data_ends_well_or_says_why_not(case):
    check_case(case)


@given(classifications())
def test_a_classification_of_any_data_ends_well_or_says_why_not(case):
    check_case(case)


# --- what must not matter -------------------------------------------------------------------------

TAME = [0, 0, 0, -3, 3]
#: Few steps of solvers that round alike: what more steps magnify is no fault of the data.
BRIEF = {"alpha": 0.01, "max_iter": 2, "tol": 0, "n_members": 1, "early_stopping": False}
STEPS = {"solver": st.sampled_from(["lm", "lbfgs", "gd"]), "n_hidden": st.sampled_from([1, 2, 4])}
CASES = st.one_of(regressions([5, 13, 30], TAME), classifications([5, 13, 30], TAME, 5))


def brief(case, drawn):
    """The case with few steps, and a dtype that every container keeps."""
    fixed = {"warm_start": False, "learning_rate": "auto", "n_iter_no_change": 10}
    return case.changed(parameters=case.parameters | BRIEF | fixed | drawn)


def raw(model, X):
    """Raw predictions (n, k): real-valued for classes, too."""
    if isinstance(model, TwoLayerRegressor):
        return model.predict(X).reshape(len(X), -1)
    return model.decision_function(X).reshape(len(X), -1)


def same_bits(one, other):
    pairs = zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_)
    return all(np.array_equal(a, b) for a, b in pairs)


def pair(case, other, **parameters):
    """Two fitted models, or None where both are refused with the same words."""
    models = fitted(case, **parameters), fitted(other, **parameters)
    refusals = [isinstance(model, Exception) for model in models]
    assert refusals[0] == refusals[1], models
    return None if refusals[0] else models


@given(CASES, st.fixed_dictionaries(STEPS), st.sampled_from(sorted(CONTAINERS)))
def test_the_container_of_X_does_not_matter(case, drawn, container):
    """Dense ones give the bits of a C array, sparse ones those of CSR."""
    note(repr(case))
    dtype = np.float64 if container in IN_FLOAT64 or case.X.dtype.kind != "f" else np.float32
    case = brief(case.changed(X=case.X.astype(np.float32).astype(dtype), kind="list"), drawn)
    of_sparse = container in SPARSE
    plain = case.changed(container="csr" if of_sparse else "C")
    models = pair(plain, case.changed(container=container))
    if models is not None:
        assert models[0].coefs_[0].dtype == models[1].coefs_[0].dtype
        assert same_bits(*models)


@given(CASES, st.fixed_dictionaries(STEPS))
def test_sparse_is_dense(case, drawn):
    note(repr(case))
    case = brief(case.changed(X=case.X.astype(np.float64), weight=None), drawn)
    models = pair(case.changed(container="C"), case.changed(container="csr"))
    assert_close(models, case.X, 1e-4)


@given(CASES, st.fixed_dictionaries(STEPS))
def test_float32_is_nearly_float64(case, drawn):
    note(repr(case))
    assume("shift" not in case.note["changes"])  # of which float32 knows few digits
    single = case.X.astype(np.float32)
    case = brief(case.changed(X=single, container="C", weight=None), drawn)
    models = pair(case, case.changed(X=single.astype(np.float64)))
    assert_close(models, single, 0.02)


@given(CASES, st.fixed_dictionaries(STEPS), st.integers(0, 2**16))
def test_weights_are_repeats(case, drawn, seed):
    note(repr(case))
    counts = np.random.RandomState(seed).randint(1, 4, size=len(case.X))
    rows = np.repeat(np.arange(len(case.X)), counts)
    case = brief(case.changed(X=case.X.astype(np.float64), container="C", weight=counts), drawn)
    repeated = case.changed(X=case.X[rows], y=case.y[rows], weight=None)
    models = pair(case, repeated)
    assert_close(models, case.X, 1e-4)


def assert_close(models, X, error):
    """Raw predictions differ by less than a share of their size."""
    if models is None:
        return
    one, other = (quietly(raw, model, X) for model in models)
    size = max(np.abs(one - one.mean(axis=0)).max(), 1e-3 * np.abs(one).max(), 1e-12)
    assert np.abs(one - other).max() < error * size


@settings(max_examples=settings.default.max_examples // 3)
@given(CASES, st.fixed_dictionaries(STEPS), st.sampled_from([[1, 2], [1, 4]]))
def test_threads_do_not_matter(case, drawn, numbers):
    """Blocks of 128 rows, so that there are some for every thread."""
    note(repr(case))
    many = np.arange(700) % len(case.X)
    case = brief(case.changed(X=case.X[many], y=case.y[many], weight=None), drawn)
    models = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "BLOCK_BYTES", 2**10)
        for number in numbers:
            with threadpool_limits(number), parallel_config("threading", n_jobs=number):
                models.append(fitted(case, n_jobs=number))
    refusals = [isinstance(model, Exception) for model in models]
    assert refusals[0] == refusals[1]
    assert refusals[0] or same_bits(*models)
