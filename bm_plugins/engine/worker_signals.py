"""Data loader workers that outlive a preemption signal."""

import os
import signal
from collections.abc import Callable
from functools import partial
from threading import Thread

from torch.utils.data import DataLoader


def let_workers_outlive_sigterm(dataloader: DataLoader) -> DataLoader:
    """Let the loader's workers end by SIGTERM of their parent alone.

    Slurm signals every process of a step. A worker that ends by it would
    take the training process with it before that can save.

    Args:
        dataloader (DataLoader): Changed in place.
    """
    dataloader.worker_init_fn = partial(_init, dataloader.worker_init_fn)
    return dataloader


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
