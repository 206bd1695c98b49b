"""The data card's counts are those that the code knows."""

import re
from pathlib import Path

from bm_plugins.datasets.matek_classes import CLASSES, FULL_NAMES, SUPPORTS

CARD = Path('docs/data_card.md').read_text(encoding='utf-8')


def test_counts_and_names():
    cells = re.findall(r'\| ([A-Z]{3}) \| ([^|]+) \| ([\d,]+) ', CARD)
    found = {code: (name, int(n.replace(',', ''))) for code, name, n in cells}
    known = zip(FULL_NAMES, SUPPORTS, strict=True)
    assert found == dict(zip(CLASSES, known, strict=True))
    assert f'{sum(SUPPORTS):,} JPEG images' in CARD


def test_pages_that_it_names_exist():
    for page in re.findall(r'\]\((\w+\.md)\)', CARD):
        assert Path('docs', page).is_file()
