"""The choice of a penalty: by a margin that rounding does not make, and whole whenever it ends."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from gradient_check import random_problem

from sklearn_twolayer import TwoLayerRegressor
from sklearn_twolayer._bayes import choose_penalty, curve
from sklearn_twolayer._bayes.choose_penalty import (
    STRATEGIES,
    Search,
    automatic,
    most_steps,
    of_all_rows,
)
from sklearn_twolayer._bayes.leave_one_out import leave_one_out_loss
from sklearn_twolayer._bayes.posterior import Likelihood
from sklearn_twolayer._fit.training import Fit
from sklearn_twolayer._network.losses import BinaryLogLoss, SquaredError
from sklearn_twolayer._network.objective import PenalisedLoss, Penalty
from sklearn_twolayer._optimize.full_batch import levenberg_marquardt


def chosen_among(losses, monkeypatch, most_multiples=1, used=1.0, n_features=3):
    """Of the candidate that ``automatic`` takes, given their leave-one-out losses: index, loss."""
    penalty = Penalty(np.zeros(1, int), np.ones(1))
    first, second, *others = (Fit(index, penalty, loss) for index, loss in enumerate(losses))
    others = iter(others)
    replacements = {
        "MOST_MULTIPLES": most_multiples,
        "_grouped_evidence": lambda search, start, n_steps: (first, None),
        "_relevance": lambda search, fit, precisions, n_steps, keep: second,
        "_loss_of_left_out_rows": lambda search, fit: fit.loss,
        "_finish": lambda search, fit: fit,
        "_factor_and_used_share": lambda search, fit: (None, used),
    }
    for name, replacement in replacements.items():
        monkeypatch.setattr(choose_penalty, name, replacement)
    likelihood = SimpleNamespace(is_gaussian=True, variance=2.0, total_weight=20.0)
    search = Search(
        None,
        likelihood,
        100,
        lambda before, penalty, max_iter, keep: next(others, Fit(None)),
        n_columns=n_features,
    )
    fit = automatic(search, None)
    return fit.params, fit.left_out_share


@pytest.mark.parametrize(
    ("losses", "index"),
    [
        ([1.0, 1.0, 1.0], 0),
        ([1.0, 1 - 1e-12, 1 - 1e-9], 0),
        ([1.0, 0.9, 0.9 - 1e-12], 1),
        ([1.0, 2.0, 0.5], 2),
        ([1.0, 2.0, 1.5, 0.5], 3),
        ([1.0, 2.0, 0.9, 0.5], 2),
        ([np.inf, 1.0, 1.0], 1),
        ([np.inf, np.inf, np.inf], 0),
        ([0.0, 0.0, 0.0], 0),
    ],
)
def test_the_least_loss_wins_by_a_margin_and_ties_go_to_the_first(losses, index, monkeypatch):
    assert chosen_among(losses, monkeypatch) == (index, losses[index] / 2.0)


@pytest.mark.parametrize(("n_features", "index"), [(19, 1), (20, 0)])
def test_no_precisions_of_columns_are_asked_that_are_as_many_as_rows(
    n_features, index, monkeypatch
):
    losses = [1.0, 0.5, 2.0, 2.0]
    assert chosen_among(losses, monkeypatch, n_features=n_features)[0] == index


@pytest.mark.parametrize(
    ("losses", "index"),
    [
        ([1.0, 2.0, 0.9, 0.8, 0.7], 4),  # three times as strong, nine times, ...
        ([1.0, 2.0, 0.9, 0.95, 0.5], 2),  # no further where it has become worse
        ([1.0, 2.0, 0.995, 0.9, 0.95], 3),  # a little better is the right way
        ([1.0, 2.0, 0.995, 0.996, 0.9, 0.95], 4),  # which ends where it is worse: a third
        ([1.0, 2.0, 0.995, 0.994, 1.0, 1.0], 0),  # and no multiple is taken for a little
        ([1.0, 2.0, 1.5, 0.9, 0.8, 0.7], 5),  # if it never helps, a third, a ninth, ...
        ([1.0, 2.0, 1.5, 1.5, 0.5], 0),
        ([np.inf, np.inf, np.inf, np.inf, 0.9], 4),  # what cannot be judged is not worse
    ],
)
def test_multiples_of_a_penalty_go_on_as_long_as_they_help(losses, index, monkeypatch):
    assert chosen_among(losses, monkeypatch, most_multiples=3)[0] == index


@pytest.mark.parametrize(
    ("factor", "n_steps"),
    [
        (0.999, 5),  # flat from the first step on
        (0.9, 10),  # no end of it, but of patience
        ((1.0, 0.9, 0.8, 0.7, 0.6, 0.59, 0.58), 7),  # until no step goes down
        ((), 0),
    ],
)
def test_multiples_are_not_judged_half_way(factor, n_steps):
    """A fit that has not lost yet what the penalty takes, or not made up for it, says nothing."""
    losses = factor if isinstance(factor, tuple) else tuple(factor**n for n in range(100))

    def minimize(before, penalty, *, max_iter, keep):
        end = min(len(before.curve) + max_iter, len(losses))
        return replace(before, penalty=penalty, curve=losses[:end])

    search = Search(None, None, 100, minimize, n_columns=3)
    fit = Fit(np.zeros(2), Penalty(np.zeros(2, int), np.ones(1)), 1.0)
    rival = choose_penalty._multiplied(search, fit, 3.0, instead=fit)
    assert len(rival.curve) == n_steps
    np.testing.assert_array_equal(rival.penalty.strengths, [3.0])


def test_multiples_are_tried_however_few_weights_are_determined(monkeypatch):
    """The evidence of many rows may stay with bends that are noise, a few weights in each."""
    assert chosen_among([1.0, 2.0, 0.9], monkeypatch, used=1e-3) == (2, 0.45)


class ToldLosses:
    """Refits that lose what they are told to."""

    def __init__(self, losses, has_copies=False):
        self.has_copies = has_copies
        self._losses = losses

    def losses(self, start, penalties):
        self.strengths = [float(penalty.strengths[0]) for penalty in penalties]
        return self._losses


def chosen_by_refits(refits, monkeypatch, *, left_out_loss=5.0, used=1.0):
    """The strength that ``automatic`` ends under, of an evidence that found 1, and its loss.

    By the linearised network, as that of all members.
    """
    replacements = {
        "_grouped_evidence": lambda search, start, n_steps: (first, None),
        "_relevance": lambda search, fit, precisions, n_steps, keep: first,
        "_loss_of_left_out_rows": lambda search, fit: left_out_loss,
        "_finish": lambda search, fit: fit,
        "_factor_and_used_share": lambda search, fit: (None, used),
    }
    first = Fit(0, Penalty(np.zeros(1, int), np.ones(1)), 1.0)
    for name, replacement in replacements.items():
        monkeypatch.setattr(choose_penalty, name, replacement)
    likelihood = SimpleNamespace(is_gaussian=True, variance=2.0, total_weight=20.0)
    search = Search(
        None,
        likelihood,
        100,
        lambda before, penalty, max_iter, keep: replace(before, penalty=penalty),
        n_columns=3,
        refits=refits,
    )
    fit = automatic(search, Fit(None))
    return float(fit.penalty.strengths[0]), fit.left_out_share


@pytest.mark.parametrize(
    ("losses", "chosen"),
    [
        ([9, 9, 9, 1, 9, 9, 9, 9, 9], 3),
        ([1, 9, 9, 9, 9, 9, 9, 9, 9], 1 / 9),
        ([1, 1, 1, 1, 1, 1.005, 9, 9, 9], 27),  # of those within a hundredth the strongest
        ([1, 1, 1, 1, 1, 1.02, 9, 9, 9], 9),
    ],
)
def test_refits_decide_where_the_constant_seems_to_be_better(losses, chosen, monkeypatch):
    refits = ToldLosses(np.array(losses, float))
    strength, loss = chosen_by_refits(refits, monkeypatch)
    assert strength == pytest.approx(chosen)
    assert loss == 5.0 / 2
    np.testing.assert_allclose(refits.strengths, 3.0 ** np.arange(-2, 7))


@pytest.mark.parametrize(
    ("has_copies", "left_out_loss", "used", "chosen"),
    [
        (True, 1.0, 1.0, 3),
        (True, 0.01, 1.0, 1),  # the noise is too little to be learned
        (True, 1.0, 0.05, 1),  # too few weights
        (False, 1.0, 1.0, 1),
        (False, 4.0, 0.05, 3),  # twice the variance of y
    ],
)
def test_refits_decide_among_copies(has_copies, left_out_loss, used, chosen, monkeypatch):
    refits = ToldLosses(np.array([9.0, 9, 9, 1, 9, 9, 9, 9, 9]), has_copies)
    told = {"left_out_loss": left_out_loss, "used": used}
    assert chosen_by_refits(refits, monkeypatch, **told)[0] == chosen


def test_losses_that_are_no_numbers_are_not_chosen(monkeypatch):
    losses = np.array([np.nan, 9, 9, 1, np.inf, 9, 9, 9, np.nan])
    assert chosen_by_refits(ToldLosses(losses), monkeypatch)[0] == pytest.approx(3)
    assert chosen_by_refits(ToldLosses(losses * np.nan), monkeypatch)[0] == 1


def test_without_refits_the_evidence_stays(monkeypatch):
    assert chosen_by_refits(ToldLosses(None), monkeypatch) == (1, 2.5)
    assert chosen_by_refits(None, monkeypatch) == (1, 2.5)


def test_a_fit_that_uses_up_most_residuals_cannot_be_judged():
    """Its linearised network does not tell what a fit without a row would do."""
    problem = random_problem(SquaredError, n_rows=12, n_hidden=12)
    with problem.rows() as rows:
        mean_loss = problem.mean_loss(rows)
        search = Search(mean_loss, Likelihood.of(mean_loss), 100, None, n_columns=3)
        shares, losses, plain = [], [], []
        for alpha in (1e-8, 3e-4, 1.0):
            fit = Fit(problem.params, Penalty.of(problem.network, np.full(4, alpha)))
            factor, used = choose_penalty._factor_and_used_share(search, fit)
            losses.append(choose_penalty._loss_of_left_out_rows(search, fit))
            plain.append(leave_one_out_loss(mean_loss, fit.params, factor, inflation=1.0))
            shares.append(used)
    assert shares[0] > 0.9 > shares[1] > 0.6 > shares[2]
    assert losses[0] == np.inf
    assert losses[1] == plain[1]  # leverages as they are
    assert np.inf > losses[2] > plain[2]


@pytest.mark.parametrize(
    ("loss", "left", "noise", "has_learned"),
    [
        (0.4, [0.4, 0.4, 0.0], None, True),
        (0.6, [0.4, 0.4, 0.0], None, False),  # half of the first loss is left
        (0.4, [0.0, 1.2, 0.0], None, False),  # or of a target, however small a part that is
        (0.4, [0.4, 1.2, 0.1], 0.6, True),  # of which the rest is noise
        (0.4, [0.4, 1.3, 0.1], 0.6, False),
        (0.4, [0.4, 0.4, 9.0], 0.6, True),  # a constant target has nothing to learn
    ],
)
def test_a_network_has_learned_when_no_target_is_left(loss, left, noise, has_learned):
    squares = 10 * np.array(left)
    likelihood = Likelihood(10.0, 3, True, np.array([1.0, 2.0, 0.0]))
    mean_loss = SimpleNamespace(squares=lambda params: squares)
    search = Search(mean_loss, likelihood, 100, None, n_columns=3, noise=noise)
    fit = Fit(None, None, loss, curve=(1.0, loss))
    assert choose_penalty._has_learned(search, fit) == has_learned


def test_copies_of_a_target_use_up_the_share_of_residuals_that_one_does():
    """Or a little more, as the columns of W2 might differ."""
    one, shares = random_problem(SquaredError, n_rows=30, n_hidden=3), []
    W1, b1, W2, b2 = one.network.unpack(one.params)
    for n_copies in (1, 2):
        problem = random_problem(SquaredError, n_copies, n_rows=30, n_hidden=3)
        problem.X, problem.weight, problem.standardization = one.X, one.weight, one.standardization
        problem.y, of_copies = (
            np.tile(one.y, n_copies),
            (np.tile(W2, n_copies), b2.repeat(n_copies)),
        )
        params = problem.network.pack((W1, of_copies[0]), (b1, of_copies[1]), float)
        strengths = 1e-4 * np.array([1, 1, 1 / n_copies, 1 / n_copies])
        fit = Fit(params, Penalty.of(problem.network, strengths))
        with problem.rows() as rows:
            mean_loss = problem.mean_loss(rows)
            search = Search(mean_loss, Likelihood.of(mean_loss), 100, None, n_columns=3)
            shares.append(choose_penalty._factor_and_used_share(search, fit)[1])
    assert 0.999 * shares[0] < shares[1] < 1.2 * shares[0]


def test_waves_are_learned_before_anything_is_penalised():
    """From most starts: the evidence of a network that has learnt nothing is that of a constant."""
    x = np.linspace(-3, 3, 60)[:, None]
    wave, scores = np.sin(4 * x[:, 0]), []
    for seed in range(5):
        model = TwoLayerRegressor(10, solver="lm", alpha="evidence", random_state=seed)
        scores.append(model.fit(x, wave).score(x, wave))
    assert np.median(scores) > 0.9


@pytest.mark.parametrize(
    ("before", "loss", "noise", "is_taken"),
    [
        (1.0, 0.69, 0.0, True),
        (1.0, 0.71, 0.0, False),  # more than seven tenths of what is lost otherwise
        (9.0, 1.39, 0.0, True),
        (9.0, 1.41, 0.0, False),  # or of the variance, which is 2
        (np.inf, np.inf, 0.0, False),
        (1.0, 0.69, 0.69, True),
        (1.0, 0.69, 0.71, None),  # the noise alone is more: it is not asked
        (9.0, 1.39, 1.39, True),
        (np.inf, 1.39, 1.41, None),
    ],
)
def test_a_curve_is_taken_where_left_out_rows_lose_far_less(
    before, loss, noise, is_taken, monkeypatch
):
    """It learns from the start; leverages of both are as they are, and what is kept is the fit."""
    asked = []

    def minimize(start, penalty, *, max_iter, keep):
        asked.append((start, max_iter, keep(None)))
        return Fit("learned", penalty, curve=(0.0,) * 60)

    def maximize(search, fit, precisions, *, max_iter, keep):
        asked.append((fit.params, max_iter, keep(None)))
        np.testing.assert_allclose(precisions.penalty(likelihood).strengths, fit.penalty.strengths)
        return Fit("curve", fit.penalty), precisions

    monkeypatch.setattr(curve, "maximize_evidence", maximize)
    monkeypatch.setattr(choose_penalty, "noise_of_one_column", lambda mean_loss: noise)
    losses = {("fit", 1.0): before, ("curve", 1.0): loss}
    name = "_loss_of_left_out_rows"
    monkeypatch.setattr(choose_penalty, name, lambda search, fit, by: losses[fit.params, by])
    network = random_problem(SquaredError, n_rows=30).network
    likelihood = Likelihood(30.0, 1, True, np.array([2.0]))
    search = Search(SimpleNamespace(network=network), likelihood, 70, minimize, n_columns=1)
    fit, start = Fit("fit"), Fit("start", resume=1.0)
    found, lost = choose_penalty._or_curve(search, start, (fit, 5.0))
    assert (found.params, lost) == (("curve", loss) if is_taken else ("fit", 5.0))
    steps = [(replace(start, resume=None), 70, fit), ("learned", 10, fit)]
    assert asked == ([] if is_taken is None else steps)


@pytest.mark.parametrize(("n_features", "index"), [(1, 7), (2, 0)])
def test_a_curve_is_asked_of_one_column_alone(n_features, index, monkeypatch):
    """Several columns gain and lose by it (docs/choices.md)."""
    curve = Fit(7, Penalty(np.zeros(1, int), np.ones(1)), 0.5)
    monkeypatch.setattr(choose_penalty, "_or_curve", lambda search, start, evident: (curve, 0.5))
    found, _ = chosen_among([1.0, 1.0, 1.0], monkeypatch, n_features=n_features)
    assert found == index


class Stop(Exception):
    """What ends a search from within."""


class Recorded:
    """Searches of a small problem, what they kept in each step, and what they were asked."""

    def __init__(self, loss_class, n_rows):
        self.problem = random_problem(loss_class, n_rows=n_rows, n_hidden=3)

    def search(self, strategy, stop_after=None, max_iter=100):
        """The fit of a strategy that is stopped after so many steps, and all that were kept."""
        self.kept, self.n_asked = [], []
        self.stages, self.penalties = [], {}
        with self.problem.rows() as rows:
            mean_loss = self.problem.mean_loss(rows)

            def minimize(before, penalty, *, max_iter, keep=None):
                curve, numbers = [*before.curve], [*before.steps]
                self.penalties[self.stages[-1]] = penalty

                def fit(step, x):
                    return Fit(
                        x, penalty, curve[-1], tuple(curve), tuple(numbers), resume=step.state
                    )

                def callback(step):
                    curve.append(step.value)
                    numbers.append(len(self.kept))
                    running = fit(step, step.x)
                    self.kept.append(running if keep is None else keep(running))
                    if len(self.kept) == stop_after:
                        raise Stop

                self.n_asked.append(max_iter)
                objective = PenalisedLoss(mean_loss, penalty)
                options = {"max_iter": max_iter, "tol": 1e-4, "callback": callback}
                options["damping"] = before.resume
                found = levenberg_marquardt(objective, before.params, **options)
                way = tuple(curve), tuple(numbers)
                return Fit(found.x, penalty, found.fun, *way, resume=found.state)

            likelihood, stage = Likelihood.of(mean_loss), self.stages.append
            f = mean_loss.network.n_features
            search = Search(mean_loss, likelihood, max_iter, minimize, n_columns=f, stage=stage)
            try:
                return STRATEGIES[strategy](search, Fit(self.problem.params))
            except Stop:
                return self.kept[-1]

    def objective(self, fit):
        """F of a fit."""
        with self.problem.rows() as rows:
            return PenalisedLoss(self.problem.mean_loss(rows), fit.penalty).value(fit.params)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("loss_class", [SquaredError, BinaryLogLoss])
@pytest.mark.usefixtures("dual_form")
@pytest.mark.parametrize("n_rows", [8, 30], ids=["dual", "primal"])
def test_what_is_kept_is_whole_in_every_step(n_rows, loss_class, strategy):
    """Its value is that of its weights under its penalty, its curve ends there."""
    recorded = Recorded(loss_class, n_rows)
    fit = recorded.search(strategy)
    n_steps = len(recorded.kept)
    assert len(fit.curve) == len(fit.steps) <= 100
    assert n_steps <= sum(recorded.n_asked) <= most_steps(strategy, 100, loss_class is SquaredError)
    for kept in [*recorded.kept, fit]:
        assert len(kept.curve) == len(kept.steps) > 0
        assert kept.curve[-1] == pytest.approx(kept.loss, rel=1e-12)
        assert recorded.objective(kept) == pytest.approx(kept.loss, rel=1e-12)
        assert (np.diff(kept.steps) >= 0).all()
    for stop_after in (1, n_steps // 2, n_steps):
        kept = recorded.kept[stop_after - 1]
        found = Recorded(loss_class, n_rows).search(strategy, stop_after)
        np.testing.assert_array_equal(found.params, kept.params)
        assert (found.curve, found.steps) == (kept.curve, kept.steps)


@pytest.mark.parametrize(("n_rows", "is_taken"), [(10, False), (200, True)])
def test_noise_that_is_learned_under_no_penalty_is_forgotten(n_rows, is_taken):
    """Where the weights use up most residuals the network learns again, held back."""
    recorded = Recorded(SquaredError, n_rows)
    recorded.search("evidence")
    first, second, *_ = recorded.stages
    assert first == "Learning under next to no penalty"
    assert second.startswith("Evidence" if is_taken else "Learning under a prior precision")


@pytest.mark.parametrize("n_rows", [12, 20, 30, 45])
@pytest.mark.parametrize("loss_class", [SquaredError, BinaryLogLoss])
def test_the_candidate_that_is_named_is_the_chosen_one(loss_class, n_rows):
    recorded = Recorded(loss_class, n_rows)
    fit = recorded.search("auto")
    (chosen,) = (stage for stage in recorded.stages if stage.startswith("Chosen"))
    of, times = re.fullmatch(
        r"Chosen: the evidence by (input|group of weights)(?:, (\S+) times as strong)?", chosen
    ).groups()
    named = "each input" if of == "input" else "each of W1"
    (evidence,) = (p for stage, p in recorded.penalties.items() if named in stage)
    assert np.array_equal(fit.penalty.groups, evidence.groups)
    assert np.allclose(fit.penalty.strengths, float(times or 1) * evidence.strengths, rtol=0.02)


def test_while_a_rival_runs_the_fit_that_it_challenges_is_kept(monkeypatch):
    """That of the evidence, through all steps of the first rival."""
    monkeypatch.setattr(choose_penalty, "EVIDENCE_STEPS", choose_penalty.AUTO_STEPS)
    monkeypatch.setattr(choose_penalty, "FINISH_STEPS", 0)
    recorded = Recorded(SquaredError, 30)
    alone = recorded.search("evidence")
    n_alone, n_first = len(recorded.kept), len(recorded.n_asked) - 1
    recorded.search("auto")
    assert recorded.n_asked[n_first] == 1  # of ARD
    for kept in recorded.kept[n_alone : n_alone + 2]:
        np.testing.assert_array_equal(kept.params, alone.params)
        assert (kept.curve, kept.steps) == (alone.curve, alone.steps)
    assert len({id(kept) for kept in recorded.kept[n_alone:]}) < len(recorded.kept) - n_alone - 10


@pytest.mark.parametrize("max_iter", [1, 5, 25])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_fit_takes_more_steps_than_it_may(strategy, max_iter):
    for loss_class in (SquaredError, BinaryLogLoss):
        fit = Recorded(loss_class, 30).search(strategy, max_iter=max_iter)
        assert len(fit.curve) <= max_iter


def test_all_rows_go_on_with_the_prior_precisions_of_a_part():
    """They are alpha_g beta S k / 2: of three times the rows alpha_g is a third, at first."""
    asked = []

    def minimize(before, penalty, *, max_iter, keep=None):
        asked.append(penalty.strengths)
        way = before.curve + (1.0,) * max_iter, before.steps + tuple(range(max_iter))
        return Fit(before.params, penalty, 1.0, *way)

    problem = random_problem(SquaredError, n_rows=30, n_hidden=3)
    with problem.rows() as rows:
        likelihood = Likelihood.of(problem.mean_loss(rows))
        search = Search(problem.mean_loss(rows), likelihood, 100, minimize, n_columns=3)
        part = replace(search, likelihood=replace(likelihood, total_weight=10.0))
        penalty = Penalty(choose_penalty.penalty_groups(problem.network), np.full(4, 0.3))
        fit = of_all_rows(search, part, Fit(problem.params, penalty, 1.0, left_out_share=0.5))
    np.testing.assert_allclose(asked[0], 0.3 * 10 / likelihood.total_weight)
    assert not np.allclose(asked[1], asked[0])
    np.testing.assert_array_equal(asked[-1], fit.penalty.strengths)
    assert len(fit.curve) == choose_penalty.ALL_ROWS_STEPS + choose_penalty.FINISH_STEPS
    assert fit.left_out_share == 0.5
