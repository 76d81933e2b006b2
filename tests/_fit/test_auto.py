"""The rules of the parameters, what an error says, and what "auto" means."""

import pickle
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType

import numpy as np
import pytest

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._bayes.choose_penalty import FREE_STEPS
from sklearn_twolayer._fit import auto
from sklearn_twolayer._fit.auto import (
    MAX_ITER,
    Size,
    choose_narrow_width,
    choose_solver,
    choose_width,
    compares_penalties,
    resolve,
    rows_to_compare,
    rows_to_start_on,
)
from sklearn_twolayer._fit.parameters import (
    REAL,
    RULES,
    InvalidParameterError,
    checked,
    streaming,
)
from sklearn_twolayer._fit.training import CURVATURE_SHARE

ESTIMATORS = [TwoLayerRegressor, TwoLayerClassifier]
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
    assert choose_solver(Size(n_rows, n_features, n_outputs), n_hidden) == solver


@pytest.mark.parametrize(
    ("n_rows", "n_hidden", "n_start"),
    [(1999, 10, 1999), (2000, 10, 1000), (10**5, 10, 1000), (3047, 38, 3047), (3048, 38, 1524)],
)
def test_a_regression_starts_on_four_rows_for_each_weight(n_rows, n_hidden, n_start):
    size, found = Size(n_rows, 8, 1), replace(resolved(), n_hidden=n_hidden)
    assert rows_to_start_on(size, found) == n_start
    by_lbfgs = n_start if n_rows <= 25 * n_start else n_rows  # from which it is not too far
    assert rows_to_start_on(size, replace(found, solver="lbfgs")) == by_lbfgs
    for other in ({"alpha": 0.1}, {"solver": "adam"}, {"solver": "lbfgs", "alpha": "ard"}):
        assert rows_to_start_on(size, replace(found, **other)) == n_rows
    assert rows_to_start_on(replace(size, is_regression=False), found) == n_rows


def test_the_alpha_where_nothing_is_compared_is_in_units_of_y():
    asked = settings_of(TwoLayerRegressor(solver="adam"))
    assert resolve(asked, Size(500, 3, 2, penalty_unit=0.04)).alpha == 0.04 / 1000
    assert resolve(asked, Size(500, 3, 2)).alpha == 1 / 1000


def test_lbfgs_starts_on_a_part_that_lm_can_afford():
    asked = settings_of(TwoLayerRegressor(50, solver="lbfgs"))
    for n_features, is_part in ((10, True), (17, True), (30, False)):  # 4 p^3 multiply-adds
        size = Size(50_000, n_features, 1)
        found = resolve(asked, size)
        assert (found.alpha, found.n_members) == ("auto", 1)
        assert (rows_to_start_on(size, found) < 50_000) == is_part
        assert compares_penalties(found, size) == (not is_part)
        by_lm = resolve(replace(asked, solver="lm"), size)  # for which all rows are dearer still
        assert rows_to_start_on(size, by_lm) == 4 * ((n_features + 2) * 50 + 1)
    assert resolve(asked, Size(1000, 10, 1)).alpha == "auto"  # whose half would be too few
    assert resolve(replace(asked, early_stopping=True), Size(10**5, 10, 1)).alpha == 1e-5


def test_a_wide_regression_asks_left_out_rows_by_lbfgs():
    """From 250 rows to one and a half for each of 10 f + 21 weights, weights counted."""
    size = Size(300, 30, 1)
    asked = settings_of(TwoLayerRegressor())

    def solver(size, **parameters):
        return resolve(replace(asked, **parameters), size).solver

    assert solver(size) == solver(replace(size, n_rows=481)) == "lbfgs"
    assert solver(replace(size, n_rows=482)) == solver(replace(size, n_rows=249)) == "lm"
    assert solver(replace(size, total_weight=481)) == "lbfgs"
    assert solver(replace(size, total_weight=482)) == "lm"
    assert solver(size, n_hidden=3) == "lbfgs"
    assert solver(size, standardize=False) == "lbfgs"  # y is, where the penalty is to be found
    others = {"early_stopping": True}, {"alpha": "evidence"}, {"alpha": 0.1}, {"solver": "lm"}
    for other in (*others, {"output_activation": "logistic"}):
        assert solver(size, **other) == "lm"
    assert resolve(asked, Size(2500, 300, 1)).solver == "lbfgs"  # lm cannot afford it
    assert resolve(asked, Size(2500, 300, 1)).by_evidence is None
    for other in (replace(size, n_outputs=2), replace(size, is_in_memory=False)):
        assert solver(other) == "lm"


