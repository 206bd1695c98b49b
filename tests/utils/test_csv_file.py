import csv

import pytest

from bm_plugins.errors import InputError
from bm_plugins.utils.csv_file import has_column, read_csv, write_csv


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


ROWS = [('a/1,5.jpg', 'é'), ('b;2.jpg', 'B B')]


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
@pytest.mark.parametrize('between', [',', ';', '\t'])
@pytest.mark.parametrize('said', [False, True])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_as_people_save_them(tmp_path, encoding, between, said, end):
    """Other order and case, padding, blank rows, an empty last column."""
    file = tmp_path / 'x.csv'
    lines = [['no', ' Label ', 'Image  PATH', ''], ['', ' ', '', '']]
    for number, (path, label) in enumerate(ROWS):
        lines.append([f'{number}', f'{label} ', f'"{path}"', ''])
        lines.append([''] * 4)
    text = end.join(between.join(line) for line in lines)
    if said:
        text = f'sep={between}{end}{text}'
    file.write_bytes(text.encode(encoding))
    table = read_csv(file, ['path', 'label'], ['fold'])
    assert list(zip(*table.columns.values(), strict=True)) == ROWS
    assert [*table.columns] == ['path', 'label']
    assert table.lines == [3 + said, 5 + said]
    assert list(table)[1] == (5 + said, dict(path='b;2.jpg', label='B B'))
    assert has_column(file, 'no') and not has_column(file, 'predicted')


def test_padding_around_quotation_marks(tmp_path):
    file = tmp_path / 'x.csv'
    file.write_text('"label" ; "path"\n B; "a;1.jpg"\n')
    table = read_csv(file, ['path', 'label'])
    assert table.columns == dict(path=['a;1.jpg'], label=['B'])


@pytest.mark.parametrize(
    'name',
    [
        *('um_per_px', 'UM per px', '\xb5m_per_px', '\u03bcm / px', 'MPP'),
        *('\xb5m/px', 'um_per_pixel', 'microns per pixel', '\xb5m/Pixel'),
    ],
)
def test_a_scale_is_found_by_its_other_names(tmp_path, name):
    file = tmp_path / 'x.csv'
    file.write_text(f'path;{name}\na;0,1\n', encoding='utf-8')
    table = read_csv(file, ['path'], ['um_per_px'])
    assert table.columns == dict(path=['a'], um_per_px=['0,1'])


def test_one_column_and_a_cell_of_several_lines(tmp_path):
    file = tmp_path / 'x.csv'
    file.write_text('path\n\n"a\nb"\nc d\n')
    table = read_csv(file, ['path'])
    assert table.columns == dict(path=['a\nb', 'c d'])
    assert table.lines == [4, 5]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'no column path, label; expected .*found nothing'),
        ('\n;;\n', 'no column path, label; .*found nothing'),
        ('A/1.jpg;B\nC/2.jpg;D\n', 'found A/1.jpg,B. Add a first line'),
        ('path,Lable\na,B\n', 'no column label; .*found path,Lable. Name'),
        ('path,label,Path\na,B,c\n', '2 columns path'),
        ('path,image path,label\na,b,B\n', '2 columns path'),
        ('path,label\na,B\nb\n', 'line 3: 1 cells for the 2'),
        ('path,label\na,B\n\nb,B,x\n', 'line 4: 3 cells for the 2'),
        ('path,label\na b.jpg,B\n ,B\n', 'line 3: no path'),
        ('path,label\na,\n', 'line 2: no label'),
        ('path,label\n"a,B\nb,B\n', 'line 3: unexpected end.*quotation'),
        ('path,label\na\0,B\n', 'no CSV file in UTF-8.*zero'),
        ('sep=;\npath,label\na,B\n', 'no column path, label'),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    file = tmp_path / 'x.csv'
    file.write_text(text)
    with pytest.raises(InputError, match=f'^list .*x.csv.*{message}'):
        read_csv(file, ['path', 'label'], what='list')


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match='gone.csv does not exist'):
        read_csv(tmp_path / 'gone.csv', ['path'])
    with pytest.raises(InputError, match='cannot be read: Is a directory'):
        read_csv(tmp_path, ['path'])
    file = tmp_path / 'x.csv'
    file.write_text('path\nä.jpg\n', encoding='cp1252')
    with pytest.raises(InputError, match='no CSV file in UTF-8'):
        read_csv(file, ['path'])
