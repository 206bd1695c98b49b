import pytest

from bm_plugins.report.cell_page.cell_sections import LONG, sections, unseen

SURE = dict(code=0, flag='', confidence=0.9, corrected=None)
UNSURE = SURE | dict(flag='unsure')


def totals(found):
    return [(x['flag'], x['code'], x['cells'], x['total']) for x in found]


def test_corrected_cells_count_where_they_were_suggested():
    cells = [SURE, SURE | dict(corrected=1, confidence=0.8), UNSURE]
    cells.append(UNSURE | dict(code=1, corrected=0))
    # 10 cells: 7 sure ones suggested as class 0, one of them now in 1; an
    # unsure one now in 0; an unsure one of 0; an unsure one of 1 off the page.
    classes = [dict(count=8, doubtful=1), dict(count=2, doubtful=1)]
    assert unseen(cells, classes) == 1
    assert totals(sections(cells, classes)) == [
        ('unsure', None, [2, 3], 3),
        ('', 0, [1, 0], 7),
    ]


@pytest.mark.parametrize(('more', 'codes'), [(0, [None]), (1, [0, 1])])
def test_a_long_section_is_divided(more, codes):
    cells = [UNSURE] * (LONG - 10) + [UNSURE | dict(code=1)] * (10 + more)
    classes = [
        dict(count=LONG - 10, doubtful=LONG - 10),
        dict(count=10 + more, doubtful=10 + more),
    ]
    found = sections(cells, classes)
    assert [section['code'] for section in found] == codes
    assert [len(x['cells']) for x in found] == [x['total'] for x in found]
