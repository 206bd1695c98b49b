"""``predictions.csv``, row by row, and what a person corrects in it."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

import numpy as np

from bm_plugins.apis.bundle.cell_predictor import Judgement
from bm_plugins.datasets.listed_paths import match_paths
from bm_plugins.errors import InputError
from bm_plugins.utils.csv_file import read_csv


def header(classes: Sequence[str]) -> list[str]:
    """Columns: path, code, confidence, a probability a class, and so on."""
    chances = [f'p_{code}' for code in classes]
    last = ['set', 'distance', 'flag', 'field']
    return ['path', 'code', 'confidence', *chances, *last]


def _between(classes: Sequence[str]) -> str:
    """What stands between the codes of a set."""
    return '|' if any(' ' in code for code in classes) else ' '


def table_rows(
    paths: Sequence[str],
    judgement: Judgement,
    classes: Sequence[str],
    fields: Sequence[str],
) -> list[list[str]]:
    """Rows of cells.

    Args:
        paths (Sequence[str]): Of N cells.
        judgement (Judgement): Of the same cells.
        classes (Sequence[str]): Codes (C,).
        fields (Sequence[str]): How the cells' images differ from those of
            training, as :func:`bm_plugins.datasets.scale.fit_field` says.

    Returns:
        list[list[str]]: Texts (N, C + 7); probabilities of 6 decimals, sets
        with the likeliest first.
    """
    labels, between = judgement.labels, _between(classes)
    return [
        [
            path,
            classes[labels[i]],
            f'{judgement.probabilities[i, labels[i]]:.6f}',
            *(f'{p:.6f}' for p in judgement.probabilities[i]),
            between.join(judgement.codes(i, classes)),
            f'{judgement.distances[i]:.5f}',
            judgement.flags[i],
            fields[i],
        ]
        for i, path in enumerate(paths)
    ]


@dataclass(frozen=True)
class CellRow:
    """A row of the table.

    Attributes:
        path (str): Of the image.
        code (str): Likeliest class.
        confidence (float): Its probability.
        set (tuple[str, ...]): Classes that the error rate leaves, the
            likeliest first.
        flag (str): ``unsure``, ``unlike`` or empty.
        field (str or None): ``narrow``, ``wide``, ``size``, ``shape`` or
            empty; None in a table of a version that did not tell.
    """

    path: str
    code: str
    confidence: float
    set: tuple[str, ...]
    flag: str
    field: str | None = None


def read_scores(file: str | Path, classes: Sequence[str]) -> np.ndarray:
    """Probabilities (N, C) of ``predictions.csv``, of 6 decimals.

    Args:
        file (str or Path): The file, as :func:`read_table` takes it.
        classes (Sequence[str]): Codes (C,).
    """
    with open(file, newline='', encoding='utf-8') as stream:
        rows = csv.reader(stream)
        next(rows)
        found = [np.array(row[3 : 3 + len(classes)], float) for row in rows]
    return np.array(found).reshape(-1, len(classes))


def read_table(file: str | Path, classes: Sequence[str]) -> Iterator[CellRow]:
    """Rows of ``predictions.csv``.

    Args:
        file (str or Path): The file.
        classes (Sequence[str]): Codes (C,).

    Yields:
        CellRow: In the file's order.

    Raises:
        InputError: It is missing, or not as it was written.
    """
    wanted, between = header(classes), _between(classes)
    known = {*classes}
    try:
        with open(file, newline='', encoding='utf-8') as stream:
            reader = csv.reader(stream)
            columns = next(reader, None)
            if columns not in (wanted, wanted[:-1]):
                raise ValueError('other columns')
            for row in reader:
                if len(row) != len(columns) or row[1] not in known:
                    raise ValueError(f'line {reader.line_num}')
                said = dict(zip(columns[-4:], row[-4:], strict=True))
                codes = tuple(filter(None, said['set'].split(between)))
                more = codes, said['flag'], said.get('field')
                yield CellRow(row[0], row[1], float(row[2]), *more)
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(
            f'{file} is not as it was written ({error}). Predict anew by '
            '--overwrite.'
        ) from error


def read_corrections(
    file: str | Path, classes: Sequence[str], advice: str = ''
) -> dict[str, str]:
    """Read what the report page exports.

    Args:
        file (str or Path): CSV with ``path,label,split,predicted``, also as a
            spreadsheet saved it (:func:`read_csv`).
        classes (Sequence[str]): Codes of the bundle.
        advice (str): What else to say of an unknown class. Defaults to
            nothing.

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
                f'{", ".join(classes)}.{advice}'
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
    table = read_csv(
        file, ('path', 'label'), ('split', 'predicted'), 'corrections'
    )
    for line, row in table:
        for column in ('label', 'predicted'):
            if column in row:
                row[column] = normalize('NFC', row[column])
        yield line, row
