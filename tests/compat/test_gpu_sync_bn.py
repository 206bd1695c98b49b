"""On gloo, with what torch computes on GPUs alone written out for the CPU."""

import torch
import torch.distributed as dist
from torch import nn

from bm_plugins.compat.gpu_sync_bn import (
    SyncFreeSyncBatchNorm,
    use_sync_free_bn,
)

DIMS = (0, 2, 3)


def over_images(values):
    return values.view(1, -1, 1, 1)


def stats(x, eps):
    return x.mean(DIMS), (x.var(DIMS, correction=0) + eps).rsqrt()


def gather(x, means, invstds, running_mean, running_var, momentum, eps, n):
    total, n = n.sum(), n[:, None]
    mean = (means * n).sum(0) / total
    squares = invstds**-2 - eps + means**2
    var = (squares * n).sum(0) / total - mean**2
    running_mean.lerp_(mean, momentum)
    running_var.lerp_(var * total / (total - 1), momentum)
    return mean, (var + eps).rsqrt()


def normalise(x, weight, bias, mean, invstd, eps):
    x = (x - over_images(mean)) * over_images(invstd)
    return x * over_images(weight) + over_images(bias)


def reduce(grad, x, mean, invstd, weight, *_):
    dot = (grad * (x - over_images(mean))).sum(DIMS)
    return grad.sum(DIMS), dot, dot * invstd, grad.sum(DIMS)


def backward(grad, x, mean, invstd, weight, sum_dy, sum_dy_xmu, counts):
    total = counts.sum()
    slope = over_images(sum_dy_xmu / total * invstd**2)
    grad = grad - over_images(sum_dy / total) - (x - over_images(mean)) * slope
    return grad * over_images(invstd * weight)


KERNELS = {
    'batch_norm_stats': stats,
    'batch_norm_gather_stats_with_counts': gather,
    'batch_norm_elemt': normalise,
    'batch_norm_backward_reduce': reduce,
    'batch_norm_backward_elemt': backward,
}


def batch():
    torch.manual_seed(0)
    return torch.randn(6, 3, 4, 4) * 2 + 1, torch.randn(6, 3, 4, 4)


def layer(kind):
    made = kind(3)
    with torch.no_grad():
        made.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
        made.bias.copy_(torch.tensor([1.0, 0.0, -1.0]))
    return made


def train(made, x, slope):
    x = x.clone().requires_grad_()
    out = made(x)
    (out * slope).sum().backward()
    return out.detach(), x.grad


def two_ranks(folder):
    library = torch.library.Library('aten', 'IMPL')
    for name, kernel in KERNELS.items():
        library.impl(name, kernel, 'CPU')
    rank = dist.get_rank()
    # 4 images and 2
    share = slice(0, 4) if rank == 0 else slice(4, 6)
    x, slope = (t[share] for t in batch())
    made = use_sync_free_bn(layer(nn.SyncBatchNorm))
    assert type(made) is SyncFreeSyncBatchNorm
    out, grad = train(made, x, slope)
    weights = [made.weight.grad, made.bias.grad]
    for gradient in weights:
        dist.all_reduce(gradient)
    found = (out, grad, weights, dict(made.named_buffers()))
    torch.save(found, f'{folder}/{rank}.pth')


def test_equals_one_process_with_the_whole_batch(run_ranks, tmp_path):
    run_ranks(two_ranks, 2, tmp_path)
    whole = layer(nn.BatchNorm2d)
    out, grad = train(whole, *batch())
    ranks = [torch.load(tmp_path / f'{rank}.pth') for rank in range(2)]
    close = torch.testing.assert_close
    close(torch.cat([found[0] for found in ranks]), out)
    close(torch.cat([found[1] for found in ranks]), grad)
    for found in ranks:
        close(found[2], [whole.weight.grad, whole.bias.grad])
        close(found[3], dict(whole.named_buffers()))


def test_one_process_is_torchs_own():
    x, slope = batch()
    ours = use_sync_free_bn(layer(nn.SyncBatchNorm)).eval()
    theirs = layer(nn.BatchNorm2d).eval()
    torch.testing.assert_close(train(ours, x, slope), train(theirs, x, slope))
