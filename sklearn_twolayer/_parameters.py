"""Which values the constructor parameters may take, and what to say of others."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.metrics import get_scorer_names
from sklearn.utils import check_random_state


class InvalidParameterError(ValueError, TypeError):
    """A constructor parameter has a value or a type that it may not have."""


@dataclass(frozen=True)
class Number:
    """A number of a kind in an interval; ``open_low``/``open_high`` exclude the ends."""

    kind: type
    low: float
    high: float = np.inf
    open_low: bool = False
    open_high: bool = False

    def accepts(self, value):
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, self.kind):
            return False
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return bool(above and below and np.isfinite(value))

    def __str__(self):
        noun = "an integer" if self.kind is Integral else "a number"
        low = f"{'>' if self.open_low else '>='} {self.low:g}"
        if self.high == np.inf:
            return f"{noun} {low}"
        return f"{noun} {low} and {'<' if self.open_high else '<='} {self.high:g}"


@dataclass(frozen=True)
class Option:
    """One of some strings."""

    names: tuple

    def accepts(self, value):
        return isinstance(value, str) and value in self.names

    def __str__(self):
        return " or ".join(repr(name) for name in self.names)


@dataclass(frozen=True)
class Boolean:
    """True or False."""

    def accepts(self, value):
        return isinstance(value, (bool, np.bool_))

    def __str__(self):
        return "True or False"


@dataclass(frozen=True)
class Nothing:
    """None."""

    def accepts(self, value):
        return value is None

    def __str__(self):
        return "None"


@dataclass(frozen=True)
class RandomState:
    """Whatever ``check_random_state`` takes."""

    def accepts(self, value):
        try:
            check_random_state(value)
        except ValueError:
            return False
        return True

    def __str__(self):
        return "None, an integer >= 0 or a RandomState"


@dataclass(frozen=True)
class ClassWeight:
    """None, "balanced", a dict, or a list of such for multilabel targets."""

    def accepts(self, value):
        if isinstance(value, list):
            return all(self.accepts(item) for item in value)
        return value is None or isinstance(value, dict) or Option(("balanced",)).accepts(value)

    def __str__(self):
        return "None, 'balanced', a dict {class: weight}, or a list of these for multilabel y"


@dataclass(frozen=True)
class Patience:
    """How many iterations to wait for progress: an integer, or infinity for ever."""

    def accepts(self, value):
        is_infinite = isinstance(value, Real) and value == np.inf
        return is_infinite or Number(Integral, 1).accepts(value)

    def __str__(self):
        return "an integer >= 1 or infinity"


@dataclass(frozen=True)
class JobCount:
    """None, or a number of processes as joblib counts them."""

    def accepts(self, value):
        if value is None:
            return True
        is_integer = isinstance(value, Integral) and not isinstance(value, (bool, np.bool_))
        return bool(is_integer and value != 0)

    def __str__(self):
        return "None or an integer other than 0 (-1: all cores)"


@dataclass(frozen=True)
class Scoring:
    """None, "loss", the name of a scorer of scikit-learn, or a callable."""

    def accepts(self, value):
        names = ("loss", *get_scorer_names())
        return value is None or callable(value) or (isinstance(value, str) and value in names)

    def __str__(self):
        return (
            "None, 'loss', a name of sklearn.metrics.get_scorer_names(), or a callable "
            "scorer(estimator, X, y)"
        )


AUTO = Option(("auto",))
CONSTRAINTS = {
    "n_hidden": (AUTO, Number(Integral, 1)),
    "activation": (Option(("logistic", "tanh", "relu", "softplus", "identity")),),
    "output_activation": (Option(("identity", "logistic")),),
    "solver": (Option(("auto", "lm", "lbfgs", "adam", "sgd", "gd")),),
    "alpha": (Option(("auto", "evidence", "ard")), Number(Real, 0)),
    "standardize": (Boolean(),),
    "n_members": (Number(Integral, 1),),
    "n_jobs": (JobCount(),),
    "learning_rate": (AUTO, Number(Real, 0, open_low=True)),
    "learning_rate_schedule": (Option(("cosine", "constant")),),
    "momentum": (Number(Real, 0, 1, open_high=True),),
    "nesterovs_momentum": (Boolean(),),
    "batch_size": (AUTO, Number(Integral, 1)),
    "shuffle": (Boolean(),),
    "max_iter": (AUTO, Number(Integral, 1)),
    "max_time": (Nothing(), Number(Real, 0, open_low=True)),
    "tol": (Number(Real, 0),),
    "early_stopping": (Boolean(),),
    "scoring": (Scoring(),),
    "validation_fraction": (Number(Real, 0, 1, open_low=True, open_high=True),),
    "n_iter_no_change": (Patience(),),
    "warm_start": (Boolean(),),
    "random_state": (RandomState(),),
    "verbose": (Boolean(), Number(Integral, 0)),
    "class_weight": (ClassWeight(),),
}


def check_parameters(estimator):
    """Raise InvalidParameterError for the first parameter that has no meaning.

    Attributes are what a fit reads: the constructor of a subclass may have other
    parameters, and set these.
    """
    for name, constraints in CONSTRAINTS.items():
        if name not in vars(estimator):
            continue
        value = getattr(estimator, name)
        if not any(constraint.accepts(value) for constraint in constraints):
            options = " or ".join(str(constraint) for constraint in constraints)
            raise InvalidParameterError(
                f"{name}={value!r} is not valid for {type(estimator).__name__}: "
                f"it must be {options}."
            )
