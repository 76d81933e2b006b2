"""Constructor parameters: what is refused, what the error says, what a refusal leaves behind."""

import inspect
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._fit.parameters import RULES, InvalidParameterError

NAN, INF = float("nan"), float("inf")
TOO_LARGE = [2**63, np.uint64(2**64 - 1), 10**99]
NOT_POSITIVE_INTEGERS = [0, -1, 2.5, 3.0, "3", True, np.bool_(True), None, NAN, INF, [3], (3,)]
NOT_POSITIVE_INTEGERS += TOO_LARGE
NOT_BOOLEANS = ["yes", "True", 1, 0, 1.0, None, NAN, [True]]
#: Parameter -> (values that mean nothing, what the error must offer instead).
BAD = {
    "n_hidden": ([*NOT_POSITIVE_INTEGERS, np.array([3]), np.float64(3)], ["an integer >= 1"]),
    "activation": (
        ["sigmoid", "Logistic", "", None, 1, np.tanh, b"tanh", ["tanh"]],
        ["logistic", "tanh", "relu", "softplus", "identity"],
    ),
    "output_activation": (["softmax", "", None, True, ["identity"]], ["identity", "logistic"]),
    "solver": (
        ["newton", "evidence", "LM", "", None, 0, ["lm"]],
        ["auto", "lm", "lbfgs", "adam", "sgd", "gd"],
    ),
    "alpha": (
        ["bayes", "", -1, -1e-300, NAN, INF, -INF, None, True, [0.1], 1j],
        ["'auto'", "'evidence'", "'ard'", "a number >= 0"],
    ),
    "standardize": (NOT_BOOLEANS, ["True or False"]),
    "n_members": (NOT_POSITIVE_INTEGERS, ["an integer >= 1"]),
    "n_jobs": ([0, 1.5, "2", True, NAN], ["None", "an integer other than 0"]),
    "learning_rate": (
        ["constant", "adaptive", 0, 0.0, -0.1, NAN, INF, None, True, [0.1]],
        ["'auto'", "a finite number > 0"],
    ),
    "learning_rate_schedule": (["adaptive", "Cosine", None, 1], ["cosine", "constant"]),
    "momentum": ([1, 1.0, 1.5, -0.1, NAN, INF, "0.9", None, True], [">= 0 and < 1"]),
    "nesterovs_momentum": (NOT_BOOLEANS, ["True or False"]),
    "scoring": (["no such score", 3, True], ["scoring="]),
    "batch_size": ([*NOT_POSITIVE_INTEGERS, "all"], ["'auto'", "an integer >= 1 and < 2**63"]),
    "shuffle": (NOT_BOOLEANS, ["True or False"]),
    "max_iter": ([*NOT_POSITIVE_INTEGERS, "none"], ["'auto'", "an integer >= 1 and < 2**63"]),
    "max_time": ([0, 0.0, -1, NAN, INF, "auto", True, [1]], ["None", "a finite number > 0"]),
    "tol": ([-1, -1e-9, NAN, INF, "auto", None, True], ["a finite number >= 0"]),
    "early_stopping": ([*NOT_BOOLEANS, "auto"], ["True or False"]),
    "validation_fraction": (
        [0, 1, 0.0, 1.0, -0.1, 1.5, NAN, INF, "0.1", None, True],
        ["> 0 and < 1"],
    ),
    "n_iter_no_change": (
        [value for value in NOT_POSITIVE_INTEGERS if value is not INF] + [-INF],
        ["infinity or an integer >= 1 and < 2**63"],
    ),
    "warm_start": (NOT_BOOLEANS, ["True or False"]),
    "random_state": (["seed", -1, 2.5, 2**32, np.random.default_rng(0)], [">= 0 and < 2**32, or"]),
    "verbose": (["yes", -1, 2.5, None, NAN, INF], ["True or False", "an integer >= 0"]),
    "class_weight": (
        ["auto", "Balanced", 1, 0.5, True, ("balanced",), [1], [[{0: 1}, 2]]],
        ["'balanced'", "a dict"],
    ),
}
#: Parameter -> values at the edge of what is allowed, and in NumPy's types.
GOOD = {
    "n_hidden": [1, np.int64(3)],
    "alpha": ["auto", 0, 0.0, np.float32(0.1), np.int64(1), 5e-324, 1e6],
    "standardize": [np.bool_(True)],
    "n_members": [1, np.int64(2)],
    "n_jobs": [None, 1, np.int64(1)],
    "learning_rate": ["auto", 1, np.float32(0.1)],
    "momentum": [0, 0.999],
    "batch_size": ["auto", 1, np.int32(7), 10**9],
    "max_iter": ["auto", 1, np.int64(2)],
    "max_time": [None, 60, 0.5, np.float32(30)],
    "tol": [0, 1, np.float64(1e-3)],
    "n_iter_no_change": [1, np.int16(2), INF, np.float32(np.inf)],
    "validation_fraction": [0.1, np.float32(0.5)],
    "random_state": [None, 0, 2**32 - 1, np.int64(1), np.random.RandomState(0)],
    "verbose": [0, False, np.bool_(False)],
    "class_weight": [None, "balanced", {}, {0: 2, 1: 0.5}, ["balanced"], [None]],
}
ESTIMATORS = [TwoLayerRegressor, TwoLayerClassifier]
X = np.random.RandomState(0).normal(size=(20, 3))
Y = (X[:, 0] > 0).astype(int)


