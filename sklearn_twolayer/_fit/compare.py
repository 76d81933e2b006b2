"""The penalty by comparison: that whose networks predict best the rows that they left out."""

from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field, replace

import numpy as np

from sklearn_twolayer._bayes.copies import left_out_shares, replicates_tell_noise
from sklearn_twolayer._bayes.cross_validate import (
    CLASSES_GRID,
    FEW_NUMBERS_GRID,
    MARGIN,
    NUMBERS_GRID,
    Grid,
    n_folds_asked,
    rows_told,
)
from sklearn_twolayer._bayes.noise import Likelihood
from sklearn_twolayer._fit.auto import (
    compares_penalties,
    finds_by_evidence,
    is_gradient_cheap,
    is_small,
    n_params,
    rows_to_compare,
    unit_precision,
)
from sklearn_twolayer._fit.left_out import COMPARING_SHARE, LeftOut, bits_of_labels
from sklearn_twolayer._fit.monitor import Stop, Watch, announce
from sklearn_twolayer._fit.results import MAX_WEIGHTS
from sklearn_twolayer._fit.run import training_of
from sklearn_twolayer._fit.training import LEARNING_STEPS
from sklearn_twolayer._fit.weights import member_states
from sklearn_twolayer._network.objective import Penalty

#: How many times less the alpha of W2 may be, where bends pay; and by what factor left-out rows
#: must be predicted better for it, or for more units: networks that have gone that far are
#: uncertain by two per cent.
TIMES_LESS, LARGE_MARGIN = (10.0, 100.0), 0.95
#: How many times as many units are another width, and not only another start.
LEAST_TIMES_WIDER = 1.5
#: Under how many times less than a penalty networks learn before.
LEARNING_TIMES_LESS = 10


