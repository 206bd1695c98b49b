#!/usr/bin/env python3
"""Cross-validate a config: train and test each fold, then put them together.

  tools/kfold.py configs/resnext50_bm.py --folds 5 --work-dir work_dirs/kfold
  tools/kfold.py configs/swav_bm.py --folds 5 --work-dir work_dirs/swav_kfold

Runs through the launch scripts. What is finished is kept and what was cut off
is resumed: the same command goes on. A pretraining is followed by its linear
evaluation within each fold, so that it sees no test image; --transductive
pretrains once on all images instead, and the report says so.

Leaves DIR/fold_<k>/{train,test}, DIR/summary.csv
(code,name,metric,mean,std,folds; std with ddof 1), DIR/folds.csv and
DIR/report.md.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from bm_plugins import cli

ROOT = Path(__file__).resolve().parents[1]


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/kfold.py configs/resnext50_bm.py '
        '--folds 5 --work-dir work_dirs/kfold',
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument('config', help='a training config')
    parser.add_argument(
        '--folds', type=int, default=5, help='as many as the manifest has'
    )
    parser.add_argument('--work-dir', type=Path, required=True)
    parser.add_argument(
        '--linear',
        metavar='CONFIG',
        help='linear evaluation of a pretraining; default: by its backbone',
    )
    parser.add_argument(
        '--transductive',
        action='store_true',
        help='pretrain once, without labels, on all images, test images too',
    )
    parser.add_argument(
        '--gpus',
        type=int,
        help='GPUs of a run; processes where there is none',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='of the training',
    )
    parser.add_argument(
        '--test-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='of the test',
    )
    args = parser.parse_args(argv)
    import torch

    from bm_plugins.experiments.cross_validation import cross_validate
    from bm_plugins.report.runs.folds import folds_report
    from bm_plugins.utils.run_manifest import write_run_manifest

    gpus = args.gpus or torch.cuda.device_count() or 1
    if 'BM_DATA_ROOT' in os.environ:  # the runs start in the project's folder
        os.environ['BM_DATA_ROOT'] = os.path.abspath(
            os.environ['BM_DATA_ROOT']
        )
    folder = args.work_dir.resolve()
    runs, protocol = cross_validate(
        ROOT,
        os.path.abspath(args.config),
        folder,
        args.folds,
        gpus,
        args.linear and os.path.abspath(args.linear),
        args.transductive,
        args.cfg_options,
        args.test_options,
    )
    report = folds_report(runs, protocol)
    (folder / 'report.md').write_text(report, encoding='utf-8')
    # Each fold's run has its own, with config and data.
    write_run_manifest(folder)
    print(f'\n{report}\nWritten to {folder}: summary.csv folds.csv report.md')


if __name__ == '__main__':
    cli.run(main)
