"""Every score of a test with what it rests on and its interval."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bm_plugins.evaluation.functional.calibration import (
    debiased_calibration_error,
)
from bm_plugins.evaluation.functional.confusion import (
    averages,
    class_mean,
    confusion_matrix,
    per_class_scores,
)
from bm_plugins.evaluation.functional.intervals import (
    bootstrap_matrices,
    goutte_gaussier,
    mean_of_proportions,
    percentile_interval,
    wilson,
)
from bm_plugins.evaluation.functional.tolerated_confusions import tolerate

GROUPS = ('head', 'middle', 'tail')


def class_groups(train_support: np.ndarray) -> np.ndarray:
    """Thirds of the classes by their number of training images (C,).

    Of the release's 21 classes the tail is the seven of fewer than 1,000
    images. Indices (C,) into ``GROUPS``, -1 without a training image; among
    equals the earlier class is the larger one.
    """
    support = np.asarray(train_support)
    order = np.argsort(-support, kind='stable')
    order = order[support[order] > 0]
    groups = np.full(len(support), -1)
    for group, members in enumerate(np.array_split(order, len(GROUPS))):
        groups[members] = group
    return groups


@dataclass(frozen=True)
class Figure:
    """A score with its 95 % interval.

    Attributes:
        score (str): Its name, as ``recall`` or ``macro_f1``.
        of (str): The class's code, or ``all``.
        n, classes (int): Images and classes that it rests on.
        value (float): The score.
        low, high (float): Ends of the interval.
        interval (str): ``Wilson``, ``Goutte-Gaussier``, ``bootstrap``,
            ``bootstrap, Wilson`` (both) or ``resampling``.
    """

    score: str
    of: str
    n: int
    classes: int
    value: float
    low: float
    high: float
    interval: str

    def __str__(self) -> str:
        return f'{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]'


def figures_of(
    labels: np.ndarray,
    scores: np.ndarray,
    codes: Sequence[str],
    min_support: int = 10,
    train_support: np.ndarray | None = None,
    neighbours: Sequence[tuple[int, int]] = (),
    replicates: int = 1000,
) -> dict[tuple[str, str], Figure]:
    """All figures of a test.

    By class: precision and recall with Wilson's interval, F1 with that of
    :func:`goutte_gaussier`. Over the test: ``accuracy`` (Wilson); the other
    averages of :func:`averages`; ``tolerant_accuracy`` and
    ``tolerant_macro_f1``; ``head_f1``, ``middle_f1`` and ``tail_f1``, means
    over thirds of the classes by training support; ``calibration_error``
    (:func:`debiased_calibration_error`). Of mean recalls the interval holds
    both the bootstrap's and :func:`mean_of_proportions`. The intervals
    are those of the draw of test images, given the trained model.

    Args:
        labels (np.ndarray): True class indices (N,).
        scores (np.ndarray): Probabilities (N, C).
        codes (Sequence[str]): Class codes (C,).
        min_support (int): Test images that a class needs for ``*_min_support``
            averages. Defaults to 10.
        train_support (np.ndarray, optional): Training images (C,). Defaults
            to None: no groups.
        neighbours (Sequence[tuple[int, int]]): As for :func:`tolerate`; none
            for no tolerant score.
        replicates (int): Bootstrap draws, by seed 0. Defaults to 1000.

    Returns:
        dict[tuple[str, str], Figure]: By score and code (``all`` over the
        test). Without test images, a class has none.
    """
    predictions = scores.argmax(1)
    count = len(codes)
    matrix = confusion_matrix(labels, predictions, count)
    draws = np.concatenate(
        [*bootstrap_matrices(labels, [predictions], count, replicates)], axis=1
    )[0]
    result = _by_class(matrix, codes)
    support = matrix.sum(1)
    enough = support >= min_support
    functions: dict[str, Callable] = {
        name: lambda m, name=name: averages(m, min_support, enough)[name]
        for name in averages(matrix, min_support)
    }
    over = {
        name: (support > 0) & (enough | ('min_support' not in name))
        for name in functions
    }
    if neighbours:
        for name in ('accuracy', 'macro_f1'):
            functions[f'tolerant_{name}'] = lambda m, name=name: averages(
                tolerate(m, neighbours), min_support
            )[name]
    if train_support is not None:
        groups = class_groups(train_support)
        for number, name in enumerate(GROUPS):
            members = groups == number
            functions[f'{name}_f1'] = lambda m, members=members: _mean_f1(
                m, members
            )
            over[f'{name}_f1'] = members & (support > 0)
    values = {name: function(matrix) for name, function in functions.items()}
    for name, function in functions.items():
        classes = over.get(name, support > 0)
        n, value = int(support[classes].sum()), float(values[name])
        if not n or np.isnan(value):
            continue
        if name in ('accuracy', 'tolerant_accuracy'):
            ends, kind = wilson(value * n, n), 'Wilson'
        else:
            ends, kind = percentile_interval(function(draws)), 'bootstrap'
            if 'balanced' in name or name.startswith('macro_recall'):
                ends = mean_recall_ends(ends, matrix, classes)
                kind = 'bootstrap, Wilson'
        result[name, 'all'] = Figure(
            name, 'all', n, int(classes.sum()), value, *map(float, ends), kind
        )
    result['calibration_error', 'all'] = Figure(
        'calibration_error',
        'all',
        len(labels),
        int((support > 0).sum()),
        *debiased_calibration_error(scores, labels, replicates=replicates)[:3],
        'resampling',
    )
    return result


def mean_recall_ends(
    ends: Sequence[float], matrix: np.ndarray, classes: np.ndarray
) -> tuple[float, float]:
    """Ends of a mean recall's interval, with :func:`mean_of_proportions`.

    A bootstrap does not see that few images, all right, may err.

    Args:
        ends (Sequence[float]): The bootstrap's.
        matrix (np.ndarray): The confusion matrix (C, C).
        classes (np.ndarray): Whose recalls are averaged (C,), bool; each has
            images.
    """
    hits, support = np.diag(matrix)[classes], matrix.sum(1)[classes]
    wide = mean_of_proportions(hits, support)
    return min(ends[0], wide[0]), min(1, max(ends[1], wide[1]))


def _by_class(
    matrix: np.ndarray, codes: Sequence[str]
) -> dict[tuple[str, str], Figure]:
    hits, support, predicted = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    scores = per_class_scores(matrix)
    errors = support + predicted - 2 * hits
    columns = (
        ('precision', predicted, wilson(hits, predicted), 'Wilson'),
        ('recall', support, wilson(hits, support), 'Wilson'),
        ('f1', support, goutte_gaussier(hits, errors), 'Goutte-Gaussier'),
    )
    result = {}
    for i, code in enumerate(codes):
        if not support[i]:
            continue
        for name, n, ends, kind in columns:
            value = float(getattr(scores, name)[i])
            result[name, code] = Figure(
                name, code, int(n[i]), 1, value, *map(float, ends[:, i]), kind
            )
    return result


def _mean_f1(matrix: np.ndarray, members: np.ndarray) -> np.ndarray:
    scores = per_class_scores(matrix)
    return class_mean(scores.f1, (scores.support > 0) & members)
