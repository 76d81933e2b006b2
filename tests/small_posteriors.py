"""Exact posteriors of networks of a few weights, by Markov chains and importance sampling.

    python tests/small_posteriors.py

compares many of them with what the package says; the user guide has the figures.
"""

from dataclasses import replace
from itertools import permutations, product
from math import factorial

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_t

from sklearn_twolayer._bayes.averages import expected_prediction
from sklearn_twolayer._bayes.posterior import posterior_of
from sklearn_twolayer._data.rows import Rows
from sklearn_twolayer._fit.weights import initial_weights
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._network.losses import BinaryLogLoss, SquaredError
from sklearn_twolayer._network.objective import MeanLoss, PenalisedLoss, Penalty, penalty_groups
from sklearn_twolayer._network.scale import Standardization
from sklearn_twolayer._optimize.full_batch import levenberg_marquardt


class SmallPosterior:
    """A curve of one input by one or two tanh units: 4 or 7 weights, all of them with a prior.

    ``laplace`` is what the package makes of it, around the best minimum of several starts.

    Parameters
    ----------
    seed : int
    n_rows, n_hidden : int
    is_classifier : bool
    """

    def __init__(self, seed, *, n_rows=30, n_hidden=1, is_classifier=False):
        random = np.random.RandomState(seed)
        x = random.uniform(-2, 2, size=n_rows)
        signal = np.tanh(1.5 * x - 0.5) + (n_hidden == 2) * np.tanh(2 - 3 * x)
        self.n_hidden, self.is_classifier = n_hidden, is_classifier
        self.x, self.y = (x - x.mean()) / x.std(), signal + 0.3 * random.normal(size=n_rows)
        loss, strengths = SquaredError(), np.full(4, 0.05 / n_rows)
        if is_classifier:
            self.y = (2 * signal + random.normal(size=n_rows) > 0).astype(float)
            loss, strengths = BinaryLogLoss(), np.full(4, 0.2 / n_rows)
        network = TwoLayerNetwork(1, n_hidden, 1, "tanh")
        penalty = Penalty(penalty_groups(network), strengths)
        data = self.x[:, None], self.y[:, None], None
        units = Standardization.none(1, 1)
        with Rows(*data, standardization=units, dtype=np.float64, block_size=n_rows) as rows:
            mean_loss, minima = MeanLoss(network, loss, rows), []
            for _ in range(5):
                start = initial_weights(random, network, np.zeros(1))
                options = {"max_iter": 500, "tol": 1e-12, "callback": lambda step: None}
                minima.append(
                    levenberg_marquardt(PenalisedLoss(mean_loss, penalty), start, **options)
                )
            self.minimum = min(minima, key=lambda found: found.fun).x
            self.laplace = posterior_of(mean_loss, self.minimum, penalty)
        self.prior = penalty.per_weight * self.laplace.scale

    @property
    def n_images(self):
        """Networks that predict the same: units in other orders, with other signs."""
        return factorial(self.n_hidden) * 2**self.n_hidden

    def raw_prediction(self, w, x):
        """Z2 (m, n) of networks w (m, p)."""
        w1, b1, w2, b2 = np.split(w, np.cumsum([self.n_hidden] * 3), axis=1)
        A1 = np.tanh(w1[:, None] * x[:, None] + b1[:, None])
        return np.einsum("mnh,mh->mn", A1, w2) + b2

    def log_joint(self, w):
        """Ln p(y, w) of networks w (m, p), every constant included."""
        Z2, n = self.raw_prediction(w, self.x), len(self.y)
        log_prior = 0.5 * (np.log(self.prior / (2 * np.pi)).sum() - w**2 @ self.prior)
        if self.is_classifier:
            return log_prior - np.logaddexp(0, (1 - 2 * self.y) * Z2).sum(axis=1)
        (beta,) = self.laplace.noise_precision
        squares = ((Z2 - self.y) ** 2).sum(axis=1)
        return log_prior + 0.5 * (n * np.log(beta / (2 * np.pi)) - beta * squares)

    def chain(self, n_steps=2000, n_walkers=200):
        """Draws (m, p) of an ensemble that moves by stretches (Goodman & Weare 2010)."""
        random, p, half = np.random.RandomState(0), len(self.minimum), n_walkers // 2
        w = self.minimum + 0.05 * random.normal(size=(n_walkers, p))
        value, kept = self.log_joint(w), []
        halves = slice(half), slice(half, None)
        for step in range(n_steps):
            for movers, others in (halves, halves[::-1]):
                stretch = (1 + random.uniform(size=half)) ** 2 / 2  # of density z^-1/2 on [1/2, 2]
                anchor = w[others][random.randint(half, size=half)]
                trial = anchor + stretch[:, None] * (w[movers] - anchor)
                found = self.log_joint(trial)
                gain = (p - 1) * np.log(stretch) + found - value[movers]
                taken = np.log(random.uniform(size=half)) < gain
                w[movers] = np.where(taken[:, None], trial, w[movers])
                value[movers] = np.where(taken, found, value[movers])
            if step >= n_steps // 4 and step % 10 == 0:
                kept.append(w.copy())
        return np.concatenate(kept)

    def images(self, w):
        """All the networks (q, m, p) that predict the same as w (m, p)."""
        h = self.n_hidden
        layers, b2 = w[:, : 3 * h].reshape(len(w), 3, h), w[:, 3 * h :]
        return np.array(
            [
                np.hstack([(layers[:, :, order] * sign).reshape(len(w), 3 * h), b2])
                for order in permutations(range(h))
                for sign in product([1, -1], repeat=h)
            ]
        )

    def log_evidence(self, draws, n_samples=20_000):
        """Ln p(y), by importance sampling from a t distribution around the draws of a chain."""
        images = self.images(draws)  # of each draw the one nearest to the minimum of the fit
        nearest = ((images - self.minimum) ** 2 @ self.prior).argmin(axis=0)
        draws = images[nearest, np.arange(len(draws))]
        proposal = multivariate_t(draws.mean(axis=0), np.cov(draws.T), df=4, seed=0)
        w = proposal.rvs(n_samples)
        log_proposal = logsumexp([proposal.logpdf(image) for image in self.images(w)], axis=0)
        log_ratio = self.log_joint(w) - log_proposal + np.log(self.n_images)
        return logsumexp(log_ratio) - np.log(n_samples)


