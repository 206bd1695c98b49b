import numpy as np
import pytest
import torch

from bm_plugins.datasets.transforms.colour import (
    BRIGHTNESS,
    CONTRAST,
    HUE,
    SATURATION,
)
from bm_plugins.datasets.transforms.view_draw import ORDERS
from bm_plugins.models.preprocessors.batch_colour import (
    grey,
    jitter_colour,
    jitter_hsv,
)
from tests.datasets.transforms.test_colour import exact, exact_hsv


def batch(n):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, 9, 11, 3)).astype(float)
    images[:, :4, :4] = images[:, :4, :4, :1]  # grey, of no hue
    images[0, 0, 0] = 0
    return images


def to_tensor(images):
    """From BGR (B, H, W, 3) to RGB (B, 3, H, W)."""
    images = np.ascontiguousarray(np.moveaxis(images[..., ::-1], -1, 1))
    return torch.from_numpy(images).float()


def from_tensor(images):
    return np.moveaxis(images.numpy(), 1, -1)[..., ::-1]


def test_each_image_has_its_own_hsv_jitter():
    amounts = np.array(
        [
            [-18, 0.7, 0.7],
            [18, 1.3, 1.3],
            [350, 1, 1.2],
            [0, 1.3, 1],
            [3, 0, 1],
        ]
    )
    images = batch(5)
    out = jitter_hsv(
        to_tensor(images),
        *torch.tensor(amounts).float()[:, :, None, None, None].unbind(1),
    )
    expected = [
        exact_hsv(*row) for row in zip(images, *amounts.T, strict=True)
    ]
    np.testing.assert_allclose(from_tensor(out), expected, atol=0.01)


def test_each_image_has_its_own_order_and_amounts():
    rng = np.random.default_rng(0)
    n = len(ORDERS)
    amounts = rng.uniform(0.2, 1.8, (n, 4))
    amounts[:, HUE] = rng.uniform(-0.2, 0.2, n)
    images = batch(n)
    out = jitter_colour(
        to_tensor(images),
        torch.from_numpy(amounts).float(),
        torch.arange(n).float(),
    )
    for image, row, order, found in zip(
        images, amounts, ORDERS, from_tensor(out), strict=True
    ):
        for kind in order:
            image = exact(image, kind, row[kind])
        # The mean grey of the contrast is rounded, and may lie at a half.
        np.testing.assert_allclose(found, image, atol=1.01)
        assert np.abs(found - image).mean() < 0.2


@pytest.mark.parametrize('kind', [BRIGHTNESS, CONTRAST, SATURATION, HUE])
def test_one_step(kind):
    amounts = torch.ones(1, 4)
    amounts[0, HUE] = 0
    amounts[0, kind] = 0.15 if kind == HUE else 1.7
    out = jitter_colour(to_tensor(batch(1)), amounts, torch.zeros(1))
    expected = exact(batch(1)[0], kind, float(amounts[0, kind]))
    np.testing.assert_allclose(from_tensor(out)[0], expected, atol=0.01)


def test_grey():
    images = batch(2)
    expected = images @ [0.114, 0.587, 0.299]
    np.testing.assert_allclose(
        grey(to_tensor(images))[:, 0], expected, rtol=1e-5
    )
