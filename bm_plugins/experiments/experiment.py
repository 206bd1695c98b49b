"""Train, test and keep the figures, through the launch scripts."""

import json
import os
import re
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction
from mmpretrain.registry import MODELS

from bm_plugins import plugins  # noqa: F401
from bm_plugins.compat.quiet_logs import warnings_only
from bm_plugins.datasets.class_set import check_classes
from bm_plugins.engine.config_check import check_config, check_option
from bm_plugins.errors import InputError
from bm_plugins.utils.files import atomic_write, make_folder
from bm_plugins.utils.progress import duration, next_line

EVERY = 30.0  # seconds between words of what goes on, at least
_STEP = re.compile(
    r'(?:Epoch|Iter)\(\w+\) *(?:\[ *\d+(?:/ *\d+)?\])+'
    r'|Fitting: \d+ of \d+ fits'
)
LINEAR = ('linear_bm.py', 'linear_tiny_bm.py', 'linear_r18_bm.py')
LINEAR += ('linear_lite_bm.py',)


@dataclass(frozen=True)
class Experiment:
    """A training and the test that follows.

    Attributes:
        root (Path): The project's folder, with ``tools/`` and ``configs/``.
        train (str or None): Config to train; None for the untrained baseline,
            or where the linear evaluation names its weights.
        test (str): Config to test with: the same, or a linear evaluation.
        processes (int): GPUs, or processes without any.
        options (Sequence[str]): ``key=value`` of the training.
        test_options (Sequence[str]): ``key=value`` of the test.
        env (Mapping[str, str]): Environment variables, as ``BM_FOLD``.
    """

    root: Path
    train: str | None
    test: str
    processes: int
    options: Sequence[str] = ()
    test_options: Sequence[str] = ()
    env: Mapping[str, str] | None = None

    def run(self, folder: Path, pretrained: Path | None = None) -> Path:
        """Do what is not done yet.

        Args:
            folder (Path): Gets ``train`` and ``test``. What is finished there
                is kept, what was cut off is resumed.
            pretrained (Path, optional): A finished training's folder, to test
                instead of training.

        Raises:
            InputError: A step failed, or the folder holds another
                experiment.
        """
        self._claim(folder, pretrained)
        test = folder / 'test'
        if (test / 'predictions.csv').is_file():  # the last that is written
            print(f'{test} is finished.', flush=True)
            return test
        checkpoint, options = 'none', list(self.test_options)
        if pretrained:
            checkpoint = chosen_checkpoint(pretrained)
        elif self.train:
            checkpoint = chosen_checkpoint(self.run_training(folder))
        elif not own_weights(read_config(self.root / self.test)):
            options.append('load_from=None')
        self._launch(
            ['tools/dist_test.sh', self.test, str(checkpoint)], test, options
        )
        return test

    def run_training(self, folder: Path) -> Path:
        """Train, or go on with it; returns its folder."""
        self._claim(folder, None)
        trained = folder / 'train'
        self._launch(
            ['tools/dist_train.sh', self.train],
            trained,
            self.options,
            '--resume',
        )
        return trained

    def _launch(
        self,
        command: list[str],
        folder: Path,
        options: Sequence[str],
        *flags: str,
    ) -> None:
        make_folder(folder)
        command = [*command, str(self.processes), '--work-dir', str(folder)]
        command += flags
        if options:
            command += ['--cfg-options', *options]
        print('$ ' + ' '.join(command), flush=True)
        log = folder / 'output.log'
        env = {'PYTHON': sys.executable, **(self.env or {})}
        status = run_child(command, self.root, env, log)
        if status:
            said = [
                line
                for line in log.read_text(errors='replace').splitlines()
                if line.startswith('error: ')
            ]
            reason = said[-1].removeprefix('error: ') if said else ''
            raise InputError(
                f'{" ".join(command[:2])} ended with status {status}. '
                f'{reason} See {log}; what is finished is kept, the same '
                'command goes on from there.'
            )

    def _claim(self, folder: Path, pretrained: Path | None) -> None:
        """Refuse a folder of other settings."""
        claim(
            folder,
            train=self._digest(self.train),
            test=self._digest(self.test),
            options=list(self.options),
            test_options=list(self.test_options),
            env=dict(self.env or {}),
            manifest=self._manifest_digest(),
            pretrained=str(pretrained) if pretrained else None,
        )

    def _digest(self, config: str | None) -> str | None:
        """A config's name and the hash of all that it says."""
        if config is None:
            return None
        text = read_config(self.root / config).pretty_text
        digest = sha256(text.encode()).hexdigest()
        return f'{Path(config).name} {digest[:16]}'

    def _manifest_digest(self) -> str | None:
        """The hash of the test data's manifest, from which the parts come."""
        cfg = read_config(self.root / self.test, self.test_options)
        dataset = cfg.test_dataloader.dataset
        file = Path(dataset.data_root, dataset.get('ann_file', 'split.csv'))
        if not file.is_file():  # the run itself says so
            return None
        return sha256(file.read_bytes()).hexdigest()[:16]


