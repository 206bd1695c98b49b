import numpy as np
import pytest
from scipy.stats import binomtest

from bm_plugins.report.differential.myeloid_erythroid import myeloid_erythroid


@pytest.mark.parametrize('myeloid, erythroid', [(300, 100), (1, 4), (7, 7)])
def test_interval_is_that_of_the_share(myeloid, erythroid):
    total = myeloid + erythroid
    ends = binomtest(myeloid, total).proportion_ci(method='wilson')
    ratio, low, high = myeloid_erythroid(myeloid, erythroid)
    assert ratio == myeloid / erythroid
    np.testing.assert_allclose(low, ends.low / (1 - ends.low), rtol=1e-12)
    np.testing.assert_allclose(high, ends.high / (1 - ends.high), rtol=1e-12)


def test_the_inverse_ratio_has_the_inverse_interval():
    ratio, low, high = myeloid_erythroid(30, 90)
    inverse = myeloid_erythroid(90, 30)
    np.testing.assert_allclose(
        [1 / ratio, 1 / high, 1 / low], inverse, rtol=1e-12
    )


def test_holds_the_true_ratio_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [
        myeloid_erythroid(m, 200 - m) for m in rng.binomial(200, 0.75, 2000)
    ]
    held = np.mean([low <= 3 <= high for _, low, high in found])
    assert 0.935 < held < 0.965


def test_nothing_on_a_side():
    # The score test: p = n / (n + z^2), of which p / (1 - p) = n / z^2.
    z2 = 1.959963984540054**2
    assert myeloid_erythroid(0, 0) == (None, None, None)
    ratio, low, high = myeloid_erythroid(40, 0)
    assert (ratio, high) == (None, None)
    assert low == pytest.approx(40 / z2, rel=1e-12)
    ratio, low, high = myeloid_erythroid(0, 40)
    assert (ratio, low) == (0, 0)
    assert high == pytest.approx(z2 / 40, rel=1e-12)
