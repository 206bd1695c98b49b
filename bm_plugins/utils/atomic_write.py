"""Files that are there whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bm_plugins.errors import InputError

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

    Args:
        file (str or Path): The file to write or replace.

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
