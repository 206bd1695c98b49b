#!/usr/bin/env python3
"""Test a config's model, or its linear evaluation of a pretrained one.

On one process; tools/dist_test.sh starts several. Leaves per_class.csv,
figures.csv, confusion_matrix.csv and predictions.csv in the work folder.
"""

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bm_plugins import cli, launch
from bm_plugins.errors import InputError

if TYPE_CHECKING:
    from mmengine.config import Config


def main(argv: Sequence[str] | None = None) -> None:
    """Put the flags into the config, build its runner and test."""
    args = parse(argv)
    check(args)
    cfg = configured(args)
    from mmengine import dump
    from mmengine.evaluator import DumpResults

    runner = launch.build_runner(cfg)
    metrics_wanted = args.out_item == 'metrics'
    if args.out and not metrics_wanted and runner.test_loop:
        runner.test_evaluator.metrics.append(DumpResults(args.out))
    metrics = runner.test()
    if args.out and metrics_wanted and runner.rank == 0:
        dump(metrics, args.out)


def parse(argv: Sequence[str] | None) -> Namespace:
    """The arguments."""
    parser = ArgumentParser(
        description=__doc__,
        epilog='example: tools/test.py configs/linear_tiny_bm.py '
        'work_dirs/swav_tiny_bm/epoch_120.pth',
    )
    parser.add_argument('config', metavar='CONFIG', nargs='?')
    parser.add_argument(
        'checkpoint',
        metavar='CHECKPOINT',
        nargs='?',
        help='may be left out where the config names weights, or with '
        '--cfg-options load_from=None: untrained',
    )
    launch.add_common_flags(parser)
    parser.add_argument(
        '--out', metavar='FILE', help='.pkl; of metrics also .json or .yaml'
    )
    parser.add_argument(
        '--out-item',
        choices=('metrics', 'pred'),
        help='what --out gets (default: pred, a prediction for each image)',
    )
    parser.add_argument(
        '--tta',
        action='store_true',
        help='average over views: tta_pipeline and tta_model of the config, '
        'else each image and its mirror image',
    )
    parser.add_argument(
        '--show-dir', metavar='DIR', help='for pictures of predicted images'
    )
    parser.add_argument(
        '--show', action='store_true', help='show them in a window'
    )
    parser.add_argument(
        '--interval',
        type=int,
        default=1,
        metavar='N',
        help='one picture in N images (default 1)',
    )
    parser.add_argument(
        '--wait-time',
        type=float,
        default=2,
        metavar='SECONDS',
        help='a window stays (default 2)',
    )
    return launch.parse(parser, argv, 'config', 'checkpoint')


def check(args: Namespace) -> None:
    """Refuse what cannot work, before anything is loaded."""
    if args.show and not os.environ.get('DISPLAY'):
        raise InputError(
            '--show needs a display; write the pictures by --show-dir DIR.'
        )
    if args.interval < 1:
        raise InputError(f'--interval {args.interval}: expected 1 or more.')
    if args.out_item and not args.out:
        raise InputError('--out-item needs --out FILE.')
    endings = ('.pkl', '.pickle')
    if args.out_item == 'metrics':
        endings += ('.json', '.yaml', '.yml')
    if args.out and not args.out.endswith(endings):
        raise InputError(
            f'--out {args.out}: expected a file that ends in '
            f'{" or ".join(endings)}.'
        )


def configured(args: Namespace) -> 'Config':
    """The config with all flags and options."""
    cfg = launch.config_of(args)
    import torch

    from bm_plugins.experiments.experiment import own_weights, set_options

    if args.amp and not torch.cuda.is_available():
        raise InputError(
            '--amp needs a GPU; on the CPU leave it out (float32).'
        )
    keys = [option.partition('=')[0] for option in args.cfg_options]
    given = args.checkpoint if args.checkpoint != 'none' else None
    cfg.load_from = given or own_weights(cfg)
    if not cfg.load_from and 'load_from' not in keys:
        raise InputError(
            'no checkpoint given. For the untrained baseline add '
            '--cfg-options load_from=None.'
        )
    there = bool(cfg.get('test_dataloader'))  # else the runner says so
    if args.amp and there:
        cfg.test_cfg.fp16 = True
    if args.show or args.show_dir:
        show(args, cfg)
    set_options(cfg, args.cfg_options)
    if args.tta and there:
        average_views(cfg)
    return cfg


def show(args: Namespace, cfg: 'Config') -> None:
    """Switch the pictures on."""
    hook = (cfg.get('default_hooks') or {}).get('visualization')
    if not hook:
        raise InputError(
            f'--show and --show-dir: {args.config} has no '
            "default_hooks.visualization=dict(type='VisualizationHook')."
        )
    hook.update(
        enable=True,
        show=args.show,
        wait_time=args.wait_time,
        out_dir=args.show_dir,
        interval=args.interval,
    )


def average_views(cfg: 'Config') -> None:
    """Test-time augmentation around what all else says."""
    dataset = cfg.test_dataloader.dataset
    *steps, pack = dataset.pipeline
    mirrored = [dict(type='RandomFlip', prob=prob) for prob in (1.0, 0.0)]
    views = dict(type='TestTimeAug', transforms=[mirrored, [pack]])
    dataset.pipeline = cfg.get('tta_pipeline') or [*steps, views]
    model = cfg.get('tta_model') or dict(type='mmpretrain.AverageClsScoreTTA')
    cfg.model = dict(**model, module=cfg.model)


if __name__ == '__main__':
    cli.run(main)
