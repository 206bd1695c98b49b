"""What tools/train.py and tools/test.py share: flags, config and runner."""

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .choices import PARTS
from .errors import InputError

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.runner import Runner


def add_common_flags(parser: ArgumentParser) -> None:
    """Add those that training and testing share."""
    parser.add_argument(
        '--work-dir',
        metavar='DIR',
        help="for logs and results; default: the config's, else "
        'work_dirs/<its name>',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        default=[],
        metavar='KEY=VALUE',
        help='settings in place of those of the config and the flags, as '
        'train_dataloader.batch_size=32; a list as a,b or [a,b], no spaces',
    )
    parser.add_argument(
        '--amp', action='store_true', help='mixed precision on a GPU'
    )
    parser.add_argument(
        '--no-pin-memory',
        action='store_true',
        help='data loaders do not pin the memory of their batches',
    )
    parser.add_argument(
        '--launcher',
        choices=('none', 'pytorch', 'slurm', 'mpi'),
        default='none',
        help='set by the launch scripts',
    )
    parser.add_argument(
        *('--local_rank', '--local-rank'),
        type=int,
        default=0,
        help="set by torch's launcher",
    )


def parse(
    parser: ArgumentParser, argv: Sequence[str] | None, *places: str
) -> Namespace:
    """The arguments; files may stand before or after the flags.

    Args:
        parser (ArgumentParser): With the positional ``places``, each ``'?'``.
        argv (Sequence[str], optional): None for the command line's.
        *places (str): Names of the files; the first is needed.
    """
    args = parser.parse_intermixed_args(argv)
    files = [getattr(args, place) for place in places]
    files = [file for file in files if file is not None]
    # --cfg-options takes all that follows it.
    after = [option for option in args.cfg_options if os.path.isfile(option)]
    if not files + after:
        parser.error('no CONFIG. Give it before --resume and --cfg-options.')
    if len(files + after) > len(places):
        parser.error(f'unrecognized arguments: {" ".join(after)}')
    vars(args).update(zip(places, files + after, strict=False))
    args.cfg_options = [o for o in args.cfg_options if o not in after]
    return args


def config_of(args: Namespace) -> 'Config':
    """Read the config and put the common flags into it, but no option.

    Raises:
        InputError: There is no such file, a variable that it reads has a
            value that it cannot take, or a flag needs a GPU.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    import torch

    from bm_plugins.experiments.experiment import read_config

    from . import plugins  # noqa: F401

    if args.launcher == 'mpi' and not torch.cuda.is_available():
        raise InputError(
            '--launcher mpi needs GPUs; without one use '
            'tools/dist_train.sh (pytorch) or tools/slurm_train.sh.'
        )
    file = Path(args.config)
    cfg = read_config(file)
    cfg.launcher = args.launcher
    own = cfg.get('work_dir') or os.path.join('work_dirs', file.stem)
    cfg.work_dir = args.work_dir or own
    for loader in loaders(cfg):
        loader.setdefault('collate_fn', dict(type='default_collate'))
        loader.setdefault('pin_memory', True)
        if args.no_pin_memory:
            loader.pin_memory = False
    return cfg


def loaders(cfg: 'Config') -> list:
    """The data loaders that a config has."""
    found = [cfg.get(f'{part}_dataloader') for part in PARTS]
    return [loader for loader in found if loader]


def build_runner(cfg: 'Config') -> 'Runner':
    """The runner that the config names, or else mmengine's."""
    from mmengine.registry import RUNNERS
    from mmengine.runner import Runner

    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
