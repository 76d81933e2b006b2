"""What scikit-learn asks of an estimator about itself: metadata requests, tags, representation."""

import numpy as np
import pytest
import sklearn
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

ESTIMATORS = [TwoLayerRegressor, TwoLayerClassifier]
WINE, KIND = load_wine(return_X_y=True)
WEIGHT = np.random.RandomState(0).randint(1, 4, size=len(KIND)).astype(float)
OTHERS = np.arange(len(KIND)) % 3 > 0


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def network(Estimator=TwoLayerClassifier, **parameters):
    return Estimator(**{"n_hidden": 3, "alpha": 0.01, "random_state": 0, **parameters})


class Spy(TwoLayerClassifier):
    """Notes what its fits are given."""

    seen = []  # noqa: RUF012 (shared with the clones on purpose)

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Note the validation rows, and fit."""
        self.seen.append((X_val, y_val, sample_weight_val))
        validation = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
        return super().fit(X, y, sample_weight, **validation)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_every_metadata_can_be_asked_for(Estimator, routing):
    requests = Estimator(solver="adam").get_metadata_routing()
    validation = {"X_val", "y_val", "sample_weight_val"}
    assert set(requests.fit.requests) == {"sample_weight"} | validation
    assert set(requests.score.requests) == {"sample_weight"}
    is_classifier = Estimator is TwoLayerClassifier
    expected = {"sample_weight", "classes"} if is_classifier else {"sample_weight"}
    assert set(requests.partial_fit.requests) == expected
    assert set(requests.predict.requests) == (set() if is_classifier else {"return_std"})


def test_weights_of_validation_rows_reach_the_network_in_a_pipeline(routing):
    X_val, y_val, weight_val = WINE[~OTHERS], KIND[~OTHERS], WEIGHT[~OTHERS]
    asked = network(solver="lbfgs", early_stopping=True, scoring="loss").set_fit_request(
        sample_weight=True, X_val=True, y_val=True, sample_weight_val=True
    )
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    pipeline = make_pipeline(scaler, asked, transform_input=["X_val"])
    pipeline.fit(
        WINE[OTHERS],
        KIND[OTHERS],
        sample_weight=WEIGHT[OTHERS],
        X_val=X_val,
        y_val=y_val,
        sample_weight_val=weight_val,
    )
    scale = pipeline[0].transform
    alone = network(solver="lbfgs", early_stopping=True, scoring="loss").fit(
        scale(WINE[OTHERS]),
        KIND[OTHERS],
        WEIGHT[OTHERS],
        X_val=scale(X_val),
        y_val=y_val,
        sample_weight_val=weight_val,
    )
    assert pipeline[-1].validation_scores_ == alone.validation_scores_
    assert np.array_equal(pipeline[-1].coefs_[0], alone.coefs_[0])


def test_metadata_that_nobody_asked_for_are_refused(routing):
    with pytest.raises(ValueError, match="but are not explicitly set"):
        make_pipeline(StandardScaler(), network()).fit(WINE, KIND, sample_weight=WEIGHT)


@pytest.mark.parametrize("n_val", [50, len(KIND)], ids=["other length", "as many rows as X"])
def test_a_search_splits_validation_rows_only_where_there_are_as_many_as_training_rows(
    n_val, routing
):
    """scikit-learn tells what to split by its length; the documents warn of it."""
    Spy.seen.clear()
    asked = Spy(3, alpha=0.01, random_state=0).set_fit_request(
        X_val=True, y_val=True, sample_weight_val=True
    )
    search = GridSearchCV(asked, {"n_hidden": [2, 3]}, cv=3, error_score="raise")
    validation = {
        "X_val": WINE[:n_val],
        "y_val": KIND[:n_val],
        "sample_weight_val": WEIGHT[:n_val],
    }
    search.fit(WINE, KIND, **validation)
    lengths = [tuple(len(part) for part in parts) for parts in Spy.seen]
    in_folds = n_val if n_val == 50 else 2 * n_val / 3
    assert len(lengths) == 7
    for found in lengths[:-1]:
        assert found == pytest.approx((in_folds,) * 3, abs=1)
    assert lengths[-1] == (n_val,) * 3
    assert len(search.best_estimator_.validation_scores_) == search.best_estimator_.n_iter_


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_weights_are_routed_through_cross_validate_to_fit_and_score(Estimator, routing):
    asked = network(Estimator).set_fit_request(sample_weight=True)
    asked.set_score_request(sample_weight=True)
    found = cross_validate(
        asked, WINE, KIND, params={"sample_weight": WEIGHT}, cv=3, return_indices=True
    )
    train, test = (found["indices"][part][0] for part in ("train", "test"))
    model = network(Estimator).fit(WINE[train], KIND[train], WEIGHT[train])
    assert found["test_score"][0] == model.score(WINE[test], KIND[test], WEIGHT[test])


def test_weights_are_routed_to_partial_fit(routing):
    labels = np.c_[KIND > 0, KIND > 1].astype(int)
    asked = network(solver="adam").set_partial_fit_request(sample_weight=True)
    both = MultiOutputClassifier(asked)
    both.partial_fit(WINE, labels, classes=[[0, 1]] * 2, sample_weight=WEIGHT)
    for column, fitted in zip(labels.T, both.estimators_):
        alone = network(solver="adam")
        alone.partial_fit(WINE, column, sample_weight=WEIGHT, classes=[0, 1])
        assert np.array_equal(fitted.coefs_[0], alone.coefs_[0])


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_tags_are_honest(Estimator):
    tags = get_tags(Estimator())
    assert tags.input_tags.sparse
    assert not tags.input_tags.allow_nan
    assert tags.target_tags.required
    assert tags.transformer_tags.preserves_dtype == ["float64", "float32"]
    with pytest.raises(ValueError, match="NaN"):
        network(Estimator).fit(np.where(WINE > 14, np.nan, WINE), KIND)
    with pytest.raises(ValueError, match="requires y to be passed"):
        network(Estimator).fit(WINE, None)
    several = np.c_[KIND, KIND[::-1]]
    if Estimator is TwoLayerRegressor:
        assert tags.target_tags.multi_output
        assert network(Estimator).fit(WINE, several).predict(WINE).shape == several.shape
    else:
        assert tags.classifier_tags.multi_class
        assert tags.classifier_tags.multi_label
        assert not tags.target_tags.multi_output
        with pytest.raises(ValueError, match="multiclass-multioutput"):
            network(Estimator).fit(WINE, several)


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_the_html_representation_shows_every_parameter(Estimator):
    model = network(Estimator, max_time=60)
    page = model._repr_html_()
    assert "Not fitted" in page
    assert all(name in page for name in model.get_params())
    page = model.fit(WINE, KIND)._repr_html_()
    assert "Not fitted" not in page
    assert "max_time=60" in repr(model)
    in_pipeline = make_pipeline(StandardScaler(), model)._repr_html_()
    assert in_pipeline.count(Estimator.__name__) >= 1
