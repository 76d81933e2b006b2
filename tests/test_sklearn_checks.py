"""scikit-learn's own checks: the defaults pass all of them, other settings all but a table."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

BOTH = (TwoLayerRegressor, TwoLayerClassifier)
#: Each value of a parameter once, in the company of others: what several have in common is asked
#: of the defaults.
SETTINGS = [
    {"activation": "tanh", "early_stopping": True, "validation_fraction": 0.3, "n_hidden": 4},
    {"activation": "relu", "solver": "adam", "n_hidden": 8, "learning_rate": 0.03},
    {"activation": "softplus", "solver": "lbfgs", "n_hidden": 4},
    {"activation": "identity", "solver": "gd", "n_hidden": 4, "max_iter": 100},
    {"solver": "sgd", "n_hidden": 8},
    {"standardize": False, "alpha": "evidence", "n_members": 2, "n_hidden": 4, "max_iter": 50},
    {"solver": "lm", "warm_start": True, "n_hidden": 4},
    {"alpha": "ard", "n_hidden": 4},
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
#: What takes seconds, or many as the first two, which fit ten sparse containers: run among the
#: slow tests, for the settings without the first one.
COSTLY = (
    "check_estimator_sparse_matrix",
    "check_estimator_sparse_array",
    "check_dtype_object",
    "check_estimator_sparse_tag",
    "check_estimators_dtypes",
    "check_pipeline_consistency",
    "check_sample_weight_equivalence_on_sparse_data",
    "check_transformer_data_not_an_array",
    "check_transformer_general",
    "check_transformer_preserve_dtypes",
)
#: What many settings are asked among the slow tests: three fits of 300 rows each time.
COSTLY_FOR_SETTINGS = (*COSTLY[1:], "check_classifiers_train", "check_regressors_train")
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


def with_checks(estimators, chosen, **options):
    """parametrize_with_checks, of the chosen checks: ``chosen(name)``.

    In a list: pytest 9 refuses the generator of scikit-learn 1.7.
    """
    mark = parametrize_with_checks(estimators, **options)
    names, checks = mark.args
    checks = [check for check in checks if chosen(name_of(check))]
    return pytest.mark.parametrize(names, checks, **mark.kwargs)


def name_of(parameters):
    """Name of the check in parameters (estimator, check), marked or not."""
    _, check = getattr(parameters, "values", parameters)
    return check.func.__name__


@with_checks([Estimator() for Estimator in BOTH], lambda name: name not in COSTLY)
def test_defaults_pass_every_check(estimator, check):
    check(estimator)


@pytest.mark.slow
@with_checks([Estimator() for Estimator in BOTH], lambda name: name in COSTLY)
def test_defaults_pass_the_costly_checks(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:y ranges from:UserWarning")
@with_checks(
    ESTIMATORS,
    lambda name: name not in (COSTLY[0], *COSTLY_FOR_SETTINGS),
    expected_failed_checks=exemptions,
)
def test_settings_pass_every_check_that_is_not_exempt(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:y ranges from:UserWarning")
@with_checks(
    ESTIMATORS, lambda name: name in COSTLY_FOR_SETTINGS, expected_failed_checks=exemptions
)
def test_settings_pass_the_costly_checks_that_are_not_exempt(estimator, check):
    check(estimator)
