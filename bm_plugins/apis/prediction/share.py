"""The share of a prediction that one process makes."""

from collections.abc import Sequence

import numpy as np
import torch

from bm_plugins.apis.bundle.cell_predictor import CellPredictor
from bm_plugins.utils.dist import rank_and_size
from bm_plugins.utils.progress import Progress

from .cell_images import CellImages, read_chunks
from .cell_list import CellList, printable
from .chunks import Part, PredictionParts
from .table import table_rows


def predict_share(
    predictor: CellPredictor,
    cells: CellList,
    parts: PredictionParts,
    chunk: int,
    batch_size: int,
    workers: int,
    with_features: bool = False,
    um_per_px: float | str | None = None,
) -> int:
    """Write the parts that this process is to make and that are not there.

    Process r of W makes chunks r, r + W, r + 2 W and so on. What is said of
    a cell does not depend on W, as no batch spans two chunks.

    Args:
        predictor (CellPredictor): The model.
        cells (CellList): All cells.
        parts (PredictionParts): Where they are kept.
        chunk (int): Cells of a part.
        batch_size (int): Images at once.
        workers (int): Processes that read images.
        with_features (bool): Keep the features, too. Defaults to False.
        um_per_px (float or str, optional): As for :class:`CellReader`.

    Returns:
        int: How many parts were there.

    Raises:
        InputError: A part cannot be written, or the memory is too small.
    """
    rank, size = rank_and_size()
    mine = range(rank, number_of_chunks(cells, chunk), size)
    missing = [number for number in mine if not parts.has(number)]
    ranges = [
        range(n * chunk, min((n + 1) * chunk, len(cells))) for n in missing
    ]
    batches = read_chunks(
        CellImages(cells, predictor.bundle, um_per_px),
        ranges,
        batch_size,
        workers if missing else 0,
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
            names = [cells[index] for index in indices]
            known = (names, faults, fields, features)
            part = _part(predictor, *known, with_features)
            parts.write(number, part)
    return len(mine) - len(missing)


def number_of_chunks(cells: CellList, chunk: int) -> int:
    """How many parts a list has; the last may be smaller."""
    return -(-len(cells) // chunk)


def _part(
    predictor: CellPredictor,
    names: Sequence[str],
    faults: Sequence[str | None],
    fields: Sequence[str],
    features: Sequence[torch.Tensor],
    with_features: bool,
) -> Part:
    """What is known of a chunk of cells."""
    pairs = list(zip(names, faults, strict=True))
    skipped = [(printable(name), fault) for name, fault in pairs if fault]
    dim = predictor.reference.shape[1]
    rows, kept = [], np.empty((0, dim), np.float32)
    if features:
        read = [name for name, fault in pairs if not fault]
        values = torch.cat(list(features))
        judgement = predictor.judge(values)
        classes = predictor.bundle.classes
        rows = table_rows(read, judgement, classes, fields)
        kept = values.cpu().numpy()
    return Part(rows, skipped, kept if with_features else None)
