"""Error bars after every fit: any solver, number of rows, penalty and kind of rows."""

import pickle
import tracemalloc
from copy import deepcopy
from itertools import product

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import norm
from sklearn.base import clone

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._bayes import posterior
from sklearn_twolayer._data.table import Table
from sklearn_twolayer._fit import auto, results
from sklearn_twolayer._fit.auto import Size
from sklearn_twolayer._fit.results import rows_of_curvature
from sklearn_twolayer._network.objective import MeanLoss

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(600, 3))
CURVE = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.3 * RANDOM.normal(size=600)
CLASSES = np.digitize(CURVE, [-0.5, 0.8])
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
ESTIMATORS = pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])


def fitted(Estimator=TwoLayerRegressor, X=X, y=None, sample_weight=None, **parameters):
    defaults = {"n_hidden": 5, "solver": "lbfgs", "alpha": 1e-3, "random_state": 0}
    if y is None:
        y = CURVE if Estimator is TwoLayerRegressor else CLASSES
    model = Estimator(**{**defaults, **parameters})
    return model.fit(X, y, sample_weight=sample_weight)


def bars(model, X=X):
    if isinstance(model, TwoLayerRegressor):
        return model.predict(X, return_std=True)[1]
    return model.predict_proba(X, moderated=True)


@pytest.fixture
def few_rows(monkeypatch):
    """Matrices that take more than 200 rows of a network with some 26 weights are too much."""
    monkeypatch.setattr(auto, "MAX_GAUSS_NEWTON_COST", 0)
    monkeypatch.setattr(results, "MAX_COST", 200 * 26**2)


def measured(eps, n_copies=2, n_rows=25):
    """R^2 and coverage of 90 % intervals on new rows, of a line and copies of it; three draws."""
    found = []
    for seed in range(3):
        random = np.random.RandomState(seed)
        X = random.uniform(-1, 1, size=(n_rows + 500, 5))
        y = X[:, 0] - 2 * X[:, 4] + 0.3 * random.normal(size=len(X))
        Y = np.c_[y, *(2 * y + 1 + eps * random.normal(size=len(y)) for _ in range(n_copies - 1))]
        model = TwoLayerRegressor(random_state=0).fit(X[:n_rows], Y[:n_rows])
        prediction, std = model.predict(X[n_rows:], return_std=True)
        new = Y[n_rows:]
        share = ((prediction - new) ** 2).mean(axis=0) / new.var(axis=0)
        found.append([1 - share.mean(), (abs(prediction - new) < 1.645 * std).mean()])
    return np.array(found)


@pytest.mark.parametrize(("eps", "n_copies", "n_rows"), [(0, 2, 25), (0.1, 2, 50), (0, 4, 25)])
def test_bars_are_honest_where_targets_repeat_each_other(eps, n_copies, n_rows):
    """One quantity in two units, or by two instruments, is told once by each row."""
    R2, coverage = measured(eps, n_copies, n_rows).T
    assert R2.min() > 0.85
    assert coverage.mean() > 0.8
    assert coverage.min() > 0.65


# the rule


@pytest.mark.parametrize(
    ("size", "n_hidden", "expected"),
    [
        (Size(20_000, 17, 1), 50, 20_000),  # p = 951
        (Size(10**6, 17, 1), 50, 33_171),
        (Size(10**6, 3, 1), 5, 10**6),
        (Size(10**9, 3, 1), 5, 44_378_698),
        (Size(20_000, 48, 1), 99, 9902),  # p = 4951: 2 p rows
        (Size(6000, 48, 1), 99, 6000),
        (Size(40_000, 40, 10), 95, 971),  # p = 4855, of several outputs
        (Size(40_000, 40, 2), 110, 4732),  # p = 4732, of several outputs
        (Size(40_000, 48, 1), 101, 0),  # p = 5051
        (Size(60, 10_000, 1), 50, 60),  # the dual form
    ],
)
def test_as_many_rows_as_a_second_allows(size, n_hidden, expected):
    assert rows_of_curvature(size, n_hidden) == expected


