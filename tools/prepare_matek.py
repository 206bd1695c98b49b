#!/usr/bin/env python3
"""Write the manifest (split.csv) of a collection of cell images."""

import argparse
import os
from collections.abc import Sequence

from bm_plugins import cli


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/prepare_matek.py data/matek',
    )
    parser.add_argument('data_root', help='folder of the collection')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--test-fraction', type=float, default=0.2)
    parser.add_argument(
        '--val-fraction', type=float, default=0.1, help='of all images'
    )
    parser.add_argument('--folds', type=int, default=5)
    parser.add_argument(
        '--contiguous',
        action='store_true',
        help='test part and folds are blocks by file number, not at random',
    )
    parser.add_argument(
        '--test-list',
        metavar='CSV',
        help="published test images, as DinoBloom's bm_test.csv",
    )
    parser.add_argument(
        '--groups',
        metavar='CSV',
        help='images that stay in one part, as of a patient: columns '
        'path,group, as duplicates.csv of tools/audit.py',
    )
    parser.add_argument(
        '--ignore-folders',
        action='store_true',
        help='draw parts even where folders train and test name them',
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        metavar='CODE',
        help='your own class folders; the default is the 21 of the release',
    )
    parser.add_argument(
        '--um-per-px',
        metavar='X',
        help='µm per pixel of the images, for tools/predict.py --um-per-px; '
        'default: what all files say, if they do',
    )
    parser.add_argument('--output', help='defaults to DATA_ROOT/split.csv')
    parser.add_argument('--workers', type=int, default=os.cpu_count())
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        '--overwrite', action='store_true', help='replace the manifest'
    )
    action.add_argument(
        '--check',
        action='store_true',
        help='keep the manifest, verify its images and stamp it',
    )
    args = parser.parse_args(argv)
    from bm_plugins.datasets.matek_classes import CLASSES
    from bm_plugins.datasets.prepare import check, prepare

    classes = tuple(args.classes or CLASSES)
    if args.check:
        check(
            args.data_root,
            args.output,
            classes,
            args.workers,
            args.ignore_folders,
            args.um_per_px,
        )
        return
    prepare(
        args.data_root,
        args.output,
        classes,
        args.seed,
        args.test_fraction,
        args.val_fraction,
        args.folds,
        args.workers,
        args.overwrite,
        args.contiguous,
        args.test_list,
        args.groups,
        args.ignore_folders,
        args.um_per_px,
    )


if __name__ == '__main__':
    cli.run(main)
