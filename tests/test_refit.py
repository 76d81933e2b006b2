"""What the user has set stays through fits; what a fit has set, the next one forgets."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

ESTIMATORS = [TwoLayerRegressor, TwoLayerClassifier]
X = np.random.RandomState(0).normal(size=(60, 3))
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

#: Ways to fit, in their order: each leaves attributes behind that others do not have.
WAYS = {
    "evidence": {"solver": "lm", "alpha": "evidence"},
    "ard": {"solver": "lm", "alpha": "ard"},
    "early stopping": {"solver": "adam", "alpha": "auto", "early_stopping": True},
    "warm": {"solver": "lbfgs", "alpha": 0.01, "warm_start": True},
    "committee": {"solver": "lm", "alpha": 0.01, "n_members": 2},
}


def network(Estimator, **parameters):
    return Estimator(**{"n_hidden": 4, "max_iter": 8, "random_state": 0, **parameters})


def fits(model):
    """Fit in several ways; yields after each."""
    for solver in ("lm", "adam", "adam"):
        yield model.set_params(solver=solver).fit(X, Y)
    classes = {"classes": [0, 1]} if isinstance(model, TwoLayerClassifier) else {}
    yield model.partial_fit(X, Y, **classes)
    yield model.set_params(solver="gd", warm_start=True).fit(X, Y)


def same_state(one, other):
    """Whether two estimators hold the same, name by name and number by number."""
    assert vars(one).keys() == vars(other).keys()
    for name in vars(one):
        if name != "_learned_":
            np.testing.assert_equal(getattr(one, name), getattr(other, name), err_msg=name)
    mine, yours = one._learned_, other._learned_
    assert (mine.resume is None) == (yours.resume is None)
    assert len(mine.posteriors) == len(yours.posteriors)
    assert mine.keeps_matrix == yours.keeps_matrix
    np.testing.assert_equal(vars(mine.scale), vars(yours.scale))
    return True


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_an_attribute_of_the_user_survives(Estimator):
    note, model = object(), network(Estimator)
    model.note = note
    for fitted in fits(model):
        assert fitted is model
        assert model.note is note


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_an_attribute_of_a_subclass_survives(Estimator):
    """Attributes that end in an underscore were gone after its ``super().fit``."""

    class Shifted(Estimator):
        def fit(self, X, y):
            self.shift_ = X.mean(axis=0)
            return super().fit(X - self.shift_, y)

        def predict(self, X):
            return super().predict(X - self.shift_)

    parameters = network(Estimator).get_params()
    model, plain = Shifted(**parameters), Estimator(**parameters)
    for far in (100 + X, 50 - X):  # a fit, and another one over it
        answers = model.fit(far, Y).predict(far)
        expected = plain.fit(far - far.mean(axis=0), Y).predict(far - far.mean(axis=0))
        np.testing.assert_array_equal(answers, expected)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_set_output_survives(Estimator):
    pd = pytest.importorskip("pandas", reason="pandas comes with the test extra")
    model = network(Estimator).set_output(transform="pandas")
    for fitted in fits(model):
        assert isinstance(fitted.transform(X), pd.DataFrame)
    assert isinstance(clone(model).fit_transform(X, Y), pd.DataFrame)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_metadata_requests_survive(Estimator):
    with sklearn.config_context(enable_metadata_routing=True):
        model = network(Estimator).set_fit_request(sample_weight=True, X_val=False)
        model.set_score_request(sample_weight="weight_of_scores")
        for fitted in fits(model):
            requests = fitted.get_metadata_routing()
            assert requests.fit.requests["sample_weight"] is True
            assert requests.fit.requests["X_val"] is False
            assert requests.score.requests["sample_weight"] == "weight_of_scores"


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_callbacks_survive(Estimator):
    pytest.importorskip("sklearn.callback", reason="callbacks need scikit-learn 1.9")

    class Counter:
        """Counts the fits that it is told of."""

        n_fits = 0

        def setup(self, estimator, context):
            self.n_fits += 1

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context, **options):
            return False

    counter = Counter()
    model = network(Estimator).set_callbacks(counter)
    for number in (1, 2, 3):
        model.fit(X, Y)
        assert counter.n_fits == number
    model.note = "after"
    assert network(Estimator).fit(X, Y).coefs_[0].shape == model.fit(X, Y).coefs_[0].shape
    assert counter.n_fits == 4


@pytest.mark.parametrize("after", WAYS)
@pytest.mark.parametrize("before", WAYS)
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_nothing_of_an_earlier_fit_leaks(Estimator, before, after):
    parameters = {**network(Estimator).get_params(), **WAYS[after]}
    fresh = Estimator(**parameters).fit(X, Y)
    model = network(Estimator, **WAYS[before]).fit(X, Y, X_val=X, y_val=Y)
    if parameters["warm_start"]:  # it would go on from the weights
        del model.coefs_
    assert same_state(model.set_params(**parameters).fit(X, Y), fresh)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_after_early_stopping_there_is_no_evidence(Estimator):
    model = network(Estimator, **WAYS["evidence"]).fit(X, Y)
    assert model.prior_precision_.shape == (4,)
    assert model.validation_scores_ is None
    model.set_params(**WAYS["early stopping"]).fit(X, Y)
    assert not hasattr(model, "prior_precision_")
    assert not hasattr(model, "log_marginal_likelihood_")
    assert len(model.validation_scores_) == model.n_iter_
    model.set_params(**WAYS["evidence"], early_stopping=False).fit(X, Y)
    assert model.validation_scores_ is model.best_validation_score_ is None


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_names_of_columns_are_forgotten(Estimator):
    pd = pytest.importorskip("pandas", reason="pandas comes with the test extra")
    model = network(Estimator).fit(pd.DataFrame(X, columns=["a", "b", "c"]), Y)
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    model.fit(X[:, :2], Y)
    assert not hasattr(model, "feature_names_in_")
    assert model.n_features_in_ == 2


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_a_fit_that_is_refused_changes_nothing(Estimator):
    model = network(Estimator).fit(X, Y)
    model.note = 1
    before = dict(vars(model))
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.where(X > 1, np.nan, X), Y)
    with pytest.raises(ValueError, match="y_val is missing"):
        model.fit(X, Y, X_val=X)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is before[name] for name in before)
