"""partial_fit: one epoch over each batch of rows that comes along, for sgd and adam."""

from copy import copy, deepcopy
from dataclasses import dataclass, replace

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from sklearn_twolayer._auto import resolve
from sklearn_twolayer._member import starts
from sklearn_twolayer._monitor import TrainingMonitor
from sklearn_twolayer._objective import Objective, fixed_penalty, penalty_groups
from sklearn_twolayer._parameters import check_parameters
from sklearn_twolayer._rows import is_collection
from sklearn_twolayer._stochastic import StochasticState, restart
from sklearn_twolayer._table import Table, read_table
from sklearn_twolayer._train import train_stochastic
from sklearn_twolayer._validation import are_published, published_weights


@dataclass
class Stream:
    """What goes on from call to call: weights and moments, solver, random numbers."""

    state: StochasticState
    solver: str
    random_state: np.random.RandomState


def is_stochastic(estimator):
    """Whether the solver takes rows in batches.

    Raises
    ------
    AttributeError
        If it does not.
    """
    if estimator.solver in ("sgd", "adam"):
        return True
    raise AttributeError(
        f"partial_fit needs solver='sgd' or solver='adam', but solver={estimator.solver!r}."
    )


class PartialFit:
    """What ``partial_fit`` of both estimators shares."""

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """Train on a copy, so that an error leaves the estimator as it was."""
        fitted = copy(self)
        _train_on_batch(fitted, X, y, sample_weight, classes)
        self.__dict__ = vars(fitted)  # in one step: an interrupt finds the old state or the new
        return self


class PartialFitRegressor(PartialFit):
    """``partial_fit`` of the regressor."""

    @available_if(is_stochastic)
    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch over these rows, at a constant learning rate.

        For sgd and adam. The first call fixes the scaling of X and y: where its rows
        do not represent those to come, scale before and set ``standardize=False``.
        Moments, averages and random numbers go on from call to call, so that 100
        calls with all rows go the way of ``fit`` with ``max_iter=100``,
        ``learning_rate_schedule="constant"`` and ``tol=0``.

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

    def _fit_stream_targets(self, y, classes):
        self._fit_targets(y)

    def _check_stream_targets(self, y, classes):
        """The number of outputs is checked where y is encoded."""

    def _weigh_stream(self, y, weight):
        return weight

    def _targets_to_start_from(self, targets, weight):
        return targets, weight


class PartialFitClassifier(PartialFit):
    """``partial_fit`` of the classifier."""

    @available_if(is_stochastic)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Train for one epoch over these rows, at a constant learning rate.

        For sgd and adam. The first call fixes the classes, and the scaling of X: where
        its rows do not represent those to come, scale before and set
        ``standardize=False``. Moments, averages and random numbers go on from call to
        call, so that 100 calls with all rows go the way of ``fit`` with
        ``max_iter=100``, ``learning_rate_schedule="constant"`` and ``tol=0``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or 0/1 indicators.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.
        classes : array-like of shape (n_classes,), default=None
            All labels that any call will see, for multilabel y the indices of its
            columns. The first call needs it.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._partial_fit(X, y, sample_weight, classes)

    def _fit_stream_targets(self, y, classes):
        if classes is None:
            raise ValueError(
                "The first call of partial_fit needs classes: all labels that any call will see, "
                "for instance classes=np.unique(y_all)."
            )
        self._learn_classes(y)
        if not self._is_multilabel:
            self._set_classes(np.unique(classes), is_multilabel=False)
        self._check_stream_targets(y, classes)

    def _check_stream_targets(self, y, classes):
        if classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"classes={np.unique(classes).tolist()} are not those of the first call of "
                f"partial_fit, {self.classes_.tolist()}. Leave classes out, or start with a clone."
            )

    def _weigh_stream(self, y, weight):
        """Class weights; those of classes that this batch lacks wait for theirs."""
        if self.class_weight is None:
            return weight
        is_list = isinstance(self.class_weight, list)
        each = self.class_weight if is_list else [self.class_weight]
        if "balanced" in each:
            raise ValueError(
                "class_weight='balanced' needs all rows at once. For partial_fit pass the dict of "
                "sklearn.utils.class_weight.compute_class_weight('balanced', classes=..., y=...)."
            )
        unknown = [label for one in each for label in one or () if not self._is_label(label)]
        if unknown:
            raise ValueError(
                f"class_weight names {unknown}, but the classes are {self.classes_.tolist()}."
            )
        factor = np.ones(len(y)) if weight is None else weight.copy()
        columns = y.reshape(len(y), -1).T
        for one, labels in zip(each if is_list else each * len(columns), columns):
            factor *= [(one or {}).get(label, 1.0) for label in labels.tolist()]
        return factor

    def _is_label(self, label):
        return label in ((0, 1) if self._is_multilabel else self.classes_.tolist())

    def _targets_to_start_from(self, targets, weight):
        """A class that the first batch lacks gets a row, and so a finite starting bias."""
        if targets.ndim == 1:
            every = np.arange(self.n_outputs_)
            has_every = len(np.unique(targets)) == self.n_outputs_
        else:
            every = np.repeat([[0.0], [1.0]], self.n_outputs_, axis=1)
            has_every = (np.ptp(targets, axis=0) > 0).all()
        if has_every:
            return targets, weight
        if weight is not None:
            weight = np.append(weight, np.ones(len(every)))
        return np.concatenate([targets, every]), weight


