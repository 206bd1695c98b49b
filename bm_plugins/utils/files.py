"""Files and folders: whole or not at all, and one clear error where not."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bm_plugins.errors import InputError

if TYPE_CHECKING:
    import h5py

_ADVICE = {
    errno.ENOENT: 'Make its folder, or name another file.',
    errno.ENOTDIR: 'What should be its folder is a file; name another.',
    errno.EISDIR: 'It is a folder; name another file.',
}
_OTHERWISE = 'Make room, or make the folder writable.'


@contextmanager
def atomic_write(file: str | Path) -> Iterator[Path]:
    """Write beside ``file``, then put it in place in one step.

    The content is on the disk before the old file goes; whatever happens
    before that leaves the old file as it was and no partial one, but for a
    kill, which leaves ``<file>.partial``.

    Yields:
        Path: The file to fill, ``<file>.partial``.

    Raises:
        InputError: The disk is full, the folder read-only or gone.
    """
    partial = Path(f'{file}.partial')
    try:
        yield partial
        _to_disk(partial)
        os.replace(partial, file)
        _to_disk(partial.parent)
    except OSError as error:
        raise InputError(
            f'cannot write {file}: {error.strerror or error}. What was there '
            f'before is intact. {_ADVICE.get(error.errno, _OTHERWISE)}'
        ) from error
    finally:
        # Gone already if all went well.
        try:
            partial.unlink(missing_ok=True)
        except OSError:
            pass


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: str | Path) -> Path:
    """Make a folder and those above it, where they are missing.

    Raises:
        InputError: It cannot be made, or a file has its name.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f'folder {folder} cannot be made: {error.strerror}. Name another.'
        ) from error
    return folder


def check_output(file: Path) -> None:
    """Fail before the work where its result, ``--out``, could not be written.

    Raises:
        InputError: It is a folder, or its folder is missing or read-only.
    """
    if file.is_dir():
        raise InputError(f'--out {file} is a folder; name a file.')
    if not file.parent.is_dir():
        raise InputError(
            f'--out {file}: the folder {file.parent} does not exist. Make it, '
            'or name another.'
        )
    partial = Path(f'{file}.partial')
    try:
        partial.touch()
        partial.unlink()
    except OSError as error:
        raise InputError(
            f'--out {file} cannot be written: {error.strerror}. Make the '
            'folder writable, or name another.'
        ) from error


class _Sink(FileIO):
    """A file that keeps its first failure to itself.

    HDF5 cannot close a file that it could not write; it crashes the process
    with a segmentation fault or an unending row of errors. So it is not told.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of ``data``, or drop it once something failed."""
        rest = memoryview(data).cast('B')
        size = len(rest)
        try:
            while self.error is None and len(rest):
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """As upstream's, with its failure kept."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def check(self) -> None:
        """Raise the failure, if there was one."""
        if self.error:
            raise self.error


@contextmanager
def new_hdf5(
    file: Path,
) -> Iterator[tuple['h5py.File', Callable[[], None]]]:
    """An HDF5 file to fill; closed after.

    Yields:
        tuple: The file, and a function that raises if something could not be
        written so far.

    Raises:
        OSError: Something could not be written, as on a full disk.
    """
    import h5py

    with _Sink(file, 'w+') as sink:
        with h5py.File(sink, 'w') as stream:
            yield stream, sink.check
        sink.check()
