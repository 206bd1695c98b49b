import csv

import pytest
from scipy.stats import binomtest

from bm_plugins.errors import InputError
from bm_plugins.report.differential.differential import differential
from bm_plugins.report.differential.scheme import read_scheme
from bm_plugins.report.differential.table import (
    write_by_smear,
    write_differential,
)
from tests.report.slide import slide_of

CODES = ('BLA', 'NGS', 'EBO', 'ART')
NAMES = ('Blasts', 'Segmented, "ripe"', 'Erythroblasts', '=1+1 Ärtefakte')


def found(counts=(25, 325, 150, 40), doubtful=(5, 70, 10, 30), **kwargs):
    scheme = read_scheme(None, CODES)
    return differential(counts, doubtful, scheme, CODES, NAMES, **kwargs)


def test_as_text(tmp_path):
    write_differential(found(decided=540), tmp_path / 'differential.csv')
    # The intervals are scipy's, binomtest(k, 500).proportion_ci.
    lines = (tmp_path / 'differential.csv').read_text('utf-8').splitlines()
    assert lines[:8] == [
        'kind,code,name,group,counted,count,doubtful,percent,low,high,'
        'percent_sure,adjusted,adjusted_low,adjusted_high,ratio,ratio_low,'
        'ratio_high,text',
        'class,BLA,Blasts,myeloid,yes,25,5,5.0000,3.4094,7.2768,4.8193,,,,,,,',
        'class,NGS,"Segmented, ""ripe""",myeloid,yes,325,70,65.0000,60.7193,'
        '69.0520,61.4458,,,,,,,',
        'class,EBO,Erythroblasts,erythroid,yes,150,10,30.0000,26.1482,'
        '34.1568,33.7349,,,,,,,',
        'class,ART,=1+1 Ärtefakte,other,no,40,30,,,,,,,,,,,',
        'total,TOTAL,Counted cells,,yes,500,85,100.0000,,,,,,,,,,',
        'total,LEFT_OUT,Cells left out of the percentages,,no,40,,,,,,,,,,,,',
        'ratio,M:E,Myeloid to erythroid ratio,,,,,,,,,,,,2.3333,1.9277,'
        '2.8244,',
    ]
    write_differential(found(), tmp_path / 'differential.csv')
    lines = (tmp_path / 'differential.csv').read_text('utf-8').splitlines()
    # None of them before a person has decided on the cells.
    assert (lines[1], lines[7]) == (
        'class,BLA,Blasts,myeloid,yes,25,5,5.0000,,,4.8193,,,,,,,',
        'ratio,M:E,Myeloid to erythroid ratio,,,,,,,,,,,,2.3333,,,',
    )


def read(file):
    with open(file, newline='', encoding='utf-8') as stream:
        return list(csv.DictReader(stream))


def test_read_back(tmp_path):
    file = tmp_path / 'differential.csv'
    estimate, counts = slide_of([50, 650, 300, 80], [50] * 4)
    given = found(counts, (10, 140, 20, 60), estimate=estimate)
    write_differential(given, file)
    rows = read(file)
    classes = {row['code']: row for row in rows if row['kind'] == 'class'}
    assert [*classes] == list(CODES)
    for row in given.rows:
        line = classes[row.code]
        assert line['name'] == row.full_name
        assert int(line['count']) == row.count
        for name in [*line][7:14]:
            value = getattr(row, name)
            written = float(line[name]) if line[name] else None
            assert written == pytest.approx(value, abs=5e-5)
    counted = [x for x in classes.values() if x['counted'] == 'yes']
    (total,) = (row for row in rows if row['code'] == 'TOTAL')
    assert int(total['count']) == sum(int(x['count']) for x in counted)
    assert sum(float(x['percent']) for x in counted) == pytest.approx(100)
    (line,) = (row for row in rows if row['code'] == 'M:E')
    ratios = [float(line[name]) for name in [*line][11:15]]
    wanted = [*given.me_adjusted, given.me_ratio]
    assert ratios == pytest.approx(wanted, abs=5e-5)
    assert [*line][11] == 'adjusted' and 1 < ratios[1] < ratios[0] < ratios[2]
    texts = {
        kind: tuple(row['text'] for row in rows if row['kind'] == kind)
        for kind in ('warning', 'note')
    }
    notes = (given.trust, *given.notes)
    assert texts == {'warning': given.warnings, 'note': notes}
    assert len(given.warnings) == 1  # many are doubtful


@pytest.mark.parametrize(
    'counts, ratio',
    [((0, 9, 0, 0), ['', '2.3429', '']), ((0, 0, 0, 3), ['', '', ''])],
)
def test_no_infinity_and_no_nan(tmp_path, counts, ratio):
    file = tmp_path / 'differential.csv'
    write_differential(found(counts, (0,) * 4, decided=sum(counts)), file)
    rows = read(file)
    (line,) = (row for row in rows if row['code'] == 'M:E')
    assert [line['ratio'], line['ratio_low'], line['ratio_high']] == ratio
    numbers = {row[x] for row in rows for x in [*row][5:17]}
    assert not numbers & {'inf', 'nan', 'None', '-inf'}
    assert any('There is no M:E ratio' in row['text'] for row in rows)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match='cannot write'):
        write_differential(found(), tmp_path / 'none' / 'differential.csv')


def test_each_smear_beside_the_sum(tmp_path):
    file = tmp_path / 'by_smear.csv'
    smears = dict(s1=[5, 95, 100, 40], s2=[20, 230, 50, 0])
    write_by_smear(found(smears=smears, decided=540), file)
    rows = read(file)
    assert [(r['smear'], r['code'], r['count']) for r in rows] == [
        *(('s1', 'BLA', '5'), ('s1', 'NGS', '95'), ('s1', 'EBO', '100')),
        *(('s2', 'BLA', '20'), ('s2', 'NGS', '230'), ('s2', 'EBO', '50')),
    ]
    # scipy's binomtest(5, 200).proportion_ci(method='wilson')
    first = [float(rows[0][key]) for key in ('percent', 'low', 'high')]
    low, high = (
        100 * end for end in binomtest(5, 200).proportion_ci(method='wilson')
    )
    assert first == pytest.approx([2.5, low, high], abs=5e-5)
    write_by_smear(found(smears=smears), file)
    bare = [rows_[key] for rows_ in read(file) for key in ('low', 'high')]
    assert {*bare} == {''} and read(file)[0]['percent'] == '2.5000'
    one = found(smears=dict(s1=[25, 325, 150, 40]))
    assert one.by_smear == ()
    write_by_smear(one, file)  # what is there is of another prediction
    assert not file.exists()


def test_a_smear_without_a_counted_cell(tmp_path):
    smears = dict(s1=[25, 325, 150, 0], s2=[0, 0, 0, 40])
    made = found(smears=smears)
    last = made.by_smear[-1]
    assert (last.smear, last.count, last.percent) == ('s2', 0, None)
    assert 'Smear s2 has no counted cell.' in made.warnings
