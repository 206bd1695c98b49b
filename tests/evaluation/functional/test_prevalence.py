"""Shares of a slide, against other optimisers and in simulations."""

import numpy as np
import pytest
from scipy.optimize import minimize

from bm_plugins.evaluation.functional import prevalence
from bm_plugins.evaluation.functional.prevalence import (
    SlideShares,
    at_shares,
    likeliest_shares,
)

DOMINANT = np.array([0.9, 0.05, 0.03, 0.02])


def seen(rng, labels, classes, apart=1.5):
    """Exact probabilities at equal shares, of Gaussian cells of a class."""
    cells = rng.normal(size=(len(labels), classes))
    cells += apart * np.eye(classes)[labels]
    likely = np.exp(apart * cells)
    return likely / likely.sum(1, keepdims=True)


def slide(seed, shares, cells, images):
    """A slide and calibration images of given numbers in each class."""
    rng = np.random.default_rng(seed)
    number = len(shares)
    labels = np.repeat(np.arange(number), images)
    return (
        seen(rng, rng.choice(number, cells, p=shares), number),
        seen(rng, labels, number),
        labels,
    )


@pytest.mark.parametrize('number', [2, 8, 21])
@pytest.mark.parametrize('seed', [0, 1, 2])
def test_likeliest_by_another_optimiser(number, seed):
    rng = np.random.default_rng(seed)
    shares = rng.permutation(1 / np.arange(1, number + 1) ** 2)
    shares /= shares.sum()
    posteriors = at_shares(
        seen(rng, rng.choice(number, 500, p=shares), number),
        prior := rng.dirichlet(np.full(number, 5)),
    )
    scores = at_shares(posteriors, 1 / prior)
    best = minimize(
        lambda p: -np.log(scores @ p).mean(),
        np.full(number, 1 / number),
        jac=lambda p: -(scores / (scores @ p)[:, None]).mean(0),
        bounds=[(0, 1)] * number,
        constraints=dict(
            type='eq', fun=lambda p: p.sum() - 1, jac=np.ones_like
        ),
        method='SLSQP',
        options=dict(maxiter=1000, ftol=1e-15),
    ).x
    found = likeliest_shares(scores)
    np.testing.assert_allclose(found, best, atol=1e-4)
    assert abs(found - 1 / number).max() > 0.05
    assert found.sum() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(
    'prior, posteriors, expected',
    [
        (
            [0.6, 0.4],
            [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.7, 0.3]],
            [0.889912, 0.110088],
        ),
        (
            [0.5, 0.3, 0.2],
            [
                *([0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1]),
                *([0.2, 0.2, 0.6], [0.8, 0.1, 0.1], [0.3, 0.4, 0.3]),
            ],
            [0.314559, 0.431392, 0.254049],
        ),
        (
            [0.7, 0.1, 0.1, 0.1],
            [
                *([0.85, 0.05, 0.05, 0.05], [0.4, 0.4, 0.1, 0.1]),
                *([0.1, 0.1, 0.7, 0.1], [0.9, 0.04, 0.03, 0.03]),
                [0.25, 0.25, 0.25, 0.25],
            ],
            [0.168053, 0.373442, 0.458506, 0],
        ),
    ],
)
def test_likeliest_are_those_of_quapy(prior, posteriors, expected):
    # QuaPy 0.2.3: EMQ.MAX_ITER = 10**6; EMQ.EM(np.array(prior),
    # np.array(posteriors), epsilon=1e-12)[0]. EMImbalanceAdapter of
    # abstention 0.1.3.1 gives the same to 6e-6.
    scores = at_shares(np.array(posteriors), 1 / np.array(prior))
    np.testing.assert_allclose(likeliest_shares(scores), expected, atol=1e-5)


def test_likeliest_take_few_rounds_where_plain_em_takes_hundreds(monkeypatch):
    rng = np.random.default_rng(0)
    scores = seen(rng, rng.choice(4, 500, p=DOMINANT), 4, 0.5)
    shares, plain = np.full(4, 0.25), 0
    best = likeliest_shares(scores)
    while np.abs(shares - best).max() > 1e-4:
        shares, plain = at_shares(scores, shares).mean(0), plain + 1
    calls = []

    def counted(scores, shares):
        calls.append(1)
        return at_shares(scores, shares)

    monkeypatch.setattr(prevalence, 'at_shares', counted)
    likeliest_shares(scores)
    assert len(calls) < plain / 5


def test_interval_reaches_further_for_a_class_that_is_missed(monkeypatch):
    scores, known, labels = slide(0, [0.5, 0.3, 0.2], 300, 40)
    known[labels == 2] = [0.45, 0.35, 0.2]  # never recognised

    def widths():
        found = SlideShares(scores, known, labels)
        ends = [found.interval(own, np.ones(3)) for own in np.eye(3)]
        return np.diff(ends)[:, 0]

    allowed = widths()
    monkeypatch.setattr(prevalence, '_WRONG_IF_MISSED', 0.0)
    more = allowed - widths()
    assert more[2] > 0.02 and more[2] > 2 * more[1] >= 0


