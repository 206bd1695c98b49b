"""predictions.csv, written and read; the page's export, read back."""

import csv

import numpy as np
import pytest

from bm_plugins.apis.bundle.cell_predictor import Judgement
from bm_plugins.apis.prediction.table import (
    CellRow,
    header,
    match_corrections,
    read_corrections,
    read_table,
    table_rows,
)
from bm_plugins.datasets import Matek
from bm_plugins.errors import InputError
from bm_plugins.utils.csv_file import write_csv
from tests.apis.tiny_bundle import CODES

HEAD = 'path,label,split,predicted\n'
SAID = Judgement(
    np.array([[0.25, 0.7, 0.05], [1 / 3, 1 / 3, 1 / 3]]),
    np.array([[True, True, False], [False] * 3]),
    np.array([0.125, 1.5]),
    ('unsure', 'unlike'),
)


def test_round_trip(tmp_path):
    rows = table_rows(['=a,"1".jpg', 'b.jpg'], SAID, CODES, ['', 'size'])
    assert rows[0] == [
        *('=a,"1".jpg', 'LYT', '0.700000', '0.250000', '0.700000'),
        *('0.050000', 'LYT BLA', '0.12500', 'unsure', ''),
    ]
    assert ','.join(header(CODES)) == (
        'path,code,confidence,p_BLA,p_LYT,p_NGS,set,distance,flag,field'
    )
    file = tmp_path / 'predictions.csv'
    with open(file, 'w', newline='') as stream:
        csv.writer(stream).writerows([header(CODES), *rows])
    assert list(read_table(file, CODES)) == [
        CellRow('=a,"1".jpg', 'LYT', 0.7, ('LYT', 'BLA'), 'unsure', ''),
        CellRow('b.jpg', 'BLA', 0.333333, (), 'unlike', 'size'),
    ]


def test_a_table_of_an_earlier_version(tmp_path):
    file = tmp_path / 'predictions.csv'
    file.write_text(
        'path,code,confidence,p_BLA,set,distance,flag\na.jpg,BLA,1,1,BLA,0,\n'
    )
    assert list(read_table(file, ('BLA',))) == [
        CellRow('a.jpg', 'BLA', 1.0, ('BLA',), '', None)
    ]


def test_codes_with_spaces(tmp_path):
    codes = ('Small Lymph', 'Gö 2', 'NGS')
    rows = table_rows(['a.jpg', 'b.jpg'], SAID, codes, ['', ''])
    assert [row[-4] for row in rows] == ['Gö 2|Small Lymph', '']
    file = tmp_path / 'predictions.csv'
    with open(file, 'w', newline='', encoding='utf-8') as stream:
        csv.writer(stream).writerows([header(codes), *rows])
    found = [row.set for row in read_table(file, codes)]
    assert found == [('Gö 2', 'Small Lymph'), ()]


@pytest.mark.parametrize(
    'text',
    [
        '',
        'path;code\n',
        'path,code,confidence,p_BLA,set,distance,flag\na,BLA\n',
        'path,code,confidence,p_BLA,set,distance,flag\na,X,1,1,BLA,0,\n',
        'path,code,confidence,p_BLA,set,distance,flag\na,BLA,?,1,BLA,0,\n',
        'path,code,confidence,p_BLA,set,distance,flag\na,BLA,1,1,BLA,0,,\n',
        'path,code,confidence,p_BLA,set,distance,flag,field\na,BLA,1,1,BLA,0,\n',
    ],
)
def test_a_file_that_was_changed(tmp_path, text):
    file = tmp_path / 'predictions.csv'
    file.write_text(text)
    with pytest.raises(InputError, match='predictions.csv is not as it was'):
        list(read_table(file, ('BLA',)))


def test_codes_by_path(tmp_path):
    file = tmp_path / 'c.csv'
    text = 'a/1.jpg,LYT,train,BLA\n"b,2.jpg",BLA,train,BLA'
    file.write_text('﻿' + HEAD + text)
    assert read_corrections(file, CODES) == {
        'a/1.jpg': 'LYT',
        'b,2.jpg': 'BLA',
    }
    file.write_text(HEAD)
    assert read_corrections(file, CODES) == {}
    file.write_text('path;label\na/1,5.jpg;LYT\n')  # of a spreadsheet
    assert read_corrections(file, CODES) == {'a/1,5.jpg': 'LYT'}


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'expected the columns.*found nothing'),
        ('path;name\n', 'expected the columns'),
        (HEAD + 'a,XYZ,train,BLA\n', "line 2: unknown class 'XYZ'"),
        (HEAD + 'a\n', 'line 2: 1 cells for the 4 columns'),
        (HEAD + 'a,BLA,train,BLA\na,LYT,train,BLA\n', 'line 3: a is there'),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    file = tmp_path / 'c.csv'
    file.write_text(text)
    with pytest.raises(InputError, match=f'c.csv.*{message}'):
        read_corrections(file, CODES)


