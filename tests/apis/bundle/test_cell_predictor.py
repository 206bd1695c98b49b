"""What is said of cells, against a float64 loop."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from bm_plugins.apis.bundle.bundle import Reference
from bm_plugins.apis.bundle.bundle_model import build_model
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
    features = np.random.default_rng(1).normal(size=(20, 64))
    features[0] = bundle.reference.features[3]
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
        bundle.weights[f'fc.{name}'].astype(float)
        for name in ('weight', 'bias')
    )
    known = bundle.reference.features.astype(float)
    known /= np.linalg.norm(known, axis=1, keepdims=True)
    for i, feature in enumerate(features):
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
        logits=np.tile(held.logits, (10, 1)),
        labels=np.tile(held.labels, 10),
        distances=np.linspace(0, 0.5, 300),
    )
    predictor = CellPredictor(tiny_bundle(validation=many), 'cpu', 0.01)
    # 300 distances: the ceil(301 x .99) = 298th.
    assert predictor.like == pytest.approx(297 / 299 / 2, abs=1e-6)
    said = predictor.judge(np.random.default_rng(0).normal(size=(50, 64)))
    assert {*said.flags} >= {'unlike'}
    for flag, distance in zip(said.flags, said.distances, strict=True):
        assert (flag == 'unlike') == (distance > predictor.like)


def test_features_are_the_network_s():
    bundle = tiny_bundle()
    predictor = CellPredictor(bundle, 'cpu')
    images = np.random.default_rng(0).integers(256, size=(3, 3, 48, 48))
    images = images.astype(np.uint8)
    with torch.no_grad():
        expected = build_model(bundle)(torch.from_numpy(images))[0].numpy()
    assert np.array_equal(predictor.features(images), expected)
    nothing = predictor.judge(np.empty((0, 64), np.float32))
    assert nothing.probabilities.shape == (0, 3) and nothing.flags == ()


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
        CellPredictor(bundle, 'cpu').judge(np.zeros((1, 64)))
    foreign = Reference(np.zeros((1, 5)), np.zeros(1, int), ('a',), ())
    with pytest.raises(InputError, match='lacks calibration'):
        CellPredictor(tiny_bundle(reference=foreign), 'cpu')
