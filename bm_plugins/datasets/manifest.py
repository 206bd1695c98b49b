"""The manifest of a collection and its stamp."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from unicodedata import normalize

from mmengine.logging import print_log

from bm_plugins.errors import InputError
from bm_plugins.utils.csv_file import has_column, read_csv, write_csv
from bm_plugins.utils.files import atomic_write

from .class_set import check_classes
from .layout import labels_of
from .listed_paths import on_disk, plain
from .value_range import value_bits

SPLITS = frozenset({'train', 'val', 'test'})
# What people call them, in any case.
PART_NAMES = dict(
    train='train',
    training='train',
    val='val',
    valid='val',
    validation='val',
    test='test',
    testing='test',
)


def read_manifest(
    file: str | Path,
    with_label: bool = True,
    folder: str | Path | None = None,
) -> tuple[list[str], list[str], list[str], list[int | None]]:
    """Read ``path,label,split[,fold]``.

    Args:
        file (str or Path): The CSV file.
        with_label (bool): Read the column ``label``. Defaults to True; without
            it the labels are empty and the column may be missing.
        folder (str or Path, optional): The image folder, as whose files the
            paths are then spelled (:func:`on_disk`); those that it does not
            hold stay as they are. Defaults to None: no file is looked for.

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
    label = ['label'] if with_label else []
    table = read_csv(file, ['path', *label, 'split'], ['fold'])
    columns = table.columns
    paths, text = columns['path'], ''.join(columns['path'])
    if not text.isascii() or '\\' in text or './' in text or '//' in text:
        paths = [plain(path) for path in paths]
    if folder is not None:
        paths, _ = on_disk(paths, folder)
    if not paths:
        raise InputError(f'{file} names no image.')
    if len(set(paths)) < len(paths):
        twice = Counter(paths).most_common(1)[0][0]
        raise InputError(f'{file} names {twice} more than once.')
    if wrong := {*columns['split']} - SPLITS:
        for line, row in table:
            if row['split'] in wrong and row['split'].casefold() not in (
                PART_NAMES
            ):
                raise InputError(
                    f'{file}, line {line}: split {row["split"]!r}; expected '
                    'train, val or test.'
                )
        columns['split'] = [
            PART_NAMES[part.casefold()] for part in columns['split']
        ]
    labels = columns.get('label') or [''] * len(paths)
    composed = {label: normalize('NFC', label) for label in set(labels)}
    folds = columns.get('fold') or [''] * len(paths)
    number = {value: _fold(file, value) for value in set(folds)}
    return (
        paths,
        [composed[label] for label in labels],
        columns['split'],
        [number[value] for value in folds],
    )


def _fold(file: str | Path, value: str) -> int | None:
    if not value:
        return None
    number = value.removesuffix('.0')  # as pandas writes it beside empty ones
    if not number.isdecimal():
        raise InputError(
            f'{file}: fold {value!r} is no whole number. Mend the rows.'
        )
    return int(number)


def label_indices(
    paths: Sequence[str],
    codes: Sequence[str],
    classes: Sequence[str],
    file: str | Path,
) -> list[int]:
    """Class index (N,) of each path; a code must be known and agree with it.

    It need not agree where the manifest has a column ``predicted``: a person
    then chose the codes, wherever the files lie.

    Args:
        paths (Sequence[str]): Column ``path`` (N,).
        codes (Sequence[str]): Column ``label`` (N,).
        classes (Sequence[str]): The known codes, in label order.
        file (str or Path): The manifest.

    Raises:
        InputError: A code is unknown, or its path says another.
    """
    index = {code: i for i, code in enumerate(check_classes(classes))}
    for path, code in zip(paths, codes, strict=True):
        if code not in index:
            raise InputError(
                f'{file}: {path} has the unknown code {code!r}; the classes '
                f'are {", ".join(classes)}. Mend the row, or name your own by '
                'class_set=dict(classes=...).'
            )
    if has_column(file, 'predicted'):
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
    """What :func:`write_stamp` noted of just this manifest.

    None where there is no stamp, or the manifest has changed since.
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

    As :func:`value_bits`, and its errors.
    """
    stamp = read_stamp(manifest) or {}
    if 'bits' in stamp:
        return stamp['bits']
    return value_bits(paths, folder)


def protocol_of(manifest: str | Path, fold: int | None) -> str:
    """How the test part was chosen, for a report."""
    said = (read_stamp(manifest) or {}).get('protocol', {})
    name = Path(manifest).name
    if fold is None:
        return said.get('split', f'split of {name}, origin not recorded')
    how = said.get('folds', f'folds of {name}, origin not recorded')
    return f'{how}; fold {fold} tests'