def coverage(shares, times, draws):
    """How often the intervals hold the classes' shares (C,).

    The 40 calibration images of each class are given ``times`` times.
    """
    number = len(shares)
    every = np.ones(number, bool)
    held = np.zeros(number)
    for seed in range(draws):
        scores, known, labels = slide(seed, shares, 300, 40)
        found = SlideShares(
            scores, np.tile(known, (times, 1)), np.tile(labels, times)
        )
        for k, own in enumerate(np.eye(number, dtype=bool)):
            low, high = found.interval(own, every)
            held[k] += low <= shares[k] <= high
    return held / draws


@pytest.mark.slow
@pytest.mark.parametrize('shares', [DOMINANT, [0.35, 0.3, 0.2, 0.15]])
def test_intervals_hold_the_true_shares(shares):
    held = coverage(np.array(shares), 1, 150)
    assert 0.9 <= held[0] <= 1 and 0.9 <= held.mean() <= 1


@pytest.mark.slow
def test_intervals_know_how_few_the_calibration_images_are():
    # Repeated, they claim 50 times the evidence.
    held = coverage(DOMINANT, 50, 60)
    assert held[0] < 0.85 and held.mean() < 0.85


def test_class_without_calibration_images_takes_part():
    scores, known, labels = slide(0, [0.5, 0.3, 0.2], 4000, [50, 50, 0])
    found = SlideShares(scores, known, labels)
    assert found.measured.tolist() == [True, True, False]
    np.testing.assert_allclose(found.likeliest, [0.5, 0.3, 0.2], atol=0.05)
    shares = found.shares(np.ones(3, bool))
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.1)


def test_measured_are_five_images_with_one_recognised():
    scores, known, labels = slide(0, [0.5, 0.3, 0.2], 40, [5, 4, 50])
    known[labels == 2] = [0.6, 0.3, 0.1]
    known[0] = [0.8, 0.1, 0.1]
    found = SlideShares(scores, known, labels)
    assert found.measured.tolist() == [True, False, False]


@pytest.mark.parametrize('cells', [1, 2, 500])
def test_cells_that_are_all_alike(cells):
    _, known, labels = slide(0, DOMINANT, 1, 40)
    scores = np.tile([0.97, 0.01, 0.01, 0.01], (cells, 1))
    found = SlideShares(scores, known, labels)
    every, first = np.ones(4, bool), np.eye(4, dtype=bool)[0]
    low, high = found.interval(first, every)
    assert 0 <= low < high == 1 and (low > 0.8) == (cells == 500)
    rest_low, rest_high = found.interval(~first, every)
    assert rest_low == 0 and rest_high == pytest.approx(1 - low, abs=1e-6)
    np.testing.assert_allclose(found.shares(every), first, atol=0.03)


@pytest.mark.parametrize('seed', range(8))
@pytest.mark.parametrize('cells', [1, 10, 300])
def test_shares_among_some_classes(seed, cells):
    shares = np.array([0.6, 0.2, 0.1, 0.07, 0.03])
    found = SlideShares(*slide(seed, shares, cells, 30))
    among = np.array([False, True, True, False, True])
    ends = np.full((5, 2), np.nan)
    assert found.shares(among)[~among].tolist() == [0, 0]
    assert found.shares(among).sum() == pytest.approx(1, abs=1e-9)
    for k in np.flatnonzero(among):
        ends[k] = found.interval(np.arange(5) == k, among)
    within = found.shares(among, ends)[among]
    assert within.sum() == pytest.approx(1, abs=1e-9)
    assert (within >= ends[among, 0] - 1e-12).all()
    assert (within <= ends[among, 1] + 1e-12).all()
    # Ends that the estimates do not respect by themselves.
    ends[1] = 0.1, 0.2
    assert 0.1 <= found.shares(among, ends)[1] <= 0.2 + 1e-12


def test_ratio_of_two_groups_is_that_of_their_shares():
    shares = np.array([0.5, 0.3, 0.1, 0.1])
    scores, known, labels = slide(0, shares, 20000, 2000)
    found = SlideShares(scores, known, labels)
    part = np.array([True, False, False, False])
    low, high = found.interval(part, np.array([True, True, False, False]))
    assert low < 0.625 < high and high - low < 0.1


def test_frequent_class_without_calibration_images_that_is_sure():
    # Well told apart, so that images of other classes say nothing of it.
    shares = np.array([0.4, 0.1, 0.5])
    labels = np.repeat([0, 1], [36, 5])
    every, held = np.ones(3, bool), np.zeros(2)
    for seed in range(30):
        rng = np.random.default_rng(seed)
        scores = seen(rng, rng.choice(3, 300, p=shares), 3, 4)
        found = SlideShares(scores, seen(rng, labels, 3, 4), labels)
        np.testing.assert_allclose(found.shares(every), shares, atol=0.1)
        for k in (0, 1):
            low, high = found.interval(np.arange(3) == k, every)
            held[k] += low <= shares[k] <= high
    assert (held >= 27).all()
