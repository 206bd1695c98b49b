#!/usr/bin/env python3
"""Write the frozen features of a collection to an HDF5 file.

features (n, dim) float32, labels, paths and splits (n,), and as attributes
the classes, the config, the hashes of checkpoint and manifest, the
preprocessing, versions and the date. The images are prepared as the config's
test part says. none as CHECKPOINT: the weights that the model starts with.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from bm_plugins import cli
from bm_plugins.choices import PARTS
from bm_plugins.errors import InputError


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and extract."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/extract_features.py configs/linear_bm.py '
        'CHECKPOINT --out features.h5\n'
        'on 4 GPUs or processes: tools/torchrun.py 4 extract_features.py '
        'CONFIG CHECKPOINT --out F.h5 --launcher pytorch',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='a linear_*.py or supervised config')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='any with its backbone, or none; may be left out where the '
        'config names weights',
    )
    parser.add_argument('--out', required=True, metavar='F.h5')
    parser.add_argument(
        '--split', nargs='+', choices=PARTS, default=PARTS, help='default: all'
    )
    parser.add_argument(
        '--launcher', choices=('none', 'pytorch', 'slurm'), default='none'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE'
    )
    args = parser.parse_args(argv)
    import torch
    from mmengine.dist import init_dist, is_main_process

    from bm_plugins.apis.features.feature_extraction import extract_to_file
    from bm_plugins.compat.gloo_processes import init_gloo
    from bm_plugins.experiments.experiment import own_weights, read_config

    cfg = read_config(Path(args.config), args.cfg_options)
    checkpoint = args.checkpoint or own_weights(cfg)
    if not checkpoint:
        raise InputError(
            f'{args.config} names no weights: give a CHECKPOINT, or none.'
        )
    if args.launcher != 'none' and torch.cuda.is_available():
        init_dist(args.launcher)
    elif args.launcher != 'none':
        init_gloo(args.launcher)
    number, length = extract_to_file(
        cfg,
        None if checkpoint == 'none' else checkpoint,
        args.out,
        args.split,
    )
    if is_main_process():
        print(f'Wrote {number} features of length {length} to {args.out}')


if __name__ == '__main__':
    cli.run(main)
