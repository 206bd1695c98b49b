"""Folders, patterns and lists of images."""

import hashlib
import os
import tracemalloc
from unicodedata import normalize

import pytest

from bm_plugins.apis.prediction.cell_list import (
    CellList,
    list_cells,
    printable,
)
from bm_plugins.errors import InputError


def names(source):
    cells = list_cells(source)
    return [cells[i] for i in range(len(cells))]


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / 'cells'
    for name in ('b/2.JPG', 'b/10.jpg', 'a.png', 'b/c/x.tif', 'é/ü.bmp'):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b'1')
    for name in ('.hidden.jpg', '.git/x.jpg', '__MACOSX/x.jpg', 'notes.txt'):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b'1')
    return root


ALL = ['a.png', 'b/10.jpg', 'b/2.JPG', 'b/c/x.tif', 'é/ü.bmp']


def test_folder_is_sorted_without_hidden_and_system_files(folder):
    assert names(folder) == ALL


def test_links_that_lead_in_circles(folder):
    (folder / 'b/up').symlink_to(folder)
    (folder / 'é/again').symlink_to(folder / 'b/c')
    (folder / 'gone.jpg').symlink_to(folder / 'nowhere')
    (folder / 'other.jpg').symlink_to(folder / 'a.png')
    assert names(folder) == sorted([*ALL, 'gone.jpg', 'other.jpg'])


def test_the_release_s_image_folder_is_entered(folder):
    inner = folder / 'BM_cytomorphology_data/BLA'
    inner.mkdir(parents=True)
    (inner / '1.jpg').write_bytes(b'1')
    assert names(folder) == ['BLA/1.jpg']


@pytest.mark.parametrize(
    ('pattern', 'expected'),
    [
        ('b/*.jpg', ['10.jpg']),
        ('b/*', ['10.jpg', '2.JPG']),
        ('*/*.[jJ]*', ['b/10.jpg', 'b/2.JPG']),
        ('**/*.tif', ['b/c/x.tif']),
        ('b/**', ['10.jpg', '2.JPG', 'c/x.tif']),
        ('**/x.*', ['b/c/x.tif']),
        ('a.png', ['a.png']),
        ('?/c/*', ['b/c/x.tif']),
    ],
)
def test_pattern(folder, pattern, expected):
    found = list_cells(f'{folder}/{pattern}')
    assert [found[i] for i in range(len(found))] == expected
    assert all(os.path.isfile(found.file(i)) for i in range(len(found)))


TILE = 'slide [d=1,x=1,y=20,w=250,h=250].jpg'  # as QuPath names them


@pytest.mark.parametrize(
    ('source', 'expected'),
    [
        (TILE, [TILE]),
        ('case [1]', ['a.png']),
        ('case [1]/*.png', ['a.png']),
        ('case [1]/a.png', ['a.png']),
        ('*/a.png', ['case [1]/a.png']),
    ],
)
def test_a_path_that_is_there_is_no_pattern(tmp_path, source, expected):
    (tmp_path / TILE).write_bytes(b'1')
    (tmp_path / 'case [1]').mkdir()
    (tmp_path / 'case [1]/a.png').write_bytes(b'1')
    assert names(tmp_path / source) == expected


def test_pictures_of_other_kinds_are_not_dropped(folder):
    more = ['v.jfif', 'w.pgm', 'x.webp', 'y.SVS', 'z.heic']
    for name in (*more, 'notes.md'):
        (folder / name).write_bytes(b'1')
    assert names(folder) == [*ALL[:4], *more, ALL[4]]
    assert names(f'{folder}/*') == ['a.png', *more]


def test_csv_keeps_its_order_and_the_folder_of_its_file(folder):
    file = folder / 'list.csv'
    file.write_text('﻿id,path\n1,b/2.JPG\n2,"a.png"\n\n')
    assert names(file) == ['b/2.JPG', 'a.png']
    assert list_cells(file).file(0) == f'{folder}/b/2.JPG'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'no column path; .*found nothing'),
        ('file\na.png\n', 'no column path; .*found file'),
        ('path;x\na.png\n', 'line 2: 1 cells for the 2 columns path,x'),
        ('path\n', 'names no image'),
        ('path,x\n,1\n', 'line 2: no path'),
        ('path\na.png\na.png\n', "line 3: 'a.png'.*more than once"),
        ('path\na.png\n./b/../a.png\n', 'line 3: .*more than once'),
    ],
)
def test_wrong_csv(folder, text, message):
    file = folder / 'list.csv'
    file.write_text(text)
    with pytest.raises(InputError, match=f'list.csv.*{message}'):
        list_cells(file)


def test_csv_of_another_encoding(folder):
    file = folder / 'list.csv'
    file.write_bytes('path\né.jpg\n'.encode('latin-1'))
    with pytest.raises(InputError, match='no CSV file in UTF-8'):
        list_cells(file)


