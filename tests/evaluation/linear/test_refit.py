import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax

from bm_plugins.evaluation.linear.refit import refit_linear

L2 = 0.05


@pytest.fixture
def data():
    """40 samples of classes 0, 1 and 3, the last of them of few."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 4)).astype(np.float32) * [1, 2, 3, 0.5]
    y = np.array([0] * 20 + [1] * 15 + [3] * 5)
    x[y == 1, 0] += 1
    x[y == 3, 1] += 2
    weight, bias = rng.normal(size=(4, 4)), rng.normal(size=4)
    weight[3] = 0
    fold_of = np.full(40, -1)
    fold_of[-8:] = np.arange(8) % 2  # three of class 1, five of class 3
    return weight, bias, x, y, fold_of


def reference(weight, bias, x, y, rows, spread):
    """Change of the present classes' weights and biases, by scipy."""
    known = [0, 1, 3]
    labels = np.searchsorted(known, y[rows])
    counts = np.bincount(labels)
    share = 1 / (3 * counts[labels])
    old = x[rows] @ weight[known].T + bias[known]

    def loss(flat):
        change = flat.reshape(3, 5)
        logits = old + x[rows] @ change[:, :4].T + change[:, 4]
        own = log_softmax(logits, 1)[np.arange(len(labels)), labels]
        norm = ((change[:, :4] * spread) ** 2).sum()
        return -(share * own).sum() + L2 / 2 * norm

    found = minimize(loss, np.zeros(15), options=dict(gtol=1e-8)).x
    return found.reshape(3, 5)


def test_is_the_minimum_of_what_it_says(data):
    weight, bias, x, y, fold_of = data
    found = refit_linear(*data, L2)
    spread = x.std(0, ddof=1)
    change = reference(weight, bias, x, y, np.arange(40), spread)
    known = [0, 1, 3]
    np.testing.assert_allclose(
        found.weight[known] - weight[known], change[:, :4], atol=1e-4
    )
    moved = found.bias[known] - bias[known]
    np.testing.assert_allclose(
        moved - moved.mean(), change[:, 4] - change[:, 4].mean(), atol=1e-4
    )
    assert (found.weight[2] == weight[2]).all() and found.bias[2] == bias[2]


def test_held_out_are_by_fits_without_them(data):
    weight, bias, x, y, fold_of = data
    found = refit_linear(*data, L2).held_out[:, [0, 1, 3]]
    assert found.shape == (8, 3)
    spread = x.std(0, ddof=1)
    for fold in range(2):
        change = reference(weight, bias, x, y, fold_of != fold, spread)
        own = x[fold_of == fold]
        logits = own @ (weight[[0, 1, 3]] + change[:, :4]).T
        logits += bias[[0, 1, 3]] + change[:, 4]
        np.testing.assert_allclose(
            log_softmax(found[fold::2], 1), log_softmax(logits, 1), atol=1e-4
        )


def test_much_l2_leaves_the_weights_and_brings_equal_shares(data):
    weight, bias, x, y, _ = data
    found = refit_linear(*data, 1e6)
    np.testing.assert_allclose(found.weight, weight, atol=1e-5)
    known = [0, 1, 3]
    p = np.exp(log_softmax(x @ found.weight[known].T + found.bias[known], 1))
    by_class = np.stack([p[y == k].mean(0) for k in known])
    np.testing.assert_allclose(by_class.mean(0), 1 / 3, atol=1e-5)
