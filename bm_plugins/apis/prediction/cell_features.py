"""Features of predicted cells as an HDF5 file."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np

from bm_plugins.utils.files import atomic_write, new_hdf5

_ROWS = 1024  # of a block on the disk


class CellFeatures:
    """Written row by row: ``features`` (n, D) float32 and ``paths`` (n,).

    A context manager; the file is there when it ends well.

    Args:
        file (Path): The file to write or replace.
        dim (int): Length D of the features.
        attributes (dict[str, str]): Attributes of the file.

    Raises:
        InputError: As :func:`atomic_write`.
    """

    def __init__(
        self,
        file: Path,
        dim: int,
        attributes: dict[str, str],
    ) -> None:
        self.file = file
        self.dim = dim
        self.attributes = attributes

    def __enter__(self) -> 'CellFeatures':
        import h5py

        with ExitStack() as stack:
            partial = stack.enter_context(atomic_write(self.file))
            new = stack.enter_context(new_hdf5(partial))
            self._data, self._check = new
            self._data.attrs.update(self.attributes)
            self._features = self._data.create_dataset(
                'features',
                (0, self.dim),
                'float32',
                maxshape=(None, self.dim),
                chunks=(_ROWS, self.dim),
            )
            self._paths = self._data.create_dataset(
                'paths',
                (0,),
                h5py.string_dtype(),
                maxshape=(None,),
                chunks=(_ROWS,),
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, paths: Sequence[str], features: np.ndarray) -> None:
        """Append rows.

        Args:
            paths (Sequence[str]): One a row (k,).
            features (np.ndarray): (k, D).
        """
        if not paths:
            return
        start = len(self._paths)
        for data, new in ((self._features, features), (self._paths, paths)):
            data.resize(start + len(paths), axis=0)
            data[start:] = new
        self._check()
