"""What is said of cells, against a float64 loop."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from bm_plugins.apis.bundle.bundle import Reference
from bm_plugins.apis.bundle.cell_predictor import CellPredictor
from bm_plugins.errors import InputError
from tests.apis.tiny_bundle import tiny_bundle


def softmax(logits, temperature):
    powers = [math.exp(x / temperature) for x in logits]
    return [p / sum(powers) for p in powers]


def test_probabilities_sets_and_flags():
    bundle = tiny_bundle()
    held = bundle.validation
    predictor = CellPredictor(bundle, 'cpu', error_rate=0.2)
    features = torch.randn(20, 64, generator=torch.Generator().manual_seed(1))
    features[0] = bundle.reference.features[3].float()
    said = predictor.judge(features)
    # 10 scores a class: the ceil(11 x .8) = 9th; 30 distances: the
    # ceil(31 x .99), 31st, is not there, so that none is too large.
    scores = [[], [], []]
    for row, label in zip(held.logits, held.labels.tolist(), strict=True):
        scores[label].append(1 - softmax(row.tolist(), 1.5)[label])
    limits = [sorted(own)[8] for own in scores]
    assert predictor.sure == pytest.approx(limits, abs=1e-12)
    assert predictor.promised.all()
    assert predictor.like == math.inf
    weight, bias = (
        bundle.weights[f'fc.{name}'].double().numpy()
        for name in ('weight', 'bias')
    )
    known = bundle.reference.features.double().numpy()
    known /= np.linalg.norm(known, axis=1, keepdims=True)
    for i, feature in enumerate(features.double().numpy()):
        chances = softmax(weight @ feature + bias, 1.5)
        np.testing.assert_allclose(said.probabilities[i], chances, atol=1e-6)
        inside = [1 - p <= x for p, x in zip(chances, limits, strict=True)]
        assert said.sets[i].tolist() == inside
        nearest = np.sort(1 - known @ feature / np.linalg.norm(feature))[:5]
        assert said.distances[i] == pytest.approx(nearest.mean(), abs=1e-5)
        assert said.flags[i] == ('' if sum(inside) == 1 else 'unsure')
        ordered = sorted(zip(chances, 'abc', inside, strict=True))[::-1]
        assert said.codes(i, 'abc') == tuple(c for _, c, at in ordered if at)
    assert {*said.flags} == {'', 'unsure'}


def test_unlike_goes_before_unsure():
    held = tiny_bundle().validation
    many = replace(
        held,
        logits=held.logits.repeat(10, 1),
        labels=held.labels.repeat(10),
        distances=torch.linspace(0, 0.5, 300),
    )
    predictor = CellPredictor(tiny_bundle(validation=many), 'cpu', 0.01)
    # 300 distances: the ceil(301 x .99) = 298th.
    assert predictor.like == pytest.approx(297 / 299 / 2, abs=1e-6)
    said = predictor.judge(torch.randn(50, 64))
    assert {*said.flags} >= {'unlike'}
    for flag, distance in zip(said.flags, said.distances, strict=True):
        assert (flag == 'unlike') == (distance > predictor.like)


def test_features_are_the_network_s():
    predictor = CellPredictor(tiny_bundle(), 'cpu')
    images = torch.randint(256, (3, 3, 48, 48), dtype=torch.uint8)
    with torch.no_grad():
        expected = predictor.model(images)[0]
    assert torch.equal(predictor.features(images), expected)
    nothing = predictor.judge(torch.empty(0, 64))
    assert nothing.probabilities.shape == (0, 3) and nothing.flags == ()


def _with_other_threads():
    predictor = CellPredictor(tiny_bundle(), 'cpu')
    features = torch.randn(500, 64)
    said = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        said.append(predictor.judge(features))
        assert torch.get_num_threads() == threads
    for other in said[1:]:
        assert np.array_equal(other.distances, said[0].distances)
        assert np.array_equal(other.probabilities, said[0].probabilities)


def test_threads_change_nothing(run_ranks):
    run_ranks(_with_other_threads, 1)  # its threads end with it


def test_rate_that_calibration_images_allow():
    # 30 images, 10 of each class.
    predictor = CellPredictor(tiny_bundle(), 'cpu', 0.05)
    assert not predictor.promised.any()
    assert len({*predictor.sure}) == 1 and predictor.sure[0] < 1
    with pytest.raises(InputError, match='the 30 calibration images'):
        CellPredictor(tiny_bundle(), 'cpu', 0.03)


@pytest.mark.parametrize('rate', [0, 1, -0.1, float('nan')])
def test_error_rate_that_is_no_share(rate):
    with pytest.raises(InputError, match='error-rate'):
        CellPredictor(tiny_bundle(), 'cpu', rate)


@pytest.mark.parametrize('name', ['nonsense', 'cuda:99', 'meta'])
def test_device_that_is_not_there(name):
    with pytest.raises(InputError, match=f'device {name}'):
        CellPredictor(tiny_bundle(), name)


def test_broken_weights_and_foreign_reference():
    bundle = tiny_bundle()
    bundle.weights['fc.bias'][0] = float('nan')
    with pytest.raises(InputError, match='no numbers'):
        CellPredictor(bundle, 'cpu').judge(torch.zeros(1, 64))
    foreign = Reference(torch.zeros(1, 5).half(), torch.zeros(1), ('a',), ())
    with pytest.raises(InputError, match='lacks calibration'):
        CellPredictor(tiny_bundle(reference=foreign), 'cpu')
