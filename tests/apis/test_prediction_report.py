"""Counts, smears and the choice of cells, by hand."""

import csv

import cv2
import numpy as np
import pytest
import torch

from bm_plugins.apis.bundle import Validation
from bm_plugins.apis.cell_list import CellList
from bm_plugins.apis.prediction_report import (
    choose,
    tally,
    validation_confusion,
    write_report,
)
from bm_plugins.apis.prediction_table import header
from bm_plugins.report.differential_scheme import Scheme, read_scheme
from tests.apis.tiny_bundle import CODES, tiny_bundle

SCHEME = Scheme(
    groups=dict(BLA='myeloid', LYT='other', NGS='myeloid'),
    counted=dict(BLA=True, LYT=False, NGS=True),
)


def table(folder, rows):
    """predictions.csv of path, code, confidence, flag."""
    file = folder / 'predictions.csv'
    with open(file, 'w', newline='') as stream:
        writer = csv.writer(stream)
        writer.writerow(header(CODES))
        for path, code, confidence, flag in rows:
            chances = [0.1] * 3
            row = [path, code, confidence, *chances, code, 1, flag, '']
            writer.writerow(row)
    return file


ROWS = [
    ('s1/a.jpg', 'BLA', 0.9, ''),
    ('s1/b.jpg', 'BLA', 0.5, 'unsure'),
    ('s1/c.jpg', 'LYT', 0.4, 'unlike'),
    ('s2/d.jpg', 'NGS', 0.8, 'unsure'),
    ('s2/e.jpg', 'NGS', 0.7, ''),
    ('s2/f.jpg', 'NGS', 0.6, ''),
]


def as_lists(smears):
    return {name: counts.tolist() for name, counts in smears.items()}


def test_counts_follow_the_corrections(tmp_path):
    file = table(tmp_path, ROWS)
    sums = tally(file, CODES, {})
    assert sums.counts.tolist() == [2, 1, 3]
    assert sums.doubtful.tolist() == [1, 1, 1]
    assert as_lists(sums.smears) == dict(s1=[2, 1, 0], s2=[0, 0, 3])
    corrections = {'s1/b.jpg': 'NGS', 's2/d.jpg': 'NGS', 's1/a.jpg': 'LYT'}
    sums = tally(file, CODES, corrections)
    assert sums.counts.tolist() == [0, 2, 4]
    assert sums.doubtful.tolist() == [0, 1, 0]
    assert as_lists(sums.smears) == dict(s1=[0, 2, 1], s2=[0, 0, 3])


@pytest.mark.parametrize(
    'paths',
    [
        ['a.jpg', 'b.jpg'],
        ['s1/a.jpg', 's1/b.jpg'],
        ['s1/a.jpg', 'b.jpg'],
        ['BLA/a.jpg', 'LYT/b.jpg'],
        ['PMO/a.jpg', 'other/b.jpg'],
        ['/s1/a.jpg', '/s2/b.jpg'],
        [f'{i}/a.jpg' for i in range(30)],
    ],
)
def test_folders_that_are_no_smears(tmp_path, paths):
    file = table(tmp_path, [(path, 'BLA', 1, '') for path in paths])
    assert tally(file, CODES, {}).smears is None


def test_doubtful_cells_are_chosen_first(tmp_path):
    file = table(tmp_path, ROWS)
    corrections = {'s2/e.jpg': 'NGS'}
    sums = tally(file, CODES, corrections)

    def chosen(limit):
        rows = choose(file, CODES, sums, corrections, limit)
        return [row.path[3] for row in rows]

    assert chosen(1) == ['e']
    assert chosen(2) == ['c', 'e']
    assert chosen(3) == ['b', 'c', 'e']
    assert chosen(4) == ['b', 'c', 'd', 'e']
    assert chosen(99) == list('abcdef')


def test_the_others_are_of_each_class(tmp_path):
    rows = [(f'{i}.jpg', 'BLA', 0.9, '') for i in range(3000)]
    rows += [(f'l{i}.jpg', 'LYT', 0.9, '') for i in range(300)]
    rows += [(f'n{i}.jpg', 'NGS', 0.9, '') for i in range(3)]
    file = table(tmp_path, rows)
    sums = tally(file, CODES, {})
    codes = [row.code for row in choose(file, CODES, sums, {}, 203)]
    assert len(codes) == 203 and codes.count('NGS') == 3
    # Some 100 each; three standard deviations of a Poisson's 100 are 30.
    assert abs(codes.count('LYT') - 100) < 30


def test_confusion_of_validation():
    logits = torch.tensor([[2.0, 1, 0], [0, 1, 2], [0, 3, 1], [5, 0, 0]])
    labels = torch.tensor([0, 0, 1, 1])
    held = Validation(logits, labels, torch.zeros(4))
    found = validation_confusion(tiny_bundle(validation=held))
    assert found.tolist() == [[1, 0, 1], [1, 1, 0], [0, 0, 0]]


def test_files_are_written(tmp_path):
    table(tmp_path, ROWS)
    for path, *_ in ROWS[:-1]:  # the last has gone
        (tmp_path / path).parent.mkdir(exist_ok=True)
        image = np.full((200, 100, 3), 90, np.uint8)
        cv2.imwrite(str(tmp_path / path), image)
    bundle = tiny_bundle(info=dict(cautions=['Tried on few cells.']))
    scheme = read_scheme(None, CODES)
    args = (tmp_path, CellList(tmp_path, []), bundle, scheme)
    result = write_report(*args, {}, 4, dict(Fact='told'), 'patient <7>')
    page = (tmp_path / 'report.html').read_text()
    assert 'differential: patient &lt;7&gt;' in page
    assert 'Tried on few cells.' in page
    assert 'told' in page and '4 of 6, the doubtful first' in page
    assert result.rows[0].adjusted is not None
    with open(tmp_path / 'differential.csv') as stream:
        rows = {r['code']: r for r in csv.DictReader(stream) if r['code']}
    assert [rows[c]['count'] for c in CODES] == ['2', '1', '3']
    result = write_report(*args, {'s1/a.jpg': 'LYT'}, 99, {}, 'x')
    assert [row.count for row in result.rows] == [1, 2, 3]
    assert result.rows[0].adjusted is None
    assert sum('no adjusted estimate' in note for note in result.notes) == 1
    by_smear = (tmp_path / 'differential_by_smear.csv').read_text()
    assert by_smear.splitlines()[1].startswith('s1,BLA,1,33.3333,')
    page = (tmp_path / 'report.html').read_text()
    assert '6 of 6' in page and 'By smear' in page
