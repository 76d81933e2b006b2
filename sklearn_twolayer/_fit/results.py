"""What a fit publishes: its weights, their posterior, and how much each column of X matters.

The Gauss-Newton matrix of the posterior takes n p^2 multiply-adds and is needed once. Where that
is too much it is estimated from a random part of the rows: the mean over the part, that is their
sum scaled by S / S_part. The residuals are those of all rows.
"""

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import starmap
from operator import attrgetter
from zlib import crc32

import numpy as np

from sklearn_twolayer._bayes.noise import NOISE_PRECISION_BOUNDS
from sklearn_twolayer._bayes.posterior import MAX_WEIGHTS, PointMass, is_moderated, posterior_of
from sklearn_twolayer._fit.auto import is_affordable, n_params
from sklearn_twolayer._fit.monitor import INTERRUPT, best_step
from sklearn_twolayer._fit.weights import Resume
from sklearn_twolayer._network.activations import ACTIVATIONS
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.scale import moments_of
from sklearn_twolayer._optimize.full_batch import OUT_OF_ITERATIONS

#: Steps of sgd and adam that had to be shortened by this factor are told.
MANY_TIMES = 1000
#: The mean of two predictors with errors of variance v and c v, correlated by r, is better than the
#: first alone if c + 2 r sqrt(c) < 3: networks of the same rows, with r = 0.35, up to c = 2.
MOST_TIMES_THE_LEAST = 2.0
#: By what share of the least loss gradient descent must end above it to be told.
SWING = 1e-3
#: n p^2 of the rows that a matrix is made of, about a second on one core (2.5 to 3.5e10).
MAX_COST = 3e10
#: Several outputs take so many times as long for the same n p^2 (1.3 to 3.6 of 2 to 10).
COST_OF_SEVERAL_OUTPUTS = 2
#: n k p^2 of the rows whose own predictions are judged, a tenth of a second or two; and their least
#: number.
MAX_COST_OF_JUDGED, MIN_JUDGED = 3e9, 100

TOO_MANY_WEIGHTS = (
    "its {p} weights are more than the {most:,} of a Gauss-Newton matrix that can be afforded: "
    "choose a smaller n_hidden"
)
STREAM = (
    "it was trained by partial_fit, whose last batch does not stand for all rows: call fit with "
    "warm_start=True on rows that do"
)
#: Beyond so many rows a part of them tells as much of the relevance of the columns.
MAX_ROWS = 2**14
#: Rows of a block.
ROWS_AT_ONCE = 1024


def whole_members(fits):
    """The members of a committee that were not cut short; if all were, those that have begun.

    Some starts end where the network has not learned, and would be averaged with those that have:
    members that predict left-out rows more than twice as badly as the best are left out, too.

    How far networks of different starts differ is told by n members with n - 1 degrees of freedom,
    and by the M that are left with M - 1. The share that they no longer tell takes the variance of
    a network for that between starts, and widens the posteriors: all of it where one is left, for
    which M - 1 = 0.
    """
    begun = [fit for fit in fits if fit.params is not None]
    uncut = [fit for fit in begun if fit.ending is None] or begun
    lost = [np.inf if fit.left_out_share is None else fit.left_out_share for fit in uncut]
    most = MOST_TIMES_THE_LEAST * max(min(lost), 1 / NOISE_PRECISION_BOUNDS[1])
    members = [fit for fit, share in zip(uncut, lost) if share <= most]
    n, M, posteriors = len(uncut), len(members), [fit.posterior for fit in members]
    if n == M or None in posteriors:
        return members
    times = 1 + (n - M) / (n - 1)
    wider = [replace(bars, temperature=times * bars.temperature) for bars in posteriors]
    return [replace(fit, posterior=bars) for fit, bars in zip(members, wider)]


