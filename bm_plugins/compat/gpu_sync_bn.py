"""Synchronised batch normalisation that does not wait for the GPU.

Why: ``torch.nn.SyncBatchNorm`` drops the statistics of ranks without input,
for which the host has to know how many there are: it waits for the device in
each layer of each forward pass (pytorch/pytorch#78549). No rank trains on an
empty batch here, so that none is dropped.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules._functions import SyncBatchNorm as TorchFunction


class _SyncFree(TorchFunction):
    """torch's function; its backward pass waits for nothing."""

    @staticmethod
    def forward(
        ctx,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        running_mean: Tensor,
        running_var: Tensor,
        eps: float,
        momentum: float,
        process_group: dist.ProcessGroup,
        world_size: int,
    ) -> Tensor:
        if not x.is_contiguous(memory_format=torch.channels_last):
            x = x.contiguous()
        if weight is not None:
            weight = weight.contiguous()
        mean, invstd = torch.batch_norm_stats(x, eps)
        count = mean.new_full((1,), x.numel() // x.size(1))
        own = torch.cat([mean, invstd, count])
        everyone = own.new_empty(world_size, len(own))
        if dist.get_backend(process_group) == 'gloo':
            dist.all_gather([*everyone], own, process_group)
        else:
            dist.all_gather_into_tensor(everyone, own[None], process_group)
        means, invstds, counts = everyone.split(x.size(1), dim=1)
        mean, invstd = torch.batch_norm_gather_stats_with_counts(
            x,
            means.contiguous(),
            invstds.contiguous(),
            running_mean,
            running_var,
            momentum,
            eps,
            counts.contiguous().view(-1).to(running_mean.dtype),
        )
        ctx.save_for_backward(x, weight, mean, invstd, counts.to(torch.int32))
        ctx.process_group = process_group
        return torch.batch_norm_elemt(x, weight, bias, mean, invstd, eps)


class SyncFreeSyncBatchNorm(nn.SyncBatchNorm):
    """:class:`torch.nn.SyncBatchNorm` for batches that no rank has empty."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x`` (N, C, ...) over N and all ranks."""
        group = self.process_group or dist.group.WORLD
        if (
            not self.training
            or not self.track_running_stats
            or self.momentum is None
            or group is None
            or dist.get_world_size(group) == 1
        ):
            return super().forward(x)
        self.num_batches_tracked.add_(1)
        return _SyncFree.apply(
            x,
            self.weight,
            self.bias,
            self.running_mean,
            self.running_var,
            self.eps,
            self.momentum,
            group,
            dist.get_world_size(group),
        )


def use_sync_free_bn(model: nn.Module) -> nn.Module:
    """Let no SyncBN layer of ``model`` wait for the GPU, in place."""
    for module in model.modules():
        if type(module) is nn.SyncBatchNorm:
            # Same state and arguments: only forward differs.
            module.__class__ = SyncFreeSyncBatchNorm
    return model
