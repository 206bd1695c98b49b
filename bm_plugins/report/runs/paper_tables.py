"""The paper's Tables 2, 3 and 4 with further columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan, nan

from bm_plugins.datasets.matek_classes import CLASSES, FULL_NAMES
from bm_plugins.evaluation.functional.known_scores import MAIN, titles

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
        is_class (bool): Whether it is of a class.
    """

    code: str
    name: str
    supports: list[int | None]
    cells: list[Cell]
    is_class: bool


@dataclass(frozen=True)
class Table:
    """A table of the paper beside our columns.

    Attributes:
        metrics (tuple[str, ...]): Of each column.
        columns (list[str]): Names of the methods, the published first.
        ours (list[str]): Those that were run, the last of ``columns``.
        rows (list[Row]): The classes, then the averages.
    """

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
        number (int): 2, 3 or 4 of the paper; 5, which it has not.
        methods (Sequence[Method]): Ours, read with the ``over`` that
            :func:`common_classes` gives.
        min_support (int): Test images of the second macro average.
    """
    metrics, theirs = TABLES[number], published(number)
    names = dict(zip(CLASSES, FULL_NAMES, strict=True))
    for method in methods:
        names = method.names | names
    common = common_classes([m.support for m in methods])
    enough = published_classes(min_support)
    # Key, name, classes of the published, key of ours; none: of the common.
    averages = [
        ('macro', 'mean of its classes', CLASSES, 'macro_{}'),
        (
            'macro_min_support',
            f'mean of classes with n ≥ {min_support}',
            *(enough, 'macro_{}_min_support'),
        ),
        (
            'macro_common',
            f'mean of the {len(common)} classes in every column',
            *(common, None),
        ),
        ('weighted', 'weighted by support', None, 'weighted_{}'),
    ]
    rows = [
        Row(
            code,
            name,
            [m.support.get(code) for m in methods],
            [_published(p, metric, code) for p in theirs for metric in metrics]
            + [_own(m, metric, code) for m in methods for metric in metrics],
            True,
        )
        for code, name in names.items()
    ]
    for code, name, over, key in averages:
        if over == ():
            continue
        cells = [_average(p, m, over) for p in theirs for m in metrics]
        cells += [
            _own(m, key.format(metric), 'all') if key else m.common[metric]
            for m in methods
            for metric in metrics
        ]
        rows.append(Row(code, name, [None] * len(methods), cells, False))
    ours = [m.name for m in methods]
    return Table(metrics, [*(p.name for p in theirs), *ours], ours, rows)


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
    rows = [heads, *(_texts(row, _escaped, '±', '–') for row in table.rows)]
    lines = [f'| {" | ".join(cells)} |\n' for cells in rows]
    return ''.join([lines[0], '|---' * len(heads) + '|\n', *lines[1:]])


def over_test(methods: Sequence[Method], min_support: int = 10) -> str:
    """Scores over the test in Markdown, a column a method."""
    lines = [f'| score |{"|".join(f" {_escaped(m.name)} " for m in methods)}|']
    lines.append('|---' * (1 + len(methods)) + '|')
    for score, title in titles(MAIN, min_support).items():
        cells = [_text(_own(m, score, 'all'), '±', '–') for m in methods]
        lines.append(f'| {title} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def latex(table: Table) -> str:
    r"""The table as LaTeX, for ``\usepackage{booktabs}``."""
    left, width = 2 + len(table.ours), len(table.metrics)
    numbers = len(table.ours) + width * len(table.columns)
    groups = [
        f'\\multicolumn{{{width}}}{{c}}{{{_tex(c)}}}' for c in table.columns
    ]
    heads = ['Code', 'Class', *(f'$n$, {_tex(n)}' for n in table.ours)]
    heads += [HEADS[m].capitalize() for m in table.metrics] * len(
        table.columns
    )
    lines = [
        f'\\begin{{tabular}}{{ll{"r" * numbers}}}',
        '\\toprule',
        f'{" & " * (left - 1)} & {" & ".join(groups)} \\\\',
        f'{" & ".join(heads)} \\\\',
    ]
    above = None
    for row in table.rows:
        if row.is_class != above:
            lines.append('\\midrule')
        above = row.is_class
        cells = _texts(row, _tex, r'$\pm$', '--')
        lines.append(f'{" & ".join(cells)} \\\\')
    return '\n'.join([*lines, '\\bottomrule', '\\end{tabular}', ''])


def _published(method: Published, metric: str, code: str) -> Cell:
    key = metric, code
    return Cell(method.values.get(key, nan), std=method.stds.get(key, nan))


def _average(
    method: Published, metric: str, over: tuple[str, ...] | None
) -> Cell:
    """Mean over some classes; over all by support, where none are given."""
    if (metric, CLASSES[0]) not in method.values:
        return Cell(nan)
    return Cell(
        method.average(metric, over) if over else method.weighted(metric)
    )


def _own(method: Method, score: str, of: str) -> Cell:
    return method.cells.get((score, of), Cell(nan))


def _texts(
    row: Row, escaped: Callable[[str], str], plus_minus: str, none: str
) -> list[str]:
    """The row's cells as text."""
    cells = [escaped(row.code) if row.is_class else '', escaped(row.name)]
    cells += ['' if n is None else str(n) for n in row.supports]
    return cells + [_text(cell, plus_minus, none) for cell in row.cells]


def _text(cell: Cell, plus_minus: str, none: str) -> str:
    text = none if isnan(cell.value) else f'{cell.value:.3f}'
    if not isnan(cell.std):
        text += f' {plus_minus} {cell.std:.3f}'
    if not isnan(cell.low):
        text += f' [{cell.low:.3f}, {cell.high:.3f}]'
    return text


def _escaped(text: str) -> str:
    return text.replace('|', '\\|')


def _tex(text: str) -> str:
    escaped = {c: f'\\{c}' for c in '&%$#_{}'}
    escaped |= {
        '\\': r'\textbackslash{}',
        '~': r'\textasciitilde{}',
        '^': r'\textasciicircum{}',
        '≥': r'$\geq$',
    }
    return ''.join(escaped.get(c, c) for c in text)
