import math

import numpy as np
import pytest
import torch

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.order_statistic import bound_of_next


def test_by_hand():
    values = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.0, 3.5, 8.0]  # nine
    # ceil(10 * .8) = 8th smallest, ceil(10 * .75) = 8th, ceil(10 * .9) = 9th.
    assert bound_of_next(values, 0.8) == 8.0
    assert bound_of_next(values, 0.75) == 8.0
    assert bound_of_next(values, 0.9) == 9.0
    assert bound_of_next(torch.tensor(values), 0.1) == 1.0
    # Nine values cannot bound the tenth nineteen times in twenty.
    assert bound_of_next(values, 0.91) == math.inf
    assert bound_of_next([], 0.5) == math.inf


def test_a_whole_rank_is_not_rounded_up():
    # With 99 values the rank of .07 is 7, though 100 * .07 > 7 in float64.
    ranks = [*range(1, 100)]
    assert [bound_of_next(ranks, rank / 100) for rank in ranks] == ranks


def test_the_next_value_is_within_as_often_as_promised():
    rng = np.random.default_rng(0)
    draws = rng.exponential(size=(20000, 20))
    bounds = np.array([bound_of_next(row[:19], 0.9) for row in draws])
    # Exactly 18 / 20; three standard errors are .0064.
    assert abs((draws[:, 19] <= bounds).mean() - 0.9) < 0.0064


def test_errors():
    for level in (0, 1, -0.1, 1.5):
        with pytest.raises(InputError, match='between 0 and 1'):
            bound_of_next([1.0], level)
    with pytest.raises(InputError, match='1 of 2 validation values'):
        bound_of_next([1.0, math.nan], 0.5)