@dataclass(frozen=True)
class Comparison:
    """What folds of left-out rows tell of penalties, one fold after another.

    A penalty is a pair: a strength, S alpha in units of that of a unit prior, and the ratio of the
    alpha of W1 to that of W2, whose geometric mean is alpha. ``losses`` is asked for each fold, and
    what it has told by the others.
    """

    networks: LeftOut
    start: np.ndarray  # (p,), where networks start
    shares: np.ndarray  # (n, 5) of each row that each fold leaves out
    n_dealt: int  # how many rows the folds share out
    bits: float  # that a label tells
    told: list = field(default_factory=list)  # {pair: (sum of losses, weights)} of whole folds

    @classmethod
    def of(cls, problem, settings, start, deadline):
        """The comparison of a problem, before any fold; it has a part of the time at most."""
        table, are_labels = problem.table, not problem.size.is_regression
        options = {"frequency": table.frequency, "are_labels": are_labels}
        options["are_few"] = is_small(problem.size)
        shares, n_dealt = left_out_shares(table.X, table.encoded, problem.scale, **options)
        solver, max_iter = settings.solver, min(settings.max_iter, LEARNING_STEPS)
        if solver == "adam":  # whose max_iter counts epochs
            solver, max_iter = "lbfgs", LEARNING_STEPS
        brief = replace(settings, solver=solver, max_iter=max_iter)
        networks = LeftOut(problem, brief, deadline.share(COMPARING_SHARE))
        bits = bits_of_labels(problem, shares.any(axis=1)) if are_labels else 1.0
        return cls(networks, start, shares, n_dealt, bits)

    def losses(self, number, strengths):
        """What is lost of the rows of a fold; see ``Grid.choose``."""
        settings, n_rows = self.networks.settings, np.count_nonzero(self.shares[:, number])
        n_folds = n_folds_asked(self.n_dealt, self.bits)
        where = f"{n_rows} left-out rows, fold {number + 1} of {n_folds}"
        announce(settings, f"Comparing {len(strengths)} penalties on {where}")
        pairs = [(strength, 1.0) for strength in strengths]
        penalties = [self._penalty(pair) for pair in pairs]
        found = self.networks.fits(self.shares[:, number], self.start, penalties)
        if len(found) == len(pairs):
            self.told.append(dict(zip(pairs, found)))
        return [loss for loss, _ in found]

    def mean_lost(self, pair):
        """The mean loss under a penalty of the rows that were left out; infinite if none were."""
        if not self.told:
            return np.inf
        return sum(fold[pair][0] for fold in self.told) / self._told_weight

    def mean_lost_by_evidence(self, pair):
        """That of the evidence; infinite as soon as it is no less than under the penalty."""
        announce(self.networks.settings, "Comparing penalties: those that the evidence finds")
        total, most = 0.0, MARGIN * sum(fold[pair][0] for fold in self.told)
        for number in range(len(self.told)):
            total += self.networks.loss_by_evidence(self.shares[:, number], self.start)
            if total >= most:
                return np.inf
        return total / self._told_weight

    @property
    def _told_weight(self):
        """The weight of the rows that were left out."""
        weight = self.networks.problem.table.weight
        out = self.shares[:, : len(self.told)].sum(axis=1)
        return out.sum() if weight is None else weight @ out

    def by_wider(self, strength, n_hidden, start):
        """The same of networks of more units, and their strength; None where these lose no less.

        They start at the weights ``start`` (p,), learn first, and are asked under unit precision
        and under the ``strength`` of fewer units: what these learn takes less of more of them.
        Folds are asked in turn, as long as those so far lose less.
        """
        announce(self.networks.settings, f"Comparing widths: {n_hidden} units")
        networks = replace(self.networks, problem=self.networks.problem.of_width(n_hidden))
        wider, strengths = replace(self, networks=networks, start=start, told=[]), {1.0, strength}
        before, lost = 0.0, {}
        for number, fold in enumerate(self.told):
            wider.losses(number, (1 / LEARNING_TIMES_LESS, *sorted(strengths)))
            if len(wider.told) == number:  # the time is over
                return None
            before += fold[strength, 1.0][0]
            lost = {each: sum(fold[each, 1.0][0] for fold in wider.told) for each in strengths}
            if min(lost.values()) >= before:
                return None
        if not lost or min(lost.values()) >= LARGE_MARGIN * before:
            return None
        return wider, Grid((1.0, strength), 0).least(lost)

    def networks_under(self, pair):
        """The weights (p,) of the network of each fold under a penalty."""
        return tuple(fold[pair][1] for fold in self.told)

    def best_of(self, grid):
        """The penalty of a grid under which left-out rows lose least, or one beyond it."""
        strength = grid.choose(self.losses, self.n_dealt, self.bits)
        if strength != grid.strengths[-1]:
            return strength, 1.0
        return self.beyond(strength, grid.stronger)

    def beyond(self, strength, stronger):
        """That of a strength, or of the one of ``stronger`` up to which each loses less."""
        heading = "Comparing penalties: {:g} times a unit prior"
        candidates = {(each, 1.0): heading.format(each) for each in stronger}
        return self._last_better((strength, 1.0), candidates)

    def with_cheaper_bends(self, pair):
        """The penalty, or one under which networks that bend predict left-out rows better.

        A boundary that is curved all around takes the second derivative of units that bend little:
        small W1 and large W2, W2 g''(Z1) W1 W1'. One alpha for both forbids it: half of W1 takes
        four times W2. What the same bend costs least knows a1^2 a2 alone, which stays:
        min over t of a1 t^2 |W1|^2 + a2 |W2|^2 / t^4 is in proportion to (a1^2 a2)^(1/3).

        The alpha of W2 becomes ten times less, and that of W1 sqrt(10) times more, as long as less
        is lost of the same rows; by a twentieth in all, since rounding must not decide.
        """
        strength, ratio = pair
        heading = "Comparing penalties: W2 {:g} times less, W1 {:.3g} times more"
        candidates = {
            (strength / times**0.25, ratio * times**1.5): heading.format(times, times**0.5)
            for times in TIMES_LESS
        }
        last = self._last_better(pair, candidates, is_raced=True)
        is_better = self.mean_lost(last) < LARGE_MARGIN * self.mean_lost(pair)
        return last if is_better else pair

    def _last_better(self, pair, candidates, *, is_raced=False):
        """The last of the candidates {pair: heading} up to which each loses less than that before.

        Or the ``pair`` itself. In a race one that is no better in the first fold is not asked of
        the others.
        """
        for candidate, heading in candidates.items() if self.told else ():
            announce(self.networks.settings, heading)
            found = self._fits_from(pair, candidate, is_raced)
            lost = sum(fold[pair][0] for fold in self.told)
            if found is None or sum(loss for loss, _ in found) >= MARGIN * lost:
                break
            for fold, fit in zip(self.told, found):
                fold[candidate] = fit
            pair = candidate
        return pair

    def _fits_from(self, pair, candidate, is_raced):
        """The loss and weights of each fold under another penalty, from where they are.

        None where the race is lost, or the time is over.
        """
        fits, penalty = [], self._penalty(candidate)
        for number, fold in enumerate(self.told):
            before, params = fold[pair]
            found = self.networks.further(self.shares[:, number], params, penalty)
            if not found or (is_raced and number == 0 and found[0][0] >= before > 0):
                return None
            fits += found
        return fits

    def _penalty(self, pair):
        """S times the penalty of a strength and a ratio."""
        strength, ratio = pair
        problem = self.networks.problem
        unit = unit_precision(problem.size) * problem.size.n_counted
        return Penalty.fixed(problem.network, strength * unit, ratio)


