"""Classes that a person chose or confirmed on the report page."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import InputError
from .prediction_table import read_table

COLUMNS = ('path', 'label', 'split', 'predicted')


def read_corrections(
    file: str | Path, classes: Sequence[str]
) -> dict[str, str]:
    """Read what the report page exports.

    Args:
        file (str or Path): CSV with ``path,label,split,predicted``; saved by
            a spreadsheet it may have semicolons.
        classes (Sequence[str]): Codes of the bundle.

    Returns:
        dict[str, str]: Code by path.

    Raises:
        InputError: It cannot be read, a column is missing, a class is
            unknown, or a path is there twice.
    """
    found: dict[str, str] = {}
    for line, row in _rows(file):
        path, label = row['path'], row['label']
        where = f'corrections {file}, line {line}: '
        if label not in classes:
            raise InputError(
                f'{where}unknown class {label!r}; the bundle has '
                f'{" ".join(classes)}.'
            )
        if path in found:
            raise InputError(
                f'{where}{path} is there more than once. Keep one.'
            )
        found[path] = label
    return found


def check_origin(
    file: str | Path, table: Path, classes: Sequence[str]
) -> None:
    """Refuse corrections of another prediction.

    Patients' files often have the same names; what the model had said of
    them tells whether they are the same cells.

    Args:
        file (str or Path): As for :func:`read_corrections`.
        table (Path): ``predictions.csv``.
        classes (Sequence[str]): Codes of the bundle.

    Raises:
        InputError: A path is not in the table, or another class was
            predicted.
    """
    said = {row['path']: row.get('predicted') for _, row in _rows(file)}
    other = []
    number = len(said)
    for row in read_table(table, classes):
        if row.path in said and said.pop(row.path) not in (None, '', row.code):
            other.append(row.path)
    if said:
        raise InputError(
            f'{len(said)} correction(s) in {file} are of cells that {table} '
            f'does not have, the first: {next(iter(said))}. Give the '
            'corrections of this prediction.'
        )
    if other:
        raise InputError(
            f'{len(other)} of the {number} corrections in {file} are of cells '
            f'of which the model had said something else, the first: '
            f'{other[0]}. Give the corrections of this prediction; if they '
            'are of these very cells by another model, delete the column '
            'predicted.'
        )


def _rows(file: str | Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line numbers and rows."""
    try:
        with open(file, newline='', encoding='utf-8-sig') as stream:
            first = stream.readline()
            stream.seek(0)
            comma = ';' if first.count(';') > first.count(',') else ','
            reader = csv.DictReader(stream, delimiter=comma)
            if not {'path', 'label'} <= {*(reader.fieldnames or ())}:
                names = ','.join(reader.fieldnames or ()) or 'nothing'
                raise InputError(
                    f'corrections {file}: expected the columns '
                    f'{",".join(COLUMNS)}, found {names}. Export them from '
                    'report.html.'
                )
            for row in reader:
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f'corrections {file} cannot be read: '
            f'{getattr(error, "strerror", None) or error}.'
        ) from error
