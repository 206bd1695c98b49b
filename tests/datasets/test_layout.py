import os

import pytest

from bm_plugins.datasets.layout import (
    existing_image_folder,
    find_image_folder,
    labels_of,
    list_images,
)
from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.errors import InputError


@pytest.mark.parametrize(
    'path',
    [
        'BLA/0001-1000/BLA_00001.jpg',
        'BLA/BLA_00001.jpg',
        'BLA_00001.jpg',
        'BM_cytomorphology_data/BLA/0001-1000/BLA_00001.jpg',
        'BLA/smear_7.png',
        'LYT/BLA/BLA_00001.jpg',
    ],
)
def test_label_of_any_layout(path):
    assert labels_of([path], CLASSES) == ['BLA']


def test_own_classes():
    paths = ['cat/1.png', 'dog/cat/2.png', 'dog_3.png']
    assert labels_of(paths, ['cat', 'dog']) == ['cat', 'cat', 'dog']


@pytest.mark.parametrize(
    ('path', 'code'),
    [
        ('1/2_0001.jpg', '1'),
        ('2/0001-1000/1_2_0001.jpg', '2'),
        ('2/2_0001.jpg', '2'),
        ('2_0001.jpg', '2'),  # a flattened tree
        ('cat/2_0001.jpg', 'cat'),
    ],
)
def test_a_number_in_front_of_a_name_is_no_class_of_its_own(path, code):
    assert labels_of([path], ['1', '2', '1_2', 'cat']) == [code]


@pytest.mark.parametrize('path', ['1/2/a.jpg', 'x/2/1/1_3.jpg', 'cat/1/a'])
def test_numbers_that_may_be_a_class_or_a_patient(path):
    with pytest.raises(InputError, match='names the classes .* rename'):
        labels_of([path], ['1', '2', 'cat'])


def test_a_number_within_its_own_class_or_around_another():
    paths = ['1/1/a.jpg', '1/3/a.jpg', '2/cat/a.jpg', '1/patient_2/a.jpg']
    assert labels_of(paths, ['1', '2', 'cat']) == ['1', '1', 'cat', '1']


def test_spaces_accents_and_prefixes():
    codes = ['Small Lymph', 'G\xf6 2.5']
    paths = [
        'Small Lymph/a.jpg',
        'Small Lymph_1.jpg',
        'Go\u0308 2.5/a.jpg',
        'Go\u0308 2.5_1.jpg',
        'G\xf6 2.5/Go\u0308 2.5_1.jpg',
    ]
    assert labels_of(paths, codes) == [codes[0]] * 2 + [codes[1]] * 3
    assert labels_of(paths[2:], ['Go\u0308 2.5']) == [codes[1]] * 3


def test_a_folder_that_is_no_class_is_named_with_the_nearest():
    paths = ['PLATELT/1.jpg', 'PLATELT/2.jpg', 'lyt/3.jpg', 'LYT/4.jpg']
    message = (
        r'^3 image\(s\) without a class, 2 in folder PLATELT and 1 more '
        r'\(did you mean PLATELET\?\)'
    )
    with pytest.raises(InputError, match=message):
        labels_of(paths, ['PLATELET', 'LYT'])
    with pytest.raises(InputError, match=r'folder lyt \(did you mean LYT\?'):
        labels_of(paths[2:], ['PLATELET', 'LYT'])


def test_folder_against_prefix():
    with pytest.raises(InputError, match='LYT/BLA_1.jpg.*LYT.*BLA'):
        labels_of(['LYT/BLA_1.jpg'], CLASSES)


@pytest.mark.parametrize('path', ['XYZ/1.jpg', '1.jpg', 'XYZ_00001.jpg'])
def test_unknown_code(path):
    with pytest.raises(InputError, match=f'{path}.*known code.*--classes'):
        labels_of([path], CLASSES)


@pytest.mark.parametrize(
    'name', ['BM_cytomorphology_data', 'bone_marrow_cell_dataset', '.']
)
def test_image_folder(tmp_path, name):
    (tmp_path / name).mkdir(exist_ok=True)
    assert find_image_folder(tmp_path) == tmp_path / name


