"""Predict a folder of cells, from the images to the report."""

import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from bm_plugins.apis.bundle.bundle import Bundle
from bm_plugins.apis.bundle.bundle_file import load_bundle
from bm_plugins.apis.bundle.cell_predictor import CellPredictor
from bm_plugins.datasets.scale import parse_um_per_px
from bm_plugins.errors import InputError
from bm_plugins.report.differential.differential import Differential
from bm_plugins.report.differential.scheme import read_scheme
from bm_plugins.utils.dist import wait_for_all
from bm_plugins.version import __version__

from .cell_list import list_cells
from .chunks import PredictionParts
from .rank_share import CellImages, predict_share
from .record import PredictionRecord, open_record
from .report import name_of, prediction_facts, write_report
from .table import match_corrections, read_corrections


@dataclass(frozen=True)
class Outcome:
    """What became of a call of :func:`predict`.

    Attributes:
        predicted (int): Rows of ``predictions.csv``.
        skipped (int): Rows of ``skipped.csv``.
        found_parts (int): Parts that an earlier call had made.
        differential (Differential, optional): None where all was complete.
        uncorrected (bool): The report that was there had corrections, which
            this one has not.
        corrected (int): Cells that the corrections are of.
    """

    predicted: int
    skipped: int
    found_parts: int
    differential: Differential | None
    uncorrected: bool = False
    corrected: int = 0


def predict(
    bundle: str | Path,
    cells: str | Path,
    out: str | Path,
    features: str | Path | None = None,
    corrections: str | Path | None = None,
    scheme: str | Path | None = None,
    error_rate: float = 0.05,
    report_cells: int = 5000,
    batch_size: int = 64,
    workers: int = 2,
    device: str | None = None,
    chunk: int = 1024,
    overwrite: bool = False,
    um_per_px: float | str | None = None,
) -> Outcome | None:
    """Predict cells and write tables, differential and report.

    What was cut off goes on by the same call; what is complete is kept, and
    differential and report are made anew where corrections, scheme or their
    size are others. In several processes of one group each takes its share.

    Args:
        bundle (str or Path): By ``tools/publish.py``.
        cells (str or Path): As for :func:`list_cells`.
        out (str or Path): Folder to write to.
        features (str or Path, optional): HDF5 file of features, if wanted.
        corrections (str or Path, optional): What the report page exported.
        scheme (str or Path, optional): Of the differential. Defaults to the
            one that is shipped.
        error_rate (float): Share of prediction sets that may miss the true
            class. Defaults to 0.05.
        report_cells (int): Most cells on the page. Defaults to 5000.
        batch_size (int): Images at once. Defaults to 64.
        workers (int): Threads that read images. Defaults to 2.
        device (str, optional): Defaults to a GPU where there is one.
        chunk (int): Cells that are kept at once. Defaults to 1024.
        overwrite (bool): Delete another prediction in ``out``, or predict a
            finished one anew.
        um_per_px (float or str, optional): Of all images, as for
            :class:`CellReader`. Defaults to None: what ``cells`` lists, else
            what each file says.

    Returns:
        Outcome or None: In rank 0; None in the others.

    Raises:
        InputError: Something given is wrong, or no image can be read.
    """
    sizes = dict(report_cells=report_cells, chunk=chunk, batch_size=batch_size)
    _check_numbers(1, **sizes)
    _check_numbers(0, workers=workers)
    model = load_bundle(bundle)
    predictor = CellPredictor(model, device, error_rate)
    _check_features(features, bundle, cells, corrections, scheme)
    of_scheme = read_scheme(scheme, model.classes)
    corrected = (
        read_corrections(corrections, model.classes) if corrections else {}
    )
    found = list_cells(cells)
    um_per_px = parse_um_per_px(um_per_px)
    identity = dict(
        cells=found.digest(),
        bundle=model.digest,
        error_rate=error_rate,
        chunk=chunk,
        features=str(Path(features).resolve()) if features else None,
        bits=found.bits,
        um_per_px=um_per_px,
    )
    images = CellImages(found, model, um_per_px)
    with open_record(out, identity, overwrite, cells) as opened:
        record, key, finished = opened
        found_parts = 0
        if not finished:
            parts = PredictionParts(Path(out, 'parts'), key, len(found), chunk)
            found_parts = predict_share(
                predictor, images, parts, batch_size, workers, bool(features)
            )
            wait_for_all()
        if record is None:
            return None
        if not finished:
            _merge(parts, model, record)
        done, skipped = (
            record.finished['predicted'],
            record.finished['skipped'],
        )
        if not done:
            raise InputError(
                f'none of the {len(found)} images can be read; '
                f'{record.folder / "skipped.csv"} says why. Mend them, then '
                'use --overwrite.'
            )
        made_of = dict(
            scheme=_digest(scheme),
            corrections=_digest(corrections),
            report_cells=report_cells,
            version=__version__,
        )
        result, uncorrected = None, False
        if record.report != made_of:
            was = record.report or {}
            uncorrected = bool(was.get('corrections')) and not corrections
            if corrections:
                corrected = match_corrections(
                    corrections,
                    record.folder / 'predictions.csv',
                    model.classes,
                    found.folder,
                )
            with record.remade_report(made_of):
                result = write_report(
                    record.folder,
                    found,
                    model,
                    of_scheme,
                    corrected,
                    report_cells,
                    prediction_facts(
                        bundle, model, cells, record, corrections
                    ),
                    name_of(cells),
                    um_per_px,
                )
        return Outcome(
            *(done, skipped, found_parts, result, uncorrected),
            corrected=len(corrected),
        )


def _check_numbers(least: int, **values: int) -> None:
    for name, value in values.items():
        if value < least:
            raise InputError(
                f'--{name.replace("_", "-")} {value}: expected {least} or '
                'more.'
            )


def _check_features(
    file: str | Path | None, *inputs: str | Path | None
) -> None:
    """Refuse a file of features in the place of something given."""
    given = [Path(x).resolve() for x in inputs if x]
    if file and Path(file).resolve() in given:
        raise InputError(
            f'--features {file} is something given. Name a new file.'
        )


def _merge(
    parts: PredictionParts, bundle: Bundle, record: PredictionRecord
) -> None:
    """Write the tables and the features, and note it."""
    done, skipped = parts.merge(bundle.classes, record.folder)
    if file := record.identity['features']:
        dim = bundle.reference.features.shape[1]
        notes = dict(bundle=bundle.digest, version=__version__)
        parts.write_features(Path(file), dim, notes)
    record.finish(
        predicted=done,
        skipped=skipped,
        time=time.strftime('%Y-%m-%d %H:%M'),
        version=__version__,
    )


def _digest(file: str | Path | None) -> str | None:
    return sha256(Path(file).read_bytes()).hexdigest() if file else None
