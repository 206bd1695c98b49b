#!/usr/bin/env python3
"""Put all images of a collection into one file that reads fast."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from bm_plugins import cli
from bm_plugins.choices import PACK_KINDS
from bm_plugins.errors import InputError


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/pack.py data/matek --kind decoded',
    )
    parser.add_argument('data_root', help='folder of the collection')
    parser.add_argument(
        '--kind',
        choices=PACK_KINDS,
        default='jpeg',
        help='the files as they are, or their pixels (some 5 times the size)',
    )
    parser.add_argument('--manifest', help='defaults to DATA_ROOT/split.csv')
    parser.add_argument(
        '--output-dir',
        help='folder of the file, for a data root that is read-only; a '
        "config's cache_dir. Defaults to that of the manifest",
    )
    parser.add_argument(
        '--check',
        action='store_true',
        help='build nothing; read all of the file and compare its hashes',
    )
    args = parser.parse_args(argv)
    import numpy as np

    from bm_plugins.datasets.image_cache.pack_building import (
        find_pack,
        open_pack,
        pack_file,
    )
    from bm_plugins.datasets.layout import existing_image_folder
    from bm_plugins.datasets.manifest import bits_of, read_manifest

    folder = os.path.abspath(existing_image_folder(args.data_root))
    manifest = args.manifest or Path(args.data_root, 'split.csv')
    paths, *_ = read_manifest(manifest, with_label=False, folder=folder)
    bits = bits_of(manifest, paths, folder)
    file = pack_file(manifest, args.kind, args.output_dir)
    if args.check:
        pack, reason = find_pack(file, args.kind, paths, folder, bits)
        if pack is None:
            raise InputError(
                f'{file} cannot be used: {reason} Build it by leaving out '
                '--check.'
            )
        pack.check(paths)
    else:
        pack = open_pack(file, args.kind, paths, folder, bits)
    bad = np.flatnonzero(pack.index['length'] < 0)
    for row in bad[:20]:
        print(f'  cannot be read: {paths[row]}')
    if len(bad) > 20:
        print(f'  and {len(bad) - 20} more')
    print(
        f'{file} is {"whole" if args.check else "ready"}: {len(pack)} images, '
        f'{len(bad)} of them unreadable, {pack.header["bytes"] / 1e6:.1f} MB'
    )
    set_to = f'cache={args.kind}'
    if args.output_dir:
        set_to += f' train_dataloader.dataset.cache_dir={args.output_dir}'
    print(f'Read it by --cfg-options train_dataloader.dataset.{set_to}')


if __name__ == '__main__':
    cli.run(main)
