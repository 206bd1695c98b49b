"""The paper's Tables 2, 3 and 4 with further columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan

from bm_plugins.datasets.matek_classes import CLASSES, FULL_NAMES

from .method_column import Cell, Method
from .paper_results import Published, published, published_classes

TABLES = {
    2: ('f1',),
    3: ('precision', 'recall'),
    4: ('precision', 'recall', 'f1'),
    5: ('precision', 'recall', 'f1'),
}
# Of our columns.
OURS = {2: 'supervised', 3: 'supervised', 4: 'linear', 5: 'neighbours'}
TITLES = {
    2: 'F1 by class, supervised (the paper’s Table 2, 20 epochs)',
    3: 'Precision and recall by class, supervised (the paper’s Table 3)',
    4: 'A linear classifier on frozen features (the paper’s Table 4: SwAV '
    'and SupCon)',
    5: 'k-NN on frozen features (none of the paper’s)',
}
HEADS = {'precision': 'precision', 'recall': 'recall', 'f1': 'F1'}


@dataclass(frozen=True)
class Row:
    """A row: a class, or an average.

    Attributes:
        code (str): The class's code, or the average's key.
        name (str): What to print.
        supports (list): Test images in each of our columns; None without.
        cells (list[Cell]): One a column and metric.
    """

    code: str
    name: str
    supports: list[int | None]
    cells: list[Cell]


@dataclass(frozen=True)
class Table:
    """A table of the paper beside our columns.

    Attributes:
        number (int): 2, 3 or 4 of the paper; 5, which it has not.
        metrics (tuple[str, ...]): Of each column.
        columns (list[str]): Names of the methods, the published first.
        ours (list[str]): Those that were run, the last of ``columns``.
        rows (list[Row]): The classes, then the averages.
    """

    number: int
    metrics: tuple[str, ...]
    columns: list[str]
    ours: list[str]
    rows: list[Row]


def common_classes(supports: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Codes that the paper and every run test, in the paper's order."""
    return tuple(c for c in CLASSES if all(c in tested for tested in supports))


def paper_table(
    number: int, methods: Sequence[Method], min_support: int = 10
) -> Table:
    """One of the paper's tables with our columns.

    Args:
        number (int): As for :class:`Table`.
        methods (Sequence[Method]): Ours, read with the ``over`` that
            :func:`common_classes` gives.
        min_support (int): Test images of the second macro average.
    """
    metrics = TABLES[number]
    theirs = published(number)
    names = dict(zip(CLASSES, FULL_NAMES, strict=True))
    for method in methods:
        names = method.names | names
    common = common_classes([m.support for m in methods])
    rows = [
        Row(
            code,
            name,
            [m.support.get(code) for m in methods],
            [
                *(
                    _published(p, metric, code)
                    for p in theirs
                    for metric in metrics
                ),
                *(
                    m.cells.get((metric, code), Cell(nan))
                    for m in methods
                    for metric in metrics
                ),
            ],
        )
        for code, name in names.items()
    ]
    enough = published_classes(min_support)
    averages = (
        ('macro', 'mean of its classes', CLASSES, 'macro_{}'),
        (
            'macro_min_support',
            f'mean of classes with n ≥ {min_support}',
            enough,
            'macro_{}_min_support',
        ),
        (
            'macro_common',
            f'mean of the {len(common)} classes in every column',
            common,
            None,
        ),
        ('weighted', 'weighted by support', None, 'weighted_{}'),
    )
    for code, name, over, key in averages:
        if over == ():
            continue
        cells = []
        for p in theirs:
            for metric in metrics:
                known = (metric, CLASSES[0]) in p.values
                value = nan
                if known:
                    value = (
                        p.average(metric, over) if over else p.weighted(metric)
                    )
                cells.append(Cell(value))
        for m in methods:
            for metric in metrics:
                cells.append(
                    m.cells.get((key.format(metric), 'all'), Cell(nan))
                    if key
                    else m.common[metric]
                )
        rows.append(Row(code, name, [None] * len(methods), cells))
    ours = [m.name for m in methods]
    return Table(
        number, metrics, [*(p.name for p in theirs), *ours], ours, rows
    )


