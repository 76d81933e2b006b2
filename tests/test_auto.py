"""What "auto" means."""

import numpy as np
import pytest

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor, _auto
from sklearn_twolayer._auto import MAX_ITER, choose_solver, resolve

SOLVERS = ["gd", "sgd", "adam", "lbfgs", "lm"]


@pytest.mark.parametrize(
    ("n_rows", "n_features", "n_hidden", "n_outputs", "solver"),
    [
        (442, 10, 50, 1, "lm"),  # diabetes
        (569, 30, 20, 1, "lm"),  # breast cancer
        (1797, 64, 20, 10, "lbfgs"),  # digits: ten outputs
        (8192, 8, 50, 1, "lm"),  # kin8nm
        (60, 10_000, 50, 1, "lm"),  # more weights than rows: the dual form
        (1000, 10_000, 50, 1, "lbfgs"),
        (10_000, 784, 100, 10, "lbfgs"),
        (1_000_000, 20, 50, 1, "lbfgs"),
        (60_000, 784, 100, 10, "adam"),
        (10_000_000, 20, 50, 1, "adam"),
    ],
)
def test_the_solver_follows_the_size(n_rows, n_features, n_hidden, n_outputs, solver):
    assert choose_solver(n_rows, n_features, n_hidden, n_outputs) == solver


def test_more_work_never_leads_back_to_a_dearer_solver():
    order = ["lm", "lbfgs", "adam"]
    for sizes in ([(10**i, 20, 50, 1) for i in range(9)], [(500, 20, 10**i, 1) for i in range(7)]):
        ranks = [order.index(choose_solver(*size)) for size in sizes]
        assert ranks == sorted(ranks)
        assert ranks[0] == 0
        assert ranks[-1] == 2


def test_lm_is_chosen_up_to_the_largest_matrix(monkeypatch):
    monkeypatch.setattr(_auto, "MAX_GAUSS_NEWTON_COST", np.inf)
    n_hidden, n_features = 100, 18  # p = 20 h + 1
    p = 20 * n_hidden + 1
    assert p == _auto.MAX_GAUSS_NEWTON_SIZE + 1
    assert choose_solver(3000, n_features, n_hidden, 1) == "lbfgs"
    assert choose_solver(3000, n_features, n_hidden - 1, 1) == "lm"
    assert choose_solver(p - 1, n_features, n_hidden, 1) == "lm"  # dual: n rows


def resolved(n_rows=1000, n_features=7, n_outputs=1, **parameters):
    return resolve(TwoLayerRegressor(n_hidden=12, **parameters), n_rows, n_features, n_outputs)


def test_auto_values_are_those_of_the_documented_table():
    rows = {words[0]: words[1:] for words in map(str.split, _auto.__doc__.splitlines()) if words}
    settings = {solver: resolved(solver=solver) for solver in rows["parameter"]}
    found = {solver: value.max_iter for solver, value in settings.items()}
    assert found == MAX_ITER == dict(zip(rows["parameter"], map(int, rows["max_iter"])))
    rates = [settings[solver].learning_rate for solver in SOLVERS]
    assert rates[0] == 1 / (1 + 7 + 12)
    assert rates[3:] == [None, None]
    assert " ".join(rows["learning_rate"]) == f"1 / (1 + f + h) {rates[1]} {rates[2]} -- --"


@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_the_estimators_document_the_constants(Estimator):
    text = " ".join(Estimator.__doc__.split())
    gd, lbfgs, sgd, adam, lm = (MAX_ITER[s] for s in ("gd", "lbfgs", "sgd", "adam", "lm"))
    assert "iterations of gd and lbfgs, epochs of sgd and adam, accepted steps of lm" in text
    assert f'"auto" is {gd}, {lbfgs}, {sgd}, {adam} and {lm}.' in text
    rates = [resolved(solver=solver).learning_rate for solver in ("sgd", "adam")]
    assert f'"auto" is 1 / (1 + n_features + n_hidden), {rates[0]} and {rates[1]}.' in text


