import numpy as np
import pytest
import torch

from bm_plugins.errors import InputError
from bm_plugins.evaluation.linear import preprocessing as module
from bm_plugins.evaluation.linear.preprocessing import (
    principal_axes,
    rows_at_a_time,
    standardise_,
    working_type,
)


def test_equals_the_singular_values_in_parts(monkeypatch):
    monkeypatch.setattr(module, 'rows_at_a_time', lambda _: 7)
    x = np.random.default_rng(0).normal(2, 1, (40, 5))
    found = principal_axes(torch.from_numpy(x))
    singular = np.linalg.svd(x, compute_uv=False)
    np.testing.assert_allclose(found.values, singular[::-1] ** 2 / 40)
    axes = found.axes.numpy()
    np.testing.assert_allclose(axes.T @ axes, np.eye(5), atol=1e-12)
    lengths = np.square(x @ axes).mean(0)
    np.testing.assert_allclose(lengths, found.values)


def test_fewer_samples_than_features():
    x = np.random.default_rng(0).normal(size=(4, 10))
    x[3] = x[0] + x[1]
    found = principal_axes(torch.from_numpy(x))
    singular = np.linalg.svd(x, compute_uv=False)[:3]
    np.testing.assert_allclose(found.values, singular[::-1] ** 2 / 4)
    axes = found.axes.numpy()
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-7)
    np.testing.assert_allclose(x @ axes @ axes.T, x, atol=1e-7)


@pytest.mark.parametrize('shape', [(40, 5), (4, 10)])
def test_weights_are_as_so_many_samples(monkeypatch, shape):
    monkeypatch.setattr(module, 'rows_at_a_time', lambda _: 7)
    x = torch.from_numpy(np.random.default_rng(0).normal(2, 1, shape))
    times = torch.arange(shape[0]) % 3 + 1
    repeated = x.repeat_interleave(times, 0)
    found = principal_axes(x, times / times.double().mean())
    expected = principal_axes(repeated)
    for one in (found, expected):  # 0 along the others
        large = one.values > 1e-9
        square = one.axes[:, large] * one.values[large] @ one.axes[:, large].T
        torch.testing.assert_close(
            square, repeated.T @ repeated / len(repeated)
        )


def test_few_are_multiplied_in_double_precision():
    assert working_type(torch.empty(10, 5)) == torch.float64
    many = torch.empty(137_000, 2048, device='meta')
    assert working_type(many) == torch.float32
    assert rows_at_a_time(torch.empty(1, 2048)) == 8192


def test_equals_numpy_in_place_and_in_parts(monkeypatch):
    monkeypatch.setattr(module, 'rows_at_a_time', lambda _: 7)
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
