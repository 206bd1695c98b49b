"""Training cells that a bundle carries, to compare with."""

from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from bm_plugins.apis.bundle.bundle import Reference
from bm_plugins.datasets import Matek
from bm_plugins.datasets.image_io import read_image

SIDE = 64  # pixels of a picture's longer side


def make_reference(
    dataset: Matek, rows: list[int], features: Tensor
) -> Reference:
    """Features, labels, paths and small pictures of some training cells.

    Args:
        dataset (Matek): The training part, labelled.
        rows (list[int]): Indices (M,) of the cells, as
            :func:`.some_of_each` chooses them.
        features (Tensor): Their features (M, D).

    Returns:
        Reference: The cells; features as float16.
    """
    cells = [dataset.get_data_info(row) for row in rows]
    return Reference(
        features.half().numpy(),
        np.array([cell['gt_label'] for cell in cells]),
        tuple(cell['path'] for cell in cells),
        tuple(
            small_picture(cell['img_path'], bits=cell.get('bits'))
            for cell in cells
        ),
    )


def small_picture(
    file: str | Path, side: int = SIDE, bits: int | None = None
) -> bytes:
    """An image as a small JPEG file.

    Args:
        file (str or Path): The image file.
        side (int): Its longer side is made no longer, in pixels.
        bits (int, optional): As for :func:`read_image`.

    Returns:
        bytes: The JPEG file.
    """
    image = read_image(str(file), bits=bits)
    scale = min(1, side / max(image.shape[:2]))
    small = cv2.resize(
        image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    return cv2.imencode('.jpg', small)[1].tobytes()