def test_more_rows_never_make_for_a_smaller_part():
    for k in (1, 3):
        parts = [rows_of_curvature(Size(n, 20, k), 50) for n in (10 ** np.arange(2, 8)).tolist()]
        assert parts == sorted(parts)
        assert parts[0] == 100


# every fit


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 1e-3])
@pytest.mark.parametrize("solver", ["lm", "lbfgs", "adam", "sgd", "gd"])
@ESTIMATORS
def test_every_solver_has_error_bars_from_a_part_of_the_rows(
    Estimator, solver, alpha, early_stopping, few_rows
):
    parameters = {"solver": solver, "alpha": alpha, "early_stopping": early_stopping}
    model = fitted(Estimator, **parameters, max_iter=30)
    assert 26 <= model.curvature_rows_ <= 200  # of 26 weights, or 38 and three outputs
    found = bars(model)
    assert np.isfinite(found).all()
    assert (found > 0).all()
    if Estimator is TwoLayerRegressor:
        assert np.median(found) < 2 * CURVE.std()


@ESTIMATORS
def test_a_part_says_about_what_all_rows_say(Estimator, monkeypatch):
    whole = fitted(Estimator)
    assert whole.curvature_rows_ == 600
    monkeypatch.setattr(auto, "MAX_GAUSS_NEWTON_COST", 0)
    monkeypatch.setattr(results, "MAX_COST", 300 * 26**2)
    part = fitted(Estimator)
    assert part.curvature_rows_ < 400
    np.testing.assert_array_equal(part.coefs_[0], whole.coefs_[0])
    ratio = np.log(bars(part) / bars(whole))
    assert np.quantile(np.abs(ratio), 0.95) < 0.2
    assert np.abs(ratio).max() < 1
    assert np.abs(np.median(ratio)) < 0.02
    assert part.n_effective_params_ == pytest.approx(whole.n_effective_params_, rel=0.1)


def test_the_noise_is_that_of_all_rows(few_rows, monkeypatch):
    """Here of a curve that is noisier in its last rows, of which the part has hardly any."""
    first = lambda table, n_rows, seed=0: table.take(np.arange(min(n_rows, table.n_rows)))  # noqa
    monkeypatch.setattr(Table, "part", first)
    noise = np.where(np.arange(600) < 200, 0.1, 1.0)
    y = X[:, 0] + noise * np.random.RandomState(1).normal(size=600)
    model = fitted(y=y)
    assert model.curvature_rows_ <= 200
    assert 1 / model.noise_precision_ == pytest.approx((noise**2).mean(), rel=0.15)


@ESTIMATORS
def test_the_part_hangs_on_the_rows_alone(Estimator, few_rows):
    """Not on ``random_state``, nor on anything that drew before."""
    first = fitted(Estimator)
    np.random.RandomState(3).uniform(size=7)
    np.testing.assert_array_equal(bars(fitted(Estimator)), bars(first))
    generator = np.random.RandomState(0)
    other = fitted(Estimator, random_state=generator)
    np.testing.assert_array_equal(bars(other), bars(first))
    after_fit = generator.uniform()
    alone = np.random.RandomState(0)
    np.testing.assert_array_equal(fitted(Estimator, random_state=alone).coefs_[0], first.coefs_[0])
    assert alone.uniform() == after_fit


@ESTIMATORS
def test_weights_are_repeats_where_all_rows_are_used(Estimator):
    weight = np.random.RandomState(2).randint(0, 3, size=600)
    y = CURVE if Estimator is TwoLayerRegressor else CLASSES
    repeated = np.repeat(np.arange(600), weight)
    weighted = fitted(Estimator, y=y, sample_weight=weight, solver="lm", tol=1e-8)
    model = fitted(Estimator, X[repeated], y[repeated], solver="lm", tol=1e-8)
    assert weighted.curvature_rows_ == model.curvature_rows_ == (weight > 0).sum()
    np.testing.assert_array_equal(bars(weighted), bars(model))