def test_missing_and_not_text(tmp_path):
    with pytest.raises(InputError, match='c.csv does not exist'):
        read_corrections(tmp_path / 'c.csv', CODES)
    (tmp_path / 'd.csv').write_bytes(b'\xff\xfa')
    with pytest.raises(
        InputError, match='d.csv, line 1: is no CSV file in UTF-8'
    ):
        read_corrections(tmp_path / 'd.csv', CODES)


def test_of_another_patient_with_files_of_the_same_names(tmp_path):
    table, file = tmp_path / 'predictions.csv', tmp_path / 'c.csv'
    write_csv(
        table,
        header(CODES),
        [
            [path, code, '0.9', '0.9', '0.1', '0.0', code, '0.1', '', '']
            for path, code in (('a', 'BLA'), ('b', 'LYT'), ('c', 'NGS'))
        ],
    )
    file.write_text(HEAD + 'a,LYT,train,BLA\nb,LYT,train,LYT\n')
    match_corrections(file, table, CODES)
    file.write_text('path,label\na,LYT\n')  # does not say
    match_corrections(file, table, CODES)
    file.write_text(HEAD + 'a,LYT,train,NGS\nb,LYT,train,LYT\n')
    with pytest.raises(InputError, match='1 of the 2 corrections.*first: a'):
        match_corrections(file, table, CODES)
    file.write_text(HEAD + 'a,LYT,train,BLA\nx,LYT,train,LYT\n')
    with pytest.raises(InputError, match='1 of 2 rows match no image: x'):
        match_corrections(file, table, CODES)


def test_as_a_spreadsheet_saves_them(tmp_path):
    """Blank rows, padding, other spellings of a path, a row twice."""
    table, file = tmp_path / 'predictions.csv', tmp_path / 'c.csv'
    row = ['BLA', '0.9', '0.9', '0.1', '0.0', 'BLA', '0.1', '']
    paths = ['s1/a.jpg', 's2/a.jpg', 's1/b.jpg']
    write_csv(table, header(CODES), [[path, *row, ''] for path in paths])

    def matched(*lines):
        text = '\r\n'.join(['sep=;', 'Path;Label;split;Predicted', *lines, ''])
        file.write_text(text, encoding='utf-8-sig')
        return match_corrections(file, table, CODES, tmp_path / 'patient 7')

    found = matched(';;;', 's1\\a.jpg; LYT ;train;BLA', ' ; ;;', ';;;')
    assert found == {'s1/a.jpg': 'LYT'}
    same = 'patient 7/s2/a.jpg;NGS;;', './s2/a.jpg;NGS;;BLA', 'b.jpg;BLA;;'
    assert matched(*same) == {'s2/a.jpg': 'NGS', 's1/b.jpg': 'BLA'}
    with pytest.raises(InputError, match='line 4: s2/a.jpg is there more th'):
        matched('s2/a.jpg;NGS;;', './s2/a.jpg;LYT;;')
    with pytest.raises(InputError, match=r'1 of 1 rows .*a.jpg \(several'):
        matched('a.jpg;NGS;;')


def test_they_are_labels_for_training_wherever_the_files_lie(tmp_path):
    """A folder of another class, a prefix of another class, and none."""
    rows = [
        ('BLA/x.jpg', 'LYT'),
        ('LYT_1.jpg', 'BLA'),
        ('smear_1/3.jpg', 'NGS'),
    ]
    for path, _ in rows:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b'')
    file = tmp_path / 'corrections.csv'
    lines = [f'{path},{label},train,BLA' for path, label in rows]
    file.write_text(HEAD + '\n'.join(lines))
    cells = Matek(str(tmp_path), ann_file=str(file), pipeline=[])
    found = [cells.get_data_info(i) for i in range(3)]
    assert [(d['path'], cells.CLASSES[d['gt_label']]) for d in found] == rows
    file.write_text(file.read_text().replace('NGS', 'XYZ'))
    with pytest.raises(InputError, match="unknown code 'XYZ'"):
        Matek(str(tmp_path), ann_file=str(file), pipeline=[])
    file.write_text(file.read_text().replace('predicted', 'note'))
    file.write_text(file.read_text().replace('XYZ', 'NGS'))
    with pytest.raises(InputError, match='neither a folder nor the file'):
        Matek(str(tmp_path), ann_file=str(file), pipeline=[]).full_init()
