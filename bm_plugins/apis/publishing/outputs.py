"""What a bundle's network says of many image files."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bm_plugins.apis.bundle.bundle_model import BundleModel
from bm_plugins.apis.bundle.read_cell import CellReader
from bm_plugins.utils.progress import track


class _Images(Dataset):
    """Image files, read as a bundle reads them."""

    def __init__(self, files: Sequence[str], reader: CellReader) -> None:
        self.files = files
        self.reader = reader

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.reader(self.files[index])


@torch.no_grad()
def network_outputs(
    model: BundleModel,
    files: Sequence[str],
    reader: CellReader,
    batch_size: int = 64,
    num_workers: int = 0,
    title: str = 'Images',
) -> tuple[Tensor, Tensor]:
    """Features and logits of image files, in their order.

    Args:
        model (BundleModel): On any device, in evaluation mode.
        files (Sequence[str]): Image files (N,).
        reader (CellReader): Of the same bundle.
        batch_size (int): Images at once. Defaults to 64.
        num_workers (int): Processes that read. Defaults to 0: this one.
        title (str): For the progress bar.

    Returns:
        tuple[Tensor, Tensor]: Features (N, D) and logits (N, C), float32, on
        the CPU.

    Raises:
        UnreadableImage: An image cannot be read.
    """
    loader = DataLoader(
        _Images(files, reader), batch_size, num_workers=num_workers
    )
    tables = None
    at = 0
    for images in track(loader, title, what='batches'):
        found = model(images.to(model.mean.device))
        if tables is None:  # one place an image: never a second copy of all
            tables = [torch.empty(len(files), part.size(1)) for part in found]
        for table, part in zip(tables, found, strict=True):
            table[at : at + len(part)] = part
        at += len(images)
    return tables[0], tables[1]
