import json
import re
from html.parser import HTMLParser

import pytest
from scipy.stats import norm

from bm_plugins.errors import InputError
from bm_plugins.report.cell_page.cell_report import (
    LONG,
    fixed,
    sections,
    unseen,
)
from tests.report.cell_page.browser import cell, gallery, write


class Tags(HTMLParser):
    """Elements by name, and the text of the table."""

    def __init__(self, text):
        super().__init__()
        self.names, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += [name for name, _ in attrs]


def test_text_from_outside_makes_no_element(tmp_path):
    text = write(tmp_path / 'report.html').read_text()
    tags = Tags(text)
    assert tags.names.count('script') == 2 and tags.names.count('img') == 1
    assert not [name for name in tags.attributes if name.startswith('on')]
    assert 'http://' not in text and 'https://' not in text
    assert '\u2028' not in text.split('id="data">')[1].split('</script>')[0]


def test_corrections_belong_to_the_predictions(tmp_path):
    def digest(cells):
        text = write(tmp_path / 'digest.html', cells).read_text()
        return re.search(r'"digest": "(\w{64})"', text)[1]

    first = gallery()
    seen = [cell('h.jpg', 'LYT', 0.90, corrected='BLA'), *first[1:]]
    other = [cell('h.jpg', 'LYT', 0.91), *first[1:]]
    assert digest(first) == digest(seen) != digest(other)


def test_halves_are_rounded_as_in_the_browser():
    assert [fixed(x) for x in (6.25, 12.35, 0.05, 100.0, None)] == [
        *('6.3', '12.3', '0.1', '100.0', '–')
    ]


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (cell('x.jpg', 'LYT', 0.9, corrected='XYZ'), "'XYZ' of x.jpg"),
        (cell('x.jpg', 'LYT', 0.9, ('QQQ',)), "'QQQ' of x.jpg"),
        (cell('x.jpg', 'LYT', 0.9, flag='odd'), 'flag of x.jpg'),
    ],
)
def test_wrong_cell_is_named(tmp_path, wrong, message):
    with pytest.raises(InputError, match=message):
        write(tmp_path / 'wrong.html', [wrong])
    assert not (tmp_path / 'wrong.html').exists()


def test_picture_must_be_one(tmp_path):
    wrong = cell('x.jpg', 'LYT', 0.9)
    object.__setattr__(wrong, 'picture', b'GIF89a')
    with pytest.raises(InputError, match='x.jpg: expected JPEG or PNG'):
        write(tmp_path / 'wrong.html', [wrong])


def test_interval_is_at_95_percent(tmp_path):
    text = write(tmp_path / 'report.html').read_text()
    data = json.loads(text.split('id="data">')[1].split('</script>')[0])
    assert data['z2'] == pytest.approx(norm.ppf(0.975) ** 2, rel=1e-12)


def test_limits_of_the_model_are_listed(tmp_path):
    cautions = [
        'Trained on one <b>laboratory</b>.',
        'Rare classes: "few" & so',
    ]
    text = write(tmp_path / 'report.html', cautions=cautions).read_text()
    about = text.split('id="about"')[1].split('</section>')[0]
    assert 'Limits of this model</h3>' in about
    assert '<li>Trained on one &lt;b&gt;laboratory&lt;/b&gt;.</li>' in about
    assert '<li>Rare classes: &#34;few&#34; &amp; so</li>' in about
    text = write(tmp_path / 'report.html').read_text()
    assert 'Limits of this model' not in text


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
