"""Which parameters a fit does not look at."""

from inspect import signature
from types import SimpleNamespace

import pytest

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._fit.ignored import READERS, ignored

ALL = dict.fromkeys([*READERS, "n_iter_no_change", "scoring", "validation_fraction", "n_jobs"], 1)


def names(own_rows=False, **settings):
    resolved = {"solver": "lm", "early_stopping": False, "n_members": 1, **settings}
    sentences = ignored(SimpleNamespace(**resolved), ALL, own_rows)
    return {sentence.split("=")[0] for sentence in sentences}


@pytest.mark.parametrize(
    ("solver", "read"),
    [
        ("lm", set()),
        ("lbfgs", set()),
        ("gd", {"learning_rate"}),
        ("sgd", {*READERS, "n_iter_no_change"}),
        ("adam", {*READERS, "n_iter_no_change"} - {"momentum", "nesterovs_momentum"}),
    ],
)
def test_each_solver_reads_its_own(solver, read):
    assert names(solver=solver) == ALL.keys() - read


def test_validation_rows_and_members_are_needed_by_some():
    every = names()
    assert every - names(early_stopping=True) == {
        "n_iter_no_change",
        "scoring",
        "validation_fraction",
    }
    assert every - names(own_rows=True) == {"scoring"}
    assert "validation_fraction" in names(own_rows=True, early_stopping=True)
    assert every - names(n_members=2) == {"n_jobs"}


def test_only_what_the_user_has_chosen_is_told():
    settings = SimpleNamespace(solver="lm", early_stopping=False, n_members=1)
    assert ignored(settings, {"tol": 1e-3, "alpha": 0.1}, False) == []
    (sentence,) = ignored(settings, {"batch_size": 7}, False)
    assert sentence == "batch_size=7 is ignored: solver='lm' does not read it."


@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_every_name_is_a_parameter(Estimator):
    assert ALL.keys() <= signature(Estimator).parameters.keys()