@pytest.mark.parametrize(
    ("n_starts", "parameters"),
    [
        (5, {}),
        (5, {"solver": "lm", "n_members": 3}),
        (1, {"alpha": "auto"}),
        (1, {"alpha": "evidence"}),
        (1, {"solver": "lbfgs"}),
        (1, {"max_iter": 200}),
        (1, {"warm_start": True}),
        (1, {"early_stopping": True}),
        (1, {"n_rows": 5000}),
    ],
)
def test_cheap_regressions_under_a_float_alpha_have_several_starts(n_starts, parameters):
    assert resolved(**{"n_rows": 500, "alpha": 0.0, **parameters}).n_starts == n_starts


def test_a_classifier_has_one_start():
    assert resolve(TwoLayerClassifier(alpha=0.0), 100, 3, 1).n_starts == 1


def test_several_starts_find_the_best_valley_that_one_often_misses():
    """Two bells on a slope (after Rust 1996, Gauss1); of one start, one in five misses it."""
    x = np.linspace(0, 250, 125)
    bells = 110 * np.exp(-(((x - 67) / 23) ** 2)) + 72 * np.exp(-(((x - 111) / 18) ** 2))
    y = 98 * np.exp(-0.01 * x) + bells + np.random.RandomState(0).normal(size=125)
    several, one = (
        [
            TwoLayerRegressor(5, alpha=0.0, random_state=seed, warm_start=warm_start)
            .fit(x[:, None], y)
            .loss_
            for seed in range(20)
        ]
        for warm_start in (False, True)
    )
    best = 1.1 * min(several + one)
    assert np.mean(np.array(several) < best) >= 0.9
    assert np.mean(np.array(one) < best) < 0.9


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
def test_explicit_values_are_left_alone(solver):
    settings = resolved(solver=solver, learning_rate=0.7, batch_size=13, max_iter=3)
    assert (settings.learning_rate, settings.batch_size, settings.max_iter) == (0.7, 13, 3)
    assert settings.solver == ("lm" if solver == "auto" else solver)


@pytest.mark.parametrize(
    ("batch_size", "n_rows", "found"), [("auto", 9, 9), (500, 9, 9), (5, 9, 5)]
)
def test_a_batch_has_no_more_rows_than_there_are(batch_size, n_rows, found):
    assert resolved(n_rows, batch_size=batch_size).batch_size == found


def test_automatic_batches_grow_with_the_rows_up_to_a_limit():
    sizes = [resolved(10**i).batch_size for i in range(8)]
    assert sizes == sorted(sizes)
    assert sizes[-1] == sizes[-2] <= 1000


def test_resolving_changes_no_parameter():
    estimator = TwoLayerClassifier()
    before = estimator.get_params()
    resolve(estimator, 100, 5, 2)
    assert estimator.get_params() == before


def test_a_fit_publishes_the_solver_it_took(monkeypatch):
    X = np.random.RandomState(0).normal(size=(30, 2))
    model = TwoLayerRegressor(3, alpha=0.01, max_iter=1000, random_state=0)
    assert model.fit(X, X[:, 0]).solver_ == "lm"
    monkeypatch.setattr(_auto, "MAX_GAUSS_NEWTON_SIZE", 1)
    assert model.fit(X, X[:, 0]).solver_ == "lbfgs"
    monkeypatch.setattr(_auto, "MAX_FULL_BATCH_COST", 1)
    assert model.fit(X, X[:, 0]).solver_ == "adam"
    assert model.solver == "auto"


def test_weights_are_frequencies_to_auto_too(monkeypatch):
    monkeypatch.setattr(_auto, "MAX_GAUSS_NEWTON_COST", 13**2 * 60)
    X = np.random.RandomState(0).normal(size=(40, 2))
    model = TwoLayerRegressor(3, alpha=0.01, max_iter=500)
    assert model.fit(X, X[:, 0]).solver_ == "lm"
    assert model.fit(X.repeat(2, axis=0), X[:, 0].repeat(2)).solver_ == "lbfgs"
    assert model.fit(X, X[:, 0], sample_weight=np.full(40, 2)).solver_ == "lbfgs"
