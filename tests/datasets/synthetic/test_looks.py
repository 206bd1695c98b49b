import csv
from pathlib import Path

import pytest

from bm_plugins.datasets.synthetic.looks import LOOKS

ROOT = Path(__file__).resolve().parents[3]


def test_supports_equal_the_releases_table():
    table = ROOT.parent / 'shared/facts/classes.csv'
    if not table.is_file():
        pytest.skip('the table of the release is not beside the project')
    with open(table) as file:
        rows = {row['code']: row for row in csv.DictReader(file)}
    assert {c: int(rows[c]['support']) for c in rows} == {
        code: look.support for code, look in LOOKS.items()
    }
