"""Weights to start from: drawn, or those of a warm start, unless they say nothing of the rows.

A fit standardises by its own rows. Weights that were learned in other units, as of a y whose level
was a thousand deviations away, start at F = 10^6. From there lm and L-BFGS have gone to the
constant, or to W2 = 200 and a network for which no row asks (docs/choices.md).
"""

from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_random_state

from sklearn_twolayer._fit.monitor import announce
from sklearn_twolayer._network.scale import Standardization, TanhForm
from sklearn_twolayer._optimize.stochastic import StochasticState

if TYPE_CHECKING:
    from sklearn_twolayer._data.labels import LabelTargets
    from sklearn_twolayer._data.targets import RealTargets

#: A warm start on rows in other units is left where it loses more than so many times as much as
#: weights that are drawn: networks that have hardly begun to learn lose about as much as these
#: (docs/choices.md).
FOREIGN = 1.25
#: Where these lose less than this share of the best constant, next to nothing is to be learned.
NOTHING = 0.01
#: Shifted it has to lose so many times less than they do: units that answer the same for all rows
#: lose a little less.
TELLING = 2.0
#: A start that loses so many times as much is a mistake, of which the user is warned, and left in
#: the same units, too: rows with other labels, targets of the other sign, or a step of gd that was
#: too long lose less.
ABSURD = 10.0


def initial_weights(random_state, network, constant, *, is_steep=False, is_constant=((), ())):
    """Weights (p,) of a network that starts near the ``constant`` raw prediction (k,).

    The first layer spreads the units over the data: entries of W1 have standard deviation
    1 / (2 sqrt f), so that z = x W1 has 1 / 2 at most for standardised x, and the biases spread the
    kinks or bends over the range of z. Starting twice as steep ended in worse optima
    (docs/choices.md); but h units that share the range of one input must be narrower the more they
    are. A regression by lm, whose steps steep units do not shorten, starts steeper by h^(1/f) / 5,
    if that is more than 1 (Nguyen & Widrow 1990, "Improving the learning speed of 2-layer neural
    networks by choosing initial values of the adaptive weights"). The logistic unit starts where
    the tanh unit starts (``TanhForm``).

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
    n_uncounted: float = 0.0  # of ``t_`` rows of a stream those that their weights do not count


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
        is_assigned = learned is None or not learned.is_of(coefs, intercepts)
        scale = None if learned is None else learned.scale
        return cls(coefs, intercepts, *behind, *counts, curve, is_assigned, scale)

    @property
    def n_uncounted(self):
        """Of the rows of the calls before those that their weights do not count."""
        return 0.0 if self.resume is None else self.resume.n_uncounted

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


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is no start
def near_the_rows(problem, settings, random_state):
    """The problem with a warm start that suits its rows, or with none; and a list of warnings.

    The start stays, unless its mean loss is more than ``FOREIGN`` times that of weights that
    are drawn, or ``ABSURD`` times in the units of its own rows. It is then shifted to the level of
    y, if it loses less than half as much as these there; else it says nothing of these rows. A
    stream goes on in the units of its first batch, and weights that no fit has set are where the
    user wants to start: both stay as they are.
    """
    start = problem.start
    if start.is_assigned or settings.is_stream:
        return problem, []
    params = start.params(problem.network, problem.scale)
    drawn = problem.draw_start(deepcopy(random_state), settings)
    with ExitStack() as stack:
        mean_loss = problem.mean_loss(problem.table, np.float64, stack)
        lost, usual = mean_loss.value(params), mean_loss.value(drawn)
        most = FOREIGN * usual if _are_other_units(start.scale, problem.scale) else ABSURD * usual
        if lost <= max(most, NOTHING * problem.constant_loss) or not usual:
            return problem, []
        shift = _shift_to_level(mean_loss, params)
        if TELLING * mean_loss.value(params + shift) < usual:
            b2 = start.intercepts[1] + problem.network.unpack(shift)[-1] * problem.scale.y_scale
            b2 = b2.astype(start.intercepts[1].dtype)
            start = replace(start, intercepts=[start.intercepts[0], b2], resume=None)
            told = _told(settings, lost, usual, "b2 has been shifted to the level of y")
            return replace(problem, start=start), told
    told = _told(settings, lost, usual, "the fit has begun with drawn ones")
    return replace(problem, start=None), told


def _are_other_units(scale, other):
    """Whether two standardisations differ, as those of other rows do; without one they do not."""
    parts = [(each.mean, each.scale, each.y_mean, each.y_scale) for each in (scale, other)]
    return not all(map(np.array_equal, *parts))


def _shift_to_level(mean_loss, params):
    """The change (p,) of weights (p,) to the best b2 that there is for the others, or zeros.

    Of the squared error of k identity outputs dF/db2 = 2 mean(Z2 - y) / k, and

        b2 <- b2 - k / 2 dF/db2
    """
    shift = np.zeros_like(params)
    if mean_loss.loss.is_quadratic:
        _, gradient = mean_loss.value_and_gradient(params)
        *_, db2 = mean_loss.network.unpack(gradient)
        shift[-len(db2) :] = -len(db2) / 2 * db2
    return shift


def _told(settings, lost, usual, what):
    """The warnings of a start that was left, [] where only a verbose fit tells of it."""
    said = (
        f"warm_start=True: the weights of the last fit lose {lost:.3g} on these rows, where "
        f"weights that are drawn lose {usual:.3g}. They are of other rows, in other units, or too "
        f"sure of themselves, and {what}. Set warm_start=False to begin anew, or call partial_fit "
        "to go on in the units of the first fit."
    )
    if lost > ABSURD * usual:
        return [UserWarning(said)]
    announce(settings, said)
    return []