def _train_on_batch(estimator, X, y, sample_weight, classes):
    check_parameters(estimator)
    _check_setting(estimator)
    if is_collection(X, y, sample_weight):
        raise TypeError(
            "partial_fit takes arrays, not Dask collections: call it with the computed partitions "
            "one by one, or use fit, which reads them itself."
        )
    is_first = not hasattr(estimator, "_standardization")
    has_weights = hasattr(estimator, "coefs_")
    table = read_table(estimator, X, y, sample_weight, reset=is_first)
    learn = estimator._fit_stream_targets if is_first else estimator._check_stream_targets
    learn(table.y, classes)
    weight = estimator._weigh_stream(table.y, table.weight)
    table = replace(table, weight=weight).encode(estimator)
    if is_first:
        estimator._standardization = estimator._fit_standardization(table)
    if is_first or not has_weights:
        estimator.n_hidden_ = estimator._width()
    elif estimator.n_hidden != "auto":
        estimator.n_hidden_ = int(estimator.n_hidden)
    shape = table.n_rows, table.n_features, estimator.n_outputs_
    settings = replace(resolve(estimator, *shape), max_iter=1)
    network, penalty = estimator._member_network(), fixed_penalty(settings.alpha)
    objective = Objective(network, estimator._loss(), penalty[penalty_groups(network)])
    dtype = estimator.coefs_[0].dtype if has_weights else table.dtype
    if has_weights:
        stream = _next_stream(estimator, settings, dtype)
    else:
        stream = _first_stream(estimator, settings, table, dtype)
    curve = getattr(estimator, "loss_curve_", ())
    monitor = TrainingMonitor(
        None, tol=0, n_iter_no_change=1, verbose=estimator.verbose, loss_curve=curve
    )
    with estimator._rows(table, dtype) as rows:
        result = train_stochastic(
            estimator,
            settings,
            objective,
            rows,
            stream.state,
            stream.random_state,
            monitor,
            schedule="constant",
            tol=0,
        )
    stream = replace(stream, state=result.state)
    _publish(estimator, settings, stream, monitor, penalty, table.n_rows)


def _check_setting(estimator):
    if estimator.early_stopping:
        raise ValueError(
            "partial_fit does not support early_stopping=True: there is no last call. Set "
            "early_stopping=False and score the rows that you keep apart after each call."
        )
    if estimator.n_members > 1:
        raise ValueError(
            f"partial_fit does not support n_members={estimator.n_members}: a committee is one "
            "network after the fit. Set n_members=1, or train the members as estimators."
        )


def _first_stream(estimator, settings, table, dtype):
    random_state = check_random_state(estimator.random_state)
    targets, weight = estimator._targets_to_start_from(table.targets, table.weight)
    start = Table(None, None, weight, targets)
    [(coefs, intercepts)] = starts(estimator, start, random_state)
    params = estimator._member_network().pack(coefs, intercepts, np.float64).astype(dtype)
    return Stream(StochasticState(params, params), settings.solver, random_state)


def _next_stream(estimator, settings, dtype):
    """Go on where the last call ended; after ``fit``, or new ``coefs_``, from the weights."""
    network, standardization = estimator._member_network(), estimator._standardization
    shapes = [array.shape for array in estimator.coefs_]
    expected = [array.shape for array in network.unpack(np.empty(network.n_params))[::2]]
    if shapes != expected:
        raise ValueError(
            f"partial_fit cannot go on from weights of shapes {shapes}: n_hidden="
            f"{estimator.n_hidden} needs {expected}. Start with a clone of the estimator."
        )
    stream = deepcopy(getattr(estimator, "_stream", None))  # a refused call draws nothing
    if stream is None:
        stream = Stream(None, settings.solver, check_random_state(estimator.random_state))
    state = stream.state
    if state is None or not are_published(estimator, network, [state.average]):
        unfolded = standardization.unfold(estimator.coefs_, estimator.intercepts_)
        params = network.pack(*unfolded, dtype)
        state = StochasticState(params, params) if state is None else restart(state, params)
    if stream.solver != settings.solver:  # moments mean something else
        state = replace(state, rule_state=None)
    return Stream(replace(state, progress=0.0), settings.solver, stream.random_state)


def _publish(estimator, settings, stream, monitor, penalty, n_rows):
    network, dtype = estimator._member_network(), stream.state.average.dtype
    estimator.coefs_, estimator.intercepts_ = published_weights(
        estimator._standardization, network, stream.state.average, dtype
    )
    estimator._stream = stream
    estimator._training_state = stream.state if estimator.warm_start else None
    estimator.solver_ = settings.solver
    estimator._fitted_activation = estimator.activation
    estimator._chose_penalty = False
    estimator.n_iter_ = getattr(estimator, "n_iter_", 0) + 1
    estimator.t_ = getattr(estimator, "t_", 0) + n_rows
    estimator.loss_curve_ = monitor.loss_curve
    estimator.loss_ = monitor.loss_curve[-1]
    estimator.best_loss_ = min(monitor.loss_curve)
    estimator.validation_scores_ = estimator.validation_loss_curve_ = None
    estimator.best_validation_score_ = None
    estimator.penalty_ = penalty
    estimator._forget_posterior()
