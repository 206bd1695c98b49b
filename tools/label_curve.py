#!/usr/bin/env python3
"""What labels buy: routes to a classifier at several numbers of labels.

A route is NAME=F.h5, features of tools/extract_features.py on which a linear
classifier is fitted, or NAME=CONFIG, a supervised config that is trained.
Each gets the same labels: N of each class, drawn several times, the fewer
among the more. Finished runs are kept and interrupted ones resumed.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from bm_plugins import cli
from bm_plugins.errors import InputError

ROOT = Path(__file__).resolve().parents[1]


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is missing, then write table and picture."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/label_curve.py untrained=untrained.h5 '
        'swav=swav.h5 --labels 1 5 all --draws 2 --out work_dirs/labels',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('routes', nargs='+', metavar='NAME=SOURCE')
    parser.add_argument('--out', required=True, type=Path, metavar='DIR')
    parser.add_argument(
        '--labels',
        nargs='+',
        default=['1', '2', '5', '10', '20', '50', 'all'],
        metavar='N',
        help='of each class, or all; default: 1 2 5 10 20 50 all',
    )
    parser.add_argument(
        '--draws', type=int, default=5, help='of the labels; default 5'
    )
    parser.add_argument(
        '--gpus',
        type=int,
        default=2,
        help='of a training, or processes where there is none; default 2',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='of the trainings',
    )
    args = parser.parse_args(argv)
    if args.draws < 1 or args.gpus < 1:
        raise InputError('--draws and --gpus: expected 1 or more.')
    # The trainings start in the project's folder.
    args.out = args.out.resolve()
    if 'BM_DATA_ROOT' in os.environ:
        os.environ['BM_DATA_ROOT'] = os.path.abspath(
            os.environ['BM_DATA_ROOT']
        )
    routes = dict(map(route, args.routes))
    if len(routes) < len(args.routes):
        raise InputError('two routes have the same name; give each its own.')
    budgets = [*dict.fromkeys(map(budget, args.labels))]
    from bm_plugins.experiments.label_curve import run_routes
    from bm_plugins.report.runs.label_curve import curve_table, points_of
    from bm_plugins.utils.run_manifest import file_facts, write_run_manifest
    from bm_plugins.visualization.canvas import save
    from bm_plugins.visualization.label_curve import label_curve_picture

    runs = run_routes(
        routes,
        budgets,
        args.draws,
        args.out,
        ROOT,
        args.gpus,
        args.cfg_options,
    )
    points = points_of(runs)
    table = curve_table(points, args.draws)
    (args.out / 'label_curve.md').write_text(table, encoding='utf-8')
    first = next(iter(runs.values()))[0]
    said = f'{len(first.paths)} test images; bands: 95 % intervals'
    save(label_curve_picture(points, said), args.out / 'label_curve.png')
    files = [source for source in routes.values() if source.endswith('.h5')]
    write_run_manifest(args.out, inputs=file_facts(files))
    print(f'\n{table}\nIn {args.out}: label_curve.md label_curve.png')


def route(text: str) -> tuple[str, str]:
    """Name and source."""
    name, equals, source = text.partition('=')
    plain = name.replace('-', '').replace('_', '').isalnum()
    known = source.endswith(('.h5', '.py')) and Path(source).is_file()
    if not (plain and equals and known):
        raise InputError(
            f'{text}: expected NAME=F.h5 or NAME=CONFIG.py, a name of '
            'letters, digits, - and _, and a file that exists.'
        )
    return name, os.path.abspath(source)


def budget(text: str) -> int | None:
    """Labels of each class; None for all."""
    if text == 'all':
        return None
    if not text.isdecimal() or not int(text):
        raise InputError(f'--labels {text}: expected a number, or all.')
    return int(text)


if __name__ == '__main__':
    cli.run(main)
