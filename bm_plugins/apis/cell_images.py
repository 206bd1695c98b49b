"""Batches of cell images that worker processes read."""

import ctypes
import signal
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..datasets.image_io import read_image
from ..errors import InputError, UnreadableImage
from .bundle import Bundle
from .cell_list import CellList
from .read_cell import CellReader

_PR_SET_PDEATHSIG = 1  # of Linux's prctl


class CellImages(Dataset):
    """The images of a list, or why they cannot be used.

    Args:
        cells (CellList): The images.
        bundle (Bundle): How they are resized.
    """

    def __init__(self, cells: CellList, bundle: Bundle) -> None:
        self.cells = cells
        self.reader = CellReader(bundle)

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, index: int) -> np.ndarray | str:
        """The image (3, H, W) uint8 in RGB, or the reason."""
        try:
            image = read_image(
                self.cells[index], self.cells.folder, self.cells.bits
            )
        except UnreadableImage as fault:
            return str(fault)
        return self.reader.resize(image)


class ChunkBatches:
    """Batches of indices, none of which spans two chunks.

    Args:
        chunks (Sequence[range]): The indices of each chunk.
        batch_size (int): Largest number of a batch.
    """

    def __init__(self, chunks: Sequence[range], batch_size: int) -> None:
        self.chunks = chunks
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[range]:
        for chunk in self.chunks:
            for start in range(0, len(chunk), self.batch_size):
                yield chunk[start : start + self.batch_size]


def collate(
    items: Sequence[np.ndarray | str],
) -> tuple[np.ndarray, list[str | None]]:
    """The images (B, 3, H, W) that could be read, and a reason or None of
    each item."""
    images = [item for item in items if not isinstance(item, str)]
    faults = [item if isinstance(item, str) else None for item in items]
    # An array goes through a pipe; a tensor's way, by shared memory, is short
    # of room in containers, and loud where it is cut off.
    return np.stack(images) if images else np.empty(0, np.uint8), faults


def read_chunks(
    images: CellImages,
    chunks: Sequence[range],
    batch_size: int,
    workers: int,
) -> Iterator[tuple[Tensor, list[str | None]]]:
    """Batches of all chunks, in order.

    Args:
        images (CellImages): The images.
        chunks (Sequence[range]): The indices of each chunk.
        batch_size (int): Images of a batch.
        workers (int): Processes that read; 0 for this one.

    Yields:
        tuple[Tensor, list[str | None]]: The images (B, 3, H, W) that could
        be read, and a reason or None of each index.

    Raises:
        InputError: A process that reads was ended from outside.
    """
    loader = DataLoader(
        images,
        batch_sampler=ChunkBatches(chunks, batch_size),
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=_end_with_parent,
    )
    # The readers are forks of this process: OpenCV's own threads would not
    # follow, and be waited for. A fault is listed; it need not say it too.
    cv2.setNumThreads(0)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        for batch, faults in loader:
            yield torch.from_numpy(batch), faults
    except RuntimeError as error:
        if 'DataLoader worker' not in str(error):
            raise
        raise InputError(
            'a process that reads images was ended from outside, mostly for '
            'want of memory. Give fewer --workers; the same command goes on.'
        ) from error


def _end_with_parent(_: int) -> None:
    """Of a killed process no reader stays, waiting to fill a pipe."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
