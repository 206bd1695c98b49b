"""Warnings of weak models."""

import torch

from bm_plugins.apis.bundle import Validation
from bm_plugins.apis.model_warnings import model_warnings
from tests.apis.tiny_bundle import tiny_bundle


def of(right, counts, **more):
    """Warnings of a model with ``right`` of 20 calibration images."""
    labels = torch.zeros(20, dtype=torch.int64)
    logits = torch.zeros(20, 3)
    logits[torch.arange(20), [0] * right + [1] * (20 - right)] = 1
    held = Validation(logits, labels, torch.zeros(20))
    info = dict(counts=counts, **more)
    return model_warnings(tiny_bundle(validation=held, info=info))


def test_a_good_model_that_knows_its_classes():
    assert of(15, dict(BLA=[10, 5, 5], LYT=[99, 5, 5], NGS=[10, 0, 0])) == []
    assert of(15, {}) == []  # where nothing is said of training


def test_a_weak_one():
    (text,) = of(14, {})
    # Wilson's interval of 14 in 20.
    assert 'right in 70.0 % [48.1, 85.5] of its 20 calibration' in text


def test_classes_that_it_hardly_knows():
    (text,) = of(20, dict(BLA=[9, 5, 5], LYT=[99, 5, 5], NGS=[0, 0, 0]))
    assert 'fewer than 10 cells of BLA, NGS, and' in text


def test_one_of_synthetic_cells():
    assert of(20, {}, synthetic='Of synthetic cells.') == [
        'Of synthetic cells.'
    ]
    assert of(20, {}, synthetic='') == []
