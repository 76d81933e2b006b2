"""Copies and pickles: which keep the error bars, and that pickles know who wrote them."""

import copy
import pickle
import warnings
from functools import partial
from io import BytesIO

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor, _learned, _version
from sklearn_twolayer._validation import for_workers

ESTIMATORS = [TwoLayerRegressor, TwoLayerClassifier]
X = np.random.RandomState(0).normal(size=(60, 3))
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)


def fitted(Estimator, **parameters):
    settings = {"n_hidden": 4, "alpha": 0.01, "random_state": 0, **parameters}
    return Estimator(**settings).fit(X, Y)


def error_bars(model):
    if isinstance(model, TwoLayerRegressor):
        return model.predict(X, return_std=True)[1]
    return model.predict_proba(X, moderated=True)


def through_pickle(model):
    return pickle.loads(pickle.dumps(model))


def through_joblib(model):
    file = BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


def through_skops(model):
    skops_io = pytest.importorskip(
        "skops.io", reason="skops comes with the test extra", exc_type=ModuleNotFoundError
    )
    data = skops_io.dumps(model)
    return skops_io.loads(data, trusted=skops_io.get_untrusted_types(data=data))


COPIES = pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
STORES = pytest.mark.parametrize("stored", [through_pickle, through_joblib, through_skops])


@COPIES
@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_copy_of_a_float_alpha_fit_keeps_its_error_bars(Estimator, n_members, copied):
    model = fitted(Estimator, n_members=n_members)
    twin = copied(model)
    assert type(twin) is Estimator
    assert vars(twin).keys() == vars(model).keys()
    np.testing.assert_array_equal(error_bars(twin), error_bars(model))
    again = copied(twin)
    np.testing.assert_array_equal(error_bars(again), error_bars(model))


@COPIES
def test_a_copy_goes_its_own_way(copied):
    model = fitted(TwoLayerRegressor)
    model.note = ["of the user"]
    twin, before = copied(model), model.predict(X)
    twin.set_params(n_hidden=2).fit(X, 1 - Y)
    np.testing.assert_array_equal(model.predict(X), before)
    assert model.n_hidden == 4
    assert twin.note == ["of the user"]
    assert (twin.note is model.note) == (copied is copy.copy)


def test_a_deep_copy_shares_no_weights():
    model = fitted(TwoLayerRegressor)
    twin, before = copy.deepcopy(model), model.predict(X)
    twin.coefs_[0] += 1
    np.testing.assert_array_equal(model.predict(X), before)
    error_bars(model)


@COPIES
def test_an_unfitted_estimator_is_copied(copied):
    twin = copied(TwoLayerRegressor(7))
    assert twin.get_params() == TwoLayerRegressor(7).get_params()
    assert not hasattr(clone(fitted(TwoLayerRegressor)), "_learned_")


@STORES
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_pickle_of_a_float_alpha_fit_keeps_small_error_bars(Estimator, stored):
    model = fitted(Estimator)
    np.testing.assert_array_equal(error_bars(stored(model)), error_bars(model))


@STORES
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_pickle_of_a_float_alpha_fit_says_that_it_leaves_large_ones_out(
    Estimator, stored, monkeypatch
):
    monkeypatch.setattr(_learned, "MOST_PICKLED", 1_000)
    model = fitted(Estimator)
    with pytest.warns(UserWarning, match=r"no error bars.*float alpha.*at most 0\.001"):
        twin = stored(model)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    with pytest.raises(ValueError, match=r"no error bars.*pickled.*float alpha.*0\.001 MB"):
        error_bars(twin)
    with pytest.raises(ValueError, match="no error bars"):
        error_bars(copy.copy(twin))
    error_bars(model)  # the original keeps them


@STORES
@pytest.mark.parametrize("protocol", [0, pickle.DEFAULT_PROTOCOL])
def test_a_store_blames_the_line_that_called_it_once(stored, protocol, monkeypatch):
    """Python shows a warning once for each line: skops asks for the state twice."""
    monkeypatch.setattr(_learned, "MOST_PICKLED", 0)
    monkeypatch.setattr(pickle, "dumps", partial(pickle.dumps, protocol=protocol))
    model = make_pipeline(StandardScaler(), fitted(TwoLayerRegressor))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        stored(model)
    assert [warning.filename for warning in caught] == [__file__]
    monkeypatch.setattr(_version, "__version__", "99.0")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stored(model)
    assert {warning.filename for warning in caught} == {__file__}
    assert any("this is 99.0" in str(warning.message) for warning in caught)


def test_workers_have_error_bars_of_any_size(monkeypatch):
    """What is sent to them is a pickle, but none that a user keeps."""
    monkeypatch.setattr(_learned, "MOST_PICKLED", 0)
    model = fitted(TwoLayerRegressor)
    assert not model._learned_.keeps_matrix
    twin = pickle.loads(pickle.dumps(for_workers(model)))
    np.testing.assert_array_equal(error_bars(twin), error_bars(model))


@STORES
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_pickle_of_a_chosen_alpha_has_them(Estimator, stored):
    model = fitted(Estimator, alpha="evidence")
    np.testing.assert_array_equal(error_bars(stored(model)), error_bars(model))


@pytest.mark.parametrize("n_hidden", [4, 40])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_pickle_takes_what_is_said_and_half_a_matrix(Estimator, n_hidden):
    model = fitted(Estimator, n_hidden=n_hidden, alpha="evidence")
    (posterior,) = model._learned_.posteriors
    stored, p = len(pickle.dumps(posterior.factor)), n_hidden * 5 + 1
    assert 0 <= stored - 8 * posterior.factor.n_stored < 1_000
    assert posterior.factor.n_stored == (p * (p + 1) // 2 + p if p < 128 else 60 * (p + 60) + p)


@pytest.mark.parametrize("alpha", [0.01, "evidence"])
def test_the_limit_is_for_a_float_alpha_of_all_members_together(alpha, monkeypatch):
    model = fitted(TwoLayerRegressor, alpha=alpha, n_members=2)
    sizes = [8 * each.factor.n_stored for each in model._learned_.posteriors]
    for limit, keeps in ((sum(sizes), True), (sum(sizes) - 1, alpha == "evidence")):
        monkeypatch.setattr(_learned, "MOST_PICKLED", limit)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            twin = through_pickle(model)
        assert bool(twin._learned_.posteriors) == keeps
        assert len(caught) == 1 - keeps


# Versions


@STORES
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_version_that_wrote_it_reads_it_in_silence(Estimator, stored):
    for model in (fitted(Estimator), Estimator()):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            twin = stored(model)
        assert vars(twin).keys() == vars(model).keys()


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_another_version_warns_on_loading(Estimator, monkeypatch):
    model = fitted(Estimator)
    data = pickle.dumps(model)
    monkeypatch.setattr(_version, "__version__", "99.0")
    name, wrote = Estimator.__name__, r"0\.\d+\.\d+"
    expected = rf"This {name} was pickled by sklearn_twolayer {wrote}.*this is 99\.0"
    with pytest.warns(UserWarning, match=expected) as caught:
        twin = pickle.loads(data)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    assert vars(twin).keys() == vars(model).keys()


@STORES
def test_every_store_tells_of_another_version(stored, monkeypatch):
    model = fitted(TwoLayerRegressor)
    monkeypatch.setattr(_version, "__version__", "99.0")
    with pytest.warns(UserWarning, match=r"this is 99\.0"):
        stored(model)


@COPIES
def test_copies_have_no_version(copied):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        twin = copied(fitted(TwoLayerRegressor))
    assert "_version" not in vars(twin)
