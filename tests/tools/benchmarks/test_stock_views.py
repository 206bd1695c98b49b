import colorsys

import mmcv
import numpy as np
import pytest
from benchmarks.stock_views import numpy2_hue, stock_pipeline
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from mmpretrain.registry import TRANSFORMS

from bm_plugins.errors import InputError


@pytest.mark.parametrize(
    'setting,sizes',
    [('swav', [224] * 2 + [96] * 6), ('paper', [224] * 2)],
)
def test_views_of_an_image(cells, setting, sizes):
    file = next(cells.glob('BM_cytomorphology_data/*/*.jpg'))
    with DefaultScope.overwrite_default_scope('mmpretrain'), numpy2_hue():
        steps = [TRANSFORMS.build(step) for step in stock_pipeline(setting)]
        for seed in range(5):  # hues turn back in some
            np.random.seed(seed)
            views = Compose(steps)(dict(img_path=str(file)))['inputs']
            assert [tuple(view.shape) for view in views] == [
                (3, size, size) for size in sizes
            ]


def test_other_settings():
    with pytest.raises(InputError, match="expected 'swav' or 'paper'"):
        stock_pipeline('simclr')


@pytest.mark.parametrize('backend', ['pillow', 'cv2'])
@pytest.mark.parametrize('factor', [-0.5, -0.04, 0.0, 0.04, 0.5])
def test_hue_is_turned_both_ways(backend, factor):
    """Against Python's own HSV, to roundings."""
    rgb = np.random.default_rng(0).integers(40, 216, (64, 3), dtype=np.uint8)
    with numpy2_hue():
        turned = mmcv.adjust_hue(rgb[None, :, ::-1], factor, backend)
    expected = []
    for pixel in rgb / 255:
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        turn = int(factor * 255) / 256
        hue = (hue + turn) % 1
        expected.append(colorsys.hsv_to_rgb(hue, saturation, value))
    difference = turned[0, :, ::-1] / 255 - np.array(expected)
    assert np.abs(difference).mean() < 0.01


def test_forward_turns_are_mmcvs_own():
    img = np.random.default_rng(1).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    own = mmcv.adjust_hue(img, 0.2, 'pillow')
    with numpy2_hue():
        np.testing.assert_array_equal(mmcv.adjust_hue(img, 0.2, 'pillow'), own)
    # Back by 51 steps of 256 from 51 forth, but for roundings.
    with numpy2_hue():
        back = mmcv.adjust_hue(own, -0.2, 'pillow')
    assert np.abs(back.astype(int) - img).mean() < 2
