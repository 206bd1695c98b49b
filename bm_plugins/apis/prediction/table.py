"""``predictions.csv``, row by row, however long it is."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bm_plugins.apis.bundle.cell_predictor import Judgement
from bm_plugins.errors import InputError


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
