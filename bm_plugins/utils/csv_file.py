"""CSV files: written whole or not at all, read as people save them."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bm_plugins.errors import InputError

from .files import atomic_write

_BETWEEN = ',;\t'
_SAVE = 'Save it so: in Excel as "CSV UTF-8" or "Unicode Text".'
# Of published lists and other programs, spelled as _plain does.
_OTHER_NAMES = {
    'image path': 'path',
    **dict.fromkeys(('um per px', 'um per pixel', 'mpp'), 'um_per_px'),
    **dict.fromkeys(('um/px', 'um/pixel', 'microns per pixel'), 'um_per_px'),
}


@dataclass(frozen=True)
class Table:
    """Columns of a CSV file, blank rows left out.

    Attributes:
        lines (list[int]): Line of the file (N,).
        columns (dict[str, list[str]]): Cells (N,) without padding, by column;
            an optional one only where the file has it.
    """

    lines: list[int]
    columns: dict[str, list[str]]

    def __iter__(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Line and cells of each row."""
        for line, *cells in zip(
            self.lines, *self.columns.values(), strict=True
        ):
            yield line, dict(zip(self.columns, cells, strict=True))


def read_csv(
    file: str | Path,
    wanted: Sequence[str],
    optional: Sequence[str] = (),
    what: str = '',
) -> Table:
    """Read columns of a CSV file by their names.

    Between cells stand commas, semicolons or tabs; a first line ``sep=;``
    says so. UTF-8, or UTF-16 with its mark, as spreadsheets save "Unicode
    text". Names are found in any case; DinoBloom's ``Image Path`` is ``path``,
    and ``µm per pixel``, ``mpp`` and the like are ``um_per_px``.

    Args:
        file (str or Path): The file.
        wanted (Sequence[str]): Columns that must be there and have a value in
            each row.
        optional (Sequence[str]): Columns that may be there. Defaults to none.
        what (str): What the file is, for errors. Defaults to nothing.

    Raises:
        InputError: It cannot be read, a column or its name is missing or
            there twice, or a row has more or fewer cells than names.
    """
    where = f'{what} {file}'.lstrip()
    stream = _open(file, where)
    skipped, between, header = _header(stream, (*wanted, *optional), where)
    places = _places(header, wanted, optional, where)
    reader = csv.reader(
        stream, delimiter=between, strict=True, skipinitialspace=True
    )
    lines, columns = [], {name: [] for name in places}
    kept = [(places[name], columns[name].append) for name in places]
    needed = {name: places[name] for name in wanted}
    width = len(header)
    try:
        for row in reader:
            if len(row) != width or not all(
                [row[place].strip() for place in needed.values()]  # noqa: C419
            ):
                if not any(map(str.strip, row)):
                    continue
                line = skipped + reader.line_num
                _check_row(row, header, needed, f'{where}, line {line}')
            lines.append(skipped + reader.line_num)
            for place, add in kept:
                add(row[place].strip())
    except csv.Error as error:
        raise InputError(
            f'{where}, line {skipped + reader.line_num}: {error}. Mend the '
            'line; perhaps a quotation mark is missing.'
        ) from error
    return Table(lines, columns)


def _check_row(
    row: list[str],
    header: list[str],
    wanted: Mapping[str, int],
    where: str,
) -> None:
    """Refuse a row that lacks a cell or has one too many."""
    width = len(header)
    if len(row) < width or any(map(str.strip, row[width:])):
        raise InputError(
            f'{where}: {len(row)} cells for the {width} columns '
            f'{",".join(header)}. Mend the row; a cell that holds what stands '
            'between cells needs quotation marks.'
        )
    for name, place in wanted.items():
        if not row[place].strip():
            raise InputError(f'{where}: no {name}. Mend or delete the row.')


def has_column(file: str | Path, name: str) -> bool:
    """Whether a CSV file has a column, as :func:`read_csv` finds it."""
    where = str(file)
    header = _header(_open(file, where), ('path', name), where)[2]
    return name in _names(header)


