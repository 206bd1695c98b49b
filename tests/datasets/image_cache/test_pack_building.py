import fcntl
import multiprocessing
import os
import resource
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from bm_plugins.datasets.image_cache.pack_building import (
    file_stats,
    find_pack,
    open_pack,
    pack_file,
)
from bm_plugins.datasets.image_cache.packed_images import PackedImages
from bm_plugins.errors import InputError
from tests.datasets.test_prepare import collect

NAMES = ['a.jpg', 'b.jpg', 'c/d.jpg']
FORK = multiprocessing.get_context('fork')


@pytest.fixture
def folder(tmp_path):
    return collect(tmp_path / 'images', NAMES)


def reason(folder, names=NAMES, kind='jpeg'):
    return find_pack(folder / 'x.pack', kind, names, folder)[1]


def test_fresh_it_is_not_built_again(folder):
    file = folder / 'x.pack'
    open_pack(file, 'jpeg', NAMES, folder)
    built = file.stat()
    pack = open_pack(file, 'jpeg', NAMES, folder)
    assert file.stat() == built and reason(folder) == ''
    pack.check(NAMES)


def touch(folder):
    stat = (folder / 'b.jpg').stat()
    os.utime(folder / 'b.jpg', ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))


def grow(folder):
    file = folder / 'b.jpg'
    stat = file.stat()
    file.write_bytes(file.read_bytes() + b'x')
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def remove(folder):
    (folder / 'b.jpg').unlink()


@pytest.mark.parametrize('change', [touch, grow, remove])
def test_a_changed_file_makes_it_stale(folder, change):
    open_pack(folder / 'x.pack', 'jpeg', NAMES, folder)
    change(folder)
    assert reason(folder) == '1 of 3 files changed, the first: b.jpg.'
    pack = open_pack(folder / 'x.pack', 'jpeg', NAMES, folder)
    assert reason(folder) == ''
    if change is remove:
        assert pack.read(1, 'b.jpg') is None
    else:
        content = (folder / 'b.jpg').read_bytes()
        assert bytes(pack.read(1, 'b.jpg')) == content


@pytest.mark.parametrize(
    'names', [NAMES[:2], NAMES[::-1], [*NAMES, 'new.jpg'], ['a.jpg'] * 3]
)
def test_a_changed_manifest_makes_it_stale(folder, names):
    open_pack(folder / 'x.pack', 'jpeg', NAMES, folder)
    collect(folder, ['new.jpg'])
    assert reason(folder, names) == 'the manifest names other images.'
    assert len(open_pack(folder / 'x.pack', 'jpeg', names, folder)) == len(
        names
    )


def test_other_reasons_are_said(folder, capfd):
    file = folder / 'x.pack'
    assert reason(folder) == 'there is none yet.'
    open_pack(file, 'jpeg', NAMES, folder)
    assert 'other images' in reason(folder, kind='decoded')
    with open(file, 'ab') as stream:
        stream.write(b'x')
    assert 'is damaged: ' in reason(folder)
    open_pack(file, 'jpeg', NAMES, folder)
    said = capfd.readouterr()
    assert f'Building {file}: {file} is damaged' in said.out + said.err
    file.write_text('path,label\n')
    assert 'no pack of this version' in reason(folder)


def test_where_it_lies(tmp_path):
    manifest = tmp_path / 'split.csv'
    assert pack_file(manifest, 'jpeg') == tmp_path / 'split.jpeg.pack'
    one = pack_file(manifest, 'jpeg', tmp_path / 'c')
    other = pack_file(tmp_path / 'b/split.csv', 'jpeg', tmp_path / 'c')
    assert one.parent == other.parent == tmp_path / 'c' and one != other
    assert one == pack_file(f'{tmp_path}/b/../split.csv', 'jpeg', one.parent)


def test_sizes_and_times(folder):
    found = file_stats([*NAMES, 'no.jpg'] * 700, folder)  # several chunks
    expected = [(folder / name).stat() for name in NAMES]
    rows = [(s.st_size, s.st_mtime_ns) for s in expected] + [(-1, -1)]
    assert np.array_equal(found, rows * 700)


def open_and_tell(folder, queue):
    file = folder / 'x.pack'
    pack = open_pack(file, 'decoded', NAMES, folder)
    queue.put((file.stat().st_ino, pack.header['content']))
    queue.close()
    queue.join_thread()
    time.sleep(1)  # the inode stays taken until both have told theirs


@pytest.mark.slow
def test_of_two_processes_one_builds(folder):
    queue = FORK.Queue()
    workers = [
        FORK.Process(target=open_and_tell, args=(folder, queue))
        for _ in range(2)
    ]
    with open(folder / '.x.pack.lock', 'ab') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for worker in workers:
            worker.start()
        time.sleep(0.5)
        assert all(worker.is_alive() for worker in workers)  # they wait
        assert not (folder / 'x.pack').exists()
        fcntl.flock(lock, fcntl.LOCK_UN)
    told = [queue.get(timeout=30) for _ in workers]
    for worker in workers:
        worker.join()
    # A second build would have put another file in its place.
    assert told[0] == told[1]
    assert not (folder / 'x.pack.partial').exists()


def build_many(folder, names):
    open_pack(folder / 'x.pack', 'jpeg', names, folder)


def test_a_killed_build_is_done_again(folder):
    names = [f'{i}.jpg' for i in range(3000)]
    content = (folder / 'a.jpg').read_bytes()
    for name in names:
        (folder / name).write_bytes(content)
    worker = FORK.Process(target=build_many, args=(folder, names))
    worker.start()
    while not (folder / 'x.pack.partial').exists():
        time.sleep(0.001)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    assert (folder / 'x.pack.partial').exists()
    assert not (folder / 'x.pack').exists()
    open_pack(folder / 'x.pack', 'jpeg', names, folder).check(names)
    assert not (folder / 'x.pack.partial').exists()


def test_a_read_only_folder():
    with tempfile.TemporaryDirectory() as name:
        folder = collect(Path(name), NAMES)
        open_pack(folder / 'old.pack', 'jpeg', NAMES, folder)
        for path in (folder, folder / 'c'):
            path.chmod(0o555)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)  # nobody
        try:
            with pytest.raises(InputError, match='x.pack .Permission'):
                open_pack(folder / 'x.pack', 'jpeg', NAMES, folder)
            pack = open_pack(folder / 'old.pack', 'jpeg', NAMES, folder)
            pack.check(NAMES)
        finally:
            if is_root:
                os.seteuid(0)
            for path in (folder, folder / 'c'):
                path.chmod(0o755)


def test_a_full_disk(folder):
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    before = sorted(folder.iterdir())
    try:
        with pytest.raises(InputError, match='x.pack: File too'):
            open_pack(folder / 'x.pack', 'decoded', NAMES, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert sorted(folder.iterdir()) == [folder / '.x.pack.lock', *before]


def test_a_disk_that_is_too_small_is_said_at_once(folder):
    with open(folder / 'b.jpg', 'wb') as stream:
        stream.truncate(1 << 42)  # 4 TB of nothing
    with pytest.raises(InputError, match='takes 4398.0 GB or more'):
        open_pack(folder / 'x.pack', 'jpeg', NAMES, folder)


def test_no_image_is_half_read(folder):
    pack = open_pack(folder / 'x.pack', 'jpeg', NAMES, folder)
    content = [(folder / name).read_bytes() for name in NAMES]
    assert PackedImages(folder / 'x.pack').index['length'].tolist() == [
        len(c) for c in content
    ]
    assert pack.header['bytes'] == 4096 + 3 * 48 + sum(map(len, content))