def claim(folder: Path, **settings: Any) -> None:
    """Note in a new folder what its run is of.

    Raises:
        InputError: The folder holds a run of other settings.
    """
    file = make_folder(folder) / 'experiment.json'
    if not file.is_file():
        with atomic_write(file) as partial:
            partial.write_text(json.dumps(settings, indent=2) + '\n')
        return
    before = json.loads(file.read_text())
    wrong = [k for k, v in settings.items() if before.get(k) != v]
    if wrong:
        raise InputError(
            f'{folder} holds an experiment that differs in '
            f'{", ".join(wrong)}. Name another folder, or remove that one.'
        )


def run_child(
    command: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    log: Path | None = None,
) -> int:
    """Run a command; what interrupts this process ends it, too.

    Args:
        command (Sequence[str]): Program and arguments.
        folder (Path): Where to run it.
        env (Mapping[str, str]): Environment variables beside this process's.
        log (Path, optional): Gets its output; this process then says now and
            then how far it is. Defaults to None: the output goes where this
            process's does.
    """
    with ExitStack() as stack:
        streams, seen = {}, 0
        if log:
            print(f'  its output: {log}', flush=True)
            stream = stack.enter_context(open(log, 'ab'))
            streams = dict(stdout=stream, stderr=subprocess.STDOUT)
            seen = stream.tell()
        start = time.monotonic()
        process = stack.enter_context(
            subprocess.Popen(
                command, cwd=folder, env={**os.environ, **env}, **streams
            )
        )
        try:
            due = next_line(0, EVERY) if log else None
            while True:
                passed = time.monotonic() - start
                try:
                    status = process.wait(due and max(due - passed, 0.01))
                except subprocess.TimeoutExpired:
                    passed = time.monotonic() - start
                    due = next_line(passed, EVERY)
                    said = f'  {duration(passed)} {last_step(log, seen)}'
                    print(said.rstrip(), flush=True)
                else:
                    break
        except BaseException:
            process.terminate()  # a training saves where it is
            process.wait()
            raise
        if log:
            took = duration(time.monotonic() - start)
            print(f'  ended after {took}', flush=True)
    return status


def last_step(log: Path, start: int = 0) -> str:
    """The last step that a log speaks of, as ``'Epoch(train) [3][10/18]'``.

    ``start`` is the bytes to pass over, of an earlier run.
    """
    with open(log, 'rb') as stream:
        stream.seek(max(start, log.stat().st_size - 2**14))
        text = stream.read().decode(errors='replace')
    steps = _STEP.findall(text)
    return ' '.join(steps[-1].split()) if steps else ''


def chosen_checkpoint(trained: Path) -> Path:
    """The checkpoint of a training's folder that counts.

    The best one where the config chooses by validation, else the last.
    """
    best = sorted(trained.glob('best_*.pth'), key=lambda f: f.stat().st_mtime)
    if best:
        return best[-1]
    last = Path((trained / 'last_checkpoint').read_text().strip())
    return trained / last.name  # wherever the folder has been moved


