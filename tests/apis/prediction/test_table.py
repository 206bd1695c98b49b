"""predictions.csv, written and read."""

import csv

import numpy as np
import pytest

from bm_plugins.apis.bundle.cell_predictor import Judgement
from bm_plugins.apis.prediction.table import (
    CellRow,
    header,
    read_table,
    table_rows,
)
from bm_plugins.errors import InputError

CODES = ('BLA', 'LYT', 'NGS')
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
