"""BaseTwoLayer: fit from end to end, backprop in public, and what a fitted network can do."""

from __future__ import annotations

from functools import partial
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from sklearn_twolayer._callbacks import CALLBACKS, CallbackSupportMixin, begin_fit, with_callbacks
from sklearn_twolayer._data.suspicious_rows import complaints
from sklearn_twolayer._data.table import is_collection, read_arrays, valid_rows, validation_rows
from sklearn_twolayer._fit import choice, run, span, training
from sklearn_twolayer._fit.monitor import Deadline, Watch, warn
from sklearn_twolayer._fit.parameters import checked, streaming, tell_ignored
from sklearn_twolayer._fit.results import published, whole_members, why_unfinished
from sklearn_twolayer._fit.weights import WarmStart, near_the_rows, random_state_of_stream
from sklearn_twolayer._learned import Learned, check_finite
from sklearn_twolayer._mlp import SklearnMLP, as_sklearn_mlp
from sklearn_twolayer._network.objective import Penalty, weighted
from sklearn_twolayer._validation import (
    Matrix,
    MaybeArray,
    over_collections,
    read_again,
    read_partitions,
    validated,
    weights_of,
    with_scorer,
)
from sklearn_twolayer._version import DOCUMENTATION, __version__, check_version


class BaseTwoLayer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, CallbackSupportMixin, BaseEstimator
):
    """A network with one hidden layer, trained by backprop: what both estimators share.

    A subclass names its ``_targets_class``. A fit sets public attributes, and ``_learned_``.
    """

    _doc_link_module = "sklearn_twolayer"
    _doc_link_template = DOCUMENTATION + "/reference/{estimator_module}.{estimator_name}.html"

    coefs_: list[np.ndarray]
    intercepts_: list[np.ndarray]
    n_iter_: int
    loss_: float
    loss_curve_: list[float]
    penalty_: np.ndarray
    feature_relevance_: np.ndarray
    feature_importances_: np.ndarray
    prior_precision_: np.ndarray
    n_effective_params_: float
    curvature_rows_: int
    log_marginal_likelihood_: float
    best_loss_: float | None
    validation_scores_: list[float] | None
    validation_loss_curve_: list[float] | None
    best_validation_score_: float | None
    t_: int
    solver_: str
    n_hidden_: int
    n_features_in_: int
    feature_names_in_: np.ndarray
    n_outputs_: int
    out_activation_: str

    @np.errstate(under="ignore")  # what is too small for a float is zero in every formula
    def fit(
        self,
        X: Matrix,
        y: ArrayLike,
        sample_weight: MaybeArray = None,
        *,
        X_val: Matrix | None = None,
        y_val: MaybeArray = None,
        sample_weight_val: MaybeArray = None,
    ) -> Self:
        """Fit the network to X and y.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs. float32 trains in float32, everything else in float64. A Dask array or data
            frame is read in its partitions, and so are y and the weights: Dask collections too, or
            arrays where its partitions have known lengths.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies: weight 2 equals the row repeated, weight 0 the row left out.
        X_val : array-like or sparse matrix of shape (n_val, n_features), default=None
            Validation rows, never learnt, but scored after each iteration: ``early_stopping`` goes
            by them. ``Pipeline(..., transform_input=["X_val"])`` takes them through its steps.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Their targets.
        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights, as they are: class weights do not apply.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data have no meaning; a fitted estimator stays as it was.
        """
        settings = checked(vars(self), type(self).__name__)
        deadline, random_state = Deadline(settings.max_time), check_random_state(self.random_state)
        fitted, learned = self._unfitted(), getattr(self, "_learned_", None)
        arrays, goes_on = (X, y, sample_weight), settings.warm_start and learned is not None
        table = read_again(fitted._read, arrays) if goes_on else fitted._read(arrays, reset=True)
        targets = self._targets_class.learn(table.summary(self._targets_class), settings)
        table = table.encode(targets).counted().distinct(settings).weigh(targets).counted()
        held_out = validation_rows(fitted._read, (X_val, y_val, sample_weight_val), targets)
        if held_out is None and settings.early_stopping:
            table, held_out = table.split(settings.validation_fraction, targets, random_state)
        start = WarmStart.of(vars(self), learned) if settings.warm_start else None
        problem, settings = run.pose(settings, targets, table, held_out=held_out, start=start)
        warn(complaints(problem, y, vars(fitted)), UserWarning, 2)
        if settings.verbose:
            tell_ignored(settings, self.get_params(deep=False), type(self), X_val is not None)
        warn(fitted._train(problem, settings, random_state, deadline), ConvergenceWarning, 2)
        self.__dict__ = vars(fitted)  # in one step: an interrupt finds the old state or the new
        return self

    @np.errstate(over="ignore", invalid="ignore", under="ignore")
    def loss_and_gradient(
        self, X: Matrix, y: ArrayLike, sample_weight: MaybeArray = None
    ) -> tuple[float, list[np.ndarray], list[np.ndarray]]:
        """Return the objective F that ``fit`` minimises, and its gradient: backprop in public.

        ``F = (1 / S) sum_i s_i loss_i + 1/2 sum_g penalty_g |w_g|^2`` on the scale that was set
        in ``fit``, with S = sum_i s_i and ``penalty_`` of each group of weights. Each member of a
        committee had an F of its own: of their one network it is the mean loss, without penalty.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights s_i.

        Returns
        -------
        loss : float
            F.
        coef_gradients : list of ndarray
            dF/dW1 (n_features, n_hidden) and dF/dW2 (n_hidden, n_outputs), W1, W2 = ``coefs_``.
        intercept_gradients : list of ndarray
            dF/db1 and dF/db2, with b1, b2 = ``intercepts_``.

        Raises
        ------
        ValueError
            If F or its gradient is not a finite number.
        """
        (coefs, intercepts), learned = weights_of(self), self._learned_
        targets, scale, network = learned.targets, learned.scale, learned.network(coefs)
        params = network.pack(*scale.unfold(coefs, intercepts), coefs[0].dtype)
        table = self._read((X, y, sample_weight)).encode(targets).weigh(targets)

        def block_sums(X, y, weight):  # of the loss, and of its gradient by the chain rule
            X = scale.apply_block(X) if sparse.issparse(X) else X
            Z2, A1 = network.forward(params, X)
            loss, delta = weighted(*targets.loss.loss_and_delta(y, Z2), weight)
            return loss, network.backward(params, X, A1, delta)

        with table.rows(scale, params.dtype, network.width) as rows:
            loss, gradient = (part / rows.weight_of_blocks for part in rows.sum(block_sums))
        if not learned.is_committee:
            penalty = Penalty.of(network, self.penalty_)
            loss, gradient = loss + penalty.value(params), gradient + penalty.per_weight * params
        coef_gradients, intercept_gradients = scale.unfold_gradient(*network.unpack(gradient))
        check_finite(loss, coef_gradients + intercept_gradients, coefs + intercepts)
        return float(loss), coef_gradients, intercept_gradients

    @over_collections
    def transform(self, X: Matrix) -> np.ndarray:
        """Return the hidden layer A1 = g(X W1 + b1): the features that the network has learned.

        In a Pipeline a network is thus a feature map, fitted with y, for the step
        behind it. The columns are named by ``get_feature_names_out``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        A1 : ndarray of shape (n_samples, n_hidden)
            Of all members side by side for a committee.
        """
        inputs = validated(self, X)
        return self._learned_.hidden_layer(*inputs)

    @over_collections
    def input_gradient(self, X: Matrix) -> np.ndarray:
        """Return d prediction / d X: how each input moves the prediction, row by row.

        For a regressor the prediction is ``predict``, for a classifier the raw prediction Z2 of
        ``decision_function``, whose gradient does not vanish where the probability is near 0
        or 1. By the chain rule it is (W2 * g'(Z1)) W1' times the slope of the output activation.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        gradient : ndarray of shape (n_samples, n_features) or \
(n_samples, n_outputs, n_features)
            In the units of y over the units of X; dense also for sparse X. With several
            outputs, labels or more than two classes there is one gradient for each.
        """
        inputs = validated(self, X)
        gradients = self._learned_.input_gradient(*inputs)
        return gradients[:, 0] if self.n_outputs_ == 1 else gradients

    def to_sklearn_mlp(self) -> SklearnMLP:
        """Return this network as a fitted MLP of scikit-learn, with the same predictions.

        The door to tools that know ``MLPRegressor`` and ``MLPClassifier`` by name. The weights
        are copied and in the units of X and y, so that there is nothing to standardise; a
        committee is one network. Its solver is that of this fit, or "lbfgs" for lm and gd, and
        its other parameters have their defaults. Losses are those of this fit, but for
        ``best_loss_``: the MLP measures its own in other units, and has had none yet.

        Returns
        -------
        mlp : MLPRegressor or MLPClassifier
            Its predictions of a y of one column have shape (n_samples,); probabilities of a
            single class have a second column, of zeros, as after its own fit.

        Raises
        ------
        ValueError
            If it has no such activation: softplus units, or a regressor with logistic output.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_twolayer import TwoLayerClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = TwoLayerClassifier(5, alpha=0.01, random_state=0).fit(X, y)
        >>> mlp = model.to_sklearn_mlp()
        >>> bool((mlp.predict(X) == model.predict(X)).all())
        True
        """
        weights_of(self)
        return as_sklearn_mlp(self, self._learned_)

    @np.errstate(under="ignore")
    def _partial_fit(self, X, y, sample_weight, classes=None):
        """One epoch of ``fit`` from where it was, at a constant learning rate."""
        settings = checked(vars(self), type(self).__name__)
        settings = streaming(settings, of_collections=is_collection(X, y, sample_weight))
        fitted, learned = self._unfitted(), getattr(self, "_learned_", None)
        start = WarmStart.of(vars(self), learned)
        table = fitted._read((X, y, sample_weight), reset=learned is None)
        if learned is None:
            targets = self._targets_class.learn(table.summary(self._targets_class), settings)
            targets, scale = targets.with_classes(classes), None
        else:
            targets, scale = learned.targets.going_on(classes, settings.class_weight), learned.scale
        table = table.batch(targets, None if start is None else start.coefs[0].dtype).counted()
        random_state = random_state_of_stream(start, settings.random_state)
        problem, settings = run.pose(settings, targets, table, scale=scale, start=start)
        if learned is None:
            warn(complaints(problem, y, vars(fitted), is_stream=True), UserWarning, 3)
        warn(fitted._train(problem, settings, random_state, Deadline()), ConvergenceWarning, 3)
        self.__dict__ = vars(fitted)  # in one step: an interrupt finds the old state or the new
        return self

    @with_callbacks
    def _train(self, problem, settings, random_state, deadline):
        """Fit the members and publish them; what to complain of."""
        table, watch, of_start = problem.table, Watch(deadline), []
        if problem.start is not None:
            problem, of_start = near_the_rows(problem, settings, random_state)
        if isinstance(settings.alpha, str):
            problem = problem.of_rows(table)
        if problem.start is None and problem.table.n_features > problem.table.n_rows:
            problem = span.in_span_of_rows(problem, settings)
        if settings.alpha == "auto":
            problem, settings = choice.with_best_penalty(problem, settings, random_state, deadline)
        if isinstance(settings.alpha, str) and problem.targets.n_outputs > 1:
            problem = choice.weigh_targets(problem, settings, random_state, deadline)
        columns = problem if problem.in_columns is None else span.problem_in_columns(problem)
        self._publish(columns)
        if problem.held_out is not None:
            problem = with_scorer(problem, self, settings.scoring)
        if getattr(self, CALLBACKS, ()) and not settings.is_stream:
            most = training.most_iterations(settings, problem.targets.is_numeric)
            watch = Watch(deadline, begin_fit(self, table, settings.n_members, most))
        if settings.n_members == 1:
            fits = members = [run.fit_member(problem, settings, random_state, watch=watch)]
        else:
            fits = run.fit_members(problem, settings, random_state, watch=watch)
            members = whole_members(fits)
        attributes, left = published(columns, settings, members, random_state)
        self._publish(columns, attributes, left)
        if watch.task is not None:
            watch.task.end(lambda: (self.coefs_, self.intercepts_))
        return [*of_start, *why_unfinished(settings, fits, members, attributes)]

    def _unfitted(self):
        """A copy without what a fit has published; what a subclass or a user has set stays."""
        copied, learned = type(self).__new__(type(self)), getattr(self, "_learned_", None)
        vars(copied).update(vars(self))
        for name in () if learned is None else ("_learned_", *learned.published):
            vars(copied).pop(name, None)
        return copied

    def _read(self, arrays, *, reset=False):
        """X, y and weights as a table; with ``reset`` the estimator learns the columns of X."""
        if is_collection(*arrays):
            return read_partitions(self, arrays, targets_class=self._targets_class, reset=reset)
        check = partial(valid_rows, partial(validate_data, self, reset=reset), self._targets_class)
        return read_arrays(check, *arrays)

    def _publish(self, problem, attributes=(), left=()):
        """Set what predictions mean, and what came out of the training once that is done."""
        attributes = {**problem.attributes, **dict(attributes)}
        vars(self).update(attributes)
        targets, activation, keeps = problem.targets, self.activation, isinstance(self.alpha, str)
        of_fit = {"keeps_matrix": keeps, "published": tuple(attributes), **dict(left)}
        self._learned_ = Learned(targets, problem.scale, activation, **of_fit)

    def _score(self, score_arrays, X, y, sample_weight):
        """R^2 or accuracy: scikit-learn's of arrays, of collections by a pass over them."""
        if not is_collection(X, y, sample_weight):
            return score_arrays(X, y, sample_weight=sample_weight)
        weights = weights_of(self)
        return self._learned_.score(*weights, self._read((X, y, sample_weight)))

    def _raw_prediction(self, X):
        inputs = validated(self, X)
        return self._learned_.raw_prediction(*inputs)

    @property
    def _n_features_out(self):
        """Columns of ``transform``, for their names."""
        return np.shape(self.coefs_[0])[1]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.target_tags.multi_output = self._targets_class.is_numeric
        return tags

    def __getstate__(self):
        return {**super().__getstate__(), "_version": __version__}

    def __setstate__(self, state):
        check_version(type(self).__name__, state.pop("_version", None))
        super().__setstate__(state)
