#!/usr/bin/env python3
"""Predict cells: classes, differential and a page to check them on.

CELLS is a folder (searched at any depth), a quoted pattern, or a CSV file
with a column path. The same command goes on where it was stopped.

Leaves DIR/predictions.csv (path,code,confidence,p_<CODE>...,set,distance,
flag,field), skipped.csv (path,reason), differential.csv and report.html, which
opens in any browser without a network. Where the bundle allows to estimate
the slide's own mixture of classes, slide_classes.csv (path,code,confidence)
has each cell's class by it. On several GPUs or processes:
tools/dist_predict.sh. Research use only, not for diagnosis.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from bm_plugins import cli


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments, predict, and name what was written."""
    args = parse(argv)
    from bm_plugins.apis.prediction.predict import predict
    from bm_plugins.apis.prediction.record import (
        BY_SMEAR,
        PAGES,
        SLIDE,
        TABLES,
    )
    from bm_plugins.utils.run_manifest import file_facts, write_run_manifest

    options = vars(args)
    launcher = options.pop('launcher')
    if launcher != 'none' or 'LOCAL_RANK' in os.environ:
        gpu = join(launcher)
        options['device'] = args.device or gpu
    try:
        outcome = predict(**options)
    except KeyboardInterrupt:
        print('\nstopped; the same command goes on', file=sys.stderr)
        sys.exit(130)
    if outcome is None:  # rank 0 says it
        return
    print(f'{outcome.predicted} cells, {outcome.skipped} skipped')
    if outcome.differential is None:
        print('Complete already; nothing was written.')
    else:
        inputs = [args.bundle, args.corrections, args.scheme]
        write_run_manifest(
            args.out,
            inputs=file_facts([file for file in inputs if file]),
            cells=dict(
                predicted=outcome.predicted,
                skipped=outcome.skipped,
                um_per_px=args.um_per_px,
            ),
        )
        if outcome.corrected:
            print(f'{outcome.corrected} of the classes are those of a person')
        if outcome.uncorrected:
            print(
                'warning: the report that was there had corrections; this '
                'one has none. Give --corrections again to have them.'
            )
        if outcome.differential.trust:
            print(outcome.differential.trust)
        for text in outcome.differential.warnings:
            print(f'warning: {text}')
    files = (*TABLES, SLIDE, PAGES[0], BY_SMEAR, PAGES[1])
    written = [name for name in files if os.path.exists(f'{args.out}/{name}')]
    print(f'In {args.out}: {" ".join(written)}')


def join(launcher: str) -> str | None:
    """Join the other processes.

    Returns:
        str or None: This one's GPU, where there are any.
    """
    import torch

    from bm_plugins.compat.gloo_processes import init_gloo
    from bm_plugins.utils.dist import PATIENCE

    if launcher != 'none':
        init_gloo(launcher, PATIENCE)
    if not torch.cuda.is_available():
        return None
    gpu = int(os.environ.get('LOCAL_RANK', 0)) % torch.cuda.device_count()
    # mmengine's log looks for a GPU of this number on any device.
    os.environ['LOCAL_RANK'] = str(gpu)
    return f'cuda:{gpu}'


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/predict.py cells.bundle slides/patient_7 '
        '--out work_dirs/patient_7',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('bundle', metavar='BUNDLE', help='by tools/publish.py')
    parser.add_argument('cells', metavar='CELLS')
    parser.add_argument('--out', required=True, metavar='DIR')
    parser.add_argument(
        '--corrections',
        metavar='CSV',
        help='exported by report.html: differential and page with them',
    )
    parser.add_argument(
        '--scheme',
        metavar='CSV',
        help='code,group,counted: classes in and out of the percentages; '
        'default: bm_plugins/report/differential/scheme.csv',
    )
    parser.add_argument(
        '--features', metavar='H5', help='write the features, too'
    )
    parser.add_argument(
        '--um-per-px',
        metavar='X',
        help='µm per pixel of the images, which are then cropped or padded '
        'to the field of the training images; "same": they show that field. '
        'Default: column um_per_px of a CSV file, else what each file says',
    )
    parser.add_argument(
        '--error-rate',
        type=float,
        default=0.05,
        help='share of sets of classes that may miss the true one; more or '
        'less than one class left makes a cell "unsure" (default 0.05)',
    )
    parser.add_argument(
        '--report-cells',
        type=int,
        default=5000,
        metavar='N',
        help='most cells on the page, the doubtful first (default 5000)',
    )
    parser.add_argument('--batch-size', type=int, default=64, metavar='N')
    parser.add_argument(
        '--workers',
        type=int,
        default=min(8, len(os.sched_getaffinity(0))),
        metavar='N',
        help='processes that read images',
    )
    parser.add_argument('--device', help='cpu, cuda or cuda:1')
    parser.add_argument(
        '--chunk',
        type=int,
        default=1024,
        metavar='N',
        help='cells that are kept at once (default 1024)',
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='delete another prediction in DIR',
    )
    parser.add_argument(
        '--launcher',
        choices=('none', 'pytorch', 'slurm'),
        default='none',
        help='set by the launch scripts',
    )
    return parser.parse_args(argv)


if __name__ == '__main__':
    cli.run(main)