@pytest.mark.parametrize('path', ['cells/b/2.JPG', './b/2.JPG', 'b\\\\2.JPG'])
def test_csv_of_other_spellings(folder, path):
    file = folder / 'list.csv'
    file.write_text(f'sep=;\nId;Path\n1; {path} \n;\n2;{folder}/a.png\n')
    cells = list_cells(file)
    assert [cells.file(i) for i in range(len(cells))] == [
        f'{folder}/b/2.JPG',
        f'{folder}/a.png',
    ]


def test_a_whole_path_is_that_file_whatever_lies_beside_the_list(folder):
    other = folder.parent / 'other/cells/a.png'
    other.parent.mkdir(parents=True)
    other.write_bytes(b'2')
    file = folder / 'list.csv'
    file.write_text(f'path\n{other}\n')
    assert list_cells(file).file(0) == str(other)
    file.write_text(f'path\na.png\n{folder}/a.png\n')
    with pytest.raises(InputError, match='line 3: .*more than once'):
        list_cells(file)


def test_csv_that_names_what_is_not_there(folder):
    file = folder / 'list.csv'
    file.write_text(
        'path\na.png\n' + ''.join(f'x/{i}.png\n' for i in range(4))
    )
    message = (
        r'4 of 5 rows match no image: x/0.png, x/1.png, x/2.png and 1 more'
    )
    with pytest.raises(InputError, match=message):
        list_cells(file)


def test_composed_and_decomposed_names_are_the_same_file(folder):
    file = folder / 'list.csv'
    for form in ('NFC', 'NFD'):
        path = normalize(form, 'é/ü.bmp')
        file.write_text(f'path\n{path}\n', encoding='utf-8')
        assert names(file) == ['é/ü.bmp']


@pytest.mark.parametrize('name', ['empty', 'gone', 'gone/*.jpg', 'gone.csv'])
def test_nothing_there(tmp_path, name):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(InputError, match=name.replace('*', '.')):
        list_cells(tmp_path / name)


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / os.fsdecode(b'\xff.jpg')).write_bytes(b'1')
    cells = list_cells(tmp_path)
    assert os.fsencode(cells[0]) == b'\xff.jpg'
    assert printable(cells[0]) == r'\xff.jpg'
    assert printable('a\nb\u2028é<b>.jpg') == r'a\nb\u2028é<b>.jpg'


def test_digest_is_of_names_sizes_and_times(folder):
    for name in ALL:
        os.utime(folder / name, ns=(5, 7))
    text = folder.name + ''.join(f'{name}\0' + '1 7\n' for name in ALL)
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert list_cells(folder).digest() == digest
    assert list_cells(f'{folder}/../{folder.name}').digest() == digest
    os.utime(folder / ALL[0], ns=(5, 8))
    assert list_cells(folder).digest() != digest
    gone = f'{folder.name}gone\0-1 -1\n'.encode()
    digest = CellList(folder, ['gone']).digest()
    assert digest == hashlib.sha256(gone).hexdigest()


def test_two_folders_of_equal_names_and_sizes(tmp_path):
    for patient in ('p7', 'p8'):
        (tmp_path / patient).mkdir()
        (tmp_path / patient / '000.bmp').write_bytes(b'1')
        os.utime(tmp_path / patient / '000.bmp', ns=(5, 7))
    seven, eight = (list_cells(tmp_path / p).digest() for p in ('p7', 'p8'))
    assert seven != eight


def test_a_million_names_take_their_letters_and_8_bytes_each():
    tracemalloc.start()
    cells = CellList('.', (f'{i:020}' for i in range(100_000)))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert cells[99_999] == f'{99_999:020}' and cells[0] == '0' * 20
    assert held < 1.1 * 100_000 * (20 + 8)


def test_a_list_may_say_the_scale_of_each_cell(folder):
    file = folder / 'list.csv'
    plain = list_cells(folder).digest()
    digests = set()
    for text in ('', ',0.1', ',0.2', ',same'):
        file.write_text(f'path,um_per_px\na.png{text or ","}\nb/2.JPG,\n')
        digests.add(list_cells(file).digest())
    assert len(digests) == 4 and plain not in digests
    file.write_text('path;um_per_px\na.png; 0,1\nb/2.JPG;\nb/10.jpg;Same\n')
    cells = list_cells(file)
    assert [cells.um_per_px(i) for i in range(3)] == [0.1, None, 'same']
    assert cells.said_um_per_px() == {0.1, 'same'}
    file.write_text('path,um_per_px\na.png,\n')
    said = list_cells(file)
    file.write_text('path\na.png\n')
    assert list_cells(file).digest() == said.digest()
    assert said.um_per_px(0) is None and said.said_um_per_px() == set()
    file.write_text('path,um_per_px\na.png,0.1\nb/2.JPG,100\n')
    with pytest.raises(InputError, match='line 3: um_per_px 100: expected µm'):
        list_cells(file)
