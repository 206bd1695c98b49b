import random

import numpy as np
import pytest
from benchmarks.input_speed import VIEWS as SETTINGS
from benchmarks.stock_views import numpy2_hue, stock_pipeline
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from mmpretrain.registry import TRANSFORMS
from scipy.stats import ks_2samp

from bm_plugins.datasets.synthetic.collection import draw_cell
from bm_plugins.datasets.transforms import MultiCropViews
from bm_plugins.datasets.transforms.image_ops import SATURATION
from bm_plugins.datasets.transforms.view_draw import ORDERS
from bm_plugins.errors import InputError
from tests.datasets.transforms.test_image_ops import (
    bilinear,
    exact,
    exact_hsv,
    gaussian,
)

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


def test_no_strength_changes_nothing():
    settings = dict(hue=0, saturation=0, value=0, flip_prob=0)
    whole = dict(num=1, size=64, scale=(1.0, 1.0))
    img = image()[:64, :64].copy()
    out = MultiCropViews([whole], **settings)(dict(img=img, draw=(0, 0, 0)))
    np.testing.assert_array_equal(out['img'][0], img)


def test_the_image_stays_as_it_is():
    img = image()
    transform = MultiCropViews(**SETTINGS['swav'])
    views = transform(dict(img=img, draw=(0, 0, 0)))['img']
    before = [view.copy() for view in views]
    np.testing.assert_array_equal(img, image())
    transform(dict(img=img, draw=(0, 0, 1)))  # writes over no earlier view
    for view, old in zip(views, before, strict=True):
        np.testing.assert_array_equal(view, old)


@pytest.mark.parametrize('setting', SETTINGS)
def test_each_view_is_what_was_drawn(setting):
    """Against float64, in the order crop, resize, colour, grey, blur, flip."""
    transform = MultiCropViews(**SETTINGS[setting])
    img = cell('EOS')
    off = []
    for position in range(10):
        results = dict(img=img, draw=(0, 0, position))
        draws = transform.draw(results, img.shape[:2])
        sizes = [size for size, _ in transform.views]
        views = transform(results)['img']
        for size, draw, view in zip(sizes, draws, views, strict=True):
            off.append(np.abs(view - expected_view(setting, img, size, draw)))
    off = np.concatenate([x.ravel() for x in off])
    # Colours are changed before a crop is blown up: another order, no more.
    assert off.mean() < 0.5
    assert (off > 2).mean() < 0.01


def expected_view(setting, img, size, draw):
    top, left, h, w = draw[:4]
    view = bilinear(img[top : top + h, left : left + w].astype(float), size)
    if draw.jittered and setting == 'paper':
        view = exact_hsv(view, *draw.jitter)
    elif draw.jittered:
        for kind in ORDERS[draw.order]:
            view = exact(view, kind, draw.jitter[kind])
    if draw.grey:
        view = exact(view, SATURATION, 0)
    if draw.sigma:
        view = gaussian(view, draw.sigma)
    flips = [i for i in (0, 1) if (draw.vertical, draw.horizontal)[i]]
    return np.flip(view, flips)


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore:Only use')
@pytest.mark.parametrize('setting', SETTINGS)
def test_views_are_distributed_as_the_stock_pipeline_s(setting):
    images = [cell(code, n) for code in ('EOS', 'LYT') for n in range(1, 101)]
    ours = MultiCropViews(**SETTINGS[setting])
    read, *rest = stock_pipeline(setting)
    assert read['type'] == 'LoadImageFromFile'
    assert rest.pop()['type'] == 'PackInputs'
    random.seed(0)
    np.random.seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'), numpy2_hue():
        stock = Compose([TRANSFORMS.build(step) for step in rest])
        theirs = [
            stock(dict(img=img.copy(), img_shape=img.shape[:2]))['img']
            for img in images
        ]
    ours = [
        ours(dict(img=img, draw=(0, 0, i)))['img']
        for i, img in enumerate(images)
    ]
    for view in {0, len(ours[0]) - 1}:
        pairs = [[views[view] for views in side] for side in (ours, theirs)]
        for channel in range(3):  # their order too: a cell has three colours
            figures = [
                [x[..., channel].astype(float) for x in side] for side in pairs
            ]
            for moment in (np.mean, np.std):
                values = [[moment(x) for x in side] for side in figures]
                assert ks_2samp(*values).pvalue > 1e-3
            histograms = [
                [np.histogram(x, 16, (0, 256))[0] / x.size for x in side]
                for side in figures
            ]
            assert exchangeable(*histograms) > 2e-3


def exchangeable(ours, theirs, permutations=2000):
    """p of the distance between two sides' mean histograms."""
    rng = np.random.default_rng(0)
    rows = np.concatenate([ours, theirs])
    sides = np.repeat([1, -1], len(ours))
    shuffled = [sides, *(rng.permutation(sides) for _ in range(permutations))]
    distances = np.abs(np.array(shuffled) @ rows).sum(1)
    return (distances >= distances[0]).mean()


def cell(code, number=1):
    """A drawn cell, BGR."""
    return np.ascontiguousarray(draw_cell(0, code, number)[..., ::-1])


def test_channels_keep_their_order():
    red = np.zeros((250, 250, 3), np.uint8)
    red[..., 2] = 200
    for setting in (dict(hue=5), dict(color_jitter=dict(contrast=0.1))):
        transform = MultiCropViews(VIEWS, **setting)
        for position in range(20):
            for view in transform(dict(img=red, draw=(0, 0, position)))['img']:
                blue, green, light = view.reshape(-1, 3).mean(0)
                assert light > 150 and blue < 40 and green < 40


@pytest.mark.parametrize(
    'settings',
    [
        dict(color_jitter=dict(hue=0.1), hue=18),
        dict(color_jitter=dict(sharpness=0.1)),
    ],
)
def test_settings_that_do_not_go_together(settings):
    with pytest.raises(InputError, match='color_jitter'):
        MultiCropViews(VIEWS, **settings)


@pytest.mark.parametrize(
    'given,message',
    [
        (dict(rotation='180'), "rotation='180': expected a number"),
        (dict(rotation=float('nan')), 'rotation=nan: expected a number'),
        (dict(density=0.2), 'density=0.2: expected 2 numbers'),
        (dict(density=[0.2]), r'density=\[0.2\]: expected 2 numbers'),
        (dict(density=['.2', '.1']), 'density=.*expected 2 numbers'),
        (dict(flip_prob=(0.5,)), 'flip_prob=.*expected 2 numbers'),
        (dict(blur_sigma=1.0), 'blur_sigma=1.0: expected 2 numbers'),
        (dict(hue='9'), "hue='9': expected a number"),
        (dict(color_jitter=dict(hue='a')), "hue='a': expected a number"),
        (dict(views=[dict(num=1, size=(48, 64), scale=(0, 1))]), 'size='),
        (dict(views=[dict(num=1, size=48, scale=0.5)]), 'scale=0.5'),
    ],
)
def test_what_is_no_number(given, message):
    views = [dict(num=1, size=8, scale=(0.5, 1))]
    with pytest.raises(InputError, match=message):
        MultiCropViews(**{'views': views, **given})
