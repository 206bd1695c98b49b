"""Images that differ in their bytes and hardly in what they show."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import imagehash
import numpy as np
from PIL import Image

from bm_plugins.datasets.image_io import read_image
from bm_plugins.utils.progress import track

from .fingerprint import SIDE, small_grey

MIN_LIKENESS = 0.76  # correlation of two spectra
MAX_SHIFT = SIDE // 8  # pixels of the small image, each way
TURNS = ('', 'rot90', 'rot180', 'rot270') + tuple(
    f'flip{turn}' for turn in ('', '-rot90', '-rot180', '-rot270')
)


WINDOW = np.outer(np.hanning(SIDE), np.hanning(SIDE)).astype(np.float32)
WAVES = np.fft.rfftfreq(SIDE) ** 2 + np.fft.fftfreq(SIDE)[:, None] ** 2
BLUR = np.exp(-2 * np.pi**2 * WAVES).astype(np.float32)  # by one pixel
TOO_FAR = np.abs(np.fft.fftfreq(SIDE, 1 / SIDE)) > MAX_SHIFT


@dataclass(frozen=True)
class Pair:
    """Two images that are the same or nearly so.

    Attributes:
        one, two (int): Their rows.
        distance (int): Bits in which their perceptual hashes differ.
        correlation (float): Of their grey pixels.
        turned (str): What makes the second one lie as the first does: empty,
            or ``flip`` for left to right, then by how many degrees it is
            turned counter-clockwise, as ``flip-rot90``.
        shift (tuple[float, float]): And then by how much of its width and
            height it moves to the right and down.
        kind (str): ``near`` or ``exact`` (the same bytes).
    """

    one: int
    two: int
    distance: int
    correlation: float
    turned: str = ''
    shift: tuple[float, float] = (0.0, 0.0)
    kind: str = 'near'


def near_pairs(
    paths: Sequence[str],
    hashes: Sequence[str],
    spectra: Sequence[str],
    folder: str | Path,
    max_distance: int = 8,
    min_correlation: float = 0.95,
    bits: int | None = None,
) -> Iterator[Pair]:
    """Pairs of images that are alike, by hash and then by pixels.

    All pairs are compared by Hamming distance; those within ``max_distance``
    by Pearson's correlation of their grey images at 64 × 64 pixels, which no
    change of brightness or contrast lowers. All pairs are compared by their
    spectra, too, which know no orientation; those that are alike are laid
    upon each other, and what both show is compared by hash and pixels.

    Args:
        paths (Sequence[str]): Paths (N,) relative to ``folder``.
        hashes (Sequence[str]): Their perceptual hashes of 64 bits.
        spectra (Sequence[str]): Their spectra.
        folder (str or Path): The image folder.
        max_distance (int): Bits in which the hashes may differ.
        min_correlation (float): Least correlation of the pixels.
        bits (int, optional): As for :func:`read_image`.

    Yields:
        Pair: Each pair once.
    """
    if len(paths) < 2:
        return

    @lru_cache(maxsize=80_000)  # 330 MB at most
    def pixels(row: int) -> np.ndarray:
        return small_grey(read_image(paths[row], folder, bits))

    found = set()
    for one, two, distance in _close_hashes(hashes, max_distance):
        alike = correlation(pixels(one), pixels(two))
        if alike >= min_correlation:
            found.add((one, two))
            yield Pair(one, two, distance, alike)
    for one, two, _ in _close_spectra(spectra):
        if (one, two) not in found:
            turned, shift, parts = lay_upon(pixels(one), pixels(two))
            alike = correlation(*parts)
            if alike >= min_correlation:
                distance = int(_phash(parts[0]) - _phash(parts[1]))
                if distance <= max_distance:
                    yield Pair(one, two, distance, alike, turned, shift)


def correlation(one: np.ndarray, two: np.ndarray) -> float:
    """Pearson's, of two grey images (H, W); 0 where one is blank."""
    one, two = (x.astype(np.float32) - x.mean() for x in (one, two))
    norm = float(np.linalg.norm(one) * np.linalg.norm(two))
    return float((one * two).sum()) / max(norm, 1e-6)


def _phash(grey: np.ndarray) -> imagehash.ImageHash:
    return imagehash.phash(Image.fromarray(grey))


def turn(image: np.ndarray, turned: str) -> np.ndarray:
    """Turn an image (H, W) as one of ``TURNS`` says."""
    number = TURNS.index(turned)
    image = image[:, ::-1] if number > 3 else image
    return np.ascontiguousarray(np.rot90(image, number % 4))


