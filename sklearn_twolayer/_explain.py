"""What a fitted network has learned: its hidden layer, its gradients in X and in the weights."""

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_twolayer._activations import ACTIVATIONS
from sklearn_twolayer._lazy import lazy
from sklearn_twolayer._objective import Objective, penalty_groups
from sklearn_twolayer._rows import Rows, block_size
from sklearn_twolayer._table import read_table


class Explainable(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Methods of a fitted estimator that look inside the network."""

    @lazy
    def transform(self, X):
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
            Hidden activations; of all members side by side for a committee.
        """
        check_is_fitted(self)
        (W1, _), (b1, _) = self.coefs_, self.intercepts_
        g = ACTIVATIONS[self._fitted_activation].function
        first = np.vstack([W1, b1])

        def hidden_layer(X, y, weight):
            return g(X @ first)

        return self._map_rows(X, hidden_layer, width=max(first.shape))

    @lazy
    def input_gradient(self, X):
        """Return d prediction / d X: how each input moves the prediction, row by row.

        For a regressor the prediction is ``predict``, for a classifier the raw
        prediction Z2 of ``decision_function``, whose gradient does not vanish where
        the probability is near 0 or 1. By the chain rule it is
        (W2 * g'(Z1)) W1' times the slope of the output activation.

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
        check_is_fitted(self)
        (W1, W2), (b1, b2) = self.coefs_, self.intercepts_
        activation = ACTIVATIONS[self._fitted_activation]
        first = np.vstack([W1, b1])

        def gradient(X, y, weight):
            A1 = activation.function(X @ first)
            slope = self._output_slope(A1 @ W2 + b2)  # (n, k)
            d1 = activation.derivative(A1, out=A1)[:, None, :] * W2.T  # d Z2 / d Z1 (n, k, h)
            return slope[:, :, None] * (d1 @ W1.T)

        gradients = self._map_rows(X, gradient, width=max(first.shape) * self.n_outputs_)
        return gradients[:, 0] if self.n_outputs_ == 1 else gradients

    def loss_and_gradient(self, X, y, sample_weight=None):
        """Return the objective F that ``fit`` minimises, and its gradient.

        F = (1 / S) sum_i s_i loss_i + 1/2 sum_g penalty_g |w_g|^2 on the scale that
        ``standardize`` set in ``fit``, with S = sum_i s_i and ``penalty_`` of each
        group of weights: backprop in public.

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
            dF/dW1 (n_features, n_hidden) and dF/dW2 (n_hidden, n_outputs), with
            respect to ``coefs_``.
        intercept_gradients : list of ndarray
            dF/db1 and dF/db2, with respect to ``intercepts_``.
        """
        check_is_fitted(self)
        table = read_table(self, X, y, sample_weight, reset=False)
        table = table.weigh_classes(self).encode(self)
        network, standardization = self._network(), self._standardization
        params = network.pack(
            *standardization.unfold(self.coefs_, self.intercepts_), dtype=self.coefs_[0].dtype
        )
        groups = penalty_groups(network, per_input=len(self.penalty_) > 4)
        objective = Objective(network, self._loss(), self.penalty_[groups])
        with self._rows(table, params.dtype) as rows:
            loss, gradient = objective.loss_and_gradient(params, rows)
        return loss, *standardization.unfold_gradient(*network.unpack(gradient))

    @property
    def _n_features_out(self):
        """Columns of ``transform``, for their names."""
        return self.coefs_[0].shape[1]

    def _map_rows(self, X, block_function, width):
        """``block_function`` of blocks [X 1] in the user's units, stacked."""
        X = validate_data(self, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=False)
        dtype = self.coefs_[0].dtype
        size = block_size(width, dtype)
        with Rows(X, None, None, standardization=None, dtype=dtype, block_size=size) as rows:
            return rows.map(block_function)
