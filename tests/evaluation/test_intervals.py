import numpy as np
import pytest
from scipy.stats import binomtest

from bm_plugins.evaluation.intervals import percentile_interval, wilson


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
