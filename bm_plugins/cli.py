"""Run upstream's command line scripts, and report errors in one line."""

import argparse
import os
import runpy
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import mmpretrain
import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.runner import find_latest_checkpoint

from bm_plugins.experiments.experiment import read_config

from .errors import InputError, Preempted

EXAMPLES = dict(
    train='tools/train.py configs/swav_tiny_bm.py',
    test='tools/test.py configs/linear_tiny_bm.py '
    'work_dirs/swav_tiny_bm/epoch_120.pth',
)
BFLOAT16 = 'optim_wrapper.dtype=bfloat16'
# What configs read.
ENVIRONMENT = (
    *('BM_DATA_ROOT', 'BM_FOLD', 'BM_FEATURES'),
    *('BM_TIMM', 'BM_TIMM_SIZE'),
)


def run(main: Callable[[], None]) -> None:
    """Run ``main``; an error or a signal ends it by one line.

    The status is 2 for an InputError, 130 for Ctrl-C, and 75 for Preempted,
    which asks a scheduler to try again.
    """
    try:
        main()
    except InputError as error:
        if os.environ.get('RANK', '0') != '0':
            # Rank 0 mostly finds the same; the launcher then ends this one.
            time.sleep(5)
        # A data loader's worker puts its traceback before the message.
        name = type(error).__name__
        message = str(error).rpartition(f'{name}: ')[2].strip()
        print(f'error: {message}', file=sys.stderr, flush=True)
        _end(2)
    except KeyboardInterrupt:
        if os.environ.get('RANK', '0') == '0':
            print('stopped by SIGINT.', file=sys.stderr, flush=True)
        _end(128 + signal.SIGINT)
    except Preempted as stopped:
        if os.environ.get('RANK', '0') == '0':
            print(stopped, file=sys.stderr, flush=True)
        _end(os.EX_TEMPFAIL)
    if dist.is_initialized():
        dist.destroy_process_group()


def _end(status: int) -> None:
    if dist.is_initialized():
        # Tearing down beside waiting processes may abort or hang.
        os._exit(status)
    sys.exit(status)


def run_upstream(name: str) -> None:
    """Run mmpretrain's ``tools/<name>.py`` with this process's arguments.

    Args:
        name (str): ``train`` or ``test``.
    """

    def main() -> None:
        _check_environment()
        args = _check(name, sys.argv[1:])
        script = Path(mmpretrain.__file__).parent / f'.mim/tools/{name}.py'
        sys.argv = [sys.argv[0], *args]
        try:
            runpy.run_path(str(script), run_name='__main__')
        except SystemExit as end:
            if end.code == 0 and {'-h', '--help'} & {*args}:
                print(f'\nexample: {EXAMPLES[name]}')
            raise

    run(main)


def _check_environment() -> None:
    """Refuse values that mmengine cannot put into a config's text."""
    for name in ENVIRONMENT:
        value = os.environ.get(name)
        if value == '':  # unset, as in any shell script
            del os.environ[name]
        elif value and set(value) & set('\'"\\\n'):
            raise InputError(
                f'{name}={value} holds a quote, backslash or line end, which '
                'a config cannot take. Rename the folder or link to it.'
            )


def _check(name: str, args: list[str]) -> list[str]:
    """Refuse what cannot work here; complete what upstream insists on.

    Returns:
        list[str]: Arguments for upstream's script.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('given', nargs='*')  # config, checkpoint
    if name == 'test':
        parser.add_argument('--show', action='store_true')
        parser.add_argument('--out')
        parser.add_argument('--out-item')
        parser.add_argument('--show-dir')
        parser.add_argument('--interval')
        parser.add_argument('--wait-time')
    parser.add_argument('--amp', action='store_true')
    parser.add_argument('--work-dir')
    parser.add_argument('--launcher', default='none')
    parser.add_argument('--local_rank', '--local-rank')
    parser.add_argument('--resume', nargs='?', const='auto')
    parser.add_argument('--cfg-options', nargs='+', default=[])
    args = _split_resume(args)
    known, _ = parser.parse_known_intermixed_args(args)
    config, *checkpoint = known.given or [None]
    if config and not os.path.isfile(config):
        raise InputError(
            f'config {config} does not exist; see the configs folder.'
        )
    if config and known.cfg_options:
        read_config(Path(config), known.cfg_options)
    if not torch.cuda.is_available():
        if known.amp and name == 'test':
            raise InputError(
                '--amp needs a GPU; on the CPU leave it out (float32).'
            )
        if known.amp and BFLOAT16 not in known.cfg_options:
            raise InputError(
                '--amp needs a GPU; on the CPU leave it out (float32), or '
                f'add --cfg-options {BFLOAT16}.'
            )
        if known.launcher == 'mpi':
            raise InputError(
                '--launcher mpi needs GPUs; without one use '
                'tools/dist_train.sh (pytorch) or tools/slurm_train.sh.'
            )
    if name == 'train':
        if config and known.resume == 'auto':
            folders = [
                option.partition('=')[2]
                for option in known.cfg_options
                if option.startswith('work_dir=')
            ]
            folder = folders[-1] if folders else known.work_dir
            args = _resume(args, config, folder)
        return args
    if known.show and not os.environ.get('DISPLAY'):
        raise InputError(
            '--show needs a display; write the pictures by --show-dir DIR.'
        )
    if known.out_item and not known.out:
        raise InputError('--out-item needs --out FILE.')
    if known.out:
        predictions = known.out_item in (None, 'pred')
        endings = ('.pkl', '.pickle')
        if not predictions:
            endings += ('.json', '.yaml', '.yml')
        if not known.out.endswith(endings):
            raise InputError(
                f'--out {known.out}: expected a file that ends in '
                f'{" or ".join(endings)}.'
            )
    if config and not checkpoint:
        if 'load_from=None' not in known.cfg_options:
            raise InputError(
                'no checkpoint given. For the untrained baseline add '
                '--cfg-options load_from=None.'
            )
        # Upstream insists on one; load_from=None then takes it out.
        args = [config, 'none', *_without_first(args, config)]
    return args


def _resume(args: list[str], config: str, work_dir: str | None) -> list[str]:
    """Name what a bare --resume goes on from, or start afresh.

    Upstream's forgets the config's ``load_from`` where there is nothing to
    resume, and takes one among the options for the checkpoint to resume.
    """
    folder = work_dir or Config.fromfile(config).get('work_dir')
    folder = Path(folder or f'work_dirs/{Path(config).stem}')
    at = args.index('--resume')
    rest = args[at + 1 :]
    if rest[:1] == ['auto']:  # upstream's own word for a bare one
        rest = rest[1:]
    if not (folder / 'last_checkpoint').is_file():
        print(f'Nothing to resume in {folder}: starting.', flush=True)
        return args[:at] + rest
    args = [*args[:at], '--resume', find_latest_checkpoint(folder), *rest]
    # An option has to stay after --cfg-options.
    return ['resume=True' if a.startswith('load_from=') else a for a in args]


def _split_resume(args: list[str]) -> list[str]:
    """``--resume`` in full, its value apart, before any option of a config."""
    split = []
    for number, arg in enumerate(args):
        flag, equals, value = arg.partition('=')
        if len(flag) > 3 and '--resume'.startswith(flag):
            split += ['--resume', *([value] if equals else [])]
        else:
            split.append(arg)
        if flag.startswith('--cfg-o'):
            return split + args[number + 1 :]
    return split


def _without_first(args: list[str], value: str) -> list[str]:
    """``args`` without the first ``value``."""
    at = args.index(value)
    return args[:at] + args[at + 1 :]