def _open(file: str | Path, where: str) -> io.StringIO:
    try:
        content = Path(file).read_bytes()
    except FileNotFoundError:
        raise InputError(f'{where} does not exist. Check the path.') from None
    except OSError as error:
        raise InputError(
            f'{where} cannot be read: {error.strerror}.'
        ) from error
    is_wide = content[:2] in (b'\xff\xfe', b'\xfe\xff')
    try:
        text = content.decode('utf-16' if is_wide else 'utf-8-sig')
    except UnicodeDecodeError as error:
        raise InputError(
            f'{where}, line {content.count(10, 0, error.start) + 1}: is no '
            f'CSV file in UTF-8. {_SAVE}'
        ) from error
    if '\0' in text:
        raise InputError(
            f'{where} is no CSV file in UTF-8 (it holds zero bytes). {_SAVE}'
        )
    return io.StringIO(text, newline='')


def _header(
    stream: io.StringIO, names: Sequence[str], where: str
) -> tuple[int, str, list[str]]:
    """Lines up to the header, what stands between cells, column names."""
    skipped, between = 0, _BETWEEN
    for line in stream:
        skipped += 1
        said = re.fullmatch(r'"?sep=(.)"?[,;\t\s]*', line, re.I)
        if said and skipped == 1:
            between = said[1]
        elif line.strip(f'{_BETWEEN}" \r\n'):
            break
    else:
        return skipped, ',', []
    found = {}
    for letter in between:
        try:
            rows = csv.reader([line], delimiter=letter, skipinitialspace=True)
            cells = next(rows, [])
        except csv.Error as error:
            raise InputError(f'{where}, line {skipped}: {error}.') from error
        while cells and not cells[-1].strip():
            cells.pop()
        found[letter] = cells

    def known(letter: str) -> tuple[int, int]:
        cells = found[letter]
        return len({*names} & {*_names(cells)}), len(cells)

    best = max(found, key=known)
    return skipped, best, found[best]


def _names(header: Sequence[str]) -> list[str]:
    """Column names, in lower case and without padding."""
    names = [' '.join(cell.split()).casefold() for cell in header]
    return [_OTHER_NAMES.get(_plain(name), name) for name in names]


def _plain(name: str) -> str:
    """Spaces for ``_``, none around ``/``, ``um`` for ``µm``."""
    name = re.sub(r'\s*/\s*', '/', name.replace('_', ' '))
    return name.replace('\xb5', 'u').replace('\u03bc', 'u')


def _places(
    header: list[str],
    wanted: Sequence[str],
    optional: Sequence[str],
    where: str,
) -> dict[str, int]:
    """Where each column stands."""
    expected = f'expected the columns {",".join(wanted)}'
    if optional:
        expected += f' (and perhaps {",".join(optional)})'
    found = ','.join(header)[:200] or 'nothing'
    names = _names(header)
    if missing := [name for name in wanted if name not in names]:
        advice = 'Name the columns in the first line.'
        if names and not {*wanted, *optional} & {*names}:
            advice = 'Add a first line of column names, if it has none.'
        raise InputError(
            f'{where}: no column {", ".join(missing)}; {expected}, found '
            f'{found}. {advice}'
        )
    places = {}
    for name in (*wanted, *optional):
        if names.count(name) > 1:
            raise InputError(
                f'{where}: {names.count(name)} columns {name}; {expected}, '
                f'found {found}. Keep one of them.'
            )
        if name in names:
            places[name] = names.index(name)
    return places


def write_csv(
    file: str | Path, header: Sequence[str], rows: Iterable[Sequence]
) -> None:
    """Write a header and rows, in UTF-8.

    Raises:
        InputError: As :func:`atomic_write`.
    """
    with (
        atomic_write(file) as partial,
        open(partial, 'w', newline='', encoding='utf-8') as stream,
    ):
        writer = csv.writer(stream, lineterminator='\n')
        writer.writerow(header)
        writer.writerows(rows)
