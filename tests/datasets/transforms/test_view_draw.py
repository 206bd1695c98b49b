import numpy as np
import pytest
from mmpretrain.datasets.transforms import (
    ColorJitter,
    GaussianBlur,
    RandomResizedCrop,
)
from scipy.stats import ks_2samp

from bm_plugins.datasets.transforms.view_draw import ViewDrawer

SETTINGS = dict(
    strengths=(0.8, 0.8, 0.8, 0.2),
    hue=3,
    jitter_prob=0.8,
    grey_prob=0.2,
    blur_prob=0.5,
    blur_sigma=(0.1, 2.0),
    flip_prob=(0.5, 0.25),
)
N = 4000


def draws(scale=(0.14, 1.0), image=(250, 250), n=N, **settings):
    drawer = ViewDrawer(**(SETTINGS | settings))
    return [drawer((0, 0, i), image, [scale])[0] for i in range(n)]


def same_distribution(ours, theirs):
    """Neither is telling from the other, at one in a thousand."""
    return ks_2samp(ours, theirs).pvalue > 1e-3


@pytest.mark.parametrize('scale', [(0.14, 1.0), (0.05, 0.14)])
@pytest.mark.parametrize('image', [(250, 250), (200, 320)])
def test_crops_are_distributed_as_mmpretrain_s(scale, image):
    np.random.seed(0)
    stock = RandomResizedCrop(224, crop_ratio_range=scale)
    img = np.empty((*image, 3), np.uint8)
    theirs = [stock.rand_crop_params(img) for _ in range(N)]
    ours = [draw[:4] for draw in draws(scale, image)]
    for figure in (
        lambda top, left, h, w: h * w,
        lambda top, left, h, w: w / h,
        lambda top, left, h, w: top / max(image[0] - h, 1),
        lambda top, left, h, w: left / max(image[1] - w, 1),
    ):
        assert same_distribution(
            [figure(*crop) for crop in ours],
            [figure(*crop) for crop in theirs],
        )


def test_jitter_is_distributed_as_mmpretrain_s():
    np.random.seed(0)
    stock = ColorJitter(0.8, 0.8, 0.8, 0.2)
    theirs = [stock._rand_params() for _ in range(N)]
    ours = draws()
    for i in range(4):
        assert same_distribution(
            [draw.jitter[i] for draw in ours], [row[i + 1] for row in theirs]
        )
    assert {draw.order for draw in ours} == set(range(24))
    counts = np.bincount([draw.order for draw in ours])
    assert np.abs(counts - N / 24).max() < 5 * (N / 24) ** 0.5


def test_blur_is_distributed_as_mmpretrain_s():
    np.random.seed(0)
    stock = GaussianBlur(
        magnitude_range=(0.1, 2.0), magnitude_std='inf', prob=1.0
    )
    theirs = [stock.random_magnitude() for _ in range(N)]
    assert same_distribution(
        [draw.sigma for draw in draws(blur_prob=1.0)], theirs
    )


def test_probabilities():
    found = draws()
    for name, expected in dict(
        jittered=0.8, grey=0.2, sigma=0.5, horizontal=0.5, vertical=0.25
    ).items():
        share = np.mean([bool(getattr(draw, name)) for draw in found])
        assert share == pytest.approx(expected, abs=0.03), name


def test_what_is_drawn_together_is_independent():
    rows = [
        [d.top / (251 - d.height), d.height * d.width, *d.jitter]
        + [d.jittered, d.grey, bool(d.sigma), d.horizontal, d.vertical]
        for d in draws()
    ]
    correlation = np.corrcoef(np.array(rows, float).T)
    assert np.abs(correlation - np.eye(len(correlation))).max() < 0.08


def test_hue_is_a_shift_and_the_others_are_factors():
    found = draws(strengths=(18, 0.3, 0.3), hue=0, n=500)
    hue, saturation, value = np.array([d.jitter for d in found]).T
    assert -18 <= hue.min() < -17 and 17 < hue.max() <= 18
    for factor in (saturation, value):
        assert 0.7 <= factor.min() < 0.72 and 1.28 < factor.max() <= 1.3


def test_no_factor_is_below_0():
    found = draws(strengths=(1.5, 0, 0, 0), n=500)
    factors = [d.jitter[0] for d in found]
    assert 0 <= min(factors) < 0.1 and max(factors) > 2.4


def test_a_view_depends_on_its_key_and_place_alone():
    drawer = ViewDrawer(**SETTINGS)
    large, small = (0.14, 1.0), (0.05, 0.14)
    both = drawer((1, 2, 3), (250, 250), [large, small])
    assert drawer((1, 2, 3), (250, 250), [large]) == both[:1]
    assert drawer((1, 2, 3), (250, 250), [small, small])[1] == both[1]
    for key in ((9, 2, 3), (1, 9, 3), (1, 2, 9)):
        other = drawer(key, (250, 250), [large, small])
        assert other[0] != both[0] and other[1] != both[1]


@pytest.mark.parametrize(
    'image', [(100, 300), (300, 100), (100, 120), (90, 90)]
)
def test_what_never_fits_is_cropped_as_mmpretrain_does(image):
    (draw,) = draws((1.1, 1.2), image, 1)
    stock = RandomResizedCrop(224, crop_ratio_range=(1.1, 1.2))
    expected = stock.rand_crop_params(np.empty((*image, 3), np.uint8))
    assert draw[:4] == expected
