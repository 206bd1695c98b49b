import cv2
import numpy as np
import pytest

from bm_plugins.datasets.whole_image import (
    find_fault,
    find_faults,
    read_whole,
)
from bm_plugins.errors import InputError
from tests.datasets.test_prepare import picture


@pytest.mark.parametrize(
    'content,reason',
    [
        (b'', 'empty file'),
        (b'no image', 'cannot be decoded'),
        (picture()[: len(picture()) // 2], 'truncated JPEG'),
        (picture(), None),
    ],
)
def test_faults(tmp_path, content, reason):
    (tmp_path / 'a.jpg').write_bytes(content)
    assert find_fault('a.jpg', tmp_path) == reason


def test_missing_file_is_a_fault(tmp_path):
    assert find_fault('a.jpg', tmp_path).startswith('cannot be read')


def test_many_on_several_processes(tmp_path):
    contents = {f'{i}.jpg': picture(i) for i in range(5)} | {'bad.jpg': b'no'}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    faults = find_faults(list(contents), tmp_path, workers=2)
    assert faults == {'bad.jpg': 'cannot be decoded'}
    with pytest.raises(InputError, match='--workers 0'):
        find_faults([], tmp_path, workers=0)


def test_content_and_pixels(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(picture())
    content, image = read_whole('a.jpg', tmp_path)
    assert content == picture()
    assert np.array_equal(image, cv2.imread(str(tmp_path / 'a.jpg')))
