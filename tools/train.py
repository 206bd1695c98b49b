#!/usr/bin/env python3
"""Train a config, on one process; tools/dist_train.sh starts several."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bm_plugins import cli, launch
from bm_plugins.errors import InputError

if TYPE_CHECKING:
    from mmengine.config import Config


def main(argv: Sequence[str] | None = None) -> None:
    """Put the flags into the config, build its runner and train."""
    launch.build_runner(configured(parse(argv))).train()


def configured(args: Namespace) -> 'Config':
    """The config with all flags and options."""
    cfg = launch.config_of(args)
    from bm_plugins.experiments.experiment import set_options

    for loader in launch.loaders(cfg):
        loader.setdefault('persistent_workers', True)
        if args.no_persistent_workers:
            loader.persistent_workers = False
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp and cfg.get('optim_wrapper'):
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.auto_scale_lr:
        if not cfg.get('auto_scale_lr'):
            raise InputError(
                f'--auto-scale-lr: {args.config} does not say for which batch '
                'its learning rate is: auto_scale_lr=dict(base_batch_size=N).'
            )
        cfg.auto_scale_lr.enable = True
    set_options(cfg, args.cfg_options)
    check_amp(args, cfg)
    resume(args, cfg)
    return cfg


def parse(argv: Sequence[str] | None) -> Namespace:
    """The arguments."""
    parser = ArgumentParser(
        description=__doc__,
        epilog='example: tools/train.py configs/swav_tiny_bm.py',
    )
    parser.add_argument('config', metavar='CONFIG', nargs='?')
    launch.add_common_flags(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='FILE',
        help='go on from this checkpoint; auto, or no FILE: from the newest '
        'of the work folder, or start where there is none',
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='train only'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the batch of all processes',
    )
    parser.add_argument(
        '--no-persistent-workers',
        action='store_true',
        help='data loaders start their processes anew each epoch',
    )
    return launch.parse(parser, argv, 'config')


def check_amp(args: Namespace, cfg: 'Config') -> None:
    """Refuse float16 where there is no GPU."""
    import torch

    dtype = (cfg.get('optim_wrapper') or {}).get('dtype')
    on_cpu = not torch.cuda.is_available()
    if args.amp and on_cpu and dtype != 'bfloat16':
        raise InputError(
            '--amp needs a GPU; on the CPU leave it out (float32), or add '
            '--cfg-options optim_wrapper.dtype=bfloat16.'
        )


def resume(args: Namespace, cfg: 'Config') -> None:
    """Name the checkpoint to go on from.

    Where there is none yet, the config's ``load_from`` holds.
    """
    file = args.resume
    if file == 'auto':
        from mmengine.runner import find_latest_checkpoint

        file = None
        if (Path(cfg.work_dir) / 'last_checkpoint').is_file():
            file = find_latest_checkpoint(cfg.work_dir)
        else:
            print(
                f'Nothing to resume in {cfg.work_dir}: starting.', flush=True
            )
    if file is not None:
        cfg.resume, cfg.load_from = True, file


if __name__ == '__main__':
    cli.run(main)
