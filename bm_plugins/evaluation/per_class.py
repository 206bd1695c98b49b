"""Precision, recall and F1, class by class."""

from typing import NamedTuple

import numpy as np


class PerClassScores(NamedTuple):
    """Scores by class, each (C,); 0 where undefined, as in scikit-learn."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


def confusion_matrix(
    labels: np.ndarray, predictions: np.ndarray, num_classes: int
) -> np.ndarray:
    """Counts of true class (rows) by predicted class (columns).

    Args:
        labels (np.ndarray): True class indices (N,).
        predictions (np.ndarray): Predicted class indices (N,).
        num_classes (int): Number C of classes.

    Returns:
        np.ndarray: (C, C) int64.
    """
    pairs = np.asarray(labels, np.int64) * num_classes + predictions
    return np.bincount(pairs, minlength=num_classes**2).reshape(
        num_classes, num_classes
    )


def per_class_scores(matrix: np.ndarray) -> PerClassScores:
    """Scores of each class from the confusion matrix.

    Args:
        matrix (np.ndarray): (C, C), true classes in rows.

    Returns:
        PerClassScores: Precision, recall, F1 and support.
    """
    hits = np.diag(matrix).astype(float)
    support, predicted = matrix.sum(1), matrix.sum(0)

    def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)

    return PerClassScores(
        precision=ratio(hits, predicted),
        recall=ratio(hits, support),
        f1=ratio(2 * hits, support + predicted),
        support=support,
    )


def averages(matrix: np.ndarray, min_support: int) -> dict[str, float]:
    """Averages over the classes with test images.

    Args:
        matrix (np.ndarray): Confusion matrix (C, C).
        min_support (int): Test images that a class needs for the second
            macro average.

    Returns:
        dict[str, float]: ``accuracy``; ``balanced_accuracy``, the mean
        recall; ``macro_*`` and ``weighted_*`` of precision, recall and f1;
        ``macro_*_min_support``, without the smaller classes, NaN where none
        is left.
    """
    scores = per_class_scores(matrix)
    present = scores.support > 0
    enough = present & (scores.support >= min_support)
    weights = scores.support / max(scores.support.sum(), 1)

    def mean(values: np.ndarray, over: np.ndarray) -> float:
        return float(values[over].mean()) if over.any() else float('nan')

    result = {
        'accuracy': float(np.trace(matrix) / max(matrix.sum(), 1)),
        'balanced_accuracy': mean(scores.recall, present),
    }
    for name in ('precision', 'recall', 'f1'):
        values = getattr(scores, name)
        result[f'macro_{name}'] = mean(values, present)
        result[f'macro_{name}_min_support'] = mean(values, enough)
        result[f'weighted_{name}'] = float((values * weights).sum())
    return result
