"""One way of training in a benchmark: its speed, memory and waits."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.hooks import LoggerHook
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain.registry import RUNNERS

from bm_plugins import plugins  # noqa: F401
from bm_plugins.models import GPUViews

MIB = 2**20


class Side:
    """A run that can be continued by turns with others.

    Args:
        cfg (Config): Of the run; its loop is a held one.
        work_dir (Path): For its log.
    """

    def __init__(self, cfg: Config, work_dir: Path) -> None:
        before = memory()
        cfg.work_dir = str(work_dir)
        cfg.experiment_name = work_dir.name
        self.runner: Runner = (
            RUNNERS.build(cfg)
            if 'runner_type' in cfg
            else Runner.from_cfg(cfg)
        )
        self.batch_size = cfg.train_dataloader.batch_size
        self.lead_in = 2 * cfg.train_dataloader.num_workers + 2
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            self.runner.train()
        self.loop = self.runner.train_loop
        self.loop.advance(3)
        synchronise()
        # Of the weights and the optimiser's state, at rest.
        self._own = memory() - before
        self._fixed: tuple[int, dict] | None = None

    def train(self, steps: int) -> None:
        """Train on batches of the data loader."""
        self.loop.advance(steps)

    def compute(self, steps: int) -> None:
        """Train on one batch again and again, which is on the device.

        With ``GPUViews`` it is the files, in memory, whose decoding is the
        device's.
        """
        if self._fixed is None:
            place, batch = self.loop.next_batch()
            preprocess = self.runner.model.data_preprocessor
            inputs = batch['inputs']
            if not isinstance(preprocess, GPUViews):
                inputs = preprocess.cast_data(inputs)
            self._fixed = place, dict(batch, inputs=inputs)
        for _ in range(steps):
            self.loop.run_iter(*self._fixed)

    def turn(self, go: Callable[[int], None], steps: int) -> dict:
        """Time ``steps`` steps of :meth:`train` or :meth:`compute`.

        Batches that workers had ready before are used up first.

        Returns:
            dict: ``images_per_s`` and ``peak_mib``: on a GPU what the run had
            allocated at most, on the CPU the resident memory of the process.
        """
        go(self.lead_in if go == self.train else 2)
        synchronise()
        others = memory() - self._own
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        start = time.perf_counter()
        go(steps)
        synchronise()
        seconds = time.perf_counter() - start
        peak = memory()
        if torch.cuda.is_available():
            peak = torch.cuda.max_memory_allocated() - others
        return dict(
            images_per_s=steps * self.batch_size / seconds,
            peak_mib=peak / MIB,
        )

    def waits(self, steps: int = 10) -> float | None:
        """Waits for the GPU a step, between two logs; None on the CPU."""
        if not torch.cuda.is_available():
            return None
        (interval,) = (
            hook.interval
            for hook in self.runner.hooks
            if isinstance(hook, LoggerHook)
        )
        steps = min(steps, interval - 2)
        place, batch = self.loop.next_batch()
        while place % interval + steps + 2 > interval:
            self.loop.run_iter(place, batch)
            place, batch = self.loop.next_batch()
        self.loop.run_iter(place, batch)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            torch.cuda.set_sync_debug_mode('warn')
            try:
                self.loop.advance(steps)
            finally:
                torch.cuda.set_sync_debug_mode('default')
        # Not torch's own word, once, that the mode is a prototype.
        wait = 'called a synchronizing'
        said = [w for w in caught if wait in str(w.message)]
        return len(said) / steps

    def close(self) -> None:
        """End the workers and give signals back."""
        self.runner.call_hook('after_train')
        self.loop._stream.close()
        self.loop.dataloader._iterator = None


def memory() -> int:
    """Bytes allocated on the GPU, or resident on a machine without."""
    if torch.cuda.is_available():
        return torch.cuda.memory_allocated()
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith('VmRSS'):
            return 1024 * int(line.split()[1])
    return 0


def synchronise() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
