"""Batches of cell images that worker processes read."""

import ctypes
import signal
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bm_plugins.apis.bundle.bundle import Bundle
from bm_plugins.apis.bundle.read_cell import CellReader
from bm_plugins.datasets.image_io import read_image
from bm_plugins.errors import InputError, UnreadableImage

from .cell_list import CellList

_PR_SET_PDEATHSIG = 1  # of Linux's prctl


class CellImages(Dataset):
    """The images of a list, or why they cannot be used.

    Args:
        cells (CellList): The images.
        bundle (Bundle): How they are resized.
        um_per_px (float or str, optional): As for :class:`CellReader`.

    Raises:
        InputError: The bundle does not know its own scale, and one is given
            or listed.
    """

    def __init__(
        self,
        cells: CellList,
        bundle: Bundle,
        um_per_px: float | str | None = None,
    ) -> None:
        self.cells = cells
        self.reader = CellReader(bundle, cells.bits, um_per_px)
        for value in cells.said_um_per_px():
            self.reader.check_known(value, 'the list of cells, um_per_px')

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, index: int) -> tuple[np.ndarray, str] | str:
        """The image (3, H, W) uint8 in RGB and how its field differs from
        that of training, or the reason."""
        try:
            image = read_image(
                self.cells[index], self.cells.folder, self.cells.bits
            )
        except UnreadableImage as fault:
            return str(fault)
        cells = self.cells
        return self.reader.fit(
            image, cells.file(index), cells.um_per_px(index)
        )


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
    items: Sequence[tuple[np.ndarray, str] | str],
) -> tuple[np.ndarray, list[str | None], list[str]]:
    """The images (B, 3, H, W) that could be read, a reason or None of each
    item, and of each image how its field differs."""
    read = [item for item in items if not isinstance(item, str)]
    images, fields = [item[0] for item in read], [item[1] for item in read]
    faults = [item if isinstance(item, str) else None for item in items]
    # An array goes through a pipe; a tensor's way, by shared memory, is short
    # of room in containers, and loud where it is cut off.
    stack = np.stack(images) if images else np.empty(0, np.uint8)
    return stack, faults, fields


def read_chunks(
    images: CellImages,
    chunks: Sequence[range],
    batch_size: int,
    workers: int,
) -> Iterator[tuple[Tensor, list[str | None], list[str]]]:
    """Batches of all chunks, in order.

    Args:
        images (CellImages): The images.
        chunks (Sequence[range]): The indices of each chunk.
        batch_size (int): Images of a batch.
        workers (int): Processes that read; 0 for this one.

    Yields:
        tuple: The images (B, 3, H, W) that could be read, a reason or None
        of each index, and of each image how its field differs from that of
        training.

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
        for batch, faults, fields in loader:
            yield torch.from_numpy(batch), faults, fields
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