@ESTIMATORS
def test_rows_of_a_part_are_weighed(Estimator, few_rows):
    """Rows of which those with X[0] < 0 count next to nothing: bars are wide there."""
    weight = np.where(X[:, 0] < 0, 1e-6, 1.0)
    model = fitted(Estimator, sample_weight=weight, alpha=3e-4)
    other = fitted(Estimator, sample_weight=weight / 2, alpha=3e-4)
    np.testing.assert_allclose(bars(other), bars(model), rtol=0.2)
    if Estimator is TwoLayerRegressor:
        std = bars(model)
        assert np.median(std[X[:, 0] < -1]) > 1.5 * np.median(std[X[:, 0] > 0])


@pytest.fixture
def no_averages(monkeypatch):
    """An average of the curvature is more than can be afforded."""
    monkeypatch.setattr(posterior, "MAX_COST_OF_AVERAGES", 0)


def test_a_classifier_that_is_not_moderated_makes_no_matrix(no_averages, monkeypatch):
    """It would tell nothing: moderated probabilities are those of the network."""
    for name in ("gauss_newton", "root"):
        monkeypatch.setattr(MeanLoss, name, None)
    model = fitted(TwoLayerClassifier)
    np.testing.assert_allclose(bars(model), model.predict_proba(X), rtol=0, atol=1e-12)
    assert not hasattr(model, "curvature_rows_")
    assert not hasattr(model, "n_effective_params_")
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(bars(twin), bars(model))
    committee = fitted(TwoLayerClassifier, n_members=2)
    assert np.abs(bars(committee) - committee.predict_proba(X)).max() > 1e-4  # members differ


def test_the_evidence_needs_the_matrix_all_the_same(no_averages):
    model = fitted(TwoLayerClassifier, alpha="evidence", solver="lm")
    np.testing.assert_allclose(bars(model), model.predict_proba(X), rtol=0, atol=1e-12)
    assert np.isfinite(model.log_marginal_likelihood_)
    assert 0 < model.n_effective_params_ < 38
    assert model.curvature_rows_ == 600
    assert fitted().n_effective_params_ > 1  # so does a regression


@ESTIMATORS
@pytest.mark.parametrize("kind", [sparse.csr_array, np.float32])
def test_parts_of_other_kinds_of_rows(Estimator, kind, few_rows):
    found = bars(fitted(Estimator, kind(X)), kind(X))
    np.testing.assert_allclose(found, bars(fitted(Estimator)), rtol=0.05, atol=0.01)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@ESTIMATORS
def test_parts_of_dask_collections(Estimator, few_rows):
    """Of all rows the same bars as in memory, of a part about the same."""
    da = pytest.importorskip("dask.array", reason="the dask extra is not installed")
    y = CURVE if Estimator is TwoLayerRegressor else CLASSES
    chunks = {0: (1, 200, 250, 149)}
    collection = [da.from_array(X, chunks=(*chunks.values(), 3)), da.from_array(y, chunks[0])]
    model = fitted(Estimator, *collection)
    assert 26 <= model.curvature_rows_ <= 204  # a share of each partition, rounded up
    memory = fitted(Estimator)
    ratio = bars(model) / bars(memory)
    assert np.abs(np.log(np.median(ratio))) < 0.05
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "MAX_COST", 1e9)
        whole = fitted(Estimator, *collection)
        assert whole.curvature_rows_ == 600
        np.testing.assert_allclose(bars(whole), bars(fitted(Estimator)), rtol=1e-3)


def test_a_part_of_a_smaller_number_is_in_one_of_a_larger():
    table = Table(X, CURVE, None, CURVE[:, None])
    small, large = (set(table.part(n).y.tolist()) for n in (50, 200))
    assert len(small) == 50
    assert small < large
    assert table.part(600) is table


# no error bars


def test_more_weights_than_a_matrix_is_afforded_for(monkeypatch):
    monkeypatch.setattr(auto, "MAX_GAUSS_NEWTON_SIZE", 5)
    monkeypatch.setattr(results, "MAX_WEIGHTS", 5)
    model = fitted()
    assert not hasattr(model, "curvature_rows_")
    assert not hasattr(model, "noise_precision_")
    with pytest.raises(ValueError, match=r"no error bars: its 26 weights.*smaller n_hidden"):
        bars(model)


