#!/usr/bin/env python3
"""Test features of tools/extract_features.py by a linear classifier or k-NN.

Fits on the parts train and val, tests on the part test, and writes what
tools/test.py writes: per_class.csv, figures.csv, confusion_matrix.csv and
predictions.csv. The linear classifier is that of configs/linear_bm.py.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from bm_plugins import cli
from bm_plugins.choices import PARTS
from bm_plugins.errors import InputError


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and evaluate."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/evaluate_features.py features.h5 --knn 20 '
        '--out work_dirs/knn',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('features', metavar='F.h5', type=Path)
    parser.add_argument('--out', required=True, type=Path, metavar='DIR')
    parser.add_argument(
        '--knn',
        type=int,
        metavar='K',
        help='classify by the K nearest neighbours instead',
    )
    parser.add_argument(
        '--class-weight',
        choices=('balanced', 'none'),
        default='balanced',
        help='of the linear classifier: each class counts alike in its loss, '
        'or each image, so that rare classes count little; default: balanced',
    )
    for name, default in (('train', ('train', 'val')), ('test', ('test',))):
        parser.add_argument(
            f'--{name}',
            nargs='+',
            choices=PARTS,
            default=default,
            help=f'parts; default: {" ".join(default)}',
        )
    args = parser.parse_args(argv)
    if args.knn is not None and args.knn < 1:
        raise InputError(f'--knn {args.knn}: expected 1 or more.')
    if both := {*args.train} & {*args.test}:
        raise InputError(
            f'--train and --test both name {", ".join(sorted(both))}: a part '
            'is learned from or tested on.'
        )
    from bm_plugins.apis.features.feature_evaluation import evaluate_features
    from bm_plugins.apis.features.feature_file import read_features
    from bm_plugins.utils.run_manifest import file_facts, write_run_manifest

    found = read_features(args.features)
    weight = None if args.class_weight == 'none' else args.class_weight
    _, probe = evaluate_features(
        found, args.out, args.train, args.test, args.knn, weight
    )
    facts = dict(classifier=probe.facts) if probe else {}
    write_run_manifest(args.out, inputs=file_facts([args.features]), **facts)
    print(f'Wrote {args.out}/predictions.csv and the other reports')


if __name__ == '__main__':
    cli.run(main)
