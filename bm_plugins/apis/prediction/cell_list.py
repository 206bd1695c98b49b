"""The images to predict: a folder, a pattern, or a list."""

import os
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from unicodedata import category

import numpy as np

from bm_plugins.datasets.image_io import CONTROLS
from bm_plugins.datasets.layout import (
    IMAGE_ENDINGS,
    find_image_folder,
    list_pictures,
)
from bm_plugins.datasets.listed_paths import on_disk, unmatched
from bm_plugins.datasets.scale import parse_um_per_px
from bm_plugins.datasets.value_range import value_bits
from bm_plugins.errors import InputError
from bm_plugins.utils.csv_file import read_csv

_MAGIC = frozenset('*?[')


class CellList:
    """Names of images, in one block of memory.

    Lists of strings would be copied page by page into each process that reads
    them.

    Args:
        folder (str or Path): What the names are relative to.
        names (Iterable[str]): With ``/``; other bytes than UTF-8 as
            ``surrogateescape`` has them.
        um_per_px (Sequence[float, str or None], optional): Of each, as
            :func:`parse_um_per_px` gives it. Defaults to None: nothing is
            said of any.

    Attributes:
        bits (int or None): Range of 16-bit values, by :func:`value_bits`.

    Raises:
        InputError: The images mix such ranges.
    """

    def __init__(
        self,
        folder: str | Path,
        names: Iterable[str],
        um_per_px: Sequence[float | str | None] | None = None,
    ) -> None:
        self.folder = Path(folder)
        names = list(names)
        self.bits = value_bits(names, folder)
        encoded = [os.fsencode(name) for name in names]
        self._ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
        self._text = b''.join(encoded)
        self._scales = None
        if any(um_per_px or ()):
            self._scales = np.array([str(s or '') for s in um_per_px])

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        """Name of a cell."""
        start = int(self._ends[index - 1]) if index else 0
        return os.fsdecode(self._text[start : int(self._ends[index])])

    def file(self, index: int) -> str:
        """Path of a cell's image."""
        return os.path.join(self.folder, self[index])

    def um_per_px(self, index: int) -> float | str | None:
        """What the list says of a cell's scale."""
        if self._scales is None:
            return None
        return parse_um_per_px(self._scales[index])

    def said_um_per_px(self) -> set[float | str | None]:
        """All that the list says of scales."""
        said = () if self._scales is None else np.unique(self._scales)
        return {parse_um_per_px(value) for value in said} - {None}

    def digest(self) -> str:
        """SHA-256 of the folder's name and the files' names, sizes and times,
        and of the scales in the list.

        Cameras number their files anew for each slide, and pictures that are
        not compressed are of one size; so the times count. A missing file has
        the size and time -1.
        """
        total = sha256(os.fsencode(self.folder.resolve().name))
        for index in range(len(self)):
            try:
                found = os.stat(self.file(index))
                known = (found.st_size, found.st_mtime_ns)
            except (OSError, ValueError):  # a NUL in the name
                known = (-1, -1)
            total.update(os.fsencode(self[index]) + b'\0%d %d\n' % known)
        if self._scales is not None:
            total.update('\n'.join(self._scales).encode())
        return total.hexdigest()


def list_cells(source: str | Path) -> CellList:
    """The images of a folder, a pattern or a CSV file.

    Args:
        source (str or Path): A folder, searched at any depth (where it holds
            the release's image folder, that one); an image; a pattern as of
            a shell, ``**`` for any folders; or a CSV file with a column
            ``path``, relative to the file's folder (:mod:`.listed_paths`
            tells which spellings are taken), and perhaps ``um_per_px``.

    Returns:
        CellList: In the CSV's order; else sorted, a folder reached by several
        links once, hidden and system files left out.

    Raises:
        InputError: It is missing or empty, or the CSV names a file twice or
            one that is not there.
    """
    text = os.fspath(source)
    if os.path.isdir(text):
        folder = find_image_folder(text)
        cells = CellList(folder, list_pictures(folder))
        what = 'holds'
    elif os.path.isfile(text) and text.lower().endswith(IMAGE_ENDINGS):
        folder, name = os.path.split(text)
        cells = CellList(folder, [name])
    elif text.lower().endswith('.csv'):
        cells = CellList(Path(text).parent, *_read_paths(text))
        what = 'names'
    else:
        cells = CellList(*_match(text))
        what = 'is neither a folder nor a CSV file, and matches'
    if not len(cells):
        raise InputError(
            f'{text} {what} no image. Give a folder of images '
            f'({" ".join(IMAGE_ENDINGS)}), a quoted pattern, or a CSV file '
            'with a column path.'
        )
    return cells


def _match(pattern: str) -> tuple[str, list[str]]:
    """Folder before the first wildcard, and the names that match."""
    parts = pattern.split('/')
    fixed = next(
        (
            i
            for i, part in enumerate(parts)
            # QuPath and others put brackets into names of folders.
            if _MAGIC & set(part)
            and not os.path.isdir('/'.join(parts[: i + 1]))
        ),
        len(parts) - 1,
    )
    folder = '/'.join(parts[:fixed]) or ('/' if pattern[:1] == '/' else '.')
    wanted = parts[fixed:]
    if not os.path.isdir(folder):
        return folder, []
    depth = None if '**' in wanted else len(wanted)
    names = list_pictures(folder, depth)
    return folder, [n for n in names if _fits(n.split('/'), wanted)]


def _fits(parts: list[str], wanted: list[str]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == '**' and _fits(parts, wanted[1:]):
        return True
    if not parts:
        return False
    if wanted[0] == '**':
        return _fits(parts[1:], wanted)
    return fnmatchcase(parts[0], wanted[0]) and _fits(parts[1:], wanted[1:])


def _read_paths(file: str) -> tuple[list[str], list[float | str | None]]:
    """Paths of a CSV file, as the folder spells them, and their scales."""
    table = read_csv(file, ['path'], ['um_per_px'])
    scales = [
        parse_um_per_px(value, f'{file}, line {line}: um_per_px')
        for line, value in zip(
            table.lines, table.columns.get('um_per_px', ()), strict=False
        )
    ]
    folder = os.path.dirname(file) or '.'
    listed = table.columns['path']
    paths, missing = on_disk(listed, folder)
    for row, path in enumerate(listed):
        if _is_elsewhere(path):
            paths[row] = path
    if gone := [paths[n] for n in missing if not _is_elsewhere(paths[n])]:
        raise unmatched(file, gone, len(paths), folder)
    seen = set()
    for line, path in zip(table.lines, paths, strict=True):
        place = os.path.abspath(os.path.join(folder, path))
        if place in seen:
            raise InputError(
                f'{file}, line {line}: {path!r} is there '
                'more than once. Delete one of the rows.'
            )
        seen.add(place)
    return paths, scales


def _is_elsewhere(path: str) -> bool:
    """Whether it is the whole path of a file."""
    try:
        return path[:1] == '/' and os.path.lexists(path)
    except ValueError:  # a NUL in the name
        return False


def printable(name: str) -> str:
    r"""A name for a table: ``\xff`` for what is no UTF-8, ``\n`` and so on.

    Args:
        name (str): As :class:`CellList` gives it.
    """
    text = os.fsencode(name).decode(errors='backslashreplace')
    return ''.join(
        letter.encode('unicode_escape').decode()
        if category(letter) in CONTROLS
        else letter
        for letter in text
    )