@ESTIMATORS
def test_partial_fit_has_none_and_says_what_to_do(Estimator):
    model = Estimator(n_hidden=5, solver="adam", alpha=1e-3, random_state=0)
    y, classes = (
        (CURVE, {}) if Estimator is TwoLayerRegressor else (CLASSES, {"classes": [0, 1, 2]})
    )
    model.partial_fit(X, y, **classes)
    with pytest.raises(ValueError, match=r"partial_fit.*fit with warm_start=True on rows that do"):
        bars(model)
    copy = pickle.loads(pickle.dumps(model))
    with pytest.raises(ValueError, match="partial_fit"):
        bars(copy)
    before = model.coefs_[0]
    model.set_params(warm_start=True, max_iter=1).fit(X, y)
    assert np.abs(model.coefs_[0] - before).max() < 1
    assert np.isfinite(bars(model)).all()


@ESTIMATORS
def test_copies_and_pickles(Estimator, few_rows):
    model = fitted(Estimator)
    np.testing.assert_array_equal(bars(deepcopy(model)), bars(model))
    copy = pickle.loads(pickle.dumps(model))
    assert copy.curvature_rows_ == model.curvature_rows_
    np.testing.assert_array_equal(bars(copy), bars(model))
    assert not hasattr(clone(model), "curvature_rows_")


# several targets


def three_targets(seed, n):
    """Noise of 0.1 %, 38 % and 100 % of the standard deviation of what is to be learnt."""
    random = np.random.RandomState(seed)
    X = random.uniform(-2, 2, size=(n, 3))
    f = np.c_[
        np.sin(1.5 * X[:, 0]) + 0.5 * X[:, 1],
        X[:, 1] ** 2 - X[:, 2],
        np.cos(X[:, 0] * X[:, 2]) + X[:, 1],
    ]
    noise = f.std(axis=0) * [0.001, 0.38, 1.0]
    return X, f + noise * random.normal(size=f.shape)


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [{"solver": "lm", "alpha": "evidence"}, {"alpha": 1 / 300}, {"solver": "adam", "alpha": 3e-4}],
    ids=["evidence", "lbfgs", "adam"],
)
def test_intervals_of_each_target_cover_what_they_say(parameters):
    """Over 20 sets of 500 new rows each; standard errors are 0.3 to 0.5 %."""
    inside = []
    for seed in range(20):
        model = fitted(TwoLayerRegressor, *three_targets(seed, 300), n_hidden=10, **parameters)
        new, y = three_targets(seed + 1000, 500)
        prediction, std = model.predict(new, return_std=True)
        inside.append((np.abs(prediction - y) < norm.ppf(0.95) * std).mean(axis=0))
    coverage = np.mean(inside, axis=0)
    assert (coverage > 0.86).all()
    assert (coverage < 0.94).all()


def test_each_target_has_a_noise_precision_of_its_own():
    rows, y = three_targets(0, 2000)
    model = fitted(TwoLayerRegressor, rows, y, alpha=1e-6, n_hidden=10)
    assert model.noise_precision_.shape == (3,)
    assert isinstance(fitted(TwoLayerRegressor, rows, y[:, 1]).noise_precision_, float)
    residual = np.sqrt(((model.predict(rows) - y) ** 2).mean(axis=0))
    np.testing.assert_allclose(model.noise_precision_**-0.5, residual, rtol=0.05)
    other = fitted(TwoLayerRegressor, rows, y * [4, 1, 0.5], alpha=1e-6, n_hidden=10)
    scaled = model.noise_precision_ / np.square([4, 1, 0.5])
    np.testing.assert_allclose(other.noise_precision_, scaled, rtol=1e-6)


