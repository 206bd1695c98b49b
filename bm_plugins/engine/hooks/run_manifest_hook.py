"""A run's manifest beside its results."""

import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch.utils.data import DataLoader

from bm_plugins.errors import InputError
from bm_plugins.utils.files import atomic_write
from bm_plugins.utils.run_manifest import (
    config_facts,
    data_facts,
    file_facts,
    write_run_manifest,
)


@HOOKS.register_module()
class RunManifestHook(Hook):
    """Write ``run.json`` when a training or test starts, and when it ends.

    Into the run's own folder (``<work_dir>/<time>``) and, as
    ``run_train.json`` or ``run_test.json``, into the work folder beside
    checkpoints and reports. ``ended`` is null while it runs, and stays so
    where it did not come to its end. See :func:`write_run_manifest`.
    """

    def before_run(self, runner: Runner) -> None:
        """Note the time."""
        self.started = datetime.now(timezone.utc)

    def before_train(self, runner: Runner) -> None:
        """Write what the training is made of."""
        self._write(runner, 'train', finished=False)

    def after_train(self, runner: Runner) -> None:
        """Write that it ended."""
        self._end(runner, 'train')

    def before_test(self, runner: Runner) -> None:
        """Write what the test is made of."""
        self._write(runner, 'test', finished=False)

    def after_test(self, runner: Runner) -> None:
        """Write that it ended, and how a linear classifier was fitted."""
        classifier = getattr(runner.test_loop, 'classifier', None)
        if classifier and is_main_process():
            self.facts['classifier'] = classifier
        self._end(runner, 'test')

    def _end(self, runner: Runner, job: str) -> None:
        # A full disk no longer fails what is done.
        try:
            self._write(runner, job)
        except InputError as error:
            runner.logger.warning(error)

    def _write(self, runner: Runner, job: str, finished: bool = True) -> None:
        if not is_main_process():
            return
        if not finished:
            self.facts = _facts(runner, job)
        file = write_run_manifest(
            runner.log_dir,
            started=self.started,
            finished=finished,
            job=job,
            **self.facts,
        )
        copy = Path(runner.work_dir, f'run_{job}.json')
        with atomic_write(copy) as partial:
            shutil.copy(file, partial)


def _facts(runner: Runner, job: str) -> dict[str, Any]:
    """Config, data, seed and the checkpoint that it starts from."""
    given = getattr(runner, 'resumed_from', None) or runner._load_from
    known = given is not None and Path(given).is_file()  # or a URL
    return dict(
        config=config_facts(runner.cfg),
        data={k: data_facts(v) for k, v in _datasets(runner, job).items()},
        seeds=dict(seed=runner.seed, deterministic=bool(runner.deterministic)),
        checkpoint=file_facts([given])[0] if known else given,
    )


def _datasets(runner: Runner, job: str) -> dict[str, Any]:
    """Data sets of the loops; a loop may have one to learn from, too."""
    loop = runner.train_loop if job == 'train' else runner.test_loop
    loaders = {job: loop.dataloader}
    fitted = getattr(loop, 'train_dataloader', None)
    if isinstance(fitted, DataLoader):
        loaders['fitted on'] = fitted
    validated = runner.val_loop if job == 'train' else None
    if validated is not None:
        loaders['val'] = validated.dataloader
    return {name: loader.dataset for name, loader in loaders.items()}
