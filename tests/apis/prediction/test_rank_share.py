"""Who makes which part, and what is in it."""

import os

import cv2
import numpy as np
import pytest

from bm_plugins.apis.bundle.cell_predictor import CellPredictor
from bm_plugins.apis.prediction.cell_list import list_cells
from bm_plugins.apis.prediction.chunks import PredictionParts
from bm_plugins.apis.prediction.rank_share import (
    CellImages,
    predict_share,
    read_chunks,
)
from tests.apis.tiny_bundle import tiny_bundle


@pytest.fixture
def cells(tmp_path):
    folder = tmp_path / 'cells'
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(10):
        image = rng.integers(0, 256, (50, 50, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{i}.png'), image)
    (folder / '3.png').write_bytes(b'')
    (folder / os.fsdecode(b'\xff.png')).write_bytes(b'')
    (tmp_path / 'one').mkdir()
    (tmp_path / 'two').mkdir()
    return list_cells(folder)


def share(cells, folder, key='key'):
    parts = PredictionParts(folder, key, len(cells), 3)
    predictor = CellPredictor(tiny_bundle(), 'cpu')
    images = CellImages(cells, predictor.bundle)
    return predict_share(predictor, images, parts, 2, 0, True)


def _of_two(cells, folder):
    share(cells, folder)


def test_two_processes_make_what_one_makes(cells, tmp_path, run_ranks):
    assert share(cells, tmp_path / 'one') == 0
    run_ranks(_of_two, 2, cells, tmp_path / 'two')
    one, two = (
        [PredictionParts(tmp_path / n, 'key', 11, 3).read(i) for i in range(4)]
        for n in ('one', 'two')
    )
    for a, b in zip(one, two, strict=True):
        assert a.rows == b.rows and a.skipped == b.skipped
        assert np.array_equal(a.features, b.features)
    names = [row[0] for part in one for row in part.rows]
    assert names == [f'{i}.png' for i in range(10) if i != 3]
    assert [s for part in one for s in part.skipped] == [
        ['3.png', 'empty file'],
        [r'\xff.png', 'the name is not UTF-8'],
    ]
    assert [len(part.features) for part in one] == [3, 2, 3, 1]


def test_only_missing_and_damaged_parts_are_made(cells, tmp_path):
    folder = tmp_path / 'one'
    share(cells, folder)
    files = sorted(folder.iterdir())
    contents = [file.read_bytes() for file in files]
    files[1].unlink()
    files[2].write_bytes(contents[2][:100])
    kept = [files[i].stat().st_mtime_ns for i in (0, 3)]
    assert share(cells, folder) == 2
    assert [files[i].stat().st_mtime_ns for i in (0, 3)] == kept
    again = PredictionParts(folder, 'key', 11, 3)
    assert all(again.has(i) for i in range(4))
    assert share(cells, folder) == 4
    assert share(cells, folder, 'other') == 0


@pytest.mark.parametrize('workers', [0, 2])
def test_no_batch_spans_two_chunks_and_faults_keep_their_place(
    tmp_path, workers
):
    for i in range(10):
        image = np.full((50, 50, 3), 20 * i, np.uint8)
        cv2.imwrite(str(tmp_path / f'{i}.png'), image)
    (tmp_path / '4.png').write_bytes(b'')
    images = CellImages(list_cells(tmp_path), tiny_bundle())
    chunks = [range(0, 5), range(7, 10)]
    batches = list(read_chunks(images, chunks, 2, workers))
    levels = [[int(x[0, 0, 0]) for x in batch] for batch, *_ in batches]
    assert levels == [[0, 20], [40, 60], [], [140, 160], [180]]
    assert [len(faults) for _, faults, _ in batches] == [2, 2, 1, 2, 1]
    assert batches[2][1] == ['empty file']
    assert all(batch.dtype == np.uint8 for batch, *_ in batches)


def test_16_bit_files_are_read_by_the_range_of_all(tmp_path):
    """Of a folder, a list and a pattern: 1000 / 16, not 1000 / 4."""
    image = np.full((48, 48, 3), 1000, np.uint16)
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    image[:9] = 4095
    cv2.imwrite(str(tmp_path / 'b.tif'), image)
    (tmp_path / 'list.csv').write_text('path\na.png\nb.tif\n')
    for source in ('', 'list.csv', '*'):
        images = CellImages(list_cells(f'{tmp_path}/{source}'), tiny_bundle())
        assert images.cells.bits == 12
        for image, _ in (images[0], images[1]):
            assert image[:, -1, 0].tolist() == [62, 62, 62]
