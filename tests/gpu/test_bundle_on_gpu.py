"""Predictions do not depend on where they are made."""

import numpy as np
import pytest
import torch

from bm_plugins.apis.bundle.cell_predictor import CellPredictor
from bm_plugins.errors import InputError
from tests.apis.tiny_bundle import tiny_bundle


def images(count):
    rng = np.random.default_rng(0)
    return rng.integers(256, size=(count, 3, 48, 48), dtype=np.uint8)


def test_as_on_the_cpu():
    bundle = tiny_bundle()
    here, there = (CellPredictor(bundle, d, 0.2) for d in ('cpu', 'cuda'))
    expected, found = (p.features(images(64)) for p in (here, there))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    expected, found = here.judge(expected), there.judge(found)
    for name in ('probabilities', 'distances'):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), atol=1e-5
        )
    assert torch.backends.cudnn.allow_tf32  # training keeps it


def test_too_little_memory():
    predictor = CellPredictor(tiny_bundle(), 'cuda')
    many = images(2048)
    predictor.features(many[:8])
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(100 * 2**20 / total)
    try:
        with pytest.raises(InputError, match='2048 images.*--batch-size'):
            predictor.features(many)
        predictor.features(many[:8])
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
