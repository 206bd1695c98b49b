import numpy as np
import pytest
from scipy.stats import binomtest

from bm_plugins.evaluation.functional.intervals import (
    goutte_gaussier,
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
