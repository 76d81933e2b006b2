"""TwoLayerClassifier: the log loss."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d

from sklearn_twolayer._base import BaseTwoLayer
from sklearn_twolayer._lazy import ScoresCollections, lazy, lazy_with_posterior
from sklearn_twolayer._losses import BinaryLogLoss, MulticlassLogLoss
from sklearn_twolayer._member import choose_along
from sklearn_twolayer._partial_fit import PartialFitClassifier
from sklearn_twolayer._posterior import expected_logistic, expected_softmax
from sklearn_twolayer._score import accuracy
from sklearn_twolayer._targets import (
    class_weight_of_rows,
    encode_labels,
    label_totals,
    learn_classes,
    merge_label_totals,
)


class TwoLayerClassifier(ScoresCollections, ClassifierMixin, PartialFitClassifier, BaseTwoLayer):
    """Classification by a network with one hidden layer, under the log loss.

    The probability is sigma(Z2) for two classes and for each label of multilabel
    targets, softmax(Z2) for more classes, with Z2 = g(X W1 + b1) W2 + b2. Training
    minimises

        F = (1 / S) sum_i s_i (-ln probability of y_i) + alpha / 2 (sum W1^2 + sum W2^2)

    by backprop, on standardised X, with sample weights s_i and their sum S.

    Parameters
    ----------
    n_hidden : int or "auto", default="auto"
        Hidden units h. "auto" is 50, or with ``warm_start`` as many as there are.
    activation : {"logistic", "tanh", "relu", "softplus", "identity"}, default="logistic"
        Hidden activation g.
    solver : {"auto", "lm", "lbfgs", "adam", "sgd", "gd"}, default="auto"
        "lm" is generalised Gauss-Newton with Levenberg-Marquardt damping; "lbfgs"
        limited-memory BFGS; "adam" and "sgd" go through mini-batches; "gd" is the
        textbook rule w <- w - learning_rate dF/dw on all rows. "auto" takes "lm" on
        tables of some tens of rows, then "lbfgs", then "adam"; ``solver_`` says which.
    alpha : float or {"auto", "evidence", "ard"}, default="auto"
        A float is the penalty alpha / 2 (sum W1^2 + sum W2^2) on the weights of the
        standardised network; biases are free. It means the same for every solver,
        batch size and number of rows. "evidence" finds a penalty for each group of
        weights (W1, b1, W2, b2) by MacKay's evidence procedure, "ard" (automatic
        relevance determination) one for each input column; both need solver "lm".
        "auto" chooses c in alpha = c / S, where S is the sum of the sample weights, from
        0.03, 0.1, 0.3, 1, 3 and 10 by five-fold cross-validation with lm and lbfgs; tables
        of fewer than ten distinct rows take 0.03. It is a float without cross-validation
        under other solvers, with early stopping, for Dask collections and where n_samples
        times the number of weights exceeds 10^7: 0.003 for sgd and adam, 1 / S for the
        others.
    standardize : bool, default=True
        Centre and scale X with the weighted moments of the training rows.
        The scaling is folded into ``coefs_`` and ``intercepts_`` after the fit.
    n_members : int, default=1
        Networks of a committee, each from a start of its own, whose raw predictions
        are averaged: folded into one network of n_members n_hidden units.
    learning_rate : float or "auto", default="auto"
        Of gd, sgd and adam. "auto" is 1 / (1 + n_features + n_hidden), 0.05 and 0.01.
    learning_rate_schedule : {"cosine", "constant"}, default="cosine"
        Of sgd and adam: decay to zero over ``max_iter`` epochs, or none.
    momentum : float in [0, 1), default=0.9
        Of sgd.
    nesterovs_momentum : bool, default=True
        Whether sgd uses Nesterov's momentum.
    batch_size : int or "auto", default="auto"
        Rows in a mini-batch of sgd and adam; "auto" is n_samples / 20,
        at least 16 and at most 200.
    shuffle : bool, default=True
        Whether sgd and adam draw a new order of the rows for each epoch.
    max_iter : int or "auto", default="auto"
        Most iterations of gd and lbfgs, epochs of sgd and adam, accepted steps of
        lm. "auto" is 2000, 1000, 100, 100 and 200.
    max_time : float or None, default=None
        Most seconds of ``fit``: it ends at the first iteration after them, with the best
        weights so far and a warning. Of a committee the members that are whole are kept.
    tol : float, default=1e-4
        gd and lbfgs stop when no component of the gradient exceeds ``tol``; lm when
        three steps in a row lower the loss by less than ``tol`` times itself; sgd and
        adam when ``n_iter_no_change`` epochs lower it by no more than ``tol``. If the
        last epoch of sgd or adam still lowers it by more, the fit warns. With early stopping,
        the least gain of the score that counts as progress.
    early_stopping : bool, default=False
        Hold out ``validation_fraction`` of the rows, stop when their score no longer
        grows, and keep the weights with the best score. For every solver.
    scoring : str, callable or None, default=None
        How validation rows are scored: a name of ``sklearn.metrics.get_scorer_names()``,
        ``scorer(estimator, X, y)``, "loss" for minus their mean loss, or None for accuracy.
    validation_fraction : float in (0, 1), default=0.1
        Held out with ``early_stopping`` where ``fit`` is not given ``X_val``, stratified by class.
    n_iter_no_change : int or infinity, default=10
        Iterations without progress before early stopping or a plateau ends the fit.
    warm_start : bool, default=False
        Start from the weights of the last fit instead of random ones.
    n_jobs : int or None, default=None
        Processes that fit the members of a committee, as joblib counts them.
    class_weight : dict, "balanced", list of these, or None, default=None
        Weight of each class, multiplied into ``sample_weight``. "balanced" gives
        every class the same total weight. A list has one entry for each label of
        multilabel targets.
    random_state : int, RandomState instance or None, default=None
        Starting weights, order of the rows, validation split.
    verbose : bool or int, default=0
        Print a line for each iteration.

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
        Objective of the published weights, penalty included, on the standardised scale; of a
        committee that of its best member, as ``loss_curve_`` and ``n_iter_`` are.
    loss_curve_ : list of float
        Objective after each iteration; where the evidence changes the penalties on the
        way, under the penalties of that iteration.
    penalty_ : ndarray
        Penalty of each group of weights in the objective: of W1 (with "ard" of each of
        its rows), b1, W2 and b2.
    feature_relevance_ : ndarray of shape (n_features,)
        Root mean square of the weights from each input, on the standardised scale;
        with ``alpha="ard"`` those of irrelevant inputs go to zero.
    prior_precision_ : ndarray
        Prior precision of the same groups on the standardised scale, where all have one.
    n_effective_params_ : float
        How many weights the data determine. Not there where the Gauss-Newton matrix is
        too large.
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
    classes_ : ndarray
        Class labels, sorted; for multilabel targets the indices of the labels.
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
    >>> model.predict_proba(X[:2]).shape
    (2, 3)
    """

    _stochastic_alpha = 0.003
    _y_is_numeric = False

    def __init__(
        self,
        n_hidden="auto",
        *,
        activation="logistic",
        solver="auto",
        alpha="auto",
        standardize=True,
        n_members=1,
        learning_rate="auto",
        learning_rate_schedule="cosine",
        momentum=0.9,
        nesterovs_momentum=True,
        batch_size="auto",
        shuffle=True,
        max_iter="auto",
        max_time=None,
        tol=1e-4,
        early_stopping=False,
        scoring=None,
        validation_fraction=0.1,
        n_iter_no_change=10,
        warm_start=False,
        n_jobs=None,
        class_weight=None,
        random_state=None,
        verbose=0,
    ):
        super().__init__(
            n_hidden,
            activation=activation,
            solver=solver,
            alpha=alpha,
            standardize=standardize,
            n_members=n_members,
            learning_rate=learning_rate,
            learning_rate_schedule=learning_rate_schedule,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            batch_size=batch_size,
            shuffle=shuffle,
            max_iter=max_iter,
            max_time=max_time,
            tol=tol,
            early_stopping=early_stopping,
            scoring=scoring,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            warm_start=warm_start,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    @lazy
    def predict(self, X):
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
        if self._is_multilabel:
            return (Z2 > 0).astype(int)
        best = (Z2[:, 0] > 0).astype(int) if len(self.classes_) == 2 else Z2.argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X, moderated=False):
        """Predict probabilities.

        Moderated probabilities are averaged over the posterior of the weights
        (MacKay 1992, "The evidence framework applied to classification networks"):
        where the data leave the network unsure they are nearer to even. The order of
        two classes stays the same.

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
        return self._moderated_probability(X) if moderated else self._probability(X)

    @lazy
    def _probability(self, X):
        Z2 = self._raw_prediction(X)
        return self._of_each_class(self._loss().predict(Z2))

    @lazy_with_posterior
    def _moderated_probability(self, X):
        Z2, V = self._uncertain_raw_prediction(X)
        expected = expected_softmax if self.out_activation_ == "softmax" else expected_logistic
        return self._of_each_class(expected(Z2, V).astype(self.coefs_[0].dtype))

    def _of_each_class(self, A2):
        return np.hstack([1 - A2, A2]) if self._is_binary else A2

    @lazy
    def predict_log_proba(self, X):
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
        loss = self._loss()
        if self._is_binary:
            return np.hstack([loss.log_predict(-Z2), loss.log_predict(Z2)])
        return loss.log_predict(Z2)

    @lazy
    def decision_function(self, X):
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
        return Z2.ravel() if self._is_binary else Z2

    @property
    def _is_binary(self):
        return len(self.classes_) == 2 and self.n_outputs_ == 1

    @property
    def _is_multilabel(self):
        return self.out_activation_ == "logistic" and not self._is_binary

    def _loss(self):
        return MulticlassLogLoss() if self.out_activation_ == "softmax" else BinaryLogLoss()

    def _check_y(self, y):
        return column_or_1d(y, warn=True) if y.ndim == 1 or y.shape[1] == 1 else y

    def _fit_targets(self, y):
        previous = getattr(self, "classes_", None) if self.warm_start else None
        was_multilabel = previous is not None and self._is_multilabel
        self._learn_classes(y)
        same = np.array_equal(previous, self.classes_) and was_multilabel == self._is_multilabel
        if previous is not None and not same:
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {previous}, `y` has {self.classes_}. Set "
                "warm_start=False."
            )

    def _learn_classes(self, y):
        self._set_classes(*learn_classes(y))

    def _set_classes(self, classes, is_multilabel):
        self.classes_ = classes
        is_binary = len(classes) == 2 and not is_multilabel
        self.n_outputs_ = 1 if is_binary else len(classes)
        self.out_activation_ = "logistic" if is_binary or is_multilabel else "softmax"

    def _encode(self, y):
        return encode_labels(y, self.classes_, self._is_multilabel)

    def _outline(self, y, weight):
        return y.ndim, label_totals(y, weight)

    def _merge_outlines(self, outlines):
        dimensions, totals = zip(*outlines)
        return dimensions[0], merge_label_totals(totals)

    def _fit_outline(self, outline):
        n_dimensions, totals = outline
        labels = np.unique(np.concatenate([labels for labels, _ in totals]))
        self._fit_targets(labels if n_dimensions == 1 else np.stack([labels] * len(totals), axis=1))

    def _choose_penalty(self, settings, table, random_state, deadline):
        if settings.alpha != "auto":
            return settings
        return choose_along(self, settings, table, random_state, deadline)

    def _weigh_classes(self, y, weight, outline=None):
        totals = None if outline is None else outline[1]
        return class_weight_of_rows(self.class_weight, y, weight, totals)

    def _strata(self, y):
        return y if not self._is_multilabel else None

    def _output_slope(self, Z2):
        return np.ones_like(Z2)

    def _score_rows(self, rows, raw_prediction):
        return accuracy(rows, self._loss(), raw_prediction)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
