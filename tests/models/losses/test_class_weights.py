import numpy as np
import pytest

from bm_plugins.errors import InputError
from bm_plugins.models.losses.class_weights import class_weights


def test_inverse_frequency():
    weights = class_weights([10, 0, 5, 20], 'inverse_frequency')
    np.testing.assert_allclose(weights, [6 / 7, 0, 12 / 7, 3 / 7])


def test_effective_number():
    beta = 0.9
    weights = class_weights([1, 0, 2], 'effective_number', beta)
    numbers = np.array([1, 1 + beta])  # 1 + beta + beta^2 + ...
    expected = 1 / numbers / (1 / numbers).mean()
    np.testing.assert_allclose(weights, [expected[0], 0, expected[1]])
    one = class_weights([10**9, 1], 'effective_number', 1 - 1e-12)
    assert one[1] / one[0] == pytest.approx(1e9, rel=1e-3)


def test_bad_input():
    with pytest.raises(InputError, match="kind='frequency'"):
        class_weights([1], 'frequency')
    with pytest.raises(InputError, match='beta=1'):
        class_weights([1], 'effective_number', 1)
    with pytest.raises(InputError, match='empty'):
        class_weights([0, 0], 'inverse_frequency')