@pytest.mark.parametrize("alpha", ["auto", "evidence", "ard"])
def test_the_evidence_weighs_targets_by_their_noise(alpha):
    """A noisy target does not drown a quiet one: both are learnt about as well as alone."""
    rows, y = three_targets(0, 300)
    new, _ = three_targets(1, 500)
    clean = np.column_stack(
        [
            np.sin(1.5 * new[:, 0]) + 0.5 * new[:, 1],
            new[:, 1] ** 2 - new[:, 2],
            np.cos(new[:, 0] * new[:, 2]) + new[:, 1],
        ]
    )
    parameters = {"solver": "lm", "alpha": alpha, "n_hidden": 10}
    together = fitted(TwoLayerRegressor, rows, y, **parameters).predict(new) - clean
    apart = fitted(TwoLayerRegressor, rows, y, **{**parameters, "alpha": 1e-4}).predict(new) - clean
    errors = [np.sqrt((error**2).mean(axis=0)) for error in (together, apart)]
    assert errors[0][0] < 0.1 * errors[1][0]
    assert (errors[0] < 1.5 * errors[1]).all()


def test_where_all_targets_have_one_noise_the_evidence_weighs_them_alike():
    random = np.random.RandomState(0)
    y = np.c_[np.sin(2 * X[:, 0]), X[:, 1] * X[:, 2]]
    y = y / y.std(axis=0) + 0.3 * random.normal(size=(600, 2))
    scale = fitted(y=y[:300], X=X[:300], solver="lm", alpha="evidence")._learned_.scale
    np.testing.assert_allclose(scale.y_scale, y[:300].std(axis=0), rtol=0.2)


def test_targets_that_are_weighed_may_be_moved_and_rescaled():
    rows, y = three_targets(0, 100)
    parameters = {"solver": "lm", "alpha": "evidence", "max_iter": 20}
    model = fitted(TwoLayerRegressor, rows, y, **parameters)
    other = fitted(TwoLayerRegressor, rows, y * [4, 0.5, 16], **parameters)
    np.testing.assert_allclose(other.predict(rows), model.predict(rows) * [4, 0.5, 16], rtol=1e-6)
    loss, *_ = model.loss_and_gradient(rows, y)
    assert loss == pytest.approx(model.loss_, rel=1e-8)


def test_pilots_take_no_random_numbers_and_end_in_time():
    rows, y = three_targets(0, 300)
    generator = np.random.RandomState(0)
    parameters = {"solver": "lm", "alpha": "evidence", "max_iter": 5}
    model = fitted(TwoLayerRegressor, rows, y, random_state=generator, **parameters)
    alone = np.random.RandomState(0)
    fitted(TwoLayerRegressor, rows, y, random_state=alone, **{**parameters, "alpha": 1e-3})
    assert generator.uniform() == alone.uniform()
    assert model.n_iter_ >= 1
    quick = fitted(TwoLayerRegressor, rows, y, solver="lm", alpha="evidence", max_time=1e-6)
    assert np.isfinite(quick.predict(rows)).all()


def test_a_committee_has_a_noise_for_each_target():
    rows, y = three_targets(0, 300)
    model = fitted(TwoLayerRegressor, rows, y, n_members=2, n_hidden=10)
    noise = np.mean([1 / each.noise_precision for each in model._learned_.posteriors], axis=0)
    noise = np.sqrt(noise) * model._learned_.scale.y_scale
    std = bars(model, rows)
    assert (std >= noise * (1 - 1e-12)).all()
    assert (np.median(std, axis=0) < 1.5 * noise).all()


# few rows, and nothing to learn


@pytest.mark.parametrize("parameters", [{}, {"alpha": "auto", "solver": "auto"}, {"alpha": 0.0}])
@pytest.mark.parametrize("level", [0.0, 5.0])
def test_one_row_says_nothing_of_the_noise(level, parameters):
    """On the scale of training, where a constant has the scale of 1, the bars are that of 1."""
    std = bars(fitted(X=X[:1], y=[level], **parameters))
    assert np.isfinite(std).all()
    assert (std > 0.7).all()


