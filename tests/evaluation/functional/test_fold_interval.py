import numpy as np
from scipy import stats

from bm_plugins.evaluation.functional.fold_interval import fold_interval


def test_by_hand():
    scores = [0.70, 0.72, 0.74, 0.71, 0.73]
    # variance 0.00025; t of 4 degrees of freedom, 2.776445
    half = 2.776445105 * (0.00025 * (1 / 5 + 1 / 4)) ** 0.5
    np.testing.assert_allclose(
        fold_interval(scores), [0.72 - half, 0.72 + half], rtol=1e-7
    )


def test_wider_than_students():
    scores = np.random.default_rng(0).normal(0.7, 0.1, 10)
    low, high = stats.t.interval(0.95, 9, scores.mean(), stats.sem(scores))
    ends = fold_interval(scores)
    ratio = (ends[1] - ends[0]) / (high - low)
    np.testing.assert_allclose(ratio, np.sqrt(1 + 10 / 9), rtol=1e-9)


def test_one_fold_has_none():
    assert np.isnan(fold_interval([0.5])).all()


def test_covers_as_often_as_it_says():
    """Fold means that share the training images' part of their noise."""
    rng, k, hits = np.random.default_rng(1), 5, 0
    # Correlation 1/k: the ratio of test to all images, as they suppose.
    for _ in range(2000):
        shared = rng.normal(0, np.sqrt(1 / k))
        scores = shared + rng.normal(0, np.sqrt(1 - 1 / k), k)
        low, high = fold_interval(scores)
        hits += low <= 0 <= high
    assert 0.935 < hits / 2000 < 0.965
