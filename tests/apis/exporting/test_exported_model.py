"""What an exported file computes."""

import json

import numpy as np
import torch
from scipy.special import softmax

from bm_plugins.apis.bundle.bundle_model import build_model
from bm_plugins.apis.exporting.exported_model import ExportModel, describe
from tests.apis.tiny_bundle import CODES, tiny_bundle


def test_probabilities_are_calibrated():
    bundle = tiny_bundle(temperature=1.7)
    network = build_model(bundle)
    images = torch.randint(256, (4, 3, 48, 48)).float()
    with torch.no_grad():
        found = ExportModel(network, 1.7)(images)
        features, logits = network(images)
    assert torch.equal(found[1], logits) and torch.equal(found[2], features)
    expected = softmax(logits.double().numpy() / 1.7, axis=1)
    np.testing.assert_allclose(found[0], expected, atol=1e-6)


def test_describes_itself():
    texts = describe(tiny_bundle(size=(48, 40), digest='abc'))
    assert json.loads(texts['classes']) == list(CODES)
    assert '(batch, 3, 40, 48)' in texts['input']
    assert float(texts['temperature']) == 1.5
    assert texts['bundle_digest'] == 'abc'
    assert all(isinstance(text, str) for text in texts.values())
