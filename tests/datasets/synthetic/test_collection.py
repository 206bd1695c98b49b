import pytest

from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.datasets.synthetic.collection import (
    IMAGE_FOLDER,
    class_counts,
    draw_cell,
    encode_cell,
    image_path,
)
from bm_plugins.errors import InputError

FLAT = {'ABE', 'BAS', 'FGC', 'HAC', 'KSC', 'LYI', 'OTH'}


def test_image_depends_on_each_argument():
    one = encode_cell(0, 'NGS', 1)
    assert encode_cell(0, 'NGS', 1) == one
    others = [(1, 'NGS', 1), (0, 'NGB', 1), (0, 'NGS', 2)]
    assert all(encode_cell(*other) != one for other in others)


def test_image_paths():
    path = f'{IMAGE_FOLDER}/EBO/'
    assert image_path('EBO', 1, 57) == path + '0001-0057/EBO_00001.jpg'
    assert image_path('EBO', 1000, 2345) == path + '0001-1000/EBO_01000.jpg'
    assert image_path('EBO', 1001, 2345) == path + '1001-2000/EBO_01001.jpg'
    assert image_path('EBO', 2001, 2345) == path + '2001-2345/EBO_02001.jpg'
    assert image_path('EBO', 12001, 13000).endswith(
        '/12001-13000/EBO_12001.jpg'
    )
    for code in CLASSES:
        flat = image_path(code, 7, 9).count('/') == 2
        assert flat == (code in FLAT), code


@pytest.mark.parametrize('images', [168, 169, 1000, 1500, 2000, 30001])
def test_counts_are_long_tailed_and_sum(images):
    counts = class_counts(images)
    assert tuple(counts) == CLASSES == tuple(sorted(CLASSES))
    assert sum(counts.values()) == images
    assert min(counts.values()) >= max(8, images / 100)
    if images >= 1500:
        assert counts['NGS'] > 6 * counts['ABE']
        assert counts['EBO'] > counts['BLA'] > counts['MON'] > counts['OTH']


def test_refuses_bad_arguments():
    with pytest.raises(InputError, match='negative'):
        draw_cell(-1, 'NGS', 1)
    with pytest.raises(InputError, match='XYZ'):
        draw_cell(0, 'XYZ', 1)
