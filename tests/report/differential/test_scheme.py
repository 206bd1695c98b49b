import csv
from pathlib import Path

import pytest

from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.errors import InputError
from bm_plugins.report.differential.scheme import DEFAULT, read_scheme


def write(file: Path, *lines: str, head: str = 'code,group,counted') -> Path:
    file.write_text('\n'.join([head, *lines, '']))
    return file


def test_the_shipped_scheme_is_icsh_s():
    scheme = read_scheme(None, CLASSES)
    left_out = {code for code in CLASSES if not scheme.counted[code]}
    sides = {
        group: {code for code in CLASSES if scheme.groups[code] == group}
        for group in ('myeloid', 'erythroid', 'other')
    }
    # Lee et al. 2008: granulocytes, monocytes and their precursors (here
    # also the abnormal ones) to erythroblasts at all stages.
    granulocytic = {
        'BLA',
        'PMO',
        'FGC',
        'MYB',
        'MMZ',
        'NGB',
        'NGS',
        'EOS',
        'ABE',
        'BAS',
    }
    assert left_out == {'ART', 'KSC', 'NIF'}
    assert sides['myeloid'] == granulocytic | {'MON'}
    assert sides['erythroid'] == {'PEB', 'EBO'}
    lymphoid = {'LYT', 'LYI', 'HAC', 'PLM'}
    assert sides['other'] == lymphoid | {'OTH', 'ART', 'KSC', 'NIF'}
    assert scheme.unknown == ()
    with open(DEFAULT, newline='') as stream:
        codes = [row['code'] for row in csv.DictReader(stream)]
    assert codes == list(CLASSES)  # each once, as in the collection


def test_some_of_the_classes_in_their_order():
    scheme = read_scheme(None, ['PEB', 'ART'])
    assert [*scheme.groups.items()] == [
        ('PEB', 'erythroid'),
        ('ART', 'other'),
    ]
    assert scheme.counted == {'PEB': True, 'ART': False}


def test_other_classes_without_a_file_are_counted_and_named():
    scheme = read_scheme(None, ['BLA', 'MEG', 'MAST'])
    assert scheme.unknown == ('MEG', 'MAST')
    assert scheme.groups['MEG'] == 'other' and scheme.counted['MEG']
    assert scheme.groups['BLA'] == 'myeloid'


def test_a_laboratory_s_file(tmp_path):
    file = write(
        tmp_path / 'ours.csv', 'BLA,other,yes', ' MEG , Other,NO', 'X,other,no'
    )
    scheme = read_scheme(file, ['MEG', 'BLA'])
    assert scheme.groups == {'MEG': 'other', 'BLA': 'other'}
    assert scheme.counted == {'MEG': False, 'BLA': True}
    assert scheme.unknown == ()


def test_a_file_as_spreadsheets_write_it(tmp_path):
    file = tmp_path / 'ours.csv'
    lines = 'code;group;counted;comment\r\nBLA;myeloid;yes;ärztlich\r\n'
    file.write_bytes(b'\xef\xbb\xbf' + lines.encode())
    assert read_scheme(file, ['BLA']).groups == {'BLA': 'myeloid'}


def test_blank_lines_are_none(tmp_path):
    file = write(tmp_path / 'ours.csv', 'BLA,myeloid,yes', '', ',,')
    assert read_scheme(file, ['BLA']).counted == {'BLA': True}


@pytest.mark.parametrize(
    'lines, message',
    [
        (['BLA,myeloid,yes'], r'no line for LYT, NGS; .* "LYT,other,yes"'),
        (['BLA,myelod,yes'], 'line 2, BLA: the group is "myelod"; expected'),
        (['BLA,myeloid,1'], 'line 2, BLA: counted is "1"; expected yes or no'),
        (['BLA,myeloid'], 'line 2: 2 cells for the 3 columns'),
        (['BLA,myeloid,'], 'line 2: no counted'),
        ([',myeloid,yes'], 'line 2: no code'),
        (
            ['BLA,myeloid,yes', 'BLA,other,no'],
            'line 3, BLA: expected each class once',
        ),
    ],
)
def test_wrong_lines(tmp_path, lines, message):
    file = write(tmp_path / 'ours.csv', *lines)
    with pytest.raises(InputError, match=message) as error:
        read_scheme(file, ['BLA', 'LYT', 'NGS'])
    assert str(file) in str(error.value)


def test_wrong_files(tmp_path):
    file = tmp_path / 'ours.csv'
    with pytest.raises(InputError, match='ours.csv does not exist'):
        read_scheme(file, ['BLA'])
    with pytest.raises(InputError, match='Is a directory'):
        read_scheme(tmp_path, ['BLA'])
    file.write_bytes(b'\xff\xfe\x00')
    with pytest.raises(InputError, match='no CSV file in UTF-8'):
        read_scheme(file, ['BLA'])
    file.write_text('"' + 200_000 * 'x')
    with pytest.raises(InputError, match='line 1: field larger'):
        read_scheme(file, ['BLA'])
    file.write_text('')
    with pytest.raises(InputError, match='found nothing'):
        read_scheme(file, ['BLA'])
    write(file, 'BLA,myeloid', head='code,group')
    with pytest.raises(InputError, match='code,group,counted, found code,gr'):
        read_scheme(file, ['BLA'])
