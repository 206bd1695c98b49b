import copy

import pytest
import torch
from mmpretrain.engine.optimizers import LARS
from torch import nn

from bm_plugins.engine.optimizers.lars import SyncFreeLARS

SETTINGS = [
    dict(),
    dict(momentum=0.9, weight_decay=1e-2),
    dict(momentum=0.9, weight_decay=1e-6, eta=0.02),
    dict(momentum=0.9, dampening=0.3),
    dict(momentum=0.9, nesterov=True, weight_decay=1e-2),
]


def layers():
    """Some usual shapes, and weights that are all 0, as of BN's shifts."""
    torch.manual_seed(0)
    shapes = [(8, 3, 3, 3), (8,), (5, 8), (1,), (4, 4)]
    params = [nn.Parameter(torch.randn(shape)) for shape in shapes]
    params[1].data.zero_()
    return params


def both(settings, exclude=False):
    """The same parameters by upstream's and by ours."""
    made = []
    for kind in (LARS, SyncFreeLARS):
        params = layers()
        groups = [dict(params=params[:3], lars_exclude=exclude)]
        groups.append(dict(params=params[3:], lr=0.1))
        made.append((params, kind(groups, lr=0.6, **settings)))
    return made


def step(made, number):
    """A step of each by the same gradients, some of them 0 or None."""
    torch.manual_seed(100 + number)
    grads = [torch.randn_like(p) for p in made[0][0]]
    grads[2] = grads[2] * (number % 3 > 0)
    for params, optimizer in made:
        for param, grad in zip(params, grads, strict=True):
            param.grad = grad.clone()
        if number % 4 == 0:
            params[3].grad = None
        optimizer.step()


def assert_close(made):
    """Weights and state, to float precision."""
    (ours, state), (theirs, expected) = (
        (params, optimizer.state_dict()) for params, optimizer in made
    )
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)
    assert state['param_groups'] == expected['param_groups']
    torch.testing.assert_close(
        state['state'], expected['state'], rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize('exclude', [False, True])
@pytest.mark.parametrize('settings', SETTINGS)
def test_many_steps_equal_upstreams(settings, exclude):
    made = both(settings, exclude)
    for number in range(60):
        step(made, number)
    assert_close(made)


def test_a_step_by_hand():
    """|w| = 5, |g| = 10: rate 0.5 * 0.1 * 5 / (10 + 0.2 * 5)."""
    weight = nn.Parameter(torch.tensor([3.0, 4.0]))
    weight.grad = torch.tensor([6.0, 8.0])
    optimizer = SyncFreeLARS([weight], lr=0.5, eta=0.1, weight_decay=0.2)
    optimizer.step()
    rate = 0.5 * 0.1 * 5 / 11
    expected = [3 - rate * (6 + 0.2 * 3), 4 - rate * (8 + 0.2 * 4)]
    torch.testing.assert_close(weight.data, torch.tensor(expected))


@pytest.mark.parametrize('first', [0, 1])
def test_each_goes_on_from_the_others_state(first):
    """The one that trained first hands over to the other."""
    settings = dict(momentum=0.9, weight_decay=1e-2)
    made = both(settings)
    for number in range(5):
        step(made, number)
    state = copy.deepcopy(made[first][1].state_dict())
    made[1 - first][1].load_state_dict(state)
    for number in range(5, 20):
        step(made, number)
    assert_close(made)


def test_closure_gives_its_loss():
    weight = nn.Parameter(torch.ones(2))
    optimizer = SyncFreeLARS([weight], lr=0.1)

    def closure():
        loss = weight.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 2
    assert weight.tolist() != [1, 1]


def test_a_hook_before_the_step_keeps_a_parameter():
    """How SwAVScheduleHook freezes prototypes."""
    made = both(dict(momentum=0.9, weight_decay=1e-2))
    before = made[1][0][4].detach().clone()
    for params, optimizer in made:

        def freeze(*_, frozen=params[4]):
            frozen.grad = None

        handle = optimizer.register_step_pre_hook(freeze)
        for number in range(5):
            step([(params, optimizer)], number)
        handle.remove()
    assert torch.equal(made[1][0][4], before)
    for number in range(5, 10):
        step(made, number)
    assert not torch.equal(made[1][0][4], before)
    assert_close(made)
