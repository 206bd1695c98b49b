"""The manifest of a collection and its stamp."""

import csv
import json
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from ..errors import InputError

SPLITS = frozenset({'train', 'val', 'test'})


def read_manifest(
    file: str | Path,
) -> tuple[list[str], list[str], list[str], list[int | None]]:
    """Read ``path,label,split[,fold]``.

    Args:
        file (str or Path): The CSV file.

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
    with open(file, newline='', encoding='utf-8-sig') as stream:
        rows = list(csv.reader(stream))
    header = rows.pop(0) if rows else []
    missing = [n for n in ('path', 'label', 'split') if n not in header]
    if missing:
        raise InputError(
            f'{file}: no column {", ".join(missing)}; expected the header '
            f'path,label,split[,fold], found {",".join(header) or "nothing"}.'
        )
    rows = [row for row in rows if row]
    for line, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise InputError(
                f'{file}, line {line}: {len(row)} values for '
                f'{len(header)} columns.'
            )
    if not rows:
        raise InputError(f'{file} names no image.')
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    paths, splits = list(columns['path']), list(columns['split'])
    if not SPLITS.issuperset(splits):
        line = next(i for i, s in enumerate(splits, 2) if s not in SPLITS)
        raise InputError(
            f'{file}, line {line}: split {splits[line - 2]!r}; expected '
            'train, val or test.'
        )
    if len(set(paths)) < len(paths):
        seen = set()
        path = next(p for p in paths if p in seen or seen.add(p))
        raise InputError(f'{file} names {path} more than once.')
    folds = [_fold(file, v) for v in columns.get('fold', [''] * len(rows))]
    return paths, list(columns['label']), splits, folds


def _fold(file: str | Path, value: str) -> int | None:
    if not value:
        return None
    if not value.isdecimal():
        raise InputError(f'{file}: fold {value!r} is no number.')
    return int(value)


def write_manifest(
    file: str | Path,
    paths: Sequence[str],
    labels: Sequence[str],
    splits: Sequence[str],
    folds: Sequence[int | None],
) -> None:
    """Write ``path,label,split,fold``, whole or not at all."""
    partial = Path(f'{file}.partial')
    with open(partial, 'w', newline='', encoding='utf-8') as stream:
        writer = csv.writer(stream, lineterminator='\n')
        writer.writerow(['path', 'label', 'split', 'fold'])
        writer.writerows(zip(paths, labels, splits, folds, strict=True))
    os.replace(partial, file)


def stamp_file(manifest: str | Path) -> Path:
    """Path of a manifest's stamp: ``split.stamp.json`` beside it."""
    return Path(manifest).with_suffix('.stamp.json')


def write_stamp(manifest: str | Path, info: dict) -> None:
    """Note that every image of ``manifest`` was decoded.

    Args:
        manifest (str or Path): The manifest as it now is.
        info (dict): What to note beside its SHA-256.
    """
    digest = sha256(Path(manifest).read_bytes()).hexdigest()
    text = json.dumps({'sha256': digest, **info}, indent=2)
    stamp_file(manifest).write_text(text + '\n')


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
