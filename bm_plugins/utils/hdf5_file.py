"""HDF5 files on a disk that may be full."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py


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

    Args:
        file (Path): The file to write or replace.

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
