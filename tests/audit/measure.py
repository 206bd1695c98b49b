"""Which copies of real cells the audit finds: the table in docs/audit.md.

  python tests/audit/measure.py data/matek

Compares all pairs of (at most 2000) images, and 200 of them with themselves
after a change.
"""

import sys
from pathlib import Path

import cv2
import imagehash
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bm_plugins.audit.near_duplicates import standardised  # noqa: E402
from bm_plugins.datasets.layout import (  # noqa: E402
    find_image_folder,
    list_images,
)
from tests.audit.planted import changed  # noqa: E402

CHANGES = {
    'compressed': 'JPEG quality 30',
    'smaller': 'resized to 128 px',
    'darker': '15 % darker',
    'brighter': '10 % brighter, clipped',
    'grey': 'grey',
    'trimmed': '3 px cut off each side',
    'trimmed 10': '10 px cut off each side',
    'shifted': 'shifted by 3 px both ways',
    'shifted 6': 'shifted by 6 px both ways',
}


def phash(image: np.ndarray) -> int:
    """The perceptual hash as a number."""
    grey = Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    return int(str(imagehash.phash(grey)), 16)


def main(data_root: str) -> None:
    """Print the figures."""
    folder = find_image_folder(data_root)
    rng = np.random.default_rng(0)
    paths = list_images(folder)[0]
    chosen = sorted(rng.permutation(len(paths))[:2000])
    images = [cv2.imread(str(folder / paths[row])) for row in chosen]
    hashes = np.array([phash(image) for image in images], np.uint64)
    pixels = np.stack([standardised(image) for image in images])
    upper = np.triu_indices(len(images), 1)
    bits = np.unpackbits(hashes.view(np.uint8).reshape(-1, 8), axis=1)
    bits = bits.astype(np.float32)
    distance = bits @ (1 - bits).T
    distance = (distance + distance.T)[upper]
    correlation = (pixels @ pixels.T)[upper]
    print(
        f'{len(distance)} pairs of {len(images)} images: hashes within 6 '
        f'bits: {(distance <= 6).sum()}, within 8: {(distance <= 8).sum()}; '
        f'highest correlation {correlation.max():.3f}, of those within 8 '
        f'{correlation[distance <= 8].max(initial=-1):.3f}\n'
    )
    print('| change | hash distance, 95 % and most | lowest ', end='')
    print('correlation | found |')
    print('|---|---|---|---|')
    rows = rng.permutation(len(images))[:200]
    for how, title in CHANGES.items():
        copies = [changed(images[row], how) for row in rows]
        bits_off = np.array(
            [
                (phash(copy) ^ int(hashes[row])).bit_count()
                for row, copy in zip(rows, copies, strict=True)
            ]
        )
        alike = np.array(
            [
                standardised(copy) @ pixels[row]
                for row, copy in zip(rows, copies, strict=True)
            ]
        )
        found = ((bits_off <= 8) & (alike >= 0.95)).mean()
        print(
            f'| {title} | {np.percentile(bits_off, 95):.0f}, {bits_off.max()} '
            f'| {alike.min():.3f} | {found:.1%} |'
        )


if __name__ == '__main__':
    main(sys.argv[1])
