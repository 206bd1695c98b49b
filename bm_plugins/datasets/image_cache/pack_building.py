"""Building the packed images of a collection, once and when they are stale."""

import fcntl
import os
import shutil
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import blake2b, sha256
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from bm_plugins.choices import PACK_KINDS
from bm_plugins.datasets.image_io import decode_image
from bm_plugins.errors import InputError
from bm_plugins.utils.files import atomic_write
from bm_plugins.utils.progress import track

from .packed_images import (
    HEADER_BYTES,
    INDEX,
    PackedImages,
    hash_paths,
    make_header,
)

# More than there are cores, to hide how long a slow disk takes to answer.
_THREADS = 16
# Raise where decode_image gives other pixels than before.
_DECODING = 2


def pack_file(
    manifest: str | Path, kind: str, cache_dir: str | Path | None = None
) -> Path:
    """Where the packed images of a manifest lie.

    Args:
        manifest (str or Path): The manifest.
        kind (str): ``jpeg`` or ``decoded``.
        cache_dir (str or Path, optional): Folder of the packs of any number
            of manifests. Defaults to None: beside the manifest.

    Returns:
        Path: ``split.<kind>.pack``; in ``cache_dir`` with a hash of where the
        manifest lies.

    Raises:
        InputError: There is no such kind.
    """
    if kind not in PACK_KINDS:
        raise InputError(
            f"cache={kind!r}: expected 'jpeg', 'decoded' or None."
        )
    manifest = Path(manifest)
    if cache_dir is None:
        return manifest.with_suffix(f'.{kind}.pack')
    place = sha256(os.fsencode(manifest.resolve())).hexdigest()[:8]
    folder = Path(cache_dir).expanduser()
    return folder / f'{manifest.stem}.{place}.{kind}.pack'


def open_pack(
    file: Path,
    kind: str,
    paths: Sequence[str],
    folder: str | Path,
    bits: int | None = None,
) -> PackedImages:
    """Open a pack; build it first where it is missing, stale or damaged.

    It is stale once the manifest names other images, or the size or time of
    change of one of them is another. Of several processes one builds; the
    others wait.

    Args:
        file (Path): As :func:`pack_file` says.
        kind (str): ``jpeg`` or ``decoded``.
        paths (Sequence[str]): All paths (N,) of the manifest.
        folder (str or Path): What they are relative to.
        bits (int, optional): As for :func:`decode_image`. Defaults to None.

    Raises:
        InputError: The disk is full, the folder cannot be written or has no
            locks.
    """
    pack, reason = find_pack(file, kind, paths, folder, bits)
    if pack is None:
        with _locked(file, reason):
            # Another process may have built it meanwhile.
            pack, reason = find_pack(file, kind, paths, folder, bits)
            if pack is None:
                print_log(f'Building {file}: {reason}', 'current')
                build_pack(file, kind, paths, folder, bits)
                pack = PackedImages(file)
    return pack


def find_pack(
    file: Path,
    kind: str,
    paths: Sequence[str],
    folder: str | Path,
    bits: int | None = None,
) -> tuple[PackedImages | None, str]:
    """The pack, or None and why it cannot be used.

    Arguments as for :func:`open_pack`.
    """
    if not file.exists():
        return None, 'there is none yet.'
    try:
        pack = PackedImages(file)
    except InputError as error:
        return None, str(error)
    header = pack.header
    if (header['kind'], header['paths']) != (kind, hash_paths(paths)):
        return None, 'the manifest names other images.'
    if kind == 'decoded' and header.get('decoding') != [_DECODING, bits]:
        return None, 'images are decoded in another way now.'
    found = file_stats(paths, folder)
    changed = np.flatnonzero(
        (pack.index['size'] != found[:, 0])
        | (pack.index['mtime'] != found[:, 1])
    )
    if len(changed):
        return None, (
            f'{len(changed)} of {len(paths)} files changed, the first: '
            f'{paths[changed[0]]}.'
        )
    return pack, ''


