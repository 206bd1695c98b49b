"""Classes that a person chose or confirmed on the report page."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from unicodedata import normalize

from bm_plugins.datasets.listed_paths import match_paths
from bm_plugins.errors import InputError
from bm_plugins.utils.csv_file import read_csv

from .table import read_table

COLUMNS = ('path', 'label', 'split', 'predicted')


def read_corrections(
    file: str | Path, classes: Sequence[str]
) -> dict[str, str]:
    """Read what the report page exports.

    Args:
        file (str or Path): CSV with ``path,label,split,predicted``, also as a
            spreadsheet saved it (:func:`read_csv`).
        classes (Sequence[str]): Codes of the bundle.

    Returns:
        dict[str, str]: Code by path, as the file spells it.

    Raises:
        InputError: It cannot be read, a column is missing, a class is
            unknown, or a path is there with two classes.
    """
    found: dict[str, str] = {}
    for line, row in _rows(file):
        path, label = row['path'], row['label']
        where = f'corrections {file}, line {line}: '
        if label not in classes:
            raise InputError(
                f'{where}unknown class {label!r}; the bundle has '
                f'{", ".join(classes)}.'
            )
        if found.setdefault(path, label) != label:
            raise InputError(
                f'{where}{path} is there more than once. Keep one.'
            )
    return found


def match_corrections(
    file: str | Path,
    table: Path,
    classes: Sequence[str],
    folder: str | Path = '.',
) -> dict[str, str]:
    """Read corrections of one prediction, and refuse those of another.

    Patients' files often have the same names; what the model had said of
    them tells whether they are the same cells.

    Args:
        file (str or Path): As for :func:`read_corrections`.
        table (Path): ``predictions.csv``.
        classes (Sequence[str]): Codes of the bundle.
        folder (str or Path): What the table's paths are relative to.

    Returns:
        dict[str, str]: Code by path, as the table spells it.

    Raises:
        InputError: A path is not in the table or another class was predicted,
            or as :func:`read_corrections`.
    """
    read_corrections(file, classes)
    lines = list(_rows(file))
    where = f'corrections {file}'
    listed = [row['path'] for _, row in lines]
    exact = {*listed}
    rows = ((row.path, row.code) for row in read_table(table, classes))
    code_of = {path: code for path, code in rows if path in exact}
    if len(code_of) < len(exact):  # all, where other spellings are looked for
        rows = ((row.path, row.code) for row in read_table(table, classes))
        code_of = dict(rows)
    paths = match_paths(listed, code_of, folder, where)
    found: dict[str, str] = {}
    other = []
    for path, (line, row) in zip(paths, lines, strict=True):
        if row.get('predicted') not in (None, '', code_of[path]):
            other.append(path)
        if found.setdefault(path, row['label']) != row['label']:
            raise InputError(
                f'{where}, line {line}: {path} is there more than once. Keep '
                'one.'
            )
    if other:
        raise InputError(
            f'{len(other)} of the {len(lines)} corrections in {file} are of '
            'cells of which the model had said something else, the first: '
            f'{other[0]}. Give the corrections of this prediction; if they '
            'are of these very cells by another model, delete the column '
            'predicted.'
        )
    return found


def _rows(file: str | Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line numbers and rows, accents of codes composed."""
    table = read_csv(file, COLUMNS[:2], COLUMNS[2:], 'corrections')
    for line, row in table:
        for column in ('label', 'predicted'):
            if column in row:
                row[column] = normalize('NFC', row[column])
        yield line, row
