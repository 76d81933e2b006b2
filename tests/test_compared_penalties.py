"""The penalty of a classifier: that of the networks which predict left-out rows best."""

from contextlib import suppress

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits, make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._bayes.copies import N_FOLDS, SortedRows, left_out_shares
from sklearn_twolayer._bayes.cross_validate import CLASSES_GRID, Grid
from sklearn_twolayer._fit import auto, compare, monitor
from sklearn_twolayer._fit.left_out import LeftOut

GRID = CLASSES_GRID
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


@pytest.mark.parametrize("solver", ["lm", "lbfgs"])
def test_the_chosen_penalty_predicts_left_out_rows(solver, monkeypatch):
    """Refit each fold by hand, through the penalties, with the public estimator."""
    monkeypatch.setattr(compare, "TIMES_LESS", ())  # of both layers alike
    model = TwoLayerClassifier(5, solver=solver, random_state=0).fit(X, Y)
    fold, _ = SortedRows.of(X, Y, model._learned_.scale).deal_distinct()
    total = dict.fromkeys(GRID.strengths, 0.0)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    for number in range(N_FOLDS):
        out = fold == number
        network = TwoLayerClassifier(
            5, solver=solver, standardize=False, warm_start=True, random_state=0
        )
        for precision in GRID.strengths:
            network.set_params(alpha=precision / (~out).sum()).fit(scaled[~out], Y[~out])
            log_probability = network.predict_log_proba(scaled[out])
            total[precision] -= log_probability[np.arange(out.sum()), Y[out]].sum()
    alpha = model.penalty_[0]
    [chosen] = [total[each] for each in GRID.strengths if each / 60 == pytest.approx(alpha)]
    assert chosen <= 1.25 * min(total.values())  # other starting biases lead to other minima
    assert chosen < 0.75 * max(total.values())


def test_the_fit_goes_on_from_a_network_of_the_comparison(monkeypatch):
    """Which has learned most of the rows, and of several the one that ends best."""
    monkeypatch.setattr(compare, "TIMES_LESS", ())
    model = TwoLayerClassifier(5, solver="lbfgs", random_state=0).fit(X, Y)
    assert model.penalty_[0] == model.penalty_[2]
    assert model.n_iter_ == len(model.loss_curve_)
    assert (np.diff(model.loss_curve_) <= 0).all()  # F rises where the penalty does, which stays
    assert model.loss_curve_[0] < 0.6 * np.log(2)
    by_hand = TwoLayerClassifier(5, solver="lbfgs", alpha=model.penalty_[0], random_state=0)
    with suppress(ConvergenceWarning):
        by_hand.fit(X, Y)
    assert model.loss_ < 1.1 * by_hand.loss_


def test_weights_choose_as_repeats_do():
    weight = RNG.integers(1, 3, size=60)  # few enough to be compared
    chosen = TwoLayerClassifier(5, random_state=0).fit(X, Y, sample_weight=weight).penalty_
    repeated = np.repeat(X, weight, axis=0), np.repeat(Y, weight)
    found = TwoLayerClassifier(5, random_state=0).fit(*repeated).penalty_
    np.testing.assert_allclose(found, chosen, rtol=1e-12)


def rows_of_classes(y, seed):
    """Rows around a centre of each of ten classes."""
    random = np.random.RandomState(seed)
    centres = 3 * random.normal(size=(10, 10))
    return centres[y] + random.normal(size=(len(y), 10)), centres


def test_a_single_row_of_each_class_is_learned():
    """Half of them were not, as no network predicts a class of which it has seen no row."""
    for seed in range(3):
        rows, centres = rows_of_classes(np.arange(10), seed)
        model = TwoLayerClassifier(random_state=0).fit(rows, np.arange(10))
        assert model.score(rows, np.arange(10)) == model.score(centres, np.arange(10)) == 1


