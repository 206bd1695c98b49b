import warnings

import numpy as np
import pytest
from sklearn import metrics

from bm_plugins.evaluation.functional.confusion import (
    averages,
    confusion_matrix,
    per_class_scores,
)


def random_case(n, classes, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, classes, n), rng.integers(0, classes, n), classes


CASES = {
    'random': random_case(500, 21, 0),
    'few': random_case(7, 5, 1),
    'one sample': (np.array([2]), np.array([2]), 4),
    'one class': (np.array([1, 1, 1]), np.array([1, 0, 1]), 3),
    'all wrong': (np.array([0, 1, 2]), np.array([1, 2, 0]), 3),
    'predicted, not in the test part': (
        np.array([0, 0, 1]),
        np.array([2, 0, 2]),
        3,
    ),
    'never predicted': (np.array([0, 1, 2, 2]), np.array([0, 0, 0, 0]), 3),
    'all right': (np.array([0, 1, 2]), np.array([0, 1, 2]), 3),
}


@pytest.mark.parametrize('case', CASES)
def test_equals_scikit_learn(case):
    labels, predictions, classes = CASES[case]
    matrix = confusion_matrix(labels, predictions, classes)
    everything = np.arange(classes)
    np.testing.assert_array_equal(
        matrix,
        metrics.confusion_matrix(labels, predictions, labels=everything),
    )
    expected = metrics.precision_recall_fscore_support(
        labels, predictions, labels=everything, zero_division=0
    )
    for ours, theirs in zip(per_class_scores(matrix), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)

    result = averages(matrix, min_support=2)
    present = np.unique(labels)
    for kind in ('macro', 'weighted'):
        theirs = metrics.precision_recall_fscore_support(
            labels,
            predictions,
            labels=present,
            average=kind,
            zero_division=0,
        )
        for name, value in zip(
            ('precision', 'recall', 'f1'), theirs[:3], strict=True
        ):
            assert result[f'{kind}_{name}'] == pytest.approx(value)
    assert result['accuracy'] == metrics.accuracy_score(labels, predictions)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # predicted, not in the test part
        theirs = metrics.balanced_accuracy_score(labels, predictions)
    assert result['balanced_accuracy'] == pytest.approx(theirs)
    enough = np.flatnonzero(np.bincount(labels, minlength=classes) >= 2)
    if len(enough):
        assert result['macro_f1_min_support'] == pytest.approx(
            metrics.f1_score(
                labels,
                predictions,
                labels=enough,
                average='macro',
                zero_division=0,
            )
        )
    else:
        assert np.isnan(result['macro_f1_min_support'])


def test_by_hand():
    # Class 0: 2 of 3 found, 1 false alarm; class 1: 1 of 2, 1 false alarm.
    matrix = confusion_matrix([0, 0, 0, 1, 1], [0, 0, 1, 1, 0], 2)
    assert matrix.tolist() == [[2, 1], [1, 1]]
    scores = per_class_scores(matrix)
    assert scores.precision == pytest.approx([2 / 3, 1 / 2])
    assert scores.recall == pytest.approx([2 / 3, 1 / 2])
    assert averages(matrix, 3)['macro_f1_min_support'] == pytest.approx(2 / 3)
