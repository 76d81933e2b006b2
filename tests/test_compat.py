"""Versions of scikit-learn without callbacks: an empty mixin, and methods as they are."""

import importlib.util
import sys

from sklearn.base import BaseEstimator

from sklearn_twolayer import _compat


def test_before_callbacks_there_is_nothing_to_support(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    spec = importlib.util.spec_from_file_location("compat_of_old", _compat.__file__)
    old = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(old)
    assert not hasattr(old.CallbackSupportMixin(), "set_callbacks")
    assert old.with_callbacks(print) is print
    assert not old.has_callbacks(BaseEstimator())
