"""Parts that are whole or made anew, and their merging."""

import os

import h5py
import numpy as np
import pytest

from bm_plugins.apis.prediction.cell_features import CellFeatures
from bm_plugins.apis.prediction.chunks import Part, PredictionParts
from bm_plugins.errors import InputError
from tests.full_disk import full_disk


@pytest.fixture
def parts(tmp_path):
    (tmp_path / 'parts').mkdir()
    return PredictionParts(tmp_path / 'parts', 'key')


def test_comes_back_as_it_was(parts):
    values = np.arange(4, dtype=np.float32).reshape(2, 2)
    rows = [['a,"b"\n', 'BLA'], ['é', 'LYT']]
    parts.write(3, Part(rows, [['c', 'empty file']], values))
    found = parts.read(3)
    assert found.rows == rows and found.skipped == [['c', 'empty file']]
    assert np.array_equal(found.features, values)
    parts.write(4, Part([], []))
    assert parts.read(4) == Part([], [], None)
    assert parts.has(3) and parts.has(4) and not parts.has(5)


def test_a_part_that_is_not_whole_is_not_there(parts):
    parts.write(0, Part([['a' * 2000, 'BLA']], []))
    file = parts.folder / '0000000.npz'
    content = file.read_bytes()
    for wrong in (
        b'',
        content[:-1],
        content[:1000],
        content[:1000] + b'?' + content[1001:],
    ):
        file.write_bytes(wrong)
        assert not parts.has(0)
    file.write_bytes(content)
    assert parts.has(0)
    assert not PredictionParts(parts.folder, 'other').has(0)


def test_merge_in_order(parts, tmp_path):
    for number in (2, 0, 1):
        rows = [[f'{number}.jpg', 'BLA']]
        values = np.full((1, 2), number, np.float32)
        parts.write(number, Part(rows, [[f'{number}.png', 'why']], values))
    store = CellFeatures(tmp_path / 'f.h5', 2, {})
    header = ['path', 'code']
    assert parts.merge(3, header, tmp_path, store) == (3, 3)
    assert (tmp_path / 'predictions.csv').read_text() == (
        'path,code\n0.jpg,BLA\n1.jpg,BLA\n2.jpg,BLA\n'
    )
    assert (tmp_path / 'skipped.csv').read_text() == (
        'path,reason\n0.png,why\n1.png,why\n2.png,why\n'
    )
    with h5py.File(tmp_path / 'f.h5') as found:
        assert found['features'][:, 0].tolist() == [0, 1, 2]
    with pytest.raises(InputError, match='0000003.npz is gone or damaged'):
        parts.merge(4, header, tmp_path)


def test_full_disk_keeps_what_is_there(parts, tmp_path):
    rows = [['a' * 100, 'BLA']] * 1000
    for number in range(3):
        parts.write(number, Part(rows, []))
    big = Part([], [], np.ones((500, 100), np.float32))
    with full_disk(1 << 17):
        with pytest.raises(InputError, match='0000003.npz: File too large'):
            parts.write(3, big)
        with pytest.raises(InputError, match='predictions.csv: File too'):
            parts.merge(3, ['path', 'code'], tmp_path)
    assert sorted(os.listdir(tmp_path)) == ['parts']
    assert all(parts.has(number) for number in range(3))
    assert len(os.listdir(parts.folder)) == 3
