import csv

import pytest

from bm_plugins.csv_file import write_csv
from bm_plugins.errors import InputError


def test_what_is_written_is_read(tmp_path):
    rows = [['a,b', 'Zelle "ü"'], ['line\nbreak', '']]
    write_csv(tmp_path / 'x.csv', ['one', 'two'], rows)
    with open(tmp_path / 'x.csv', newline='', encoding='utf-8') as stream:
        assert list(csv.reader(stream)) == [['one', 'two'], *rows]


def test_a_failing_row_leaves_the_old_file(tmp_path):
    file = tmp_path / 'x.csv'
    write_csv(file, ['one'], [['old']])

    def rows():
        yield ['new']
        raise ValueError

    with pytest.raises(ValueError):
        write_csv(file, ['one'], rows())
    assert file.read_text() == 'one\nold\n'
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match='cannot write'):
        write_csv(tmp_path / 'gone' / 'x.csv', ['one'], [])
