import numpy as np
import pytest
import torch

from bm_plugins.errors import InputError
from bm_plugins.evaluation.linear import standardise
from bm_plugins.evaluation.linear.standardise import standardise_


def test_equals_numpy_in_place_and_in_parts(monkeypatch):
    monkeypatch.setattr(standardise, 'rows_at_a_time', lambda _: 7)
    rng = np.random.default_rng(0)
    for dtype, close in ((np.float64, 1e-12), (np.float32, 1e-5)):
        x = rng.normal(5, 3, (50, 4)).astype(dtype)
        features = torch.from_numpy(x.copy())
        mean, std = standardise_(features)
        x = x.astype(np.float64)
        np.testing.assert_allclose(mean, x.mean(0), rtol=1e-12)
        np.testing.assert_allclose(std, x.std(0, ddof=1), rtol=1e-12)
        expected = (x - x.mean(0)) / x.std(0, ddof=1)
        np.testing.assert_allclose(features, expected, atol=close)


def test_constant_features_become_0():
    features = torch.full((10, 2), 0.1)
    features[:, 1] = 0
    _, std = standardise_(features)
    assert std.tolist() == [1, 1]
    assert features.abs().max() < 1e-7


def test_one_sample():
    features = torch.tensor([[3.0, -2.0]])
    mean, std = standardise_(features)
    assert mean.tolist() == [3, -2] and std.tolist() == [1, 1]
    assert features.tolist() == [[0, 0]]


def test_features_that_are_not_finite():
    features = torch.ones(4, 3)
    features[2, 1] = torch.inf
    with pytest.raises(InputError, match='not finite'):
        standardise_(features)
