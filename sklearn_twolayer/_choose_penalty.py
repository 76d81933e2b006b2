"""alpha="auto": the evidence, unless a rival predicts left-out rows better.

Candidates, each started where another ended, so that all of them together cost about
three fits:

1. the evidence with one precision for each group of weights,
2. the evidence with one precision for each input column (ARD),
3. a few fixed penalties, weak and strong ones.

They are compared by the loss of each row when it is left out, which for a
network linearised in its weights needs no refit (approximate leave-one-out
cross-validation; Rad & Maleki 2020). The evidence alone would not do: it is
superb at low noise, and under-regularises under heavy tails or with more weights
than rows. A row of weight 2 counts as two rows of which one is left out, so the
choice is the same for weights and repeats.

A strategy yields, stage by stage, what the fit would be if it ended there: so a fit
can be stopped at any time.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import OptimizeResult

from sklearn_twolayer._auto import TRIAL_STEPS
from sklearn_twolayer._evidence import (
    Precisions,
    effective_parameters,
    maximize_evidence,
    posterior_factor,
)
from sklearn_twolayer._minimize import INTERRUPTED, OUT_OF_ITERATIONS, was_stopped
from sklearn_twolayer._objective import penalty_groups

#: Prior precision before the evidence first changes it, and the steps taken under it, for
#: squared error and log loss. A regression that is held back while it learns ends up
#: pruned, so a weak prior is tried first, and a strong one where the weak one lets the
#: weights use up the residuals; a classification that is not held back saturates.
FIRST_PRECISIONS = {True: ((0.03, 20), (1.0, 10)), False: ((1.0, 10),)}
MAX_EFFECTIVE_SHARE_AT_START = 0.25
#: Most accepted steps: of the first evidence, of ARD after it, of each fixed penalty,
#: and to the minimum under the penalty that was chosen.
MAX_STEPS = {"evidence": 50, "ard": 40, "fixed": 15, "finish": 20}
#: Fixed penalties on W1 and W2, for squared error and log loss, in sequences that start where
#: the evidence ended; the biases get a hundredth, so that no weight is free.
FIXED_PENALTIES = {
    True: ((3e-4, 1e-3, 3e-3, 1e-2, 3e-2), (1e-5, 3e-5, 1e-4)),
    False: ((3e-4, 1e-3, 3e-3, 1e-2, 3e-2),),
}
BIAS_SHARE = 0.01
#: A later candidate must be better by this factor: rounding must not decide.
MARGIN = 0.99
#: Factor on the leverage of a row. 1 is exact for a linear model under squared
#: error; under log loss the curvature changes when a row leaves.
INFLATION = {True: 1.0, False: 1.2}
#: Share of the residuals that the weights may use up: beyond it the linearised network no longer
#: tells what a fit without a row would do.
MAX_JUDGED_SHARE = 0.6


@dataclass(frozen=True)
class SecondOrderFit:
    """What the strategies need: the model of F, its minimiser and the likelihood.

    ``other_starts`` are weights (p,) that a fit may start from instead.
    """

    model: object
    minimize: object
    likelihood: object
    max_iter: int
    other_starts: tuple = ()

    def groups(self, per_input):
        """Group (p,) of each parameter."""
        return penalty_groups(self.model.objective.network, per_input)


def evidence(fit, params, damping=None):
    """The evidence with a precision for each of W1, b1, W2 and b2."""
    groups = fit.groups(per_input=False)
    for precision, steps in FIRST_PRECISIONS[fit.likelihood.is_gaussian]:
        start = Precisions(np.full(groups.max() + 1, precision), 1.0)
        penalty = start.penalty(fit.likelihood)
        learned = _minimize_fixed(fit, params, penalty, damping, min(steps, fit.max_iter))
        yield learned
        if not _is_too_flexible(fit, learned, MAX_EFFECTIVE_SHARE_AT_START):
            break
    for found in _maximize(fit, learned, groups, start, "evidence"):
        yield found
    yield _finish(fit, found)


def automatic_relevance(fit, params, damping=None):
    """The evidence, then the evidence with a precision for each input column.

    Starting where the groups ended avoids the poor optima of networks that are
    pruned before they have learned what is relevant.
    """
    for found in evidence(fit, params, damping):
        yield found
    for refined in _refine_relevance(fit, found):
        yield refined
    yield _finish(fit, refined)


def fixed(fit, params, damping=None, *, alpha):
    """Minimise F under a float alpha on W1 and W2; biases are free.

    Of several starts, each of which gets a few steps, the best two go on to the end.
    """
    penalty = np.array([alpha, 0.0, alpha, 0.0])
    if not fit.other_starts:
        yield _minimize_fixed(fit, params, penalty, damping, fit.max_iter)
        return
    trials = []
    for start in (params, *fit.other_starts):
        trials.append(_minimize_fixed(fit, start, penalty, damping, TRIAL_STEPS))
        yield _least(trials)
    first = _least(trials)
    second = _least([trial for trial in trials if trial is not first])
    finished = []
    for trial in (first, second):
        finished.append(_to_the_end(fit, trial))
        yield _least(finished)


def _least(results):
    """The result with the least F, ties to the earlier; a stopped copy if the last was stopped."""
    least = results[0]
    for result in results[1:]:
        if result.fun < MARGIN * least.fun:
            least = result
    return OptimizeResult(least, status=results[-1].status) if was_stopped(results[-1]) else least


def _to_the_end(fit, result):
    """The rest of the steps; none of a result that has converged."""
    steps = fit.max_iter - len(result.curve)
    return _go_on(fit, result, steps) if result.status == OUT_OF_ITERATIONS and steps else result


def automatic(fit, params, damping=None):
    """The candidate with the least leave-one-out loss, in order and with a margin."""
    for chosen in evidence(fit, params, damping):
        yield chosen
    least = leave_one_out_loss(fit, chosen)
    for candidate in _rivals(fit, chosen):
        if was_stopped(candidate):  # half-way to its minimum, it cannot be judged
            yield OptimizeResult(chosen, status=candidate.status)
            return
        loss = leave_one_out_loss(fit, candidate)
        if loss < MARGIN * least:
            chosen, least = candidate, loss
            yield chosen
    yield _finish(fit, chosen)


def _rivals(fit, start):
    yield _last(_refine_relevance(fit, start))
    for penalties in FIXED_PENALTIES[fit.likelihood.is_gaussian]:
        params, damping, curve = start.x, None, start.curve
        for alpha in penalties:
            penalty = alpha * np.array([1.0, BIAS_SHARE, 1.0, BIAS_SHARE])
            steps = _steps_left(fit, "fixed", curve)
            candidate = _minimize_fixed(fit, params, penalty, damping, steps)
            params, damping, curve = candidate.x, candidate.damping, curve + candidate.curve
            yield OptimizeResult(candidate, curve=curve)


def _refine_relevance(fit, result):
    groups = fit.groups(per_input=True)
    prior = result.precisions.prior
    first = np.full(fit.model.objective.network.n_features, prior[0])
    start = Precisions(np.append(first, prior[1:]), result.precisions.noise)
    return _maximize(fit, result, groups, start, "ard")


def _maximize(fit, result, groups, start, name):
    """The evidence from where an earlier result ended."""
    for found in maximize_evidence(
        fit.model,
        fit.minimize,
        result.x,
        groups,
        start,
        fit.likelihood,
        burn_in=1,
        max_iter=_steps_left(fit, name, result.curve),
        damping=result.damping,
    ):
        yield OptimizeResult(found, curve=result.curve + found.curve)


def _steps_left(fit, name, curve):
    return min(MAX_STEPS[name], max(fit.max_iter - len(curve), 0))


def _minimize_fixed(fit, params, penalty, damping, max_iter):
    groups = fit.groups(per_input=False)
    result = fit.minimize(params, penalty[groups], max_iter, damping)
    return OptimizeResult(result, groups=groups, penalty=penalty, precisions=None)


def _finish(fit, result):
    """The minimum of F under the chosen penalty."""
    return _go_on(fit, result, _steps_left(fit, "finish", result.curve))


def _go_on(fit, result, max_iter):
    """Further steps under the same penalty."""
    last = fit.minimize(result.x, result.penalty[result.groups], max_iter, result.damping)
    kept = {name: result[name] for name in ("groups", "penalty", "precisions")}
    return OptimizeResult(last, **kept, curve=result.curve + last.curve)


def leave_one_out_loss(fit, result):
    """Mean loss of the rows, each predicted without itself; inf for too flexible a fit."""
    if _is_too_flexible(fit, result, MAX_JUDGED_SHARE):
        return np.inf
    factor = _factor(fit, result)
    objective, inflation = fit.model.objective, INFLATION[fit.likelihood.is_gaussian]
    return objective.leave_one_out_loss(result.x, fit.model.rows, factor, inflation)


def _factor(fit, result):
    _, _, curvature = fit.model.data_term(result.x)
    return posterior_factor(curvature.with_diagonal(result.penalty[result.groups]))


def _is_too_flexible(fit, result, max_share):
    """Whether the weights use up more than a share of the residuals."""
    n_effective = effective_parameters(result.groups, result.penalty, _factor(fit, result)).sum()
    return n_effective > max_share * fit.likelihood.n_residuals


def _last(stages):
    """The last stage, or the one that was stopped."""
    for result in stages:
        if was_stopped(result):
            break
    return result


def _so_far(stages, fit, params, damping=None):
    """The last stage; the last whole one after a KeyboardInterrupt between or within stages."""
    result = None
    try:
        for result in stages(fit, params, damping):
            if was_stopped(result):
                break
    except KeyboardInterrupt:
        if result is None:
            raise
        result = OptimizeResult(result, status=INTERRUPTED)
    return result


def most_steps(alpha, max_iter, n_starts, is_gaussian):
    """At most so many steps are taken in all stages of the strategy for alpha."""
    if not isinstance(alpha, str):
        several = n_starts * TRIAL_STEPS + 2 * (max_iter - TRIAL_STEPS)
        return several if n_starts > 1 else max_iter
    stages = [steps for _, steps in FIRST_PRECISIONS[is_gaussian]]
    stages += [MAX_STEPS["evidence"], MAX_STEPS["finish"]]
    if alpha != "evidence":
        stages += [MAX_STEPS["ard"], MAX_STEPS["finish"]]
    if alpha == "auto":
        stages += [MAX_STEPS["fixed"]] * sum(map(len, FIXED_PENALTIES[is_gaussian]))
    return sum(min(steps, max_iter) for steps in stages)


STRATEGIES = {"evidence": evidence, "ard": automatic_relevance, "auto": automatic}


def strategy(alpha):
    """``strategy(fit, params) -> OptimizeResult`` for a value of the parameter alpha."""
    stages = STRATEGIES[alpha] if isinstance(alpha, str) else partial(fixed, alpha=alpha)
    return partial(_so_far, stages)
