"""Gradient descent runs the lines of the derivation, all of them, and no shortcut."""

import dis
import sys
import threading

import numpy as np
import pytest

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._network.activations import ACTIVATIONS
from sklearn_twolayer._network.backprop import TwoLayerNetwork
from sklearn_twolayer._optimize.full_batch import gradient_descent

FORWARD, BACKWARD = TwoLayerNetwork.forward.__code__, TwoLayerNetwork.backward.__code__
SLOPE = ACTIVATIONS["logistic"].derivative.__code__
N_ITERATIONS = 2


class Trace:
    """Which lines of some functions run beneath gradient descent, and what g' does there."""

    def __init__(self):
        self.calls = {FORWARD: 0, BACKWARD: 0, SLOPE: 0}
        self.lines = {FORWARD: set(), BACKWARD: set(), SLOPE: set()}
        self.slopes = []

    def __enter__(self):
        self.before = sys.gettrace(), threading.gettrace()
        sys.settrace(self.enter)
        threading.settrace(self.enter)
        return self

    def __exit__(self, *exception):
        sys.settrace(self.before[0])
        threading.settrace(self.before[1])

    def enter(self, frame, event, argument):
        """Watch a call of one of the functions."""
        if frame.f_code not in self.calls or not descends(frame):
            return None
        self.calls[frame.f_code] += 1
        if frame.f_code is SLOPE:
            self.slopes.append([frame.f_locals["A"].copy()])
        return self.inside

    def inside(self, frame, event, argument):
        """Note a line of it, or what it returns."""
        if event == "line":
            self.lines[frame.f_code].add(frame.f_lineno)
        elif event == "return" and frame.f_code is SLOPE:
            self.slopes[-1].append(argument.copy())
        return self.inside


def descends(frame):
    """Whether gradient descent is among the callers."""
    while frame is not None and frame.f_code is not gradient_descent.__code__:
        frame = frame.f_back
    return frame is not None


def lines_of_body(code):
    """The lines of a function that have code, without its first."""
    return {line for _, line in dis.findlinestarts(code) if line} - {code.co_firstlineno}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("n_features", "n_hidden"), [(2, 5), (6, 3)], ids=["f < h", "f > h"])
@pytest.mark.parametrize(
    "model",
    [
        TwoLayerRegressor(),
        TwoLayerRegressor(output_activation="logistic"),
        TwoLayerClassifier(),
    ],
    ids=["linear output", "logistic output", "log loss"],
)
def test_every_line_of_forward_and_backward_runs(model, n_features, n_hidden):
    X = np.random.RandomState(0).normal(size=(30, n_features))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    model.set_params(
        n_hidden=n_hidden, activation="logistic", solver="gd", max_iter=N_ITERATIONS, random_state=0
    )
    with Trace() as trace:
        model.fit(X, y)
    assert model.n_iter_ == N_ITERATIONS
    for code in (FORWARD, BACKWARD):
        assert trace.calls[code] == 1 + N_ITERATIONS, code.co_name
        assert trace.lines[code] == lines_of_body(code), code.co_name
    assert trace.calls[SLOPE] == 1 + N_ITERATIONS
    for A1, slope in trace.slopes:
        assert A1.shape == (30, n_hidden)
        assert 0 < A1.min() < A1.max() < 1
        np.testing.assert_allclose(slope, A1 * (1 - A1), rtol=1e-13)


def test_the_gradient_in_public_runs_them_too():
    X = np.random.RandomState(0).normal(size=(30, 2))
    model = TwoLayerRegressor(5, alpha=0.01, random_state=0).fit(X, X[:, 0])
    seen = set()

    def note(frame, event, argument):
        seen.add(frame.f_code)

    before = sys.gettrace()
    sys.settrace(note)
    try:
        model.loss_and_gradient(X, X[:, 0])
    finally:
        sys.settrace(before)
    assert {FORWARD, BACKWARD, SLOPE} <= seen
