"""What the report page says of how a prediction was made."""

from pathlib import Path

import numpy as np

from bm_plugins.apis.bundle.bundle import Bundle
from bm_plugins.apis.bundle.cell_predictor import LIKE
from bm_plugins.datasets.scale import SAME, noted_scale
from bm_plugins.evaluation.functional.conformal import is_promised
from bm_plugins.evaluation.functional.intervals import wilson

from .cell_list import printable
from .record import PredictionRecord


def prediction_facts(
    bundle_file: str | Path,
    bundle: Bundle,
    cells: str | Path,
    record: PredictionRecord,
    corrections: str | Path | None,
) -> dict[str, str]:
    """Rows of the page's "About".

    Args:
        bundle_file (str or Path): The bundle's file.
        bundle (Bundle): Its content.
        cells (str or Path): What was predicted.
        record (PredictionRecord): Of a finished prediction.
        corrections (str or Path, optional): The file of corrections.

    Returns:
        dict[str, str]: Text by label.
    """
    known = record.finished
    predicted = bundle.validation.logits.argmax(1)
    right = int((predicted == bundle.validation.labels).sum())
    held = len(predicted)
    low, high = 100 * wilson(right, held)
    rate = record.identity['error_rate']
    support = np.bincount(
        bundle.validation.labels, minlength=len(bundle.classes)
    )
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
        'Accuracy on calibration images': f'{100 * right / held:.1f} % '
        f'[{low:.1f}, {high:.1f}] of {held:,}',
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
