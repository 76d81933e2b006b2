"""Weights: where they start, how members are folded into one network, and how they go on.

The first layer spreads the units over the data: entries of W1 have standard
deviation 1 / (2 sqrt f), so that z = x W1 has 1 / 2 at most for standardised x, and the
biases spread the kinks or bends over the range of z. Starting twice as steep
ended in worse optima (docs/choices.md); but h units that share the range of one input must be
narrower the more they are. A regression by lm, whose steps steep units do not shorten, starts
steeper by h^(1/f) / 5, if that is more than 1 (Nguyen & Widrow 1990, "Improving the learning
speed of 2-layer neural networks by choosing initial values of the adaptive weights"). The
logistic unit starts where the tanh unit starts (``TanhForm``).
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import starmap
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from sklearn.utils import check_random_state

from sklearn_twolayer._network.scale import Standardization, TanhForm
from sklearn_twolayer._optimize.stochastic import StochasticState

if TYPE_CHECKING:
    from sklearn_twolayer._data.labels import LabelTargets
    from sklearn_twolayer._data.targets import RealTargets


def initial_weights(random_state, network, constant, *, is_steep=False, is_constant=((), ())):
    """Weights (p,) of a network that starts near the ``constant`` raw prediction (k,).

    ``is_steep``: many units of few inputs start steeper. ``is_constant`` is a pair of sequences of
    bool, empty for none: the inputs that tell nothing, which start without a weight, lest one be
    left to them where training ends early; and the outputs that start exactly at the constant.
    """
    f, h = network.n_features, network.n_hidden
    gain = np.sqrt(0.5) if network.activation in ("relu", "softplus") else 0.5
    steepness = max(h ** (1 / f) / 5, 1) if is_steep else 1
    W1 = steepness * random_state.normal(scale=gain / np.sqrt(f), size=(f, h))
    b1 = steepness * random_state.uniform(-0.5, 0.5, size=h)
    W2 = random_state.normal(scale=0.5 / np.sqrt(h), size=(h, len(constant)))
    inputs, outputs = map(np.flatnonzero, is_constant)
    W1[inputs], W2[:, outputs] = 0, 0
    b2 = np.array(constant, float)
    params = network.pack([W1, W2], [b1, b2], np.float64)
    return TanhForm(network).invert(params) if network.activation == "logistic" else params


def member_states(random_state, n_members):
    """A random state for each member, one after another; the first is that of a single network."""
    seeds = deepcopy(random_state)
    yield random_state
    for _ in range(n_members - 1):
        yield np.random.RandomState(seeds.randint(np.iinfo(np.int32).max))


def published_weights(scale, network, members, dtype):
    """``coefs_`` and ``intercepts_`` of the weights of M networks, on the standardised scale.

    The mean of M networks with h hidden units is one network with M h.
    """
    with np.errstate(over="ignore"):
        coefs, intercepts = zip(*starmap(scale.fold, map(network.unpack, members)))
        (W1, W2), (b1, b2) = zip(*coefs), zip(*intercepts)
        W1, W2 = np.hstack(W1), np.vstack(W2) / len(W2)
        b1, b2 = np.concatenate(b1), np.mean(b2, axis=0)
        return [W1.astype(dtype), W2.astype(dtype)], [b1.astype(dtype), b2.astype(dtype)]


def are_equal(weights, others):
    """Return whether two pairs of coefs and intercepts are the same, number by number."""
    pairs = ((a, b) for one, other in zip(weights, others) for a, b in zip(one, other))
    return all(np.array_equal(a, b) for a, b in pairs)


def checksum(coefs, intercepts):
    """A number that tells whether weights are still those of a fit, bit by bit."""
    number = 0
    for array in (*coefs, *intercepts):
        number = crc32(np.ascontiguousarray(array), number)
    return number


def float_arrays(weights):
    """Arrays of float32 or float64 from those, or array-likes, that a user has assigned."""
    arrays = map(np.asarray, weights)
    return [a if a.dtype.char in "fd" else a.astype(np.float64) for a in arrays]


def check_shapes(coefs, intercepts, f=None, k=None):
    """Refuse weights that make no network, or none of f inputs and k outputs if these are known."""
    shapes = [array.shape for array in (*coefs, *intercepts)]
    if len(shapes) == 4 and len(shapes[0]) == len(shapes[1]) == 2:
        (f_found, h), (_, k_found) = shapes[:2]
        f, k = f_found if f is None else f, k_found if k is None else k
        if shapes == [(f, h), (h, k), (h,), (k,)]:
            return
    raise ValueError(
        f"coefs_ and intercepts_ have shapes {shapes}, but a network of f={f or 'any'} inputs and "
        f"k={k or 'any'} outputs needs W1 (f, h), W2 (h, k), b1 (h,) and b2 (k,). Assign such "
        "arrays, or start with a clone."
    )


@dataclass(frozen=True)
class Resume:
    """What going on needs beside the weights."""

    solver: str  # whose state it is
    state: StochasticState | float | None = None  # the moments of sgd and adam, the damping of lm
    random_state: np.random.RandomState | None = None  # of a stream: the orders of its batches


@dataclass(frozen=True)
class WarmStart:
    """Where a fit goes on from: weights in the user's units, and what belongs to them."""

    coefs: list
    intercepts: list
    targets: "RealTargets | LabelTargets | None" = None  # None of weights before any fit
    resume: Resume | None = None
    n_iter: int = 0  # until here: ``n_iter_``, ``t_`` and ``loss_curve_``, to which a stream adds
    n_rows: int = 0
    curve: tuple = ()
    is_assigned: bool = True  # whether no fit has set the weights
    scale: Standardization | None = None  # by which the fit has standardised, that has set them

    @classmethod
    def of(cls, attributes, learned):
        """The weights among the attributes {name: value} of an estimator; None without any.

        ``learned`` is what its fit has left behind beside them, or None. ValueError if the
        weights make no network, or are no finite numbers.
        """
        if "coefs_" not in attributes:
            return None
        behind = (None, None) if learned is None else (learned.targets, learned.resume)
        counts = [attributes.get(name, 0) for name in ("n_iter_", "t_")]
        curve = attributes.get("loss_curve_", ())
        coefs, intercepts = (float_arrays(attributes[name]) for name in ("coefs_", "intercepts_"))
        check_shapes(coefs, intercepts)
        if not np.isfinite(np.concatenate(coefs + intercepts, axis=None)).all():
            raise ValueError(
                "coefs_ or intercepts_ hold nan or infinity, from which no fit can go on. Assign "
                "finite numbers, or start with a clone."
            )
        is_assigned = learned is None or learned.checksum != checksum(coefs, intercepts)
        scale = None if learned is None else learned.scale
        return cls(coefs, intercepts, *behind, *counts, curve, is_assigned, scale)

    def params(self, network, scale, *, is_stream=False):
        """The weights (p,) on the standardised scale; ValueError if they have other shapes."""
        W1, W2 = self.coefs
        f, h, k = network.n_features, network.n_hidden, network.n_outputs
        if W1.shape != (f, h) or W2.shape != (h, k):
            if is_stream:
                raise ValueError(
                    f"partial_fit cannot go on from weights of shapes {[W1.shape, W2.shape]}: "
                    f"n_hidden={h} needs {[(f, h), (h, k)]}. Start with a clone of the estimator."
                )
            raise ValueError(
                f"warm_start cannot go on from weights of shapes {W1.shape} and {W2.shape}: this "
                f"fit has {f} features, n_hidden={h} and {k} outputs. Set warm_start=False."
            )
        return network.pack(*scale.unfold(self.coefs, self.intercepts), np.float64)

    def state(self, solver, *, is_stream=False):
        """Return the state that the solver goes on with, or None."""
        resume = self.resume
        if resume is None or resume.state is None or (is_stream and resume.random_state is None):
            return None
        if resume.solver == solver:
            return resume.state
        # The moments of another solver mean something else; a stream goes on without them.
        return replace(resume.state, rule_state=None) if is_stream else None


def random_state_of_stream(start, random_state):
    """The random numbers with which a stream goes on: a copy, as a call that is refused draws none.

    The first call begins with those of ``random_state``.
    """
    if start is None or start.resume is None or start.resume.random_state is None:
        return check_random_state(random_state)
    return deepcopy(start.resume.random_state)
