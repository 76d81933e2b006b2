"""R^2 and accuracy over blocks, against those of scikit-learn over all rows."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score

from sklearn_twolayer._data.labels import LabelTargets
from sklearn_twolayer._data.rows import Rows
from sklearn_twolayer._data.targets import RealTargets

RANDOM = np.random.default_rng(0)
Z2 = RANDOM.normal(size=(50, 3))
WEIGHT = RANDOM.uniform(0.5, 2, size=50)


def score(targets, y, weight):
    """A score of the raw predictions Z2, which stand in the place of X, in blocks of ten rows."""
    options = {"standardization": None, "dtype": float, "block_size": 10}
    with Rows(Z2, y, weight, **options) as rows:
        return targets.score(rows, lambda X, y, weight: X[:, : Z2.shape[1]])


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_a_row_is_right_if_all_of_its_labels_are(weight):
    y = ((Z2 > 0) ^ (RANDOM.uniform(size=Z2.shape) < 0.2)).astype(float)
    found = score(LabelTargets(np.arange(3), True), y, weight)
    assert found == pytest.approx(accuracy_score(y, Z2 > 0, sample_weight=weight))
    assert 0 < found < (y == (Z2 > 0)).mean()


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_a_row_is_right_if_its_class_is_the_most_probable(weight):
    y = RANDOM.integers(3, size=50)
    expected = accuracy_score(y, Z2.argmax(axis=1), sample_weight=weight)
    assert score(LabelTargets(np.arange(3), False), y, weight) == pytest.approx(expected)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_r_squared_of_targets_far_from_zero(weight):
    y = Z2 + RANDOM.normal(size=Z2.shape) + [0, 1e6, -3]
    expected = r2_score(y, Z2, sample_weight=weight)
    assert score(RealTargets(3, False, "identity"), y, weight) == pytest.approx(expected, rel=1e-9)


def test_targets_are_constant_where_only_a_row_without_weight_differs():
    """Rounding leaves a variance of 1e-16 or so behind, by which no residual is to be divided."""
    y = np.tile([0.1, 0.3, 0.7], (50, 1))
    y[0] = 0
    for seed in range(10):
        weight = np.random.default_rng(seed).uniform(0.5, 2, size=50)
        weight[0] = 1e-30
        assert score(RealTargets(3, False, "identity"), y, weight) == 0
