import numpy as np
import pytest

from bm_plugins.datasets.transforms.resize import resize


def bilinear(img, size):
    """Float64, pixel centres at halves, the border goes on."""
    for axis in (0, 1):
        n = img.shape[axis]
        at = (np.arange(size) + 0.5) * n / size - 0.5
        low = np.floor(at).astype(int)
        share = (at - low).reshape([-1, 1, 1] if axis == 0 else [1, -1, 1])
        first, second = (
            np.take(img, np.clip(i, 0, n - 1), axis) for i in (low, low + 1)
        )
        img = first * (1 - share) + second * share
    return img


@pytest.mark.parametrize(
    'shape', [(190, 170), (250, 250), (94, 120), (56, 40)]
)
def test_bilinear_where_it_hardly_shrinks(shape):
    rng = np.random.default_rng(0)
    img = rng.integers(0, 256, (250, 250, 3), dtype=np.uint8)
    crop = img[: shape[0], -shape[1] :]  # not contiguous
    out = np.empty((224, 224, 3), np.uint8)
    assert resize(crop, out) is out
    assert np.abs(out - bilinear(crop.astype(float), 224)).max() <= 2


def test_mean_over_the_area_where_it_shrinks():
    rng = np.random.default_rng(0)
    img = rng.integers(0, 256, (240, 192, 3), dtype=np.uint8)
    out = resize(img, np.empty((48, 48, 3), np.uint8))
    expected = img.reshape(48, 5, 48, 4, 3).mean((1, 3))
    assert np.abs(out - expected).max() <= 1
