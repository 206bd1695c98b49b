import cv2
import numpy as np
import pytest

from bm_plugins.datasets.transforms.load_image import LoadCellImage
from bm_plugins.errors import InputError


def test_reads_bgr(tmp_path):
    file = tmp_path / 'cell.png'
    img = np.zeros((5, 4, 3), np.uint8)
    img[..., 0] = 200
    cv2.imwrite(str(file), img)
    result = LoadCellImage()(dict(img_path=str(file)))
    np.testing.assert_array_equal(result['img'], img)
    assert result['img_shape'] == (5, 4)


@pytest.mark.parametrize('content', [b'', b'no image', None])
def test_unreadable_image_is_named(tmp_path, content):
    file = tmp_path / 'broken.jpg'
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match='broken.jpg .*prepare_matek'):
        LoadCellImage()(dict(img_path=str(file)))
