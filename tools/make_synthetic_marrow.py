#!/usr/bin/env python3
"""Draw a synthetic marrow-cell collection in the layout of Matek et al. 2021.

It lets you try everything without the real release: 21 classes, 250x250
pixel JPEG, long-tailed. The same OUT, --images and --seed give the same bytes
whatever the workers; a complete collection is left as it is.
"""

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bm_plugins import cli
from bm_plugins.errors import InputError


def main(argv: Sequence[str] | None = None) -> None:
    """Draw what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: tools/make_synthetic_marrow.py data/synthetic '
        '--images 2000 --seed 0',
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument('out', nargs='?', type=Path, help='new data root')
    whole = dict(type=int, metavar='N', help='(default: %(default)s)')
    parser.add_argument('--images', default=2000, **whole)
    parser.add_argument('--seed', default=0, **whole)
    parser.add_argument('--workers', default=1, **whole)
    parser.add_argument(
        '--contact-sheet',
        type=Path,
        metavar='FILE',
        help='picture of four cells a class; OUT may be left out then',
    )
    args = parser.parse_args(argv)
    if args.out is None and args.contact_sheet is None:
        parser.error('give OUT, --contact-sheet FILE, or both')
    import cv2

    cv2.setNumThreads(1)
    try:
        if args.out is not None:
            make_collection(args.out, args.images, args.seed, args.workers)
        if args.contact_sheet is not None:
            save_contact_sheet(args.contact_sheet, args.seed)
    except OSError as error:
        raise InputError(str(error)) from error


def make_collection(out: Path, images: int, seed: int, workers: int) -> None:
    """Draw a collection, unless it is there already.

    Args:
        out (Path): Data root: new, empty, or one that this tool made.
        images (int): Images in all.
        seed (int): Seed of all images.
        workers (int): Threads.

    Raises:
        InputError: An argument is out of range, or ``out`` holds other files.
    """
    if seed < 0 or workers < 1:
        raise InputError('--seed must be 0 or more, --workers 1 or more.')
    from bm_plugins.datasets.synthetic.collection import (
        IMAGE_FOLDER,
        MARKER,
        VERSION,
        class_counts,
        encode_cell,
        image_path,
    )
    from bm_plugins.utils.progress import track

    counts = class_counts(images)
    wanted = {
        image_path(code, number, count): (seed, code, number)
        for code, count in counts.items()
        for number in range(1, count + 1)
    }
    settings = dict(images=images, seed=seed, version=VERSION)
    if is_complete(out, settings, set(wanted)):
        print(f'{out} already holds these {images} images; nothing to do.')
        return

    def write(path: str) -> None:
        (out / path).write_bytes(encode_cell(*wanted[path]))

    for folder in {(out / path).parent for path in wanted}:
        folder.mkdir(parents=True, exist_ok=True)
    marker = out / MARKER
    marker.write_text(json.dumps(dict(settings, complete=False)) + '\n')
    with ThreadPoolExecutor(workers) as pool:
        done = track(
            pool.map(write, wanted),
            'Drawing cells',
            images,
            'cells',
        )
        try:
            for _ in done:
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    marker.write_text(json.dumps(dict(settings, complete=True)) + '\n')
    print(
        f'Drew {images} images of {len(counts)} classes, '
        f'{min(counts.values())} to {max(counts.values())} a class, '
        f'into {out / IMAGE_FOLDER}'
    )


def is_complete(out: Path, settings: dict, wanted: set[str]) -> bool:
    """Whether all images are there, or may be drawn there.

    Args:
        out (Path): Data root.
        settings (dict): What the collection is to be made with.
        wanted (set[str]): Paths of all images, relative to ``out``.

    Returns:
        bool: True if complete; False if new, empty or interrupted.

    Raises:
        InputError: ``out`` is a file or holds something else.
    """
    from bm_plugins.datasets.synthetic.collection import IMAGE_FOLDER, MARKER

    marker = out / MARKER
    if out.exists() and not out.is_dir():
        raise InputError(f'{out} is a file; give a new folder.')
    if not marker.is_file():
        for other in sorted(out.iterdir()) if out.is_dir() else ():
            raise InputError(
                f'{out} holds files that this tool did not make '
                f'({other.name}, for one); give a new or empty folder.'
            )
        return False
    try:
        found = json.loads(marker.read_text())
        complete = found.pop('complete')
    except (ValueError, AttributeError, KeyError):
        raise InputError(
            f'{marker} is damaged; delete {out} or give a new folder.'
        ) from None
    if found != settings:
        raise InputError(
            f'{out} holds a collection made with '
            + ', '.join(f'{key} {value}' for key, value in found.items())
            + '; wanted are '
            + ', '.join(f'{key} {value}' for key, value in settings.items())
            + '. Give a new folder, or delete this one.'
        )
    present = {
        path.relative_to(out).as_posix()
        for path in (out / IMAGE_FOLDER).rglob('*')
        if not path.is_dir()
    }
    if present - wanted:
        raise InputError(
            f'{out / min(present - wanted)} is not of this collection; move '
            'it away or give a new folder.'
        )
    return complete and present == wanted


def save_contact_sheet(file: Path, seed: int, side: int = 72) -> None:
    """Save a picture of the first four cells of each class, with its code.

    Args:
        file (Path): Picture to write; its suffix names the format.
        seed (int): Seed of the images.
        side (int): Pixels a side of a cell. Defaults to 72.

    Raises:
        InputError: The suffix is no picture format, or no such folder.
    """
    import cv2
    import numpy as np

    from bm_plugins.datasets.matek_classes import CLASSES
    from bm_plugins.datasets.synthetic.collection import draw_cell

    strips = []
    for code in CLASSES:
        label = np.full((side, 48, 3), 255, np.uint8)
        place = (6, side // 2 + 5)
        cv2.putText(label, code, place, 0, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
        cells = [
            cv2.resize(
                draw_cell(seed, code, number)[..., ::-1],
                (side, side),
                interpolation=cv2.INTER_AREA,
            )
            for number in range(1, 5)
        ]
        # Fewer tones make a much smaller PNG.
        strips.append(np.hstack([label, np.hstack(cells) & 0xF8 | 4]))
    sheet = np.hstack([np.vstack(strips[i : i + 7]) for i in (0, 7, 14)])
    try:
        written = cv2.imwrite(str(file), sheet)
    except cv2.error:
        written = False
    if not written:
        raise InputError(
            f'cannot write {file}; give a .png or .jpg file in an existing '
            'folder.'
        )
    print(f'Wrote {file}')


if __name__ == '__main__':
    cli.run(main)
