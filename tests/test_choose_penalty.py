"""alpha="auto": leave-one-out without refits, and a choice that rounding does not make."""

from dataclasses import replace

import numpy as np
import pytest

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._fit.auto import Size, compares_penalties, resolve
from sklearn_twolayer._fit.parameters import checked, streaming

ESTIMATORS = [TwoLayerRegressor, TwoLayerClassifier]
X = np.random.RandomState(0).normal(size=(60, 3))
Y = (X[:, 0] + X[:, 1] ** 2 + 0.3 * np.random.RandomState(1).normal(size=60) > 0.5).astype(int)
CURVE = np.sin(2 * X[:, 0]) + X[:, 1]


def fitted(Estimator, X=X, y=Y, sample_weight=None, **parameters):
    model = Estimator(**{"n_hidden": 4, "random_state": 0, **parameters})
    return model.fit(X, y, sample_weight=sample_weight)


def raw(model, X):
    return model.predict(X) if isinstance(model, TwoLayerRegressor) else model.decision_function(X)


@pytest.mark.usefixtures("dual_form")
@pytest.mark.parametrize("n_rows", [20, 60], ids=["dual", "primal"])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_choice_is_the_same_for_weights_and_for_repeats(Estimator, n_rows):
    rows, target = X[:n_rows], Y[:n_rows]
    counts = np.ones(n_rows, int)
    counts[: n_rows // 4] = 2
    counts[-1] = 0
    weighted = fitted(Estimator, rows, target, counts)
    repeated = fitted(Estimator, np.repeat(rows, counts, 0), np.repeat(target, counts))
    # Penalties of 1e-14 are none, and their digits are those of a loss that has vanished.
    np.testing.assert_allclose(weighted.penalty_, repeated.penalty_, rtol=1e-6, atol=1e-12)
    # Rounding decides at which of the last steps a gradient is within tol = 1e-4.
    np.testing.assert_allclose(raw(weighted, X), raw(repeated, X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_chosen_penalty_predicts_left_out_rows_about_as_well_as_any(Estimator):
    """Noise alone: a fit must not chase it, whatever the evidence thinks."""
    random = np.random.RandomState(3)
    rows, noise = random.normal(size=(80, 4)), random.standard_t(2, size=80)
    target = noise if Estimator is TwoLayerRegressor else (noise > 0).astype(int)
    model = fitted(Estimator, rows, target, n_hidden=10)
    spread = raw(model, random.normal(size=(500, 4))).std()
    assert spread < 0.5 * (noise.std() if Estimator is TwoLayerRegressor else 1)


@pytest.mark.parametrize(
    "parameters",
    [
        {"solver": "adam"},
        {"solver": "sgd"},
        {"solver": "gd"},
        {"early_stopping": True},
        {"early_stopping": True, "solver": "lbfgs"},
        {"early_stopping": True, "solver": "lm"},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_where_rows_are_left_out_or_learnt_in_batches_auto_is_a_float(Estimator, parameters):
    stops_early = "early_stopping" in parameters
    share = 0.1 if stops_early and Estimator is TwoLayerClassifier else 1.0
    default = share / (54 if stops_early else 60)  # rows to train on
    model = fitted(Estimator, max_iter=5, **parameters)
    np.testing.assert_allclose(model.penalty_, [default, 0, default, 0])
    default = model.penalty_[0]
    explicit = fitted(Estimator, max_iter=5, alpha=default, **parameters)
    np.testing.assert_array_equal(raw(model, X), raw(explicit, X))


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_of_a_collection_that_is_too_large_for_lbfgs_auto_is_a_float(Estimator):
    is_regression = Estimator is TwoLayerRegressor
    asked = checked(Estimator().get_params(), Estimator.__name__)
    huge = Size(10**8, 100, 1, is_regression=is_regression, is_in_memory=False)
    assert resolve(asked, huge).alpha == 1e-8
    assert resolve(asked, replace(huge, total_weight=4e8)).alpha == 1 / 4e8
    several = replace(huge, n_outputs=8)
    assert resolve(asked, several).alpha == (1 / 8e8 if is_regression else 1e-8)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_lbfgs_finds_the_penalty_of_adam_where_all_rows_are_too_many(Estimator):
    asked = checked(Estimator().get_params(), Estimator.__name__)
    size = Size(10**8, 100, 1, is_regression=Estimator is TwoLayerRegressor)
    assert (resolve(asked, size).solver, resolve(asked, size).alpha) == ("adam", "auto")
    by_adam = replace(asked, solver="adam")
    assert resolve(by_adam, size).alpha == "auto"
    assert resolve(by_adam, replace(size, n_rows=10**5)).alpha == 1e-5
    assert resolve(streaming(by_adam), size).alpha == 1e-8
    assert isinstance(resolve(replace(asked, early_stopping=True), size).alpha, float)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_of_sparse_columns_what_is_stored_counts(Estimator):
    """A text has few of all words."""
    is_regression = Estimator is TwoLayerRegressor
    asked = checked(Estimator().get_params(), Estimator.__name__)
    words = Size(6000, 10_000, 1, is_regression=is_regression, density=0.005)
    assert resolve(asked, words).solver == "lbfgs"
    assert resolve(asked, words).alpha == "auto"
    assert resolve(asked, words).n_hidden * 10_000 * 6000 > 5e8  # zeros counted


def test_a_regression_by_lbfgs_asks_left_out_rows():
    """Of many noisy columns, where 1 / S would learn the noise; of k targets S k alpha counts."""
    random = np.random.RandomState(0)
    X, new = random.normal(size=(2, 200, 60))
    y, new_y = (0.5 * rows[:, 0] + random.normal(size=200) for rows in (X, new))
    model = TwoLayerRegressor(solver="lbfgs", random_state=0).fit(X, y)
    plain = TwoLayerRegressor(solver="lbfgs", alpha=1 / 200, random_state=0).fit(X, y)
    of_inputs = model.penalty_[:60] * 200
    assert np.median(of_inputs) >= 30 - 1e-9
    assert of_inputs[0] < 0.1 * np.median(of_inputs)  # the one that is no noise
    assert model.score(new, new_y) > max(plain.score(new, new_y) + 0.2, 0)
    several = TwoLayerRegressor(solver="lbfgs", random_state=0).fit(X, np.c_[y, y, y, y])
    assert np.median(several.penalty_[:-3]) * 800 >= 30 - 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["auto", "lbfgs"])
def test_wide_noise_is_not_learned_where_rows_count_several_times(solver):
    """Rows of a few categories repeat each other; of many numbers each is left out alone."""
    random = np.random.RandomState(0)
    X, new = random.normal(size=(2, 300, 60))
    y, new_y = random.normal(size=(2, 300))
    model = TwoLayerRegressor(solver=solver, random_state=0)
    assert model.fit(X, y, sample_weight=np.full(300, 3.0)).score(new, new_y) > -0.15


@pytest.mark.slow
@pytest.mark.parametrize("n_members", ["auto", 1])
def test_a_wide_regression_without_noise_is_learned(n_members):
    """Whichever solver is asked; and with as much noise as signal most of it."""
    random = np.random.RandomState(0)
    X = random.normal(size=(600, 30))
    y = X @ random.normal(size=30)
    model = TwoLayerRegressor(n_members=n_members, random_state=0)
    model.fit(X[:300], y[:300])
    assert 1 - model.score(X[300:], y[300:]) < 1e-3
    noisy = y[:300] + y.std() * random.normal(size=300)
    assert model.fit(X[:300], noisy).score(X[300:], y[300:]) > 0.8


def test_lbfgs_compares_where_the_evidence_does_not_find_the_penalty():
    asked = checked(TwoLayerRegressor(solver="lbfgs").get_params(), "TwoLayerRegressor")
    wide, long, huge = Size(3000, 500, 1), Size(20_000, 20, 1), Size(3000, 50_000, 1)
    few, enough = Size(1999, 5, 1), Size(2000, 5, 1)
    too_far, too_wide = Size(28_000, 20, 1), Size(12_000, 100, 1)  # for lm on a part of them
    for size, compares in (
        (wide, True),
        (few, True),
        (replace(few, total_weight=1e5), True),
        (enough, False),
        (long, False),
        (huge, True),
        (too_far, True),
        (too_wide, True),
    ):
        resolved = resolve(asked, size)
        assert compares_penalties(resolved, size) == compares
        assert resolved.alpha == "auto"
    assert resolve(replace(asked, standardize=False), wide).alpha == "auto"
    assert resolve(replace(asked, output_activation="logistic"), wide).alpha == 1 / 3000
    early = replace(asked, early_stopping=True)
    assert resolve(early, wide).alpha == 1 / 3000
    on_dask = replace(wide, is_in_memory=False)
    assert resolve(asked, on_dask).alpha == 1 / 3000


@pytest.mark.parametrize("alpha", ["evidence", "ard"])
@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"solver": "adam"}, "solver is 'adam'. Set 'lm' or 'lbfgs', or"),
        ({"solver": "sgd"}, "solver is 'sgd'. Set 'lm' or 'lbfgs', or"),
        ({"early_stopping": True}, "early_stopping=True holds rows out. Set it to False, or"),
    ],
)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_evidence_that_cannot_be_had_is_refused_with_the_way_out(
    Estimator, parameters, reason, alpha
):
    with pytest.raises(ValueError, match=f"alpha='{alpha}' needs.*{reason}.*'auto'"):
        fitted(Estimator, alpha=alpha, **parameters)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_matrix_that_lbfgs_cannot_repeat_is_refused(Estimator):
    asked = checked(Estimator(alpha="ard", solver="lbfgs").get_params(), Estimator.__name__)
    with pytest.raises(ValueError, match="multiply-adds each time"):
        resolve(asked, Size(10**6, 100, 1, is_regression=Estimator is TwoLayerRegressor))


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_max_iter_holds_for_all_candidates(Estimator):
    with pytest.warns(UserWarning, match="max_iter=3"):
        model = fitted(Estimator, alpha="evidence", max_iter=3)
    assert model.n_iter_ == len(model.loss_curve_) == 3


