from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image

from bm_plugins.audit.near_duplicates import (
    _close_hashes,
    near_pairs,
    standardised,
)
from bm_plugins.datasets.image_io import read_image
from tests.audit.planted import changed, collect, write


def test_close_hashes_are_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    # Near ones among many: 600 values that differ in few bits.
    base = int(rng.integers(2**62))
    values = [base ^ int(rng.integers(2**12)) for _ in range(600)]
    expected = {
        (i, j, (values[i] ^ values[j]).bit_count())
        for i in range(600)
        for j in range(i + 1, 600)
        if (values[i] ^ values[j]).bit_count() <= 3
    }
    found = list(_close_hashes([f'{v:016x}' for v in values], 3, block=64))
    assert len(found) == len(set(found)) and set(found) == expected
    assert expected


def test_correlation_is_numpys():
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    grey = [
        np.array(Image.fromarray(x[..., ::-1]).convert('L'))
        for x in (one, two)
    ]
    expected = np.corrcoef(grey[0].ravel(), grey[1].ravel())[0, 1]
    found = standardised(one) @ standardised(two)
    assert found == pytest.approx(expected, abs=2e-3)  # grey is rounded
    blank = np.full((64, 64, 3), 200, np.uint8)
    assert not standardised(blank).any()


@pytest.mark.parametrize(
    'how', ['compressed', 'smaller', 'darker', 'brighter', 'trimmed', 'grey']
)
def test_finds_copies_and_nothing_else(tmp_path, how):
    collect(tmp_path)
    names = sorted(
        p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob('*.jpg')
    )
    copies = []
    for name in names:
        image = read_image(name, tmp_path)
        copies.append(f'copy_{name.replace("/", "_")}')
        write(tmp_path / copies[-1], changed(image, how))
    paths = names + copies
    hashes = [
        str(imagehash.phash(Image.open(Path(tmp_path, p)).convert('L')))
        for p in paths
    ]
    found = {(a, b) for a, b, *_ in near_pairs(paths, hashes, tmp_path)}
    assert found == {(i, i + len(names)) for i in range(len(names))}