def test_a_regression_that_starts_on_a_part_takes_lm_for_more_rows():
    """20 matrices of all rows may take the time of 225, with 301 weights up to 4.4e5 rows."""

    def solver(n_rows=10**5, n_outputs=1, **parameters):
        estimator = TwoLayerRegressor(50, **parameters)
        return resolve(settings_of(estimator), Size(n_rows, 4, n_outputs)).solver

    assert solver() == solver(alpha="ard") == "lm"
    assert solver(n_rows=4 * 10**5) == "lm"
    assert solver(n_rows=5 * 10**5) == "lbfgs"
    assert solver(n_outputs=2) == "lbfgs"
    for parameters in ({"alpha": 0.1}, {"early_stopping": True}, {"warm_start": True}):
        assert solver(**parameters) == "lbfgs"


@pytest.mark.parametrize(("n_rows", "n_members"), [(5000, 3), (10_000, 1), (30_000, 1)])
def test_many_rows_need_no_committee(n_rows, n_members):
    found = resolve(settings_of(TwoLayerRegressor()), Size(n_rows, 10, 1))
    assert (found.solver, found.n_members) == ("lm", n_members)


def test_more_work_never_leads_back_to_a_dearer_solver():
    order = ["lm", "lbfgs", "adam"]
    for sizes in ([(10**i, 50) for i in range(9)], [(500, 10**i) for i in range(7)]):
        solvers = [choose_solver(Size(n_rows, 20, 1), n_hidden) for n_rows, n_hidden in sizes]
        ranks = [order.index(solver) for solver in solvers]
        assert ranks == sorted(ranks)
        assert ranks[0] == 0
        assert ranks[-1] == 2


def test_lm_is_chosen_up_to_the_largest_matrix(monkeypatch):
    monkeypatch.setattr(auto, "MAX_GAUSS_NEWTON_COST", np.inf)
    n_hidden, n_features = 100, 18  # p = 20 h + 1
    p = 20 * n_hidden + 1
    assert p == auto.MAX_GAUSS_NEWTON_SIZE + 1
    assert choose_solver(Size(3000, n_features, 1), n_hidden) == "lbfgs"
    assert choose_solver(Size(3000, n_features, 1), n_hidden - 1) == "lm"
    assert choose_solver(Size(p - 1, n_features, 1), n_hidden) == "lm"  # dual: n rows


@pytest.mark.parametrize(
    ("n_rows", "alpha", "solver"),
    [(30, 0.01, "lm"), (500, 0.01, "lbfgs"), (500, "evidence", "lm"), (500, "ard", "lm")],
)
def test_a_classifier_takes_lm_on_small_tables_or_to_find_the_evidence(n_rows, alpha, solver):
    estimator = TwoLayerClassifier(n_hidden=4, alpha=alpha)
    size = Size(n_rows, 10, 1, is_regression=False)
    assert resolve(settings_of(estimator), size).solver == solver


@pytest.mark.parametrize("n_features", [2, 3, 10, 30, 100])
@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_what_a_fit_can_afford_goes_by_the_rows_that_are_stored(Estimator, n_features):
    """Weights make no step longer, as 40 rows that count as 4 million would."""
    asked = settings_of(Estimator())
    size = Size(40, n_features, 1, is_regression=Estimator is TwoLayerRegressor)
    weighed = [replace(size, total_weight=40.0 * weight) for weight in (1, 1e4, 1e5)]
    expected = "lm" if size.is_regression else "lbfgs"
    assert [resolve(asked, each).solver for each in weighed] == [expected] * 3
    by_evidence = resolve(replace(asked, alpha="evidence"), weighed[-1])
    assert (by_evidence.solver, by_evidence.alpha) == ("lm", "evidence")


def test_starts_and_members_are_as_many_for_weights_as_for_repeats():
    """Both are affordable, and a better fit would be another one."""
    size = Size(100, 10, 1)
    for asked, name, n_rows in (
        (settings_of(TwoLayerRegressor(20, alpha=0.01)), "n_starts", 900),
        (settings_of(TwoLayerRegressor()), "n_members", 10_000),
    ):
        weighed, repeated = replace(size, total_weight=float(n_rows)), replace(size, n_rows=n_rows)
        found = [getattr(resolve(asked, each), name) for each in (size, weighed, repeated)]
        assert found[0] > found[1] == found[2] == 1


