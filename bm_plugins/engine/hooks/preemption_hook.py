"""A checkpoint and an early end when the machine is wanted back."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from functools import partial
from multiprocessing.context import ForkContext, ForkProcess
from threading import Thread
from typing import Any

import torch
import torch.distributed as dist
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch.utils.data import DataLoader

from bm_plugins.engine.step_options import is_amid
from bm_plugins.errors import Preempted

from .checkpoint_hook import INTERRUPTED, save_and_name


@HOOKS.register_module()
class PreemptionHook(Hook):
    """On SIGTERM save after the current step, and end with status 75.

    75 (EX_TEMPFAIL of sysexits.h) says "try again": Slurm requeues on it by
    ``RequeueExit=75``. The checkpoint, ``interrupted.pth``, is the one that
    ``--resume`` takes, at the next batch; the next regular one replaces it.
    The ranks agree on the step a step later, over gloo and in the background,
    so that a step waits for nothing.
    """

    # After the schedulers' step and regular checkpoints.
    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Take over SIGTERM."""
        self._signalled = False
        self._pending = None
        self._group = None
        if runner.distributed:
            self._group = dist.new_group(backend='gloo')
        # None where other than Python had set it.
        previous = signal.signal(signal.SIGTERM, self._note)
        self._previous = previous or signal.SIG_DFL

    def _note(self, *_: Any) -> None:
        self._signalled = True

    def after_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        """Save and end, if a rank was signalled.

        Raises:
            Preempted: All ranks have come here and the checkpoint is there.
        """
        # No checkpoint holds the gradients of half an accumulation.
        if not self._any_signalled() or is_amid(runner.optim_wrapper):
            return
        meta = dict(epoch=runner.epoch, iter=runner.iter + 1)
        save_and_name(
            runner, runner.work_dir, INTERRUPTED, meta=meta, by_epoch=False
        )
        if self._group is not None:
            self._pending.wait()
            dist.barrier(self._group)  # the first to end ends all
        signal.signal(signal.SIGTERM, self._previous)
        raise Preempted(
            f'stopped by SIGTERM after iteration {runner.iter + 1}; saved '
            f'{os.path.join(runner.work_dir, INTERRUPTED)}, from which '
            '--resume goes on.'
        )

    def _any_signalled(self) -> bool:
        """Whether any rank was, by the step before."""
        if self._group is None:
            return self._signalled
        stop = False
        if self._pending is not None:
            self._pending.wait()
            stop = bool(self._flag)
        self._flag = torch.tensor(int(self._signalled))
        self._pending = dist.all_reduce(
            self._flag, dist.ReduceOp.MAX, self._group, async_op=True
        )
        return stop

    def after_train(self, runner: Runner) -> None:
        """Give SIGTERM back."""
        if self._pending is not None:
            self._pending.wait()
        signal.signal(signal.SIGTERM, self._previous)


def let_workers_outlive_sigterm(dataloader: DataLoader) -> DataLoader:
    """Let a loader's workers end by SIGTERM of their parent alone.

    Slurm signals every process of a step. A worker that ends by it would
    take the training process with it before that can save.
    """
    dataloader.worker_init_fn = partial(_init, dataloader.worker_init_fn)
    forks = multiprocessing.get_start_method() == 'fork'
    if forks and dataloader.num_workers:
        dataloader.multiprocessing_context = (
            dataloader.multiprocessing_context or _Fork()
        )
    return dataloader


class _Spared(ForkProcess):
    def start(self) -> None:
        """Start with SIGTERM blocked: one may come before ``_init``."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Fork(ForkContext):
    Process = _Spared


def _init(inner: Callable | None, worker_id: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    Thread(target=_end_with_parent, daemon=True).start()
    if inner is not None:
        inner(worker_id)


def _end_with_parent() -> None:
    while True:
        info = signal.sigwaitinfo({signal.SIGTERM})
        if info.si_pid == os.getppid():
            os._exit(0)
