from math import comb

import numpy as np
import pytest

from bm_plugins.evaluation.functional.mcnemar import mcnemar


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
