"""Calls in any order: a refused one changes nothing, and what is fitted stays whole."""

import copy
import pickle

import numpy as np
import pytest
from data_cases import quietly
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sklearn.base import clone

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor

SIZES = st.integers(2, 30)
SEEDS = st.integers(0, 2**16)
SOLVERS = st.sampled_from(["lm", "lbfgs", "adam", "sgd", "gd"])
WRONG_PARAMETERS = {
    "solver": "newton",
    "alpha": -1.0,
    "n_hidden": 0,
    "tol": "small",
    "max_iter": 2.5,
    "momentum": 1.0,
}
WRONG_DATA = {
    "missing": lambda X, y: (np.where(X > 0, np.nan, X), y),
    "lengths": lambda X, y: (X, y[:-1]),
    "no rows": lambda X, y: (X[:0], y[:0]),
    "negative weights": lambda X, y: (X, y, -np.ones(len(y))),
    "weights of zero": lambda X, y: (X, y, np.zeros(len(y))),
    "one column": lambda X, y: (X[:, 0], y),
    "infinite y": lambda X, y: (X, np.full(len(y), np.inf)),
}
CHANGES = {
    "warm_start": st.booleans(),
    "solver": SOLVERS,
    "n_hidden": st.sampled_from([2, 3]),
    "alpha": st.sampled_from([0.0, 0.1]),
    "max_iter": st.sampled_from([1, 4]),
}


def through_pickle(model):
    return pickle.loads(pickle.dumps(model))


