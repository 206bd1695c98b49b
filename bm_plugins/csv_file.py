"""CSV files that are there whole or not at all."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from .atomic_write import atomic_write


def write_csv(
    file: str | Path, header: Sequence[str], rows: Iterable[Sequence]
) -> None:
    """Write a header and rows, in UTF-8.

    Args:
        file (str or Path): The file to write or replace.
        header (Sequence[str]): Names of the columns.
        rows (Iterable[Sequence]): One value a column.

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
