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
import numpy as np
from PIL import Image

from bm_plugins.datasets.image_io import (
    check_workers,
    decode_image,
    read_content,
)
from bm_plugins.errors import InputError, UnreadableImage
from bm_plugins.utils.progress import Progress

SIDE = 64  # pixels a side of the small image, of which the spectrum is taken
RADIUS = 22  # highest frequency of the spectrum, in waves a side
# Of what turns and mirrors make of one frequency, the first stands for all.
ACROSS, DOWN = np.meshgrid(np.arange(RADIUS + 1), np.arange(RADIUS + 1))
KEPT = (ACROSS >= DOWN) & (ACROSS > 0) & (np.hypot(ACROSS, DOWN) <= RADIUS)
VALUES = int(KEPT.sum())
_radius = np.hypot(ACROSS, DOWN)[KEPT]
COURSE, _ = np.linalg.qr(
    np.stack([np.ones(VALUES), np.log(_radius), _radius], 1)
)


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
        spectrum (str): Of :func:`spectrum`; empty where it cannot be read.
    """

    path: str
    size: int
    modified: int
    sha256: str
    phash: str
    fault: str
    spectrum: str


COLUMNS = [field.name for field in fields(Fingerprint)]


def fingerprint(
    path: str, folder: str | Path, bits: int | None = None
) -> Fingerprint:
    """Read one image, ``path`` relative to ``folder``.

    The perceptual hash is ImageHash's ``phash`` (Zauner 2010, section 3.2.1):
    the signs of the 8 × 8 lowest frequencies of the 32 × 32 grey image.
    """
    size, modified = _state(path, folder)
    try:
        content = read_content(path, folder)
        image = decode_image(content, bits)
    except UnreadableImage as fault:
        return Fingerprint(path, size, modified, '', '', str(fault), '')
    grey = Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    return Fingerprint(
        path,
        size,
        modified,
        sha256(content).hexdigest(),
        str(imagehash.phash(grey)),
        '',
        spectrum(small_grey(image)),
    )


def small_grey(image: np.ndarray) -> np.ndarray:
    """Grey pixels (64, 64) of an image (H, W, 3) in BGR."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def spectrum(grey: np.ndarray) -> str:
    """What quarter turns, mirrors and small shifts leave as it is.

    The logarithms of the Fourier magnitudes of grey pixels (64, 64), which a
    shift hardly changes, each the mean of the frequencies that turns and
    mirrors exchange, less the mean course over the radius, which all images
    share. A hexadecimal digit a frequency (208,), of mean 7.5 and standard
    deviation 3; all 7 or 8 for a blank image.
    """
    window = np.sin((np.arange(SIDE) + 0.5) * np.pi / SIDE) ** 1.5
    window = np.outer(window, window)
    values = (grey - (grey * window).sum() / window.sum()) * window
    half = np.abs(np.fft.rfft2(values))[:, : RADIUS + 1]
    both = half[: RADIUS + 1] + half[-np.arange(RADIUS + 1)]
    values = np.log((both + both.T)[KEPT] + SIDE / 16)  # of noise alone: 4
    values -= COURSE @ (COURSE.T @ values)
    values *= 3 / max(values.std(), 1e-6)
    digits = np.clip(np.floor(values + 8), 0, 15).astype(int)
    return ''.join(f'{digit:x}' for digit in digits)


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
        # A fault may be of access, or of the range of the other files.
        if old and (
            old.fault or (old.size, old.modified) != _state(path, folder)
        ):
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
                f'{file} is of an earlier version or not what this tool '
                f'writes; expected the columns {",".join(COLUMNS)}. Remove '
                'it, so that the images are read anew, or name another --out.'
            )
        for row in rows:
            whole = len(row) == len(COLUMNS) and (
                row[5] or [len(row[i]) for i in (3, 4, 6)] == [64, 16, VALUES]
            )
            if whole and row[1].isdecimal() and row[2].isdecimal():
                path, size, modified, *rest = row
                found[path] = Fingerprint(
                    path, int(size), int(modified), *rest
                )
    return found
