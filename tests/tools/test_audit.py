import re
import shutil
from html.parser import HTMLParser

import pytest

from tests.datasets.audit.planted import collect, plant


class Tags(HTMLParser):
    """Names of elements, and their text."""

    def __init__(self, page):
        super().__init__()
        self.names, self.text, self.outside = [], '', []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        urls = [v for k, v in attrs if k in ('src', 'href')]
        self.outside += [url for url in urls if not url.startswith('data:')]

    def handle_data(self, data):
        self.text += data


@pytest.mark.slow
def test_page_and_figures(tmp_path, tool):
    root, out = plant(collect(tmp_path / 'cells')), tmp_path / 'out'
    evil = 'LYT_<script>alert(1)</script>'.replace('/', '\u2215')
    shutil.copy(root / 'LYT/LYT_00001.jpg', root / f'LYT/{evil}.jpg')
    status, printed, error = tool('audit', root, '--out', out)
    assert status == 0, error
    assert re.search(r'^groups of duplicates +3$', printed, re.M)
    assert re.search(r'^unreadable +2$', printed, re.M)
    page = Tags((out / 'audit.html').read_text())
    assert 'script' not in page.names and evil in page.text
    assert page.names.count('img') == 7 and not page.outside
    assert 'truncated JPEG' in page.text and 'across classes' in page.text
    again = tool('audit', root, '--out', out)
    assert (
        again[0] == 0
        and again[1].splitlines()[-1] == (printed.splitlines()[-1])
    )


def test_bad_input_is_one_line(tmp_path, tool):
    status, _, error = tool('audit', tmp_path / 'no', '--out', tmp_path / 'o')
    assert status == 2 and error.startswith('error: ')
    assert len(error.splitlines()) == 1
