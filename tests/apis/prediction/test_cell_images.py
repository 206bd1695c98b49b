"""Batches that threads read."""

import cv2
import numpy as np
import pytest

from bm_plugins.apis.prediction.cell_images import CellImages, read_chunks
from bm_plugins.apis.prediction.cell_list import list_cells
from tests.apis.tiny_bundle import tiny_bundle


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
