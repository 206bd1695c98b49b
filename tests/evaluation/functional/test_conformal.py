import math

import numpy as np
import pytest
import torch
from crepes import ConformalClassifier
from scipy.special import softmax
from scipy.stats import betabinom, binomtest

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.conformal import (
    bound_of_next,
    conformal_thresholds,
    coverage,
    is_promised,
    prediction_sets,
)
from bm_plugins.evaluation.functional.intervals import wilson


def test_bound_of_next_by_hand():
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


def test_errors_of_bound_of_next():
    for level in (0, 1, -0.1, 1.5):
        with pytest.raises(InputError, match='between 0 and 1'):
            bound_of_next([1.0], level)
    with pytest.raises(InputError, match='1 of 2 validation values'):
        bound_of_next([1.0, math.nan], 0.5)


def draw(rng, number, classes=4):
    """Labels drawn from probabilities that are not those shown."""
    logits = rng.normal(size=(number, classes)) * 2
    cumulated = softmax(logits, 1).cumsum(1)
    labels = (rng.random((number, 1)) > cumulated).sum(1).clip(max=classes - 1)
    return softmax(2.5 * logits, 1), labels


def test_by_hand():
    right = np.array([0.5, 0.75, 0.625, 0.5, 0.125])
    probabilities = np.stack([right, 1 - right], 1)
    probabilities[3:] = probabilities[3:, ::-1]
    # Scores of class 0: .5, .25, .375, the ceil(4 * .75) = 3rd smallest; 2
    # of class 1 are too few, of all 5 the ceil(6 * .75) = 5th is .875.
    labels = [0, 0, 0, 1, 1]
    thresholds, promised = conformal_thresholds(probabilities, labels, 0.25)
    assert thresholds.tolist() == [0.5, 0.875]
    assert promised.tolist() == [True, False]
    new = np.array([[0.5, 0.5], [0.25, 0.75], [0.9375, 0.0625], [0.9, 0.1]])
    sets = prediction_sets(new, thresholds)
    assert sets.tolist() == [[1, 1], [0, 1], [1, 0], [1, 0]]
    assert coverage(sets, [1, 0, 0, 0]) == (3, 4)
    even = np.full((1, 3), 1 / 3)
    assert not prediction_sets(even, np.full(3, 0.6)).any()


@pytest.mark.parametrize('error_rate', [0.02, 0.05, 0.1, 0.3])
def test_sets_are_those_of_crepes(error_rate):
    # Mondrian p-values of crepes, without smoothing.
    rng = np.random.default_rng(0)
    probabilities, labels = draw(rng, 700)
    held = np.flatnonzero((labels[:600] < 3) | (np.arange(600) < 40))
    known, own = probabilities[held], labels[held]
    single = torch.from_numpy(known)
    thresholds, promised = conformal_thresholds(
        single, torch.from_numpy(own), error_rate
    )
    few = np.bincount(own)[3]
    assert promised.tolist() == [True] * 3 + [few >= 1 / error_rate - 1]
    scores = 1 - known[np.arange(len(own)), own]
    new = probabilities[600:]
    by_class = ConformalClassifier().fit(scores, bins=own)
    p = np.stack(
        [
            by_class.predict_p(
                1 - new[:, k], bins=np.full(100, k), smoothing=False
            )
            for k in range(4)
        ],
        1,
    )
    marginal = ConformalClassifier().fit(scores)
    average = marginal.predict_p(1 - new, smoothing=False)
    expected = np.where(promised, p, average) > error_rate
    assert np.array_equal(prediction_sets(new, thresholds), expected)
    assert 0.05 < expected.mean() < 0.95


def test_too_few_images_make_every_set_full():
    for number in (18, 19):
        probabilities, labels = draw(np.random.default_rng(0), number)
        thresholds, promised = conformal_thresholds(
            probabilities, labels, 0.05
        )
        assert not promised.any()
        assert np.isinf(thresholds).all() == (number == 18)
        sets = prediction_sets(probabilities, thresholds)
        assert sets.all() == (number == 18)
    none, _ = conformal_thresholds(np.zeros((0, 4)), np.zeros(0, int), 0.05)
    assert none.tolist() == [math.inf] * 4


@pytest.mark.parametrize('error_rate', [0.01, 0.05, 0.1, 0.2, 0.3, 0.07])
def test_promise_where_the_order_statistic_is_there(error_rate):
    for number in range(120):
        there = math.isfinite(bound_of_next(np.zeros(number), 1 - error_rate))
        assert is_promised(number, error_rate) == there
    assert is_promised([18, 19], 0.05).tolist() == [False, True]


def test_coverage_of_each_class_under_another_mixture():
    # The hits among 60 new images of a class of n are beta-binomial with
    # a = ceil((n + 1) * .9) and b = n + 1 - a (Vovk 2012, proposition 2a).
    rng = np.random.default_rng(0)
    support, draws = np.array([400, 60, 30, 19]), 1000
    labels = np.repeat(np.arange(4), support)
    new = np.repeat(np.arange(4), 60)  # equally frequent now

    def seen(labels):
        logits = rng.normal(size=(len(labels), 4))
        logits += 1.5 * np.eye(4)[labels] + np.log(support / support.sum())
        return softmax(logits, 1)

    hits = np.zeros((draws, 4), int)
    average = np.zeros(4)
    for i in range(draws):
        known, shown = seen(labels), seen(new)
        thresholds, promised = conformal_thresholds(known, labels, 0.1)
        assert promised.all()
        found = prediction_sets(shown, thresholds)[np.arange(240), new]
        hits[i] = found.reshape(4, 60).sum(1)
        # One class of all images: the threshold of Sadinle's marginal sets.
        own = known[np.arange(len(labels)), labels][:, None]
        one, _ = conformal_thresholds(own, 0 * labels, 0.1)
        found = (1 - shown[np.arange(240), new]) <= one
        average += found.reshape(4, 60).mean(1) / draws
    for k, number in enumerate(support):
        rank = math.ceil((number + 1) * 0.9)
        theory = betabinom(60, rank, number + 1 - rank)
        error = theory.std() / np.sqrt(draws)
        assert hits[:, k].mean() >= 0.9 * 60 - 3 * error
        assert abs(hits[:, k].mean() - theory.mean()) < 3.5 * error
        assert abs(hits[:, k].std() / theory.std() - 1) < 0.1
    # The marginal promise is not kept in the rare classes.
    assert average[0] > 0.9 and (average[1:] < 0.8).all()


def test_the_interval_of_the_coverage():
    sets = np.eye(2, dtype=bool)[np.array([0] * 45 + [1] * 5)]
    found = coverage(sets, np.zeros(50, int))
    assert found == (45, 50)
    expected = binomtest(45, 50).proportion_ci(method='wilson')
    np.testing.assert_allclose(wilson(*found), expected, rtol=1e-12)


def test_errors():
    with pytest.raises(InputError, match='between 0 and 1'):
        conformal_thresholds(np.eye(2), [0, 1], 0)
    with pytest.raises(InputError, match='1 of 2 validation values'):
        conformal_thresholds([[np.nan, 1], [0, 1]], [0, 1], 0.1)
