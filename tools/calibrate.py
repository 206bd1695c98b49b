#!/usr/bin/env python3
"""Fit a temperature on validation images and measure it on test images.

  CONFIG=configs/resnext50_val_bm.py
  tools/test.py $CONFIG CHECKPOINT --work-dir work_dirs/test
  tools/test.py $CONFIG CHECKPOINT --work-dir work_dirs/val \\
      --cfg-options test_dataloader.dataset.split=val
  tools/calibrate.py work_dirs/test --fit work_dirs/val

Prints the expected calibration error and the negative log-likelihood of the
test images before and after, with intervals, and writes them to
RUN/calibration.csv. The temperature changes no prediction. The model must not
have been trained on the images it is fitted on.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from bm_plugins import cli


def main(argv: Sequence[str] | None = None) -> None:
    """Read the runs, print the result and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/calibrate.py work_dirs/test '
        '--fit work_dirs/val',
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument('run', metavar='RUN', type=Path)
    parser.add_argument('--fit', metavar='VAL_RUN', type=Path, required=True)
    parser.add_argument('--replicates', type=int, default=1000)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args(argv)
    from bm_plugins.report.runs.calibration_report import (
        calibrate,
        calibration_text,
        write_calibration,
    )
    from bm_plugins.report.runs.run_folder import read_run
    from bm_plugins.utils.run_manifest import file_facts, write_run_manifest

    run, fitted_on = read_run(args.run), read_run(args.fit)
    print(
        f'Fitting on {len(fitted_on.paths)} images, then {args.replicates} '
        f'bootstrap draws of {len(run.paths)}, twice.',
        flush=True,
    )
    temperature, scores = calibrate(run, fitted_on, args.replicates, args.seed)
    file = args.run / 'calibration.csv'
    write_calibration(file, run, temperature, scores)
    write_run_manifest(
        args.run,
        'run_calibrate.json',
        inputs=file_facts(
            [r / 'predictions.csv' for r in (args.run, args.fit)]
        ),
        seeds=dict(seed=args.seed),
    )
    print(calibration_text(run, fitted_on, temperature, scores))
    print(
        f'Written to {file}. Reliability diagrams: tools/plot.py run '
        f'{args.run} --temperature {temperature:.3f} --out DIR'
    )


if __name__ == '__main__':
    cli.run(main)
