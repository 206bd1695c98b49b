"""Checkpoints of which one always loads."""

import os
from pathlib import Path

from mmengine.dist import is_main_process, master_only
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from bm_plugins.engine.step_options import accumulated
from bm_plugins.errors import InputError
from bm_plugins.utils.files import atomic_write

INTERRUPTED = 'interrupted.pth'


@master_only
def save_and_name(runner: Runner, folder: str, name: str, **kwargs) -> None:
    """Save a checkpoint; once it is there, ``last_checkpoint`` names it.

    As ``Runner.save_checkpoint``.
    """
    runner.save_checkpoint(folder, name, **kwargs)
    with atomic_write(Path(runner.work_dir, 'last_checkpoint')) as partial:
        partial.write_text(os.path.join(folder, name))


def last_good(work_dir: str) -> str:
    """A sentence that names the checkpoint to go back to."""
    try:
        name = Path(work_dir, 'last_checkpoint').read_text()
    except FileNotFoundError:
        return 'No checkpoint was saved before.'
    return f'The last good checkpoint is {name}.'


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook`` that outlives a kill at any moment.

    Upstream deletes the oldest checkpoint before it writes the new one. Here
    the new one is whole on the disk and ``last_checkpoint`` names it before
    an old one goes, the best one too. Arguments as upstream.
    """

    def before_train(self, runner: Runner) -> None:
        """Remove what a kill left half written.

        Raises:
            InputError: A checkpoint would come amid an accumulation, whose
                gradients it does not hold.
        """
        super().before_train(runner)
        steps = accumulated(runner.optim_wrapper)
        length = len(runner.train_dataloader)
        if not self.by_epoch and (self.interval % steps or length % steps):
            raise InputError(
                f'default_hooks.checkpoint.interval={self.interval} and the '
                f'{length} batches of an epoch must be multiples of '
                f'optim_wrapper.accumulative_counts={steps}, or a resumed run '
                'would lack gradients. Choose such numbers, or save by epoch '
                '(default_hooks.checkpoint.by_epoch=True).'
            )
        if is_main_process():
            for partial in Path(self.out_dir).glob('*.pth.partial'):
                partial.unlink()

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict
    ) -> None:
        kept = []
        if self.max_keep_ckpts > 0:
            kept = [*runner.message_hub.runtime_info.get('keep_ckpt_ids', [])]
            if step not in kept:
                kept.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', kept)
        name = self.filename_tmpl.format(step)
        self.last_ckpt = os.path.join(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        save_and_name(
            runner,
            self.out_dir,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        old = [Path(runner.work_dir, INTERRUPTED)]
        while len(kept) > self.max_keep_ckpts > 0:
            outdated = self.filename_tmpl.format(kept.pop(0))
            old.append(Path(self.out_dir, outdated))
        if is_main_process():
            for file in old:
                file.unlink(missing_ok=True)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        if not self.save_best:
            return
        info = runner.message_hub.runtime_info
        alone = len(self.key_indicators) == 1
        keys = (
            ['best_ckpt']
            if alone
            else [f'best_ckpt_{key}' for key in self.key_indicators]
        )
        before = [info.get(key) for key in keys]
        # Upstream removes those it knows before it writes.
        self._set_best(alone, [None] * len(keys))
        super()._save_best_checkpoint(runner, metrics)
        after = [info.get(key) for key in keys]
        self._set_best(alone, after)
        if is_main_process():
            for old, new in zip(before, after, strict=True):
                if old and old != new:
                    Path(old).unlink(missing_ok=True)

    def _set_best(self, alone: bool, paths: list[str | None]) -> None:
        if alone:
            self.best_ckpt_path = paths[0]
        else:
            self.best_ckpt_path_dict = dict(
                zip(self.key_indicators, paths, strict=True)
            )
