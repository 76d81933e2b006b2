"""The settings of a fit: which values a parameter may have, and what a fit does not look at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from numbers import Integral, Real

import numpy as np
from sklearn.metrics import get_scorer_names
from sklearn.utils import check_random_state

from sklearn_twolayer._network.activations import ACTIVATIONS


class InvalidParameterError(ValueError, TypeError):
    """A constructor parameter has a value or a type that it may not have."""


def _is_either(value, *, names=(), other=None):
    """Whether a string, or None, is one of the names; or ``other(value)``."""
    if value is None or isinstance(value, str):
        return value in names
    return other is not None and other(value)


def _is_number(value, low, high=np.inf, *, kind=Real, is_open=False):
    """Whether a value is a finite number between two ends; ``is_open`` leaves the low one out."""
    if isinstance(value, BOOLEANS) or not isinstance(value, kind):
        return False
    try:
        number = float(value) if kind is Real else value
    except OverflowError:  # of a whole number or a fraction that is larger than any float
        return False
    return bool((number > low if is_open else number >= low) and number < high)


def _is_number_of_jobs(value):
    return _is_number(value, -np.inf, kind=Integral) and bool(value != 0)


def _is_random_state(value):
    try:
        check_random_state(value)
    except ValueError:
        return False
    return True


def _is_class_weight(value):
    if isinstance(value, list):
        return all(map(_is_class_weight, value))
    return isinstance(value, Mapping) or _is_either(value, names=(None, "balanced"))


def _auto_or(is_valid, *names):
    return partial(_is_either, names=("auto", *names), other=is_valid)


def _one_of(names):
    return " or ".join(map(repr, names)), partial(_is_either, names=names)


#: Beyond the integers of NumPy, in which rows and iterations are counted.
TOO_MANY = 2**63
COUNT = partial(_is_number, low=1, high=TOO_MANY, kind=Integral)
POSITIVE, NOT_NEGATIVE = partial(_is_number, low=0, is_open=True), partial(_is_number, low=0)
SOLVERS = "auto", "lm", "lbfgs", "adam", "sgd", "gd"
#: What to add to an error where others know a value by this name.
HINTS = {"sigmoid": " The sigmoid is called 'logistic' here."}
BOOLEANS = bool, np.bool_
BOOLEAN = "True or False", lambda v: isinstance(v, BOOLEANS)
AUTO_OR_COUNT = "'auto' or an integer >= 1 and < 2**63", _auto_or(COUNT)
SIZE = partial(COUNT, high=10**9)
AUTO_OR_SIZE = "'auto' or an integer >= 1 and < 1e9", _auto_or(SIZE)
#: Parameter -> what is valid, in words and as a predicate.
RULES = {
    "n_hidden": AUTO_OR_SIZE,
    "activation": _one_of(tuple(ACTIVATIONS)),
    "output_activation": _one_of(("identity", "logistic")),
    "solver": _one_of(SOLVERS),
    "alpha": (
        "'auto' or 'evidence' or 'ard' or a number >= 0 and < 1e30",  # a penalty overflows above
        _auto_or(partial(NOT_NEGATIVE, high=1e30), "evidence", "ard"),
    ),
    "standardize": BOOLEAN,
    "n_members": AUTO_OR_SIZE,
    "n_jobs": (
        "None or an integer other than 0 (-1: all cores)",
        partial(_is_either, names=(None,), other=_is_number_of_jobs),
    ),
    "learning_rate": ("'auto' or a finite number > 0", _auto_or(POSITIVE)),
    "learning_rate_schedule": _one_of(("cosine", "constant")),
    "momentum": ("a number >= 0 and < 1", partial(_is_number, low=0, high=1)),
    "nesterovs_momentum": BOOLEAN,
    "batch_size": AUTO_OR_COUNT,
    "shuffle": BOOLEAN,
    "max_iter": AUTO_OR_COUNT,
    "max_time": ("None or a finite number > 0", partial(_is_either, names=(None,), other=POSITIVE)),
    "tol": ("a finite number >= 0", NOT_NEGATIVE),
    "early_stopping": BOOLEAN,
    "scoring": (
        "None, 'loss', a name of sklearn.metrics.get_scorer_names(), or a callable "
        "scorer(estimator, X, y)",
        partial(_is_either, names=(None, "loss", *get_scorer_names()), other=callable),
    ),
    "validation_fraction": ("a number > 0 and < 1", partial(POSITIVE, high=1)),
    "n_iter_no_change": (
        "infinity or an integer >= 1 and < 2**63",
        lambda v: (isinstance(v, Real) and v == np.inf) or COUNT(v),
    ),
    "warm_start": BOOLEAN,
    "random_state": ("None, an integer >= 0 and < 2**32, or a RandomState", _is_random_state),
    "verbose": (
        "True or False or an integer >= 0",
        lambda v: isinstance(v, BOOLEANS) or _is_number(v, 0, kind=Integral),
    ),
    "class_weight": (
        "None, 'balanced', a dict {class: weight}, or a list of these, one for each column of y",
        _is_class_weight,
    ),
}
#: Those that a classifier has instead: of classes no rule says how many members pay.
RULES_OF_CLASSES = {
    "n_members": ("an integer >= 1 and < 1e9 ('auto' is for TwoLayerRegressor)", SIZE),
}
#: Characters of a value that an error shows.
MOST_SHOWN = 100
#: Parameters that may be numbers of any kind, and are floats in a fit.
REAL = ("alpha", "learning_rate", "momentum", "max_time", "tol", "validation_fraction")
#: Parameter -> the solvers that read it; the others do not.
READERS = {
    "learning_rate": ("gd", "sgd", "adam"),
    "learning_rate_schedule": ("sgd", "adam"),
    "momentum": ("sgd",),
    "nesterovs_momentum": ("sgd",),
    "batch_size": ("sgd", "adam"),
    "shuffle": ("sgd", "adam"),
}


@dataclass(frozen=True)
class Settings:
    """The parameters of a fit, as the user has set them."""

    n_hidden: int | str
    activation: str
    solver: str
    alpha: float | str
    standardize: bool
    n_members: int | str
    learning_rate: float | str
    learning_rate_schedule: str
    momentum: float
    nesterovs_momentum: bool
    batch_size: int | str
    shuffle: bool
    max_iter: int | str
    max_time: float | None
    tol: float
    early_stopping: bool
    scoring: str | Callable | None
    validation_fraction: float
    n_iter_no_change: float
    warm_start: bool
    n_jobs: int | None
    random_state: int | np.random.RandomState | None
    verbose: int
    output_activation: str = "identity"
    class_weight: Mapping | list | str | None = None
    is_stream: bool = False  # that of ``partial_fit``, which goes on as if it had never stopped


@dataclass(frozen=True)
class Plan(Settings):
    """Settings without "auto", and what has been decided beside the parameters.

    ``alpha`` is a float, or the name of the strategy by which penalties are chosen. A float is the
    geometric mean of those of W1 and W2, of which the first is ``ratio`` times the second. A fit
    goes on from the best of the weights that have been ``compared``, or learns under the weaker
    ``learning_alpha`` first; or it takes the best of ``n_starts``.
    """

    n_starts: int = 1
    n_free_steps: int = 0  # that a strategy may take beside ``max_iter`` before it penalises
    learning_alpha: float | None = None
    compared: tuple = ()
    ratio: float = 1.0
    of_inputs: tuple = ()  # (f,) how many times that of W1 each input has, if they differ
    gradient_scale: float = 1.0  # what lbfgs multiplies ``tol`` by before it holds gradients to it
    left_out_share: float | None = None  # of the variance of y, lost under ``alpha``; if it is told
    by_evidence: "Plan | None" = None  # to take where left-out rows are predicted better by it
    most_hidden: int = 0  # units up to which a classifier may have more where that is so, too


def checked(attributes, estimator_name):
    """The settings of an estimator; InvalidParameterError for its first one without a meaning."""
    parameters, is_of_classes = {}, "class_weight" in attributes
    rules = RULES | RULES_OF_CLASSES if is_of_classes else RULES
    for name in filter(attributes.__contains__, rules):
        (words, is_valid), value = rules[name], attributes[name]
        if not is_valid(value):
            hint = HINTS.get(str(value), "") if name.endswith("activation") else ""
            given = f"{name}={_shown(value)}"
            raise InvalidParameterError(
                f"{given} is not valid for {estimator_name}: it must be {words}.{hint}"
            )
        if name == "class_weight":
            value = _plain(value)
        parameters[name] = float(value) if name in REAL and isinstance(value, Real) else value
    return Settings(**parameters)


def _shown(value):
    """The value as an error shows it."""
    try:
        shown = repr(value)
    except ValueError:  # of an integer of more than some thousand digits
        return f"({type(value).__name__} with more digits than Python writes)"
    return shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}..."


def _plain(class_weight):
    """Class weights as dicts, which can be pickled."""
    if isinstance(class_weight, list):
        return list(map(_plain, class_weight))
    return dict(class_weight) if isinstance(class_weight, Mapping) else class_weight


def ignored(settings, chosen, own_rows):
    """A sentence for each ignored one of the ``chosen`` parameters {name: value}.

    Settings are without "auto"; with ``own_rows`` the user has validation rows.
    """
    stops = settings.early_stopping
    waits = stops or settings.solver in ("sgd", "adam")
    reasons = {
        name: None if settings.solver in solvers else f"solver={settings.solver!r} does not read it"
        for name, solvers in READERS.items()
    }
    reasons["n_iter_no_change"] = None if waits else "early_stopping=False"
    reasons["scoring"] = None if stops or own_rows else "there are no validation rows"
    reasons["validation_fraction"] = (
        "there is X_val" if own_rows else None if stops else "early_stopping=False"
    )
    reasons["n_jobs"] = None if settings.n_members > 1 else "n_members=1"
    return [
        f"{name}={_shown(value)} is ignored: {reasons[name]}."
        for name, value in chosen.items()
        if reasons.get(name)
    ]


def tell_ignored(settings, parameters, kind, own_rows):
    """Print a sentence for each of the parameters of a class that was set and is ignored."""
    defaults, names = signature(kind).parameters, filter(parameters.__contains__, RULES)
    chosen = {n: parameters[n] for n in names if parameters[n] != defaults[n].default}
    for sentence in ignored(settings, chosen, own_rows):
        print(sentence)


def takes_batches(solver):
    """Whether the solver learns in batches, as ``partial_fit`` does; AttributeError if not."""
    if solver in ("sgd", "adam"):
        return True
    raise AttributeError(f"partial_fit needs solver='sgd' or solver='adam', but solver={solver!r}.")


def streaming(settings, *, of_collections=False):
    """The settings of ``partial_fit``: one epoch at a constant learning rate.

    ValueError if they ask for what needs all rows at once; TypeError of rows ``of_collections``.
    """
    if settings.early_stopping:
        raise ValueError(
            "partial_fit does not support early_stopping=True: there is no last call. Set "
            "early_stopping=False and score the rows that you keep apart after each call."
        )
    if settings.n_members not in ("auto", 1):
        raise ValueError(
            f"partial_fit does not support n_members={settings.n_members}: a committee is one "
            "network after the fit. Set n_members=1, or train the members as estimators."
        )
    if of_collections:
        raise TypeError(
            "partial_fit takes arrays, not Dask collections: call it with the computed "
            "partitions one by one, or use fit, which reads them itself."
        )
    return replace(settings, is_stream=True, max_iter=1, learning_rate_schedule="constant", tol=0)
