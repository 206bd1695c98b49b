import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from bm_plugins.datasets.transforms.blur import blur


def gaussian(img, sigma):
    """Float64, to six deviations."""
    sigmas = (sigma, sigma, 0)
    return gaussian_filter(
        img.astype(float), sigmas, mode='nearest', truncate=6
    )


@pytest.mark.parametrize('sigma', [0.1, 0.3, 0.5, 0.8, 1.0, 1.4, 2.0])
@pytest.mark.parametrize('size', [96, 224])
def test_within_two_levels_of_the_gaussian(sigma, size):
    rng = np.random.default_rng(size)
    img = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
    img[: size // 2] = img[: size // 2, :1]  # edges and noise
    out = np.empty_like(img)
    assert blur(img, sigma, out) is out
    assert np.abs(out - gaussian(img, sigma)).max() <= 2
