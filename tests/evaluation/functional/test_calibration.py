from time import perf_counter

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.calibration import (
    apply_temperature,
    debiased_calibration_error,
    fit_temperature,
    reliability,
)


def draw(n, sharpness, seed=0, classes=4):
    """Labels of softmax(logits), scores of softmax(sharpness · logits)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, classes))
    truth = softmax(logits, 1).cumsum(1)
    labels = (rng.random((n, 1)) > truth).sum(1)
    return softmax(sharpness * logits, 1), labels, logits


def plain_error(scores, labels):
    """Guo et al. 2017, equation 5."""
    bins = reliability(scores, labels)
    gaps = bins['count'] * abs(bins['confidence'] - bins['accuracy'])
    return np.nansum(gaps) / len(labels)


def test_error_by_a_loop_over_bins():
    scores, labels, _ = draw(500, 2.0)
    confidence, right = scores.max(1), scores.argmax(1) == labels
    expected = 0.0
    edges = np.linspace(0, 1, 16)
    bins = reliability(scores, labels)
    for i, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
        inside = (confidence > low) & (confidence <= high)
        assert bins['count'][i] == inside.sum()
        if inside.any():
            gap = confidence[inside].mean() - right[inside].mean()
            expected += inside.mean() * abs(gap)
            assert bins['accuracy'][i] == pytest.approx(right[inside].mean())
        else:
            assert np.isnan(bins['confidence'][i])
    found = plain_error(scores, labels)
    assert found == pytest.approx(expected, rel=1e-12)


def test_error_by_hand():
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [1.0, 0.0]])
    labels = np.array([0, 1, 1, 0])
    # bins of .9, .6 and 1: gaps .8, .4 and 0 in sum
    assert plain_error(scores, labels) == pytest.approx(0.3)


@pytest.mark.slow
@pytest.mark.parametrize('n', [100, 320, 2000])
@pytest.mark.parametrize('error', [0, 0.01, 0.03, 0.1])
def test_interval_covers_the_population(n, error):
    """Accuracy lies below each confidence by the error, in 150 tests."""
    rng = np.random.default_rng(n)
    covered, values, perfect = 0, [], 0
    for seed in range(150):
        confidence = 0.55 + 0.44 * rng.beta(6, 1.5, n)
        scores = np.stack([confidence, 1 - confidence], 1)
        labels = (rng.random(n) > confidence - error).astype(int)
        value, low, high, most = debiased_calibration_error(
            scores, labels, replicates=200, seed=seed
        )
        assert low <= value <= high
        covered += low <= error <= high
        values.append(value)
        perfect += plain_error(scores, labels) <= most
    # 142.5 expected; 133 or fewer in 0.1 % of trials
    assert covered >= 133
    if error == 0:
        assert perfect >= 138
    assert np.median(values) == pytest.approx(error, abs=0.35 / np.sqrt(n))


@pytest.mark.parametrize('sharpness', [0.5, 1.0, 3.0])
def test_temperature_is_the_likeliest(sharpness):
    scores, labels, logits = draw(2000, sharpness)
    found = fit_temperature(scores, labels)

    def loss(log_t):
        log_p = log_softmax(sharpness * logits / np.exp(log_t), 1)
        return -log_p[np.arange(2000), labels].mean()

    best = minimize_scalar(loss, bounds=(-4, 4), options=dict(xatol=1e-8))
    assert found == pytest.approx(np.exp(best.x), rel=1e-3)
    assert found == pytest.approx(sharpness, rel=0.1)
    before = plain_error(scores, labels)
    scaled = apply_temperature(scores, found)
    np.testing.assert_allclose(scaled.sum(1), 1)
    assert (scaled.argmax(1) == scores.argmax(1)).all()
    if sharpness != 1:
        assert plain_error(scaled, labels) < before / 2


def test_temperature_of_images_that_are_all_right():
    """By scipy, prior included; without it T would go to 0."""
    scores, _, _ = draw(20, 3.0)
    labels = scores.argmax(1)

    def loss(log_inverse):
        inverse = np.exp(log_inverse)
        log_p = log_softmax(np.log(scores) * inverse, 1)
        prior = inverse - 1 - np.log(inverse)
        return prior - log_p[np.arange(20), labels].sum()

    best = minimize_scalar(loss, bounds=(-4, 4), options=dict(xatol=1e-8))
    found = fit_temperature(scores, labels)
    assert found == pytest.approx(np.exp(-best.x), rel=1e-5)
    assert 0.3 < found < 1


def test_few_images_of_a_good_model():
    """Temperatures of 20 images are no worse on others than none at all."""
    rng = np.random.default_rng(0)

    def good(n):  # some 1 % wrong, calibrated
        logits = rng.normal(0, 1, (n, 10))
        logits[np.arange(n), rng.integers(0, 10, n)] += 9
        truth = softmax(logits, 1)
        labels = (rng.random((n, 1)) > truth.cumsum(1)).sum(1)
        return truth, labels.clip(0, 9)

    def loss(scores, labels):
        return -np.log(scores[np.arange(len(labels)), labels]).mean()

    scores, labels = good(5000)
    losses = []
    for _ in range(40):
        temperature = fit_temperature(*good(20), tolerance=1e-3)
        losses.append(loss(apply_temperature(scores, temperature), labels))
    assert np.mean(losses) < loss(scores, labels) + 0.015


def test_temperature_under_a_shift():
    """Labels drawn at T = 2 and shifted priors give T back."""
    rng = np.random.default_rng(0)
    shift = np.array([0.5, -1.0, 1.5, -np.inf])
    logits = rng.normal(0, 3, (20_000, 4))
    truth = softmax(logits / 2 + shift, 1)
    labels = (rng.random((20_000, 1)) > truth.cumsum(1)).sum(1)
    scores = softmax(logits, 1)
    np.testing.assert_allclose(
        apply_temperature(scores, 2, shift), truth, atol=1e-9
    )
    assert fit_temperature(scores, labels, log_shift=shift) == pytest.approx(
        2, rel=0.03
    )
    assert fit_temperature(scores, labels) != pytest.approx(2, rel=0.1)
    labels[0] = 3
    with pytest.raises(InputError, match='log_shift rules out'):
        fit_temperature(scores, labels, log_shift=shift)


def test_probabilities_that_were_rounded_to_zero():
    scores = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    temperature = fit_temperature(scores, np.array([0, 1, 1]))
    assert np.isfinite(apply_temperature(scores, temperature)).all()
    assert temperature > 1


def test_a_million_images_cost_what_their_bins_cost():
    scores, labels, _ = draw(1_000_001, 2.0)
    start = perf_counter()
    value, low, high, perfect = debiased_calibration_error(scores, labels)
    assert perf_counter() - start < 5
    error = plain_error(scores, labels)
    assert low < value < high < low + 0.003
    assert value == pytest.approx(error, abs=0.0005)
    assert perfect < 0.003 < low