def published(problem, settings, members, random_state):
    """What a fit publishes: the members and the scaling folded into one network.

    Curves and counts are those of the member with the least F. Of the two dicts {name: value} the
    first has the fitted attributes, and the second what the fit leaves behind beside them, by its
    names in ``Learned``: what going on needs, and the posteriors of the members, or why there are
    none. ValueError if the weights do not fit into the dtype of X.
    """
    best, dtype = min(members, key=attrgetter("loss")), problem.table.dtype
    params = map(attrgetter("params"), members)
    coefs, intercepts = published_weights(problem.scale, problem.network, params, dtype)
    are_numbers = np.isfinite(np.concatenate(coefs + intercepts, axis=None)).all()
    if not are_numbers or problem.scale.y_scale.min() < np.finfo(dtype).tiny:
        raise ValueError(
            f"The weights do not fit into {dtype} in the units of X and y. Scale the "
            "columns of X and y, or pass float64."
        )
    n_iter, n_rows, curve, start = 0, 0, (), problem.start
    if settings.is_stream and start is not None:
        n_iter, n_rows, curve = start.n_iter, start.n_rows, start.curve
    taken, curve = max(len(best.steps), 1), [*curve, *best.curve]
    scores = best.validation_scores
    attributes = {
        "coefs_": coefs,
        "intercepts_": intercepts,
        "solver_": settings.solver,
        "n_iter_": n_iter + taken,
        "t_": n_rows + taken * problem.table.n_rows,
        "loss_curve_": curve,
        "loss_": float(best.loss),
        "best_loss_": None if settings.early_stopping else min(curve),
        "validation_scores_": scores or None,
        "validation_loss_curve_": best.validation_losses or None,
        "best_validation_score_": max(scores, default=None),
        "penalty_": best.penalty.strengths,
    }
    if settings.early_stopping and scores:
        attributes["loss_"] = curve[best_step(scores, best.validation_losses)]
    attributes |= relevance(problem, coefs, intercepts)
    left = {"is_committee": len(members) > 1, "checksum": checksum(coefs, intercepts)}
    if settings.is_stream:
        uncounted = max(problem.table.n_rows - problem.size.n_counted, 0.0)
        uncounted += 0.0 if start is None else start.n_uncounted
        left["resume"] = Resume(settings.solver, best.resume, random_state, uncounted)
    elif settings.warm_start:
        left["resume"] = Resume(settings.solver, best.resume)
    if best.posterior is None:
        weights = TOO_MANY_WEIGHTS.format(p=problem.network.n_params, most=MAX_WEIGHTS)
        left["no_error_bars"] = STREAM if settings.is_stream else weights
        return attributes, left
    left["posteriors"] = list(map(attrgetter("posterior"), members))
    return attributes | _statistics(problem, best, left["posteriors"]), left


def _statistics(problem, fit, posteriors):
    """What the posterior of a fit says of the weights and the evidence, and all of the noise.

    The variance of the noise is the mean over the members, as it is in the error bars.
    """
    posterior, y_scale = fit.posterior, problem.scale.y_scale
    if isinstance(posterior, PointMass):
        return {}
    statistics = {"n_effective_params_": posterior.n_effective, "curvature_rows_": posterior.n_rows}
    if problem.targets.is_numeric:
        beta = posterior.noise_precision
        of_members = list(map(attrgetter("noise_precision"), posteriors))
        beta = beta / np.mean(beta / of_members, axis=0)
        with np.errstate(over="ignore"):  # of targets so small that it is no float, infinite
            precision = beta / y_scale / y_scale
        one_target = len(precision) == 1
        statistics["noise_precision_"] = float(precision[0]) if one_target else precision
    if (fit.penalty.strengths > 0).all():
        statistics["prior_precision_"] = fit.penalty.strengths * posterior.scale
        shift = np.log(y_scale).sum() * posterior.total_weight
        statistics["log_marginal_likelihood_"] = float(posterior.log_marginal_likelihood - shift)
    return statistics


def why_unfinished(settings, fits, members, attributes):
    """What to say of a fit that ended before it had converged, and of its steps; [] of others.

    Of all ``fits`` the ``members`` are kept; the ``attributes`` are what they publish.
    """
    n_iter, loss = attributes["n_iter_"], attributes["loss_"]
    of_steps = _complaint_of_steps(settings, min(members, key=attrgetter("loss")))
    found = [] if of_steps is None else [of_steps]
    if settings.is_stream:  # one call of which never is the end
        return found
    n_members, how_far = settings.n_members, f"n_iter_={n_iter}, loss {loss:.4g}"
    how_far += f", {len(members)} of {n_members} members" if n_members > 1 else ""
    endings = set(map(attrgetter("ending"), fits)) - {None}
    if endings:
        return [_why_cut_short(settings, endings, how_far), *found]
    limit = settings.max_iter + settings.n_free_steps
    if any(fit.status == OUT_OF_ITERATIONS and len(fit.steps) >= limit for fit in members):
        out_of_iterations = (
            f"solver={settings.solver!r} stopped at max_iter={limit} before it "
            f"converged (loss {loss:.4g}). Increase max_iter, or choose a tol "
            f"larger than {settings.tol:g}."
        )
        return found or [out_of_iterations]
    return found


def _why_cut_short(settings, endings, how_far):
    """Whether the user or the clock ended the fit, and ``how_far`` it has come."""
    if INTERRUPT in endings:
        return f"Training interrupted by the user ({how_far}): the best weights so far are kept."
    is_bound = settings.solver in ("sgd", "adam") or settings.alpha in ("evidence", "ard")
    of_many_rows = "" if is_bound else ", or of many rows solver='adam'"
    return (
        f"The fit ended at max_time={settings.max_time:g} seconds before it converged "
        f"({how_far}): the best weights so far are kept. Increase max_time, or make the fit "
        f"cheaper: fewer n_hidden or n_members, a larger tol{of_many_rows}."
    )


