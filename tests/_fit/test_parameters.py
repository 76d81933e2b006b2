"""Which parameters a fit does not look at: with them it ends with the same bits."""

import warnings
from inspect import signature
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._fit.parameters import READERS, ignored

#: Values that change a fit which reads them.
VALUES = {
    "learning_rate": 0.02,
    "learning_rate_schedule": "constant",
    "momentum": 0.5,
    "nesterovs_momentum": False,
    "batch_size": 7,
    "shuffle": False,
    "n_iter_no_change": 1,
    "scoring": "neg_max_error",
    "validation_fraction": 0.4,
}

random = np.random.RandomState(0)
X = random.normal(size=(60, 3))
Y = np.sin(2 * X).sum(axis=1) + 0.5 * random.normal(size=60)


def fitted(capsys, own_rows, settings):
    """Weights and scores of a fit, as bytes, and the names of the parameters it ignored."""
    model = TwoLayerRegressor(3, alpha=1e-4, max_iter=30, random_state=0, **settings)
    rows = {"X_val": X[45:], "y_val": Y[45:]} if own_rows else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.set_params(verbose=1).fit(X[:45], Y[:45], **rows)
    lines = capsys.readouterr().out.splitlines()
    found = [*model.coefs_, *model.intercepts_, getattr(model, "validation_scores_", None)]
    told = {line.split("=")[0] for line in lines if " is ignored: " in line}
    return [np.asarray(each, float).tobytes() for each in found], told


@pytest.mark.parametrize("rows", ["none", "split off", "own"])
@pytest.mark.parametrize("solver", ["lm", "lbfgs", "gd", "sgd", "adam"])
def test_what_is_told_to_be_ignored_changes_no_bit_and_all_else_does(capsys, solver, rows):
    # A large tol, so that epochs without progress count for sgd and adam.
    settings = {"solver": solver, "early_stopping": rows == "split off"}
    settings["tol"] = 0.05 if solver in ("sgd", "adam") else 1e-4
    plain, _ = fitted(capsys, rows == "own", settings)
    for name, value in VALUES.items():
        found, told = fitted(capsys, rows == "own", {**settings, name: value})
        assert (found == plain) == (name in told), (name, told)


def test_one_network_has_no_members_to_share_out(capsys):
    plain, _ = fitted(capsys, False, {"solver": "lm"})
    assert fitted(capsys, False, {"solver": "lm", "n_jobs": 2}) == (plain, {"n_jobs"})
    assert fitted(capsys, False, {"solver": "lm", "n_jobs": 1, "n_members": 2})[1] == set()


def test_only_what_the_user_has_chosen_is_told():
    settings = SimpleNamespace(solver="lm", early_stopping=False, n_members=1)
    assert ignored(settings, {"tol": 1e-3, "alpha": 0.1}, False) == []
    (sentence,) = ignored(settings, {"batch_size": 7}, False)
    assert sentence == "batch_size=7 is ignored: solver='lm' does not read it."


@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_every_name_is_a_parameter(Estimator):
    assert {*READERS, *VALUES} <= signature(Estimator).parameters.keys()