class Calls(RuleBasedStateMachine):
    """One estimator, and what its user may do with it."""

    @initialize(Estimator=st.sampled_from([TwoLayerRegressor, TwoLayerClassifier]), solver=SOLVERS)
    def construct(self, Estimator, solver):
        self.model = Estimator(3, solver=solver, alpha=0.01, max_iter=3, random_state=0)

    @property
    def is_fitted(self):
        return hasattr(self.model, "coefs_")

    @property
    def n_features(self):
        return getattr(self.model, "n_features_in_", 3)

    def data(self, seed, n_rows, n_features):
        random = np.random.RandomState(seed)
        X = random.normal(size=(n_rows, n_features))
        if isinstance(self.model, TwoLayerClassifier):
            return X, np.arange(n_rows) % 3
        return X, X[:, 0] + 0.1 * random.normal(size=n_rows)

    def refused(self, function, *arguments, **options):
        """The call is refused, in words, and the estimator is as it was."""
        before, bits = vars(self.model).copy(), pickle.dumps(self.model)
        with pytest.raises((ValueError, TypeError), match=r".{20}"):
            quietly(function, *arguments, **options)
        assert vars(self.model).keys() == before.keys()
        assert all(vars(self.model)[name] is before[name] for name in before)
        assert pickle.dumps(self.model) == bits

    @rule(seed=SEEDS, n_rows=SIZES, n_features=st.integers(1, 4))
    def fit(self, seed, n_rows, n_features):
        X, y = self.data(seed, n_rows, n_features)
        goes_on = self.model.warm_start and self.is_fitted
        shapes = (n_features, self.model.n_hidden)
        classes = getattr(self.model, "classes_", ())
        has_others = goes_on and len(classes) and not np.array_equal(classes, np.unique(y))
        if has_others or (goes_on and self.model.coefs_[0].shape != shapes):
            self.refused(self.model.fit, X, y)
            return
        quietly(self.model.fit, X, y)
        assert self.model.coefs_[0].shape == shapes
        loss, *_ = self.model.loss_and_gradient(X, y)
        assert loss == pytest.approx(self.model.loss_, rel=1e-6, abs=1e-9)

    @rule(seed=SEEDS, n_rows=SIZES)
    def partial_fit(self, seed, n_rows):
        X, y = self.data(seed, n_rows, self.n_features)
        if self.model.solver not in ("sgd", "adam"):
            assert not hasattr(self.model, "partial_fit")
            return
        known, options = getattr(self.model, "classes_", np.arange(3)), {}
        if isinstance(self.model, TwoLayerClassifier):
            options["classes"] = known
        is_other = self.is_fitted and self.model.coefs_[0].shape[1] != self.model.n_hidden
        if is_other or (options and not np.isin(y, known).all()):
            self.refused(self.model.partial_fit, X, y, **options)
            return
        before = self.model.t_ if self.is_fitted else 0
        quietly(self.model.partial_fit, X, y, **options)
        assert self.model.t_ == before + n_rows

    @rule(name=st.sampled_from(sorted(WRONG_PARAMETERS)), seed=SEEDS)
    def wrong_parameter(self, name, seed):
        right = getattr(self.model, name)
        self.model.set_params(**{name: WRONG_PARAMETERS[name]})
        self.refused(self.model.fit, *self.data(seed, 10, self.n_features))
        self.model.set_params(**{name: right})

    @rule(seed=SEEDS, kind=st.sampled_from(sorted(WRONG_DATA)))
    def wrong_data(self, seed, kind):
        self.refused(self.model.fit, *WRONG_DATA[kind](*self.data(seed, 10, self.n_features)))

    @precondition(lambda self: self.is_fitted)
    @rule(seed=SEEDS)
    def wrong_width(self, seed):
        X, y = self.data(seed, 5, self.n_features + 1)
        self.refused(self.model.predict, X)
        self.refused(self.model.loss_and_gradient, X, y)

    @rule(n_calls=st.integers(0, 6), error=st.sampled_from([KeyboardInterrupt, ValueError]))
    def interrupt(self, n_calls, error):
        """In the middle of a fit: it ends with what it has, or the fit before stays."""
        X, y = self.data(0, 20, self.n_features)
        left = iter(range(n_calls))

        def scoring(estimator, X, y):
            if next(left, None) is None:
                raise error("from the scorer")
            return 0.0

        parameters = {"scoring": None, "warm_start": self.model.warm_start}
        self.model.set_params(scoring=scoring, warm_start=False)
        before = vars(self.model).copy()
        try:
            quietly(self.model.fit, X, y, X_val=X, y_val=y)
        except (KeyboardInterrupt, ValueError):
            assert vars(self.model).keys() == before.keys()
            assert all(vars(self.model)[name] is before[name] for name in before)
        self.model.set_params(**parameters)

    @rule(values=st.fixed_dictionaries(CHANGES))
    def set_params(self, values):
        fitted = {name: value for name, value in vars(self.model).items() if name.endswith("_")}
        self.model.set_params(**values)
        assert all(getattr(self.model, name) is value for name, value in fitted.items())

    @rule(duplicate=st.sampled_from([copy.copy, copy.deepcopy, through_pickle]))
    def go_on_with_a_copy(self, duplicate):
        twin = duplicate(self.model)
        assert twin.get_params() == self.model.get_params()
        if self.is_fitted:
            X, _ = self.data(1, 7, self.n_features)
            assert np.array_equal(twin.predict(X), self.model.predict(X))
        self.model = twin

    @rule()
    def go_on_with_a_clone(self):
        twin = clone(self.model)
        assert vars(twin).keys() == twin.get_params().keys()
        assert twin.get_params() == self.model.get_params()
        self.model = twin

    @invariant()
    def what_is_fitted_is_whole(self):
        if not hasattr(self, "model") or not self.is_fitted:
            return
        X, _ = self.data(2, 4, self.n_features)
        assert all(np.isfinite(array).all() for array in self.model.coefs_ + self.model.intercepts_)
        assert np.isfinite(self.model.loss_curve_).all()
        prediction = self.model.predict(X)
        assert prediction.shape == (4,)
        if isinstance(self.model, TwoLayerClassifier):
            assert np.isin(prediction, self.model.classes_).all()
            np.testing.assert_allclose(self.model.predict_proba(X).sum(axis=1), 1, rtol=1e-9)


TestCalls = Calls.TestCase
TestCalls.settings = settings(stateful_step_count=12)
