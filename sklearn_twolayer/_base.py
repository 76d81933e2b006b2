"""BaseTwoLayer: validate -> rows -> objective -> solver -> fitted attributes."""

import warnings
from contextlib import nullcontext
from copy import copy
from functools import partial

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_twolayer._auto import choose_n_hidden, resolve
from sklearn_twolayer._callbacks import begin_fit
from sklearn_twolayer._compat import CallbackSupportMixin, with_callbacks
from sklearn_twolayer._explain import Explainable
from sklearn_twolayer._member import fit_members, whole_members, why_unfinished
from sklearn_twolayer._monitor import Deadline
from sklearn_twolayer._network import TwoLayerNetwork, raw_prediction
from sklearn_twolayer._parameters import check_parameters
from sklearn_twolayer._rows import Rows, block_size
from sklearn_twolayer._standardize import Standardization, column_moments
from sklearn_twolayer._table import read_table
from sklearn_twolayer._uncertainty import Uncertainty
from sklearn_twolayer._validation import fold_members, own_validation_data

#: Predictions of so many rows are done before blocks and threads would begin.
FEW_ROWS = 256


class BaseTwoLayer(Uncertainty, Explainable, CallbackSupportMixin, BaseEstimator):
    """A network with one hidden layer, trained by backprop: what both estimators share.

    Subclasses say what y means: ``_check_y`` gives it its shape, ``_fit_targets``
    learns its encoding, or ``_fit_outline`` from the merged ``_outline`` of parts of y;
    ``_encode`` applies it, ``_loss`` is the loss,
    ``_weigh_classes`` multiplies class weights into the sample weights, ``_strata``
    and ``_score_rows`` stratify and score the validation rows of early stopping,
    ``_output_slope`` is the factor of the output activation in ``input_gradient``.
    """

    def __init__(
        self,
        n_hidden,
        *,
        activation,
        solver,
        alpha,
        standardize,
        n_members,
        learning_rate,
        learning_rate_schedule,
        momentum,
        nesterovs_momentum,
        batch_size,
        shuffle,
        max_iter,
        max_time,
        tol,
        early_stopping,
        scoring,
        validation_fraction,
        n_iter_no_change,
        warm_start,
        n_jobs,
        random_state,
        verbose,
    ):
        self.n_hidden = n_hidden
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.standardize = standardize
        self.n_members = n_members
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

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the network to X and y.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs. float32 trains in float32, everything else in float64. A Dask array
            or data frame is read in its partitions, and so are y and the weights:
            Dask collections too, or arrays where its partitions have known lengths.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies: weight 2 equals the row repeated, weight 0 the row left out.
        X_val : array-like or sparse matrix of shape (n_val, n_features), default=None
            Validation rows. They are never learnt, but scored after each iteration;
            with ``early_stopping`` they decide when to stop. In a Pipeline they pass
            through the same steps with ``Pipeline(..., transform_input=["X_val"])``.
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
            If a parameter or the data have no meaning; a fitted estimator then
            stays as it was.
        """
        fitted = copy(self)
        fitted._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)
        self.__dict__ = vars(fitted)  # in one step: an interrupt finds the old state or the new
        return self

    def _fit(self, X, y, sample_weight, X_val, y_val, sample_weight_val):
        """Fit; on a copy of the estimator, so that an error leaves no trace."""
        check_parameters(self)
        deadline = Deadline(self.max_time)
        table = read_table(self, X, y, sample_weight, reset=True)
        table.fit_targets(self)
        random_state = check_random_state(self.random_state)
        table = table.weigh_classes(self).encode(self)
        held_out = own_validation_data(self, X_val, y_val, sample_weight_val)
        if self.early_stopping and held_out is None:
            table, held_out = table.split(self, random_state)
        self._standardization = self._fit_standardization(table)
        self.n_hidden_ = self._width()
        shape = table.n_rows, table.n_features, self.n_outputs_
        settings = resolve(self, *shape, table.total_weight)
        self._check_committee()
        settings = self._choose_penalty(settings, table, random_state, deadline)
        self._fitted_activation = self.activation
        complaint = self._train(settings, table, held_out, random_state, deadline)
        if complaint is not None:
            warnings.warn(complaint, ConvergenceWarning, stacklevel=3)

    @with_callbacks
    def _train(self, settings, table, held_out, random_state, deadline):
        """Fit the members and publish them; what to complain of, or None."""
        task = begin_fit(self, settings, table)
        members = fit_members(self, settings, table, held_out, random_state, deadline, task)
        self._publish(whole_members(members), settings, table)
        if task is not None:
            task.end(lambda: (self.coefs_, self.intercepts_))
        return why_unfinished(self, settings, members)

    def _choose_penalty(self, settings, table, random_state, deadline):
        """Settings with a float for an alpha that is chosen before the members are fitted."""
        return settings

    def _check_committee(self):
        if self.n_members > 1 and self.warm_start:
            raise ValueError(
                f"n_members={self.n_members} cannot be used with warm_start=True: a committee is "
                "one network after the fit, with no members to go on from. Set one or the other."
            )

    def _validate(self, X, y, reset):
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=(np.float64, np.float32),
            multi_output=True,
            y_numeric=self._y_is_numeric,
            reset=reset,
        )
        return X, self._check_y(y.toarray() if sparse.issparse(y) else y)

    def _fit_standardization(self, table):
        identity = Standardization.none(table.n_features, self.n_outputs_)
        if not self.standardize:
            return identity
        with table.raw_rows("X", block_size=1024) as rows:
            mean, scale = column_moments(rows, "X")
        if self._loss().output_activation != "identity":
            return Standardization(mean, scale, identity.y_mean, identity.y_scale)
        with table.raw_rows("targets", block_size=4096) as rows:
            return Standardization(mean, scale, *column_moments(rows, "y"))

    def _publish(self, members, settings, table):
        """Fold the members and the scaling into one network and set the fitted attributes."""
        self._publish_weights(members, table.dtype)
        best = members[0]
        if len(members) > 1:
            best = min(members, key=lambda member: member.fun)
        curve, scores = best.curve, best.validation_scores
        self.solver_ = settings.solver
        self._chose_penalty = isinstance(self.alpha, str)
        self.n_iter_ = max(int(best.nit), 1)
        self.t_ = self.n_iter_ * table.n_rows
        self.loss_curve_ = curve
        picks_by_score = self.early_stopping and scores
        self.loss_ = curve[int(np.argmax(scores))] if picks_by_score else float(best.fun)
        self.best_loss_ = None if self.early_stopping else min(curve)
        self.validation_scores_ = scores or None
        self.validation_loss_curve_ = best.validation_losses or None
        self.best_validation_score_ = max(scores, default=None)
        self.penalty_ = best.penalty
        self._training_state = best.get("state") if self.warm_start else None
        self._stream = None
        self._publish_posterior(members, best)

    def _publish_weights(self, members, dtype):
        """Fold the members into ``coefs_`` and ``intercepts_``."""
        network = self._member_network()
        params = [member.x for member in members]
        self.coefs_, self.intercepts_ = fold_members(self._standardization, network, params, dtype)
        if not all(np.isfinite(array).all() for array in self.coefs_ + self.intercepts_):
            raise ValueError(
                f"The weights do not fit into {dtype} in the units of X and y. Scale the "
                "columns of X and y, or pass float64."
            )

    @property
    def feature_relevance_(self):
        """Root mean square (n_features,) of each input's weights, on the standardised scale."""
        check_is_fitted(self)
        W1 = self.coefs_[0] * self._standardization.scale[:, None]
        return np.sqrt((W1**2).mean(axis=1))

    def _network(self):
        """The network of ``coefs_``: all members of a committee side by side."""
        W1, W2 = self.coefs_
        return TwoLayerNetwork(*W1.shape, W2.shape[1], self._fitted_activation)

    def _member_network(self):
        return TwoLayerNetwork(
            self.n_features_in_, self.n_hidden_, self.n_outputs_, self.activation
        )

    def _width(self):
        """Hidden units of a network; "auto" goes on with those that a warm start finds."""
        if self.n_hidden == "auto" and self.warm_start and hasattr(self, "coefs_"):
            return self.coefs_[0].shape[1]
        return choose_n_hidden(self.n_hidden)

    def _rows(self, table, dtype, solver=None):
        """Rows with standardised targets and cache-sized blocks, to train or to validate."""
        return table.rows(self._standardization, dtype, self._block_size(dtype, solver))

    def _block_size(self, dtype, solver=None):
        width = self._member_network().n_hidden
        if solver == "lm":  # blocks of J have a column for each weight
            width *= self.n_features_in_ + 1
        return block_size(max(width, self.n_features_in_ + 1, self.n_outputs_), dtype)

    def _raw_prediction(self, X):
        """Z2 (n, k) in the user's units: one plain forward pass that reads ``coefs_``."""
        check_is_fitted(self, "coefs_")
        X = validate_data(self, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=False)
        dtype = self.coefs_[0].dtype
        if X.shape[0] <= FEW_ROWS and not sparse.issparse(X):
            few = X.astype(dtype, copy=False)
            return raw_prediction(self.coefs_, self.intercepts_, few, self._fitted_activation)
        size = block_size(max(self.coefs_[0].shape), dtype)
        rows = Rows(X, None, None, standardization=None, dtype=dtype, block_size=size)
        with rows if X.shape[0] > size else nullcontext():
            return rows.map(self._block_raw_prediction())

    def _block_raw_prediction(self):
        """Z2 of a raw block, as a block function."""
        network = self._network()
        params = network.pack(self.coefs_, self.intercepts_, self.coefs_[0].dtype)
        return partial(_raw_prediction_of_block, network, network.to_tanh_form(params))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _raw_prediction_of_block(network, params, X, y, weight):
    return network.tanh_form.forward(params, X)[0]
