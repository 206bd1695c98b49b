"""Differential and report page of a prediction."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heappush, heapreplace
from operator import itemgetter
from pathlib import Path

import cv2
import numpy as np

from bm_plugins.apis.bundle.bundle import Bundle
from bm_plugins.apis.bundle.cell_predictor import LIKE, probabilities
from bm_plugins.apis.bundle.model_warnings import (
    accuracy_text,
    field_warnings,
    model_warnings,
)
from bm_plugins.datasets.image_io import read_image
from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.datasets.scale import PART, SAME, WIDE, noted_scale
from bm_plugins.errors import UnreadableImage
from bm_plugins.evaluation.functional.conformal import is_promised
from bm_plugins.evaluation.functional.prevalence import (
    MIN_SUPPORT,
    SlideShares,
    at_equal_shares,
    at_shares,
)
from bm_plugins.report.cell_page.cell_report import (
    ReportCell,
    write_cell_report,
)
from bm_plugins.report.differential.differential import (
    Differential,
    differential,
)
from bm_plugins.report.differential.scheme import Scheme
from bm_plugins.report.differential.table import (
    write_by_smear,
    write_differential,
)
from bm_plugins.utils.csv_file import write_csv

from .cell_list import CellList, printable
from .record import BY_SMEAR, SLIDE, PredictionRecord
from .table import CellRow, read_scores, read_table

THUMBNAIL = 96  # pixels of the longer side
# More subfolders than that are no smears of one patient.
_MAX_SMEARS = 20


@dataclass(frozen=True)
class Tally:
    """Sums over all predicted cells.

    Attributes:
        counts (np.ndarray): Cells of each class (C,), corrections applied.
        doubtful (np.ndarray): Flagged ones of them that no person has
            corrected or confirmed (C,).
        smears (dict[str, np.ndarray], optional): Cells of each class (C,) in
            each smear, corrections applied.
        fields (dict[str | None, int]): Cells of each ``field``.
    """

    counts: np.ndarray
    doubtful: np.ndarray
    smears: dict[str, np.ndarray] | None
    fields: dict[str | None, int]


def write_report(
    out: Path,
    source: CellList,
    bundle: Bundle,
    scheme: Scheme,
    corrections: Mapping[str, str],
    limit: int,
    facts: Mapping[str, str],
    name: str,
    um_per_px: float | str | None = None,
) -> Differential:
    """Write ``differential.csv`` and ``report.html`` of a prediction.

    Of several smears ``differential_by_smear.csv``, too.

    Args:
        out (Path): Folder of ``predictions.csv``, and to write to.
        source (CellList): What was predicted.
        bundle (Bundle): The model.
        scheme (Scheme): Of the differential.
        corrections (Mapping[str, str]): Code by path.
        limit (int): Most cells on the page, those with a correction and the
            doubtful ones first.
        facts (Mapping[str, str]): More to say on the page.
        name (str): Of what was predicted, for the page's title.
        um_per_px (float or str, optional): What was said of all images.

    Raises:
        InputError: A file cannot be written.
    """
    table = out / 'predictions.csv'
    sums = tally(table, bundle.classes, corrections)
    estimate, changed = _slide_shares(table, bundle, out / SLIDE)
    result = differential(
        sums.counts,
        sums.doubtful,
        scheme,
        bundle.classes,
        bundle.full_names,
        estimate,
        sums.smears,
        len(corrections),
    )
    more = field_warnings(bundle, sums.fields, um_per_px)
    more += model_warnings(bundle)
    result = replace(result, warnings=(*result.warnings, *more))
    chosen = choose(table, bundle.classes, sums, corrections, limit)
    cells = [
        ReportCell(
            row.path,
            row.code,
            row.confidence,
            row.set,
            row.flag,
            _thumbnail(row.path, source),
            corrections.get(row.path),
        )
        for row in chosen
    ]
    total = int(sums.counts.sum())
    shown = f'{len(cells):,} of {total:,}'
    if len(cells) < total:
        shown += ', the doubtful first, then as many of each class'
    facts = {**facts, 'Cells shown': shown}
    if estimate:
        facts["Classes by this slide's own mixture"] = (
            f'another class for {changed:,} of {total:,} cells, listed in '
            f'{SLIDE}'
        )
    if cropped := sum(sums.fields.get(field, 0) for field in (WIDE, PART)):
        facts['Cropped to the field of training'] = f'{cropped:,} cells'
    write_differential(result, out / 'differential.csv')
    write_by_smear(result, out / BY_SMEAR)
    write_cell_report(
        out / 'report.html',
        cells,
        result,
        scheme,
        bundle.classes,
        bundle.full_names,
        sums.counts,
        facts,
        f'Bone-marrow differential: {name}',
        [str(text) for text in bundle.info.get('cautions', ())],
    )
    return result


def tally(
    table: Path,
    classes: Sequence[str],
    corrections: Mapping[str, str],
) -> Tally:
    """Count the cells of a table.

    Args:
        table (Path): ``predictions.csv``.
        classes (Sequence[str]): Codes (C,).
        corrections (Mapping[str, str]): Code by path.
    """
    index = {code: i for i, code in enumerate(classes)}
    counts, doubtful = np.zeros((2, len(classes)), np.int64)
    smears: dict[str, np.ndarray] = {}
    fields: Counter[str | None] = Counter()
    for row in read_table(table, classes):
        corrected = corrections.get(row.path)
        code = corrected or row.code
        counts[index[code]] += 1
        fields[row.field] += 1
        doubtful[index[code]] += bool(row.flag) and corrected is None
        smear = row.path.partition('/')[0] if '/' in row.path else ''
        if smear in smears or len(smears) <= _MAX_SMEARS:
            own = smears.setdefault(smear, np.zeros_like(counts))
            own[index[code]] += 1
    return Tally(counts, doubtful, _smears(smears, classes), dict(fields))


def _smears(
    found: Mapping[str, np.ndarray], classes: Sequence[str]
) -> dict[str, np.ndarray] | None:
    """Subfolders, where they may be smears and not classes."""
    if not 2 <= len(found) <= _MAX_SMEARS or '' in found:
        return None
    return None if {*found} & {*classes, *CLASSES} else dict(found)


def choose(
    table: Path,
    classes: Sequence[str],
    sums: Tally,
    corrections: Mapping[str, str],
    limit: int,
) -> list[CellRow]:
    """The cells that the page shows.

    Those with a correction come first, then the doubtful ones by confidence,
    then the others at random, about as many of each class.

    Args:
        table (Path): ``predictions.csv``.
        classes (Sequence[str]): Codes (C,).
        sums (Tally): Of the table.
        corrections (Mapping[str, str]): Code by path.
        limit (int): Most cells.

    Returns:
        list[CellRow]: In the table's order.
    """
    draw = random.Random(0)
    size = dict(zip(classes, sums.counts.tolist(), strict=True))
    kept: list[tuple[float, float, int, CellRow]] = []  # the last one on top
    for number, row in enumerate(read_table(table, classes)):
        # The k-th smallest of a class's draws is near k, whatever its size.
        place = draw.random() * size[row.code]
        if row.path in corrections:
            key = (0, row.confidence)
        elif row.flag:
            key = (1, row.confidence)
        else:
            key = (2, place)
        item = (-key[0], -key[1], -number, row)
        if len(kept) < limit:
            heappush(kept, item)
        elif item > kept[0]:
            heapreplace(kept, item)
    return [row for *_, row in sorted(kept, key=itemgetter(2), reverse=True)]


def _slide_shares(
    table: Path, bundle: Bundle, file: Path
) -> tuple[SlideShares | None, int]:
    """Estimate the slide's shares, and list its cells' classes at these.

    Returns:
        tuple: None without a prior, the file is then deleted; and the number
        of cells with another class than in the table.
    """
    if bundle.prior is None:
        file.unlink(missing_ok=True)
        return None, 0
    held, prior = bundle.validation, bundle.prior
    # A class that no calibration image checks must not be blown up.
    few = np.bincount(held.labels, minlength=len(prior)) < MIN_SUPPORT
    least = np.where(few & (prior > 0), 1 / len(prior), 0)
    prior = np.maximum(prior, least)
    scores = at_equal_shares(read_scores(table, bundle.classes), prior)
    known = probabilities(held.logits, bundle.temperature)
    estimate = SlideShares(scores, at_equal_shares(known, prior), held.labels)
    of_slide = at_shares(scores, estimate.likeliest)
    codes = [bundle.classes[i] for i in of_slide.argmax(1)]
    rows = read_table(table, bundle.classes)
    changed = 0

    def lines() -> Iterator[tuple[str, str, str]]:
        nonlocal changed
        for row, code, p in zip(rows, codes, of_slide.max(1), strict=True):
            changed += code != row.code
            yield row.path, code, f'{p:.6f}'

    write_csv(file, ('path', 'code', 'confidence'), lines())
    return estimate, changed


def _thumbnail(path: str, source: CellList) -> bytes:
    """A small JPEG; grey where the image has gone since."""
    try:
        image = read_image(path, source.folder, source.bits)
    except UnreadableImage:
        image = np.full((THUMBNAIL, THUMBNAIL, 3), 128, np.uint8)
    scale = THUMBNAIL / max(image.shape[:2])
    if scale < 1:
        width, height = (
            max(1, round(side * scale)) for side in image.shape[1::-1]
        )
        image = cv2.resize(image, (width, height), None, 0, 0, cv2.INTER_AREA)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 85]
    return cv2.imencode('.jpg', image, quality)[1].tobytes()


def prediction_facts(
    bundle_file: str | Path,
    bundle: Bundle,
    cells: str | Path,
    record: PredictionRecord,
    corrections: str | Path | None,
) -> dict[str, str]:
    """Rows of the page's "About": text by label, of a finished prediction."""
    known, held = record.finished, bundle.validation
    rate = record.identity['error_rate']
    support = np.bincount(held.labels, minlength=len(bundle.classes))
    few = [
        code
        for code, kept in zip(
            bundle.classes, is_promised(support, rate), strict=True
        )
        if not kept
    ]
    given = record.identity.get('um_per_px')
    scale = 'as listed (column um_per_px), or as each file says, if it does'
    if given:
        scale = f'--um-per-px {given}'
        scale += ': the field of training' if given == SAME else ''
    facts = {
        'Model': printable(Path(bundle_file).name),
        'Method': str(bundle.info.get('method', 'not said')),
        'Digest of the model': bundle.digest,
        'Accuracy on calibration images': f'{accuracy_text(bundle)} of '
        f'{len(held.labels):,}',
        'Images': f'{printable(str(cells))}: {known["predicted"]:,} predicted'
        f', {known["skipped"]:,} skipped (listed in skipped.csv)',
        'Training images': str(noted_scale(bundle.info) or 'scale not said'),
        'Scale of the images': scale,
        'Predicted': f'{known["time"]}, bm_plugins {known["version"]}',
        'Flag "unsure"': 'not exactly one class is left where the set of '
        f'classes may miss the true one in {100 * rate:g} % of the '
        'cells of each class that are like the calibration images'
        + (f'; too few of these for {", ".join(few)}' if few else ''),
        'Flag "unlike"': 'farther from the training cells, by its features, '
        f'than {100 * LIKE:g} % of the calibration images',
    }
    if corrections:
        facts['Corrections'] = printable(Path(corrections).name)
    return facts


def name_of(cells: str | Path) -> str:
    """What a report calls a folder, CSV file or pattern of cells."""
    path = Path(cells)
    if path.is_dir():
        return printable(path.resolve().name)
    return printable(path.stem if path.is_file() else str(cells))
