"""The share of a prediction that one process makes."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np

from bm_plugins.apis.bundle.bundle import Bundle
from bm_plugins.apis.bundle.cell_predictor import CellPredictor
from bm_plugins.apis.bundle.read_cell import CellReader
from bm_plugins.datasets.image_io import read_image
from bm_plugins.errors import UnreadableImage
from bm_plugins.utils.dist import rank_and_size
from bm_plugins.utils.progress import Progress

from .cell_list import CellList, printable
from .chunks import Part, PredictionParts
from .table import table_rows

_AHEAD = 3  # batches that are read while one is computed


class CellImages:
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
        return self.reader.fit(
            image, self.cells.file(index), self.cells.um_per_px(index)
        )


def read_chunks(
    images: CellImages,
    chunks: Sequence[Sequence[int]],
    batch_size: int,
    workers: int,
) -> Iterator[tuple[np.ndarray, list[str | None], list[str]]]:
    """Batches of all chunks, in order; none spans two chunks.

    Args:
        images (CellImages): The images.
        chunks (Sequence[Sequence[int]]): The indices of each chunk.
        batch_size (int): Images of a batch.
        workers (int): Threads that read; 0 for this one.

    Yields:
        tuple: The images (B, 3, H, W) uint8 that could be read, a reason or
        None of each index, and of each image how its field differs from that
        of training.
    """
    # Several images at once, not several threads for one. A fault is listed;
    # it need not be said too.
    cv2.setNumThreads(0)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    batches = (
        chunk[start : start + batch_size]
        for chunk in chunks
        for start in range(0, len(chunk), batch_size)
    )
    if not workers:
        for batch in batches:
            yield _together([*map(images.__getitem__, batch)])
        return
    pool = ThreadPoolExecutor(workers)
    waiting = deque()
    try:
        for batch in batches:
            waiting.append([pool.submit(images.__getitem__, i) for i in batch])
            if len(waiting) > _AHEAD:
                yield _together([job.result() for job in waiting.popleft()])
        while waiting:
            yield _together([job.result() for job in waiting.popleft()])
    finally:
        pool.shutdown(cancel_futures=True)


def _together(
    items: Sequence[tuple[np.ndarray, str] | str],
) -> tuple[np.ndarray, list[str | None], list[str]]:
    read = [item for item in items if not isinstance(item, str)]
    images, fields = [item[0] for item in read], [item[1] for item in read]
    faults = [item if isinstance(item, str) else None for item in items]
    stack = np.stack(images) if images else np.empty(0, np.uint8)
    return stack, faults, fields


def predict_share(
    predictor: CellPredictor,
    images: CellImages,
    parts: PredictionParts,
    batch_size: int,
    workers: int,
    with_features: bool = False,
) -> int:
    """Write the parts that this process is to make and that are not there.

    Process r of W makes parts r, r + W, r + 2 W and so on. What is said of
    a cell does not depend on W, as no batch spans two parts.

    Args:
        predictor (CellPredictor): The model.
        images (CellImages): All cells.
        parts (PredictionParts): Where they are kept.
        batch_size (int): Images at once.
        workers (int): Threads that read images.
        with_features (bool): Keep the features, too. Defaults to False.

    Returns:
        int: How many parts were there.

    Raises:
        InputError: A part cannot be written, or the memory is too small.
    """
    rank, size = rank_and_size()
    mine = range(rank, len(parts.ranges), size)
    missing = [number for number in mine if not parts.has(number)]
    ranges = [parts.ranges[number] for number in missing]
    batches = read_chunks(
        images, ranges, batch_size, workers if missing else 0
    )
    total = sum(map(len, ranges))
    shown = rank == 0 and total > 0
    with Progress(total, 'Predicting', 'cells', shown) as progress:
        for number, indices in zip(missing, ranges, strict=True):
            features, faults, fields = [], [], []
            while len(faults) < len(indices):
                batch, reasons, differ = next(batches)
                if len(batch):
                    features.append(predictor.features(batch))
                faults += reasons
                fields += differ
                progress.add(len(reasons))
            names = [images.cells[index] for index in indices]
            part = _part(predictor, names, faults, fields, features)
            if not with_features:
                part = replace(part, features=None)
            parts.write(number, part)
    return len(mine) - len(missing)


def _part(
    predictor: CellPredictor,
    names: Sequence[str],
    faults: Sequence[str | None],
    fields: Sequence[str],
    features: Sequence[np.ndarray],
) -> Part:
    pairs = list(zip(names, faults, strict=True))
    skipped = [(printable(name), fault) for name, fault in pairs if fault]
    if not features:
        dim = predictor.bundle.reference.features.shape[1]
        return Part([], skipped, np.empty((0, dim), np.float32))
    read = [name for name, fault in pairs if not fault]
    values = np.concatenate(features)
    judgement = predictor.judge(values)
    rows = table_rows(read, judgement, predictor.bundle.classes, fields)
    return Part(rows, skipped, values)