def build_pack(
    file: Path,
    kind: str,
    paths: Sequence[str],
    folder: str | Path,
    bits: int | None = None,
) -> None:
    """Write the pack, with a progress bar, and read it back to check it.

    Arguments and errors as for :func:`open_pack`.
    """
    index = np.zeros(len(paths), INDEX)
    # Before the contents: what changes in between is stale at the next start.
    index['size'], index['mtime'] = file_stats(paths, folder).T
    least, free = index['size'].sum(), shutil.disk_usage(file.parent).free
    if free < least:
        raise InputError(
            f'cannot write {file}: it takes {least / 1e9:.1f} GB or more, '
            f'{free / 1e9:.1f} GB are free. Make room, or name another '
            'folder by cache_dir (tools/pack.py --output-dir).'
        )
    content, offset = blake2b(), HEADER_BYTES + index.nbytes
    with atomic_write(file) as written:
        with open(written, 'wb') as stream:
            stream.write(bytes(offset))
            images = track(
                _read_all(paths, folder, kind, bits),
                'Packing',
                total=len(paths),
            )
            for record, image in zip(index, images, strict=True):
                record['offset'], record['length'] = offset, -1
                if image is None:
                    continue
                if kind == 'decoded':
                    record['height'], record['width'] = image.shape[:2]
                data = image.reshape(-1)
                stream.write(data)
                content.update(data)
                record['length'], record['crc'] = len(data), zlib.crc32(data)
                offset += len(data)
            stream.seek(0)
            stream.write(
                make_header(
                    kind=kind,
                    decoding=[_DECODING, bits],
                    images=len(paths),
                    paths=hash_paths(paths),
                    index=blake2b(index).hexdigest(),
                    content=content.hexdigest(),
                    bytes=offset,
                )
            )
            stream.write(index)
        PackedImages(written).check(paths)


def file_stats(paths: Sequence[str], folder: str | Path) -> np.ndarray:
    """Size in bytes and time of change in ns of files under ``folder``.

    Returns:
        np.ndarray: (N, 2) int64; -1 of a missing file.
    """

    def look(start: int) -> list[tuple[int, int]]:
        result = []
        for path in paths[start : start + step]:
            try:
                found = os.stat(f'{folder}/{path}')
                result.append((found.st_size, found.st_mtime_ns))
            except OSError:
                result.append((-1, -1))
        return result

    step = 1000
    with ThreadPoolExecutor(_THREADS) as pool:
        parts = pool.map(look, range(0, len(paths), step))
        return np.array([pair for part in parts for pair in part], np.int64)


def _read_all(
    paths: Sequence[str], folder: str | Path, kind: str, bits: int | None
) -> Iterator[np.ndarray | None]:
    """What to keep of each image, read ahead by a few."""
    read, ahead = partial(_read, folder=folder, kind=kind, bits=bits), deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for path in paths:
            ahead.append(pool.submit(read, path))
            if len(ahead) > 4 * _THREADS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _read(
    path: str, folder: str | Path, kind: str, bits: int | None
) -> np.ndarray | None:
    try:
        content = Path(folder, path).read_bytes()
        if kind == 'jpeg':
            return np.frombuffer(content, np.uint8)
        return decode_image(content, bits)
    except (OSError, ValueError):
        return None


@contextmanager
def _locked(file: Path, reason: str) -> Iterator[None]:
    """Alone among all processes that want to build ``file``."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file.with_name(f'.{file.name}.lock'), 'ab') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print_log(f'Waiting: another process builds {file}', 'current')
                fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield
            finally:  # closing alone would leave it to forked processes
                fcntl.flock(lock, fcntl.LOCK_UN)
    except OSError as error:
        raise InputError(
            f'cannot write {file} ({error.strerror or error}), which is to '
            f'be built: {reason} Name a folder that can be written, on a disk '
            'with file locks, by cache_dir (tools/pack.py --output-dir).'
        ) from error
