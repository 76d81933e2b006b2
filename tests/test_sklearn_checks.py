"""scikit-learn's own checks: the defaults pass all of them, other settings all but a table."""

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

BOTH = (TwoLayerRegressor, TwoLayerClassifier)
SETTINGS = [
    {"activation": "tanh", "n_hidden": 4, "max_iter": 50},
    {"activation": "relu", "n_hidden": 10, "max_iter": 50},
    {"activation": "softplus", "n_hidden": 4, "max_iter": 50},
    {"activation": "identity", "n_hidden": 4, "max_iter": 50},
    {"solver": "lm", "n_hidden": 4},
    {"solver": "lbfgs", "n_hidden": 4},
    {"solver": "adam", "n_hidden": 8, "learning_rate": 0.03},
    {"solver": "sgd", "n_hidden": 8},
    {"solver": "gd", "n_hidden": 8, "learning_rate": 0.3, "max_iter": 100, "random_state": 0},
    {"standardize": False, "n_hidden": 4},
    {"early_stopping": True, "validation_fraction": 0.3, "n_hidden": 4},
    {"warm_start": True, "n_hidden": 4},
    {"alpha": "evidence", "n_hidden": 4},
    {"alpha": "ard", "n_hidden": 4},
    {"n_members": 2, "n_hidden": 4, "max_iter": 50},
]
ESTIMATORS = [
    Estimator(**{"alpha": 0.01, **settings}) for settings in SETTINGS for Estimator in BOTH
]
ESTIMATORS += [
    TwoLayerRegressor(output_activation="logistic", n_hidden=4, alpha=0.01),
    TwoLayerClassifier(class_weight="balanced", n_hidden=4, alpha=0.01),
]

WEIGHTS_EQUAL_REPEATS = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)
#: Each fits ten sparse containers of the same rows. The defaults take a minute for both, and run
#: them among the slow tests; the settings are asked for one of them.
TEN_CONTAINERS = ("check_estimator_sparse_matrix", "check_estimator_sparse_array")
#: Which estimators, with which settings, may fail which checks, and why.
EXEMPTIONS = [
    (
        TwoLayerRegressor,
        {"solver": "lbfgs"},
        WEIGHTS_EQUAL_REPEATS,
        "L-BFGS magnifies rounding: merely reordering the rows of this check moves predictions "
        "by 1e-4, where the check compares at 1e-7.",
    ),
    *(
        (
            BOTH,
            {"solver": solver},
            WEIGHTS_EQUAL_REPEATS,
            "Mini-batches draw rows, so they are exempt from weights-equal-repeats by design.",
        )
        for solver in ("sgd", "adam")
    ),
    (
        BOTH,
        {"early_stopping": True},
        WEIGHTS_EQUAL_REPEATS,
        "The validation split draws rows, so it is exempt from weights-equal-repeats by design.",
    ),
    (
        TwoLayerRegressor,
        {"warm_start": True},
        ("check_supervised_y_2d",),
        "The check expects a second fit to give what the first gave; a warm start goes on.",
    ),
    (
        BOTH,
        {"warm_start": True},
        ("check_pipeline_consistency",),
        "The check calls fit_transform twice and expects the same; a warm start goes on.",
    ),
    (
        TwoLayerRegressor,
        {"output_activation": "logistic"},
        ("check_regressors_train",),
        "The check wants R^2 > 0.5 on standardised y; logistic output predicts within (0, 1).",
    ),
]


def exemptions(estimator):
    """{check: reason} of one estimator."""
    parameters = estimator.get_params().items()
    return {
        check: reason
        for kind, settings, checks, reason in EXEMPTIONS
        if isinstance(estimator, kind) and settings.items() <= parameters
        for check in checks
    }


def with_checks(estimators, leave_out=(), **options):
    """parametrize_with_checks, in a list: pytest 9 refuses the generator of scikit-learn 1.7."""
    mark = parametrize_with_checks(estimators, **options)
    names, checks = mark.args
    checks = [check for check in checks if name_of(check) not in leave_out]
    return pytest.mark.parametrize(names, checks, **mark.kwargs)


def name_of(parameters):
    """Name of the check in parameters (estimator, check), marked or not."""
    _, check = getattr(parameters, "values", parameters)
    return check.func.__name__


@with_checks([Estimator() for Estimator in BOTH], leave_out=TEN_CONTAINERS)
def test_defaults_pass_every_check(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize("check", TEN_CONTAINERS)
@pytest.mark.parametrize("Estimator", BOTH)
def test_defaults_take_every_sparse_container(Estimator, check):
    getattr(estimator_checks, check)(Estimator.__name__, Estimator())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:y ranges from:UserWarning")
@with_checks(ESTIMATORS, leave_out=TEN_CONTAINERS[:1], expected_failed_checks=exemptions)
def test_settings_pass_every_check_that_is_not_exempt(estimator, check):
    check(estimator)