def test_single_rows_of_balanced_classes_leave_the_penalty_to_the_others():
    """Left out, each of them would weigh as much as two hundred, and none be predicted."""
    y = np.r_[np.repeat([0, 1], 60), 2, 3]
    model = TwoLayerClassifier(class_weight="balanced", random_state=0)
    for seed in range(2):
        rows, centres = rows_of_classes(y, seed)
        model.fit(rows, y)
        assert model.penalty_[:-3].min() <= 1 / len(y)
        np.testing.assert_array_equal(model.predict(centres[:2]), [0, 1])


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("n_single", [1, 6])
def test_where_all_that_is_left_out_is_of_one_class_the_prior_stays(n_single, class_weight):
    """Whatever is sure of that class would win, and know the only rows of others by heart."""
    y = np.r_[np.zeros(60, int), 1 + np.arange(n_single)]
    rows, _ = rows_of_classes(y, 0)
    model = TwoLayerClassifier(5, class_weight=class_weight, random_state=0).fit(rows, y)
    np.testing.assert_allclose(model.penalty_[[0, 2]], 1 / len(y))


def test_single_rows_with_or_without_each_label_leave_the_prior():
    y = (np.arange(60) == 5).astype(int)
    rows, _ = rows_of_classes(y, 0)
    model = TwoLayerClassifier(5, random_state=0).fit(rows, np.c_[y, 1 - y])
    np.testing.assert_allclose(model.penalty_[[0, 2]], 1 / 60)


def few_of_one_class(n_rare, n, seed):
    """So many rows on the far side of a noisy line; and 1,000 new rows, as many on both sides."""
    random = np.random.RandomState(seed)
    rows = random.normal(size=(60_000, 4))
    score = rows[:, 0] + rows[:, 1] + 0.5 * random.normal(size=60_000)
    is_rare = score > np.quantile(score, 1 - n_rare / n)
    rare, others = rows[is_rare], rows[~is_rare]
    y, new = np.arange(n) < n_rare, np.arange(1000) < 500
    shown = np.vstack([rare[:n_rare], others[: n - n_rare]])
    return shown, y.astype(int), np.vstack([rare[-500:], others[-500:]]), new.astype(int)


@pytest.mark.parametrize(("n_rare", "least"), [(2, 1.0), (4, 0.1)])
def test_few_rows_of_a_balanced_class_are_not_known_for_sure(n_rare, least):
    """The first fold, which has no such row, had dropped the penalties that the others ask for."""
    lost = []
    for seed in range(6):
        rows, y, new, labels = few_of_one_class(n_rare, 200, seed)
        model = TwoLayerClassifier(class_weight="balanced", random_state=0).fit(rows, y)
        assert model.penalty_.max() > 0.99 * least / 200
        lost.append(log_loss(labels, model.predict_proba(new)))
    assert max(lost) < np.log(2)  # what a network loses that knows nothing


@pytest.mark.parametrize(("n_rare", "is_asked"), [(4, False), (8, True)])
def test_few_rows_of_a_class_say_nothing_of_bends(monkeypatch, n_rare, is_asked):
    asked = []
    monkeypatch.setattr(
        compare.Comparison, "with_cheaper_bends", lambda _, pair: asked.append(pair) or pair
    )
    TwoLayerClassifier(5, random_state=0).fit(*few_of_one_class(n_rare, 200, 0)[:2])
    assert bool(asked) == is_asked


def test_classes_without_weight_may_be_all_that_a_fold_leaves_out():
    """Of few rows; they are in the table, as their labels are known."""
    for seed in range(7, 11):  # of 9 a fold leaves out the first class alone
        random = np.random.RandomState(seed)
        rows, labels = random.normal(size=(12, 2)), random.randint(3, size=12)
        model = TwoLayerClassifier(class_weight={0: 0, 1: 1, 2: 1}, random_state=0)
        assert np.isfinite(model.fit(rows, labels).predict_proba(rows)).all()


def test_compared_networks_take_few_steps(monkeypatch):
    asked, in_turn = [], LeftOut._in_turn

    def recorded(networks, out, params, searches):
        asked.append((networks.settings.max_iter, len(searches)))
        return in_turn(networks, out, params, searches)

    monkeypatch.setattr(LeftOut, "_in_turn", recorded)
    TwoLayerClassifier(5, solver="lbfgs", random_state=0).fit(X, Y)
    assert asked[:N_FOLDS] == [(100, len(GRID.strengths))] * N_FOLDS
    assert asked[N_FOLDS] == (100, 1)  # of one ratio
    assert set(asked[N_FOLDS:]) == {(100, 1), (300, 1)}  # and near to the end
    asked.clear()
    with suppress(ConvergenceWarning):
        TwoLayerClassifier(5, solver="lbfgs", random_state=0, max_iter=20).fit(X, Y)
    assert asked[0][0] == 20
    assert {max_iter for max_iter, _ in asked} <= {20, 60}