def test_many_targets_share_the_loss_and_the_penalty():
    """Five smooth signals mixed into 60 targets: 1 / S would prune the hidden layer."""
    rng = np.random.default_rng(0)
    inputs, new = rng.uniform(-1, 1, size=(300, 3)), rng.uniform(-1, 1, size=(300, 3))
    directions, mixing = rng.normal(size=(3, 5)), rng.normal(size=(5, 60))
    y, target = (np.sin(2 * x @ directions) @ mixing for x in (inputs, new))
    y += 0.1 * y.std(axis=0) * rng.normal(size=y.shape)
    model = TwoLayerRegressor(solver="lbfgs", random_state=0).fit(inputs, y)
    assert model.score(new, target) > 0.95


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "parameters", [{"standardize": False}, {"output_activation": "logistic"}, {}], ids=str
)
def test_auto_is_in_units_of_a_y_that_is_not_standardised(parameters, weighted):
    """With logistic output of its variance, over S k; else y is, whatever becomes of X."""
    weight = np.arange(60) % 3 if weighted else np.ones(60)
    S, y = max(weight.sum(), 60), np.column_stack([CURVE, -0.5 * CURVE])
    y = 1 / (1 + np.exp(-y)) if "output_activation" in parameters else 3 * y
    mean = np.average(y, axis=0, weights=weight)
    variance = np.average((y - mean) ** 2, axis=0, weights=weight).mean()
    model = TwoLayerRegressor(3, solver="adam", max_iter=1, random_state=0, **parameters)
    model.fit(X, y, sample_weight=weight)
    unit = variance if "output_activation" in parameters else 1.0
    assert model.penalty_[0] == pytest.approx(unit / (2 * S), rel=1e-12)


