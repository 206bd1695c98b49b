"""The page and the table of explained cells."""

import csv
import re

import numpy as np
import pytest
import torch
from matplotlib import colormaps

from bm_plugins.apis.explanation.explain import Explanation
from bm_plugins.apis.explanation.heat_map import Heat
from bm_plugins.apis.explanation.page import overlay, write_nearest, write_page
from tests.apis.tiny_bundle import tiny_bundle

NASTY = '<img src=x onerror=alert(1)>&"\'.jpg'


@pytest.fixture
def cells():
    heat = torch.zeros(48, 48)
    heat[10, 20] = 1
    return [
        Explanation(
            path=NASTY,
            image=np.full((48, 48, 3), 100, np.uint8),
            probabilities=np.array([0.2, 0.7, 0.1]),
            target=0,
            heat=Heat(heat, (6, 6), True),
            nearest=np.array([4, 29]),
            similarities=np.array([0.98765, 0.5]),
        )
    ]


def test_overlay_by_hand():
    image = np.full((1, 2, 3), 100, np.uint8)
    found = overlay(image, np.array([[0.0, 1.0]]))
    yellow = np.array(colormaps['viridis'](1.0)[:3]) * 255
    assert found[0, 0].tolist() == [100, 100, 100]
    expected = np.round(0.35 * 100 + 0.65 * yellow)
    np.testing.assert_array_equal(found[0, 1], expected)


def test_table(cells, tmp_path):
    write_nearest(cells, tiny_bundle(), tmp_path / 'nearest.csv')
    with open(tmp_path / 'nearest.csv', newline='') as stream:
        rows = list(csv.DictReader(stream))
    # Labels of the tiny bundle: row modulo 3.
    assert [r['code'] for r in rows] == ['LYT', 'NGS']
    assert [r['reference'] for r in rows] == ['4.jpg', '29.jpg']
    assert [r['similarity'] for r in rows] == ['0.9877', '0.5000']
    assert [r['rank'] for r in rows] == ['1', '2']
    assert {r['path'] for r in rows} == {NASTY}


def test_page(cells, tmp_path):
    write_page(cells, tiny_bundle(), tmp_path / 'explain.html')
    text = (tmp_path / 'explain.html').read_text()
    assert '<img src=x' not in text and '&lt;img src=x' in text
    # No other file and no network: every picture is inside.
    assert set(re.findall(r'(?:src|href)="([^,]*)', text)) == {
        'data:image/png;base64',
        'data:image/jpeg;base64',
    }
    assert text.count('<img ') == 4
    assert 'LYT, Lymphocytes' in text and 'For BLA, Blasts' in text
    assert '70.0 %' in text and '0.988' in text and 'grid of 6 × 6' in text
    assert 'Grad-CAM' in text and 'does not show why' in text
    assert 'not for diagnosis' in text
