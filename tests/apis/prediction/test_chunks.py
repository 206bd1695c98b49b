"""Parts that are whole or made anew, and their merging."""

import errno
import os

import h5py
import numpy as np
import pytest

from bm_plugins.apis.prediction.chunks import Part, PredictionParts
from bm_plugins.errors import InputError
from tests.full_disk import full_disk


@pytest.fixture
def parts(tmp_path):
    (tmp_path / 'parts').mkdir()
    return PredictionParts(tmp_path / 'parts', 'key', 7, 3)


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
    assert not PredictionParts(parts.folder, 'other', 7, 3).has(0)


def test_merge_in_order(parts, tmp_path):
    for number in (2, 0, 1):
        rows = [[f'{number}.jpg', 'BLA']]
        values = np.full((1, 2), number, np.float32)
        parts.write(number, Part(rows, [[f'{number}.png', 'why']], values))
    assert parts.merge(['BLA'], tmp_path) == (3, 3)
    assert (tmp_path / 'predictions.csv').read_text() == (
        'path,code,confidence,p_BLA,set,distance,flag,field\n'
        '0.jpg,BLA\n1.jpg,BLA\n2.jpg,BLA\n'
    )
    assert (tmp_path / 'skipped.csv').read_text() == (
        'path,reason\n0.png,why\n1.png,why\n2.png,why\n'
    )
    (parts.folder / '0000001.npz').unlink()
    with pytest.raises(InputError, match='0000001.npz is gone or damaged'):
        parts.merge(['BLA'], tmp_path)


def test_ranges_hold_each_cell_once(parts):
    assert parts.ranges == [range(0, 3), range(3, 6), range(6, 7)]
    assert (
        PredictionParts(parts.folder, 'key', 6, 3).ranges == parts.ranges[:2]
    )


def test_features_in_order(parts, tmp_path):
    file = tmp_path / 'f.h5'
    values = np.random.default_rng(0).normal(size=(5, 3)).astype('float32')
    rows = [['a', 'BLA'], ['é.jpg', 'BLA'], ['c', ''], ['d', ''], ['e', '']]
    parts.write(2, Part(rows[2:], [], values[2:]))
    parts.write(0, Part(rows[:2], [], values[:2]))
    parts.write(1, Part([], [], np.empty((0, 3), np.float32)))
    parts.write_features(file, 3, dict(bundle='abc'))
    with h5py.File(file) as found:
        assert np.array_equal(found['features'], values)
        assert found['features'].dtype == np.float32
        assert [*found['paths'].asstr()] == ['a', 'é.jpg', 'c', 'd', 'e']
        assert found.attrs['bundle'] == 'abc'


def test_full_disk_leaves_the_old_features(parts, tmp_path):
    file = tmp_path / 'f.h5'
    file.write_text('old')
    for number in range(3):
        values = np.ones((1024, 64), np.float32)
        parts.write(number, Part([['a']] * 1024, [], values))
    with full_disk(1 << 16), pytest.raises(InputError) as error:
        parts.write_features(file, 64, {})
    assert f'cannot write {file}: ' in str(error.value)
    assert os.strerror(errno.EFBIG) in str(error.value)
    assert file.read_text() == 'old'
    assert sorted(os.listdir(tmp_path)) == ['f.h5', 'parts']


def test_full_disk_keeps_what_is_there(parts, tmp_path):
    rows = [['a' * 100, 'BLA']] * 1000
    for number in range(3):
        parts.write(number, Part(rows, []))
    big = Part([], [], np.ones((500, 100), np.float32))
    with full_disk(1 << 17):
        with pytest.raises(InputError, match='0000003.npz: File too large'):
            parts.write(3, big)
        with pytest.raises(InputError, match='predictions.csv: File too'):
            parts.merge(['BLA'], tmp_path)
    assert sorted(os.listdir(tmp_path)) == ['parts']
    assert all(parts.has(number) for number in range(3))
    assert len(os.listdir(parts.folder)) == 3
