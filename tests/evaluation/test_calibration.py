import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from bm_plugins.errors import InputError
from bm_plugins.evaluation.calibration import (
    _binned,
    _draw_cells,
    _draw_rows,
    apply_temperature,
    calibration_interval,
    expected_calibration_error,
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
    found = expected_calibration_error(scores, labels)
    assert found == pytest.approx(expected, rel=1e-12)


def test_error_by_hand():
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [1.0, 0.0]])
    labels = np.array([0, 1, 1, 0])
    # bins of .9, .6 and 1: gaps .8, .4 and 0 in sum
    assert expected_calibration_error(scores, labels) == pytest.approx(0.3)


def test_interval_covers_the_population():
    """Of 100 tests some 95 % cover the error of a million images."""
    scores, labels, _ = draw(1_000_000, 2.0)
    truth = expected_calibration_error(scores, labels)
    assert truth > 0.05
    covered = 0
    for i in range(100):
        part = slice(1000 * i, 1000 * i + 1000)
        low, high = calibration_interval(
            scores[part], labels[part], replicates=200, seed=i
        )
        covered += low <= truth <= high
    assert 88 <= covered <= 99


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
    before = expected_calibration_error(scores, labels)
    scaled = apply_temperature(scores, found)
    np.testing.assert_allclose(scaled.sum(1), 1)
    assert (scaled.argmax(1) == scores.argmax(1)).all()
    if sharpness != 1:
        assert expected_calibration_error(scaled, labels) < before / 2


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


def test_cells_of_images_draw_as_the_images():
    """Mean, spread and correlation of the bins' sums over 3000 draws each."""
    scores, labels, _ = draw(20_000, 2.0)
    confidence, right, where = _binned(scores, labels, 15)
    gap = confidence - right
    rows = _draw_rows(gap, where, 15, 3000, 0)
    cells = _draw_cells(gap, where, 15, 3000, 1)
    sums = np.bincount(where, gap, 15)
    spread = np.sqrt(np.bincount(where, gap**2, 15))
    used = spread > 0
    assert used.sum() > 8
    for drawn in (rows, cells):
        # Five standard errors of a mean and of a standard deviation.
        off = np.abs(drawn.mean(0) - sums)[used] / spread[used]
        assert off.max() < 5 / np.sqrt(3000)
        ratio = drawn.std(0)[used] / spread[used]
        # Rare images, drawn 0, 1, 2 ... times, have heavier tails.
        many = np.bincount(where, minlength=15)[used] > 100
        assert np.abs(ratio[many] - 1).max() < 5 / np.sqrt(6000) + 0.01
    one, other = (np.corrcoef(x[:, used][:, many].T) for x in (rows, cells))
    assert np.abs(one - other).max() < 0.1
    assert not cells[:, ~used].any()


def test_interval_of_more_than_a_million_images():
    scores, labels, _ = draw(1_000_001, 2.0)
    whole = calibration_interval(scores, labels, replicates=500)
    fewer = calibration_interval(scores[1:], labels[1:], replicates=100)
    # By cells and by rows: some 0.0004 apart from end to end.
    assert np.abs(whole - fewer).max() < 0.0002
    error = expected_calibration_error(scores, labels)
    assert whole[0] < error < whole[1] < whole[0] + 0.003
