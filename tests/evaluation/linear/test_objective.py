import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn.functional import cross_entropy

from bm_plugins.errors import InputError
from bm_plugins.evaluation.linear import objective as module
from bm_plugins.evaluation.linear import preprocessing
from bm_plugins.evaluation.linear.objective import (
    SoftmaxObjective,
    weighted_axes,
)

L2 = 0.03


WEIGHTINGS = pytest.mark.parametrize('class_weight', ['balanced', None])


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 5, generator=generator).double() + 0.5
    y = torch.tensor([0, 1, 0, 2, 0, 1])[torch.arange(60) % 6]
    left_out = torch.arange(60) % 5 - 1  # -1 to 3: some are in all
    thetas = torch.randn(4, 6, 3, generator=generator).double()
    return x, y, left_out, thetas


def build(x, y, left_out=None, class_weight=None):
    axes = weighted_axes(x, y, class_weight)
    return SoftmaxObjective(x, y, axes, left_out, class_weight)


def weights_of(y, class_weight):
    """As cross_entropy takes them, by scikit-learn."""
    weights = compute_class_weight(
        class_weight, classes=np.arange(3), y=y.numpy()
    )
    return torch.from_numpy(weights)


@WEIGHTINGS
def test_equals_autograd_on_each_problems_samples(
    data, monkeypatch, class_weight
):
    monkeypatch.setattr(module, 'rows_at_a_time', lambda _: 7)
    x, y, left_out, thetas = data
    objective = build(x, y, left_out, class_weight)
    chosen = [2, 0, 3]
    values, gradients, spreads = objective(
        objective.turn(thetas[chosen]), L2, chosen
    )
    for number, k in enumerate(chosen):
        rows = left_out != k
        theta = thetas[k].clone().requires_grad_(True)
        logits = x[rows] @ theta[:-1] + theta[-1]
        weights = weights_of(y[rows], class_weight)
        loss = cross_entropy(logits, y[rows], weights)
        loss = loss + L2 / 2 * theta[:-1].square().sum()
        loss.backward()
        torch.testing.assert_close(values[number], loss.detach())
        found = objective.turn_back(gradients[number])
        torch.testing.assert_close(found, theta.grad)
        p = logits.detach().softmax(1)
        spread = (p * (1 - p) * weights[y[rows], None]).mean(0)
        torch.testing.assert_close(spreads[number], spread)


def test_predictions_are_those_of_the_one_that_left_it_out(data):
    x, y, left_out, thetas = data
    objective = build(x, y, left_out)
    found = objective.predictions(objective.turn(thetas))
    for row in range(60):
        theta = thetas[left_out[row]]
        expected = (x[row] @ theta[:-1] + theta[-1]).argmax()
        assert found[row] == expected


def test_turning_back_and_forth(data):
    x, y, _, thetas = data
    objective = build(x, y)
    turned = objective.turn(thetas)
    torch.testing.assert_close(objective.turn_back(turned), thetas)
    # logits are the same on both sides
    on_axes = x @ objective.spectrum.axes @ turned[0, :-1]
    torch.testing.assert_close(on_axes, x @ thetas[0, :-1])


def test_class_counts(data):
    x, y, left_out, _ = data
    assert build(x, y).class_counts().tolist() == [[30, 20, 10]]
    found = build(x, y, left_out).class_counts()
    assert found.tolist() == [[24, 16, 8]] * 4


def test_shares_of_the_classes_in_the_mean(data):
    x, y, left_out, _ = data
    y, left_out = y[10:], left_out[10:]
    problems = [y[left_out != k] for k in range(4)]
    for class_weight in ('balanced', None):
        objective = build(x[10:], y, left_out, class_weight)
        for k, own in enumerate(problems):
            weights = weights_of(own, class_weight)
            torch.testing.assert_close(objective.weights[k], weights)
            shares = own.bincount() * weights / len(own)
            torch.testing.assert_close(objective.shares[k], shares)


def test_another_weighting(data):
    with pytest.raises(InputError, match="class_weight='natural': expected"):
        build(*data[:2], class_weight='natural')


@WEIGHTINGS
def test_diagonal_is_the_hessians_at_the_frequencies(data, class_weight):
    """There p is the same for each sample, so that the guess is exact."""
    x, y, _, _ = data
    objective = build(x, y, None, class_weight)
    weights = weights_of(y, class_weight)
    theta = torch.zeros(6, 3).double()

    def value(turned):
        turned = turned.view(6, 3)
        logits = x @ objective.spectrum.axes @ turned[:-1] + turned[-1]
        norm = turned[:-1].square().sum()
        return cross_entropy(logits, y, weights) + L2 / 2 * norm

    hessian = torch.autograd.functional.hessian(value, theta.flatten())
    _, _, spreads = objective(theta[None], L2, [0])
    found = objective.inverse_diagonal(spreads[0], L2)
    torch.testing.assert_close(
        found.flatten().reciprocal(), hessian.diagonal()
    )


@WEIGHTINGS
def test_single_precision_is_near(data, monkeypatch, class_weight):
    x, y, left_out, thetas = data
    exact = build(x, y, left_out, class_weight)
    monkeypatch.setattr(preprocessing, 'SMALL', 0)
    near = build(x.float(), y, left_out, class_weight)
    assert near.dtype == torch.float32
    near.spectrum = exact.spectrum
    turned = exact.turn(thetas)
    problems = [0, 1, 2, 3]
    pairs = zip(
        near(turned, L2, problems), exact(turned, L2, problems), strict=True
    )
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
