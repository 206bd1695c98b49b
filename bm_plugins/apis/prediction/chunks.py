"""Predictions in the making: a file for each chunk of cells."""

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bm_plugins.errors import InputError
from bm_plugins.utils.csv_file import write_csv
from bm_plugins.utils.files import atomic_write, new_hdf5

from .table import header

_UNREADABLE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)
_ROWS = 1024  # of a block of the features on the disk


@dataclass(frozen=True)
class Part:
    """What is known of a chunk's cells.

    Attributes:
        rows (Sequence[Sequence[str]]): Of ``predictions.csv``.
        skipped (Sequence[Sequence[str]]): Of ``skipped.csv``.
        features (np.ndarray, optional): (n, D) float32, one a row.
    """

    rows: Sequence[Sequence[str]]
    skipped: Sequence[Sequence[str]]
    features: np.ndarray | None = None


class PredictionParts:
    """A folder of parts, each there whole or not at all.

    Args:
        folder (Path): The folder; it exists.
        key (str): What the parts belong to; one of another key is not read.
        cells (int): How many cells there are.
        chunk (int): Cells of a part; the last may have fewer.

    Attributes:
        ranges (list[range]): Indices of each part's cells.
    """

    def __init__(self, folder: Path, key: str, cells: int, chunk: int) -> None:
        self.folder = folder
        self.key = key
        self.ranges = [
            range(first, min(first + chunk, cells))
            for first in range(0, cells, chunk)
        ]

    def _file(self, number: int) -> Path:
        return self.folder / f'{number:07}.npz'

    def has(self, number: int) -> bool:
        """Whether a chunk's part is there, whole."""
        try:
            self.read(number)
        except _UNREADABLE:
            return False
        return True

    def write(self, number: int, part: Part) -> None:
        """Keep a chunk's part.

        Raises:
            InputError: As :func:`atomic_write`.
        """
        text = json.dumps([self.key, part.rows, part.skipped])
        arrays = dict(text=np.frombuffer(text.encode(), np.uint8))
        if part.features is not None:
            arrays['features'] = part.features
        with (
            atomic_write(self._file(number)) as partial,
            open(partial, 'wb') as stream,
        ):
            np.savez(stream, **arrays)

    def read(self, number: int, with_features: bool = True) -> Part:
        """A chunk's part.

        Args:
            number (int): Of the chunk.
            with_features (bool): Read the features, too. Defaults to True.

        Raises:
            OSError, ValueError, zipfile.BadZipFile: It is missing, damaged,
                or of another key.
        """
        with np.load(self._file(number), allow_pickle=False) as arrays:
            key, rows, skipped = json.loads(arrays['text'].tobytes())
            if key != self.key:
                raise ValueError('other key')
            features = arrays.get('features') if with_features else None
            return Part(rows, skipped, features)

    def merge(self, classes: Sequence[str], out: Path) -> tuple[int, int]:
        """Write ``predictions.csv`` and ``skipped.csv``, part after part.

        Args:
            classes (Sequence[str]): Codes (C,).
            out (Path): Folder to write to.

        Returns:
            tuple[int, int]: Rows of the two files.

        Raises:
            InputError: A file cannot be written, or a part is gone.
        """
        sizes = [0, 0]

        def rows(which: int) -> Iterator[Sequence[str]]:
            for part in self._all():
                found = (part.rows, part.skipped)[which]
                sizes[which] += len(found)
                yield from found

        write_csv(out / 'predictions.csv', header(classes), rows(0))
        write_csv(out / 'skipped.csv', ('path', 'reason'), rows(1))
        return sizes[0], sizes[1]

    def write_features(
        self, file: Path, dim: int, notes: Mapping[str, str]
    ) -> None:
        """Write ``features`` (n, D) float32 and ``paths`` (n,) as HDF5.

        Args:
            file (Path): The file to write or replace.
            dim (int): Length D of the features.
            notes (Mapping[str, str]): Attributes of the file.

        Raises:
            InputError: As :meth:`merge`.
        """
        import h5py

        with atomic_write(file) as partial, new_hdf5(partial) as new:
            stream, check = new
            stream.attrs.update(notes)
            tables = [
                stream.create_dataset(
                    name,
                    (0, *shape),
                    kind,
                    maxshape=(None, *shape),
                    chunks=(_ROWS, *shape),
                )
                for name, shape, kind in (
                    ('features', (dim,), 'float32'),
                    ('paths', (), h5py.string_dtype()),
                )
            ]
            for part in self._all(with_features=True):
                if not part.rows:
                    continue
                paths = [row[0] for row in part.rows]
                for table, more in zip(
                    tables, (part.features, paths), strict=True
                ):
                    start = len(table)
                    table.resize(start + len(paths), axis=0)
                    table[start:] = more
                check()

    def _all(self, with_features: bool = False) -> Iterator[Part]:
        for number in range(len(self.ranges)):
            try:
                yield self.read(number, with_features)
            except _UNREADABLE as error:
                raise InputError(
                    f'{self._file(number)} is gone or damaged. The same '
                    'command makes it anew.'
                ) from error