def test_a_classifier_that_can_afford_lm_and_lbfgs_takes_the_same_for_weights_and_repeats():
    size = Size(9, 30, 1, is_regression=False)
    asked = settings_of(TwoLayerClassifier(4, alpha=0.01))
    for n_rows, solver in ((9, "lm"), (27, "lm"), (36, "lbfgs")):
        weighed, repeated = replace(size, total_weight=float(n_rows)), replace(size, n_rows=n_rows)
        assert resolve(asked, weighed).solver == resolve(asked, repeated).solver == solver


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_an_evidence_that_takes_too_long_asks_for_fewer_units(solver):
    """Not for a solver that would not help, or that the fit has."""
    asked = settings_of(TwoLayerClassifier(50, alpha="evidence", solver=solver))
    size = Size(3000, 50, 3, is_regression=False)
    expected = (
        "alpha='evidence' needs the Gauss-Newton matrix of all rows, but it takes 7e+10 "
        "multiply-adds each time. Set n_hidden < 50, or choose a float or 'auto' for alpha."
    )
    with pytest.raises(ValueError) as refusal:
        resolve(asked, size)
    assert str(refusal.value) == expected
    found = resolve(replace(asked, n_hidden=30, solver="lbfgs"), size)
    assert (found.n_hidden, found.alpha) == (30, "evidence")


def test_the_evidence_of_many_targets_takes_the_matrix_of_one():
    """Which the outputs share, if these are identities; the width is one that "auto" has chosen."""
    size = Size(1000, 20, 30)
    asked = settings_of(TwoLayerRegressor(alpha="evidence"))
    found = resolve(asked, size)
    assert (found.alpha, found.solver, found.n_hidden) == ("evidence", "lbfgs", 38)
    with pytest.raises(ValueError, match=r"multiply-adds each time\. Set n_hidden < 38"):
        resolve(replace(asked, output_activation="logistic"), size)
    many = replace(asked, n_hidden=20, solver="lbfgs")  # whose dual has rows for each target
    with pytest.raises(ValueError, match=r"6e\+10 multiply-adds each time\. Set n_hidden < 20"):
        resolve(many, Size(30, 200, 100))


def settings_of(estimator):
    return checked(estimator.get_params(), type(estimator).__name__)


def resolved(n_rows=1000, n_features=7, n_outputs=1, **parameters):
    estimator = TwoLayerRegressor(n_hidden=12, **parameters)
    return resolve(settings_of(estimator), Size(n_rows, n_features, n_outputs))


def test_auto_values_are_those_of_the_documented_table():
    rows = {words[0]: words[1:] for words in map(str.split, auto.__doc__.splitlines()) if words}
    found = {solver: resolved(solver=solver).max_iter for solver in rows["parameter"]}
    assert found == MAX_ITER == dict(zip(rows["parameter"], map(int, rows["max_iter"])))
    rates = [resolved(solver=solver).learning_rate for solver in SOLVERS]
    assert [rates[0], *rates[3:]] == [None] * 3  # gd finds its own where it starts
    expected = f"{CURVATURE_SHARE} / curvature {rates[1]} {rates[2]} -- --"
    assert " ".join(rows["learning_rate"]) == expected


@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_the_estimators_document_the_constants(Estimator):
    text = " ".join(Estimator.__doc__.split())
    gd, lbfgs, sgd, adam, lm = (MAX_ITER[s] for s in ("gd", "lbfgs", "sgd", "adam", "lm"))
    assert "iterations of gd and lbfgs, epochs of sgd and adam, accepted steps of lm" in text
    assert f'"auto" is {gd}, {lbfgs}, {sgd}, {adam} and {lm}.' in text
    rates = [resolved(solver=solver).learning_rate for solver in ("sgd", "adam")]
    gd_rate = f'"auto" is {CURVATURE_SHARE} / (largest eigenvalue of the Gauss-Newton matrix'
    assert f"{gd_rate} at the start), {rates[0]} and {rates[1]}." in text


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


