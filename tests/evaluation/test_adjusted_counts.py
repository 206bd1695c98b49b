import time

import numpy as np
import pytest
from scipy.optimize import minimize

from bm_plugins.evaluation.adjusted_counts import (
    adjusted_interval,
    adjusted_shares,
    errors_known,
)
from bm_plugins.evaluation.intervals import wilson

# 90 % and 80 % of the first two are recognised, all of the third.
CONFUSION = np.array([[90, 10, 0], [20, 80, 0], [0, 0, 50]])


def validation(rng, rates, images):
    return np.array(
        [rng.multinomial(n, row) for n, row in zip(images, rates, strict=True)]
    )


def many_classes(seed, total):
    """21 classes of the collection's unevenness, its tenth for validation."""
    rng = np.random.default_rng(seed)
    images = np.geomspace(10, 2900, 21).astype(int)
    rates = 0.2 * rng.dirichlet(np.full(21, 0.15), 21) + 0.8 * np.eye(21)
    shares = rng.dirichlet(20 * images / images.sum() + 0.1)
    counts = rng.multinomial(total, shares @ rates)
    return shares, counts, validation(rng, rates, images)


def test_by_hand():
    # Predicted .62 p + ... : of 60, 20 and 20 cells 54 + 4 = 58 are predicted
    # as the first, 6 + 16 = 22 as the second, and 20 as the third.
    found = adjusted_shares([58, 22, 20], CONFUSION)
    np.testing.assert_allclose(found, [0.6, 0.2, 0.2], atol=1e-4)
    assert adjusted_shares([0, 0, 0], CONFUSION).shape == (3,)
    assert np.isnan(adjusted_shares([0, 0, 0], CONFUSION)).all()
    assert np.isnan(adjusted_interval([0, 0, 0], CONFUSION)).all()


def test_among_some_classes():
    counted = np.array([True, False, True])
    found = adjusted_shares([58, 22, 20], CONFUSION, counted)
    np.testing.assert_allclose(found, [0.75, np.nan, 0.25], atol=1e-4)
    ends = adjusted_interval([58, 22, 20], CONFUSION, counted)
    assert np.isnan(ends).tolist() == [[False] * 2, [True] * 2, [False] * 2]
    assert ends[0, 0] < 0.75 < ends[0, 1]
    # Of two shares that sum to 1 one's lower end is the other's upper.
    np.testing.assert_allclose(ends[0], 1 - ends[2, ::-1], atol=1e-9)
    alone = adjusted_shares([0, 22, 0], np.eye(3) * 50, counted)
    assert np.isnan(alone).all()  # no counted cell is left


def test_equals_scipy_on_the_collection_s_unevenness():
    _, counts, confusion = many_classes(0, 500)
    rates = confusion / confusion.sum(1, keepdims=True)
    weights = counts / counts.sum()  # SLSQP needs values of about 1

    def loss(p):
        return -(weights * np.log(np.maximum(p @ rates, 1e-300))).sum()

    best = minimize(
        loss,
        np.full(21, 1 / 21),
        jac=lambda p: -rates @ (weights / (p @ rates)),
        method='SLSQP',
        bounds=[(1e-9, 1)] * 21,
        constraints=dict(type='eq', fun=lambda p: p.sum() - 1),
        options=dict(ftol=1e-12, maxiter=1000),
    )
    found = adjusted_shares(counts, confusion)
    assert best.success
    assert loss(found) < best.fun + 1e-8
    np.testing.assert_allclose(found, best.x, atol=1e-5)


def test_recovers_the_true_shares():
    # Blasts are 4 % and promyelocytes 60 %, of which the model calls a tenth
    # blasts: raw, the blasts are at 9 %.
    rng = np.random.default_rng(0)
    rates = np.array([[0.8, 0.2, 0], [0.1, 0.85, 0.05], [0, 0.05, 0.95]])
    true = np.array([0.04, 0.6, 0.36])
    confusion = validation(rng, rates, [20000] * 3)
    counts = rng.multinomial(100_000, true @ rates)
    assert counts[0] / counts.sum() > 0.085
    found = adjusted_shares(counts, confusion)
    np.testing.assert_allclose(found, true, atol=0.01)
    low, high = adjusted_interval(counts, confusion).T
    assert (low < true).all() and (true < high).all()
    assert (high - low).max() < 0.02


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    rates = np.array(
        [
            [0.75, 0.2, 0.05, 0],
            [0.1, 0.8, 0.1, 0],
            [0, 0.15, 0.8, 0.05],
            [0.05, 0, 0.05, 0.9],
        ]
    )
    held, raw = [], []
    for _ in range(150):
        true = rng.dirichlet([0.5, 2, 2, 0.2])
        confusion = validation(rng, rates, [30, 200, 200, 15])
        counts = rng.multinomial(500, true @ rates)
        ends = adjusted_interval(counts, confusion, replicates=150)
        held.append((ends[:, 0] <= true) & (true <= ends[:, 1]))
        low, high = wilson(counts, 500)
        raw.append((low <= true) & (true <= high))
    # Of 600 intervals; three standard errors are .027.
    assert 0.92 < np.mean(held) < 0.98
    assert np.mean(held, 0).min() > 0.88
    assert np.mean(raw) < 0.7  # those of the raw counts do not


def test_a_class_that_was_not_seen_may_be_there():
    ends = adjusted_interval([300, 200, 0], np.eye(3) * 100)
    assert ends[2, 0] < 1e-4
    # The Jeffreys interval of 0 in 500 ends at .5 %, Wilson's at .76 %.
    assert 0.003 < ends[2, 1] < 0.008


def test_ten_of_ten_are_not_sure_to_be_always_recognised():
    few = adjusted_interval([50, 50], [[10, 0], [0, 1000]])
    many = adjusted_interval([50, 50], [[1000, 0], [0, 1000]])
    assert few[0, 1] > many[0, 1] + 0.01


def test_classes_with_few_or_no_recognised_images_are_taken_as_they_are():
    confusion = np.array([[90, 10, 0], [5, 4, 0], [12, 0, 0]])
    assert errors_known(confusion).tolist() == [True, False, False]
    # As with rows [.9 .1 0], [0 1 0], [0 0 1]: 54 of 60 predicted right.
    found = adjusted_shares([54, 26, 20], confusion)
    np.testing.assert_allclose(found, [0.6, 0.2, 0.2], atol=1e-4)
    none = np.zeros((3, 3))
    assert not errors_known(none).any()
    found = adjusted_shares([54, 26, 20], none)
    np.testing.assert_allclose(found, [0.54, 0.26, 0.2], atol=1e-4)
    ends = adjusted_interval([54, 26, 20], none)
    assert (ends[:, 0] < found).all() and (found < ends[:, 1]).all()


@pytest.mark.parametrize('total', [500, 100_000])
def test_a_thousand_draws_of_21_classes_take_about_a_second(total):
    _, counts, confusion = many_classes(1, total)
    start = time.process_time()
    ends = adjusted_interval(counts, confusion)
    # .15 and .4 s on a machine of 2 cores; an EM without the long steps: 5.
    assert time.process_time() - start < 2.5
    assert ends.shape == (21, 2)
    assert np.array_equal(ends, adjusted_interval(counts, confusion))
    other = adjusted_interval(counts, confusion, seed=1)
    assert not np.array_equal(ends, other)
