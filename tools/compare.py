#!/usr/bin/env python3
"""Compare two tested runs on the same images, or several pairs of them.

  python tools/compare.py RUN_A RUN_B
  python tools/compare.py untrained_{0,1,2} pretrained_{0,1,2}

Each is the --work-dir of tools/test.py. Of several, the first half are A, the
second half B; the first A is paired with the first B (say, the same seed).
Says whether B - A in macro F1 is more than the draw of the test images
explains (paired bootstrap); other scores and McNemar's test describe.
"""

import argparse
from collections.abc import Sequence

from bm_plugins import cli


def main(argv: Sequence[str] | None = None) -> None:
    """Read the runs and print the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/compare.py work_dirs/run_a work_dirs/run_b',
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument('runs', nargs='+', metavar='RUN')
    parser.add_argument(
        '--min-support',
        type=int,
        default=10,
        help='test images a class needs for the second macro F1',
    )
    parser.add_argument('--replicates', type=int, default=10_000)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args(argv)
    from bm_plugins.report.runs.comparison import comparison_text
    from bm_plugins.report.runs.run_folder import read_run

    runs = [read_run(folder) for folder in args.runs]
    half = len(runs) // 2
    print(
        comparison_text(
            runs[:half],
            runs[half:],
            args.min_support,
            replicates=args.replicates,
            seed=args.seed,
        )
    )


if __name__ == '__main__':
    cli.run(main)
