import pytest

from bm_plugins.datasets.manifest import (
    label_indices,
    read_manifest,
    read_stamp,
    write_manifest,
    write_stamp,
)
from bm_plugins.errors import InputError

ROWS = (['b/1.jpg', 'a,2.jpg'], ['B', 'A'], ['train', 'test'], [3, None])


def test_round_trip(tmp_path):
    file = tmp_path / 'split.csv'
    write_manifest(file, *ROWS)
    assert file.read_text() == (
        'path,label,split,fold\nb/1.jpg,B,train,3\n"a,2.jpg",A,test,\n'
    )
    assert read_manifest(file) == ROWS
    assert [f.name for f in tmp_path.iterdir()] == ['split.csv']


@pytest.mark.parametrize('text', ['﻿', ''])
@pytest.mark.parametrize('end', ['\n', '\r\n'])
def test_byte_order_mark_line_ends_and_no_fold(tmp_path, text, end):
    file = tmp_path / 'split.csv'
    lines = ['label,split,path', 'B,val,b/1.jpg', '']
    file.write_bytes((text + end.join(lines)).encode())
    assert read_manifest(file) == (['b/1.jpg'], ['B'], ['val'], [None])


def test_folds_as_pandas_writes_them_beside_empty_ones(tmp_path):
    file = tmp_path / 'split.csv'
    file.write_text('path,label,split,fold\na,B,val,\nb,B,test,1.0\n')
    assert read_manifest(file)[3] == [None, 1]


@pytest.mark.parametrize(
    'text,message',
    [
        ('', 'no column path, label, split'),
        ('path,label\na,B\n', 'no column split.*found path,label'),
        ('path,label,split\n', 'names no image'),
        ('path,label,split\na,B,train\nb,B,dev\n', "line 3: split 'dev'"),
        ('path,label,split\na,B\n', 'line 2: 2 cells for the 3'),
        ('path,label,split\na,B,val\na,B,val\n', 'a more than once'),
        ('path,label,split,fold\na,B,val,x\n', "fold 'x'"),
        ('path,label,split,fold\na,B,val,1.5\n', "fold '1.5' is no whole"),
        ('path,label,split\n,B,val\n', 'line 2: no path'),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    file = tmp_path / 'split.csv'
    file.write_text(text)
    with pytest.raises(InputError, match=f'split.csv.*{message}'):
        read_manifest(file)


def test_missing_manifest(tmp_path):
    with pytest.raises(InputError, match='split.csv.*prepare_matek'):
        read_manifest(tmp_path / 'split.csv')


def test_stamp_holds_for_the_unchanged_manifest_alone(tmp_path):
    file = tmp_path / 'split.csv'
    write_manifest(file, *ROWS)
    assert read_stamp(file) is None
    write_stamp(file, dict(images=2))
    assert (tmp_path / 'split.stamp.json').exists()
    assert read_stamp(file)['images'] == 2
    file.write_text(file.read_text() + 'c.jpg,B,val,\n')
    assert read_stamp(file) is None


def test_other_encodings_are_named(tmp_path):
    file = tmp_path / 'split.csv'
    for encoding in ('cp1252', 'utf-16-le'):  # the latter without its mark
        file.write_text('path,label,split\nä.jpg,B,val\n', encoding=encoding)
        with pytest.raises(InputError, match='split.csv.*UTF-8'):
            read_manifest(file)


def test_labels_are_not_needed_for_pretraining(tmp_path):
    file = tmp_path / 'split.csv'
    file.write_text('path,split\na.jpg,train\n')
    columns = read_manifest(file, with_label=False)
    assert columns == (['a.jpg'], [''], ['train'], [None])
    with pytest.raises(InputError, match='no column label'):
        read_manifest(file)


def test_a_person_s_labels_count_wherever_the_file_lies(tmp_path):
    file = tmp_path / 'split.csv'
    rows = ['B/1.jpg'], ['A'], ['A', 'B'], file
    file.write_text('path,label,split\nB/1.jpg,A,train\n')
    with pytest.raises(InputError, match='labelled A.*says B'):
        label_indices(*rows)
    file.write_text('path,label,split,predicted\nB/1.jpg,A,train,B\n')
    assert label_indices(*rows) == [0]
