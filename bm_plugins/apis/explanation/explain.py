"""What the network makes of single cells."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bm_plugins.apis.bundle.bundle import Bundle, Reference
from bm_plugins.apis.bundle.bundle_model import build_model
from bm_plugins.apis.bundle.model_warnings import field_warnings
from bm_plugins.apis.bundle.read_cell import CellReader
from bm_plugins.datasets.value_range import value_bits
from bm_plugins.errors import InputError, UnreadableImage
from bm_plugins.evaluation.functional.neighbours import nearest as most_similar

from .heat_map import Heat, heat_map


@dataclass(frozen=True)
class Explanation:
    """One cell as the network sees it.

    Attributes:
        path (str): Of the image, as it was given.
        image (np.ndarray): (H, W, 3) uint8, RGB, as the network takes it.
        probabilities (np.ndarray): Calibrated (C,).
        target (int): The class that the heat map is of.
        heat (Heat): The map, over the image.
        nearest (np.ndarray): Rows (k,) of the bundle's reference.
        similarities (np.ndarray): Their cosine similarities (k,).
    """

    path: str
    image: np.ndarray
    probabilities: np.ndarray
    target: int
    heat: Heat
    nearest: np.ndarray
    similarities: np.ndarray


def read_cells(
    bundle: Bundle,
    files: Sequence[str | Path],
    um_per_px: float | str | None = None,
) -> list[np.ndarray]:
    """Read all cells, before any work is done.

    Prints a warning of images that show another field than those of training.

    Args:
        bundle (Bundle): Says of what size.
        files (Sequence[str or Path]): The images.
        um_per_px (float or str, optional): As for :class:`CellReader`.

    Returns:
        list[np.ndarray]: (3, H, W) uint8, RGB, one a file.

    Raises:
        InputError: One is missing or no image, or the scale is wrong.
    """
    bits = value_bits([str(f) for f in files])
    reader = CellReader(bundle, bits, um_per_px)
    cells, fields = [], Counter()
    for file in files:
        if not Path(file).is_file():
            raise InputError(
                f'cell {file} is no file. Give image files, one a cell.'
            )
        try:
            cell, field = reader.read(file)
        except UnreadableImage as error:
            raise InputError(str(error)) from error
        cells.append(cell)
        fields[field] += 1
    for text in field_warnings(bundle, fields, um_per_px):
        print(f'warning: {text}')
    return cells


def explain(
    bundle: Bundle,
    files: Sequence[str | Path],
    code: str | None = None,
    nearest: int = 6,
    um_per_px: float | str | None = None,
) -> Iterator[Explanation]:
    """Explain cells, one after the other.

    Args:
        bundle (Bundle): The model.
        files (Sequence[str or Path]): Images of cells.
        code (str, optional): Class of the heat maps. Defaults to None: each
            cell's most probable one.
        nearest (int): Reference cells to find for each. Defaults to 6.
        um_per_px (float or str, optional): As for :class:`CellReader`.

    Yields:
        Explanation: One a file.

    Raises:
        InputError: The bundle has no such class, or as :func:`read_cells`,
            :func:`.heat_map` and :func:`nearest_cells`.
    """
    if code not in (None, *bundle.classes):
        raise InputError(
            f'--class {code}: unknown; the bundle has '
            f'{" ".join(bundle.classes)}.'
        )
    cells = read_cells(bundle, files, um_per_px)
    model = build_model(bundle).requires_grad_(False)
    for file, cell in zip(files, cells, strict=True):
        image = torch.from_numpy(cell)
        with torch.no_grad():
            features, logits = model(image[None])
        probabilities = (logits[0] / bundle.temperature).softmax(0)
        similarities, rows = nearest_cells(features, bundle.reference, nearest)
        target = (
            bundle.classes.index(code) if code else int(probabilities.argmax())
        )
        yield Explanation(
            str(file),
            cell.transpose(1, 2, 0),
            probabilities.numpy(),
            target,
            heat_map(model, image, target),
            rows[0].numpy(),
            similarities[0].numpy(),
        )


def nearest_cells(
    features: Tensor, reference: Reference, number: int
) -> tuple[Tensor, Tensor]:
    """Reference cells of greatest cosine similarity.

    Args:
        features (Tensor): (N, D).
        reference (Reference): M cells with features (M, D).
        number (int): Cells k to find; no more than there are count.

    Returns:
        tuple[Tensor, Tensor]: Similarities (N, k), -1 to 1, falling, and rows
        of the reference (N, k).

    Raises:
        InputError: ``number`` is below 1, or the features differ in length.
    """
    if number < 1:
        raise InputError(f'--nearest {number}: expected at least 1.')
    known = torch.from_numpy(reference.features).float()
    if not len(known):
        raise InputError(
            'the bundle holds no reference cells to compare with.'
        )
    if known.size(1) != features.size(1):
        raise InputError(
            f"the bundle's reference has {known.size(1)} features a cell, "
            f'its network gives {features.size(1)}. Publish it anew.'
        )
    return most_similar(features, known, number)