def linear_config(root: Path, config: str) -> str:
    """The config that tests what ``config`` trains, relative to ``root``.

    It itself where it has a test, else the linear evaluation of its backbone.

    Raises:
        InputError: No linear evaluation here has that backbone.
    """
    cfg = read_config(root / config)
    if cfg.get('test_dataloader'):
        return config
    shapes = _backbone_shapes(cfg)
    for name in LINEAR:
        try:
            other = read_config(root / 'configs' / name)
        except InputError:  # its weights are not installed
            continue
        if _backbone_shapes(other) == shapes:
            return f'configs/{name}'
    raise InputError(
        f'{config} has no test part, and none of {", ".join(LINEAR)} has its '
        'backbone: name a linear evaluation config by --linear.'
    )


def own_weights(cfg: Config) -> str | None:
    """The weights that a linear evaluation names itself, as ImageNet's."""
    fits = (cfg.get('test_cfg') or {}).get('type') == 'LinearProbeLoop'
    return cfg.get('load_from') if fits else None


def read_config(file: Path, options: Sequence[str] = ()) -> Config:
    """A config, read without a word, its ``class_set`` where it belongs.

    Args:
        file (Path): The config.
        options (Sequence[str]): ``key=value``, as for ``--cfg-options``.

    Raises:
        InputError: It does not exist, a module of its custom_imports does
            not, a variable that it reads has a value that it cannot take, or
            an option has no value or a key that leads to nothing.
    """
    if not file.is_file():
        raise InputError(
            f'config {file} does not exist; see the configs folder.'
        )
    check_environment()
    try:
        with warnings_only():
            cfg = Config.fromfile(file)
    except ImportError as error:
        raise InputError(
            f'config {file}: its custom_imports cannot be imported '
            f'({error.__cause__ or error}). Put the folder above these '
            'modules into PYTHONPATH.'
        ) from error
    if 'class_set' in cfg:
        spread_classes([*cfg.values()], cfg.class_set)
    set_options(cfg, options)
    return cfg


def check_environment() -> None:
    """Refuse values that mmengine cannot put into a config's text."""
    for name in [key for key in os.environ if key.startswith('BM_')]:
        value = os.environ[name]
        if not value:  # unset, as in any shell script
            del os.environ[name]
        elif set(value) & set('\'"\\\n'):
            raise InputError(
                f'{name}={value} holds a quote, backslash or line end, which '
                'a config cannot take. Rename the folder or link to it.'
            )


def spread_classes(part: Any, class_set: Mapping[str, Any]) -> None:
    """Tell all that has classes of another class set.

    Args:
        part (Any): A config or part of one; is changed. Each data set gets
            the ``metainfo``, each ``num_classes`` the number.
        class_set (Mapping[str, Any]): ``classes`` and perhaps ``full_names``.

    Raises:
        InputError: A class code cannot be one.
    """
    named = isinstance(class_set, Mapping)
    codes = check_classes(class_set.get('classes', ()) if named else ())
    if isinstance(part, dict):
        if part.get('type') in ('Matek', 'mmpretrain.Matek'):
            part['metainfo'] = class_set
        if part.get('num_classes'):  # of a timm encoder it is 0
            part['num_classes'] = len(codes)
        part = list(part.values())
    if isinstance(part, list | tuple):
        for item in part:
            spread_classes(item, class_set)


def set_options(cfg: Config, options: Sequence[str]) -> None:
    """Put ``key=value`` into a config.

    Args:
        cfg (Config): Is changed.
        options (Sequence[str]): As for ``--cfg-options``.

    Raises:
        InputError: As :func:`read_config`.
    """
    for option in options:
        check_option(cfg, option)
    if options:
        parser = ArgumentParser()
        parser.add_argument('--options', nargs='+', action=DictAction)
        parsed = parser.parse_args(['--options', *options])
        cfg.merge_from_dict(parsed.options)
        check_config(cfg)


def _backbone_shapes(cfg: Config) -> dict:
    backbone = MODELS.build(cfg.model.backbone)
    return {key: value.shape for key, value in backbone.state_dict().items()}
