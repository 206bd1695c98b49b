"""Cells that a bundle carries."""

import cv2
import numpy as np
import torch

from bm_plugins.apis.publishing.reference import make_reference, small_picture
from bm_plugins.datasets import Matek


def test_cells_are_the_chosen_ones(cells):
    train = Matek(cells, split='train', metainfo=dict(classes=CODES))
    rows = [0, 7, len(train) - 1]
    found = make_reference(train, rows, torch.arange(6.0).view(3, 2) / 3)
    assert found.features.dtype == np.float16
    assert found.features[1].tolist() == [
        float(np.float16(2 / 3)),
        float(np.float16(1)),
    ]
    infos = [train.get_data_info(row) for row in rows]
    assert found.paths == tuple(info['path'] for info in infos)
    codes = [CODES[label] for label in found.labels]
    assert codes == [path.split('/')[0] for path in found.paths]
    for info, picture in zip(infos, found.pictures, strict=True):
        image = cv2.imread(info['img_path'])  # 64 px, kept at its size
        small = cv2.imdecode(np.frombuffer(picture, np.uint8), 1)
        assert small.shape == image.shape
        assert np.abs(small.astype(int) - image).mean() < 6


CODES = ('ABE', 'BLA', 'LYT')


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
