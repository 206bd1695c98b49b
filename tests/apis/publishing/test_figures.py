"""Figures of a bundle, counted in loops."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, f1_score

from bm_plugins.apis.bundle.bundle import Validation
from bm_plugins.apis.publishing.card import prior_cautions
from bm_plugins.apis.publishing.figures import bundle_figures, temperature_of
from bm_plugins.evaluation.functional.calibration import (
    debiased_calibration_error,
    fit_temperature,
)

CODES = ('A', 'B', 'C')
SUPPORT = (100, 60, 5)


def outputs(seed):
    rng = np.random.default_rng(seed)
    labels = np.repeat(range(3), SUPPORT)
    logits = rng.normal(size=(165, 3))
    logits[np.arange(165), labels] += 1.5
    return Validation(logits, labels, rng.random(165))


def test_temperature_is_the_likeliest():
    known = outputs(0)
    x, y = known.logits, known.labels

    def loss(t):
        likeliest = -log_softmax(x / t, 1)[np.arange(len(y)), y].mean()
        return likeliest + (1 / t - 1 + np.log(t)) / len(y)  # near 1

    best = minimize_scalar(loss, bounds=(0.1, 10), method='bounded')
    prior = np.array(SUPPORT) / 165  # so that nothing is shifted
    found, _ = temperature_of(known.logits, known.labels, prior)
    assert found == pytest.approx(best.x, rel=1e-4)


TAIL = (3000, 600, 150, 40)
NATURAL = np.array(TAIL) / sum(TAIL)


def fitted(prior, seed=0):
    """Right logits of a classifier fitted for a prior, and labels."""
    labels = np.repeat(range(4), TAIL)
    rng = np.random.default_rng(seed)
    away = np.array([0, 1, 1, 1])  # the first one is among the others
    x = rng.normal(size=(len(labels), 4))
    x[range(len(labels)), labels] += away[labels]
    logits = away * x - away**2 / 2 + np.log(prior)
    return torch.from_numpy(logits), torch.from_numpy(labels)


@pytest.mark.parametrize('prior', [np.full(4, 0.25), NATURAL])
def test_temperature_at_the_mixture_of_the_images(prior):
    """Balanced training, and images of a long tail."""
    logits, labels = fitted(prior)
    found, off = temperature_of(logits, labels, prior)
    assert found == pytest.approx(1, abs=0.05)
    assert off == {}


def test_without_the_shift_the_temperature_is_another():
    logits, labels = fitted(np.full(4, 0.25))
    unshifted = fit_temperature(softmax(logits, 1), labels)
    assert unshifted > 1.2


def test_a_wrong_prior_is_named():
    logits, labels = fitted(NATURAL)
    found, off = temperature_of(logits, labels, np.full(4, 0.25))
    assert 3 in off and off[3][1] == 40
    # Their mixture was taken for twice as far from equal as it is.
    assert off[3][0] < 40 / 1.5
    (text,) = prior_cautions(off, 'ABCD')
    assert f'D: {off[3][0]:.0f} for 40' in text
    assert prior_cautions({}, 'ABCD') == []


def test_classes_that_one_of_the_parts_lacks():
    logits, labels = fitted(np.full(4, 0.25))
    kept = labels != 3  # no calibration image of D
    found, off = temperature_of(logits[kept], labels[kept], np.full(4, 0.25))
    # As for a model without the class.
    three, _ = temperature_of(
        logits[kept][:, :3], labels[kept], np.full(3, 1 / 3)
    )
    assert found == pytest.approx(three, rel=1e-4) and off == {}
    # No training image of D: those images, and the column, are left out.
    prior = np.array([1, 1, 1, 0]) / 3
    again, off = temperature_of(logits, labels, prior)
    assert again == pytest.approx(found, rel=1e-4) and off == {}
    alone = torch.full((5,), 3)
    assert temperature_of(logits[-5:], alone, prior) == (1.0, {})


def test_figures_by_loops():
    known, test, t = outputs(0), outputs(1), 1.7
    prior = np.array([0.5, 0.3, 0.2])
    found = bundle_figures(known, t, test, CODES, prior)
    y = test.labels
    p = softmax(test.logits / t, 1)
    accuracy = found['accuracy', 'all']
    assert accuracy.value == pytest.approx(accuracy_score(y, p.argmax(1)))
    assert (accuracy.n, accuracy.classes) == (165, 3)
    # as a classifier of the test's own mixture would say it
    matched = p / prior * SUPPORT
    matched /= matched.sum(1, keepdims=True)
    error = found['calibration_error', 'all']
    assert (error.value, error.low, error.high) == pytest.approx(
        debiased_calibration_error(matched, y)[:3]
    )
    assert error.value != pytest.approx(debiased_calibration_error(p, y)[0])
    macro = f1_score(y, p.argmax(1), average='macro')
    assert found['macro_f1', 'all'].value == pytest.approx(macro)
    two = f1_score(y, p.argmax(1), labels=[0, 1], average='macro')
    figure = found['macro_f1_min_support', 'all']
    assert figure.value == pytest.approx(two)
    assert (figure.n, figure.classes) == (160, 2)

    known_p = softmax(known.logits / t, 1)
    scores = [
        1 - row[label]
        for row, label in zip(known_p, known.labels, strict=True)
    ]
    # Of class 0 the ceil(101 * .95)-th, of class 1 the ceil(61 * .95)-th; 5
    # are too few, so of all the ceil(166 * .95)-th.
    limits = [
        sorted(scores[:100])[95],
        sorted(scores[100:160])[57],
        sorted(scores)[157],
    ]
    sets = [
        [1 - q <= x for q, x in zip(row, limits, strict=True)] for row in p
    ]
    hits = [row[label] for row, label in zip(sets, y, strict=True)]
    coverage = found['coverage', 'all']
    assert coverage.value == sum(hits) / 165
    ends = binomtest(sum(hits), 165).proportion_ci(method='wilson')
    assert (coverage.low, coverage.high) == pytest.approx(
        (ends.low, ends.high)
    )
    assert found['coverage', 'C'].value == sum(hits[160:]) / 5
    one = sum(sum(row) == 1 for row in sets)
    assert 0 < one < 165 and found['one_class', 'all'].value == one / 165
    # of 165 the ceil(166 * .99)-th: the largest
    far = known.distances.max()
    count = sum(float(d) > far for d in test.distances)
    assert found['unlike', 'all'].value == count / 165


def test_class_without_test_images():
    test = outputs(1)
    kept = test.labels != 2
    parts = (test.logits, test.labels, test.distances)
    fewer = Validation(*(part[kept] for part in parts))
    prior = np.full(3, 1 / 3)
    found = bundle_figures(outputs(0), 1, fewer, CODES, prior)
    assert ('coverage', 'C') not in found and ('f1', 'C') not in found
    assert found['coverage', 'all'].classes == 2
