"""The losses against independent formulas, differences and extreme raw predictions."""

import re

import numpy as np
import pytest
from gradient_check import LOSSES, directional_derivative, numerical_jacobian, random_targets
from scipy.special import expit, softmax
from sklearn.metrics import log_loss

from sklearn_twolayer._network import losses
from sklearn_twolayer._network.losses import (
    BinaryLogLoss,
    LogisticSquaredError,
    MulticlassLogLoss,
    SquaredError,
    symmetric_root,
)

LOG_LOSSES = (BinaryLogLoss, MulticlassLogLoss)


def random_rows(loss_class, n_outputs, n_rows=12):
    """Targets and raw predictions."""
    rng = np.random.default_rng(0)
    y = random_targets(loss_class, n_rows, n_outputs, rng)
    return y, 2 * rng.normal(size=(n_rows, n_outputs))


def plain_losses(loss_class, y, Z2):
    """Loss of each row, by the definition."""
    if loss_class is SquaredError:
        return ((Z2 - y) ** 2).mean(axis=1)
    if loss_class is LogisticSquaredError:
        return ((expit(Z2) - y) ** 2).mean(axis=1)
    if loss_class is BinaryLogLoss:
        return -np.log(np.where(y == 1, expit(Z2), 1 - expit(Z2))).sum(axis=1)
    return -np.log(softmax(Z2, axis=1))[np.arange(len(y)), y]


