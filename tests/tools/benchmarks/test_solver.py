import json

import numpy as np
import pytest
import torch
from benchmarks.solver import long_tailed_features, solver


@pytest.mark.slow
def test_both_sides_classify_alike():
    result = solver(runs=1, samples=300, dims=10)
    json.dumps(result)
    assert [*result['sides']] == ['ours', 'stock']
    assert result['agreement'] > 0.98
    assert result['peak_gib'] > 0


def test_ours_alone():
    result = solver(runs=1, samples=200, dims=4, stock=False)
    assert [*result['sides']] == ['ours'] and 'ratio' not in result


def test_features_are_long_tailed_correlated_and_rectified():
    x, y = long_tailed_features(3000, 64)
    counts = np.bincount(y, minlength=21)
    assert counts.min() == 6 and counts.max() > 400
    assert x.dtype == torch.float32 and x.min() == 0
    values = np.linalg.eigvalsh(np.corrcoef(x.numpy().T))
    assert values[-1] > 20 * np.median(values)
    again, _ = long_tailed_features(3000, 64)
    assert torch.equal(again, x)