def noisy_and_noiseless(seed, n_rows):
    """Two labels: of a line, which has noise, and of a saddle, which has none."""
    random = np.random.RandomState(seed)
    rows = random.normal(size=(n_rows, 5))
    line = rows[:, 0] + 0.5 * random.normal(size=n_rows) > 0
    return rows, np.column_stack([line, rows[:, 1] * rows[:, 2] > 0]).astype(int)


def test_networks_are_compared_as_far_as_the_fit_will_go():
    """After half as many iterations those under a weak penalty looked best: noise comes last."""
    lost = []
    for seed in range(5):
        rows, labels = noisy_and_noiseless(seed, 3000)
        model = TwoLayerClassifier(random_state=seed).fit(rows[:1000], labels[:1000])
        probability = model.predict_proba(rows[1000:])[:, 0]
        lost.append(log_loss(labels[1000:, 0], probability))
    assert np.mean(lost) < 0.38  # the line alone: 0.33
    assert max(lost) < 0.45


@pytest.mark.parametrize("is_weighted", [False, True])
def test_rows_that_repeat_others_are_left_out_one_by_one(is_weighted):
    """Without all rows of one label a level would speak for the other label."""
    level, random = np.arange(300) % 30, np.random.RandomState(0)
    probability = 1 / (1 + np.exp(-2 * random.normal(size=30)))
    rows, labels, weight = np.eye(30)[level], random.uniform(size=300) < probability[level], None
    if is_weighted:
        pairs, weight = np.unique(np.c_[rows, labels], axis=0, return_counts=True)
        rows, labels = pairs[:, :-1], pairs[:, -1]
    model = TwoLayerClassifier(5, random_state=0).fit(rows, labels, sample_weight=weight)
    assert 1 <= round(300 * model.penalty_[0], 9) <= 3
    found = model.predict_proba(np.eye(30))[:, 1]
    assert np.corrcoef(found, probability)[0, 1] > 0.8


