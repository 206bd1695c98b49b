"""Images that differ in their bytes and hardly in what they show."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from ..datasets.image_io import read_image
from ..progress import track

SIDE = 64  # pixels that are compared, a side


def near_pairs(
    paths: Sequence[str],
    hashes: Sequence[str],
    folder: str | Path,
    max_distance: int = 8,
    min_correlation: float = 0.95,
    bits: int | None = None,
) -> Iterator[tuple[int, int, int, float]]:
    """Pairs of images that are alike, by hash and then by pixels.

    All pairs are compared by Hamming distance; those within ``max_distance``
    by Pearson's correlation of their grey images at 64 × 64 pixels, which no
    change of brightness or contrast lowers.

    Args:
        paths (Sequence[str]): Paths (N,) relative to ``folder``.
        hashes (Sequence[str]): Their perceptual hashes of 64 bits.
        folder (str or Path): The image folder.
        max_distance (int): Bits in which the hashes may differ.
        min_correlation (float): Least correlation of the pixels.
        bits (int, optional): As for :func:`read_image`.

    Yields:
        tuple[int, int, int, float]: Two rows, their distance and correlation.
    """

    @lru_cache(maxsize=20_000)  # 330 MB at most
    def pixels(row: int) -> np.ndarray:
        return standardised(read_image(paths[row], folder, bits))

    for one, two, distance in _close_hashes(hashes, max_distance):
        correlation = float(pixels(one) @ pixels(two))
        if correlation >= min_correlation:
            yield one, two, distance, correlation


def standardised(image: np.ndarray) -> np.ndarray:
    """Grey pixels (4096,) of mean 0 and norm 1; all 0 for a blank image."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    values = small.astype(np.float32).ravel()
    values -= values.mean()
    return values / max(float(np.linalg.norm(values)), 1e-6)


def _close_hashes(
    hashes: Sequence[str], max_distance: int, block: int = 256
) -> Iterator[tuple[int, int, int]]:
    """Rows of hashes within a Hamming distance, each pair once.

    With bits as ±1 the product of two hashes is 64 - 2 · distance, so that
    one matrix product compares a block with all others: N² / 2 · 64
    multiplications, half a minute for 171,374 on two cores.
    """
    raw = np.frombuffer(bytes.fromhex(''.join(hashes)), np.uint8)
    bits = np.unpackbits(raw).reshape(len(hashes), -1)
    signs = bits.astype(np.float32) * 2 - 1
    width = signs.shape[1]
    starts = range(0, len(signs), block)
    for start in track(starts, 'Comparing hashes', what='blocks'):
        rows = signs[start : start + block]
        product = rows @ signs[start:].T
        near = np.argwhere(product >= width - 2 * max_distance)
        for one, two in near[near[:, 0] < near[:, 1]]:
            distance = round((width - float(product[one, two])) / 2)
            yield int(start + one), int(start + two), distance