def grid_of(size):
    """The penalties among which the one for a problem of this size is chosen."""
    if not size.is_regression:
        return CLASSES_GRID
    return FEW_NUMBERS_GRID if is_small(size) else NUMBERS_GRID


def variance_of_targets(problem):
    """The variance of y, of which left-out rows lose a share: the mean over its targets."""
    with ExitStack() as stack:
        return Likelihood.of(problem.mean_loss(problem.table, np.float64, stack)).variance


def part_to_compare(problem, settings):
    """The problem of the rows on which penalties are compared; of classes with two rows of each.

    Rows are drawn whatever they weigh. Labels of several kinds, and more classes than it has room
    for, come as they are drawn.
    """
    n_rows, table = rows_to_compare(problem.size, settings.n_hidden), problem.table
    if n_rows == table.n_rows:
        return problem
    strata = problem.targets.strata(table.encoded)
    return replace(problem, table=table.part(n_rows, strata=strata))


def wider_width(problem, settings, strength):
    """Units that networks are asked with, too, where classes are many; else those that there are.

    Each two of k classes share a border, and sqrt(S) knows nothing of k: more units may pay where
    they are fewer than the k (k - 1) / 2 pairs, as many as leave a network its error bars, if it
    has some. What then holds the noise back is the penalty: where less than that of a unit prior
    wins, borders are steep, and more units seldom predict them better.
    """
    size, k, n_hidden = problem.size, problem.targets.n_outputs, settings.n_hidden
    has_pairs = problem.targets.output_activation == "softmax"
    is_narrow = has_pairs and n_hidden < k * (k - 1) / 2
    n_wide = settings.most_hidden
    if n_params(size, n_hidden) <= MAX_WEIGHTS:
        n_wide = min(n_wide, (MAX_WEIGHTS - k) // (size.n_features + 1 + k))
    is_wider = n_wide >= LEAST_TIMES_WIDER * n_hidden and is_gradient_cheap(size, n_wide)
    may_pay = is_narrow and strength >= 1 and settings.n_members == 1
    may_pay &= settings.solver == "lbfgs"  # a step of lm takes the square of the weights
    return n_wide if may_pay and is_wider else n_hidden


def with_best_penalty(problem, settings, random_state, *, deadline, start=None):
    """The problem, and the settings with the penalty whose networks predict left-out rows best.

    Both stay as they are where nothing is compared: ``compares_penalties``. Every network goes
    through the penalties from weak to strong, and so will the fit, unless it goes on from a warm
    ``start``. A wide regression has other settings, and fewer units, where left-out rows are
    predicted better by these; a classifier of many classes has more units.
    """
    if not compares_penalties(settings, problem.size):
        return problem, settings
    if start is None:
        params = problem.draw_start(deepcopy(random_state), settings)
    else:
        params = start.params(problem.network, problem.scale)
    part = part_to_compare(problem, settings)
    comparison = Comparison.of(part, settings, params, deadline)
    grid = grid_of(problem.size)
    pair = comparison.best_of(grid)
    if settings.by_evidence is not None and comparison.told:
        lost = comparison.mean_lost(pair) / variance_of_targets(part)
        rival = problem.of_width(settings.by_evidence.n_hidden), settings.by_evidence
        how = {"lost": lost, "deadline": deadline.share(COMPARING_SHARE), "start": start}
        if predicts_better(*rival, deepcopy(random_state), **how):
            announce(settings, "Final fit: the evidence, by lm, which loses less")
            return rival
    n_hidden = wider_width(problem, settings, pair[0])
    if n_hidden != settings.n_hidden:
        rival = problem.of_width(n_hidden), replace(settings, n_hidden=n_hidden)
        wider_start = rival[0].draw_start(deepcopy(random_state), settings)
        wider = comparison.by_wider(pair[0], n_hidden, wider_start)
        if wider is not None:
            announce(settings, f"Going on with {n_hidden} units, which lose less")
            (problem, settings), (comparison, strength) = rival, wider
            pair = strength, 1.0
    asks_evidence = comparison.told and finds_by_evidence(settings, problem.size)
    lost = comparison.mean_lost_by_evidence(pair) if asks_evidence else np.inf
    if lost < np.inf:
        announce(settings, "Final fit: the evidence, under which left-out rows lose least")
        found = replace(settings, alpha="evidence")
    else:
        if rows_told(comparison.n_dealt, comparison.bits) >= grid.min_told_of_bends:
            pair = comparison.with_cheaper_bends(pair)
        lost = comparison.mean_lost(pair)
        how = {"learns_first": start is None and settings.solver != "adam"}
        found = under_compared_penalty(comparison, pair, settings, problem.size, **how)
    rows = part.table.X, part.table.encoded, part.scale
    if asks_evidence and not replicates_tell_noise(*rows):  # so few that error bars ask, too
        found = replace(found, left_out_share=lost / variance_of_targets(problem))
    return problem, found


@np.errstate(over="ignore", invalid="ignore")
def predicts_better(problem, settings, random_state, *, lost, deadline, start):
    """Whether one of the members to be, whose penalty the evidence finds, loses less than ``lost``.

    Of each row when it is left out, as a share of the variance of y. They are asked in turn, as
    many fail by where they start; it is no where the deadline comes before.
    """
    announce(settings, f"Comparing penalties: the evidence, {settings.n_hidden} units by lm")
    problem, brief = replace(problem, held_out=None), replace(settings, verbose=0)
    for state in member_states(random_state, settings.n_members):
        with ExitStack() as stack:
            how = {"watch": Watch(deadline), "start": start}
            training = training_of(problem, brief, state, stack, **how)
            try:
                fit = training.run(start)
            except Stop:
                return False
        if fit.left_out_share < MARGIN * lost:
            return True
    return False


def under_compared_penalty(comparison, pair, settings, size, *, learns_first):
    """The settings under a penalty of the comparison, of a fit that may learn under less first.

    Where a part of the rows told the best S alpha, that of all, of this ``size``, is as many times
    as much as the square root of S is: of units that hardly bend only the product of both layers is
    penalised, an L1 norm of a linear model, and the gradient of the noise, which it has to
    outweigh, is a sum.
    """
    strength, ratio = pair
    strength_of_all = strength
    if comparison.told:
        S_part = comparison.networks.problem.size.n_counted
        strength_of_all *= (size.n_counted / S_part) ** 0.5
    alpha = strength_of_all * unit_precision(size)
    shared = "" if ratio == 1 else f", that of W1 {ratio:g} times that of W2"
    times = f"{strength_of_all:.3g} times a unit prior's"
    announce(settings, f"Final fit: alpha = {alpha:.3g}, {times}{shared}")
    is_alone = settings.n_members == 1  # of several, two may not go on from the same weights
    return replace(
        settings,
        alpha=alpha,
        ratio=ratio,
        max_iter=settings.max_iter + settings.n_free_steps,
        n_free_steps=0,
        learning_alpha=alpha / LEARNING_TIMES_LESS if learns_first else None,
        compared=comparison.networks_under(pair) if is_alone else (),
    )
