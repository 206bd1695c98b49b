"""The manifest of a collection and its stamp."""

import csv
import json
import os
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TextIO

from mmengine.logging import print_log

from ..atomic_write import atomic_write
from ..csv_file import write_csv
from ..errors import InputError
from .layout import labels_of
from .value_range import value_bits

SPLITS = frozenset({'train', 'val', 'test'})


def read_manifest(
    file: str | Path, with_label: bool = True
) -> tuple[list[str], list[str], list[str], list[int | None]]:
    """Read ``path,label,split[,fold]``.

    Args:
        file (str or Path): The CSV file.
        with_label (bool): Read the column ``label``. Defaults to True; without
            it the labels are empty and the column may be missing.

    Returns:
        tuple: Columns ``path``, ``label``, ``split`` and ``fold`` (None where
        empty or absent).

    Raises:
        InputError: It does not exist, or a column or value is wrong; the
            message names file and line.
    """
    if not os.path.isfile(file):
        raise InputError(
            f'manifest {file} does not exist. Write it by `python '
            f'tools/prepare_matek.py {os.path.dirname(file)}`.'
        )
    try:
        with open(file, newline='', encoding='utf-8-sig') as stream:
            columns = _read_columns(file, stream, with_label)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f'{file} is no CSV file in UTF-8 ({error}). Save it as such.'
        ) from error
    paths, labels, splits, folds = columns
    if not paths:
        raise InputError(f'{file} names no image.')
    if len(set(paths)) < len(paths):
        seen = set()
        twice = next(p for p in paths if p in seen or seen.add(p))
        raise InputError(f'{file} names {twice} more than once.')
    number = {value: _fold(file, value) for value in set(folds)}
    return paths, labels, splits, [number[value] for value in folds]


def _read_columns(file: str | Path, stream: TextIO, with_label: bool) -> tuple:
    paths, labels, splits, folds = [], [], [], []
    reader = csv.reader(stream)
    header = next(reader, [])
    wanted = ('path', 'label', 'split') if with_label else ('path', 'split')
    if missing := [name for name in wanted if name not in header]:
        raise InputError(
            f'{file}: no column {", ".join(missing)}; expected the header '
            f'path,label,split[,fold], found {",".join(header) or "nothing"}.'
        )
    path, split = header.index('path'), header.index('split')
    label = header.index('label') if with_label else None
    fold = header.index('fold') if 'fold' in header else None
    for row in reader:
        if not row:
            continue
        if len(row) != len(header):
            wrong = f'{len(row)} values for {len(header)} columns.'
        elif row[split] not in SPLITS:
            wrong = f'split {row[split]!r}; expected train, val or test.'
        elif not row[path] or row[path][0] == '/':
            wrong = (
                f'path {row[path]!r}; expected one relative to the image '
                'folder.'
            )
        else:
            paths.append(row[path])
            labels.append('' if label is None else row[label])
            splits.append(row[split])
            folds.append('' if fold is None else row[fold])
            continue
        raise InputError(f'{file}, line {reader.line_num}: {wrong}')
    return paths, labels, splits, folds


def _fold(file: str | Path, value: str) -> int | None:
    if not value:
        return None
    if not value.isdecimal():
        raise InputError(f'{file}: fold {value!r} is no number.')
    return int(value)


def label_indices(
    paths: Sequence[str],
    codes: Sequence[str],
    classes: Sequence[str],
    file: str | Path,
) -> list[int]:
    """Class indices; a code must be known and agree with its path.

    It need not agree where the manifest has a column ``predicted``: a person
    then chose the codes, wherever the files lie.

    Args:
        paths (Sequence[str]): Column ``path`` (N,).
        codes (Sequence[str]): Column ``label`` (N,).
        classes (Sequence[str]): The known codes, in label order.
        file (str or Path): The manifest.

    Returns:
        list[int]: One a path (N,).

    Raises:
        InputError: A code is unknown, or its path says another.
    """
    index = {code: i for i, code in enumerate(classes)}
    for path, code in zip(paths, codes, strict=True):
        if code not in index:
            raise InputError(
                f'{file}: {path} has the unknown code {code!r}; the classes '
                f'are {" ".join(classes)}. Mend the row, or name your own by '
                'metainfo=dict(classes=...).'
            )
    with open(file, newline='', encoding='utf-8-sig') as stream:
        if 'predicted' in next(csv.reader(stream), ()):
            return [index[code] for code in codes]
    in_paths = labels_of(paths, classes)
    for path, code, said in zip(paths, codes, in_paths, strict=True):
        if code != said:
            raise InputError(
                f'{file}: {path} is labelled {code}, but its folder or file '
                f'name says {said}. Mend the row, or move or rename the file.'
            )
    return [index[code] for code in codes]


