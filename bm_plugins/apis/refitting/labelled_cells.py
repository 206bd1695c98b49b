"""Cells that a person labelled, as a bundle's network sees them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from unicodedata import normalize

import numpy as np

from bm_plugins.apis.bundle.bundle import Bundle, Reference
from bm_plugins.apis.bundle.cell_predictor import CellPredictor
from bm_plugins.apis.bundle.read_cell import small_picture
from bm_plugins.apis.prediction.cell_list import (
    CellList,
    list_cells,
    printable,
)
from bm_plugins.apis.prediction.rank_share import CellImages, read_chunks
from bm_plugins.apis.prediction.table import read_corrections
from bm_plugins.datasets.class_set import check_classes
from bm_plugins.datasets.listed_paths import match_paths
from bm_plugins.errors import InputError

# Fewer images of a new class teach nothing that could be measured.
LEAST = 5
_BATCH = 64  # images at once


def all_classes(
    bundle: Bundle, new: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Codes and full names, those of new classes at the end.

    Args:
        bundle (Bundle): The parent.
        new (Mapping[str, str]): Full name by code.

    Raises:
        InputError: A new code is known, or can be none.
    """
    added = {normalize('NFC', code): name for code, name in new.items()}
    for code in added:
        if code in bundle.classes:
            raise InputError(
                f'--new-class {code}: the bundle knows this class. Leave '
                '--new-class out: labels of known classes are corrections.'
            )
    codes = check_classes((*bundle.classes, *added))
    names = (name.strip() or code for code, name in added.items())
    return codes, (*bundle.full_names, *names)


def read_labels(
    bundle: Bundle,
    classes: Sequence[str],
    file: str | Path,
    cells: str | Path | None = None,
) -> tuple[CellList, dict[int, str]]:
    """Labels, and the images that they are of.

    Args:
        bundle (Bundle): The parent.
        classes (Sequence[str]): Codes (C,) by :func:`all_classes`.
        file (str or Path): CSV with ``path,label``, as the report page
            exports it.
        cells (str or Path, optional): What the paths are names in, as for
            :func:`list_cells`. Defaults to None: relative to ``file``.

    Returns:
        tuple[CellList, dict[int, str]]: Images, and code by index.

    Raises:
        InputError: It cannot be read or is empty, a class is unknown or has
            too few images, or an image is not found or has two classes.
    """
    where = f'corrections {file}'
    labels = read_corrections(
        file,
        classes,
        ' Of a class that it is to learn, say --new-class CODE NAME.',
    )
    if not labels:
        raise InputError(f'{where}: no row. Label some cells first.')
    try:
        images = list_cells(file if cells is None else cells)
    except InputError as error:
        if cells is not None:
            raise
        raise InputError(
            f'{error} If the paths are of another folder: --cells DIR.'
        ) from error
    index = {images[number]: number for number in range(len(images))}
    paths = [*index]  # of the file's rows, or of a folder
    if cells is not None:
        paths = match_paths([*labels], paths, images.folder, where)
    found: dict[int, str] = {}
    for path, label in zip(paths, labels.values(), strict=True):
        if found.setdefault(index[path], label) != label:
            raise InputError(
                f'{where}: {path} is there as {found[index[path]]} and as '
                f'{label}. Keep one.'
            )
    counts = Counter(found.values())
    for number, code in enumerate(classes):
        is_new = number >= len(bundle.classes)
        known = not is_new and number in bundle.reference.labels
        if not known and counts[code] < LEAST and (is_new or counts[code]):
            raise InputError(
                f'{where}: {counts[code]} images of {code}, of which the '
                f'bundle has no cell yet; expected {LEAST} or more. Label '
                'more; 10 are a start.'
            )
    return images, found


def read_cells(
    predictor: CellPredictor,
    cells: CellList,
    labels: Mapping[int, int],
    um_per_px: float | str | None = None,
    workers: int = 2,
) -> tuple[Reference, dict[str, int]]:
    """Labelled images as reference cells, read as by ``tools/predict.py``.

    Args:
        predictor (CellPredictor): Of the parent.
        cells (CellList): All images.
        labels (Mapping[int, int]): Class by the index of an image.
        um_per_px (float or str, optional): As for :class:`CellImages`.
        workers (int): Threads that read images. Defaults to 2.

    Returns:
        tuple[Reference, dict[str, int]]: The cells; and how many differ from
        the training's images how, as :func:`fit_field` names it.

    Raises:
        InputError: The scale cannot be compared, or an image cannot be read.
    """
    images = CellImages(cells, predictor.bundle, um_per_px)
    rows = [*labels]
    features: list[np.ndarray] = []
    fields: Counter[str] = Counter()
    for batch, faults, differ in read_chunks(images, [rows], _BATCH, workers):
        start = sum(map(len, features))
        for row, fault in zip(rows[start:], faults, strict=False):
            if fault:
                raise InputError(
                    f'cannot read image {cells.file(row)} ({fault}). Restore '
                    'the file, or delete its row.'
                )
        features.append(predictor.features(batch))
        fields.update(differ)
    return Reference(
        np.concatenate(features).astype(np.float16),
        np.array([*labels.values()]),
        tuple(printable(cells[row]) for row in rows),
        tuple(small_picture(cells.file(row), cells.bits) for row in rows),
    ), fields
