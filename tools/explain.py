#!/usr/bin/env python3
"""Look inside: why a model suggests a class for single cells.

Writes DIR/explain.html, one file to open in a browser: each cell with a heat
map over it (Grad-CAM, or attention rollout of a vision transformer), its most
probable classes, and the training cells that look most like it to the
network; and DIR/nearest.csv with the latter. For a few chosen cells; a whole
folder is for tools/predict.py.
"""

import argparse
import time
from collections.abc import Sequence

from bm_plugins import cli


def main(argv: Sequence[str] | None = None) -> None:
    """Read bundle and cells, explain them and write page and table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/explain.py marrow.bundle cells/a.jpg '
        'cells/b.jpg --out looks',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('bundle', metavar='BUNDLE', help='of tools/publish.py')
    parser.add_argument('cells', metavar='CELL', nargs='+', help='image files')
    parser.add_argument('--out', metavar='DIR', required=True)
    parser.add_argument(
        '--class',
        dest='code',
        metavar='CODE',
        help='class of the heat maps (default: the most probable)',
    )
    parser.add_argument(
        '--nearest',
        type=int,
        default=6,
        help='training cells to show for each (default: %(default)s)',
    )
    parser.add_argument(
        '--um-per-px',
        metavar='X',
        help='of the images, as for tools/predict.py',
    )
    args = parser.parse_args(argv)
    from bm_plugins.apis.bundle.bundle_file import load_bundle
    from bm_plugins.apis.explanation.explain import explain
    from bm_plugins.apis.explanation.page import write_nearest, write_page
    from bm_plugins.utils.environment import need_packages
    from bm_plugins.utils.files import make_folder
    from bm_plugins.utils.progress import track
    from bm_plugins.utils.run_manifest import file_facts, write_run_manifest

    need_packages('tools/explain.py', 'captum')
    bundle = load_bundle(args.bundle)
    folder = make_folder(args.out)
    start = time.perf_counter()
    options = (args.code, args.nearest, args.um_per_px)
    looks = explain(bundle, args.cells, *options)
    cells = [*track(looks, 'Explaining', len(args.cells), 'cells')]
    seconds = time.perf_counter() - start
    write_nearest(cells, bundle, folder / 'nearest.csv')
    write_page(cells, bundle, folder / 'explain.html')
    write_run_manifest(folder, inputs=file_facts([args.bundle, *args.cells]))
    number = f'{len(cells)} cell{"s" * (len(cells) > 1)}'
    print(
        f'{number} in {seconds:.1f} s. Written to '
        f'{folder / "explain.html"} and {folder / "nearest.csv"}.'
    )


if __name__ == '__main__':
    cli.run(main)
