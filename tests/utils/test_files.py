import errno
import os
import resource
import signal
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from bm_plugins.errors import InputError
from bm_plugins.utils.files import atomic_write, make_folder, new_hdf5
from tests.full_disk import full_disk


def test_the_new_content_replaces_the_old(tmp_path):
    file = tmp_path / 'a.csv'
    file.write_text('old')
    with atomic_write(file) as partial:
        partial.write_text('new')
        assert file.read_text() == 'old'
    assert file.read_text() == 'new'
    assert list(tmp_path.iterdir()) == [file]


def test_a_failure_leaves_the_old_content(tmp_path):
    file = tmp_path / 'a.csv'
    file.write_text('old')
    with pytest.raises(ZeroDivisionError), atomic_write(file) as partial:
        partial.write_text('half')
        raise ZeroDivisionError
    assert file.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [file]


def test_no_room_is_one_clear_error(tmp_path):
    file = tmp_path / 'a.csv'
    file.write_text('old')
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with (
            pytest.raises(InputError) as error,
            atomic_write(file) as partial,
        ):
            partial.write_bytes(bytes(1 << 17))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert str(error.value).startswith(
        f'cannot write {file}: {os.strerror(errno.EFBIG)}.'
    )
    assert file.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [file]


@pytest.fixture
def read_only():
    """A folder that may be read and not written, by root neither."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / 'a.csv').write_text('old')
        folder.chmod(0o555)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)  # nobody
        try:
            yield folder
        finally:
            if is_root:
                os.seteuid(0)
            folder.chmod(0o755)


def test_a_read_only_folder_is_one_clear_error(read_only):
    with (
        pytest.raises(InputError, match='a.csv: Permission denied'),
        atomic_write(read_only / 'a.csv') as partial,
    ):
        partial.write_text('new')
    assert (read_only / 'a.csv').read_text() == 'old'


def test_a_folder_that_is_gone(tmp_path):
    with (
        pytest.raises(InputError, match='No such file.*Make its folder'),
        atomic_write(tmp_path / 'gone/a.csv') as partial,
    ):
        partial.write_text('new')


def test_a_folder_of_that_name(tmp_path):
    file = tmp_path / 'a.csv'
    file.mkdir()
    with (
        pytest.raises(InputError, match='It is a folder; name another'),
        atomic_write(file) as partial,
    ):
        partial.write_text('new')
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_is_made_and_kept(tmp_path):
    folder = make_folder(tmp_path / 'a/b')
    (folder / 'file').write_text('kept')
    assert (make_folder(str(folder)) / 'file').read_text() == 'kept'


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / 'a').write_text('')
    for name in ('a', 'a/b'):
        with pytest.raises(InputError, match=f'folder .*/{name} cannot be'):
            make_folder(tmp_path / name)


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
