import mmcv
import numpy as np
import pytest
from benchmarks.stock_views import numpy2_hue
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv

from bm_plugins.datasets.synthetic.collection import draw_cell
from bm_plugins.datasets.transforms.colour import (
    BRIGHTNESS,
    CONTRAST,
    HUE,
    SATURATION,
    colour_steps,
    jitter_hsv,
)

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
