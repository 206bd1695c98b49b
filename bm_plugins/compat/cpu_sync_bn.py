"""Synchronised batch normalisation off the GPU.

Why: ``torch.nn.SyncBatchNorm`` raises on CPU tensors. Falling back to plain
batch normalisation would silently change the statistics; this layer takes
them over all ranks, as on GPUs.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm


class CPUSyncBatchNorm(_BatchNorm):
    """Batch normalisation over all ranks for CPU tensors (N, C, ...).

    Same parameters, buffers and result as :class:`torch.nn.SyncBatchNorm`,
    which DDP refuses on the CPU, so that this is no subclass of it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x`` (N, C, ...) over N and all ranks."""
        if not self.training or not dist.is_initialized():
            return nn.functional.batch_norm(
                x,
                self.running_mean,
                self.running_var,
                self.weight,
                self.bias,
                self.training,
                self.momentum,
                self.eps,
            )
        dims = [d for d in range(x.dim()) if d != 1]
        count = x.new_full((1,), x.numel() / x.size(1))
        total = all_reduce(torch.cat([x.sum(dims), count]))
        mean = total[:-1] / total[-1]
        shape = [1, -1] + [1] * (x.dim() - 2)
        centred = x - mean.view(shape)
        # Two passes: E[x^2] - E[x]^2 cancels in float32.
        var = all_reduce(centred.square().sum(dims)) / total[-1]
        if self.track_running_stats:
            self._update_statistics(mean.detach(), var.detach(), total[-1])
        scale = (var + self.eps).rsqrt()
        if self.affine:
            scale = scale * self.weight
        out = centred * scale.view(shape)
        return out + self.bias.view(shape) if self.affine else out

    def _update_statistics(self, mean: Tensor, var: Tensor, n: Tensor) -> None:
        self.num_batches_tracked += 1
        momentum = self.momentum
        if momentum is None:
            momentum = 1 / float(self.num_batches_tracked)
        n = n.detach()
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(var * n / (n - 1).clamp(min=1), momentum)


def use_cpu_sync_bn(model: nn.Module) -> nn.Module:
    """Let every SyncBN layer of ``model`` work on the CPU, in place."""
    for module in model.modules():
        if isinstance(module, nn.SyncBatchNorm):
            # Same state and arguments: only forward differs.
            module.__class__ = CPUSyncBatchNorm
    return model