@pytest.mark.parametrize("n_outputs", [1, 2, 5])
@pytest.mark.parametrize("loss_class", LOSSES)
def test_loss_is_its_definition(loss_class, n_outputs):
    y, Z2 = random_rows(loss_class, n_outputs)
    loss, delta = loss_class().loss_and_delta(y, Z2)
    assert loss.shape == (12,)
    assert delta.shape == (12, n_outputs)
    np.testing.assert_allclose(loss, plain_losses(loss_class, y, Z2), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loss_class", LOSSES)
def test_a_quadratic_loss_has_a_linear_delta(loss_class):
    """delta(Z2 + V) - delta(Z2 - V) is that at any other Z2."""
    (y, Z2), V = random_rows(loss_class, 3), np.array([1.0, 2.0, -1.0])

    def delta(Z):
        return loss_class().loss_and_delta(y, Z)[1]

    along = [delta(Z + V) - delta(Z - V) for Z in (V * Z2, 0 * Z2)]
    is_linear = np.allclose(*along, rtol=1e-12)
    assert is_linear == loss_class.is_quadratic


def test_log_losses_equal_scikit_learn():
    y, Z2 = random_rows(MulticlassLogLoss, 5)
    loss, _ = MulticlassLogLoss().loss_and_delta(y, Z2)
    assert loss.mean() == pytest.approx(log_loss(y, softmax(Z2, axis=1), labels=range(5)))
    y, Z2 = random_rows(BinaryLogLoss, 1)
    loss, _ = BinaryLogLoss().loss_and_delta(y, Z2)
    assert loss.mean() == pytest.approx(log_loss(y[:, 0], expit(Z2[:, 0])))


@pytest.mark.parametrize("n_outputs", [1, 2, 5])
@pytest.mark.parametrize("loss_class", LOSSES)
def test_delta_is_the_derivative(loss_class, n_outputs):
    y, Z2 = random_rows(loss_class, n_outputs)
    loss = loss_class()
    for c in range(n_outputs):
        along = np.eye(n_outputs)[c]
        expected = directional_derivative(lambda Z2: loss.loss_and_delta(y, Z2)[0], Z2, along)
        np.testing.assert_allclose(loss.loss_and_delta(y, Z2)[1][:, c], expected, atol=1e-10)


@pytest.mark.parametrize("n_outputs", [1, 2, 5])
@pytest.mark.parametrize("loss_class", [SquaredError, *LOG_LOSSES])
def test_hessian_is_the_second_derivative(loss_class, n_outputs):
    """For the canonical pairs of loss and output."""
    y, Z2 = random_rows(loss_class, n_outputs)
    loss = loss_class()
    for c in range(n_outputs):
        along = np.eye(n_outputs)[c]
        expected = directional_derivative(lambda Z2: loss.loss_and_delta(y, Z2)[1], Z2, along)
        found = np.broadcast_to(loss.hessian(Z2)[:, :, c], expected.shape)
        np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("n_outputs", [1, 2, 5])
def test_hessian_of_logistic_squared_error_is_gauss_newton(n_outputs):
    """A2'(Z2)' (2 / k) A2'(Z2), with A2' by differences."""
    _, Z2 = random_rows(LogisticSquaredError, n_outputs)
    loss = LogisticSquaredError()
    for row, found in zip(Z2, loss.hessian(Z2)):
        J = numerical_jacobian(lambda z: loss.predict(z[None])[0], row)
        np.testing.assert_allclose(found, J.T @ J * (2 / n_outputs), atol=1e-10)


@pytest.mark.parametrize("loss_class", LOSSES)
def test_hessian_is_symmetric_and_positive_semidefinite(loss_class):
    _, Z2 = random_rows(loss_class, 5)
    hessian = loss_class().hessian(10 * Z2)
    np.testing.assert_array_equal(hessian, np.swapaxes(hessian, 1, 2))
    assert np.linalg.eigvalsh(hessian).min() >= -1e-15


@pytest.mark.parametrize("loss_class", LOSSES)
def test_symmetric_root(loss_class):
    hessian = loss_class().hessian(random_rows(loss_class, 3)[1])
    R = symmetric_root(hessian)
    np.testing.assert_allclose(R.transpose(0, 2, 1) @ R, hessian, rtol=1e-12, atol=1e-15)


def test_two_classes_are_one_output():
    """softmax([0, z]) = [1 - sigma(z), sigma(z)]."""
    y, Z2 = random_rows(BinaryLogLoss, 1)
    pairs = np.hstack([np.zeros_like(Z2), Z2])
    loss, delta = BinaryLogLoss().loss_and_delta(y, Z2)
    pair_loss, pair_delta = MulticlassLogLoss().loss_and_delta(y[:, 0].astype(int), pairs)
    np.testing.assert_allclose(pair_loss, loss, rtol=1e-12)
    np.testing.assert_allclose(pair_delta[:, [1]], delta, rtol=1e-12)


@pytest.mark.parametrize("loss_class", LOSSES)
def test_raw_predictions_are_not_overwritten(loss_class):
    y, Z2 = random_rows(loss_class, 2)
    kept = Z2.copy()
    loss = loss_class()
    loss.loss_and_delta(y, Z2)
    loss.hessian(Z2)
    loss.predict(Z2)
    np.testing.assert_array_equal(Z2, kept)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss_class", LOSSES)
def test_extreme_raw_predictions(loss_class, dtype):
    """+-800, right and wrong: no warning (they are errors here), nothing infinite."""
    Z2 = np.array([[800, -800], [-800, 800], [800, 800], [0, -800]], dtype)
    y = np.array([0, 0, 1, 1])
    if loss_class is not MulticlassLogLoss:
        y = np.column_stack([y, 1 - y]).astype(dtype)
    loss, delta = loss_class().loss_and_delta(y, Z2)
    for values in (loss, delta, loss_class().hessian(Z2), loss_class().predict(Z2)):
        assert values.dtype == dtype
        assert np.isfinite(values).all()


def test_confident_answers():
    """A wrong one costs |z|; a right one keeps its small loss instead of rounding to 0."""
    Z2 = np.array([[800.0], [-800.0], [50.0]])
    loss, delta = BinaryLogLoss().loss_and_delta(np.array([[0.0], [1.0], [1.0]]), Z2)
    np.testing.assert_allclose(loss, [800, 800, np.exp(-50)], rtol=1e-12)
    np.testing.assert_array_equal(delta[:2], [[1], [-1]])
    loss, delta = MulticlassLogLoss().loss_and_delta(np.array([1]), np.array([[800.0, 0, 0]]))
    np.testing.assert_allclose(loss, [800])
    np.testing.assert_array_equal(delta, [[1, -1, 0]])


@pytest.mark.parametrize("loss_class", LOG_LOSSES)
def test_log_predict(loss_class):
    _, Z2 = random_rows(loss_class, 3)
    loss = loss_class()
    np.testing.assert_allclose(loss.log_predict(Z2), np.log(loss.predict(Z2)), rtol=1e-12)
    extreme = np.array([[-800.0, 0, 800]])
    assert np.isfinite(loss.log_predict(extreme)).all()
    assert loss.log_predict(extreme)[0, 0] <= -800


def at_the_constant(loss_class, is_weighted):
    """A loss, the mean target of some rows, their loss and delta at its constant, their weights."""
    y, Z2 = random_rows(loss_class, 3, n_rows=40)
    weight = np.random.default_rng(1).uniform(size=40) if is_weighted else None
    loss = loss_class()
    mean_target = loss.mean_target(y, weight, 3)
    constant = np.broadcast_to(loss.constant(mean_target), Z2.shape)
    return loss, mean_target, *loss.loss_and_delta(y, constant), weight


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("loss_class", LOSSES)
def test_constant_has_the_least_loss(loss_class, is_weighted):
    _, _, _, delta, weight = at_the_constant(loss_class, is_weighted)
    np.testing.assert_allclose(np.average(delta, axis=0, weights=weight), 0, atol=1e-15)


@pytest.mark.parametrize("loss_class", [LogisticSquaredError, *LOG_LOSSES])
def test_constant_is_finite_where_all_rows_agree(loss_class):
    y = np.ones(5, int) if loss_class is MulticlassLogLoss else np.ones((5, 2))
    loss = loss_class()
    assert np.isfinite(loss.constant(loss.mean_target(y, None, 2))).all()


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("loss_class", LOG_LOSSES)
def test_entropy_is_the_mean_loss_of_the_constant(loss_class, is_weighted):
    loss, mean_target, lost, _, weight = at_the_constant(loss_class, is_weighted)
    expected = np.average(lost, weights=weight)
    np.testing.assert_allclose(loss.entropy(mean_target), expected, rtol=1e-12)


def test_the_interface_at_the_top_names_all_that_a_loss_offers():
    """Each public name of a loss has its entry there, and each entry is a name of some loss."""
    entries = set(re.findall(r"^``(\w+)(?:\(.*\))?``$", losses.__doc__, re.MULTILINE))
    offered = {name for loss in LOSSES for name in dir(loss) if not name.startswith("_")}
    assert entries == offered
