import threading

import mmcv
import numpy as np
import pytest
from benchmarks.stock_views import numpy2_hue
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from scipy.ndimage import gaussian_filter, map_coordinates, uniform_filter

from bm_plugins.datasets.synthetic.collection import draw_cell
from bm_plugins.datasets.transforms.image_ops import (
    BRIGHTNESS,
    CONTRAST,
    HUE,
    SATURATION,
    blur,
    change_density,
    colour_steps,
    jitter_hsv,
    resize,
    scratch,
    turn,
)


def test_same_memory_for_a_name_and_another_for_another():
    first = scratch('a', (4, 5), np.uint8)
    first[:] = 7
    assert (scratch('a', (10, 2), np.uint8) == 7).all()
    assert not np.shares_memory(first, scratch('b', (4, 5), np.uint8))


def test_grows_and_leaves_what_is_in_use():
    small = scratch('grows', (2,), np.float32)
    small[:] = 1
    large = scratch('grows', (300, 3), np.float32)
    assert large.shape == (300, 3) and large.dtype == np.float32
    large[:] = 2
    assert (small == 1).all()


def test_threads_do_not_share():
    mine = scratch('thread', (8,), np.uint8)
    theirs = []
    thread = threading.Thread(
        target=lambda: theirs.append(scratch('thread', (8,), np.uint8))
    )
    thread.start()
    thread.join()
    assert not np.shares_memory(mine, theirs[0])


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


GREY = np.array([0.114, 0.587, 0.299])


def noise(seed=0, shape=(40, 37, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def exact(img, kind, amount):
    """One step in float64, not rounded."""
    img = np.asarray(img, float)
    grey = (img @ GREY)[..., None]
    if kind == BRIGHTNESS:
        img = amount * img
    elif kind == CONTRAST:
        img = amount * img + (1 - amount) * round(float(grey.mean()))
    elif kind == SATURATION:
        img = amount * img + (1 - amount) * grey
    else:
        img = exact_hsv(img, 360 * amount, 1, 1)
    return np.clip(img, 0, 255)


def exact_hsv(img, hue, saturation, value):
    """By matplotlib, in float64."""
    h, s, v = np.moveaxis(rgb_to_hsv(img[..., ::-1] / 255), -1, 0)
    h = (h + hue / 360) % 1
    s, v = (np.minimum(x, 1) for x in (s * saturation, v * value))
    return hsv_to_rgb(np.stack([h, s, v], -1))[..., ::-1] * 255


@pytest.mark.parametrize('kind', [BRIGHTNESS, CONTRAST, SATURATION])
@pytest.mark.parametrize('amount', [0, 0.2, 0.77, 1, 1.3, 1.8])
def test_a_factor(kind, amount):
    out = colour_steps(noise(), [(kind, amount)])
    assert np.abs(out - exact(noise(), kind, amount)).max() <= 1


@pytest.mark.parametrize('turns', [-0.5, -0.2, -0.01, 0, 0.05, 0.2, 0.5])
def test_hue(turns):
    out = colour_steps(noise(), [(HUE, turns)])
    assert np.abs(out - exact(noise(), HUE, turns)).max() <= 1


@pytest.mark.parametrize('hue', [-18, 0, 3.3, 18])
@pytest.mark.parametrize('saturation', [0.7, 1.3])
@pytest.mark.parametrize('value', [0.7, 1.3])
def test_hsv(hue, saturation, value):
    out = np.empty_like(noise())
    assert jitter_hsv(noise(), hue, saturation, value, out) is out
    expected = exact_hsv(noise(), hue, saturation, value)
    assert np.abs(out - expected).max() <= 1


def test_steps_together_are_the_steps_one_by_one():
    rng = np.random.default_rng(0)
    for trial in range(60):
        img = noise(trial, (12, 9, 3))
        expected, steps = img, []
        for kind in rng.permutation(4):
            strength = 0.2 if kind == HUE else 0.8
            amount = rng.uniform(-strength, strength) + (kind != HUE)
            steps.append((kind, amount))
            expected = exact(expected, kind, amount)
        before = img.copy()
        out = colour_steps(img, steps)
        # Rounding once a pass, and up to 1.8-fold in the next.
        assert np.abs(out - expected).max() <= 4
        assert np.abs(out - expected).mean() <= 1
        np.testing.assert_array_equal(img, before)


STOCK = {
    BRIGHTNESS: mmcv.adjust_brightness,
    CONTRAST: mmcv.adjust_contrast,
    SATURATION: lambda img, x, backend: mmcv.adjust_color(
        img, alpha=x, backend=backend
    ),
    HUE: lambda img, x, backend: mmcv.adjust_hue(img, x, backend),
}


@pytest.mark.filterwarnings('ignore:Only use')
@pytest.mark.parametrize('kind', STOCK)
@pytest.mark.parametrize('share', [-0.9, -0.3, 0.4, 1])
def test_as_mmcv_on_a_drawn_cell(kind, share):
    cell = np.ascontiguousarray(draw_cell(0, 'EOS', 1)[..., ::-1])
    amount = 0.2 * share if kind == HUE else 1 + 0.8 * share
    ours = colour_steps(cell, [(kind, amount)]).astype(int)
    with numpy2_hue():
        theirs = STOCK[kind](cell, amount, backend='pillow').astype(int)
    off = np.abs(ours - theirs)
    # Pillow's hue has 256 steps, and its HSV loses up to 5 levels.
    assert off.mean() <= 1 and off.max() <= (8 if kind == HUE else 2)


@pytest.mark.parametrize('angle', [0, 90, -37.5, 180, 170])
@pytest.mark.parametrize('box', [(30, 20, 40, 30), (0, 0, 250, 250)])
def test_turned_crop_by_another_interpolation(angle, box):
    img = draw_cell(0, 'EOS', 1)
    top, left, height, width = box
    size = 48
    out = np.empty((size, size, 3), np.uint8)
    found = turn(img, box, angle, out)
    assert found is out
    # Where each pixel of the view lies in the image, centres at halves.
    at = (np.arange(size) + 0.5) / size - 0.5
    v, u = np.meshgrid(at, at, indexing='ij')
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    y = top + height / 2 + height * (cos * v - sin * u) - 0.5
    x = left + width / 2 + width * (cos * u + sin * v) - 0.5
    smooth = img.astype(float)
    if width > size:
        smooth = uniform_filter(smooth, (height / size, width / size, 1))
    expected = np.stack(
        [
            map_coordinates(smooth[..., c], [y, x], order=1, mode='reflect')
            for c in range(3)
        ],
        -1,
    )
    off = np.abs(found - expected)
    assert off.mean() < (1.5 if width > size else 0.5)


def test_a_quarter_turn_is_clockwise():
    img = np.random.default_rng(0).integers(256, size=(48, 48, 3))
    img = img.astype(np.uint8)
    out = turn(img, (0, 0, 48, 48), 90, np.empty_like(img))
    assert np.abs(out.astype(int) - np.rot90(img, -1)).max() <= 1


def test_density_in_float64():
    img = np.arange(256, dtype=np.uint8)[:, None, None].repeat(3, 2)
    changes = [0.8, 1.0, 1.25, 0.0, 0.1, -0.05]
    out = change_density(img, changes, np.empty_like(img))
    density = -np.log(np.maximum(img, 1) / 255.0)
    expected = density * changes[:3] + changes[3:]
    expected = np.minimum(255 * np.exp(-expected), 255)
    assert np.abs(out - expected).max() <= 0.5 + 1e-3
    assert (out[:, 0, 0] != out[:, 0, 2]).any()
