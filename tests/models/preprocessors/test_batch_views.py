import numpy as np
import pytest
import torch
from benchmarks.input_speed import VIEWS
from scipy.ndimage import gaussian_filter

from bm_plugins.datasets.synthetic.collection import draw_cell
from bm_plugins.datasets.transforms import MultiCropViews
from bm_plugins.datasets.transforms.image_ops import (
    BRIGHTNESS,
    CONTRAST,
    HUE,
    SATURATION,
)
from bm_plugins.datasets.transforms.view_draw import ORDERS, as_rows
from bm_plugins.models.preprocessors.batch_views import (
    blur,
    crop,
    grey,
    jitter_colour,
    jitter_hsv,
    render_views,
)
from tests.datasets.transforms.test_image_ops import exact, exact_hsv


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


TINY = dict(
    views=[dict(num=2, size=48, scale=(0.3, 1.0))],
    hue=9,
    saturation=0.15,
    value=0.15,
)


TURNED = dict(TINY, rotation=180, density=(0.2, 0.1))


@pytest.mark.parametrize('settings', [*VIEWS.values(), TINY, TURNED])
def test_the_views_that_the_workers_would_render(settings):
    transform = MultiCropViews(**settings)
    images = [draw_cell(0, code, n) for code in ('EOS', 'LYT') for n in (1, 2)]
    images = [np.ascontiguousarray(img[..., ::-1]) for img in images] * 4
    draws, expected = [], []
    for position, img in enumerate(images):
        results = dict(img=img, draw=(0, 0, position))
        draws.append(as_rows(transform.draw(results, img.shape[:2])))
        expected.append(transform(results)['img'])
    draws = torch.from_numpy(np.stack(draws))
    rgb = np.ascontiguousarray(np.stack(images)[..., ::-1])
    batch = torch.from_numpy(rgb).permute(0, 3, 1, 2)
    for i, (size, _) in enumerate(transform.views):
        views = render_views(batch, draws[:, i], size, transform.color_jitter)
        assert views.dtype == torch.float32
        found = views.permute(0, 2, 3, 1).flip(-1).numpy()
        off = np.abs(found - np.stack([views[i] for views in expected]))
        # Rounding, and colours changed before a crop is blown up; a turned
        # one is interpolated a second time by the workers.
        turned = settings is TURNED
        assert off.mean() < (1.6 if turned else 0.8)
        share = (off > 2).mean()
        assert share < (0.25 if turned else 0.05 if size == 48 else 0.02)


def test_crop_reads_nothing_beyond_its_border():
    image = torch.zeros(1, 1, 40, 60, dtype=torch.uint8)
    image[0, 0, 10:20, 30:50] = 200
    out = crop(image, torch.tensor([[10.0, 30, 10, 20, 0, 0, 0]]), 32)
    assert (out == 200).all()


def test_a_view_is_its_own_image_s_whatever_shares_its_batch():
    images = torch.randint(0, 256, (3, 3, 200, 200), dtype=torch.uint8)
    boxes = torch.tensor(
        [
            [5.0, 9, 40, 30, 1, 0, 0],
            [0, 0, 200, 180, 0, 1, 70],
            [7, 7, 90, 90, 0, 0, 0],
        ]
    )
    together = crop(images, boxes, 32)
    for i in range(3):
        alone = crop(images[i : i + 1], boxes[i : i + 1], 32)
        torch.testing.assert_close(together[i : i + 1], alone)


def test_whole_image_of_the_same_size_is_itself():
    image = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    boxes = torch.tensor(
        [[0.0, 0, 32, 32, h, v, 0] for h in (0, 1) for v in (0, 1)]
    )
    out = crop(image, boxes, 32)
    flips = [(), (1,), (2,), (1, 2)]
    for found, img, flip in zip(out, image, flips, strict=True):
        torch.testing.assert_close(
            found, img.flip(flip).float(), atol=1e-3, rtol=0
        )


def test_each_image_has_its_own_blur():
    images = torch.rand(5, 3, 30, 20) * 255
    sigma = torch.tensor([0.1, 0.4, 0.9, 1.5, 2.0])
    out = blur(images, sigma)
    for found, img, s in zip(out, images, sigma.tolist(), strict=True):
        expected = gaussian_filter(
            img.double().numpy(), (0, s, s), mode='nearest', truncate=6
        )
        assert np.abs(found.numpy() - expected).max() < 1


def test_no_copy_of_what_waits_for_the_device():
    """What decides on the host is on the host: no value is read back."""
    images = torch.zeros(2, 3, 50, 50, dtype=torch.uint8, device='meta')
    transform = MultiCropViews(**VIEWS['swav'])
    draws = np.stack(
        [
            as_rows(transform.draw(dict(draw=(0, 0, i)), (50, 50)))
            for i in range(2)
        ]
    )
    for i, (size, _) in enumerate(transform.views):
        view = render_views(
            images, torch.from_numpy(draws[:, i]), size, color_jitter=True
        )
        # A device without memory, from which nothing could be read.
        assert view.device.type == 'meta' and view.shape == (2, 3, size, size)
