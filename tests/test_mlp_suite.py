"""scikit-learn's own tests of its MLP, run on our estimators with the parameters renamed.

The installed module is loaded twice with MLPClassifier and MLPRegressor replaced: by our
estimators as they are, and by them with ``standardize=False``, among the slow tests. Nothing but
names changes.
"""

from importlib.util import find_spec, module_from_spec, spec_from_file_location

import pytest
import sklearn.neural_network
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

PAIRS = [(TwoLayerClassifier, MLPClassifier), (TwoLayerRegressor, MLPRegressor)]
#: MLP's name of a parameter -> ours.
RENAMED = {
    "hidden_layer_sizes": "n_hidden",
    "learning_rate": "learning_rate_schedule",
    "learning_rate_init": "learning_rate",
}
#: Parameters of MLP that we do not have.
ABSENT = {"loss", "max_fun", "power_t", "beta_1", "beta_2", "epsilon"}

#: Tests that cannot apply, and why.
EXEMPT = {
    "test_gradient": "Calls the private _loss_grad_lbfgs; ours is loss_and_gradient.",
    "test_lbfgs_classification_maxfun": "There is no max_fun: max_iter is the limit.",
    "test_lbfgs_regression_maxfun": "There is no max_fun: max_iter is the limit.",
    "test_learning_rate_warmstart": "Reads the private _optimizer; inverse scaling.",
    "test_adaptive_learning_rate": "Reads the private _optimizer; adaptive learning rate.",
    "test_nonfinite_params": "Ours refuses before the solver runs, in other words.",
    "test_n_iter_no_change": "Reads the private _no_improvement_count.",
    "test_n_iter_no_change_inf": "Reads the private _no_improvement_count.",
    "test_early_stopping_stratified": "A class of one row is split at random, not refused: "
    "what is refused here is the number of rows, in other words.",
    "test_mlp_diverging_loss": "Wants a score of NaN: ours shortens the steps instead.",
    "test_mlp_vs_poisson_glm_equivalent": "There is no Poisson loss.",
}
EXEMPT_WITH_STANDARDIZATION = {
    "test_fit": "One row, which standardisation would centre to zero.",
    "test_mlp_loading_from_joblib_partial_fit": "One row, centred to zero: from there 200 steps "
    "end 1.2e-4 from its target, and the test asks for 1e-4.",
}
#: Tests that may pass or fail by rounding, and so are left out.
LEFT_TO_ROUNDING = {
    "test_mlp_regressor_dtypes_casting": "Two hidden layers; with one, predictions of 1e-3 "
    "differ between float32 and float64 by 1e-6, where 5e-4 of their size is allowed.",
}
LEFT_TO_ROUNDING_WITHOUT_STANDARDIZATION = {
    "test_multilabel_classification": "batch_size='auto' is n / 20, and has more and noisier "
    "steps than the test's learning rate of 0.2 allows on columns of unequal scale.",
    "test_predict_proba_multilabel": "Compares predict_log_proba to 1e-7 of its size with the "
    "log of a probability that has rounded to 1 - 1e-12; ours is the exact one.",
}

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:In the first batch"),  # of one row
]


@pytest.fixture
def global_random_seed():
    """What scikit-learn's own configuration of pytest offers to its tests."""
    return 0


def renamed(Estimator, MLP, **settings):
    """A stand-in for MLP's constructor, with its defaults, that builds an Estimator."""

    def build(*arguments, **parameters):
        parameters = MLP(*arguments, **parameters).get_params()
        width = parameters["hidden_layer_sizes"]
        parameters["hidden_layer_sizes"] = width[0] if isinstance(width, tuple) else width
        parameters["learning_rate"] = "constant"  # the only schedule that both have
        ours = {RENAMED.get(name, name): parameters[name] for name in parameters.keys() - ABSENT}
        return Estimator(**ours, **settings)

    build.__name__ = MLP.__name__
    return build


def installed_tests(**settings):
    """{name: test} of the installed module, for estimators with these settings."""
    try:
        location = find_spec("sklearn.neural_network.tests.test_mlp").origin
    except (ImportError, AttributeError):
        pytest.skip("this scikit-learn comes without its tests", allow_module_level=True)
    spec = spec_from_file_location("renamed_test_mlp", location)
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for Estimator, MLP in (
            (TwoLayerClassifier, MLPClassifier),
            (TwoLayerRegressor, MLPRegressor),
        ):
            stand_in = renamed(Estimator, MLP, **settings)
            patch.setattr(sklearn.neural_network, MLP.__name__, stand_in)
        spec.loader.exec_module(module)
    return {name: test for name, test in vars(module).items() if name.startswith("test_")}


def marked(test, exempt, left_to_rounding):
    """The test, as one that must fail if it is exempt: an exemption no longer needed is seen."""
    name = test.__name__
    if name in left_to_rounding:
        return pytest.mark.skip(reason=left_to_rounding[name])(test)
    if name in exempt:
        reason = exempt[name]
        runs = "private" not in reason  # what is private stays so, and need not be asked for
        return pytest.mark.xfail(reason=reason, strict=runs, run=runs)(test)
    return test


for suffix, settings, exempt, left_to_rounding in (
    ("as_it_is", {}, EXEMPT | EXEMPT_WITH_STANDARDIZATION, LEFT_TO_ROUNDING),
    (
        "without_standardization",
        {"standardize": False},
        EXEMPT,
        LEFT_TO_ROUNDING | LEFT_TO_ROUNDING_WITHOUT_STANDARDIZATION,
    ),
):
    for name, test in installed_tests(**settings).items():
        test = marked(test, exempt, left_to_rounding)
        globals()[f"{name}_{suffix}"] = pytest.mark.slow(test) if settings else test
del test
