"""Precision, recall and F1, class by class."""

from typing import NamedTuple

import numpy as np

from .known_scores import own_scores


class PerClassScores(NamedTuple):
    """Scores by class, (..., C); 0 where undefined, as in scikit-learn."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


def confusion_matrix(
    labels: np.ndarray, predictions: np.ndarray, num_classes: int
) -> np.ndarray:
    """Counts (C, C), int64, of true class (rows) by predicted class.

    Args:
        labels (np.ndarray): True class indices (N,).
        predictions (np.ndarray): Predicted class indices (N,).
        num_classes (int): Number C of classes.
    """
    pairs = np.asarray(labels, np.int64) * num_classes + predictions
    return np.bincount(pairs, minlength=num_classes**2).reshape(
        num_classes, num_classes
    )


def per_class_scores(matrix: np.ndarray) -> PerClassScores:
    """Scores of each class from (..., C, C), true classes in rows."""
    hits = np.diagonal(matrix, axis1=-2, axis2=-1).astype(float)
    support, predicted = matrix.sum(-1), matrix.sum(-2)
    return PerClassScores(
        precision=_ratio(hits, predicted),
        recall=_ratio(hits, support),
        f1=_ratio(2 * hits, support + predicted),
        support=support,
    )


def averages(
    matrix: np.ndarray, min_support: int, enough: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Averages over the classes with test images.

    Args:
        matrix (np.ndarray): Confusion matrices (..., C, C).
        min_support (int): Test images that a class needs for the second
            macro average.
        enough (np.ndarray, optional): Classes (C,) of that average, where the
            matrices are draws of one whose support decides.

    Returns:
        dict[str, np.ndarray]: Arrays (...): ``accuracy``;
        ``balanced_accuracy``, the mean recall; ``macro_*`` and ``weighted_*``
        of precision, recall and f1; ``macro_*_min_support``, without the
        smaller classes, NaN where none is left; and :func:`own_scores`.
    """
    scores = per_class_scores(matrix)
    present = scores.support > 0
    if enough is None:
        enough = scores.support >= min_support
    total = matrix.sum((-2, -1))
    trace = np.trace(matrix, axis1=-2, axis2=-1)
    result = {
        'accuracy': _ratio(trace, total),
        'balanced_accuracy': class_mean(scores.recall, present),
    }
    for name in ('precision', 'recall', 'f1'):
        values = getattr(scores, name)
        weighted = (values * scores.support).sum(-1)
        result[f'macro_{name}'] = class_mean(values, present)
        result[f'macro_{name}_min_support'] = class_mean(
            values, present & enough
        )
        result[f'weighted_{name}'] = _ratio(weighted, total)
    return result | own_scores(matrix)


def class_mean(values: np.ndarray, over: np.ndarray) -> np.ndarray:
    """Mean (...) of ``values`` (..., C) over some classes (..., C)."""
    over = np.broadcast_to(over, values.shape)
    total, count = (values * over).sum(-1), over.sum(-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    part = np.asarray(part, float)
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
