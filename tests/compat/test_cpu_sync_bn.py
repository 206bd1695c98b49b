import torch
from mmpretrain.registry import MODELS
from torch import nn

from bm_plugins.compat.cpu_sync_bn import CPUSyncBatchNorm, use_cpu_sync_bn


def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(8, 5, 3, 3, generator=generator) * 2 + 7


def layer():
    torch.manual_seed(1)
    bn = nn.SyncBatchNorm(5)
    nn.init.normal_(bn.weight)
    nn.init.normal_(bn.bias)
    return use_cpu_sync_bn(bn)


def step(bn, x):
    """Output, input gradient, parameter gradients and buffers of one step."""
    x = x.clone().requires_grad_()
    out = bn(x)
    # A loss whose gradient depends on the output, unlike a sum.
    (out**3).sum().backward()
    return [out.detach(), x.grad, bn.weight.grad, bn.bias.grad] + list(
        bn.buffers()
    )


def save_step(folder):
    rank = torch.distributed.get_rank()
    size = torch.distributed.get_world_size()
    result = step(layer(), batch()[rank::size])
    torch.save(result, f'{folder}/{rank}.pth')


def test_two_ranks_equal_one_batch_norm_over_all(run_ranks, tmp_path):
    ours = layer()
    plain = nn.BatchNorm2d(5)
    plain.load_state_dict(ours.state_dict())
    expected = step(plain, batch())
    run_ranks(save_step, 2, tmp_path)
    for rank in range(2):
        saved = torch.load(tmp_path / f'{rank}.pth')
        for i in (0, 1):  # output and input gradient: this rank's part
            torch.testing.assert_close(
                saved[i], expected[i][rank::2], rtol=1e-4, atol=1e-4
            )
        for i in (4, 5, 6):  # running mean, variance, count
            torch.testing.assert_close(saved[i], expected[i])
    ranks = [torch.load(tmp_path / f'{rank}.pth') for rank in range(2)]
    for i in (2, 3):  # parameter gradients add up
        torch.testing.assert_close(
            ranks[0][i] + ranks[1][i], expected[i], rtol=1e-4, atol=1e-3
        )


def test_alone_and_in_evaluation_it_is_batch_norm():
    ours, plain = layer(), nn.BatchNorm2d(5)
    plain.load_state_dict(ours.state_dict())
    for training in (True, False):
        ours.train(training), plain.train(training)
        torch.testing.assert_close(ours(batch()), plain(batch()))


def test_every_layer_of_a_model_is_converted():
    model = MODELS.build(
        dict(type='mmpretrain.ResNet', depth=18, norm_cfg=dict(type='SyncBN'))
    )
    kinds = {type(m) for m in use_cpu_sync_bn(model).modules()}
    assert CPUSyncBatchNorm in kinds
    assert not any(issubclass(kind, nn.SyncBatchNorm) for kind in kinds)