def cases(table):
    """(Estimator, parameter, value) of each value of the table that an estimator can take."""
    for Estimator in ESTIMATORS:
        for name in Estimator().get_params():
            values = table.get(name, [])
            for value in values[0] if isinstance(values, tuple) else values:
                yield pytest.param(
                    Estimator, name, value, id=f"{Estimator.__name__}-{name}-{value!r:.20}"
                )


@pytest.mark.parametrize(("Estimator", "name", "value"), list(cases(BAD)))
def test_a_bad_value_is_refused_by_name_with_its_options(Estimator, name, value):
    estimator = Estimator(n_hidden=3).set_params(**{name: value})
    with pytest.raises((ValueError, TypeError)) as refusal:
        estimator.fit(X, Y)
    message = str(refusal.value)
    assert f"{name}={value!r}" in message
    assert Estimator.__name__ in message
    assert all(option in message for option in BAD[name][1]), message
    assert not [attribute for attribute in vars(estimator) if attribute.endswith("_")]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("Estimator", "name", "value"), list(cases(GOOD)))
def test_a_good_value_is_taken_and_left_as_it_was(Estimator, name, value):
    estimator = Estimator(n_hidden=3, solver="sgd", max_iter=2).set_params(**{name: value})
    estimator.fit(X, Y)
    assert estimator.get_params()[name] is value
    assert np.isfinite(estimator.predict(X)).all()


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_every_parameter_is_constrained_and_tested(Estimator):
    names = set(Estimator().get_params())
    assert names <= set(RULES)
    assert names <= set(BAD)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_only_n_hidden_is_positional(Estimator):
    parameters = list(inspect.signature(Estimator).parameters.values())
    assert parameters[0].name == "n_hidden"
    assert {p.kind for p in parameters[1:]} == {inspect.Parameter.KEYWORD_ONLY}
    with pytest.raises(TypeError, match="positional"):
        Estimator(3, "tanh")
    with pytest.raises(TypeError, match="hidden_layer_sizes"):
        Estimator(hidden_layer_sizes=(3,))


def test_both_estimators_share_their_parameters():
    shared = set(TwoLayerRegressor().get_params()) & set(TwoLayerClassifier().get_params())
    assert set(TwoLayerRegressor().get_params()) - shared == {"output_activation"}
    assert set(TwoLayerClassifier().get_params()) - shared == {"class_weight"}


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_constructor_checks_and_changes_nothing(Estimator):
    values = {name: object() for name in Estimator().get_params()}
    estimator = Estimator(**values)
    assert all(estimator.get_params()[name] is value for name, value in values.items())
    assert vars(estimator).keys() == values.keys()
    assert clone(Estimator(alpha=7)).alpha == 7


