from dataclasses import replace

import pytest

from bm_plugins.report.differential.differential import differential
from bm_plugins.report.differential.notes import (
    ALL_DECIDED,
    adjusted_notes,
    general_notes,
    left_out_note,
    ratio_notes,
    trust,
    warnings_of,
)
from bm_plugins.report.differential.scheme import read_scheme

SCHEME = read_scheme(None, ['BLA'])
TWO = read_scheme(None, ['BLA', 'NGS'])


@pytest.mark.parametrize(
    'total, doubtful, parts',
    [
        (500, 50, []),
        (499, 0, ['Only 499 nucleated cells', 'at least 500', 'at least 300']),
        (500, 51, ['51 of 500 counted cells (10.2 %) are doubtful']),
        (10, 10, ['Only 10', '10 of 10 counted cells (100.0 %)']),
        (0, 0, ['There is no counted cell']),
    ],
)
def test_warnings(total, doubtful, parts):
    found = warnings_of(total, doubtful, SCHEME, None)
    text = '\n'.join(found)
    assert all(part in text for part in parts)
    assert bool(found) == bool(parts)


def test_a_class_without_a_scheme_is_named():
    scheme = read_scheme(None, ['BLA', 'MEG', 'OST'])
    (found,) = warnings_of(500, 0, scheme, None)
    assert 'does not name MEG, OST: ' in found


def test_a_smear_without_a_counted_cell_is_named():
    smears = {'a': 300, 'b': 0, 'c': 200}
    assert warnings_of(500, 0, SCHEME, smears) == (
        'Smear b has no counted cell.',
    )
    assert warnings_of(500, 0, SCHEME, {'a': 500}) == ()


@pytest.mark.parametrize(
    'smears, start',
    [
        (None, 'From how many smears the cells come is not known. ICSH asks'),
        ({}, 'From how many smears the cells come is not known. ICSH asks'),
        ({'a': 500}, 'All counted cells come from one smear. ICSH asks'),
        ({'a': 500, 'b': 0}, 'All counted cells come from one smear. ICSH'),
        (
            {'a': 300, 'b': 200},
            'Counted cells by subfolder, each taken as a smear of one '
            'patient: a: 300, b: 200.',
        ),
        (
            dict.fromkeys(map(str, range(11)), 50),
            'The counted cells come from 11 smears.',
        ),
    ],
)
def test_smears(smears, start):
    assert general_notes(['BLA'], smears)[-1].startswith(start)


def test_absent_classes():
    absent = 'no class for megakaryocytes or mast cells'
    assert absent in '\n'.join(general_notes(['BLA', 'PLM'], None))
    assert absent not in '\n'.join(general_notes(['BLA', 'MEG'], None))


def test_left_out():
    assert left_out_note({'ART': 0, 'NIF': 0}) == []
    (found,) = left_out_note({'ART': 7, 'NIF': 0, 'KSC': 2})
    assert found.endswith(': ART: 7, KSC: 2.')


def test_blasts_are_myeloid_where_the_scheme_says_so():
    about = 'does not tell myeloblasts from lymphoblasts'
    groups = {'BLA': 'myeloid', 'NGS': 'myeloid', 'EBO': 'erythroid'}
    found = ratio_notes(groups, 30, 10, False)
    assert found[0] == (
        'The M:E ratio is that of the classes BLA NGS to EBO: 30 to 10 cells.'
    )
    assert about in found[1]
    found = ratio_notes({**groups, 'BLA': 'other'}, 30, 10, False)
    assert found == [
        'The M:E ratio is that of the classes NGS to EBO: 30 to 10 cells.'
    ]
    del groups['BLA']
    assert len(ratio_notes(groups, 30, 10, False)) == 1


@pytest.mark.parametrize(
    'myeloid, erythroid, end',
    [
        (5, 0, 'Of its interval only the lower end is known.'),
        (0, 0, 'neither a myeloid nor an erythroid cell was counted.'),
        (0, 5, 'The M:E ratio is 0, as no myeloid cell was counted.'),
    ],
)
def test_a_missing_ratio_is_explained(myeloid, erythroid, end):
    sides = {'NGS': 'myeloid', 'EBO': 'erythroid', 'LYT': 'other'}
    found = ratio_notes(sides, myeloid, erythroid, True)
    assert 'NGS to EBO' in found[0]
    assert found[1].endswith(end)
    found = ratio_notes(sides, myeloid, erythroid, False)
    assert 'interval' not in found[1]


@pytest.mark.parametrize(
    ('groups', 'side'),
    [
        ({'LYT': 'other', 'PLATELET': 'other'}, 'myeloid'),
        ({'NGS': 'myeloid', 'LYT': 'other'}, 'erythroid'),
        ({'EBO': 'erythroid'}, 'myeloid'),
    ],
)
def test_no_ratio_without_a_class_on_each_side(groups, side):
    (found,) = ratio_notes(groups, 3, 0, True)
    assert found == f'There is no M:E ratio: the scheme has no {side} class.'


def test_adjusted():
    (found,) = adjusted_notes(None)
    assert found.startswith('There are no estimated percentages')
    assert 'for which mixture of classes they were fitted' in found
    (found,) = adjusted_notes([])
    assert 'errors that the model made on its calibration images' in found
    assert 'another stain or scanner may break that' in found
    found = adjusted_notes([], True)
    assert found[1].startswith('The M:E ratio is not estimated')
    found = adjusted_notes(['ABE', 'FGC'])
    assert found[1].startswith('Not estimated: ABE, FGC. ')
    assert 'fewer than 5 calibration images' in found[1]


def test_which_figures_to_go_by():
    assert trust(0, 0, False, ()) == ''
    assert trust(0, 0, True, ()) == ''
    assert trust(9, 9, True, ()) == ALL_DECIDED
    assert 'no interval can be given' in trust(9, 1, False, ())
    text = trust(5000, 1234, False, ())
    assert 'has decided on 1,234 of the cells' in text
    assert 'look through the cells' in trust(9, 0, False, ())
    made = differential([10, 90], [0, 0], TWO, TWO.groups, ['', ''])
    rows = [
        replace(row, adjusted=value, adjusted_low=low, adjusted_high=high)
        for row, value, low, high in zip(
            made.rows, (4.0, 96.0), (3, 95), (12, 99), strict=True
        )
    ]
    text = trust(100, 0, False, rows)
    assert text.startswith('Go by the intervals of the estimated percentages')
    assert 'Here the count in % of NGS lies' in text and 'leaves' not in text
    assert 'leaves 96 % to classes that have none' in (
        trust(100, 0, False, rows[:1])
    )
    assert 'Here' not in trust(100, 0, False, rows[:1])
    assert 'Go by' not in trust(100, 0, False, made.rows)
    assert 'go by the intervals of the estimated' in trust(100, 1, False, rows)
