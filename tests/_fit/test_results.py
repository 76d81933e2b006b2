"""What a fit publishes: in the units of the user, or not at all."""

import warnings

import numpy as np
import pytest

from sklearn_twolayer import TwoLayerRegressor


def test_statistics_are_in_the_units_of_the_user():
    """Powers of two, so that the standardised fits are the same, bit for bit."""
    random = np.random.RandomState(0)
    rows, y = random.normal(size=(20, 2)), random.normal(size=(20, 2))
    factor = np.array([4.0, 0.5])
    options = {"solver": "lm", "alpha": "evidence", "random_state": 0}
    one, other = (TwoLayerRegressor(2, **options).fit(rows, target) for target in (y, factor * y))
    np.testing.assert_allclose(other.noise_precision_ * factor**2, one.noise_precision_)
    shift = len(rows) * np.log(factor).sum()
    assert other.log_marginal_likelihood_ == pytest.approx(one.log_marginal_likelihood_ - shift)


@pytest.mark.parametrize(("unit", "expected"), [(1e-160, np.inf), (1e150, 0.0)])
def test_noise_of_targets_in_extreme_units_has_a_precision_without_a_warning(unit, expected):
    random = np.random.RandomState(0)
    rows, y = random.normal(size=(20, 2)), unit * random.normal(size=20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "The values of y differ by so little")
        model = TwoLayerRegressor(2, solver="lm", alpha=0.1, random_state=0).fit(rows, y)
        _, std = model.predict(rows, return_std=True)
    assert model.noise_precision_ == pytest.approx(expected, abs=1e-295)
    assert (std / unit < 10).all()
    assert (std / unit > 0.1).all()


def test_targets_too_small_for_the_dtype_of_X_are_refused():
    """Weights of fewer digits than the dtype has would be published."""
    random = np.random.RandomState(0)
    rows, y = random.normal(size=(20, 2)).astype(np.float32), 1e-41 * random.normal(size=20)
    model = TwoLayerRegressor(2, solver="lm", alpha=0.1)
    with pytest.raises(ValueError, match="weights do not fit into float32"):
        model.fit(rows, y)
    assert model.fit(rows.astype(np.float64), y).coefs_[1].any()
