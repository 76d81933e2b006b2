"""TwoLayerClassifier: the log loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if

from sklearn_twolayer._base import BaseTwoLayer
from sklearn_twolayer._data.labels import LabelTargets
from sklearn_twolayer._fit.parameters import takes_batches
from sklearn_twolayer._validation import Matrix, MaybeArray, over_collections, validated


class TwoLayerClassifier(ClassifierMixin, BaseTwoLayer):
    """Classification by a network with one hidden layer, under the log loss.

    The probability is sigma(Z2) for two classes and for each label of multilabel targets,
    softmax(Z2) for more classes, with Z2 = g(X W1 + b1) W2 + b2. Training minimises

        F = (1 / S) sum_i s_i (-ln probability of y_i) + alpha / 2 (sum W1^2 + sum W2^2)

    by backprop, on standardised X, with sample weights s_i and their sum S.

    Parameters are of the network (from ``n_hidden``), the penalty (``alpha``), training (from
    ``solver``; ``verbose`` tells which are ignored), stopping (from ``max_iter``), and the rest.

    Parameters
    ----------
    n_hidden : int or "auto", default="auto"
        **Network.** Hidden units h. "auto" is the square root of the sum of the sample weights S
        (of the first batch), from 20 to 50, but no less than the classes or labels, up to 100; of 7
        classes and more up to 100 if left-out rows ask; with ``warm_start`` as many as there are.
    activation : {"logistic", "tanh", "relu", "softplus", "identity"}, default="logistic"
        Hidden activation g.
    standardize : bool, default=True
        Centre and scale X, rare levels and words by their own values; folded into ``coefs_``.
    n_members : int, default=1
        Networks of a committee, each from a start of its own, whose raw predictions
        are averaged: folded into one network of n_members n_hidden units.
    alpha : float or {"auto", "evidence", "ard"}, default="auto"
        **Penalty.** A float is that of F, on the standardised scale; biases are free. It means the
        same for every solver, batch size and number of rows. "evidence" finds a penalty for each of
        W1, b1, W2 and b2 by MacKay's evidence procedure, "ard" (automatic relevance determination)
        one per column of X; both need solver "lm" or "lbfgs". "auto" chooses S alpha, with the sum
        S of the weights, from 0.03 to 1000 by up to five folds of cross-validation of 100 left-out
        rows (of a rare class more), of many rows on a part; then W2's may be up to 100 times less,
        W1's up to ten times more, and each input may have its own. Below ten distinct rows it is
        0.03. Alpha is 1 / S for sgd, gd, for adam where lbfgs could afford all rows, Dask,
        ``partial_fit``; 0.1 / S with early stopping.
    solver : {"auto", "lm", "lbfgs", "adam", "sgd", "gd"}, default="auto"
        **Training.** "lm" is generalised Gauss-Newton with Levenberg-Marquardt damping; "lbfgs"
        limited-memory BFGS; "adam" and "sgd" take mini-batches; "gd" is w <- w - learning_rate
        dF/dw on all rows. "auto" takes "lm" on some tens of rows, then "lbfgs", then "adam".
    learning_rate : float or "auto", default="auto"
        "auto" is 0.5 / (largest eigenvalue of the Gauss-Newton matrix at the start), 0.05 and 0.01.
    learning_rate_schedule : {"cosine", "constant"}, default="cosine"
        Whether the rate of sgd and adam decays to zero over ``max_iter`` epochs, or stays.
    momentum : float in [0, 1), default=0.9
        The share of its last direction that sgd adds to the gradient.
    nesterovs_momentum : bool, default=True
        Whether sgd uses Nesterov's momentum.
    batch_size : int or "auto", default="auto"
        Rows in a mini-batch of sgd and adam; "auto" is n_samples / 20, at least 16, at most 200.
    shuffle : bool, default=True
        Whether sgd and adam draw a new order of the rows for each epoch.
    max_iter : int or "auto", default="auto"
        **Stopping.** Most iterations of gd and lbfgs, epochs of sgd and adam, accepted steps of
        lm. "auto" is 2000, 1000, 100, 100 and 200.
    max_time : float or None, default=None
        Most seconds of ``fit``: it ends at the first iteration after them, with the best
        weights so far and a warning. Of a committee the members that are whole are kept.
    tol : float, default=1e-4
        gd and lbfgs stop when no component of the gradient exceeds ``tol`` (lbfgs: times the
        entropy of the classes, if less than 1); lm when three steps in a row lower the loss by
        less than ``tol`` times itself, lbfgs when ``max_iter`` / 5 iterations, from 10 to 200,
        lower it by no more than that each (40 from where compared networks are); sgd and adam
        when ``n_iter_no_change`` epochs gain no ``tol``. In early stopping what counts as a gain.
    early_stopping : bool, default=False
        Hold out ``validation_fraction`` of the rows, stop when their score no longer grows and
        their loss no longer falls, and keep the weights with the best score. For every solver.
    scoring : str, callable or None, default=None
        How validation rows are scored: a name of ``sklearn.metrics.get_scorer_names()``, "loss"
        for minus their mean loss, None for accuracy, or ``scorer(estimator, X, y)``, unmoderated.
    validation_fraction : float in (0, 1), default=0.1
        Held out with ``early_stopping`` where ``fit`` is not given ``X_val``, stratified by class.
    n_iter_no_change : int or infinity, default=10
        Iterations without progress before early stopping or a plateau ends the fit.
    warm_start : bool, default=False
        **The rest.** Start from the weights of the last fit, if they suit the units of the rows.
    n_jobs : int or None, default=None
        Processes that fit the members of a committee, as joblib counts them.
    class_weight : dict, "balanced", list of these, or None, default=None
        Weight of each class, multiplied into ``sample_weight``. "balanced" gives every class the
        same total weight. A list has one entry for each column of y.
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
        Iterations of the last fit.
    loss_ : float
        Objective F of the published weights, penalty included, on the standardised scale. Of a
        committee that of its best member, as is all that follows but for the relevances.
    loss_curve_ : list of float
        Objective after each iteration; with "evidence" under the penalties of that iteration.
    penalty_ : ndarray of shape (4,), or (n_features + 3,) where inputs have their own
        Penalty of each group of weights: of W1 (then of each of its rows, first), b1, W2 and b2.
    feature_relevance_ : ndarray of shape (n_features,)
        Root mean square over the rows (of ``partial_fit``: of its last call) of the gradient
        of Z2 in each input, times the standard deviation of the column.
    feature_importances_ : ndarray of shape (n_features,)
        The same, divided by its sum.
    prior_precision_ : ndarray of shape (4,) or (n_features + 3,)
        Prior precision of the same groups on the standardised scale, where all have one.
    n_effective_params_ : float
        How many weights the data determine, where a matrix tells.
    curvature_rows_ : int
        Rows of the Gauss-Newton matrix: all, merged copies once, or a random part of very many.
        Networks that are not moderated have none, but for "evidence" and "ard".
    log_marginal_likelihood_ : float
        Laplace's approximation of ln p(y), where all groups have a prior precision.
    best_loss_ : float or None
        Least value of ``loss_curve_``; None with early stopping.
    validation_scores_ : list of float or None
        Score of the validation rows after each iteration; None without such rows.
    validation_loss_curve_ : list of float or None
        Their mean loss, without penalty, on the standardised scale.
    best_validation_score_ : float or None
        Maximum of ``validation_scores_``.
    t_ : int
        Rows seen in training.
    solver_ : str
        The solver that was used.
    classes_ : ndarray
        Class labels, sorted; for multilabel targets the indices of the labels.
    n_hidden_ : int
        Hidden units; of a committee, of each member.
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
    TwoLayerRegressor : The same network under the squared error.

    References
    ----------
    Bishop, C. M. (1995). Neural Networks for Pattern Recognition, chapters 4 and 6.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_twolayer import TwoLayerClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> model = TwoLayerClassifier(random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    _targets_class = LabelTargets
    classes_: np.ndarray

    def __init__(
        self,
        n_hidden: int | Literal["auto"] = "auto",
        *,
        activation: Literal["logistic", "tanh", "relu", "softplus", "identity"] = "logistic",
        standardize: bool = True,
        n_members: int = 1,
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
        class_weight: Mapping | list | Literal["balanced"] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_hidden = n_hidden
        self.activation = activation
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
        self.class_weight = class_weight
        self.random_state = random_state
        self.verbose = verbose

    @over_collections
    def predict(self, X: Matrix) -> np.ndarray:
        """Predict class labels: for each row the most probable class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or 0/1 indicators for multilabel targets.
        """
        Z2 = self._raw_prediction(X)
        return self._learned_.targets.decode(Z2)

    @over_collections
    def predict_proba(self, X: Matrix, moderated: bool = False) -> np.ndarray:
        """Predict probabilities.

        Moderated ones are averaged over the posterior of the weights (MacKay 1992, "The evidence
        framework applied to classification networks"): nearer to even where the data leave the
        network unsure, in the same order of two classes. They are the plain ones where left-out
        rows say so, or where n k p min(n k, p) > 5e8 with n rows, k outputs and p weights.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.
        moderated : bool, default=False
            Whether to average over the posterior; the plain network otherwise.

        Returns
        -------
        probability : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``; for multilabel targets each label's own.

        Raises
        ------
        ValueError
            If ``moderated`` is asked of a fit without a posterior.
        """
        if moderated:
            inputs = validated(self, X, np.float64)  # which checks that there is a fit
            A2 = self._learned_.moderated_probability(*inputs)
        else:
            Z2 = self._raw_prediction(X)
            A2 = self._learned_.targets.loss.predict(Z2)
        return self._learned_.targets.of_each_class(A2)

    @over_collections
    def predict_log_proba(self, X: Matrix) -> np.ndarray:
        """Predict logarithms of probabilities.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        log_probability : ndarray of shape (n_samples, n_classes)
            ln of ``predict_proba(X)``, computed without rounding to ln 0.
        """
        Z2 = self._raw_prediction(X)
        return self._learned_.targets.log_of_each_class(Z2)

    @over_collections
    def decision_function(self, X: Matrix) -> np.ndarray:
        """Return the raw prediction Z2, before sigma or softmax.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        Z2 : ndarray of shape (n_samples,) or (n_samples, n_classes)
            One column for two classes, one for each class or label otherwise.
        """
        Z2 = self._raw_prediction(X)
        return Z2.ravel() if self._learned_.targets.is_binary else Z2

    def score(self, X: Matrix, y: ArrayLike, sample_weight: MaybeArray = None) -> float:
        """Return the accuracy; of Dask collections in one pass over the partitions.

        Parameters
        ----------
        X : array-like, sparse matrix or Dask collection of shape (n_samples, n_features)
            Inputs.
        y : array-like or Dask collection of shape (n_samples,) or (n_samples, n_labels)
            True labels.
        sample_weight : array-like or Dask collection of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        score : float
            For multilabel targets the share of rows with all labels right.
        """
        return self._score(super().score, X, y, sample_weight)

    @available_if(lambda self: takes_batches(self.solver))
    def partial_fit(
        self, X: Matrix, y: ArrayLike, sample_weight: MaybeArray = None, classes: MaybeArray = None
    ) -> Self:
        """Train for one epoch over these rows, at a constant learning rate.

        For sgd and adam. The first call fixes the classes, and the scaling of X: where its
        rows do not represent those to come, scale before and set ``standardize=False``.
        Moments, averages and random numbers go on from call to call: 100 calls with all rows go
        the way of ``fit`` with ``max_iter=100``, a constant rate, ``tol=0`` and the same alpha.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or 0/1 indicators.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.
        classes : array-like of shape (n_classes,), default=None
            All labels of all calls; of multilabel y the indices of columns. The first needs it.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._partial_fit(X, y, sample_weight, classes)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