def comparison(seed, **kind):
    """Three ratios and errors of the package against the chain, over the middle of the data.

    Returns
    -------
    ratio : ndarray, shape (9,)
        Standard deviation of Z2 by Laplace's approximation at temperature 1, over the chain's.
    evidence : float
        Error of ln p(y), once the images are counted.
    errors : tuple of float
        Mean errors of the plain and of the moderated probability; of classifiers.
    """
    small = SmallPosterior(seed, **kind)
    draws, x = small.chain(), np.quantile(small.x, np.linspace(0.1, 0.9, 9))
    exact, ones = small.raw_prediction(draws, x), np.column_stack([x, np.ones(9)])
    Z2, V = replace(small.laplace, temperature=1.0).raw_prediction(ones)
    evidence = small.laplace.log_marginal_likelihood + np.log(small.n_images)
    evidence -= small.log_evidence(draws)
    ratio, errors = np.sqrt(V[:, 0, 0] / exact.var(axis=0)), ()
    if small.is_classifier:
        expected = (1 / (1 + np.exp(-exact))).mean(axis=0)
        moderated = expected_prediction(BinaryLogLoss(), *small.laplace.raw_prediction(ones))
        found = 1 / (1 + np.exp(-Z2)), moderated
        errors = tuple(np.abs(each[:, 0] - expected).mean() for each in found)
    return ratio, evidence, errors


def main():
    """The figures of the user guide."""
    print("classes units rows | sd / sd of the chain: least, rms, most | error of ln p(y) | of p")
    for is_classifier, n_hidden, n_rows in product([False, True], [1, 2], [15, 30, 60, 120]):
        kind = {"n_rows": n_rows, "n_hidden": n_hidden, "is_classifier": is_classifier}
        ratios, evidences, errors = zip(*(comparison(seed, **kind) for seed in range(6)))
        ratios = np.array(ratios)
        print(
            f"{is_classifier!s:7} {n_hidden:5} {n_rows:4} | {ratios.min():.2f} "
            f"{np.sqrt((ratios**2).mean()):.2f} {ratios.max():.2f} | "
            f"{np.mean(evidences):5.2f} +- {np.std(evidences):.2f} |",
            *(f"{error:.3f}" for error in np.mean(errors, axis=0)),
        )


if __name__ == "__main__":
    main()
