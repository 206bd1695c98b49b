"""Sections of the report page's gallery, and what they leave out."""

from collections.abc import Mapping, Sequence

FLAGS = ('unsure', 'unlike', '')
# A section of more doubtful cells is divided by suggested class.
LONG = 60


def sections(
    cells: Sequence[Mapping], classes: Sequence[Mapping]
) -> list[dict]:
    """Doubtful cells, then each class; the least sure come first.

    Args:
        cells (Sequence[Mapping]): Those on the page (G,): ``code`` and
            ``corrected`` (or None) as class indices, ``flag``,
            ``confidence``. Corrected cells are all among them.
        classes (Sequence[Mapping]): Of all cells (C,): ``count`` and
            ``doubtful``, under their corrected classes.

    Returns:
        list[dict]: ``flag``; ``code``, None for doubtful cells of any class;
        ``cells``, indices; ``total``, the cells that belong there, or all
        doubtful ones where the page lacks some, for nobody knows of which
        kind those are.
    """
    order = sorted(
        range(len(cells)),
        key=lambda i: (cells[i]['code'], cells[i]['confidence']),
    )
    lost = unseen(cells, classes)
    doubtful = lost + sum(bool(cell['flag']) for cell in cells)
    found = []
    for flag in FLAGS[:2]:
        own = [i for i in order if cells[i]['flag'] == flag]
        codes = range(len(classes)) if len(own) > LONG else [None]
        for code in codes:
            here = [i for i in own if code in (None, cells[i]['code'])]
            total = doubtful if lost else len(here)
            found.append(dict(flag=flag, code=code, cells=here, total=total))
    for code, row in enumerate(classes):
        here = [
            i
            for i in order
            if not cells[i]['flag'] and cells[i]['code'] == code
        ]
        total = _sure(code, row, cells)
        found.append(dict(flag='', code=code, cells=here, total=total))
    return [section for section in found if section['cells']]


def unseen(cells: Sequence[Mapping], classes: Sequence[Mapping]) -> int:
    """Doubtful cells, not corrected, that the page does not show."""
    shown = sum(
        bool(cell['flag']) and cell['corrected'] is None for cell in cells
    )
    return sum(row['doubtful'] for row in classes) - shown


def _sure(code: int, row: Mapping, cells: Sequence[Mapping]) -> int:
    """All cells suggested as this class and not flagged."""
    corrected = [cell for cell in cells if cell['corrected'] is not None]
    came = sum(cell['corrected'] == code for cell in corrected)
    left = sum(not cell['flag'] and cell['code'] == code for cell in corrected)
    return row['count'] - row['doubtful'] - came + left
