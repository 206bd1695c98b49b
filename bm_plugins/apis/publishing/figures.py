"""What a bundle is worth, measured on the test part."""

import math
from dataclasses import replace

import numpy as np

from bm_plugins.apis.bundle.bundle import Validation
from bm_plugins.apis.bundle.cell_predictor import LIKE, probabilities
from bm_plugins.evaluation.functional.calibration import (
    apply_temperature,
    debiased_calibration_error,
    fit_temperature,
)
from bm_plugins.evaluation.functional.conformal import (
    conformal_thresholds,
    coverage,
    prediction_sets,
)
from bm_plugins.evaluation.functional.feature_distance import (
    distance_threshold,
)
from bm_plugins.evaluation.functional.intervals import wilson
from bm_plugins.evaluation.functional.known_scores import MAIN, titles
from bm_plugins.evaluation.functional.prevalence import (
    at_equal_shares,
    at_shares,
)
from bm_plugins.evaluation.metrics.scores import Figure, figures_of

ERROR_RATE = 0.05  # share of a class's sets that may lack it
# Calibration images; fewer cannot promise sets at the error rate.
MIN_CALIBRATION = math.ceil(1 / ERROR_RATE - 1)
MIN_SUPPORT = 10  # as PerClassMetric
# Cells that a classifier was fitted for.
EQUAL = 'each class that has training images equally often'
NATURAL = 'each class as often as among its training images'


def temperature_of(
    logits: np.ndarray, labels: np.ndarray, prior: np.ndarray
) -> tuple[float, dict[int, tuple[float, int]]]:
    """The temperature of calibration images, and whether the prior fits them.

    Their mixture is not that of the classifier, so that its probabilities are
    first brought to their shares of the classes.

    Args:
        logits (np.ndarray): (V, C).
        labels (np.ndarray): True classes (V,).
        prior (np.ndarray): Shares (C,) that the classifier was fitted for.

    Returns:
        tuple: The temperature, by :func:`fit_temperature`; and the classes of
        which the probabilities sum to 1.5 times more or fewer images than
        there are, by more than 4 standard deviations: index -> sum, images.
    """
    counts = np.bincount(labels, minlength=len(prior))
    there = (counts > 0) & (prior > 0)
    shift = np.full(len(prior), -np.inf)
    shift[there] = np.log(counts[there] / prior[there])
    used = there[labels]
    if not used.any():
        return 1.0, {}
    scores, labels = probabilities(logits[used], 1), labels[used]
    temperature = fit_temperature(scores, labels, log_shift=shift)
    found = apply_temperature(scores, temperature, log_shift=shift)
    sums, noise = found.sum(0), np.sqrt((found * (1 - found)).sum(0))
    ratio = np.maximum(sums, 1e-9) / np.maximum(counts, 1e-9)
    off = (np.abs(sums - counts) > 4 * noise) & (np.abs(np.log(ratio)) > 0.4)
    return temperature, {
        int(i): (float(sums[i]), int(counts[i]))
        for i in (off & there).nonzero()[0]
    }


def bundle_figures(
    validation: Validation,
    temperature: float,
    test: Validation,
    codes: tuple[str, ...],
    prior: np.ndarray,
) -> dict[tuple[str, str], Figure]:
    """Figures of a bundle's calibrated outputs on its test part.

    Args:
        validation (Validation): The calibration part: thresholds are fitted
            on it.
        temperature (float): Fitted on it too.
        test (Validation): The test part's outputs.
        codes (tuple[str, ...]): Class codes (C,).
        prior (np.ndarray): Shares (C,) that the classifier was fitted for.
            The calibration error is that of the probabilities brought to the
            shares of the test's classes: at others none can be calibrated.

    Returns:
        dict[tuple[str, str], Figure]: Those of :func:`figures_of` that a card
        shows, and by score and ``all`` or code: ``coverage``, the share of
        conformal sets at ``ERROR_RATE`` that hold the true class; over the
        test also ``one_class``, the share of sets of just one class, and
        ``unlike``, the share of cells farther from the reference than the
        share ``LIKE`` of the calibration part's. With Wilson's interval.
    """
    labels = test.labels
    scores = probabilities(test.logits, temperature)
    result = card_figures(labels, scores, codes)
    mixture = np.bincount(labels, minlength=len(prior)) / len(labels)
    matched = at_shares(at_equal_shares(scores, prior), mixture)
    value, low, high, _ = debiased_calibration_error(matched, labels)
    key = 'calibration_error', 'all'
    result[key] = replace(result[key], value=value, low=low, high=high)
    known = probabilities(validation.logits, temperature)
    thresholds, _ = conformal_thresholds(known, validation.labels, ERROR_RATE)
    sets = prediction_sets(scores, thresholds)
    for number, code in enumerate(codes):
        if (own := labels == number).any():
            hits = coverage(sets[own], labels[own])
            result['coverage', code] = _share('coverage', code, *hits, 1)
    classes = len(np.unique(labels))
    limit = distance_threshold(validation.distances, LIKE)
    for name, hits in (
        ('coverage', coverage(sets, labels)[0]),
        ('one_class', (sets.sum(1) == 1).sum()),
        ('unlike', (test.distances.astype(float) > limit).sum()),
    ):
        result[name, 'all'] = _share(
            name, 'all', int(hits), len(labels), classes
        )
    return result


def card_figures(
    labels: np.ndarray, scores: np.ndarray, codes: tuple[str, ...]
) -> dict[tuple[str, str], Figure]:
    """Those of :func:`figures_of` that a card shows, with its arguments."""
    shown = titles([*MAIN, 'calibration_error'], MIN_SUPPORT)
    return {
        key: figure
        for key, figure in figures_of(
            labels, scores, codes, MIN_SUPPORT
        ).items()
        if key[1] != 'all' or key[0] in shown
    }


def _share(name: str, of: str, hits: int, n: int, classes: int) -> Figure:
    low, high = map(float, wilson(hits, n))
    return Figure(name, of, n, classes, hits / n, low, high, 'Wilson')
