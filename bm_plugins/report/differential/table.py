"""The differential as a CSV file."""

from collections.abc import Iterator
from pathlib import Path

from bm_plugins.utils.csv_file import write_csv

from .differential import Differential

HEADER = (
    *('kind', 'code', 'name', 'group', 'counted', 'count', 'doubtful'),
    *('percent', 'low', 'high', 'percent_sure'),
    *('adjusted', 'adjusted_low', 'adjusted_high'),
    *('ratio', 'ratio_low', 'ratio_high', 'text'),
)
BY_SMEAR = ('smear', 'code', 'count', 'percent', 'low', 'high')


def write_differential(differential: Differential, file: str | Path) -> None:
    """Write a differential, its totals, warnings and notes.

    The column ``kind`` says what a line is: ``class``, a class; ``total``,
    ``TOTAL`` and ``LEFT_OUT``, the cells that are counted and those that are
    not; ``ratio``, ``M:E``, where the scheme has both; ``warning`` and
    ``note``, a sentence in the column ``text``. A field that does not apply
    is empty.

    Raises:
        InputError: As :func:`bm_plugins.utils.files.atomic_write`.
    """
    lines = _lines(differential)
    write_csv(
        file,
        HEADER,
        ([_text(line.get(column)) for column in HEADER] for line in lines),
    )


def write_by_smear(differential: Differential, file: str | Path) -> None:
    """Write the classes of each of several smears; else delete the file."""
    if not differential.by_smear:
        Path(file).unlink(missing_ok=True)
        return
    rows = map(vars, differential.by_smear)
    write_csv(
        file, BY_SMEAR, ([_text(row[x]) for x in BY_SMEAR] for row in rows)
    )


def _lines(differential: Differential) -> Iterator[dict]:
    for row in differential.rows:
        yield {**vars(row), 'kind': 'class', 'name': row.full_name}
    yield dict(
        kind='total',
        code='TOTAL',
        name='Counted cells',
        counted=True,
        count=differential.total,
        doubtful=differential.doubtful,
        percent=100.0 if differential.total else None,
    )
    yield dict(
        kind='total',
        code='LEFT_OUT',
        name='Cells left out of the percentages',
        counted=False,
        count=differential.left_out,
    )
    if differential.has_ratio:
        yield dict(
            kind='ratio',
            code='M:E',
            name='Myeloid to erythroid ratio',
            ratio=differential.me_ratio,
            ratio_low=differential.me_low,
            ratio_high=differential.me_high,
            adjusted=differential.me_adjusted[0],
            adjusted_low=differential.me_adjusted[1],
            adjusted_high=differential.me_adjusted[2],
        )
    if differential.trust:
        yield dict(kind='note', text=differential.trust)
    for text in differential.warnings:
        yield dict(kind='warning', text=text)
    for text in differential.notes:
        yield dict(kind='note', text=text)


def _text(value: str | bool | int | float | None) -> str:
    if value is None:
        return ''
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    return f'{value:.4f}' if isinstance(value, float) else str(value)
