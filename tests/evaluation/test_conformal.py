import math

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import betabinom, binomtest

from bm_plugins.errors import InputError
from bm_plugins.evaluation.conformal import (
    conformal_threshold,
    coverage,
    prediction_sets,
)
from bm_plugins.evaluation.intervals import wilson


def draw(rng, number, classes=4):
    """Labels drawn from probabilities that are not those shown."""
    logits = rng.normal(size=(number, classes)) * 2
    cumulated = softmax(logits, 1).cumsum(1)
    labels = (rng.random((number, 1)) > cumulated).sum(1).clip(max=classes - 1)
    return softmax(2.5 * logits, 1), labels


def test_by_hand():
    probabilities = np.array(
        [[0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [0.25, 0.375, 0.375]]
    )
    # Scores of the true classes: .5, .25, .625; ceil(4 * .75) = 3rd smallest.
    threshold = conformal_threshold(probabilities, [0, 1, 2], 0.25)
    assert threshold == 0.625
    assert conformal_threshold(probabilities, [0, 1, 2], 0.5) == 0.5
    sets = prediction_sets(probabilities, threshold)
    assert sets.tolist() == [
        [True, False, False],
        [False, True, False],
        [False, True, True],
    ]
    assert coverage(sets, [0, 1, 0]) == (2, 3)
    even = np.full((1, 3), 1 / 3)
    assert not prediction_sets(even, threshold).any()  # none likely enough


def test_equals_a_loop():
    rng = np.random.default_rng(0)
    probabilities, labels = draw(rng, 333)
    single = torch.from_numpy(probabilities).float()
    for error_rate in (0.01, 0.05, 0.1, 0.3):
        scores = sorted(
            1 - float(row[label])
            for row, label in zip(single, labels, strict=True)
        )
        expected = scores[math.ceil(334 * (1 - error_rate)) - 1]
        found = conformal_threshold(single, torch.tensor(labels), error_rate)
        assert found == expected
        sets = prediction_sets(single, found)
        for row, members in zip(single.tolist(), sets, strict=True):
            assert members.tolist() == [1 - p <= expected for p in row]


def test_too_few_images_make_every_set_full():
    probabilities, labels = draw(np.random.default_rng(0), 18)
    threshold = conformal_threshold(probabilities, labels, 0.05)
    assert threshold == math.inf
    assert prediction_sets(probabilities, threshold).all()
    probabilities, labels = draw(np.random.default_rng(0), 19)
    assert conformal_threshold(probabilities, labels, 0.05) < 1
    none = conformal_threshold(np.zeros((0, 4)), np.zeros(0, int), 0.05)
    assert none == math.inf


def test_coverage_is_that_of_the_theory():
    # Of 200 new images, the covered ones are beta-binomial with
    # a = ceil(100 * .9) = 90 and b = 100 - 90 (Angelopoulos and Bates 2021,
    # arXiv:2107.07511), whatever the model.
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(2000):
        probabilities, labels = draw(rng, 299)
        threshold = conformal_threshold(probabilities[:99], labels[:99], 0.1)
        sets = prediction_sets(probabilities[99:], threshold)
        covered.append(coverage(sets, labels[99:])[0])
    theory = betabinom(200, 90, 10)
    error = theory.std() / np.sqrt(2000)
    assert abs(np.mean(covered) - theory.mean()) < 3 * error
    assert abs(np.std(covered) / theory.std() - 1) < 0.06
    # The top class alone is wrong far more often than in a tenth.
    right = probabilities.argmax(1) == labels
    assert right.mean() < 0.8


def test_the_interval_of_the_coverage():
    sets = np.eye(2, dtype=bool)[np.array([0] * 45 + [1] * 5)]
    found = coverage(sets, np.zeros(50, int))
    assert found == (45, 50)
    expected = binomtest(45, 50).proportion_ci(method='wilson')
    np.testing.assert_allclose(wilson(*found), expected, rtol=1e-12)


def test_errors():
    with pytest.raises(InputError, match='between 0 and 1'):
        conformal_threshold(np.eye(2), [0, 1], 0)
    with pytest.raises(InputError, match='1 of 2 validation values'):
        conformal_threshold([[np.nan, 1], [0, 1]], [0, 1], 0.1)
