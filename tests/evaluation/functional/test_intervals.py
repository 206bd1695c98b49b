from math import comb

import numpy as np
import pytest
from scipy import stats
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.intervals import (
    _count_cells,
    bootstrap_matrices,
    fold_interval,
    goutte_gaussier,
    mcnemar,
    percentile_interval,
    wilson,
)


@pytest.mark.parametrize('hits,total', [(0, 2), (2, 2), (3, 10), (450, 500)])
@pytest.mark.parametrize('level', [0.9, 0.95])
def test_wilson_equals_scipy(hits, total, level):
    theirs = binomtest(hits, total).proportion_ci(level, method='wilson')
    assert wilson(hits, total, level) == pytest.approx([*theirs], abs=1e-12)


def test_wilson_of_arrays_and_of_nothing():
    ends = wilson([0, 5], [0, 10])
    assert ends.shape == (2, 2) and ends[:, 0].tolist() == [0, 1]


def test_percentiles():
    draws = np.array([[*range(101)], [*range(100, 201)]], float)
    ends = percentile_interval(draws)
    np.testing.assert_allclose(ends, [[2.5, 102.5], [97.5, 197.5]])
    draws[0, 50:] = np.nan
    assert percentile_interval(draws)[1, 0] < 50


@pytest.mark.parametrize('hits,errors', [(1, 1), (2, 5), (30, 4)])
def test_f1_ends_are_quantiles_of_gammas(hits, errors):
    rng = np.random.default_rng(0)
    for prior, share, end in ((0.3, 0.025, 0), (0.7, 0.975, 1)):
        u = 2 * rng.gamma(hits + prior, size=2_000_000)
        v = rng.gamma(errors + 1 - prior, size=2_000_000)
        drawn = np.quantile(u / (u + v), share)
        assert goutte_gaussier(hits, errors)[end] == pytest.approx(
            drawn, abs=1e-3
        )
    assert goutte_gaussier(hits, 0)[1] == 1
    assert goutte_gaussier(0, errors)[0] == 0


@pytest.mark.parametrize('n', [2, 3, 5, 10, 40])
@pytest.mark.parametrize('recall', [0.5, 0.8, 0.95])
@pytest.mark.parametrize('precision', [0.5, 0.9])
def test_f1_is_covered_in_small_classes(n, recall, precision):
    rng, draws = np.random.default_rng(n), 20_000
    hit, false = n * recall, n * recall * (1 - precision) / precision
    shares = np.array([hit, n - hit, false, 1000 - n - false]) / 1000
    hits, missed, false, _ = rng.multinomial(1000, shares, draws).T
    fixed = rng.binomial(n, recall, draws)  # as many images each time
    f1 = 2 * precision * recall / (precision + recall)
    there = hits + missed > 0
    for right, errors in (
        (hits[there], (missed + false)[there]),
        (fixed, n - fixed + false),
    ):
        low, high = goutte_gaussier(right, errors)
        assert ((low <= f1) & (f1 <= high)).mean() >= 0.93


def case(n=60):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, n)
    runs = [
        np.where(rng.random(n) < p, labels, rng.integers(0, 5, n))
        for p in (0.3, 0.7)
    ]
    return labels, runs


def test_draws_are_of_the_images_and_the_same_for_each_run():
    labels, runs = case()
    drawn = np.concatenate([*bootstrap_matrices(labels, runs, 5, 50, 7)], 1)
    assert drawn.shape == (2, 50, 5, 5)
    cells, counts = np.unique(
        np.stack([labels, *runs], 1), axis=0, return_counts=True
    )
    again = np.random.default_rng(7).multinomial(60, counts / 60, 50)
    for draw, times in enumerate(again):
        images = np.repeat(cells, times, axis=0)
        for run in range(2):
            np.testing.assert_array_equal(
                drawn[run, draw],
                confusion_matrix(
                    images[:, 0], images[:, 1 + run], labels=range(5)
                ),
            )


def test_same_spread_as_drawing_images_one_by_one():
    labels, (run, _) = case(200)
    (drawn,) = next(bootstrap_matrices(labels, [run], 5, 4000))
    accuracy = np.trace(drawn, axis1=1, axis2=2) / 200
    rng = np.random.default_rng(0)
    right = (labels == run)[rng.integers(0, 200, (4000, 200))].mean(1)
    assert accuracy.mean() == pytest.approx(right.mean(), abs=0.003)
    assert accuracy.std() == pytest.approx(right.std(), rel=0.05)


def test_large_draws_come_in_parts():
    labels, runs = case(3000)
    parts = [*bootstrap_matrices(labels, runs, 5, 50_000)]
    assert len(parts) > 1 and sum(p.shape[1] for p in parts) == 50_000


def test_other_numbers_of_images():
    labels, runs = case()
    with pytest.raises(InputError, match=r'\[59\] for 60 labels'):
        next(bootstrap_matrices(labels, [runs[0][1:]], 5))
    with pytest.raises(InputError, match='or of none'):
        next(bootstrap_matrices(labels[:0], [], 5))


def test_cells_are_the_rows_that_occur():
    labels, (one, other) = case(500)
    for columns in ([labels, one], [labels, one, other], [labels] * 30):
        cells, counts = _count_cells(columns, 5)
        expected = np.unique(np.stack(columns, 1), axis=0, return_counts=True)
        np.testing.assert_array_equal(cells, expected[0])
        np.testing.assert_array_equal(counts, expected[1])


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


@pytest.mark.parametrize('a,b', [(0, 0), (5, 5), (1, 8), (30, 12), (600, 700)])
def test_equals_the_sum_of_binomials(a, b):
    labels = np.zeros(a + b + 9, int)
    first, second = labels.copy(), labels.copy()
    first[a : a + b] = 1  # wrong where the second is right
    second[:a] = 1
    first[-2:] = second[-2:] = 1  # both wrong
    found = mcnemar(labels, first, second)
    assert found[:2] == (a, b)
    ways = sum(comb(a + b, k) for k in range(min(a, b) + 1))
    expected = min(1, 2 * ways / 2 ** (a + b))
    assert found[2] == pytest.approx(expected)
