"""Which values a constructor parameter may have, and which parameters a fit does not look at."""

from numbers import Integral, Real

import numpy as np
from sklearn.metrics import get_scorer_names
from sklearn.utils import check_random_state


class InvalidParameterError(ValueError, TypeError):
    """A constructor parameter has a value or a type that it may not have."""


def _is_option(value, *names):
    return isinstance(value, str) and value in names


def _is_boolean(value):
    return isinstance(value, (bool, np.bool_))


def _is_number(value, low, high=np.inf, *, kind=Real, is_open=False):
    """Whether a value is a finite number between two ends; ``is_open`` leaves the low one out."""
    if _is_boolean(value) or not isinstance(value, kind):
        return False
    return bool((value > low if is_open else value >= low) and value < high)


def _is_positive(value):
    return _is_number(value, 0, is_open=True)


def _is_count(value):
    return _is_number(value, 1, kind=Integral)


def _is_index(value):
    return _is_number(value, 0, kind=Integral)


def _is_random_state(value):
    try:
        check_random_state(value)
    except ValueError:
        return False
    return True


def _is_class_weight(value):
    if isinstance(value, list):
        return all(map(_is_class_weight, value))
    return value is None or isinstance(value, dict) or _is_option(value, "balanced")


def _is_scoring(value):
    return value is None or callable(value) or _is_option(value, "loss", *get_scorer_names())


ACTIVATIONS = "logistic", "tanh", "relu", "softplus", "identity"
OUTPUTS, SCHEDULES = ("identity", "logistic"), ("cosine", "constant")
SOLVERS = "auto", "lm", "lbfgs", "adam", "sgd", "gd"
#: What to add to an error where others know a value by this name.
HINTS = {"sigmoid": " The sigmoid is called 'logistic' here."}
BOOLEAN = "True or False", _is_boolean
AUTO_OR_COUNT = "'auto' or an integer >= 1", lambda v: _is_option(v, "auto") or _is_count(v)
#: Parameter -> what is valid, in words and as a predicate.
RULES = {
    "n_hidden": AUTO_OR_COUNT,
    "activation": (" or ".join(map(repr, ACTIVATIONS)), lambda v: _is_option(v, *ACTIVATIONS)),
    "output_activation": ("'identity' or 'logistic'", lambda v: _is_option(v, *OUTPUTS)),
    "solver": (" or ".join(map(repr, SOLVERS)), lambda v: _is_option(v, *SOLVERS)),
    "alpha": (
        "'auto' or 'evidence' or 'ard' or a number >= 0",
        lambda v: _is_option(v, "auto", "evidence", "ard") or _is_number(v, 0),
    ),
    "standardize": BOOLEAN,
    "n_members": AUTO_OR_COUNT,
    "n_jobs": (
        "None or an integer other than 0 (-1: all cores)",
        lambda v: v is None or (_is_number(v, -np.inf, kind=Integral) and bool(v != 0)),
    ),
    "learning_rate": ("'auto' or a number > 0", lambda v: _is_option(v, "auto") or _is_positive(v)),
    "learning_rate_schedule": ("'cosine' or 'constant'", lambda v: _is_option(v, *SCHEDULES)),
    "momentum": ("a number >= 0 and < 1", lambda v: _is_number(v, 0, 1)),
    "nesterovs_momentum": BOOLEAN,
    "batch_size": AUTO_OR_COUNT,
    "shuffle": BOOLEAN,
    "max_iter": AUTO_OR_COUNT,
    "max_time": ("None or a number > 0", lambda v: v is None or _is_positive(v)),
    "tol": ("a number >= 0", lambda v: _is_number(v, 0)),
    "early_stopping": BOOLEAN,
    "scoring": (
        "None, 'loss', a name of sklearn.metrics.get_scorer_names(), or a callable "
        "scorer(estimator, X, y)",
        _is_scoring,
    ),
    "validation_fraction": ("a number > 0 and < 1", lambda v: _is_number(v, 0, 1, is_open=True)),
    "n_iter_no_change": (
        "an integer >= 1 or infinity",
        lambda v: (isinstance(v, Real) and v == np.inf) or _is_count(v),
    ),
    "warm_start": BOOLEAN,
    "random_state": ("None, an integer >= 0 or a RandomState", _is_random_state),
    "verbose": ("True or False or an integer >= 0", lambda v: _is_boolean(v) or _is_index(v)),
    "class_weight": (
        "None, 'balanced', a dict {class: weight}, or a list of these for multilabel y",
        _is_class_weight,
    ),
}
#: Parameter -> the solvers that read it; the others do not.
READERS = {
    "learning_rate": ("gd", "sgd", "adam"),
    "learning_rate_schedule": ("sgd", "adam"),
    "momentum": ("sgd",),
    "nesterovs_momentum": ("sgd",),
    "batch_size": ("sgd", "adam"),
    "shuffle": ("sgd", "adam"),
}


def check(parameters, estimator_name):
    """Refuse parameters {name: value} that have no meaning.

    Raises
    ------
    InvalidParameterError
        For the first of them.
    """
    for name, (words, is_valid) in RULES.items():
        if name in parameters and not is_valid(parameters[name]):
            hint = HINTS.get(str(parameters[name]), "") if name.endswith("activation") else ""
            raise InvalidParameterError(
                f"{name}={parameters[name]!r} is not valid for {estimator_name}: it must be "
                f"{words}.{hint}"
            )


def ignored(settings, chosen, own_rows):
    """A sentence for each ignored one of the ``chosen`` parameters {name: value}.

    Parameters
    ----------
    settings : Settings
        Without "auto".
    chosen : dict
    own_rows : bool
        Whether the user has validation rows.
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
        f"{name}={value!r} is ignored: {reasons[name]}."
        for name, value in chosen.items()
        if reasons.get(name)
    ]
