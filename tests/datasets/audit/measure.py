"""What the audit finds and how long it takes: the figures in docs/audit.md.

  python tests/audit/measure.py data/matek [--time 171374]

Compares all images with each other, then 150 of them with copies of these
150, a line a change; with --time, that many random hashes and spectra.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bm_plugins.datasets.audit.fingerprint import VALUES, fingerprints  # noqa: E402
from bm_plugins.datasets.audit.near_duplicates import (  # noqa: E402
    MIN_LIKENESS,
    _close_hashes,
    _close_spectra,
    near_pairs,
)
from bm_plugins.datasets.layout import (  # noqa: E402
    find_image_folder,
    list_images,
)
from tests.datasets.audit.planted import TURNS, found_copies  # noqa: E402

CHANGES = {
    'compressed': 'JPEG quality 30',
    'smaller': 'resized to 128 px',
    'darker': '15 % darker',
    'brighter': '10 % brighter, clipped',
    'grey': 'grey',
    **{how: how for how in TURNS},
    'mirrored + compressed': 'mirrored, JPEG quality 30',
    'rot90 + smaller + compressed': 'rot90, 128 px, JPEG quality 30',
    **{
        f'{kind} {pixels}': f'shifted by {pixels} px both ways, {edge}'
        for kind, edge in (
            ('reflected', 'reflected edges'),
            ('shifted', 'edges wrapped around'),
            ('blackened', 'black edges'),
        )
        for pixels in (3, 5, 10, 15, 20)
    },
    'mirrored + reflected 10': 'mirrored, shifted by 10 px both ways',
    'trimmed 3': '3 px cut off each side',
    'trimmed 10': '10 px cut off each side',
    'trimmed 25': '25 px cut off each side',
    'cornered 10': '10 px cut off two sides',
    'turned 5': 'turned by 5 degrees',
}


def measure(data_root: str) -> None:
    """Print the pairs of an undoubled collection, and what copies it finds."""
    folder = find_image_folder(data_root)
    paths = list_images(folder)[0]
    with tempfile.TemporaryDirectory() as root:
        start = time.perf_counter()
        prints = fingerprints(paths, folder, Path(root, 'f.csv'), workers=2)
        read = time.perf_counter() - start
    hashes = [item.phash for item in prints]
    spectra = [item.spectrum for item in prints]
    start = time.perf_counter()
    pairs = list(near_pairs(paths, hashes, spectra, folder))
    print(
        f'{len(paths)} images: {len(pairs)} pairs; like hashes '
        f'{len(list(_close_hashes(hashes, 8)))}, like spectra '
        f'{len(list(_close_spectra(spectra, MIN_LIKENESS)))}; read in '
        f'{read:.1f} s, compared in {time.perf_counter() - start:.1f} s'
    )
    for pair in pairs:
        print(paths[pair.one], paths[pair.two], pair)
    chosen = np.random.default_rng(0).permutation(len(paths))[:150]
    cells = [cv2.imread(str(folder / paths[row])) for row in chosen]
    print('| change | found | as it lies | pairs of different cells |')
    print('|---|---|---|---|')
    for how, title in CHANGES.items():
        with tempfile.TemporaryDirectory() as root:
            right, wrong = found_copies(cells, how, Path(root))
        lies = sum(not pair.turned and pair.shift == (0, 0) for pair in right)
        print(
            f'| {title} | {len(right) / len(cells):.1%} | '
            f'{lies / len(cells):.1%} | {len(wrong)} |'
        )


def measure_time(count: int) -> None:
    """Print how long it takes to compare so many images."""
    rng = np.random.default_rng(0)
    hashes = [f'{value:016x}' for value in rng.integers(2**63, size=count)]
    digits = np.clip(rng.normal(8, 3, (count, VALUES)), 0, 15).astype(int)
    digits = np.array(list('0123456789abcdef'))[digits]
    spectra = [''.join(row) for row in digits]
    for name, compare in (
        ('hashes', lambda: _close_hashes(hashes, 8)),
        ('spectra', lambda: _close_spectra(spectra)),
    ):
        start = time.perf_counter()
        found = len(list(compare()))
        seconds = time.perf_counter() - start
        print(f'{count} {name}: {seconds:.1f} s, {found} pairs')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data_root')
    parser.add_argument('--time', type=int, default=0, metavar='N')
    args = parser.parse_args()
    measure(args.data_root)
    if args.time:
        measure_time(args.time)
