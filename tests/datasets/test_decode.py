import cv2
import numpy as np
import pytest
from PIL import Image

from bm_plugins.datasets.decode import decode_image


def picture(mode='RGB'):
    rng = np.random.default_rng(0)
    img = rng.integers(0, 256, (31, 45, 3), dtype=np.uint8)
    return Image.fromarray(img).convert(mode)


@pytest.mark.parametrize(
    'name,mode,options',
    [
        ('a.jpg', 'RGB', dict(quality=95)),
        ('a.jpg', 'RGB', dict(quality=80, subsampling='4:2:0')),
        ('a.jpg', 'RGB', dict(quality=80, progressive=True)),
        ('a.jpg', 'L', {}),
        ('a.jpg', 'CMYK', {}),
        ('a.png', 'RGB', {}),
        ('a.png', 'RGBA', {}),
        ('a.tif', 'RGB', {}),
        ('a.bmp', 'RGB', {}),
    ],
)
def test_pixels_are_opencv_s(tmp_path, name, mode, options):
    file = tmp_path / name
    picture(mode).save(file, **options)
    found = decode_image(file.read_bytes())
    np.testing.assert_array_equal(found, cv2.imread(str(file)))
    assert found.flags.c_contiguous and found.flags.writeable


def test_orientation_of_a_camera(tmp_path):
    file = tmp_path / 'turned.jpg'
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    picture().save(file, exif=exif)
    found = decode_image(file.read_bytes())
    assert found.shape == (45, 31, 3)
    np.testing.assert_array_equal(found, cv2.imread(str(file)))


@pytest.mark.parametrize('missing', [2, 20, 400])
def test_of_a_file_without_its_end_opencv_decides(tmp_path, missing):
    file = tmp_path / 'cut.jpg'
    picture().save(file)
    content = file.read_bytes()[:-missing]
    expected = cv2.imdecode(np.frombuffer(content, np.uint8), 1)
    if expected is None:
        with pytest.raises(ValueError):
            decode_image(content)
    else:
        np.testing.assert_array_equal(decode_image(content), expected)


@pytest.mark.parametrize(
    'content', [b'', b'\xff\xd8', b'no image', b'\0' * 99]
)
def test_no_image(content):
    with pytest.raises(ValueError):
        decode_image(content)