@pytest.mark.parametrize("parameters", [{"early_stopping": True}, {"solver": "lbfgs"}], ids=str)
@pytest.mark.parametrize("width", [1.0, 0.3])
def test_small_targets_are_learnt_by_a_logistic_output(parameters, width):
    """Whose variance is far below 1: under 1 / S the penalty outweighs them."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(300, 4))
    signal = np.sin(2 * inputs[:, 0]) + inputs[:, 1] + 0.3 * rng.normal(size=300)
    y = 0.5 + width * (1 / (1 + np.exp(-signal)) - 0.5)
    model = TwoLayerRegressor(20, output_activation="logistic", random_state=0, **parameters)
    assert model.fit(inputs, y).score(inputs, y) > 0.85


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_stream_that_is_not_standardised_has_the_penalty_of_its_first_rows(solver):
    """Of the standard deviation of y, in which F is not: they may say little of later ones."""
    model, y = TwoLayerRegressor(3, solver=solver, standardize=False, random_state=0), 3 * CURVE
    for call, rows in enumerate([slice(20), slice(20, 40)], 1):
        model.partial_fit(X[rows], y[rows])
        assert model.penalty_[0] == pytest.approx(np.std(y[:20]) / (20 * call), rel=1e-12)
    assert model._learned_.scale.y_scale == 1


def test_a_stream_keeps_the_unit_of_its_first_rows():
    parameters = {"solver": "adam", "output_activation": "logistic", "random_state": 0}
    model, y = TwoLayerRegressor(3, **parameters), 1 / (1 + np.exp(-CURVE))
    for call, rows in enumerate([slice(20), slice(20, 40), slice(40, 41)], 1):
        model.partial_fit(X[rows], y[rows])
        n_rows = min(20 * call, 41)
        assert model.penalty_[0] == pytest.approx(np.var(y[:20]) / n_rows, rel=1e-12)


def test_a_stream_counts_all_of_its_rows():
    model = TwoLayerClassifier(5, solver="adam", random_state=0)
    for call in (1, 2, 3):
        model.partial_fit(X[:20], Y[:20], classes=[0, 1])
        assert model.penalty_[0] == 1 / (20 * call)


@pytest.mark.parametrize("learn", ["fit", "partial_fit"])
def test_a_rare_class_is_not_pruned(learn):
    """One row in 200 is positive, and two columns tell which are likely."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(20_000, 2))
    rate = 1 / (1 + np.exp(6.5 - 1.5 * inputs.sum(axis=1)))
    labels = (rng.uniform(size=len(rate)) < rate).astype(int)
    model = TwoLayerClassifier(10, solver="adam", max_iter=10, random_state=0)
    if learn == "fit":
        model.fit(inputs, labels)
    else:
        for batch in np.array_split(np.arange(len(labels)), 20) * 5:
            model.partial_fit(inputs[batch], labels[batch], classes=[0, 1])
    probability = model.predict_proba(inputs)[:, 1]
    assert np.corrcoef(probability, rate)[0, 1] > 0.9


def test_targets_of_which_no_error_bars_tell_the_noise_keep_their_units():
    """More weights than have error bars, by L-BFGS: pilots have nothing to tell."""
    random = np.random.RandomState(0)
    X, Y = random.normal(size=(30, 200)), random.normal(size=(30, 60))
    model = TwoLayerRegressor(20, alpha="evidence", solver="lbfgs", random_state=0).fit(X, Y)
    assert np.isfinite(model.predict(X)).all()
    with pytest.raises(ValueError, match="no error bars"):
        model.predict(X, return_std=True)