@pytest.mark.parametrize(
    ("n_starts", "parameters"),
    [
        (3, {"n_members": 1}),
        (3, {"warm_start": True, "max_iter": 50}),
        (1, {}),
        (1, {"n_members": 1, "alpha": "evidence"}),
        (1, {"n_members": 1, "n_hidden": 4}),
        (1, {"n_members": 1, "n_rows": 1000}),
        (1, {"n_members": 1, "n_rows": 40}),
    ],
)
def test_a_narrow_network_by_itself_has_several_starts(n_starts, parameters):
    parameters = dict(parameters)
    size = Size(parameters.pop("n_rows", 100), 8, 1)
    assert resolve(settings_of(TwoLayerRegressor(**parameters)), size).n_starts == n_starts


def test_only_the_width_of_auto_may_grow():
    for n_hidden, most in (("auto", 100), (30, 30)):
        asked = settings_of(TwoLayerClassifier(n_hidden))
        assert resolve(asked, Size(300, 64, 10, is_regression=False)).most_hidden == most


def test_a_classifier_has_one_start():
    size = Size(100, 3, 1, is_regression=False)
    assert resolve(settings_of(TwoLayerClassifier(alpha=0.0)), size).n_starts == 1


@pytest.mark.parametrize("alpha", ["evidence", "ard", "auto"])
def test_a_search_for_penalties_may_learn_freely_before(alpha):
    """The steps that it takes then do not count as those of the user's max_iter."""
    assert resolved(alpha=alpha).n_free_steps == sum(FREE_STEPS)
    assert resolved(alpha=alpha, max_iter=200).n_free_steps == 0
    assert resolved(alpha=0.1).n_free_steps == 0


@pytest.mark.parametrize("n_rows", [3000, 10**6])
def test_a_wide_table_of_any_length_has_its_penalties_compared(n_rows):
    """Hundreds of one-hot columns: their fit takes as long as the comparison."""
    size = Size(n_rows, 600, 1, is_regression=False)
    found = resolve(settings_of(TwoLayerClassifier(solver="lbfgs")), size)
    assert (found.alpha, found.n_hidden) == ("auto", 50)


@pytest.mark.parametrize(
    ("size", "n_rows"),
    [
        (Size(7500, 78, 1), 7500),
        (Size(7501, 78, 1), 7500),  # 80 x 50 multiply-adds a row
        (Size(7501, 78, 1, total_weight=1e9), 7500),
        (Size(15_000, 28, 11), 15_000),
        (Size(15_001, 28, 11), 15_000),
        (Size(10_000, 78_000, 1), 1000),
        (Size(900, 78_000, 1), 900),
        (Size(10_000, 78_000, 1, density=1e-3), 7500),
    ],
)
def test_penalties_are_compared_on_as_many_rows_as_a_fit_can_spare(size, n_rows):
    """Of sparse columns what is stored counts, as rows do, whatever their weights."""
    assert rows_to_compare(size, 50) == n_rows


def test_a_table_for_adam_is_not_taken_for_a_wide_one():
    size = Size(30_000, 20_000, 1)
    assert resolve(settings_of(TwoLayerRegressor()), size).solver == "adam"


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
def test_explicit_values_are_left_alone(solver):
    found = resolved(solver=solver, learning_rate=0.7, batch_size=13, max_iter=3)
    assert (found.learning_rate, found.batch_size, found.max_iter) == (0.7, 13, 3)
    assert found.solver == ("lm" if solver == "auto" else solver)


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
    before, asked = estimator.get_params(), settings_of(estimator)
    found = resolve(asked, Size(100, 5, 2, is_regression=False))
    assert found != asked == settings_of(estimator)
    assert estimator.get_params() == before


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_every_default_is_valid(Estimator):
    for name, default in Estimator().get_params().items():
        _, is_valid = RULES[name]
        assert is_valid(default), name


def test_no_rule_without_a_parameter():
    assert set(RULES) == {name for E in ESTIMATORS for name in E().get_params()}


def test_an_error_names_the_first_parameter_and_says_what_it_may_be():
    parameters = TwoLayerRegressor(n_hidden=0, alpha=-1).get_params()
    with pytest.raises(InvalidParameterError) as refusal:
        checked(parameters, "Network")
    assert str(refusal.value) == (
        "n_hidden=0 is not valid for Network: it must be 'auto' or an integer >= 1 and < 1e9."
    )