def _complaint_of_steps(settings, fit):
    """What to say of steps that were too long, or None."""
    asked, taken = settings.learning_rate, fit.learning_rate
    if asked and taken is not None and asked > MANY_TIMES * taken:
        return (
            f"learning_rate={asked:.3g} is far too large: the loss exploded until steps were taken "
            f"at {taken:.3g}. Try learning_rate='auto'."
        )
    swings = settings.solver == "gd" and fit.curve[-1] > (1 + SWING) * fit.loss
    if not swings or settings.early_stopping:
        return None
    return (
        f"The loss of gradient descent swings: it was {fit.loss:.4g} in iteration "
        f"{int(np.argmin(fit.curve)) + 1}, whose weights are kept, and {fit.curve[-1]:.4g} at the "
        f"end, with learning_rate={taken:.3g}. Try learning_rate={taken / 3:.2g}."
    )


def rows_of_curvature(size, n_hidden):
    """How many rows the matrix is made of; 0 of too many weights.

    All of them if their n p^2 is not more than a second. Otherwise as many as that, but no
    fewer than have 2 p residuals: the prior helps where they leave a direction out.
    """
    p, k = n_params(size, n_hidden), size.n_outputs
    if is_affordable(size, n_hidden):
        return size.n_rows
    if p > MAX_WEIGHTS:
        return 0
    cost_of_row = p**2 * (1 if k == 1 else COST_OF_SEVERAL_OUTPUTS)
    return min(size.n_rows, max(int(MAX_COST / cost_of_row), -(-2 * p // k)))


def posterior_of_fit(problem, fit, lost=None):
    """The posterior of the weights of a fit, or None where these are too many.

    The share of the variance of y that left-out rows have ``lost`` is None where nobody knows it.
    Of a classifier that is not moderated the matrix has only the evidence to tell, where all
    weights have a prior; else there is none.
    """
    network, size = problem.network, problem.size
    p, k = network.n_params, network.n_outputs
    n_rows = rows_of_curvature(size, network.n_hidden)
    if n_rows == 0:
        return None
    has_evidence = (fit.penalty.strengths > 0).all()
    if not (size.is_regression or has_evidence or is_moderated(network, n_rows)):
        return PointMass(network, fit.params)
    is_alone = size.is_regression and k == 1  # with all of the leverages
    n_judged = n_rows if is_alone else max(int(MAX_COST_OF_JUDGED / (k * p**2)), MIN_JUDGED)
    with ExitStack() as stack:
        over = partial(problem.mean_loss, dtype=np.float64, stack=stack)
        part = over(problem.table.part(n_rows), width=network.width_of_matrix)
        few = problem.table.part(min(n_judged, n_rows))
        few = over(few, width=max(network.width, network.n_first))
        everything = part if n_rows == size.n_rows else over(problem.table)
        return posterior_of(
            everything, fit.params, fit.penalty, part=part, few=few, left_out_share=lost
        )


def relevance(problem, coefs, intercepts):
    """``feature_relevance_`` and ``feature_importances_``.

    The root mean square over the rows of d Z2 / d x, in standard deviations of x (f,), and its
    shares, which are all alike where nothing is relevant.

    By the chain rule the gradient of Z2 in x is sum_j W1_fj g'(z1_j) W2_jc. Its square,
    summed over the outputs, needs one matrix (h, h) of the rows, D'D with D = g'(Z1), and
    nothing that is as wide as X: W1 (D'D * W2 W2') W1'. With several outputs it is the
    root of the mean over them, of targets in units of their own standard deviation;
    softmax looks at differences of its outputs only, so their mean is taken out first.
    The weights are in the units of X and y: of a whole committee.
    """
    (W1, W2), moments = coefs, problem.moments.get("X") or moments_of(problem.table, "X")
    spread, half_range = moments.scale, moments.greatest / 2 - moments.least / 2
    spread = np.where(np.isfinite(spread), spread, half_range)  # its most where it overflows
    spread = np.where(moments.is_constant, 0.0, spread)
    W1, W2 = W1 * spread[:, None], W2 / problem.scale.y_scale
    largest = np.abs(W1).max(axis=1)
    W1 = W1 / np.where(largest > 0, largest, 1)[:, None]  # whose squares do not overflow
    if problem.targets.loss.ignores_shift:
        W2 = W2 - W2.mean(axis=1, keepdims=True)
    network = TwoLayerNetwork(*coefs[0].shape, len(intercepts[1]), problem.network.activation)
    params, step = network.pack(coefs, intercepts, np.float64), -(-problem.table.n_rows // MAX_ROWS)

    def block(X, y, weight):  # S and D'D of every so many rows
        X, weight = X[::step], None if weight is None else weight[::step]
        weight = np.ones(X.shape[0]) if weight is None else weight
        _, A1 = network.forward(params, X)
        D = ACTIVATIONS[network.activation].derivative(A1, out=np.empty_like(A1))
        return weight.sum(), (D * weight[:, None]).T @ D

    with problem.table.raw_rows("X", ROWS_AT_ONCE) as rows:
        S, DD = rows.sum(block)
    matrix = DD / S * (W2 @ W2.T) / W2.shape[1]
    relevances = largest * np.sqrt(np.maximum(((W1 @ matrix) * W1).sum(axis=1), 0))
    total, alike = relevances.sum(), np.full(len(relevances), 1 / len(relevances))
    shares = relevances / total if total > 0 else alike
    return {"feature_relevance_": relevances, "feature_importances_": shares}


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