def test_the_message_of_a_wrong_option():
    with pytest.raises(ValueError) as refusal:
        TwoLayerRegressor(activation="elu").fit(X, Y)
    assert str(refusal.value) == (
        "activation='elu' is not valid for TwoLayerRegressor: it must be "
        "'logistic' or 'tanh' or 'relu' or 'softplus' or 'identity'."
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["lm", "lbfgs", "sgd", "gd", "auto"])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_integers_of_eight_bits_do_not_overflow(Estimator, solver):
    settings = {"alpha": 0.01, "solver": solver, "random_state": 0}
    small = {"n_hidden": 90, "max_iter": 2, "batch_size": 16}
    plain = Estimator(**small, **settings).fit(np.tile(X, (20, 1)), np.tile(Y, 20))
    small = {name: np.int8(value) for name, value in small.items()}
    same = Estimator(**small, **settings).fit(np.tile(X, (20, 1)), np.tile(Y, 20))
    assert np.array_equal(same.coefs_[0], plain.coefs_[0])


COUNTS = ("n_hidden", "n_members", "batch_size", "max_iter", "n_iter_no_change")


@pytest.mark.parametrize("Estimator", ESTIMATORS)
@pytest.mark.parametrize("name", [*COUNTS, "random_state", "alpha", "tol"])
def test_numbers_without_end_are_refused_in_words(name, Estimator):
    """Python writes no integer of more than 4300 digits, and no float is as large."""
    for value in (10**400, 10**5000):
        with pytest.raises(ValueError, match=rf"^{name}=.* is not valid for {Estimator.__name__}"):
            Estimator(**{name: value}).fit(X, Y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["lm", "lbfgs", "sgd", "gd", "auto"])
@pytest.mark.parametrize("Estimator", ESTIMATORS)
@pytest.mark.parametrize("most", [2**63 - 1, np.int64(2**63 - 1)])
def test_the_largest_integers_are_taken(most, Estimator, solver):
    settings = {"alpha": 0.1, "solver": solver, "tol": 0.1, "random_state": 0}
    counts = {"max_iter": most, "batch_size": most, "verbose": 0, "n_jobs": most}
    settings |= {"early_stopping": True, "learning_rate_schedule": "constant"}
    model = Estimator(3, **counts, **settings).fit(X, Y)
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("Estimator", ESTIMATORS)
@pytest.mark.parametrize("most", [10**400, 10**5000], ids=["400", "5000"])
def test_jobs_and_words_may_be_as_many_as_anyone_asks_for(most, Estimator, capsys):
    Estimator(3, alpha=0.1, n_members=1, n_jobs=most, verbose=most, random_state=0).fit(X, Y)
    assert "is ignored: n_members=1" in capsys.readouterr().out


@pytest.mark.parametrize("n_members", ["auto", 0])
def test_how_many_members_pay_is_known_for_regressions_alone(n_members):
    model = TwoLayerClassifier(3, n_members=n_members, solver="sgd")
    rule = r"it must be an integer >= 1 and < 1e9 \('auto' is for TwoLayerRegressor\)"
    for call in (model.fit, partial(model.partial_fit, classes=[0, 1])):
        with pytest.raises(InvalidParameterError, match=f"n_members={n_members!r} .*: {rule}"):
            call(np.inf, None)  # it is refused before the data are looked at


class Renamed(TwoLayerClassifier):
    """A subclass whose constructor has other names, and a parameter of its own."""

    def __init__(self, hidden_layer_sizes=(3,), own=None):
        super().__init__(hidden_layer_sizes[0], solver="lbfgs")
        self.hidden_layer_sizes = hidden_layer_sizes
        self.own = own


def test_a_subclass_may_have_other_parameters():
    assert Renamed(own="anything").fit(X, Y).coefs_[0].shape == (3, 3)
    with pytest.raises(ValueError, match="n_hidden=0 is not valid for Renamed"):
        Renamed((0,)).fit(X, Y)
