"""Images as the network takes them."""

import cv2
import numpy as np
import pytest
from PIL import Image

from bm_plugins.apis.bundle.read_cell import CellReader, small_picture
from bm_plugins.errors import InputError, UnreadableImage
from tests.apis.tiny_bundle import tiny_bundle


def test_size_order_of_axes_and_of_colours(tmp_path):
    image = np.zeros((96, 96, 3), np.uint8)
    image[:48, :, 2] = 200  # red above
    image[48:, :, 0] = 100  # blue below
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    small = CellReader(tiny_bundle())(tmp_path / 'a.png')
    assert small.shape == (3, 48, 48) and small.dtype == np.uint8
    assert small[:, 10, 10].tolist() == [200, 0, 0]
    assert small[:, 40, 10].tolist() == [0, 0, 100]


def test_unreadable_file_is_named(tmp_path):
    with pytest.raises(UnreadableImage, match='gone.png.*No such file'):
        CellReader(tiny_bundle())(tmp_path / 'gone.png')


def trained(um_per_px):
    scale = dict(width=96, height=96, um_per_px=um_per_px, share=1.0)
    return tiny_bundle(info=dict(scale=scale))


def rings(side):
    """Grey levels that tell the distance from the centre."""
    y, x = np.indices((side, side)) - (side - 1) / 2
    level = np.maximum(abs(x), abs(y)) * 2
    return np.repeat(level[..., None], 3, 2).astype(np.uint8)


def test_what_is_said_goes_before_what_the_file_says(tmp_path):
    file = tmp_path / 'a.png'
    wide = rings(192)
    Image.fromarray(wide).save(file, dpi=(254_000, 254_000))  # 0.1 µm
    middle = CellReader(tiny_bundle()).fit(wide[48:144, 48:144])[0]
    whole = CellReader(tiny_bundle()).fit(wide)[0]
    by_file = CellReader(trained(0.1))
    cell, field = by_file.read(file)
    assert (cell == middle).all() and field == 'wide'
    assert (by_file(file) == middle).all()
    cell, field = by_file.fit(wide, file, 0.05)  # a list
    assert (cell == whole).all() and field == ''
    cell, field = CellReader(trained(0.1), None, 'same').fit(wide, file, 0.1)
    assert (cell == whole).all() and field == ''
    by_hand = CellReader(trained(0.1), None, '0,1')
    assert (by_hand.fit(wide, None, 0.05)[0] == middle).all()
    # Nothing to compare with: the size tells.
    cell, field = CellReader(trained(None)).read(file)
    assert (cell == whole).all() and field == 'size'
    assert CellReader(tiny_bundle()).read(file)[1] == ''


@pytest.mark.parametrize('um_per_px', [None, 'old'])
def test_a_scale_that_cannot_be_compared_is_refused(um_per_px):
    bundle = tiny_bundle() if um_per_px else trained(None)
    with pytest.raises(InputError, match='does not know.*publish.py --um-per'):
        CellReader(bundle, um_per_px=0.1)
    CellReader(bundle, um_per_px='same')


def test_large_image_is_made_small(tmp_path):
    image = np.full((100, 250, 3), (200, 30, 90), np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    picture = small_picture(tmp_path / 'a.png')
    assert picture[:2] == b'\xff\xd8'
    small = cv2.imdecode(np.frombuffer(picture, np.uint8), 1)
    assert small.shape == (26, 64, 3)
    assert np.abs(small.astype(int) - (200, 30, 90)).max() < 8


def test_a_16_bit_image_is_shown_by_the_range_of_all(tmp_path):
    image = np.full((20, 20, 3), 1000, np.uint16)
    cv2.imwrite(str(tmp_path / 'a.tif'), image)
    picture = small_picture(tmp_path / 'a.tif', bits=12)
    small = cv2.imdecode(np.frombuffer(picture, np.uint8), 1)
    assert np.abs(small.astype(int) - 1000 // 16).max() < 4
