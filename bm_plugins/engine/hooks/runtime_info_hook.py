"""Losses that are read from the device where the log needs them."""

from typing import Any

import torch
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch import Tensor


@HOOKS.register_module()
class SyncFreeRuntimeInfoHook(RuntimeInfoHook):
    """mmengine's ``RuntimeInfoHook`` that lets the device run.

    Upstream reads each loss in each iteration, for which the host waits until
    the device is done. Here they stay there until ``LoggerHook`` logs, an
    epoch or the training ends, or a checkpoint is saved; then all are read in
    one copy. The history, and so the log's means, are upstream's.
    """

    def before_train(self, runner: Runner) -> None:
        """Find out how often the log is written."""
        super().before_train(runner)
        self._unread: list[tuple[str, Tensor]] = []
        self._intervals = {
            h.interval for h in runner.hooks if isinstance(h, LoggerHook)
        }

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Keep the losses; read all, where the log is about to."""
        for key, value in (outputs or {}).items():
            if isinstance(value, Tensor):
                # Without the graph, which would keep the step's memory.
                self._unread.append((key, value.detach().reshape(())))
            else:
                runner.message_hub.update_scalar(f'train/{key}', value)
        if self.end_of_epoch(runner.train_dataloader, batch_idx) or any(
            self.every_n_inner_iters(batch_idx, n) for n in self._intervals
        ):
            self._read(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Let the checkpoint have the whole history."""
        if getattr(self, '_unread', None):
            self._read(runner)
            checkpoint['message_hub'] = runner.message_hub.state_dict()

    def after_train(self, runner: Runner) -> None:
        """Read what is left."""
        self._read(runner)
        super().after_train(runner)

    def _read(self, runner: Runner) -> None:
        """Wait for the device, once."""
        if not self._unread:
            return
        values = torch.stack([value.double() for _, value in self._unread])
        for (key, _), value in zip(self._unread, values.tolist(), strict=True):
            runner.message_hub.update_scalar(f'train/{key}', value)
        self._unread = []
