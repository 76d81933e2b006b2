"""Hidden activations: name -> g, with g' and g'' written in terms of a = g(z).

Every function works in place or into ``out``, because the hidden layer is the
largest array of the network and each further pass over it costs time:

``function(Z)``
    Overwrites Z with A = g(Z).
``derivative(A, out)``
    Writes g'(z) into ``out`` (which may be A itself) and returns it.
``second_derivative(A, out)``
    Writes g''(z) into ``out`` (which must not be A) and returns it.

=========  ===================  ===========  ==========================
name       g(z)                 g' by a      g'' by a
=========  ===================  ===========  ==========================
logistic   1 / (1 + exp(-z))    a (1 - a)    a (1 - a) (1 - 2 a)
tanh       tanh(z)              1 - a^2      -2 a (1 - a^2)
relu       max(z, 0)            [a > 0]      0
softplus   ln(1 + exp(z))       1 - exp(-a)  exp(-a) (1 - exp(-a))
identity   z                    1            0
=========  ===================  ===========  ==========================
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Activation:
    """A hidden activation g and its first two derivatives in terms of a = g(z)."""

    function: Callable
    derivative: Callable
    second_derivative: Callable


def logistic(Z):
    """sigma(z) = 1 / (1 + exp(-z)), in place.

    NumPy's vectorised ``exp`` and three cheap passes cost a third of
    ``scipy.special.expit``; ``divide`` is vectorised, ``reciprocal`` is not. exp(-z) = inf
    gives the right limit, 0.
    """
    with np.errstate(over="ignore"):
        np.negative(Z, out=Z)
        np.exp(Z, out=Z)
        Z += 1
        return np.divide(1, Z, out=Z)


def _logistic_derivative(A, out):
    return np.subtract(A, A * A, out=out)


def _logistic_second_derivative(A, out):
    return np.multiply(A - A * A, 1 - 2 * A, out=out)


def _tanh_by_numpy(Z):
    return np.tanh(Z, out=Z)


def _tanh_by_exp(Z):
    """tanh(z) = 1 - 2 / (1 + exp(2 z)), in place.

    Equals ``np.tanh`` within a few units in the last place of 1.
    """
    with np.errstate(over="ignore"):
        Z *= 2
        np.exp(Z, out=Z)
        Z += 1
        np.divide(-2, Z, out=Z)
        Z += 1
    return Z


def _numpy_tanh_is_fast():
    """Return whether NumPy runs ``tanh`` with AVX-512 on this processor.

    There it costs in float32 less than one ``exp``; with AVX2 it costs 1.2 (float32) to 2
    (float64) times the detour over ``exp``.
    """
    try:
        from numpy.lib.introspect import opt_func_info
    except ImportError:  # NumPy 2.0
        return False
    targets = opt_func_info(func_name="^tanh$").get("tanh", {}).values()
    return any(level in target["current"] for target in targets for level in ("AVX512", "X86_V4"))


TANH_IS_FAST = _numpy_tanh_is_fast()
tanh = _tanh_by_numpy if TANH_IS_FAST else _tanh_by_exp


def _tanh_derivative(A, out):
    np.multiply(A, A, out=out)
    return np.subtract(1, out, out=out)


def _tanh_second_derivative(A, out):
    _tanh_derivative(A, out)
    out *= A
    out *= -2
    return out


def _relu(Z):
    return np.maximum(Z, 0, out=Z)


def _relu_derivative(A, out):
    return np.greater(A, 0, out=out, casting="unsafe")


def _softplus(Z):
    """ln(1 + exp(z)) = max(z, 0) + ln(1 + exp(-|z|)), in place, never overflowing."""
    correction = np.log1p(np.exp(-np.abs(Z)))
    np.maximum(Z, 0, out=Z)
    Z += correction
    return Z


def _softplus_derivative(A, out):
    np.negative(A, out=out)
    np.expm1(out, out=out)
    return np.negative(out, out=out)


def _softplus_second_derivative(A, out):
    return np.multiply(np.exp(-A), -np.expm1(-A), out=out)


def _identity(Z):
    return Z


def _one(A, out):
    out[...] = 1
    return out


def _zero(A, out):
    out[...] = 0
    return out


ACTIVATIONS = {
    "logistic": Activation(logistic, _logistic_derivative, _logistic_second_derivative),
    "tanh": Activation(tanh, _tanh_derivative, _tanh_second_derivative),
    "relu": Activation(_relu, _relu_derivative, _zero),
    "softplus": Activation(_softplus, _softplus_derivative, _softplus_second_derivative),
    "identity": Activation(_identity, _one, _zero),
}