def lay_upon(
    one: np.ndarray, two: np.ndarray
) -> tuple[str, tuple[float, float], tuple[np.ndarray, np.ndarray]]:
    """Turn and shift the second grey image (64, 64) to lie on the first.

    Returns:
        tuple: How it is turned, its shift in parts of width and height, and
        what both show: two images (H, W) of up to 64 × 64 pixels.
    """
    stack = np.stack([one, *(turn(two, turned) for turned in TURNS)])
    mean = stack.mean((1, 2), dtype=np.float32, keepdims=True)
    first, *others = np.fft.rfft2((stack - mean) * WINDOW)
    product = first * np.conj(others)
    # The phases alone, blurred: a peak that is a Gaussian one pixel wide.
    peaks = np.fft.irfft2(product * BLUR / (np.abs(product) + 1e-3))
    peaks[:, TOO_FAR], peaks[:, :, TOO_FAR] = -1, -1
    number, *at = np.unravel_index(peaks.argmax(), peaks.shape)
    y, x = _refined(peaks[number], at)
    moved = cv2.warpAffine(
        stack[1 + number],
        np.float32([[1, 0, x], [0, 1, y]]),
        (SIDE, SIDE),
        borderMode=cv2.BORDER_REPLICATE,
    )
    # A pixel more: those at an edge are in part what lies beyond.
    shared = tuple(
        slice(max(0, int(np.ceil(d))) + 1, SIDE + min(0, int(np.floor(d))) - 1)
        for d in (y, x)
    )
    parts = one[shared], moved[shared]
    return TURNS[number], (x / SIDE, y / SIDE), parts


def _refined(peaks: np.ndarray, at: Sequence[int]) -> tuple[float, float]:
    """Where a Gaussian through a peak and its neighbours has its centre."""
    y, x = at
    near = np.arange(-1, 2)
    shift = []
    for place, values in (
        (y, peaks[(y + near) % SIDE, x]),
        (x, peaks[y, (x + near) % SIDE]),
    ):
        low, top, high = np.log(np.maximum(values, 1e-6))
        part = (high - low) / 2 / max(2 * top - low - high, 1e-6)
        centre = (place + SIDE // 2) % SIDE - SIDE // 2
        shift.append(float(centre + np.clip(part, -0.5, 0.5)))
    return tuple(shift)


def _close_hashes(
    hashes: Sequence[str], max_distance: int
) -> Iterator[tuple[int, int, int]]:
    """Rows of hashes within a Hamming distance, each pair once.

    With bits as ±1 the product of two hashes is 64 - 2 · distance.
    """
    raw = np.frombuffer(bytes.fromhex(''.join(hashes)), np.uint8)
    bits = np.unpackbits(raw).reshape(len(hashes), -1)
    signs = bits.astype(np.float32) * 2 - 1
    width = signs.shape[1]
    least = width - 2 * max_distance
    for one, two, product in _close(signs, least, 'Comparing hashes'):
        yield one, two, round((width - product) / 2)


def _close_spectra(
    spectra: Sequence[str], least: float = MIN_LIKENESS
) -> Iterator[tuple[int, int, float]]:
    """Rows of spectra that correlate, each pair once."""
    raw = np.frombuffer(''.join(spectra).encode(), np.uint8)
    digits = np.where(raw < ord('a'), raw - ord('0'), raw - ord('a') + 10)
    values = digits.reshape(len(spectra), -1).astype(np.float32) - 7.5
    values -= values.mean(1, keepdims=True)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 10)
    return _close(values, least, 'Comparing spectra')


def _close(
    rows: np.ndarray,
    least: float,
    title: str,
    tile: tuple[int, int] = (1024, 2048),
) -> Iterator[tuple[int, int, float]]:
    """Pairs of rows whose product is large.

    One matrix product compares a tile of rows with one of columns, which the
    processor's cache holds: N² / 2 · width multiplications.
    """
    height, width = tile
    for start in track(range(0, len(rows), height), title, what='blocks'):
        some = rows[start : start + height]
        for other in range(start, len(rows), width):
            product = some @ rows[other : other + width].T
            if product.max() < least:
                continue
            for i, j in np.argwhere(product >= least):
                one, two = int(start + i), int(other + j)
                if one < two:
                    yield one, two, float(product[i, j])
