"""Figures of SwAV's health, gathered on the device step by step."""

import math
from dataclasses import dataclass

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from bm_plugins.models import GlobalSwAVLoss


@dataclass
class SwAVHealth:
    """Figures of all ranks since the window began.

    Attributes:
        loss (float): Mean loss of a step; nan where one of them was.
        ln_k_share (float): The loss over ln K, that of a uniform guess.
        spread (float): Standard deviation of the unit embeddings, mean over
            the D dimensions, times the root of D: 1 where they fill the
            sphere evenly, 0 where all are the same (SimSiam,
            arXiv:2011.10566, section 4.1).
        usage_entropy (float or None): Entropy of the shares of embeddings
            that are nearest to each prototype, over ln K: 1 where all are
            used equally. None where too few were seen.
        dead_prototypes (float or None): Share of prototypes that no embedding
            is nearest to.
    """

    loss: float
    ln_k_share: float
    spread: float
    usage_entropy: float | None
    dead_prototypes: float | None


class SwAVWindow:
    """Sums over steps, read once in a while.

    Args:
        loss (GlobalSwAVLoss): The loss to watch, by a forward hook.
        min_embeddings (int): Embeddings a prototype, over all ranks, that
            its use is judged by. Defaults to 10.
    """

    def __init__(self, loss: GlobalSwAVLoss, min_embeddings: int = 10) -> None:
        self.num_prototypes, self.dim = loss.prototypes.weight.shape
        self.min_embeddings = min_embeddings
        self._sums = self._usage = None
        loss.register_forward_hook(self._add)

    @torch.no_grad()
    def _add(
        self, loss: GlobalSwAVLoss, inputs: tuple[Tensor], output: Tensor
    ) -> None:
        """Add a step without waiting for the device."""
        if not loss.training:
            return
        x = inputs[0].detach().float()
        nearest = (x @ loss.prototypes.weight.float().t()).argmax(1)
        if self._sums is None:
            self._sums = x.new_zeros(1 + 2 * self.dim, dtype=torch.float64)
            self._steps = self._count = 0
        if self._usage is None:
            self._usage = x.new_zeros(self.num_prototypes, dtype=torch.float64)
        ones = torch.ones_like(nearest, dtype=torch.float64)
        self._usage.index_add_(0, nearest, ones)
        self._steps += 1  # numbers of the host: no copy to the device
        self._count += len(x)
        x = x.double()
        step = [output.detach().double().view(1), x.sum(0), x.square().sum(0)]
        self._sums += torch.cat(step)

    def read(self) -> SwAVHealth | None:
        """The figures of all ranks, and a new window; the one wait.

        Returns:
            SwAVHealth or None: None where no step was made.
        """
        if self._sums is None:
            return None
        host = self._sums.new_tensor([self._steps, self._count])
        packed = torch.cat([host, self._sums, self._usage])
        all_reduce(packed)
        sizes = [3, 2 * self.dim, self.num_prototypes]
        totals, moments, usage = packed.cpu().split(sizes)
        steps, count, loss = totals.tolist()
        mean, square = (moments / count).chunk(2)
        variance = (square - mean.square()).clamp(min=0)
        ln_k = math.log(self.num_prototypes)
        entropy = dead = None
        if usage.sum() >= self.min_embeddings * self.num_prototypes:
            shares = usage / usage.sum()
            entropy = torch.special.entr(shares).sum().item() / ln_k
            dead = (usage == 0).double().mean().item()
            self._usage = None
        self._sums = None
        return SwAVHealth(
            loss=loss / steps,
            ln_k_share=loss / steps / ln_k,
            spread=variance.sqrt().mean().item() * math.sqrt(self.dim),
            usage_entropy=entropy,
            dead_prototypes=dead,
        )
