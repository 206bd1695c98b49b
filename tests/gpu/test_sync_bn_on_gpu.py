"""torch's own kernels, in two processes on one GPU."""

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from bm_plugins.compat.gpu_sync_bn import use_sync_free_bn
from tests.compat.test_gpu_sync_bn import batch, layer, train


def two_ranks(rank, folder):
    dist.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    # 4 images and 2
    share = slice(0, 4) if rank == 0 else slice(4, 6)
    x, slope = (t[share].cuda() for t in batch())
    made = use_sync_free_bn(layer(nn.SyncBatchNorm).cuda())
    out, grad = train(made, x, slope)
    weights = [made.weight.grad, made.bias.grad]
    for gradient in weights:
        dist.all_reduce(gradient)
    buffers = {k: v.cpu() for k, v in made.named_buffers()}
    found = out.cpu(), grad.cpu(), [w.cpu() for w in weights], buffers
    torch.save(found, f'{folder}/{rank}.pth')
    dist.destroy_process_group()


def test_equals_one_process_with_the_whole_batch(tmp_path):
    mp.spawn(two_ranks, (tmp_path,), nprocs=2)
    whole = layer(nn.BatchNorm2d)
    out, grad = train(whole, *batch())
    ranks = [torch.load(tmp_path / f'{rank}.pth') for rank in range(2)]
    close = torch.testing.assert_close
    close(torch.cat([found[0] for found in ranks]), out)
    close(torch.cat([found[1] for found in ranks]), grad)
    for found in ranks:
        close(found[2], [whole.weight.grad, whole.bias.grad])
        close(found[3], dict(whole.named_buffers()))