def test_a_table_of_cells_is_learned():
    """What tells the cells apart is worth weights that are larger than 1."""
    random = np.random.RandomState(0)
    levels = random.randint(12, size=(800, 2))
    y = ((levels // 3 % 2).sum(axis=1) + (random.uniform(size=800) < 0.1)) % 2
    model = TwoLayerClassifier(20, random_state=0).fit(levels[:400], y[:400])
    assert model.score(levels[400:], y[400:]) > 0.75


def test_penalties_are_compared_after_a_plateau():
    """The colours of a board look like noise until a network has learned where they change."""
    random = np.random.RandomState(1)
    cells = random.randint(6, size=(2000, 2))
    y = (cells.sum(axis=1) + (random.uniform(size=2000) < 0.15)) % 2
    model = TwoLayerClassifier(random_state=0).fit(cells[:1000], y[:1000])
    assert model.score(cells[1000:], y[1000:]) > 0.75


@pytest.mark.parametrize("times", [3, 60])
def test_a_truth_table_is_learned(times):
    """Sixteen cells, none of which the others tell of."""
    bits = np.indices((2, 2, 2, 2)).reshape(4, -1).T
    rows = np.repeat(bits, times, axis=0)
    y = rows.sum(axis=1) % 2
    assert TwoLayerClassifier(random_state=0).fit(rows, y).score(rows, y) == 1


def test_weights_of_classes_copy_no_rows():
    """A label that is mostly noise asks for small weights, whatever an error in it costs."""
    random = np.random.RandomState(0)
    rows = random.normal(size=(300, 10))
    y = random.uniform(size=300) < 1 / (1 + np.exp(1.8 - rows[:, 0]))
    model = TwoLayerClassifier(random_state=0, class_weight={False: 1, True: 10}).fit(rows, y)
    assert model.penalty_[0] * (300 + 9 * y.sum()) > 2.9


@pytest.mark.parametrize("weight", [None, np.tile([1.0, 2.0], 30)])
def test_rows_are_counted_by_the_weights_of_the_user(weight, monkeypatch):
    counted = []

    def shares(*rows, frequency, **options):
        counted.append(frequency)
        return left_out_shares(*rows, frequency=frequency, **options)

    monkeypatch.setattr(compare, "left_out_shares", shares)
    TwoLayerClassifier(5, class_weight={0: 1, 1: 10}, random_state=0).fit(X, Y, weight)
    if weight is not None:
        counted, weight = [np.sort(counted[0])], np.sort(weight)  # as the rows are sorted, too
    np.testing.assert_array_equal(counted, [weight])


def test_rows_with_the_same_weight_choose_as_without():
    """Whose labels are mostly noise, which a row in both parts would betray."""
    random = np.random.RandomState(0)
    rows = random.normal(size=(300, 10))
    y = (rows[:, 0] > 0) ^ (random.uniform(size=300) < 0.3)
    plain, weighted = (
        TwoLayerClassifier(random_state=0).fit(rows, y, sample_weight=np.full(300, weight))
        for weight in (1, 2.5)
    )
    assert plain.penalty_[0] >= 3 / 300 * 0.99
    assert 1 <= weighted.penalty_[0] / plain.penalty_[0] * 2.5 <= 4


@pytest.mark.parametrize("Estimator", [TwoLayerClassifier, TwoLayerRegressor])
def test_noise_is_told_by_a_part_of_a_large_table(Estimator, monkeypatch):
    """In which unit precision would learn it by heart."""
    monkeypatch.setattr(auto, "MAX_COMPARED_COST", 10)
    monkeypatch.setattr(auto, "MIN_COMPARED_ROWS", 200)
    counted, random = [], np.random.RandomState(0)

    def shares(X, *rows, **options):
        counted.append(len(X))
        return left_out_shares(X, *rows, **options)

    monkeypatch.setattr(compare, "left_out_shares", shares)
    rows = random.normal(size=(600, 30))
    y = rows[:, 0] + 3 * random.normal(size=600)
    y = y > 0 if Estimator is TwoLayerClassifier else y
    model = Estimator(10, solver="lbfgs", random_state=0).fit(rows, y)
    assert counted == [200]
    assert (model.penalty_[0] ** 2 * model.penalty_[2]) ** (1 / 3) * 600 >= 2.9


@pytest.mark.parametrize("Estimator", [TwoLayerClassifier, TwoLayerRegressor])
def test_adam_learns_under_what_lbfgs_finds_on_a_part(Estimator, monkeypatch):
    """From the start, without a weaker penalty before."""
    monkeypatch.setattr(auto, "MAX_FULL_BATCH_COST", 10)
    monkeypatch.setattr(auto, "MAX_COMPARED_COST", 10)
    monkeypatch.setattr(auto, "MIN_COMPARED_ROWS", 200)
    random, asked, in_turn = np.random.RandomState(0), [], LeftOut._in_turn

    def recorded(networks, *arguments):
        asked.append(networks.settings.solver)
        return in_turn(networks, *arguments)

    monkeypatch.setattr(LeftOut, "_in_turn", recorded)
    rows = random.normal(size=(600, 30))
    y = rows[:, 0] + 3 * random.normal(size=600)
    y = y > 0 if Estimator is TwoLayerClassifier else y
    model = Estimator(10, solver="adam", random_state=0).fit(rows, y)
    assert set(asked) == {"lbfgs"}
    strength = np.cbrt(model.penalty_[0] ** 2 * model.penalty_[2])
    assert strength * 600 >= 2.9
    if model.penalty_[0] == model.penalty_[2]:
        same = Estimator(10, solver="adam", alpha=strength, random_state=0).fit(rows, y)
        np.testing.assert_array_equal(model.coefs_[0], same.coefs_[0])


def test_a_compared_fit_that_ends_at_max_iter_says_so():
    """The steps in which the evidence learns freely are its own, where nothing else takes them."""
    with pytest.warns(ConvergenceWarning, match="stopped at max_iter"):
        TwoLayerRegressor(5, solver="lbfgs", tol=1e-12, random_state=0).fit(X, X[:, 0] * X[:, 1])


@pytest.mark.parametrize("max_time", [1e-9, 1e-3])
def test_a_comparison_that_takes_too_long_ends(max_time):
    with pytest.warns(ConvergenceWarning, match="max_time"):
        model = TwoLayerClassifier(50, solver="lm", max_time=max_time, random_state=0).fit(X, Y)
    assert model.n_iter_ >= 1
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("max_time", [20, 100])
def test_comparing_takes_half_of_the_time_at_most(max_time, monkeypatch):
    """By a clock that is read once in each iteration: the other half is left to the fit."""
    clock = iter(range(10**6))
    monkeypatch.setattr(monitor, "perf_counter", lambda: next(clock))
    model = TwoLayerClassifier(5, solver="lbfgs", tol=0, max_time=max_time, random_state=0)
    with pytest.warns(ConvergenceWarning, match="max_time"):
        model.fit(X, Y)
    assert max_time / 2 - 2 <= model.n_iter_ <= max_time / 2 + 1


def test_a_regression_compares_in_half_of_the_time(monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr(monitor, "perf_counter", lambda: next(clock))
    model = TwoLayerRegressor(5, solver="lbfgs", tol=0, max_time=100, random_state=0)
    with pytest.warns(ConvergenceWarning, match="max_time"):
        model.fit(np.vstack([X, X + 1]), np.tile(X[:, 0] * X[:, 1], 2))
    assert 48 <= model.n_iter_ <= 51


def test_an_interrupt_in_the_comparison_leaves_the_estimator_as_it_was(monkeypatch):
    model = TwoLayerClassifier(5, random_state=0).fit(X, Y)
    before = dict(vars(model))
    monkeypatch.setattr(LeftOut, "fits", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, 1 - Y)
    assert vars(model) == before


def _interrupt(*arguments, **options):
    raise KeyboardInterrupt


def test_a_warm_start_goes_on_from_its_weights_under_the_chosen_penalty(monkeypatch):
    monkeypatch.setattr(Grid, "choose", lambda grid, losses, n_dealt, bits: 0.1)
    model = TwoLayerClassifier(5, solver="lbfgs", warm_start=True, random_state=0).fit(X, Y)
    before = model.loss_
    model.fit(X, Y)
    assert model.loss_curve_[0] <= before * (1 + 1e-9)


def test_warm_starts_on_the_same_rows_have_the_same_penalty():
    """Weights that have seen all rows would find ever weaker ones, and lose more of new rows."""
    random = np.random.default_rng(1)
    rows = random.normal(size=(300, 8))
    labels = rows.sum(axis=1) + 3 * random.logistic(size=300) > 0
    model = TwoLayerClassifier(warm_start=True, random_state=0)
    penalties = [model.fit(rows, labels).penalty_ for _ in range(3)]
    np.testing.assert_array_equal(penalties[1:], penalties[:-1])


@pytest.mark.parametrize("parameters", [{}, {"n_members": 1}])
def test_five_columns_of_a_wide_table_are_found(parameters):
    """By lbfgs, which is asked too, R^2 of new rows is .86."""
    rows, y = make_friedman1(800, n_features=25, noise=0.5, random_state=0)
    model = TwoLayerRegressor(random_state=0, **parameters).fit(rows[:300], y[:300])
    assert (model.solver_, model.n_hidden_) == ("lm", 5)
    assert len(model.coefs_[1]) in (5, 10, 15)
    assert model.score(rows[300:], y[300:]) > 0.95


def test_a_mixture_of_wide_columns_is_left_to_lbfgs():
    """Few units by lm leave four times as much of the variance."""
    random = np.random.RandomState(0)
    sources = random.normal(size=(800, 6))
    rows = sources @ random.normal(size=(6, 60)) + 0.02 * random.normal(size=(800, 60))
    y = sources[:, 0] + np.sin(2 * sources[:, 1]) + sources[:, 2] * sources[:, 3]
    y += 0.3 * random.normal(size=800)
    model = TwoLayerRegressor(random_state=0).fit(rows[:300], y[:300])
    assert (model.solver_, model.n_hidden_) == ("lbfgs", 10)


BRIEF = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def shifted_digits(n_rows):
    """So many digits and a thousand others, each moved by up to a pixel along both axes."""
    rng, digits = np.random.default_rng(0), load_digits()
    images = [np.roll(image, rng.integers(-1, 2, size=2), axis=(0, 1)) for image in digits.images]
    X, order = np.reshape(images, (-1, 64)), rng.permutation(len(images))
    rows, new = order[:n_rows], order[-1000:]
    return X[rows], digits.target[rows], X[new], digits.target[new]


@BRIEF
def test_many_classes_take_more_units_where_these_predict_better():
    """As many as leave error bars: ten classes have 45 pairs, and sqrt(600) units are 24."""
    X, y, X_new, y_new = shifted_digits(600)
    wider = TwoLayerClassifier(max_iter=40, random_state=0).fit(X, y)
    assert (wider.n_hidden_, wider.coefs_[0].shape) == (66, (64, 66))
    assert wider.predict_proba(X_new, moderated=True).shape == (1000, 10)
    narrow = TwoLayerClassifier(24, max_iter=40, random_state=0).fit(X, y)
    assert narrow.n_hidden_ == 24
    lost = [log_loss(y_new, model.predict_proba(X_new)) for model in (wider, narrow)]
    assert lost[0] < 0.95 * lost[1]
    wider.set_params(warm_start=True).fit(X[:200], y[:200])  # the units there are go on
    assert wider.n_hidden_ == 66


@BRIEF
def test_weights_take_more_units_as_repeats_do():
    X, y, *_ = shifted_digits(600)
    model = TwoLayerClassifier(max_iter=40, random_state=0)
    weighed = model.fit(X, y, np.full(600, 2.0)).n_hidden_
    assert weighed == model.fit(np.repeat(X, 2, axis=0), np.repeat(y, 2)).n_hidden_ == 66


@BRIEF
def test_where_no_fold_was_told_there_are_no_more_units(monkeypatch):
    monkeypatch.setattr(LeftOut, "fits", lambda *of: [])
    X, y, *_ = shifted_digits(100)
    assert TwoLayerClassifier(max_iter=2, random_state=0).fit(X, y).n_hidden_ == 20


def of_few_inputs(seed, n_rows=300, n_features=20):
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n_rows + 1000, n_features))
    return rows, (rows[:, 0] * rows[:, 1] > 0).astype(int)


@pytest.mark.parametrize("seed", range(3))
def test_two_inputs_of_twenty_are_found(seed):
    """Under one penalty for all inputs 81 to 86 % are right."""
    rows, labels = of_few_inputs(seed)
    model = TwoLayerClassifier(random_state=seed).fit(rows[:300], labels[:300])
    assert model.score(rows[300:], labels[300:]) > 0.9
    of_inputs = model.penalty_[:20]
    assert of_inputs[:2].max() < 0.1 * of_inputs[2:].min()
    assert model.feature_importances_[:2].sum() > 0.8


def test_members_and_sparse_rows_have_penalties_of_inputs_too():
    rows, labels = of_few_inputs(0)
    committee = TwoLayerClassifier(n_members=2, random_state=0).fit(rows[:300], labels[:300])
    assert committee.penalty_.shape == (23,)
    assert committee.score(rows[300:], labels[300:]) > 0.9
    holey = np.where(rows > 0, rows, 0)
    for kind in (np.asarray, sparse.csr_array):
        model = TwoLayerClassifier(random_state=0).fit(kind(holey[:300]), labels[:300])
        assert model.penalty_[:2].max() < 0.1 * model.penalty_[2:20].min()
        assert model.score(holey[300:], labels[300:]) > 0.75


def test_labels_without_a_cause_and_lines_keep_one_penalty():
    """No input is better than others by luck alone; all are as good here."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(300, 10))
    labels = random.integers(0, 2, size=300), rows.sum(axis=1) > random.logistic(size=300)
    for y in labels:
        assert TwoLayerClassifier(random_state=0).fit(rows, y).penalty_.shape == (4,)
