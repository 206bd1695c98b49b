"""Features as HDF5."""

import errno
import os

import h5py
import numpy as np
import pytest

from bm_plugins.apis.prediction.cell_features import CellFeatures
from bm_plugins.errors import InputError
from tests.full_disk import full_disk


def test_rows_in_order(tmp_path):
    file = tmp_path / 'f.h5'
    values = np.random.default_rng(0).normal(size=(5, 3)).astype('float32')
    with CellFeatures(file, 3, dict(bundle='abc')) as store:
        store.add(['a', 'é.jpg'], values[:2])
        store.add([], np.empty((0, 3), np.float32))
        store.add(['c', 'd', 'e'], values[2:])
        assert not file.exists()
    with h5py.File(file) as found:
        assert np.array_equal(found['features'], values)
        assert found['features'].dtype == np.float32
        paths = [*found['paths'].asstr()]
        assert paths == ['a', 'é.jpg', 'c', 'd', 'e']
        assert found.attrs['bundle'] == 'abc'


def test_full_disk_leaves_the_old_file(tmp_path):
    file = tmp_path / 'f.h5'
    file.write_text('old')
    with (
        full_disk(1 << 16),
        pytest.raises(InputError) as error,
        CellFeatures(file, 64, {}) as store,
    ):
        for _ in range(4):
            store.add(['a'] * 1024, np.ones((1024, 64), np.float32))
    assert f'cannot write {file}: ' in str(error.value)
    assert os.strerror(errno.EFBIG) in str(error.value)
    assert file.read_text() == 'old'
    assert os.listdir(tmp_path) == ['f.h5']