@pytest.mark.parametrize(
    ("name", "words", "valid", "invalid"),
    [
        ("tol", "a finite number >= 0", [0, 1e-300, 1e300], [-1e-300, np.inf, np.nan, 10**400]),
        ("momentum", "a number >= 0 and < 1", [0, 0.5, 1 - 1e-16], [-0.1, 1, 1.1]),
        ("validation_fraction", "a number > 0 and < 1", [1e-300, 1 - 1e-16], [0, 1]),
        ("max_iter", "'auto' or an integer >= 1 and < 2**63", [1, 2**63 - 1], [0, 1.0, 2**63]),
        ("n_hidden", "'auto' or an integer >= 1 and < 1e9", [1, 10**8], [0, 1.0, 10**9]),
        (
            "alpha",
            "'auto' or 'evidence' or 'ard' or a number >= 0 and < 1e30",
            [0, 1e-300, 10**29],
            [-1, 1e30, 1e308],
        ),
    ],
)
def test_a_number_knows_its_ends(name, words, valid, invalid):
    assert RULES[name][0] == words
    assert all(RULES[name][1](value) for value in valid)
    assert not any(RULES[name][1](value) for value in invalid)


@pytest.mark.parametrize("value", [Fraction(1, 2), np.longdouble(0.5), np.float32(0.5)])
@pytest.mark.parametrize("name", REAL)
def test_real_numbers_of_any_kind_are_floats_in_a_fit(name, value):
    found = checked({**TwoLayerRegressor().get_params(), name: value}, "Network")
    assert type(getattr(found, name)) is float
    assert getattr(found, name) == 0.5


def test_class_weights_of_any_mapping_are_dicts_in_a_fit():
    weights = MappingProxyType({0: 2})
    for given, expected in [(weights, {0: 2}), ([weights, None], [{0: 2}, None])]:
        found = checked({**TwoLayerClassifier().get_params(), "class_weight": given}, "Network")
        assert found.class_weight == expected
        pickle.dumps(found)


def test_an_error_shows_the_beginning_of_a_long_value():
    with pytest.raises(InvalidParameterError, match=r"tol=10{99}\.\.\. is not valid"):
        checked({**TwoLayerRegressor().get_params(), "tol": 10**400}, "Network")


def test_rules_do_not_confuse_booleans_numbers_and_strings():
    assert not RULES["n_members"][1](True)
    assert not RULES["tol"][1](np.True_)
    assert not RULES["shuffle"][1](1)
    assert RULES["shuffle"][1](np.False_)
    words, is_valid = RULES["learning_rate_schedule"]
    assert words == "'cosine' or 'constant'"
    assert is_valid("cosine")
    assert not is_valid(["cosine"])
    assert not is_valid("cosineconstant")


def test_a_stream_is_an_epoch_at_a_constant_rate():
    found = streaming(settings_of(TwoLayerRegressor(solver="adam", max_iter=7)))
    assert found.is_stream
    assert (found.max_iter, found.learning_rate_schedule, found.tol) == (1, "constant", 0)
    for refused in ({"early_stopping": True}, {"n_members": 2}):
        with pytest.raises(ValueError, match=f"partial_fit does not support {next(iter(refused))}"):
            streaming(settings_of(TwoLayerRegressor(solver="adam", **refused)))


@pytest.mark.parametrize(
    ("size", "width"),
    [
        (Size(1000, 10, 1), 15),  # 4 sqrt(1000 / (10 ln 1000))
        (Size(1000, 10, 1, total_weight=4000.0), 28),  # S, not the rows
        (Size(1000, 10, 1, total_weight=4000.0, copies=4.0), 15),
        (Size(100, 8, 1), 10),
        (Size(1000, 10, 10), 35),  # 4 sqrt(10000 / (19 ln 1000))
        (Size(1000, 10, 10, independence=0.1), 15),  # ten times the same
        (Size(50, 1, 1), 14),
        (Size(10**6, 2, 1), 50),
        (Size(900, 10, 1, is_regression=False), 30),
        (Size(100, 10, 3, is_regression=False), 20),
        (Size(100, 10, 70, is_regression=False), 70),
        (Size(10**4, 10, 150, is_regression=False), 100),
    ],
)
def test_the_width_goes_by_the_rows_columns_and_classes(size, width):
    assert choose_width(size) == width


