"""Features of labelled cells as an HDF5 file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from bm_plugins.datasets.manifest import SPLITS
from bm_plugins.errors import InputError, first_line
from bm_plugins.utils.files import atomic_write, new_hdf5

_COLUMNS = ('features', 'labels', 'paths', 'splits')


@dataclass(frozen=True)
class FeatureFile:
    """Features with what they are of.

    Attributes:
        features (np.ndarray): (N, D) float32.
        labels (np.ndarray): Class indices (N,) int64.
        paths (list[str]): Images (N,), relative to their folder.
        splits (list[str]): ``train``, ``val`` or ``test`` (N,).
        classes (tuple[str, ...]): Codes (C,).
        full_names (tuple[str, ...]): Names (C,).
        attributes (dict): What else the file says: ``protocol``,
            ``train_support`` (C,) and where the features come from.
    """

    features: np.ndarray
    labels: np.ndarray
    paths: list[str]
    splits: list[str]
    classes: tuple[str, ...]
    full_names: tuple[str, ...]
    attributes: dict[str, Any]

    def rows(self, split: Sequence[str]) -> np.ndarray:
        """Rows of some parts, in order.

        Raises:
            InputError: There is none.
        """
        rows = np.flatnonzero([own in split for own in self.splits])
        if not len(rows):
            raise InputError(
                f'the file has no features of {"/".join(split)}; it has '
                f'{"/".join(sorted({*self.splits}))}. Extract them by '
                'tools/extract_features.py --split.'
            )
        return rows


def write_features(
    file: str | Path,
    batches: Iterable[tuple[np.ndarray, np.ndarray]],
    labels: Sequence[int],
    paths: Sequence[str],
    splits: Sequence[str],
    attributes: Mapping[str, Any],
) -> int:
    """Write features as they come, a batch in memory at a time.

    Args:
        file (str or Path): The file to write or replace.
        batches (Iterable): Rows (B,) and their features (B, D); a row may
            come more than once.
        labels (Sequence[int]): Class indices (N,).
        paths (Sequence[str]): Images (N,).
        splits (Sequence[str]): Parts (N,).
        attributes (Mapping[str, Any]): Attributes of the file; ``classes``
            and ``full_names`` at least.

    Returns:
        int: Length D of the features.

    Raises:
        InputError: A feature is not finite, or as :func:`atomic_write`.
    """
    with atomic_write(file) as partial, new_hdf5(partial) as new:
        stream, check = new
        text = h5py.string_dtype()
        stream['labels'] = np.asarray(labels, np.int64)
        for name, column in (('paths', paths), ('splits', splits)):
            stream.create_dataset(name, data=list(column), dtype=text)
        for name, value in attributes.items():
            stream.attrs[name] = value
        table = None
        for rows, values in batches:
            rows, first = np.unique(rows, return_index=True)
            values = values[first].astype(np.float32)
            if not np.isfinite(values).all():
                bad = rows[~np.isfinite(values).all(1)][0]
                raise InputError(
                    f'the features of {paths[bad]} are not finite: the '
                    'weights are not, or overflow. Use other weights.'
                )
            if table is None:
                table = stream.create_dataset(
                    'features',
                    (len(labels), values.shape[1]),
                    np.float32,
                    fillvalue=np.nan,  # no row is left out unnoticed
                )
            table[rows] = values
            check()
        return table.shape[1]


def read_features(file: str | Path) -> FeatureFile:
    """Read and check features.

    Args:
        file (str or Path): A file of :func:`write_features`, or of the same
            form.

    Raises:
        InputError: It is missing, no HDF5 file, lacks something, or holds
            what does not fit together.
    """
    if not Path(file).is_file():
        raise InputError(
            f'{file} does not exist. Write it by tools/extract_features.py.'
        )
    try:
        with h5py.File(file) as stream:
            if missing := [
                *(name for name in _COLUMNS if name not in stream),
                *(['classes'] if 'classes' not in stream.attrs else []),
            ]:
                found = ', '.join([*stream, *stream.attrs]) or 'nothing'
                raise _wrong(file, f'it lacks {", ".join(missing)}', found)
            attributes = dict(stream.attrs)
            classes = tuple(map(str, attributes.pop('classes')))
            names = attributes.pop('full_names', classes)
            read = FeatureFile(
                stream['features'][:],
                stream['labels'][:],
                stream['paths'].asstr()[:].tolist(),
                stream['splits'].asstr()[:].tolist(),
                classes,
                tuple(map(str, names)),
                attributes,
            )
    except (OSError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise _wrong(file, 'it cannot be read', first_line(error)) from error
    _check(read, file)
    return read


def _check(read: FeatureFile, file: str | Path) -> None:
    values, labels, number = read.features, read.labels, len(read.classes)
    sizes = [len(getattr(read, name)) for name in _COLUMNS]
    if values.ndim != 2 or labels.ndim != 1 or not values.shape[1]:
        shapes = f'{values.shape} and {labels.shape}'
        raise _wrong(file, 'features and labels have other shapes', shapes)
    if len({*sizes}) > 1 or not sizes[0]:
        pairs = zip(sizes, _COLUMNS, strict=True)
        found = ', '.join(f'{size} {name}' for size, name in pairs)
        raise _wrong(file, 'its columns have other lengths', found)
    if values.dtype.kind != 'f' or labels.dtype.kind not in 'iu':
        kinds = f'{values.dtype} and {labels.dtype}'
        raise _wrong(file, 'features and labels have other types', kinds)
    if not np.isfinite(values).all():
        rows = np.flatnonzero(~np.isfinite(values).all(1))
        what = f'{len(rows)} rows, first {read.paths[rows[0]]}'
        raise _wrong(file, 'features are not finite', what)
    if not 0 <= labels.min() <= labels.max() < number:
        what = f'{labels.min()} to {labels.max()} for {number} classes'
        raise _wrong(file, 'labels are out of range', what)
    if len(read.full_names) != number:
        what = f'{len(read.full_names)} for {number} classes'
        raise _wrong(file, 'full_names do not fit', what)
    support = read.attributes.get('train_support')
    if support is not None and np.shape(support) != (number,):
        what = f'shape {np.shape(support)} for {number} classes'
        raise _wrong(file, 'train_support does not fit', what)
    if unknown := {*read.splits} - SPLITS:
        raise _wrong(file, 'splits are unknown', ', '.join(sorted(unknown)))


def _wrong(file: str | Path, what: str, found: str) -> InputError:
    return InputError(
        f'{file} is no file of features: {what} (found {found}). Expected '
        'features (n, dim), labels, paths and splits (n,) and the attribute '
        'classes, as tools/extract_features.py writes them.'
    )
