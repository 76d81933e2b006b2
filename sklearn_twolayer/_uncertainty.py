"""The posterior of the weights as an estimator has it: fitted, published, asked, pickled."""

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_twolayer._auto import is_affordable
from sklearn_twolayer._objective import Objective
from sklearn_twolayer._posterior import mixture_moments, posterior_of
from sklearn_twolayer._rows import Rows, block_size
from sklearn_twolayer._validation import are_published

EVIDENCE_ATTRIBUTES = (
    "prior_precision_",
    "noise_precision_",
    "n_effective_params_",
    "log_marginal_likelihood_",
)
NO_POSTERIOR = (
    "This fit has no error bars: its Gauss-Newton matrix was too large (fit fewer rows or choose "
    "a smaller n_hidden), or it was trained by partial_fit, or the estimator has been copied or "
    "pickled after a fit with a float alpha, which leaves the matrix out (fit again, or choose "
    "alpha='evidence')."
)


class Uncertainty:
    """What an estimator does with the posteriors of its members."""

    def _posterior(self, network, result, table):
        """The posterior of a member, or None where its matrix is not affordable."""
        total_weight = max(table.total_weight, table.n_rows)
        shape = table.n_features, network.n_hidden, self.n_outputs_
        if not is_affordable(total_weight, *shape):
            return None
        with self._rows(table, np.float64, "lm") as rows:
            objective = Objective(network, self._loss(), np.zeros(network.n_params))
            return posterior_of(objective, rows, result)

    def _publish_posterior(self, members, best):
        self._forget_posterior()
        if best.posterior is None:
            return
        self._posteriors = [member.posterior for member in members]
        posterior = best.posterior
        self.n_effective_params_ = posterior.n_effective
        if self._loss().is_squared_error:
            precision = posterior.noise_precision / self._standardization.y_scale**2
            self.noise_precision_ = float(precision[0]) if len(precision) == 1 else precision
        if (best.penalty > 0).all():
            self.prior_precision_ = best.penalty * posterior.scale
            shift = np.log(self._standardization.y_scale).sum() * posterior.total_weight
            self.log_marginal_likelihood_ = posterior.log_marginal_likelihood - shift

    def _forget_posterior(self):
        self._posteriors = None
        for name in EVIDENCE_ATTRIBUTES:
            vars(self).pop(name, None)

    def _uncertain_raw_prediction(self, X):
        """Z2 (n, k) and its covariance (n, k, k), on the standardised scale.

        Raises
        ------
        ValueError
            If the fit has no posterior.
        """
        check_is_fitted(self)
        if self._posteriors is None:
            raise ValueError(NO_POSTERIOR)
        members = [posterior.params for posterior in self._posteriors]
        if not are_published(self, self._posteriors[0].network, members):
            raise ValueError(
                "coefs_ or intercepts_ have been assigned to since the fit, and its error bars "
                "are those of other weights. Fit again, with warm_start=True to start from these."
            )
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        width = (self.n_features_in_ + 1) * self._member_network().n_hidden * self.n_outputs_
        size = block_size(width, np.float64)
        rows = Rows(X, None, None, standardization=None, dtype=np.float64, block_size=size)

        def block_moments(X, y, weight):
            X = self._standardization.apply_block(X)
            Z2, V = mixture_moments(self._posteriors, X)
            return np.hstack([Z2, V.reshape(len(V), -1)])

        with rows:
            moments = rows.map(block_moments)
        k = self.n_outputs_
        return moments[:, :k], moments[:, k:].reshape(-1, k, k)

    def __getstate__(self):
        """Leave the posterior of a fixed penalty out: its p x p matrix dwarfs the weights."""
        state = super().__getstate__()
        if state.get("_posteriors") is not None and not self._chose_penalty:
            state = {**state, "_posteriors": None}
        return state
