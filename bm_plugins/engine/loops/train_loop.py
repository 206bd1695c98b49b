"""Training by epochs that goes on where it stopped."""

from collections.abc import Iterable
from itertools import islice

from mmengine.dist import get_rank
from mmengine.runner import EpochBasedTrainLoop
from mmpretrain.registry import LOOPS
from torch import nn

from bm_plugins.datasets.samplers.draw_batch_sampler import (
    DrawBatchSampler,
    seed_generators,
)
from bm_plugins.engine.step_options import start_epoch


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """mmengine's ``EpochBasedTrainLoop``, resumed at the next batch.

    Upstream starts an epoch anew. Here what a step draws in this process
    (mixup, dropout) is a function of (seed, iteration, rank), and a batch one
    of (seed, epoch, position) by ``DrawBatchSampler``, so that a resumed run
    equals one that never stopped. Arguments as upstream; ``MarrowRunner``
    takes this loop for ``train_cfg=dict(by_epoch=True)``.
    """

    def run(self) -> nn.Module:
        """Train from where the checkpoint left off."""
        self.runner.call_hook('before_train')
        if self._iter and self._first_batch() == 0:
            # A kill may have come between the checkpoint and this.
            self._validate()
        if self._iter and self._epoch >= self._max_epochs:
            self.runner.logger.info(
                f'Nothing is left to train: {self._epoch} epochs are done, '
                f'train_cfg.max_epochs is {self._max_epochs}. Raise it to '
                'train for longer.'
            )
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train on what is left of the epoch."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        first = self._first_batch()
        start_epoch(self.runner.optim_wrapper, first, len(self.dataloader))
        for idx, batch in enumerate(self._batches(first), first):
            self.run_iter(idx, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: dict) -> None:
        """Train on one batch; its draws do not depend on those before."""
        seed_generators(self.runner.seed, self._iter, get_rank())
        super().run_iter(idx, data_batch)

    def _first_batch(self) -> int:
        """Batches of this epoch that were there before a resume."""
        return self._iter - self._epoch * len(self.dataloader)

    def _batches(self, first: int) -> Iterable[dict]:
        sampler = self.dataloader.batch_sampler
        if isinstance(sampler, DrawBatchSampler):
            sampler.first_batch = first
            return self.dataloader
        return islice(self.dataloader, first, None)

    def _validate(self) -> None:
        """Validate, if this epoch is one for it."""
        self._decide_current_val_interval()
        last = self._epoch == self._max_epochs
        if (
            self.runner.val_loop is not None
            and self._epoch >= self.val_begin
            and (self._epoch % self.val_interval == 0 or last)
        ):
            self.runner.val_loop.run()