def test_class_folders_beside_the_image_folder_are_not_passed_over(tmp_path):
    inner = tmp_path / 'BM_cytomorphology_data'
    (inner / 'BLA').mkdir(parents=True)
    (tmp_path / 'results').mkdir()
    for root, folder in ((tmp_path, inner), (inner, inner)):
        assert existing_image_folder(root, CLASSES) == folder
    for name in ('BLA', 'bone_marrow_cell_dataset'):
        (tmp_path / name).mkdir()
        with pytest.raises(InputError, match=f'{name} beside BM_cyto.* Move'):
            existing_image_folder(tmp_path, CLASSES)
        assert existing_image_folder(tmp_path) == inner
        (tmp_path / name).rmdir()


def test_listing_is_sorted_and_passes_hidden_files_over(tmp_path):
    for name in (
        'BLA/2.jpg',
        'BLA/1.JPG',
        'ART/9.tiff',
        'BLA/._1.jpg',
        '.cache/3.jpg',
        '__MACOSX/4.jpg',
        'BLA/notes.txt',
        'top.png',
    ):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
    images, others = list_images(tmp_path)
    assert images == ['ART/9.tiff', 'BLA/1.JPG', 'BLA/2.jpg', 'top.png']
    assert others == ['BLA/notes.txt']


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'bm_plugins.datasets.layout.print_log',
        lambda text, logger: lines.append(text),
    )
    return lines


def test_folders_of_systems_and_storage_boxes(tmp_path, said):
    for name in (
        'NGS/1.jpg',
        'NGS/@eaDir/1.jpg/SYNOFILE_THUMB_M.jpg',
        'NGS/SYNOFILE_THUMB_M.jpg',
        'NGS/Thumbs.db',
        '$RECYCLE.BIN/S-1-5-21/LYT/2.jpg',
        '$Recycle.Bin/3.jpg',
        'System Volume Information/4.jpg',
        '#recycle/5.jpg',
        '@Recycle/6.jpg',
        '~snapshot/daily/NGS/6.jpg',
        'Network Trash Folder/6.jpg',
        'Temporary Items/6.jpg',
        'lost+found/7.jpg',
        '.Trash-1000/files/8.jpg',
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert list_images(tmp_path) == (['NGS/1.jpg'], [])
    assert len(said) == 1
    for part in (f'Passed over in {tmp_path}', '1 x @eaDir', '1 x #recycle'):
        assert part in said[0]


def test_links_to_themselves_are_files_that_cannot_be_read(tmp_path):
    for name in ('loop', 'loop.jpg'):
        (tmp_path / name).symlink_to(name)
    assert list_images(tmp_path) == (['loop.jpg'], ['loop'])


def test_nothing_passed_over_is_not_said(tmp_path, said):
    (tmp_path / '1.jpg').touch()
    (tmp_path / '.DS_Store').touch()  # of each folder of a Mac
    assert list_images(tmp_path) == (['1.jpg'], [])
    assert not said


def test_no_folder_is_listed_twice(tmp_path, said):
    root = tmp_path / 'all/cells'
    for name in ('ART/1.jpg', 'BLA/2.jpg'):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (tmp_path / 'all/other').mkdir()
    (tmp_path / 'all/other/3.jpg').touch()
    (root / 'AAA').symlink_to(root / 'BLA')  # its own place counts
    (root / 'ART/up').symlink_to(root)
    (root / 'ART/further').symlink_to(tmp_path / 'all')
    assert list_images(root) == (['ART/1.jpg', 'BLA/2.jpg'], [])
    assert 'further, a link to a folder above' in said[0]


def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / 'BLA').mkdir()
    real = os.scandir

    def scandir(place):  # root may read any
        if str(place).rstrip('/').endswith('BLA'):
            raise PermissionError(13, 'Permission denied')
        return real(place)

    monkeypatch.setattr(os, 'scandir', scandir)
    with pytest.raises(InputError, match='BLA.* cannot be read: Permission'):
        list_images(tmp_path)


def test_codes_with_an_underscore():
    codes = ['band', 'band_cell']
    paths = ['band_cell/band_cell_1.jpg', 'band_cell_2.jpg', 'band_3.jpg']
    assert labels_of(paths, codes) == ['band_cell', 'band_cell', 'band']


def test_linked_class_folder_is_listed(tmp_path):
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    (elsewhere / '1.jpg').touch()
    (tmp_path / 'cells').mkdir()
    (tmp_path / 'cells/BLA').symlink_to(elsewhere)
    assert list_images(tmp_path / 'cells') == (['BLA/1.jpg'], [])
