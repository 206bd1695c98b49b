import numpy as np
import pytest
import torch
from mmengine.dist import get_dist_info
from mmengine.model import MMDistributedDataParallel
from torch import nn

from bm_plugins.errors import InputError
from bm_plugins.models import WeightedCrossEntropyLoss
from bm_plugins.models.losses.weighted_cross_entropy import class_weights

WEIGHTS = torch.tensor([0.5, 3.0, 0.0, 1.5])


def draw(count):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(count, 4, generator=generator)
    labels = torch.randint(4, (count,), generator=generator)
    return logits, labels


def test_equals_torch_for_classes():
    logits, labels = draw(16)
    mine = WeightedCrossEntropyLoss(4, WEIGHTS.tolist())
    theirs = nn.CrossEntropyLoss(WEIGHTS)
    torch.testing.assert_close(mine(logits, labels), theirs(logits, labels))
    plain = WeightedCrossEntropyLoss(4)
    expected = nn.CrossEntropyLoss()(logits, labels)
    # mmpretrain's heads give avg_factor
    torch.testing.assert_close(plain(logits, labels, avg_factor=16), expected)


def test_soft_targets_by_hand():
    logits = torch.tensor([[0.0, 1.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]])
    targets = torch.tensor([[0.25, 0.75, 0, 0], [0, 0, 0.5, 0.5]])
    log_p = logits.log_softmax(1)
    above = 0.5 * 0.25 * log_p[0, 0] + 3 * 0.75 * log_p[0, 1]
    above = above + 1.5 * 0.5 * log_p[1, 3]
    below = 0.5 * 0.25 + 3 * 0.75 + 1.5 * 0.5
    loss = WeightedCrossEntropyLoss(4, WEIGHTS)(logits, targets)
    torch.testing.assert_close(loss, -above / below)


def test_one_hot_equals_class_indices():
    logits, labels = draw(16)
    loss = WeightedCrossEntropyLoss(4, WEIGHTS)
    hot = nn.functional.one_hot(labels).float()
    torch.testing.assert_close(loss(logits, hot), loss(logits, labels))


def test_batch_of_no_weight():
    logits = torch.zeros(2, 4, requires_grad=True)
    labels = torch.tensor([2, 2])
    loss = WeightedCrossEntropyLoss(4, WEIGHTS)(logits, labels)
    loss.backward()
    assert loss == 0 and (logits.grad == 0).all()


def one_step(folder):
    rank, world_size = get_dist_info()
    inputs, labels = draw(12)
    torch.manual_seed(0)
    model = nn.Linear(4, 4)
    wrapped = MMDistributedDataParallel(model) if world_size > 1 else model
    part = slice(rank, None, world_size)
    loss = WeightedCrossEntropyLoss(4, WEIGHTS)
    loss(wrapped(inputs[part]), labels[part]).backward()
    grads = [p.grad for p in model.parameters()]
    torch.save(grads, f'{folder}/{world_size}_{rank}.pth')


def test_two_ranks_are_one(run_ranks, tmp_path):
    one_step(tmp_path)
    run_ranks(one_step, 2, tmp_path)
    alone = torch.load(tmp_path / '1_0.pth')
    for rank in range(2):
        found = torch.load(tmp_path / f'2_{rank}.pth')
        torch.testing.assert_close(found, alone, rtol=1e-5, atol=1e-7)


def test_checkpoints_do_not_hold_the_weights():
    assert not WeightedCrossEntropyLoss(4).state_dict()


@pytest.mark.parametrize('weights', [[1, 2], [1, 1, -1, 1]])
def test_wrong_weights(weights):
    with pytest.raises(InputError, match='expected 4 numbers'):
        WeightedCrossEntropyLoss(4, weights)


def test_inverse_frequency():
    weights = class_weights([10, 0, 5, 20], 'inverse_frequency')
    np.testing.assert_allclose(weights, [6 / 7, 0, 12 / 7, 3 / 7])


def test_effective_number():
    beta = 0.9
    weights = class_weights([1, 0, 2], 'effective_number', beta)
    numbers = np.array([1, 1 + beta])  # 1 + beta + beta^2 + ...
    expected = 1 / numbers / (1 / numbers).mean()
    np.testing.assert_allclose(weights, [expected[0], 0, expected[1]])
    one = class_weights([10**9, 1], 'effective_number', 1 - 1e-12)
    assert one[1] / one[0] == pytest.approx(1e9, rel=1e-3)


def test_bad_input():
    with pytest.raises(InputError, match="kind='frequency'"):
        class_weights([1], 'frequency')
    with pytest.raises(InputError, match='beta=1'):
        class_weights([1], 'effective_number', 1)
    with pytest.raises(InputError, match='empty'):
        class_weights([0, 0], 'inverse_frequency')
