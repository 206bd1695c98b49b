import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.dist import get_dist_info
from mmengine.model import MMDistributedDataParallel
from pytorch_metric_learning.losses import SupConLoss as ReferenceLoss
from pytorch_metric_learning.reducers import MeanReducer
from torch import nn
from torch.nn.functional import normalize

from bm_plugins.errors import InputError
from bm_plugins.models import SupConLoss


def draw(count, dim, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(count, dim, generator=generator)
    labels = torch.randint(classes, (count,), generator=generator)
    return normalize(z), labels


def double_loop(z, labels, temperature):
    """Equation 12 in float64, a term at a time."""
    z, n = z.double(), len(z)
    total = 0.0
    for i in range(n):
        others = [a for a in range(n) if a != i]
        positives = [p for p in others if labels[p] == labels[i]]
        below = sum(math.exp(z[i] @ z[a] / temperature) for a in others)
        terms = [
            math.log(math.exp(z[i] @ z[p] / temperature) / below)
            for p in positives
        ]
        if terms:
            total -= sum(terms) / len(terms)
    return total / n


def test_four_angles_by_hand():
    degrees = torch.tensor([0.0, 60.0, 90.0, 180.0]).deg2rad()
    z = torch.stack([degrees.cos(), degrees.sin()], 1)
    labels = torch.tensor([0, 0, 1, 2])

    def e(degrees):
        return math.exp(math.cos(math.radians(degrees)) / 0.5)

    # The third and fourth have no positive: they add 0 and are counted.
    first = -math.log(e(60) / (e(60) + e(90) + e(180)))
    second = -math.log(e(60) / (e(60) + e(30) + e(120)))
    loss = SupConLoss(temperature=0.5)(z, labels)
    assert loss.item() == pytest.approx((first + second) / 4, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 24),
    classes=st.integers(1, 6),
    temperature=st.sampled_from([0.05, 0.2, 1.0]),
    seed=st.integers(0, 10**6),
)
def test_equals_a_double_loop_and_pytorch_metric_learning(
    count, classes, temperature, seed
):
    z, labels = draw(count, 8, classes, seed)
    mine = z.clone().requires_grad_()
    theirs = z.clone().requires_grad_()
    loss = SupConLoss(temperature)(mine, labels)
    loss.backward()
    assert loss.item() == pytest.approx(
        double_loop(z, labels, temperature), rel=1e-5, abs=1e-5
    )
    if len(labels.unique()) == 1:
        return  # pytorch-metric-learning gives 0 where nothing is negative
    reference = ReferenceLoss(temperature, reducer=MeanReducer())
    expected = reference(theirs, labels)
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)
    gradient = torch.zeros_like(z) if theirs.grad is None else theirs.grad
    torch.testing.assert_close(mine.grad, gradient, rtol=1e-4, atol=1e-5)


def test_default_temperature_is_the_papers():
    assert SupConLoss().temperature == 0.2


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('autocast', [False, True])
def test_half_precision(dtype, autocast):
    z, labels = draw(32, 16, 4, seed=0)
    half = z.to(dtype).requires_grad_()
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=autocast):
        loss = SupConLoss(0.05)(half, labels)
    loss.backward()
    expected = double_loop(normalize(half.detach().float()), labels, 0.05)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert half.grad.isfinite().all() and half.grad.abs().max() > 0


def test_stable_where_exp_overflows():
    z, labels = draw(16, 4, 2, seed=0)
    z.requires_grad_()
    loss = SupConLoss(1e-3)(z, labels)  # e^1000 is past float64
    loss.backward()
    assert loss.isfinite() and z.grad.isfinite().all()


def one_step(folder):
    """A step of a linear network on this rank's share of 24 rows."""
    rank, world_size = get_dist_info()
    inputs, labels = draw(24, 6, 5, seed=1)
    torch.manual_seed(0)
    model = nn.Linear(6, 3)
    wrapped = MMDistributedDataParallel(model) if world_size > 1 else model
    part = slice(rank, None, world_size)
    loss = SupConLoss()(wrapped(inputs[part]), labels[part])
    loss.backward()
    grads = [p.grad for p in model.parameters()]
    torch.save((loss.detach(), grads), f'{folder}/{world_size}_{rank}.pth')


def test_same_loss_and_gradients_on_1_2_and_4_ranks(run_ranks, tmp_path):
    one_step(tmp_path)
    alone = torch.load(tmp_path / '1_0.pth')
    assert alone[1][0].abs().max() > 1e-3
    for world_size in (2, 4):
        run_ranks(one_step, world_size, tmp_path)
        for rank in range(world_size):
            found = torch.load(tmp_path / f'{world_size}_{rank}.pth')
            torch.testing.assert_close(found, alone, rtol=1e-5, atol=1e-6)


def test_bad_input():
    with pytest.raises(InputError, match='temperature=0'):
        SupConLoss(0)
    with pytest.raises(InputError, match=r'labels \(3,\)'):
        SupConLoss()(torch.zeros(4, 2), torch.zeros(3))
