"""The paper's tables with our columns, written to a folder."""

from collections.abc import Sequence
from pathlib import Path

from ..atomic_write import atomic_write
from ..csv_file import write_csv
from ..errors import InputError
from ..output_folder import make_folder
from .method import read_method
from .published import published
from .tables import (
    TITLES,
    common_classes,
    csv_rows,
    latex,
    markdown,
    paper_table,
)


def write_report(
    folders: Sequence[Path],
    out: Path,
    names: Sequence[str] | None = None,
    min_support: int = 10,
) -> None:
    """Write the tables as CSV, Markdown and LaTeX, and ``report.md``.

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
    tested = [read_method(folder, name).support for folder, name in pairs]
    common = common_classes(tested)
    # An empty common set leaves its row out; the names are then not used.
    methods = [read_method(f, n, common or None) for f, n in pairs]
    make_folder(out)
    lines = [
        '# Beside the paper',
        '',
        'Research use only, not for diagnosis. In brackets 95 % intervals '
        'over test images (Wilson for precision and recall of a class, else '
        'bootstrap), or over folds where there are folds (Nadeau and Bengio '
        '2003); after ± the standard deviation over folds. The paper gives '
        'no intervals.',
        '',
    ]
    for method in methods:
        lines.append(f'- {method.name}: {method.protocol}.')
    for number, title in TITLES.items():
        table = paper_table(number, methods, min_support)
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
