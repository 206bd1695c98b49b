"""Explanations as a page and as a table."""

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader
from matplotlib import colormaps

from bm_plugins.apis.bundle.bundle import Bundle
from bm_plugins.utils.csv_file import write_csv
from bm_plugins.utils.files import atomic_write

from .explain import Explanation

_SHOWN = 5  # classes
_STRONGEST = 0.65  # how opaque the hottest place is
_SIDE = 256  # pixels of the pictures


def overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Heat over an image, the more opaque the hotter.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        heat (np.ndarray): (H, W), 0 to 1.

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB.
    """
    colour = colormaps['viridis'](heat)[..., :3] * 255
    opacity = _STRONGEST * heat[..., None]
    mixed = image * (1 - opacity) + colour * opacity
    return mixed.round().astype(np.uint8)


def write_nearest(
    cells: Sequence[Explanation], bundle: Bundle, file: str | Path
) -> None:
    """Write the nearest reference cells of each cell.

    Args:
        cells (Sequence[Explanation]): The cells.
        bundle (Bundle): Has the reference cells.
        file (str or Path): CSV ``path,rank,similarity,code,reference``.

    Raises:
        InputError: The file cannot be written.
    """
    known = bundle.reference
    rows = (
        (
            cell.path,
            rank,
            f'{similarity:.4f}',
            bundle.classes[int(known.labels[row])],
            known.paths[row],
        )
        for cell in cells
        for rank, (row, similarity) in enumerate(
            zip(cell.nearest, cell.similarities, strict=True), 1
        )
    )
    header = ('path', 'rank', 'similarity', 'code', 'reference')
    write_csv(file, header, rows)


def write_page(
    cells: Sequence[Explanation], bundle: Bundle, file: str | Path
) -> None:
    """Write one HTML file with the pictures inside.

    Args:
        cells (Sequence[Explanation]): The cells.
        bundle (Bundle): Has classes and reference cells.
        file (str or Path): The page.

    Raises:
        InputError: The file cannot be written.
    """
    environment = Environment(
        loader=PackageLoader('bm_plugins.apis.explanation', '.'),
        autoescape=True,
    )
    text = environment.get_template('page.html.j2').render(
        cells=[_shown(cell, bundle) for cell in cells],
        of_class=all(cell.heat.of_class for cell in cells),
        digest=bundle.digest[:12],
        held=len(bundle.reference.paths),
    )
    with atomic_write(file) as partial:
        partial.write_text(text, encoding='utf-8', errors='replace')


def _shown(cell: Explanation, bundle: Bundle) -> dict:
    known = bundle.reference
    order = np.argsort(-cell.probabilities, kind='stable')[:_SHOWN]
    heat = cell.heat.values.numpy()
    return dict(
        path=cell.path,
        code=bundle.classes[order[0]],
        name=bundle.full_names[order[0]],
        target=bundle.classes[cell.target],
        target_name=bundle.full_names[cell.target],
        grid=f'{cell.heat.grid[0]} × {cell.heat.grid[1]}',
        blank=not heat.max() > 0,
        picture=_png(cell.image),
        overlay=_png(overlay(cell.image, heat)),
        classes=[
            dict(
                code=bundle.classes[i],
                name=bundle.full_names[i],
                percent=100 * float(cell.probabilities[i]),
            )
            for i in order
        ],
        nearest=[
            dict(
                code=bundle.classes[int(known.labels[row])],
                path=known.paths[row],
                similarity=float(similarity),
                picture=base64.b64encode(known.pictures[row]).decode(),
            )
            for row, similarity in zip(
                cell.nearest, cell.similarities, strict=True
            )
        ],
    )


def _png(image: np.ndarray) -> str:
    """An RGB image, enlarged, as PNG in base64."""
    scale = max(1, _SIDE / max(image.shape[:2]))
    large = cv2.resize(
        image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC
    )
    content = cv2.imencode('.png', large[..., ::-1])[1]
    return base64.b64encode(content).decode()
