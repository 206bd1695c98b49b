"""LARS that never waits for the device."""

from collections.abc import Callable

import torch
from mmpretrain.engine.optimizers import LARS
from mmpretrain.registry import OPTIMIZERS
from torch import Tensor


@OPTIMIZERS.register_module()
class SyncFreeLARS(LARS):
    """mmpretrain's ``LARS`` with its rates computed on the device.

    Layer-wise adaptive rate scaling, You et al. 2017 (arXiv:1708.03888),
    algorithm 1. Upstream reads two norms of every parameter to the host in
    every step, and the host waits for each. Here they stay on the device.
    Arguments, groups (``lars_exclude=True`` for plain SGD) and state are
    upstream's, so that each goes on from the other's checkpoints; the
    weights are upstream's to float precision.
    """

    @torch.no_grad()
    def step(self, closure: Callable | None = None) -> Tensor | None:
        """Update the parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group['params'] if p.grad is not None]
            if params:
                self._step(params, group)
        return loss

    def _step(self, params: list[Tensor], group: dict) -> None:
        grads = [p.grad for p in params]
        rates = self._rates(params, grads, group)
        updates = torch._foreach_add(
            grads, params, alpha=group['weight_decay']
        )
        torch._foreach_mul_(updates, rates)
        if group['momentum'] != 0:
            updates = self._with_momentum(params, updates, group)
        torch._foreach_sub_(params, updates)

    def _rates(
        self, params: list[Tensor], grads: list[Tensor], group: dict
    ) -> float | tuple[Tensor, ...]:
        """A number for all, or scalars on the device, one a parameter."""
        if group.get('lars_exclude', False):
            return group['lr']
        # In float64, as upstream's Python numbers.
        weight, grad = (
            torch.stack(torch._foreach_norm(tensors)).double()
            for tensors in (params, grads)
        )
        local = group['eta'] * weight
        local = local / (grad + group['weight_decay'] * weight + self.eps)
        # Not torch.where, which copies the 1 to the device and waits.
        local = local.masked_fill((weight == 0) | (grad == 0), 1.0)
        return (local * group['lr']).unbind()

    def _with_momentum(
        self, params: list[Tensor], updates: list[Tensor], group: dict
    ) -> list[Tensor]:
        known = [i for i, p in enumerate(params) if self.state[p]]
        old = [self.state[params[i]]['momentum_buffer'] for i in known]
        if old:
            torch._foreach_mul_(old, group['momentum'])
            torch._foreach_add_(
                old,
                [updates[i] for i in known],
                alpha=1 - group['dampening'],
            )
        for i in set(range(len(params))) - {*known}:
            self.state[params[i]]['momentum_buffer'] = updates[i].clone()
        buffers = [self.state[p]['momentum_buffer'] for p in params]
        if not group['nesterov']:
            return buffers
        return torch._foreach_add(updates, buffers, alpha=group['momentum'])
