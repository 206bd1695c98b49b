#!/usr/bin/env python3
"""Find unreadable and duplicate images of a collection.

  tools/audit.py data/matek --out work_dirs/audit
  tools/prepare_matek.py data/matek --overwrite \\
      --groups work_dirs/audit/duplicates.csv   # keeps each group in one part

Exact duplicates have the same bytes; near ones look alike, by perceptual hash
and by pixels, as they lie or turned by 90, 180 or 270 degrees, mirrored and
shifted a little. Parts and folds are those of DATA_ROOT/split.csv, if it
is there. The same command goes on where it was stopped.

Leaves DIR/audit.html, unreadable.csv (path,reason), duplicates.csv
(path,group,kind,label,split,fold), pairs.csv and fingerprints.csv.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from bm_plugins import cli


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments, look at the images and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/audit.py data/matek --out work_dirs/audit',
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument('data_root', help='folder of the collection')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR')
    parser.add_argument(
        '--classes',
        nargs='+',
        metavar='CODE',
        help='your own class folders; the default is the 21 of the release',
    )
    parser.add_argument('--workers', type=int, default=os.cpu_count())
    parser.add_argument(
        '--max-distance',
        type=int,
        default=8,
        help='bits of 64 in which near duplicates may differ (default 8)',
    )
    parser.add_argument(
        '--min-correlation',
        type=float,
        default=0.95,
        help='of the pixels of near duplicates (default 0.95)',
    )
    args = parser.parse_args(argv)
    from bm_plugins.datasets.audit.audit import audit, summary
    from bm_plugins.datasets.audit.page import write_page
    from bm_plugins.datasets.matek_classes import CLASSES
    from bm_plugins.utils.run_manifest import write_run_manifest

    result = audit(
        args.data_root,
        args.out,
        tuple(args.classes or CLASSES),
        args.workers,
        args.max_distance,
        args.min_correlation,
    )
    write_page(result, args.out / 'audit.html')
    write_run_manifest(args.out, data=dict(images=len(result.images)))
    for name, count in summary(result):
        print(f'{name:36}{count:8}')
    print(
        f'Written to {args.out}: audit.html unreadable.csv duplicates.csv '
        'pairs.csv'
    )


if __name__ == '__main__':
    cli.run(main)