@pytest.mark.parametrize(
    ("size", "width"),
    [
        (Size(100, 8, 1), 4),  # 41 weights, two residuals for each
        (Size(100, 8, 1, total_weight=161.0), 7),
        (Size(101, 8, 1, total_weight=162.0), 8),
        (Size(100, 8, 1, total_weight=400.0, copies=4.0), 4),
        (Size(100, 8, 3), 10),
        (Size(100, 8, 3, independence=1 / 3), 4),  # copies are as one
        (Size(80, 20, 2), 3),
        (Size(12, 5, 5), 5),  # of full rank
        (Size(15, 10, 20), 10),
        (Size(15, 10, 10, independence=0.55), 6),
        (Size(15, 4, 10), 4),  # no more than the columns
        (Size(100, 30, 1), 3),
        (Size(50, 1, 1), 14),
        (Size(40, 20, 1), 10),  # whose penalty left-out rows choose
        (Size(41, 20, 1), 3),
        (Size(40, 20, 5, n_constant=4, independence=0.2), 10),  # of which one varies
        (Size(100, 20, 1, n_constant=1), 3),
        (Size(1000, 10, 1), 15),
    ],
)
def test_members_have_two_residuals_for_each_weight_or_a_unit_for_each_target(size, width):
    assert choose_narrow_width(size) == width


@pytest.mark.parametrize(
    ("parameters", "n_rows", "width"),
    [
        ({}, 100, 4),
        ({"alpha": "ard", "n_members": 2}, 100, 4),
        ({"solver": "lm"}, 300, 10),
        ({"n_hidden": 9}, 100, 9),
        ({"n_members": 1}, 100, 4),
        ({"warm_start": True}, 100, 4),
        ({"n_members": 1, "alpha": "evidence"}, 100, 10),
        ({"alpha": 0.1, "n_members": 3}, 100, 10),
        ({"early_stopping": True, "n_members": 3}, 100, 10),
        ({"solver": "lbfgs", "n_members": 3}, 100, 10),
        ({"solver": "adam"}, 100, 10),
    ],
)
def test_networks_by_the_evidence_are_narrow(parameters, n_rows, width):
    """A single one where left-out rows tell the best of its starts."""
    asked = settings_of(TwoLayerRegressor(**parameters))
    assert resolve(asked, Size(n_rows, 8, 1)).n_hidden == width


def test_where_three_units_have_no_two_residuals_a_weight_lbfgs_is_asked_alone():
    """They have 97 weights of 30 columns; left-out rows choose the penalty of 40 numbers anyway."""
    asked = settings_of(TwoLayerRegressor())

    def solver(*of, **changes):
        resolved = resolve(asked, replace(Size(*of), **changes))
        return resolved.solver, resolved.by_evidence is not None

    assert solver(193, 30, 1) == ("lbfgs", False)
    assert solver(194, 30, 1) == ("lm", False)
    assert solver(300, 60, 1) == ("lbfgs", False)
    assert solver(400, 60, 1) == ("lbfgs", True)
    assert solver(400, 60, 1, copies=2.0) == ("lbfgs", False)
    assert solver(41, 300, 1) == ("lbfgs", False)
    assert solver(40, 300, 1) == solver(150, 30, 2) == ("lm", False)
    assert solver(150, 150, 2) == solver(300, 151, 2, copies=2.0) == ("lbfgs", False)
    assert solver(151, 150, 2) == solver(20, 150, 2) == ("lm", False)


@pytest.mark.parametrize("n_members", ["auto", 1])
def test_the_rival_of_a_wide_table_is_what_lm_takes_with_few_units(n_members):
    """Of a width that was asked for only if each of its weights has two residuals, too."""
    size = Size(300, 30, 1)

    def rival(**parameters):
        asked = settings_of(TwoLayerRegressor(n_members=n_members, **parameters))
        resolved = resolve(asked, size)
        assert (resolved.solver, resolved.n_hidden) == ("lbfgs", parameters.get("n_hidden", 10))
        assert resolved.by_evidence in (None, resolve(replace(asked, solver="lm"), size))
        return resolved.by_evidence

    assert (rival().n_hidden, rival().max_iter) == (4, 200)
    assert (rival().n_members, rival().n_starts) == ((3, 1) if n_members == "auto" else (1, 3))
    assert rival(n_hidden=3).n_hidden == 3
    assert rival(n_hidden=5) is rival(n_hidden=10) is None
