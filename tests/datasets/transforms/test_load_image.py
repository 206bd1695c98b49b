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


def test_takes_what_a_cache_read(tmp_path):
    img = np.full((5, 4, 3), 7, np.uint8)
    nowhere = dict(img_path=str(tmp_path / 'nowhere.png'))
    content = cv2.imencode('.png', img)[1].ravel()
    result = LoadCellImage()(dict(nowhere, img_bytes=content))
    np.testing.assert_array_equal(result['img'], img)
    assert result['img_shape'] == result['ori_shape'] == (5, 4)
    assert 'img_bytes' not in result
    result = LoadCellImage()(dict(nowhere, img=img))
    np.testing.assert_array_equal(result['img'], img)
    for content in (b'', b'no image'):
        with pytest.raises(InputError, match='nowhere.png .*prepare_matek'):
            LoadCellImage()(dict(nowhere, img_bytes=content))


def test_leaves_plain_jpeg_files_as_they_are(tmp_path):
    img = np.full((5, 4, 3), 7, np.uint8)
    reader = LoadCellImage()
    reader.decodes = False
    for ending, packed in (('.jpg', True), ('.png', False)):
        file = tmp_path / f'cell{ending}'
        cv2.imwrite(str(file), img)
        result = reader(dict(img_path=str(file)))
        assert result['img_shape'] == (5, 4)
        if packed:
            assert result['img'].tobytes() == file.read_bytes()
        else:
            np.testing.assert_array_equal(result['img'], img)