def test_equal_rows_are_believed_more_the_more_there_are():
    for standardize in (True, False):
        stds = [
            np.median(bars(fitted(X=X[:n], y=np.full(n, 3.0), standardize=standardize)))
            for n in (10, 100, 600)
        ]
        assert stds == sorted(stds, reverse=True)
        assert stds[-1] > 600**-0.5 / 1.1


# memory


def peak(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["ten classes", "sixty targets", "ten labels"])
def test_error_bars_take_the_memory_of_a_block_and_of_the_answer(kind):
    random, n = np.random.RandomState(0), 300 if kind == "sixty targets" else 1500
    X = random.normal(size=(4 * n, 4))
    if kind == "ten classes":
        model = fitted(TwoLayerClassifier, X[:300], random.randint(10, size=300), max_iter=5)
    elif kind == "ten labels":
        model = fitted(TwoLayerClassifier, X[:300], random.randint(2, size=(300, 10)), max_iter=5)
    else:
        model = fitted(TwoLayerRegressor, X[:300], random.normal(size=(300, 60)), max_iter=5)
    bars(model, X[:10])
    n_outputs = bars(model, X[:1]).shape[1]
    small, large = (peak(lambda n=n: bars(model, X[:n])) for n in (n, 4 * n))
    answers = 3 * 8 * n_outputs * 3 * n  # predictions, deviations, and a copy
    assert large - answers < 1.3 * small
    assert large < 100e6


def test_bars_of_many_columns_and_few_rows_are_not_many_times_what_there_is_to_know():
    """They were 3 to 12 standard deviations of y wide."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        rows = rng.normal(size=(240, 1000))
        y = rows[:, :5].sum(axis=1) + 0.5 * rng.normal(size=240)
        model = TwoLayerRegressor(random_state=seed).fit(rows[:40], y[:40])
        found, std = model.predict(rows[40:], return_std=True)
        assert std.mean() < 2 * y.std()
        assert np.mean(np.abs(found - y[40:]) < 1.645 * std) > 0.8


@pytest.mark.parametrize(
    "parameters",
    [{"alpha": "auto", "solver": "auto", "n_hidden": "auto"}, {"alpha": 1e-3}, {"alpha": 0.03}],
)
def test_bars_of_fewer_than_twenty_rows_are_not_many_times_as_wide_as_y(parameters):
    """They were up to 800 standard deviations wide where nothing bound them."""
    wide, covered = [], []
    for n, seed in product((5, 10, 15, 19), range(1, 4)):
        rng = np.random.default_rng([seed, n])
        rows = rng.normal(size=(n + 200, 4))
        y = np.sin(rows[:, 0]) + rows[:, 1] ** 2 + 0.3 * rng.normal(size=n + 200)
        model = fitted(X=rows[:n], y=y[:n], **parameters)
        found, std = model.predict(rows[n:], return_std=True)
        wide.append(np.median(std) / y.std())
        covered.append(np.mean(np.abs(found - y[n:]) < 1.645 * std))
    assert max(wide) < 6
    assert np.median(wide) < 2.5
    assert np.mean(covered) > 0.85


@pytest.mark.slow
def test_bars_of_spectra_are_those_of_their_noise():
    """Precisions of 300 channels, found from 120 spectra, made them cover two thirds."""
    covered, channel = [], np.linspace(0, 1, 300)
    lines = [(0.2, 0.05), (0.45, 0.1), (0.6, 0.04), (0.8, 0.08)]
    lines = np.array([np.exp(-0.5 * ((channel - m) / width) ** 2) for m, width in lines])
    for seed in range(3):
        rng = np.random.default_rng(seed)
        share = rng.uniform(0.2, 1, (320, 4))
        spectra = share @ lines + 0.01 * rng.normal(size=(320, 300))
        y = share[:, 0] + 0.02 * rng.normal(size=320)
        model = TwoLayerRegressor(random_state=seed).fit(spectra[:120], y[:120])
        found, std = model.predict(spectra[120:], return_std=True)
        covered.append(np.mean(np.abs(found - y[120:]) < 1.645 * std))
    assert 0.85 < np.mean(covered) < 0.98
