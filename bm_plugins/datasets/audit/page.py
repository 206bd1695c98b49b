"""The audit as a page that a person can look through."""

import base64
from pathlib import Path

import cv2
from jinja2 import Environment, PackageLoader

from bm_plugins.datasets.image_io import read_image
from bm_plugins.utils.files import atomic_write

from .audit import Audit, summary
from .near_duplicates import Pair

THUMBNAIL = 96  # pixels a side
SHOWN = 8  # images of a group


def write_page(result: Audit, file: str | Path, max_groups: int = 200) -> None:
    """Write one HTML file with the pictures inside.

    Args:
        result (Audit): What was found.
        file (str or Path): The page.
        max_groups (int): Groups that are shown; the page names the rest.

    Raises:
        InputError: The file cannot be written.
    """
    laid = {}
    for pair in result.pairs:
        if how := _laid(pair):
            first = result.images[pair.one].path
            laid.setdefault(pair.two, f'{how} as against {first}')
    groups = []
    for number, group in enumerate(result.groups[:max_groups]):
        cells = [
            dict(
                path=image.path,
                title=' '.join(
                    filter(None, (image.label, image.split, _fold(image.fold)))
                ),
                kind='exact' if image.exact else 'near',
                laid=laid.get(row, ''),
                picture=_thumbnail(result.folder / image.path),
            )
            for row in group[:SHOWN]
            for image in (result.images[row],)
        ]
        warnings = [
            f'across {name}'
            for what, name in (
                ('split', 'parts'),
                ('label', 'classes'),
                ('fold', 'folds'),
            )
            if result.across(group, what)
        ]
        groups.append(
            dict(
                number=number,
                cells=cells,
                more=len(group) - len(cells),
                warnings=warnings,
            )
        )
    faults = list(result.faults.items())
    environment = Environment(
        loader=PackageLoader('bm_plugins.datasets.audit', '.'), autoescape=True
    )
    text = environment.get_template('page.html.j2').render(
        folder=result.folder.resolve().name,
        counts=summary(result),
        groups=groups,
        more_groups=len(result.groups) - len(groups),
        faults=faults[:100],
        more_faults=len(faults) - 100,
        max_distance=result.max_distance,
        min_correlation=result.min_correlation,
    )
    with atomic_write(file) as partial:
        partial.write_text(text, encoding='utf-8', errors='replace')


def _fold(fold: str) -> str:
    return f'fold {fold}' if fold else ''


def _laid(pair: Pair) -> str:
    """How the second image lies against the first, or empty."""
    x, y = (f'{part:+.0%}' for part in pair.shift)
    moved = '' if max(map(abs, pair.shift)) < 0.005 else f'shifted {x} {y}'
    return ', '.join(filter(None, (pair.turned, moved)))


def _thumbnail(file: Path) -> str:
    """A small JPEG in base64."""
    image = read_image(str(file))
    scale = THUMBNAIL / max(image.shape[:2])
    small = cv2.resize(
        image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    return base64.b64encode(cv2.imencode('.jpg', small)[1]).decode()
