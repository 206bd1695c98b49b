"""Training loops that go on by as many steps as they are told."""

from collections.abc import Iterator

import torch
from mmengine.dataset import DefaultSampler
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmpretrain.registry import DATA_SAMPLERS, LOOPS
from torch import nn

from bm_plugins.engine import ResumableTrainLoop


class _Held:
    """A loop whose ``run`` prepares, and whose ``advance`` trains."""

    runner: Runner

    def run(self) -> nn.Module:
        """Prepare."""
        self.runner.call_hook('before_train')
        self._stream = self._batches_for_ever()
        return self.runner.model

    def _batches_for_ever(self) -> Iterator[tuple[int, dict]]:
        while True:
            self.runner.call_hook('before_train_epoch')
            self.runner.model.train()
            yield from enumerate(self.dataloader)
            self.runner.call_hook('after_train_epoch')
            self._epoch += 1

    def next_batch(self) -> tuple[int, dict]:
        """The next of the data loader, and its place in the epoch."""
        return next(self._stream)

    def advance(self, steps: int) -> None:
        """Load and train on batches, with all hooks."""
        for _ in range(steps):
            self.run_iter(*self.next_batch())


@LOOPS.register_module()
class HeldTrainLoop(_Held, ResumableTrainLoop):
    """Ours."""


@LOOPS.register_module()
class HeldStockTrainLoop(_Held, EpochBasedTrainLoop):
    """mmengine's."""


@DATA_SAMPLERS.register_module()
class RepeatedSampler(DefaultSampler):
    """An epoch as of a collection so many times as large.

    Args:
        dataset (Sized): The data set.
        times (int): How many shuffled passes make an epoch. Defaults to 1000.
        **kwargs: As for mmengine's ``DefaultSampler``.
    """

    def __init__(self, dataset, times: int = 1000, **kwargs) -> None:
        super().__init__(dataset, **kwargs)
        self.times = times
        self._once = self.num_samples
        self.num_samples *= times

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        for _ in range(self.times):
            order = torch.randperm(len(self.dataset), generator=generator)
            whole = order.repeat(2)[: self._once * self.world_size]
            yield from whole[self.rank :: self.world_size].tolist()
