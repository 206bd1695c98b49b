"""Training cells that look like a cell to the network."""

import torch
from torch import Tensor

from bm_plugins.apis.bundle.bundle import Reference
from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.neighbours import nearest


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
    return nearest(features, known, number)
