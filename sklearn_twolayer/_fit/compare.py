"""What networks lose of the rows that they left out, under one penalty and another."""

from dataclasses import dataclass, field, replace

import numpy as np

from sklearn_twolayer._bayes.copies import left_out_shares
from sklearn_twolayer._bayes.cross_validate import MARGIN, Grid, n_folds_asked
from sklearn_twolayer._fit.auto import is_small, unit_precision
from sklearn_twolayer._fit.left_out import COMPARING_SHARE, LeftOut, bits_of_labels
from sklearn_twolayer._fit.monitor import announce
from sklearn_twolayer._fit.span import rows_in_columns
from sklearn_twolayer._fit.training import LEARNING_STEPS
from sklearn_twolayer._network.objective import Penalty

#: How many times less the alpha of W2 may be, where bends pay; and by what factor left-out rows
#: must be predicted better for it, or for more units: networks that have gone that far are
#: uncertain by two per cent.
TIMES_LESS, LARGE_MARGIN = (10.0, 100.0), 0.95
#: How many times more both may be where bends have become cheap, and networks have gone on.
TIMES_MORE = 10**0.5, 10.0
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
        are_labels = not problem.size.is_regression
        are_few, frequency = is_small(problem.size), problem.table.frequency
        shares, n_dealt = left_out_shares(
            *rows_in_columns(problem), frequency=frequency, are_labels=are_labels, are_few=are_few
        )
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
        penalties = [self.penalty_of(pair) for pair in pairs]
        found = self.networks.fits(self.shares[:, number], self.start, penalties)
        if len(found) == len(pairs):
            self.told.append(dict(zip(pairs, found)))
        return [loss for loss, _ in found]

    def mean_lost(self, pair):
        """The mean loss under a penalty of the rows that were left out; infinite if none were."""
        if not self.told:
            return np.inf
        return self.sum_lost(pair) / self._told_weight

    def mean_lost_by_evidence(self, pair):
        """That of the evidence; infinite as soon as it is no less than under the penalty."""
        announce(self.networks.settings, "Comparing penalties: those that the evidence finds")
        total, most = 0.0, MARGIN * self.sum_lost(pair)
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

    def sum_lost(self, pair):
        """The sum of the losses of the folds under a penalty."""
        return sum(fold[pair][0] for fold in self.told)

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
        is lost of the same rows; by a twentieth in all, since rounding must not decide. Networks
        whose units are steep may not find the way to units that bend little: where they gain
        nothing, those under the next stronger penalty, whose units are less so, are asked, too.
        """
        heading = "Comparing penalties: W2 {:g} times less, W1 {:.3g} times more"
        for strength, ratio in (pair, *self._next_stronger(pair)):
            candidates = {
                (strength / times**0.25, ratio * times**1.5): heading.format(times, times**0.5)
                for times in TIMES_LESS
            }
            last = self._last_better((strength, ratio), candidates, is_raced=True)
            if self.mean_lost(last) < LARGE_MARGIN * self.mean_lost(pair):
                end = self._at_the_end(last)
                return end if self.mean_lost(end) < self.mean_lost(pair) else pair
        return pair

    def next_weaker(self, strength):
        """The next weaker penalty that all folds have told, of unit precision at most: or none."""
        told = self._told_by_all(1.0)
        return sorted(each for each in told if each[0] < strength and each[0] <= 1)[-1:]

    def _next_stronger(self, pair):
        """The next stronger penalty of the same ratio that all folds have told: one, or none."""
        return sorted(each for each in self._told_by_all(pair[1]) if each[0] > pair[0])[:1]

    def _told_by_all(self, ratio):
        """The penalties of a ratio that all folds have told."""
        told = set.intersection(*map(set, self.told)) if self.told else ()
        return [pair for pair in told if pair[1] == ratio]

    def _at_the_end(self, pair):
        """The penalty, or a stronger one of its ratio under which less is lost near the minimum.

        Where bends are cheap, networks that are compared have not yet learned all the noise that
        their penalty allows, and the fit goes on. So do they, and from there under stronger ones.
        """
        announce(self.networks.settings, "Comparing penalties: networks go on to the end")
        penalty, ends = self.penalty_of(pair), []
        for number, fold in enumerate(self.told):
            ends += self.networks.to_the_end(self.shares[:, number], fold[pair][1], penalty)
        if len(ends) < len(self.told):  # the time is over
            return pair
        for fold, end in zip(self.told, ends):
            fold[pair] = end
        strength, ratio = pair
        heading = "Comparing penalties: both {:.3g} times more"
        candidates = {(strength * more, ratio): heading.format(more) for more in TIMES_MORE}
        last = self._last_better(pair, candidates)
        is_better = self.mean_lost(last) < LARGE_MARGIN * self.mean_lost(pair)
        return last if is_better else pair

    def _last_better(self, pair, candidates, *, is_raced=False):
        """The last of the candidates {pair: heading} up to which each loses less than that before.

        Or the ``pair`` itself. In a race one that is no better in the first fold is not asked of
        the others.
        """
        for candidate, heading in candidates.items() if self.told else ():
            announce(self.networks.settings, heading)
            fits = [fold[pair] for fold in self.told]
            found = self.go_on(fits, [self.penalty_of(candidate)] * len(fits), is_raced=is_raced)
            lost = self.sum_lost(pair)
            if found is None or sum(loss for loss, _ in found) >= MARGIN * lost:
                break
            for fold, fit in zip(self.told, found):
                fold[candidate] = fit
            pair = candidate
        return pair

    def go_on(self, fits, penalties, *, is_raced):
        """The loss and weights of each fold under another penalty, from where its fit is.

        None where the race is lost, or the time is over.
        """
        ends = []
        for number, ((before, params), penalty) in enumerate(zip(fits, penalties)):
            found = self.networks.further(self.shares[:, number], params, penalty)
            if not found or (is_raced and number == 0 and found[0][0] >= before > 0):
                return None
            ends += found
        return ends

    def penalty_of(self, pair, of_inputs=()):
        """S times the penalty of a strength and a ratio, and so many times that of each input."""
        strength, ratio = pair
        problem = self.networks.problem
        unit = unit_precision(problem.size) * problem.size.n_counted
        return Penalty.fixed(problem.network, strength * unit, ratio, of_inputs)
