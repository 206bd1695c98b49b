#!/usr/bin/env python3
"""Teach a bundle a person's labels: corrections, or a class that is new to it.

CSV has the columns path,label: what report.html exports, or some 10 images of
a new class. The backbone stays, the classifier is fitted anew, which takes
seconds. FILE is a bundle like any other: temperature and sets are calibrated
anew, and the figures before and after, on cells that the classifier was not
fitted to, are printed and stand in its model card.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from bm_plugins import cli
from bm_plugins.errors import InputError

EPILOG = """\
example: tools/refit.py cells.bundle --labels corrections.csv \\
             --cells slides/patient_7 --out refitted.bundle
         tools/refit.py cells.bundle --labels hairy_cells/labels.csv \\
             --new-class HAC 'Hairy cells' --out refitted.bundle
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Refit a bundle, write it, and print what became better or worse."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('bundle', metavar='BUNDLE', help='by tools/publish.py')
    parser.add_argument('--labels', metavar='CSV', type=Path, required=True)
    parser.add_argument('--out', metavar='FILE', type=Path, required=True)
    parser.add_argument(
        '--cells',
        metavar='CELLS',
        help='what the paths are names in, as tools/predict.py had it; '
        'default: they are relative to CSV',
    )
    parser.add_argument(
        '--new-class',
        nargs=2,
        metavar=('CODE', 'NAME'),
        action='append',
        default=[],
        help='a class that the bundle does not know; may be repeated',
    )
    parser.add_argument(
        '--um-per-px', metavar='X', help='as for tools/predict.py'
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=min(8, len(os.sched_getaffinity(0))),
        metavar='N',
        help='threads that read images',
    )
    parser.add_argument('--device', help='cpu, cuda or cuda:1')
    args = parser.parse_args(argv)
    for given in (Path(args.bundle), args.labels):
        if args.out.resolve() == given.resolve():
            raise InputError(f'--out {args.out} is given, too. Name another.')
    if args.workers < 0:
        raise InputError(f'--workers {args.workers}: expected 0 or more.')
    codes = [code for code, _ in args.new_class]
    if len({*codes}) < len(codes):
        raise InputError('--new-class has a code twice. Keep one.')
    from bm_plugins.apis.bundle.bundle_file import save_bundle
    from bm_plugins.apis.refitting.refit import refit, rows_of, worse
    from bm_plugins.utils.files import check_output

    check_output(args.out)
    bundle = refit(
        args.bundle,
        args.labels,
        dict(args.new_class),
        args.cells,
        args.um_per_px,
        args.workers,
        args.device,
    )
    digest = save_bundle(bundle, args.out)
    print(f'{"":29} {"before":23} now')
    for code, score, before, now in rows_of(bundle):
        print(f'{code:8} {score:20} {str(before or "–"):23} {now}  n {now.n}')
    for text in worse(bundle):
        print(f'warning: {text}')
    for caution in bundle.info['cautions']:
        print(f'caution: {caution}')
    size = args.out.stat().st_size / 2**20
    print(f'Written to {args.out}: {size:.1f} MiB, SHA-256 {digest[:16]}.')


if __name__ == '__main__':
    cli.run(main)
