import errno

import h5py
import numpy as np
import pytest

from bm_plugins.utils.hdf5_file import new_hdf5
from tests.full_disk import full_disk


def test_what_is_written_is_there(tmp_path):
    values = np.random.default_rng(0).random((300, 70))
    with new_hdf5(tmp_path / 'a.h5') as (stream, check):
        table = stream.create_dataset('values', values.shape, values.dtype)
        for first in range(0, 300, 50):
            table[first : first + 50] = values[first : first + 50]
            check()
        stream.attrs['name'] = 'ü'
    with h5py.File(tmp_path / 'a.h5') as stream:
        assert np.array_equal(stream['values'][:], values)
        assert stream.attrs['name'] == 'ü'


# Found while values are written, and when the file is closed.
@pytest.mark.parametrize(('length', 'size'), [(50_000, 1 << 16), (5, 1 << 10)])
def test_a_full_disk_is_an_error_and_no_crash(tmp_path, length, size):
    with (
        full_disk(size),
        pytest.raises(OSError) as error,
        new_hdf5(tmp_path / 'a.h5') as (stream, _),
    ):
        stream['values'] = np.ones(length)
    assert error.value.errno == errno.EFBIG
