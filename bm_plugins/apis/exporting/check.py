"""Whether an exported network says what PyTorch says."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bm_plugins.apis.bundle.bundle import Bundle
from bm_plugins.apis.bundle.read_cell import CellReader
from bm_plugins.datasets.image_io import decode_image
from bm_plugins.datasets.layout import list_images
from bm_plugins.errors import InputError

from .formats import Run

TOLERANCE = 1e-4
_BATCH = 5  # differs from the example's, as the first, of one image, does


def check_images(
    bundle: Bundle, number: int, folder: str | Path | None = None
) -> Tensor:
    """Real images to compare outputs on, evenly spread.

    Args:
        bundle (Bundle): Its reference cells' pictures are taken where there
            is no folder.
        number (int): Images at most.
        folder (str or Path, optional): Images at any depth.

    Returns:
        Tensor: (N, 3, H, W) float32, RGB of 0 to 255.

    Raises:
        InputError: There are none, or one cannot be read.
    """
    if number < 1:
        raise InputError(f'--images {number}: expected at least 1.')
    reader = CellReader(bundle)
    if folder is None:
        pictures = bundle.reference.pictures
        if not pictures:
            raise InputError(
                'the bundle holds no pictures to check the export on. Give a '
                'folder of images by --check FOLDER.'
            )
        cells = [
            reader.fit(decode_image(pictures[i]))[0]
            for i in _spread(len(pictures), number)
        ]
    else:
        if not Path(folder).is_dir():
            raise InputError(f'--check {folder}: no such folder.')
        paths, _ = list_images(folder)
        if not paths:
            raise InputError(f'--check {folder}: no images in this folder.')
        cells = [
            reader(Path(folder, paths[i])) for i in _spread(len(paths), number)
        ]
    return torch.from_numpy(np.stack(cells)).float()


def _spread(count: int, number: int) -> list[int]:
    return np.linspace(0, count - 1, min(count, number)).astype(int).tolist()


@torch.no_grad()
def outputs_of(run: Run, images: Tensor) -> tuple[Tensor, ...]:
    """Outputs on all images: of the first alone, then of five at a time.

    Args:
        run (Callable): From images (B, 3, H, W) to outputs (B, …).
        images (Tensor): (N, 3, H, W).

    Returns:
        tuple[Tensor, ...]: Each output (N, …).
    """
    rest = images[1:].split(_BATCH) if len(images) > 1 else ()
    parts = [run(batch) for batch in (images[:1], *rest)]
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))


def largest_difference(
    found: Sequence[Tensor], expected: Sequence[Tensor]
) -> float:
    """Largest difference of any value of any output.

    An output with values beyond 1 is measured in units of its largest, as
    float32 rounds in proportion.

    Args:
        found (Sequence[Tensor]): Outputs (N, …).
        expected (Sequence[Tensor]): Outputs of the same shapes.

    Returns:
        float: The difference; infinite where a value is no number or the
        shapes differ.
    """
    worst = 0.0
    for one, other in zip(found, expected, strict=True):
        if one.shape != other.shape:
            return float('inf')
        one, other = one.double(), other.double()
        unit = max(1.0, other.abs().max().item())
        gap = ((one - other).abs().max() / unit).item()
        worst = max(worst, gap if np.isfinite(gap) else float('inf'))
    return worst


def check_outputs(
    name: str, run: Run, images: Tensor, expected: Sequence[Tensor]
) -> float:
    """Refuse an export that says something else.

    Args:
        name (str): The file, for the error.
        run (Callable): The exported network, as for :func:`outputs_of`.
        images (Tensor): (N, 3, H, W).
        expected (Sequence[Tensor]): Outputs (N, …) of PyTorch on them.

    Returns:
        float: By :func:`largest_difference`.

    Raises:
        InputError: It is over the tolerance of 1e-4.
    """
    difference = largest_difference(outputs_of(run, images), expected)
    if not difference <= TOLERANCE:
        raise InputError(
            f'{name} differs from PyTorch by {difference:.1e}, more than '
            f'{TOLERANCE:.0e}, and was not written. Take another of --formats.'
        )
    return difference
