"""Figures of a bundle, counted in loops."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, f1_score

from bm_plugins.apis.bundle import Validation
from bm_plugins.apis.publish_figures import bundle_figures, temperature_of

CODES = ('A', 'B', 'C')
SUPPORT = (100, 60, 5)


def outputs(seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(3).repeat_interleave(torch.tensor(SUPPORT))
    logits = torch.randn(165, 3, generator=generator)
    logits[torch.arange(165), labels] += 1.5
    return Validation(logits, labels, torch.rand(165, generator=generator))


def test_temperature_is_the_likeliest():
    known = outputs(0)
    x, y = known.logits.double().numpy(), known.labels.numpy()

    def loss(t):
        return -log_softmax(x / t, 1)[np.arange(len(y)), y].mean()

    best = minimize_scalar(loss, bounds=(0.1, 10), method='bounded')
    found = temperature_of(known.logits, known.labels)
    assert found == pytest.approx(best.x, rel=1e-4)


def test_figures_by_loops():
    known, test, t = outputs(0), outputs(1), 1.7
    found = bundle_figures(known, t, test, CODES)
    y = test.labels.numpy()
    p = softmax(test.logits.double().numpy() / t, 1)
    accuracy = found['accuracy', 'all']
    assert accuracy.value == pytest.approx(accuracy_score(y, p.argmax(1)))
    assert (accuracy.n, accuracy.classes) == (165, 3)
    macro = f1_score(y, p.argmax(1), average='macro')
    assert found['macro_f1', 'all'].value == pytest.approx(macro)
    two = f1_score(y, p.argmax(1), labels=[0, 1], average='macro')
    figure = found['macro_f1_min_support', 'all']
    assert figure.value == pytest.approx(two)
    assert (figure.n, figure.classes) == (160, 2)

    known_p = softmax(known.logits.double().numpy() / t, 1)
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
    # of 165 the ceil(166 * .99)-th: the second largest
    far = float(known.distances.sort().values[-2])
    count = sum(float(d) > far for d in test.distances)
    assert found['unlike', 'all'].value == count / 165


def test_class_without_test_images():
    test = outputs(1)
    kept = test.labels != 2
    fewer = Validation(*(part[kept] for part in vars(test).values()))
    found = bundle_figures(outputs(0), 1, fewer, CODES)
    assert ('coverage', 'C') not in found and ('f1', 'C') not in found
    assert found['coverage', 'all'].classes == 2
