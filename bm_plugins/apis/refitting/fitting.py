"""The classifier of a bundle, fitted anew and measured on cells held out."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

import numpy as np

from bm_plugins.apis.bundle.bundle import Bundle, Reference, Validation
from bm_plugins.apis.publishing.card import prior_cautions
from bm_plugins.apis.publishing.figures import EQUAL, temperature_of
from bm_plugins.evaluation.functional.feature_distance import knn_distance
from bm_plugins.evaluation.linear.refit import refit_linear

_FOLDS = 5
# L2 of the change by the length of the features: that of a logit is then as
# large with any. docs/laboratory.md has what was measured.
L2 = 1e-3


def sort_cells(
    parent: Bundle, found: Reference
) -> tuple[Reference, Reference, np.ndarray]:
    """Join what was labelled now and before; the same picture counts once.

    Args:
        parent (Bundle): Its labelled cells are at the end of its reference
            and of its validation part, in the same order.
        found (Reference): Those of now.

    Returns:
        tuple[Reference, Reference, np.ndarray]: Cells that the published
        classifier learned from; all labelled cells; and the parent's logits
        (V, C0) on the calibration cells that it keeps and the labelled ones.
    """
    known, held = parent.reference, parent.validation
    rows = np.arange(len(known.labels))
    labelled = rows >= len(rows) - parent.info.get('labelled', 0)
    again = {*found.pictures}  # the new label counts
    stay = labelled & [picture not in again for picture in known.pictures]
    weight, bias = (parent.weights[f'fc.{k}'] for k in ('weight', 'bias'))
    before = [
        held.logits[held.rows],
        held.logits[rows[stay] - len(rows)],
        found.features @ weight.T + bias,
    ]
    trained = _some(known, rows[~labelled])
    return (
        trained,
        _joined(_some(known, rows[stay]), found),
        np.concatenate(before),
    )


def _some(cells: Reference, rows: np.ndarray) -> Reference:
    return Reference(
        cells.features[rows],
        cells.labels[rows],
        tuple(cells.paths[row] for row in rows),
        tuple(cells.pictures[row] for row in rows),
    )


def _joined(one: Reference, two: Reference) -> Reference:
    return Reference(
        np.concatenate([one.features, two.features]),
        np.append(one.labels, two.labels),
        one.paths + two.paths,
        one.pictures + two.pictures,
    )


def fitted_bundle(
    parent: Bundle,
    trained: Reference,
    labelled: Reference,
    classes: tuple[str, ...],
    full_names: tuple[str, ...],
) -> Bundle:
    """Fit classifier and temperature, and measure on cells held out.

    Args:
        parent (Bundle): With features of its calibration cells.
        trained (Reference): By :func:`sort_cells`.
        labelled (Reference): By :func:`sort_cells`.
        classes (tuple[str, ...]): Codes (C,), the parent's first.
        full_names (tuple[str, ...]): Names (C,).

    Returns:
        Bundle: The record has ``labelled``, ``l2``, ``prior`` and the
        cautions on it anew; card and figures are the parent's.
    """
    reference = _joined(trained, labelled)
    l2 = L2 * reference.features.shape[1]
    fold_of = _folds(labelled)
    published = parent.published or {
        name: parent.weights[f'fc.{name}'] for name in ('weight', 'bias')
    }
    fitted = refit_linear(
        *_start(published, trained.labels, reference.labels, len(classes)),
        reference.features,
        reference.labels,
        np.append(np.full(len(trained.labels), -1), fold_of),
        l2,
    )
    held = parent.validation
    kept = held.features.astype(float)
    distances = np.empty(len(fold_of), np.float32)
    for fold in np.unique(fold_of):
        out = fold_of == fold
        others = np.append(np.ones(len(trained.labels), bool), ~out)
        distances[out] = knn_distance(
            labelled.features[out], reference.features[others]
        )
    logits = kept @ fitted.weight.T + fitted.bias
    validation = Validation(
        np.concatenate([logits, fitted.held_out]).astype(np.float32),
        np.append(held.labels[held.rows], labelled.labels),
        np.append(knn_distance(kept, reference.features), distances),
        held.features,
        np.arange(len(kept)),
    )
    weights = {
        'fc.weight': fitted.weight.astype(np.float32),
        'fc.bias': fitted.bias.astype(np.float32),
    }
    shares = np.isin(np.arange(len(classes)), reference.labels)
    prior = shares / shares.sum()
    temperature, off = temperature_of(
        validation.logits, validation.labels, prior
    )
    mixture = np.bincount(validation.labels, minlength=len(classes))
    _, was_off = temperature_of(held.logits, held.labels, parent.prior)
    stale = prior_cautions(was_off, parent.classes)
    cautions = [c for c in parent.info['cautions'] if c not in stale]
    info = dict(
        parent.info,
        labelled=len(labelled.labels),
        l2=l2,
        cautions=cautions + prior_cautions(off, classes),
        prior=dict(
            shares=prior.tolist(),
            text=EQUAL,
            calibration=(mixture / mixture.sum()).tolist(),
            agrees=not off,
        ),
    )
    return replace(
        parent,
        classes=classes,
        full_names=full_names,
        weights={**parent.weights, **weights},
        temperature=temperature,
        validation=validation,
        reference=reference,
        info=info,
        published=published,
        digest='',
    )


def _start(
    published: Mapping[str, np.ndarray],
    trained: np.ndarray,
    labels: np.ndarray,
    number: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases (C,) to change: as published, or of none.

    A class that was never trained on has none that would mean something.
    """
    old = published['bias']
    weight = np.zeros((number, published['weight'].shape[1]))
    bias = np.zeros(number)
    weight[: len(old)], bias[: len(old)] = published['weight'], old
    is_new = ~np.isin(np.arange(number), trained)
    is_new &= np.isin(np.arange(number), labels)
    weight[is_new] = 0
    bias[is_new] = bias[np.unique(trained)].mean()
    return weight, bias


def _folds(cells: Reference) -> np.ndarray:
    """Fold of each cell (N,): each class in as many as it can be.

    By the pictures' hashes, whatever order a list has them in.
    """
    rank = [sha256(picture).digest() for picture in cells.pictures]
    order = sorted(
        range(len(rank)), key=lambda row: (cells.labels[row], rank[row])
    )
    fold_of = np.empty(len(rank), np.int64)
    fold_of[order] = np.arange(len(rank)) % min(_FOLDS, len(rank))
    return fold_of
