import shutil

import cv2
import numpy as np
import pytest

from bm_plugins.apis.bundle.cell_predictor import CellPredictor
from bm_plugins.apis.bundle.read_cell import CellReader
from bm_plugins.apis.refitting.labelled_cells import (
    all_classes,
    read_cells,
    read_labels,
)
from bm_plugins.errors import InputError
from tests.apis.cell_folder import make_cells
from tests.apis.tiny_bundle import CODES, tiny_bundle

WITH = (*CODES, 'HAC')
SIX = [(f's1/{i}.jpg', 'HAC') for i in range(6)]


@pytest.fixture
def folder(tmp_path):
    return make_cells(tmp_path / 'slides')


@pytest.fixture
def listed(folder):
    def write(rows, header='path,label'):
        file = folder / 'labels.csv'
        lines = [header, *(','.join(row) for row in rows)]
        file.write_text('\n'.join(lines) + '\n')
        return file

    return write


def test_new_classes_come_last():
    codes, names = all_classes(tiny_bundle(), dict(HAC=' Hairy cells', X=''))
    assert codes == (*CODES, 'HAC', 'X')
    assert names[3:] == ('Hairy cells', 'X')
    assert all_classes(tiny_bundle(), {})[0] == CODES


@pytest.mark.parametrize(
    'code, message',
    [
        ('BLA', '--new-class BLA: the bundle knows this class.*corrections'),
        ('bla', 'differs from BLA by its case alone'),
        ('A,B', 'holds one of'),
        ('', 'is empty'),
    ],
)
def test_a_code_that_can_be_none(code, message):
    with pytest.raises(InputError, match=message):
        all_classes(tiny_bundle(), {code: 'Name'})


def test_paths_beside_the_list_or_in_a_folder(listed, folder, tmp_path):
    file = listed([*SIX, ('s2/0.jpg', 'BLA')])
    cells, found = read_labels(tiny_bundle(), WITH, file)
    assert [cells[row] for row in found][-2:] == ['s1/5.jpg', 's2/0.jpg']
    assert [*found.values()] == ['HAC'] * 6 + ['BLA']
    away = shutil.move(file, tmp_path / 'corrections.csv')
    cells, again = read_labels(tiny_bundle(), WITH, away, folder)
    assert len(cells) == 12
    assert [cells[row] for row in again][-2:] == ['s1/5.jpg', 's2/0.jpg']
    with pytest.raises(InputError, match='corrections.csv.*--cells DIR'):
        read_labels(tiny_bundle(), WITH, away)


def test_images_are_read_as_for_predictions(listed, folder):
    bundle = tiny_bundle(
        info=dict(scale=dict(width=30, height=30, um_per_px=0.1, share=1.0))
    )
    rows = [(path, code, '0.1') for path, code in SIX]
    cells, _ = read_labels(bundle, WITH, listed(rows, 'path,label,um_per_px'))
    predictor = CellPredictor(bundle, 'cpu')
    found, fields = read_cells(predictor, cells, {1: 3, 0: 2}, workers=0)
    assert found.labels.tolist() == [3, 2] and fields == dict(wide=2)
    assert found.paths == ('s1/1.jpg', 's1/0.jpg')
    image = cv2.imread(str(folder / 's1/1.jpg'))
    middle, _ = CellReader(bundle).fit(image[15:45, 15:45])
    np.testing.assert_allclose(
        found.features[0],
        predictor.features(middle[None])[0],
        rtol=1e-3,
        atol=1e-3,
    )


@pytest.mark.parametrize(
    'rows, message',
    [
        ([('s1/0.jpg', 'HAX')], "line 2: unknown class 'HAX'.*--new-class"),
        ([], 'no row'),
        (SIX[:4], '4 images of HAC.*expected 5 or more'),
        ([('s1/0.jpg', 'BLA')], '0 images of HAC.*expected 5 or more'),
        ([*SIX, ('s1/9.jpg', 'BLA')], '1 of 7 rows match no image: s1/9.jpg'),
        ([*SIX, ('s1/0.jpg', 'BLA')], 'line 8: s1/0.jpg.*more than once'),
        ([*SIX, ('./s1/0.jpg', 'HAC')], 'more than once'),
    ],
)
def test_wrong_lists(listed, folder, rows, message):
    with pytest.raises(InputError, match=message):
        read_labels(tiny_bundle(), WITH, listed(rows))


def test_two_spellings_with_two_classes(listed, folder):
    file = listed([*SIX, ('./s1/0.jpg', 'BLA')])
    with pytest.raises(InputError, match='s1/0.jpg is there as HAC and as B'):
        read_labels(tiny_bundle(), WITH, file, folder)


def test_class_that_the_bundle_never_saw_needs_images_too(listed):
    bundle = tiny_bundle()
    bundle.reference.labels[bundle.reference.labels == 0] = 1
    with pytest.raises(InputError, match='1 images of BLA, of which.*no cell'):
        read_labels(bundle, CODES, listed([('s1/0.jpg', 'BLA')]))


def test_an_image_that_cannot_be_read_is_named(listed, folder):
    (folder / 's1/4.jpg').write_bytes(b'no image')
    cells, _ = read_labels(tiny_bundle(), WITH, listed(SIX))
    predictor = CellPredictor(tiny_bundle(), 'cpu')
    numbers = dict.fromkeys(range(6), 3)
    with pytest.raises(InputError, match='s1/4.jpg .*delete its row'):
        read_cells(predictor, cells, numbers)
