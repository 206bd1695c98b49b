#!/usr/bin/env python3
"""Choose the cells of a folder whose labels would help a model most.

Leaves DIR/suggestions.csv (path,code,confidence), the most helpful first, and
DIR/page/report.html, on which a person gives them their classes and exports
these; tools/refit.py takes the export. DIR/all is the prediction of all cells.
"""

import argparse
from collections.abc import Sequence

from bm_plugins import cli


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and choose."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/suggest.py cells.bundle slides --number 50 '
        '--out work_dirs/to_label',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('bundle', metavar='BUNDLE', help='by tools/publish.py')
    parser.add_argument('cells', metavar='CELLS', help='as for predict.py')
    parser.add_argument('--out', required=True, metavar='DIR')
    parser.add_argument('--number', type=int, default=50, metavar='N')
    parser.add_argument(
        '--labelled', metavar='CSV', help='path of cells that have a label'
    )
    parser.add_argument(
        '--by',
        choices=('typical', 'uncertain', 'random'),
        default='typical',
        help='cells that are like many others, one of each kind; those '
        'between two classes; or any. Default: typical',
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--um-per-px', metavar='X', help='as for tools/predict.py'
    )
    parser.add_argument('--device', help='cpu, cuda or cuda:1')
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='delete other suggestions in DIR',
    )
    args = parser.parse_args(argv)
    from bm_plugins.apis.prediction.suggest import FILE, suggest
    from bm_plugins.utils.run_manifest import file_facts, write_run_manifest

    done = suggest(**vars(args))
    given = [args.bundle, args.labelled]
    write_run_manifest(
        args.out, inputs=file_facts([file for file in given if file])
    )
    print(f'{done.predicted} cells, in {args.out}: {FILE} page/report.html')


if __name__ == '__main__':
    cli.run(main)
