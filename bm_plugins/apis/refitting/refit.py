"""A bundle and some labelled cells become a new bundle."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from bm_plugins.apis.bundle.bundle import Bundle
from bm_plugins.apis.bundle.bundle_file import load_bundle
from bm_plugins.apis.bundle.cell_predictor import CellPredictor, probabilities
from bm_plugins.apis.bundle.model_warnings import field_warnings
from bm_plugins.apis.publishing.card import write_card
from bm_plugins.apis.publishing.figures import card_figures
from bm_plugins.errors import InputError
from bm_plugins.evaluation.metrics.scores import Figure
from bm_plugins.utils.run_manifest import code_version

from .fitting import fitted_bundle, sort_cells
from .labelled_cells import all_classes, read_cells, read_labels


def refit(
    bundle: str | Path,
    labels: str | Path,
    new: Mapping[str, str] | None = None,
    cells: str | Path | None = None,
    um_per_px: float | str | None = None,
    workers: int = 2,
    device: str | None = None,
    say: Callable[[str], object] = print,
) -> Bundle:
    """Fit a bundle's classifier anew, to a person's labels too.

    The backbone stays. The classifier is fitted to the bundle's reference
    cells and the labelled ones, with as little change as these ask for
    (:func:`refit_linear`). Temperature, sets and figures rest on cells that
    it was not fitted to: the bundle's calibration cells, and each labelled
    cell by a classifier that was fitted without it.

    Args:
        bundle (str or Path): By ``tools/publish.py``.
        labels (str or Path): CSV with ``path,label``, as the report page
            exports it.
        new (Mapping[str, str], optional): Full names of new classes by code.
            Defaults to none.
        cells (str or Path, optional): What the paths are names in, as for
            :func:`list_cells`. Defaults to None: relative to ``labels``.
        um_per_px (float or str, optional): Of the images, as for
            :func:`bm_plugins.predict`.
        workers (int): Threads that read images. Defaults to 2.
        device (str, optional): Defaults to a GPU where there is one.
        say (Callable): Is told of images that differ from the training's.

    Returns:
        Bundle: Its ``digest`` is empty until it is written;
        ``info['refits'][-1]`` says what was done, with the figures before.

    Raises:
        InputError: The bundle is of an earlier version, or a label, a class
            or an image is wrong.
    """
    parent = load_bundle(bundle)
    if parent.validation.features is None:
        raise InputError(
            f'bundle {bundle} has no features of its calibration cells, '
            'without which nothing could be calibrated anew: an earlier '
            'version wrote it. Publish it anew by tools/publish.py.'
        )
    classes, full_names = all_classes(parent, new or {})
    images, codes = read_labels(parent, classes, labels, cells)
    numbers = {row: classes.index(code) for row, code in codes.items()}
    predictor = CellPredictor(parent, device)
    found, fields = read_cells(predictor, images, numbers, um_per_px, workers)
    for warning in field_warnings(parent, fields, um_per_px):
        say(f'warning: {warning}')
    counts = np.bincount(found.labels, minlength=len(classes))
    record = dict(
        parent=parent.digest,
        labels=Path(labels).name,
        labels_sha256=sha256(Path(labels).read_bytes()).hexdigest(),
        counts={c: int(n) for c, n in zip(classes, counts, strict=True) if n},
        new=[*classes[len(parent.classes) :]],
        code=code_version(),
    )
    trained, labelled, before = sort_cells(parent, found)
    made = fitted_bundle(parent, trained, labelled, classes, full_names)
    return _described(parent, made, before, record)


def rows_of(
    bundle: Bundle,
) -> Iterator[tuple[str, str, Figure | None, Figure]]:
    """Class, score, and its figures before and after, of those measured.

    Args:
        bundle (Bundle): By :func:`refit`.
    """
    before, after = (
        {(f['score'], f['of']): Figure(**f) for f in figures}
        for figures in (
            bundle.info['refits'][-1]['before'],
            bundle.info['figures'],
        )
    )
    for (score, code), figure in after.items():
        yield code, score, before.get((score, code)), figure


def worse(bundle: Bundle) -> list[str]:
    """A sentence on each class with a score below its interval before."""
    found: dict[str, list[str]] = {}
    for code, score, before, now in rows_of(bundle):
        if code != 'all' and before and now.value < before.low:
            text = f'{score} {now.value:.3f}, before {before}'
            found.setdefault(code, []).append(text)
    return [
        f'{code} got worse: {"; ".join(texts)}.'
        for code, texts in found.items()
    ]


def _described(
    parent: Bundle, made: Bundle, before: np.ndarray, record: dict[str, Any]
) -> Bundle:
    """With its record, figures and card."""
    classes, held, known = made.classes, made.validation, made.reference
    padded = np.full(held.logits.shape, -np.inf)
    padded[:, : before.shape[1]] = before
    figures = [
        [
            asdict(figure)
            for key, figure in card_figures(
                held.labels, probabilities(logits, temperature), classes
            ).items()
            if key[0] != 'calibration_error'  # of the cells it is fitted to
        ]
        for logits, temperature in (
            (padded, parent.temperature),
            (held.logits, made.temperature),
        )
    ]
    measured = np.bincount(held.labels, minlength=len(classes))
    trained = measured * 0
    for code, counts in parent.info['counts'].items():
        trained[classes.index(code)] = counts[0]
    for cells, sign in ((parent, -1), (made, 1)):
        labels = cells.reference.labels
        labels = labels[len(labels) - cells.info.get('labelled', 0) :]
        trained += sign * np.bincount(labels, minlength=len(classes))
    number = made.info['labelled']
    info = dict(
        made.info,
        refits=[
            *parent.info.get('refits', ()),
            dict(record, before=figures[0]),
        ],
        figures=figures[1],
        counts={
            code: [int(trained[i]), int(measured[i]), int(measured[i])]
            for i, code in enumerate(classes)
        },
        totals=[int(trained.sum()), len(held.labels), len(held.labels)],
        untrained=[c for c, n in zip(classes, trained, strict=True) if not n],
        unmeasured=[
            c for c, n in zip(classes, measured, strict=True) if not n
        ],
        reference=len(known.labels),
        per_class=int(np.bincount(known.labels).max()),
        classifier_text=f'as published, then changed as little as {number} '
        f'labelled cells and {len(known.labels) - number} of its training '
        'cells ask for: class-balanced cross-entropy, L2 of the change '
        f'{made.info["l2"]:g}.',
        calibration_text='calibration cells, and labelled ones by classifiers '
        'that were fitted without them',
        test_text='those that calibrate, too',
    )
    info['cautions'] = [
        *(c for c in info['cautions'] if not c.startswith('Refitted')),
        f'Refitted to {number} labelled cells. Those chosen because the model '
        'was unsure are harder than others. Whether some were in the '
        'training, calibration or test part before is not known; of these '
        'the figures would be too good.',
    ]
    made = replace(made, info=info)
    made.info['refits'][-1]['worse'] = worse(made)
    card = write_card(info, classes, made.full_names, made.temperature)
    return replace(made, card=card)
