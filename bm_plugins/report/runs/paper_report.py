"""The paper's tables with our columns, written to a folder."""

from collections.abc import Sequence
from pathlib import Path

from bm_plugins.errors import InputError
from bm_plugins.utils.csv_file import write_csv
from bm_plugins.utils.files import atomic_write, make_folder

from .method_column import Method, read_method
from .paper_results import published
from .paper_tables import (
    OURS,
    TITLES,
    common_classes,
    csv_rows,
    latex,
    markdown,
    over_test,
    paper_table,
)


def write_report(
    folders: Sequence[Path],
    out: Path,
    names: Sequence[str] | None = None,
    min_support: int = 10,
) -> list[int]:
    """Write the tables as CSV, Markdown and LaTeX, and ``report.md``.

    A run stands in the tables of its kind: supervised in the paper's 2 and 3,
    a linear classifier on frozen features in 4, k-NN on them in a fifth,
    written where there are such runs. Where its kind is not recorded, it
    stands in the paper's.

    Args:
        folders (Sequence[Path]): Of tested runs or of cross-validations.
        out (Path): Where to.
        names (Sequence[str], optional): Heads of their columns. Defaults to
            None: the folders' names.
        min_support (int): Test images that a class needs for the second
            macro average. Defaults to 10.

    Raises:
        InputError: A run cannot be read, or the names do not fit.
    """
    names = list(names or _names(folders))
    if len(names) != len(folders) or len({*names}) != len(names):
        raise InputError(
            f'--names: {len(names)} for {len(folders)} runs; expected as '
            'many, each its own.'
        )
    pairs = list(zip(folders, names, strict=True))
    make_folder(out)
    kinds = {pair: read_method(*pair).kind for pair in pairs}
    groups = {
        kind: _read([p for p, own in kinds.items() if own in alike])
        for kind, alike in (
            ('supervised', ('supervised', '')),
            ('linear', ('linear', '')),
            ('neighbours', ('neighbours',)),
        )
    }
    if not groups['neighbours']:
        del groups['neighbours']
        for end in ('csv', 'md', 'tex'):  # of an earlier report
            (out / f'table5.{end}').unlink(missing_ok=True)
    methods = {m.name: m for group in groups.values() for m in group}
    ours = [methods[name] for name in names]
    lines = [
        '# Beside the paper',
        '',
        'Research use only, not for diagnosis. In brackets 95 % intervals '
        'over test images (Wilson for accuracy and for precision and recall '
        'of a class, Goutte and Gaussier for F1 of a class; else bootstrap, '
        'for mean recalls widened by Wilson), or over folds where there are '
        'folds (Nadeau and Bengio 2003); after ± the standard deviation '
        'over folds. The paper gives no intervals.',
        '',
    ]
    lines += [f'- {method.name}: {method.protocol}.' for method in ours]
    lines += ['', '## Over the test', '', over_test(ours, min_support)]
    numbers = [n for n, kind in OURS.items() if kind in groups]
    for number in numbers:
        title = TITLES[number]
        table = paper_table(number, groups[OURS[number]], min_support)
        header, rows = csv_rows(table)
        write_csv(out / f'table{number}.csv', header, rows)
        _write(out / f'table{number}.md', markdown(table))
        _write(out / f'table{number}.tex', latex(table))
        lines += ['', f'## {title}', '', markdown(table)]
        lines += [f'- {p.name}: {p.protocol}.' for p in published(number)]
    lines += [
        '',
        'The means run over the classes that a column tests, so that columns '
        'of different classes compare in the row of the common ones alone. '
        'The published test images, that decide its n ≥ '
        f'{min_support}, are inferred: a fifth of each class, rounded up. '
        'F1 of Matek et al. follows from the mean precision and recall. '
        'Columns tested on other images than the paper’s say nothing of '
        'which method is better.',
        '',
    ]
    _write(out / 'report.md', '\n'.join(lines))
    return numbers


def _read(pairs: Sequence[tuple[Path, str]]) -> list[Method]:
    """The methods of a table, with the averages of their common classes."""
    tested = [read_method(folder, name).support for folder, name in pairs]
    # An empty common set leaves its row out; the names are then not used.
    common = common_classes(tested) or None
    return [read_method(folder, name, common) for folder, name in pairs]


def _names(folders: Sequence[Path]) -> list[str]:
    """Folder names, with their parents' where they would be the same."""
    for parts in (1, 2, 3):
        names = ['/'.join(f.resolve().parts[-parts:]) for f in folders]
        if len({*names}) == len(names):
            break
    return names


def _write(file: Path, text: str) -> None:
    with atomic_write(file) as partial:
        Path(partial).write_text(text, encoding='utf-8')
