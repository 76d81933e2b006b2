"""TwoLayerRegressor: the squared error."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if

from sklearn_twolayer._base import BaseTwoLayer
from sklearn_twolayer._data.targets import RealTargets
from sklearn_twolayer._fit.parameters import takes_batches
from sklearn_twolayer._learned import standard_deviation
from sklearn_twolayer._validation import Matrix, MaybeArray, over_collections, validated


class TwoLayerRegressor(RegressorMixin, BaseTwoLayer):
    """Regression by a network with one hidden layer, under the mean squared error.

    The prediction is g(X W1 + b1) W2 + b2. Training minimises

        F = (1 / S) sum_i s_i mean_k (prediction - y)^2 + alpha / 2 (sum W1^2 + sum W2^2)

    by backprop, on standardised X and y, with sample weights s_i and their sum S. Where the
    evidence chooses alpha, several targets are divided by their noise instead of their spread.

    Parameters are of the network (from ``n_hidden``), the penalty (``alpha``), training (from
    ``solver``; ``verbose`` tells which are ignored), stopping (from ``max_iter``), and the rest.

    Parameters
    ----------
    n_hidden : int or "auto", default="auto"
        **Network.** Hidden units h of each member. "auto" is 4 sqrt(S k / ((f + k - 1) ln S)) for f
        features, k targets that do not repeat each other and S rows (in ``partial_fit`` of the
        first batch), of which copies count once, at most 50; in place of fewer than 10 it is 10, or
        where the evidence finds the penalty, from 41 numbers in y on, as many from 3 to 10 as leave
        two residuals for each weight, or as there are such targets; under alpha="auto" a single
        network then is the best of three. With ``warm_start`` it is as many as there are.
    activation : {"logistic", "tanh", "relu", "softplus", "identity"}, default="logistic"
        Hidden activation g.
    output_activation : {"identity", "logistic"}, default="identity"
        Output activation; "logistic" keeps predictions in (0, 1), for targets there.
    standardize : bool, default=True
        Centre and scale X and, with identity output, y to weighted standard deviations of 1;
        the values of a column of X that has two come to lie 2 apart, and a column that is zero in
        most rows is scaled by its other values. The scaling is folded into ``coefs_`` and
        ``intercepts_`` after the fit. False leaves X as it is, and y under a float alpha, by "gd"
        and in ``partial_fit``: other fits learn in deviations of y, whatever its units.
    n_members : int or "auto", default="auto"
        Networks of a committee, each from a start of its own, whose raw predictions
        are averaged: folded into one network of n_members n_hidden units. "auto" is 3 where
        ``n_hidden`` is "auto" too, lm finds the penalty and a matrix is cheap, and else 1. With
        alpha="auto" members that predict left-out rows twice as badly as the best are left out.
    alpha : float or {"auto", "evidence", "ard"}, default="auto"
        **Penalty.** A float is the penalty alpha / 2 (sum W1^2 + sum W2^2) on the weights of the
        standardised network; biases are free. It means the same for every solver, batch size and
        number of rows. "evidence" finds a penalty for each group of weights (W1, b1, W2, b2) by
        MacKay's evidence procedure, "ard" (automatic relevance determination) one for each input
        column; both need solver "lm" or "lbfgs". "auto" takes what predicts left-out rows best. By
        lm that is one of these ("ard" with fewer columns than rows) or a multiple of them, at twice
        the cost of "evidence", or up to ten times where that takes real refits; pilot fits find the
        noise of several targets first. By lbfgs, by adam on tables too large for it, and up to 40
        numbers in y it is a number by cross-validation, S n_outputs alpha from 0.00001 to 1000 with
        the sum S of the sample weights; then W2's may be less, W1's more, and each input may have
        its own. From many rows a part is drawn for all that. Otherwise (other solvers, early
        stopping, logistic output by lbfgs) S n_outputs alpha is 1; in ``partial_fit`` of all calls
        so far. Where y is not standardised these are in units of its variance, in ``partial_fit``
        with identity output of its standard deviation, at least 0.3 (those of the first call).
    solver : {"auto", "lm", "lbfgs", "adam", "sgd", "gd"}, default="auto"
        **Training.** "lm" is Levenberg-Marquardt; "lbfgs" limited-memory BFGS; "adam" and "sgd" go
        through mini-batches; "gd" is the textbook rule w <- w - learning_rate dF/dw on all rows.
        "auto" takes "lm" where its matrix is affordable, then "lbfgs", then "adam". Of few rows for
        each column it takes "lbfgs", or from 250 rows on what left-out rows say; ``solver_`` tells.
    learning_rate : float or "auto", default="auto"
        The step size of gd, sgd and adam. "auto" is 0.5 / (largest eigenvalue of the Gauss-Newton
        matrix at the start), 0.05 and 0.01.
    learning_rate_schedule : {"cosine", "constant"}, default="cosine"
        Whether the rate of sgd and adam decays to zero over ``max_iter`` epochs, or stays.
    momentum : float in [0, 1), default=0.9
        The share of its last direction that sgd adds to the gradient.
    nesterovs_momentum : bool, default=True
        Whether sgd uses Nesterov's momentum.
    batch_size : int or "auto", default="auto"
        Rows in a mini-batch of sgd and adam; "auto" is n_samples / 20, at least 16 and at most 200.
    shuffle : bool, default=True
        Whether sgd and adam draw a new order of the rows for each epoch.
    max_iter : int or "auto", default="auto"
        **Stopping.** Most iterations of gd and lbfgs, epochs of sgd and adam, accepted steps of
        lm. "auto" is 2000, 1000, 100, 100 and 200. With "auto" and a float alpha, lm fits
        a small problem from five starts and keeps the best, unless ``warm_start`` or
        ``early_stopping`` is set; else there is one start.
    max_time : float or None, default=None
        Most seconds of ``fit``: it ends at the first iteration after them, with the best
        weights so far and a warning; one of lm on many rows may take longer than all of them. Of a
        committee the members that are whole are kept.
    tol : float, default=1e-4
        gd and lbfgs stop when no component of the gradient exceeds ``tol``; lm when
        three steps in a row lower the loss by less than ``tol`` times itself, lbfgs when
        ``max_iter`` / 5 iterations, from 10 to 200, lower it by no more than that each (20
        after a start on a part of the rows, 40 from a network of the comparison); sgd and adam
        when ``n_iter_no_change`` epochs lower it by no more than ``tol``. If the last epoch of
        sgd or adam still lowers it by more, the fit warns; the last rates of "cosine" are next to
        zero, so that a larger ``max_iter`` may lower it further all the same. With early stopping,
        the least gain of score or loss that counts as progress.
    early_stopping : bool, default=False
        Hold out ``validation_fraction`` of the rows, stop when their score no longer grows and
        their loss no longer falls, and keep the weights with the best score. For every solver.
    scoring : str, callable or None, default=None
        How validation rows are scored: a name of ``sklearn.metrics.get_scorer_names()``, "loss"
        for minus their mean loss, None for R^2, or ``scorer(estimator, X, y)``; one that asks for
        error bars, by ``return_std``, is refused, as they come after the fit.
    validation_fraction : float in (0, 1), default=0.1
        Held out with ``early_stopping`` where ``fit`` is not given ``X_val``.
    n_iter_no_change : int or infinity, default=10
        Iterations without progress before early stopping or a plateau ends the fit.
    warm_start : bool, default=False
        **The rest.** Start from the weights of the last fit, if they suit the units of the rows.
    n_jobs : int or None, default=None
        Processes that fit the members of a committee, as joblib counts them.
    random_state : int, RandomState instance or None, default=None
        Starting weights, order of the rows, validation split.
    verbose : bool or int, default=0
        Print each iteration, what the stages are for, and which parameters the solver ignores.

    Attributes
    ----------
    coefs_ : list of ndarray
        [W1 (n_features, n_hidden), W2 (n_hidden, n_outputs)] in the units of X and y:
        the only copy of the weights. Predictions read it, and may be assigned to.
    intercepts_ : list of ndarray
        [b1 (n_hidden,), b2 (n_outputs,)].
    n_iter_ : int
        Iterations of the last fit; of several starts, those of the one that was kept.
    loss_ : float
        Objective F of the published weights, penalty included, on the standardised scale. Of a
        committee that of its best member, as are ``loss_curve_``, ``n_iter_``, ``penalty_`` and all
        that follows from these; its noise, relevance and importances are of all members.
    loss_curve_ : list of float
        Objective after each iteration; where the evidence changes the penalties on the
        way, under the penalties of that iteration, and where it starts on a part of the
        rows, first of that part.
    penalty_ : ndarray of shape (4,), or (n_features + 3,) where inputs have their own
        Penalty of each group of weights in the objective: of W1 (then of each of its
        rows, first), b1, W2 and b2.
    feature_relevance_ : ndarray of shape (n_features,)
        Root mean square over the training rows (of ``partial_fit``: of its last call) of the
        gradient of Z2 in each input, times the standard deviation of the column over that of y.
    feature_importances_ : ndarray of shape (n_features,)
        The same, divided by the sum over the inputs.
    prior_precision_ : ndarray of shape (4,) or (n_features + 3,)
        Prior precision of the same groups on the standardised scale, where all have one.
    noise_precision_ : float or ndarray of shape (n_outputs,)
        1 / variance of the noise of each target, in the units of y. A target that is
        constant says nothing of its noise: it is that of one more row with a residual of 1. Nor
        do one or two distinct rows: there that residual is one standard deviation of y. Infinite
        where y is so small that it exceeds any float. The variance is the mean over members.
    n_effective_params_ : float
        How many weights the data determine. There where error bars are.
    curvature_rows_ : int
        Rows of which the Gauss-Newton matrix was made: all, copies once where they are merged, or a
        random part where all would take more than a second. Most fits of over 5,000 weights have
        none.
    log_marginal_likelihood_ : float
        Laplace's approximation of ln p(y), in the units of y, where all groups have a
        prior precision.
    best_loss_ : float or None
        Least value of ``loss_curve_``; None with early stopping.
    validation_scores_ : list of float or None
        Score of the validation rows after each iteration; None without such rows.
    validation_loss_curve_ : list of float or None
        Their mean loss, without penalty, on the standardised scale.
    best_validation_score_ : float or None
        Their maximum.
    t_ : int
        Rows seen in training.
    solver_ : str
        The solver that was used.
    n_hidden_ : int
        Hidden units of the network; of a committee, of each member.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of str
        Names of the columns of X, where X has string names.
    n_outputs_ : int
        Outputs k of the network.
    out_activation_ : str
        Output activation.

    See Also
    --------
    TwoLayerClassifier : The same network under the log loss.

    References
    ----------
    Bishop, C. M. (1995). Neural Networks for Pattern Recognition, chapters 4 and 7.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_twolayer import TwoLayerRegressor
    >>> X = np.linspace(-3, 3, 200).reshape(-1, 1)
    >>> y = np.sin(2 * X[:, 0])
    >>> model = TwoLayerRegressor(random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.999
    True
    """

    _targets_class = RealTargets
    noise_precision_: float | np.ndarray

    def __init__(
        self,
        n_hidden: int | Literal["auto"] = "auto",
        *,
        activation: Literal["logistic", "tanh", "relu", "softplus", "identity"] = "logistic",
        output_activation: Literal["identity", "logistic"] = "identity",
        standardize: bool = True,
        n_members: int | Literal["auto"] = "auto",
        alpha: float | Literal["auto", "evidence", "ard"] = "auto",
        solver: Literal["auto", "lm", "lbfgs", "adam", "sgd", "gd"] = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        learning_rate_schedule: Literal["cosine", "constant"] = "cosine",
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        batch_size: int | Literal["auto"] = "auto",
        shuffle: bool = True,
        max_iter: int | Literal["auto"] = "auto",
        max_time: float | None = None,
        tol: float = 1e-4,
        early_stopping: bool = False,
        scoring: str | Callable[..., float] | None = None,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_hidden = n_hidden
        self.activation = activation
        self.output_activation = output_activation
        self.standardize = standardize
        self.n_members = n_members
        self.alpha = alpha
        self.solver = solver
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.max_iter = max_iter
        self.max_time = max_time
        self.tol = tol
        self.early_stopping = early_stopping
        self.scoring = scoring
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @overload
    def predict(self, X: Matrix, return_std: Literal[False] = False) -> np.ndarray: ...

    @overload
    def predict(self, X: Matrix, return_std: Literal[True]) -> tuple[np.ndarray, np.ndarray]: ...

    @overload
    def predict(
        self, X: Matrix, return_std: bool
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]: ...

    def predict(self, X, return_std=False):
        """Predict targets, and how sure the prediction is.

        The variance is that of the linearised prediction under the posterior of the
        weights, T J (c G)^-1 J', plus the noise, each in proportion to the noise variance of
        its target; over a committee the mean of the variances plus the variance of the means.
        T is 1.75, because fits from other starts differ by more than the posterior around one
        of them knows (1 for a linear network, where they do not), and up to twice as much where
        a committee has left out members; of 20 to 40 rows what left-out ones lost bounds it.
        Memory is that of a few rows and of the answer.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.
        return_std : bool, default=False
            Whether to return the standard deviation of a new target as well.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions, in the shape that y had in ``fit``.
        std : ndarray of the same shape
            Only with ``return_std=True``: standard deviations, noise included, in
            the units of y.

        Raises
        ------
        ValueError
            If ``return_std`` is asked of a fit without a posterior.
        """
        y = self._predict_mean(X)
        return (y, self._predict_std(X)) if return_std else y

    @over_collections
    def _predict_mean(self, X):
        Z2 = self._raw_prediction(X)
        return self._learned_.targets.decode(Z2)

    @over_collections
    def _predict_std(self, X):
        inputs = validated(self, X, np.float64)
        answer = partial(standard_deviation, slope=self._learned_.targets.output_slope)
        std = self._learned_.by_posterior(*inputs, answer)
        std *= self._learned_.scale.y_scale
        return std.ravel() if self._learned_.targets.is_1d else std

    def score(self, X: Matrix, y: ArrayLike, sample_weight: MaybeArray = None) -> float:
        """Return R^2 of the predictions; of Dask collections in one pass over the partitions.

        Parameters
        ----------
        X : array-like, sparse matrix or Dask collection of shape (n_samples, n_features)
            Inputs.
        y : array-like or Dask collection of shape (n_samples,) or (n_samples, n_outputs)
            True targets.
        sample_weight : array-like or Dask collection of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        score : float
            At most 1; the mean over several targets.
        """
        return self._score(super().score, X, y, sample_weight)

    @available_if(lambda self: takes_batches(self.solver))
    def partial_fit(self, X: Matrix, y: ArrayLike, sample_weight: MaybeArray = None) -> Self:
        """Train for one epoch over these rows, at a constant learning rate.

        For sgd and adam. The first call fixes the scaling of X and y: where its rows
        do not represent those to come, scale before and set ``standardize=False``.
        Moments, averages and random numbers go on from call to call, so that 100
        calls with all rows go the way of ``fit`` with ``max_iter=100``,
        ``learning_rate_schedule="constant"``, ``tol=0`` and the same float ``alpha``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._partial_fit(X, y, sample_weight)