def csv_rows(table: Table) -> tuple[list[str], list[list]]:
    """Header and rows of the table, one line a class, column and metric."""
    header = ['code', 'name', 'method', 'source', 'metric']
    header += ['n', 'value', 'low', 'high', 'std']
    rows = []
    theirs = len(table.columns) - len(table.ours)
    for row in table.rows:
        for number, cell in enumerate(row.cells):
            column, metric = divmod(number, len(table.metrics))
            if isnan(cell.value):
                continue
            is_ours = column >= theirs
            n = row.supports[column - theirs] if is_ours else None
            rows.append(
                [
                    row.code,
                    row.name,
                    table.columns[column],
                    'run' if is_ours else 'published',
                    table.metrics[metric],
                    '' if n is None else n,
                    *(
                        '' if isnan(v) else f'{v:.6f}'
                        for v in (cell.value, cell.low, cell.high, cell.std)
                    ),
                ]
            )
    return header, rows


def markdown(table: Table) -> str:
    """The table as Markdown."""
    heads = ['code', 'class', *(f'n, {name}' for name in table.ours)]
    heads += [f'{c}: {HEADS[m]}' for c in table.columns for m in table.metrics]
    lines = [_line(heads), '|---' * len(heads) + '|']
    for row in table.rows:
        is_class = not row.code.startswith(('macro', 'weighted'))
        cells = [row.code if is_class else '', row.name.replace('|', '\\|')]
        cells += ['' if n is None else str(n) for n in row.supports]
        lines.append(_line(cells + [_text(c, '±') for c in row.cells]))
    return '\n'.join(lines) + '\n'


def latex(table: Table) -> str:
    r"""The table as LaTeX, for ``\usepackage{booktabs}``."""
    left, width = 2 + len(table.ours), len(table.metrics)
    numbers = len(table.ours) + width * len(table.columns)
    groups = [
        f'\\multicolumn{{{width}}}{{c}}{{{_tex(c)}}}' for c in table.columns
    ]
    heads = ['Code', 'Class', *(f'$n$, {_tex(n)}' for n in table.ours)]
    heads += [
        HEADS[m].capitalize() for _ in table.columns for m in table.metrics
    ]
    lines = [
        f'\\begin{{tabular}}{{ll{"r" * numbers}}}',
        '\\toprule',
        f'{" & " * (left - 1)} & {" & ".join(groups)} \\\\',
        f'{" & ".join(heads)} \\\\',
        '\\midrule',
    ]
    above = True
    for row in table.rows:
        is_class = not row.code.startswith(('macro', 'weighted'))
        if above and not is_class:
            lines.append('\\midrule')
            above = False
        cells = [_tex(row.code) if is_class else '', _tex(row.name)]
        cells += ['' if n is None else str(n) for n in row.supports]
        cells += [_text(c, '$\\pm$') for c in row.cells]
        lines.append(f'{" & ".join(cells)} \\\\')
    return '\n'.join([*lines, '\\bottomrule', '\\end{tabular}', ''])


def _published(method: Published, metric: str, code: str) -> Cell:
    key = metric, code
    return Cell(method.values.get(key, nan), std=method.stds.get(key, nan))


def _line(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'


def _text(cell: Cell, plus_minus: str) -> str:
    if isnan(cell.value):
        return '–' if plus_minus == '±' else '--'
    text = f'{cell.value:.3f}'
    if not isnan(cell.std):
        text += f' {plus_minus} {cell.std:.3f}'
    if not isnan(cell.low):
        text += f' [{cell.low:.3f}, {cell.high:.3f}]'
    return text


def _tex(text: str) -> str:
    escaped = {c: f'\\{c}' for c in '&%$#_{}'}
    escaped |= {
        '\\': r'\textbackslash{}',
        '~': r'\textasciitilde{}',
        '^': r'\textasciicircum{}',
        '≥': r'$\geq$',
    }
    return ''.join(escaped.get(c, c) for c in text)
