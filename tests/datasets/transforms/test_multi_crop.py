import cv2
import numpy as np
import pytest

from bm_plugins.datasets.transforms.multi_crop import (
    MultiCropViews,
    jitter_hsv,
    random_resized_crop,
)
from bm_plugins.errors import InputError

VIEWS = [
    dict(num=2, size=64, scale=(0.14, 1.0)),
    dict(num=3, size=32, scale=(0.05, 0.14)),
]


def image(seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (250, 240, 3), dtype=np.uint8)


def views(draw, **kwargs):
    settings = dict(hue=18, saturation=0.3, value=0.3) | kwargs
    transform = MultiCropViews(VIEWS, **settings)
    return transform(dict(img=image(), draw=draw))['img']


def test_number_and_size_of_views():
    shapes = [view.shape for view in views((0, 0, 0))]
    assert shapes == [(64, 64, 3)] * 2 + [(32, 32, 3)] * 3
    assert all(view.dtype == np.uint8 for view in views((0, 0, 0)))


def test_same_draw_same_views():
    for a, b in zip(views((1, 2, 3)), views((1, 2, 3)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('draw', [(9, 2, 3), (1, 9, 3), (1, 2, 9)])
def test_seed_epoch_and_position_each_change_every_view(draw):
    for a, b in zip(views((1, 2, 3)), views(draw), strict=True):
        assert (a != b).any()


def test_views_of_one_draw_differ():
    first, second = views((0, 0, 0))[:2]
    assert (first != second).any()


def test_no_draw_is_an_error():
    transform = MultiCropViews(VIEWS, hue=0, saturation=0, value=0)
    with pytest.raises(InputError, match='DrawBatchSampler'):
        transform(dict(img=image()))


def test_flips_reach_both_axes():
    whole = dict(num=1, size=64, scale=(1.0, 1.0))
    # The largest square is taken when a full-area crop does not fit.
    img = np.random.default_rng(0).integers(
        0, 256, (64, 64, 3), dtype=np.uint8
    )
    transform = MultiCropViews([whole], 0, 0, 0, jitter_prob=0)
    seen = set()
    for position in range(300):
        view = transform(dict(img=img, draw=(0, 0, position)))['img'][0]
        for flips in ((), (0,), (1,), (0, 1)):
            if (np.flip(img, flips) == view).all():
                seen.add(flips)
    assert seen == {(), (0,), (1,), (0, 1)}


def test_crop_area_and_aspect_are_in_range():
    # The pixel's place is its value: the crop's extent can be read off.
    y, x = np.mgrid[0:250, 0:250].astype(np.uint8)
    img = np.stack([y, x, x], axis=-1)
    rng = np.random.default_rng(0)
    areas, aspects = [], []
    for _ in range(300):
        crop = random_resized_crop(img, 400, (0.2, 0.6), rng).astype(int)
        h = crop[..., 0].max() - crop[..., 0].min() + 1
        w = crop[..., 1].max() - crop[..., 1].min() + 1
        areas.append(h * w / 250**2)
        aspects.append(w / h)
    assert 0.19 < min(areas) < 0.25 and 0.55 < max(areas) < 0.61
    assert 0.73 < min(aspects) < 0.8 and 1.25 < max(aspects) < 1.36


def test_hue_turns_round_the_circle():
    red = np.full((2, 2, 3), (0, 0, 255), np.uint8)
    hues = set()
    rng = np.random.default_rng(0)
    for _ in range(100):
        out = jitter_hsv(red, 20, 0, 0, rng)
        hues.add(int(cv2.cvtColor(out, cv2.COLOR_BGR2HSV)[0, 0, 0]))
    # 10 steps of 2 degrees either way, through 0.
    assert hues <= set(range(11)) | set(range(169, 180))
    assert min(hues) < 5 and max(hues) > 172


def test_value_scales_brightness():
    grey = np.full((2, 2, 3), 100, np.uint8)
    rng = np.random.default_rng(0)
    levels = [jitter_hsv(grey, 0, 0, 0.2, rng)[0, 0, 0] for _ in range(200)]
    assert 80 <= min(levels) < 84 and 116 < max(levels) <= 120


def test_no_strength_changes_nothing_but_rounding():
    out = jitter_hsv(image(), 0, 0, 0, np.random.default_rng(0))
    assert np.abs(out.astype(int) - image()).mean() < 2