def write_manifest(
    file: str | Path,
    paths: Sequence[str],
    labels: Sequence[str],
    splits: Sequence[str],
    folds: Sequence[int | None],
) -> None:
    """Write ``path,label,split,fold``, whole or not at all."""
    rows = zip(paths, labels, splits, folds, strict=True)
    write_csv(file, ['path', 'label', 'split', 'fold'], rows)


def stamp_file(manifest: str | Path) -> Path:
    """Path of a manifest's stamp: ``split.stamp.json`` beside it."""
    return Path(manifest).with_suffix('.stamp.json')


def write_stamp(manifest: str | Path, info: dict) -> None:
    """Note that every image of ``manifest`` was looked at.

    Args:
        manifest (str or Path): The manifest as it now is.
        info (dict): What to note beside its SHA-256; ``unreadable``, if some
            images cannot be decoded.
    """
    digest = sha256(Path(manifest).read_bytes()).hexdigest()
    text = json.dumps({'sha256': digest, **info}, indent=2)
    with atomic_write(stamp_file(manifest)) as partial:
        partial.write_text(text + '\n')


def is_verified(manifest: str | Path) -> bool:
    """Whether every image of just this manifest was decoded once."""
    stamp = read_stamp(manifest)
    return stamp is not None and not stamp.get('unreadable')


@lru_cache  # once a manifest, however many data sets read it
def say_unverified(manifest: str, data_root: str) -> None:
    """Say in the log that no one looked at every image yet."""
    print_log(
        f'{manifest} is not verified: an unreadable image would stop a run '
        'when it is reached. Verify once by `python tools/prepare_matek.py '
        f'{data_root} --check`.',
        logger='current',
    )


def read_stamp(manifest: str | Path) -> dict | None:
    """The stamp of just this manifest, or None.

    Args:
        manifest (str or Path): The manifest.

    Returns:
        dict or None: What :func:`write_stamp` noted; None where there is no
        stamp or the manifest has changed since.
    """
    try:
        stamp = json.loads(stamp_file(manifest).read_text())
    except (OSError, ValueError):
        return None
    digest = sha256(Path(manifest).read_bytes()).hexdigest()
    return stamp if stamp.get('sha256') == digest else None


def bits_of(
    manifest: str | Path, paths: Sequence[str], folder: str | Path
) -> int | None:
    """Range of the images' 16-bit values: as the stamp says, else looked up.

    Args:
        manifest (str or Path): The manifest.
        paths (Sequence[str]): All its paths.
        folder (str or Path): The image folder.

    Returns:
        int or None: As :func:`value_bits`, and its errors.
    """
    stamp = read_stamp(manifest) or {}
    if 'bits' in stamp:
        return stamp['bits']
    return value_bits(paths, folder)


def protocol_of(manifest: str | Path, fold: int | None) -> str:
    """How the test part was chosen, for a report.

    Args:
        manifest (str or Path): The manifest.
        fold (int, optional): The fold that is the test part.

    Returns:
        str: As its stamp says; else that its origin is not recorded.
    """
    said = (read_stamp(manifest) or {}).get('protocol', {})
    name = Path(manifest).name
    if fold is None:
        return said.get('split', f'split of {name}, origin not recorded')
    how = said.get('folds', f'folds of {name}, origin not recorded')
    return f'{how}; fold {fold} tests'
