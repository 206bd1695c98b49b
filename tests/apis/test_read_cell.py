"""Images as the network takes them."""

import cv2
import numpy as np
import pytest

from bm_plugins.apis.read_cell import CellReader
from bm_plugins.errors import UnreadableImage
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
