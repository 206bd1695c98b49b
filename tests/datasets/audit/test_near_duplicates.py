from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from bm_plugins.datasets.audit.fingerprint import (
    fingerprint,
    small_grey,
    spectrum,
)
from bm_plugins.datasets.audit.near_duplicates import (
    _close,
    _close_hashes,
    _close_spectra,
    correlation,
    lay_upon,
    near_pairs,
)
from bm_plugins.datasets.synthetic.collection import draw_cell
from tests.datasets.audit.planted import CODES, TURNS, changed, found_copies

REAL = Path(__file__).resolve().parents[4] / 'shared/data'
AS_IT_LIES = ('compressed', 'smaller', 'darker', 'brighter', 'trimmed', 'grey')
SHIFTED = (
    *('reflected 3', 'shifted 5', 'reflected 10', 'blackened 10'),
    *('reflected 15', 'mirrored + reflected 10', 'rot90 + compressed'),
)


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
    found = list(_close_hashes([f'{v:016x}' for v in values], 3))
    assert len(found) == len(set(found)) and set(found) == expected
    assert expected


def test_tiles_leave_no_pair_out():
    rows = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    product = rows @ rows.T
    expected = {
        (i, j) for i in range(300) for j in range(i) if product[i, j] >= 8
    }
    found = [(j, i) for i, j, _ in _close(rows, 8, '', tile=(64, 50))]
    assert len(found) == len(expected) > 99 and set(found) == expected


def test_close_spectra_are_those_that_correlate():
    rng = np.random.default_rng(0)
    base = rng.integers(3, 13, 208)
    values = np.clip(base + rng.integers(-3, 4, (40, 208)), 0, 15)
    values[20:] = rng.permuted(values[20:], axis=1)
    correlations = np.corrcoef(values)
    expected = {
        (i, j)
        for i in range(40)
        for j in range(i + 1, 40)
        if correlations[i, j] >= 0.7
    }
    spectra = [''.join(f'{v:x}' for v in row) for row in values]
    found = {(i, j): c for i, j, c in _close_spectra(spectra, 0.7)}
    assert set(found) == expected and expected
    for pair, likeness in found.items():
        assert likeness == pytest.approx(correlations[pair], abs=1e-5)


def test_correlation_is_numpys():
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    grey = [
        np.array(Image.fromarray(x[..., ::-1]).convert('L'))
        for x in (one, two)
    ]
    expected = np.corrcoef(grey[0].ravel(), grey[1].ravel())[0, 1]
    found = correlation(small_grey(one), small_grey(two))
    assert found == pytest.approx(expected, abs=2e-3)  # grey is rounded
    blank = small_grey(np.full((64, 64, 3), 200, np.uint8))
    assert correlation(blank, small_grey(one)) == 0


def test_blank_images_are_no_pair(tmp_path):
    names = []
    for grey in (0, 200):
        names.append(f'{grey}.png')
        blank = np.full((64, 64, 3), grey, np.uint8)
        cv2.imwrite(str(tmp_path / names[-1]), blank)
    spectra = [fingerprint(name, tmp_path).spectrum for name in names]
    assert not list(_close_spectra(spectra))
    assert not list(near_pairs(names, ['0' * 16] * 2, spectra, tmp_path))


@pytest.mark.parametrize('how', TURNS)
def test_spectrum_does_not_know_how_an_image_lies(how):
    image = draw_cell(0, 'BLA', 1)
    one, two = (
        spectrum(small_grey(image)),
        spectrum(small_grey(changed(image, how))),
    )
    assert len(one) == 208 and len(set(one)) > 6
    assert sum(a != b for a, b in zip(one, two, strict=True)) <= 2  # rounding


def test_lays_one_upon_the_other():
    """By a shift that is no whole number of pixels, and a turn."""
    rng = np.random.default_rng(0)
    large = rng.integers(0, 256, (80, 80)).astype(np.uint8)
    large = cv2.GaussianBlur(large, (0, 0), 2)
    move = np.float32([[1, 0, -4.25], [0, 1, 6.5]])
    two = cv2.warpAffine(large, move, (80, 80), flags=cv2.INTER_CUBIC)
    one, two = large[8:72, 8:72], two[8:72, 8:72]
    for how, (do, undo) in TURNS.items():
        turned, (x, y), parts = lay_upon(one, do(two))
        assert turned == undo, how
        assert x * 64 == pytest.approx(4.25, abs=0.15)
        assert y * 64 == pytest.approx(-6.5, abs=0.15)
        assert parts[0].shape == parts[1].shape == (55, 57)
        assert correlation(*parts) > 0.98


def check(cells, how, root):
    """All copies are found, as what they are, and nothing else."""
    right, wrong = found_copies(cells, how, root)
    assert len(right) == len(cells) and not wrong
    if how in TURNS:
        assert {pair.turned for pair in right} == {TURNS[how][1]}
        assert all(np.abs(pair.shift).max() < 0.01 for pair in right)
    if how in AS_IT_LIES:
        assert {(pair.turned, pair.shift) for pair in right} == {('', (0, 0))}
    if how.startswith('reflected 1'):  # to the left and down
        amount = int(how.split()[1]) / 250
        back = np.array([pair.shift for pair in right])
        np.testing.assert_allclose(back, [[amount, -amount]] * 16, atol=0.006)


@pytest.mark.slow
@pytest.mark.parametrize('how', [*AS_IT_LIES, *TURNS, *SHIFTED])
def test_finds_copies_and_nothing_else(tmp_path, how):
    cells = [draw_cell(0, code, i) for code in CODES for i in range(1, 5)]
    check(cells, how, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason=f'no real images in {REAL}')
@pytest.mark.parametrize('how', [*AS_IT_LIES[:4], *TURNS, *SHIFTED])
@pytest.mark.parametrize('name', ['bm_tcia_dev', 'pbc_dib_128'])
def test_finds_copies_of_real_cells(tmp_path, name, how):
    files = sorted((REAL / name).rglob('*.jpg'))
    chosen = files[:: len(files) // 16][:16]
    check([cv2.imread(str(file)) for file in chosen], how, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason=f'no real images in {REAL}')
@pytest.mark.parametrize('name', ['bm_tcia_dev', 'pbc_dib_128'])
def test_real_cells_are_no_pairs(name):
    root = REAL / name
    files = sorted(root.rglob('*.jpg'))
    names = [str(f.relative_to(root)) for f in files[:: len(files) // 1400]]
    prints = [fingerprint(name, root) for name in names]
    hashes = [item.phash for item in prints]
    spectra = [item.spectrum for item in prints]
    assert not list(near_pairs(names, hashes, spectra, root))
