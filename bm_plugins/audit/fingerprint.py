"""What identifies an image: its bytes, and what it looks like."""

import csv
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass, fields
from functools import partial
from hashlib import sha256
from pathlib import Path

import cv2
import imagehash
from PIL import Image

from ..datasets.image_io import check_workers, decode_image, read_content
from ..errors import InputError, UnreadableImage
from ..progress import Progress


@dataclass(frozen=True)
class Fingerprint:
    """One image file.

    Attributes:
        path (str): Relative to the image folder.
        size (int): Bytes.
        modified (int): When, in nanoseconds.
        sha256 (str): Of the bytes; empty where it cannot be read.
        phash (str): Perceptual hash, 64 bits in hexadecimal; empty likewise.
        fault (str): Why it cannot be read, or empty.
    """

    path: str
    size: int
    modified: int
    sha256: str
    phash: str
    fault: str


COLUMNS = [field.name for field in fields(Fingerprint)]


def fingerprint(
    path: str, folder: str | Path, bits: int | None = None
) -> Fingerprint:
    """Read one image.

    The perceptual hash is ImageHash's ``phash`` (Zauner 2010, section 3.2.1):
    the signs of the 8 × 8 lowest frequencies of the 32 × 32 grey image.

    Args:
        path (str): Path relative to ``folder``.
        folder (str or Path): The image folder.
        bits (int, optional): As for :func:`decode_image`.
    """
    size, modified = _state(path, folder)
    try:
        content = read_content(path, folder)
        image = decode_image(content, bits)
    except UnreadableImage as fault:
        return Fingerprint(path, size, modified, '', '', str(fault))
    grey = Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    return Fingerprint(
        path,
        size,
        modified,
        sha256(content).hexdigest(),
        str(imagehash.phash(grey)),
        '',
    )


def fingerprints(
    paths: Sequence[str],
    folder: str | Path,
    file: Path,
    workers: int = 1,
    bits: int | None = None,
) -> list[Fingerprint]:
    """Read all images, with a progress bar; those known already are not.

    Args:
        paths (Sequence[str]): Paths (N,) relative to ``folder``.
        folder (str or Path): The image folder.
        file (Path): CSV file that keeps each result as it comes, so that the
            next call goes on where this one was stopped.
        workers (int): Number of processes.
        bits (int, optional): As for :func:`decode_image`.

    Returns:
        list[Fingerprint]: One a path (N,).

    Raises:
        InputError: ``file`` cannot be written.
    """
    check_workers(workers)
    known = _read(file)
    for path in paths:
        old = known.get(path)
        if old and (old.size, old.modified) != _state(path, folder):
            del known[path]
    missing = [path for path in paths if path not in known]
    read = partial(fingerprint, folder=folder, bits=bits)
    try:
        new = not file.exists() or not file.stat().st_size
        # A line that a kill cut short must not take the next one with it.
        cut = not new and not file.read_bytes().endswith(b'\n')
        with (
            open(
                file, 'a', newline='', encoding='utf-8', errors='replace'
            ) as stream,
            ProcessPoolExecutor(workers) as pool,
            Progress(len(paths), 'Reading images') as bar,
        ):
            stream.write('\n' if cut else '')
            writer = csv.writer(stream, lineterminator='\n')
            if new:
                writer.writerow(COLUMNS)
            bar.add(len(paths) - len(missing))
            results = pool.map(read, missing, chunksize=32)
            for count, result in enumerate(results):
                known[result.path] = result
                writer.writerow(astuple(result))
                bar.add()
                if count % 256 == 0:
                    stream.flush()
    except OSError as error:
        raise InputError(
            f'cannot write {file}: {error.strerror or error}. Make room, or '
            'name another folder by --out; the same command goes on.'
        ) from error
    return [known[path] for path in paths]


def _state(path: str, folder: str | Path) -> tuple[int, int]:
    """Size and time of change, which tell whether a file is the same."""
    try:
        stat = os.stat(os.path.join(folder, path))
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def _read(file: Path) -> dict[str, Fingerprint]:
    """What an earlier call found; lines that are not whole are passed over."""
    if not file.is_file():
        return {}
    found = {}
    with open(file, newline='', encoding='utf-8', errors='replace') as stream:
        rows = csv.reader(stream)
        if (header := next(rows, [])) and header != COLUMNS:
            raise InputError(
                f'{file} is not what this tool writes; expected the columns '
                f'{",".join(COLUMNS)}. Remove it, or name another --out.'
            )
        for row in rows:
            whole = len(row) == len(COLUMNS) and (
                row[5] or (len(row[3]), len(row[4])) == (64, 16)
            )
            if whole and row[1].isdecimal() and row[2].isdecimal():
                path, size, modified, *rest = row
                found[path] = Fingerprint(
                    path, int(size), int(modified), *rest
                )
    return found
