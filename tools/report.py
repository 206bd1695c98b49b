#!/usr/bin/env python3
"""Put runs beside the paper's Tables 2, 3 and 4.

Each RUN is the --work-dir of tools/test.py or of tools/kfold.py, or the --out
of tools/evaluate_features.py. Supervised ones stand in table2 and table3,
linear classifiers on frozen features in table4, k-NN in a table5. Writes them
as .csv, .md and .tex, and report.md with all of them, the protocols and what
the averages run over.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from bm_plugins import cli


def main(argv: Sequence[str] | None = None) -> None:
    """Read the runs and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/report.py work_dirs/linear_bm '
        'work_dirs/kfold --out work_dirs/report',
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument('runs', nargs='+', type=Path, metavar='RUN')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR')
    parser.add_argument(
        '--names', nargs='+', help='of the runs; default: their folders'
    )
    parser.add_argument(
        '--min-support',
        type=int,
        default=10,
        help='test images a class needs for the second macro average',
    )
    args = parser.parse_args(argv)
    from bm_plugins.report.runs.paper_report import write_report
    from bm_plugins.utils.run_manifest import file_facts, write_run_manifest

    numbers = write_report(args.runs, args.out, args.names, args.min_support)
    read = [file for run in args.runs for file in sorted(run.glob('*.csv'))]
    write_run_manifest(args.out, inputs=file_facts(read))
    print((args.out / 'report.md').read_text(encoding='utf-8'))
    tables = ','.join(map(str, numbers))
    print(f'Written to {args.out}: report.md table{{{tables}}}.{{csv,md,tex}}')


if __name__ == '__main__':
    cli.run(main)
