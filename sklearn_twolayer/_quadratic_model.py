"""F around a point: what second-order training knows of the objective there."""

from dataclasses import replace

import numpy as np

from sklearn_twolayer._curvature import DenseCurvature, LowRankCurvature


class QuadraticModel:
    """Value, gradient and Gauss-Newton curvature of F at a point, for any penalty.

    The rows are read once for each point: while only the penalty changes, as it
    does when the evidence is maximised, the data's part is kept. It is a matrix
    (p, p), or its root where there are fewer residuals than weights.

    Parameters
    ----------
    objective : Objective
    rows : Rows
    """

    def __init__(self, objective, rows):
        self.objective = replace(objective, penalty=np.zeros_like(objective.penalty))
        self.rows = rows
        self._point = None

    def __call__(self, params, penalty):
        """F (float), its gradient (p,) and its curvature at ``params``."""
        loss, gradient, curvature = self.data_term(params)
        value = loss + 0.5 * float(penalty @ params**2)
        return value, gradient + penalty * params, curvature.with_diagonal(penalty)

    def value(self, params, penalty):
        """F: a forward pass."""
        return self.objective.value(params, self.rows) + 0.5 * float(penalty @ params**2)

    def acceleration(self, params, v):
        """Second directional derivative of Z2 along v, pulled back to the weights (p,)."""
        return self.objective.acceleration(params, v, self.rows)

    def data_term(self, params):
        """The mean loss, its gradient and its curvature, without the penalty."""
        if self._point is None or not np.array_equal(self._point[0], params):
            self._point = params.copy(), *self._evaluate(params)
        return self._point[1:]

    def _evaluate(self, params):
        none = self.objective.penalty
        n_residuals = self.rows.n_rows * self.objective.network.n_outputs
        if n_residuals < self.objective.network.n_params:
            loss, gradient = self.objective.loss_and_gradient(params, self.rows)
            root = self.objective.root_gauss_newton(params, self.rows)
            return loss, gradient, LowRankCurvature(root, none)
        loss, gradient, matrix = self.objective.gauss_newton(params, self.rows)
        return loss, gradient, DenseCurvature(matrix, none)
