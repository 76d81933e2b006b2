"""One network of a fit: start -> rows, objective, monitor -> minimiser -> what came out."""

from contextlib import ExitStack
from copy import deepcopy

import numpy as np

from sklearn_twolayer._initialize import initial_weights
from sklearn_twolayer._monitor import TrainingMonitor
from sklearn_twolayer._objective import Objective, penalty_groups
from sklearn_twolayer._train import train
from sklearn_twolayer._validation import Validation


def fit_member(estimator, settings, data, held_out, random_state):
    """Train one network of the committee, from a start of its own.

    Parameters
    ----------
    estimator : BaseTwoLayer
        With its standardisation and everything that it knows of y.
    settings : Settings
    data : tuple
        X, targets and weights (or None) of the training rows.
    held_out : ValidationData or None
    random_state : RandomState

    Returns
    -------
    OptimizeResult
        With the ``penalty`` of each of the ``groups`` of weights, the ``curve`` of F,
        ``validation_scores`` and ``validation_losses`` beside it (empty without
        validation rows), and the ``posterior`` or None.
    """
    X, targets, weight = data
    network = estimator._member_network()
    params = network.pack(*starting_weights(estimator, targets, weight, random_state), np.float64)
    dtype = np.float64 if settings.solver == "lm" else X.dtype
    groups, penalty = penalty_groups(network), fixed_penalty(settings.alpha)
    objective = Objective(network, estimator._loss(), penalty[groups])
    with ExitStack() as stack:
        rows = stack.enter_context(estimator._rows(X, targets, weight, dtype, settings.solver))
        validation = None
        if held_out is not None:
            out = estimator._rows(held_out.X, held_out.targets, held_out.weight, dtype)
            validation = Validation(estimator, network, held_out, stack.enter_context(out), X.dtype)
        monitor = TrainingMonitor(
            None if validation is None else validation.score,
            validation_loss=None if validation is None else validation.loss,
            early_stopping=estimator.early_stopping,
            tol=estimator.tol,
            n_iter_no_change=estimator.n_iter_no_change,
            verbose=estimator.verbose,
        )
        result = train(estimator, settings, objective, rows, params, random_state, monitor)
    if monitor.best_params is not None:
        result.x = monitor.best_params
    result.setdefault("groups", groups)
    result.setdefault("penalty", penalty)
    result.setdefault("curve", monitor.loss_curve or [float(result.fun)])
    steps = result.get("steps", range(len(monitor.loss_curve)))
    recorded = steps if monitor.validation_scores else ()
    result.validation_scores = [monitor.validation_scores[step] for step in recorded]
    result.validation_losses = [monitor.validation_losses[step] for step in recorded]
    result.posterior = estimator._posterior(network, result, data)
    return result


def fixed_penalty(alpha):
    """Penalty of W1, b1, W2 and b2; zero where a strategy is to choose it."""
    alpha = 0.0 if isinstance(alpha, str) else alpha
    return np.array([alpha, 0.0, alpha, 0.0])


def starting_weights(estimator, targets, weight, random_state):
    """Weights to start from, on the standardised scale: coefs, intercepts.

    Raises
    ------
    ValueError
        If a warm start finds weights of other shapes.
    """
    if estimator.warm_start and hasattr(estimator, "coefs_"):
        W1, W2 = estimator.coefs_
        shape = (estimator.n_features_in_, estimator.n_hidden)
        if W1.shape != shape or W2.shape[1] != estimator.n_outputs_:
            raise ValueError(
                f"warm_start cannot go on from weights of shapes {W1.shape} and {W2.shape}: this "
                f"fit has {shape[0]} features, n_hidden={shape[1]} and {estimator.n_outputs_} "
                "outputs. Set warm_start=False."
            )
        return estimator._standardization.unfold(estimator.coefs_, estimator.intercepts_)
    y = estimator._standardization.apply_targets(targets, np.float64)
    constant = estimator._loss().constant(y, weight, estimator.n_outputs_)
    W1, b1, W2, b2 = initial_weights(
        random_state,
        estimator.n_features_in_,
        estimator._member_network().n_hidden,
        estimator.activation,
        constant,
    )
    return [W1, W2], [b1, b2]


def member_states(random_state, n_members):
    """A random state for each member; the first is that of a single network."""
    seeds = deepcopy(random_state).randint(np.iinfo(np.int32).max, size=n_members - 1)
    return [random_state, *(np.random.RandomState(seed) for seed in seeds)]
