import numpy as np
import pytest
from scipy.stats import binomtest

from bm_plugins.datasets.matek_classes import CLASSES, FULL_NAMES
from bm_plugins.errors import InputError
from bm_plugins.report.differential import differential
from bm_plugins.report.differential_scheme import read_scheme

CODES = ('BLA', 'NGS', 'EBO', 'LYT', 'ART')
NAMES = ('Blasts', 'Segmented', 'Erythroblasts', 'Lymphocytes', 'Artefacts')
SCHEME = read_scheme(None, CODES)
COUNTS = [25, 300, 150, 25, 40]
DOUBTFUL = [5, 20, 10, 5, 30]


def of(counts=COUNTS, doubtful=DOUBTFUL, **kwargs):
    return differential(counts, doubtful, SCHEME, CODES, NAMES, **kwargs)


def column(found, name):
    return [getattr(row, name) for row in found.rows]


def test_by_hand():
    found = of()
    assert (found.total, found.left_out, found.doubtful) == (500, 40, 40)
    assert column(found, 'code') == list(CODES)
    assert column(found, 'full_name') == list(NAMES)
    assert column(found, 'group') == [
        'myeloid',
        'myeloid',
        'erythroid',
        'other',
        'other',
    ]
    assert column(found, 'counted') == [True] * 4 + [False]
    assert column(found, 'count') == COUNTS
    assert column(found, 'doubtful') == DOUBTFUL
    # 25, 300, 150 and 25 of 500; 20, 280, 140 and 20 of 460.
    assert column(found, 'percent') == [5, 60, 30, 5, None]
    assert column(found, 'percent_sure') == pytest.approx(
        [100 * 20 / 460, 100 * 280 / 460, 100 * 140 / 460, 100 * 20 / 460]
        + [None]
    )
    # Wilson with z = 1.96: (25 + 1.92 -+ 1.96 sqrt(25 * 475 / 500 + .96))
    # / 503.84 = (26.92 -+ 9.74) / 503.84.
    assert found.rows[0].low == pytest.approx(3.41, abs=0.005)
    assert found.rows[0].high == pytest.approx(7.28, abs=0.005)
    for row in found.rows[:4]:
        ends = binomtest(row.count, 500).proportion_ci(method='wilson')
        assert row.low == pytest.approx(100 * ends.low, rel=1e-12)
        assert row.high == pytest.approx(100 * ends.high, rel=1e-12)
    assert found.rows[4].low is None and found.rows[4].high is None
    # (25 + 300) : 150.
    ends = binomtest(325, 475).proportion_ci(method='wilson')
    assert found.me_ratio == pytest.approx(13 / 6)
    assert found.me_low == pytest.approx(ends.low / (1 - ends.low))
    assert found.me_high == pytest.approx(ends.high / (1 - ends.high))
    # 500 cells, and 40 of them doubtful, are within the limits.
    assert found.warnings == ()
    assert found.notes[0] == 'Research use only, not for diagnosis.'
    assert 'Cells left out of all percentages by the scheme: ART: 40.' in (
        found.notes
    )


def test_adjusted_by_hand():
    # Of true 50, 250, 150, 50 counted cells and 40 artefacts a model that
    # calls a fifth of the blasts segmented, and one in 25 segmented an
    # artefact, finds 40, 250, 150, 50 and 50.
    confusion = np.diag([80, 96, 100, 100, 100])
    confusion[0, 1], confusion[1, 4] = 20, 4
    found = of([40, 250, 150, 50, 50], [0] * 5, confusion=confusion)
    assert column(found, 'percent')[:2] == pytest.approx(
        [100 * 40 / 490, 100 * 250 / 490]
    )
    assert column(found, 'adjusted') == pytest.approx(
        [10, 50, 30, 10, None], abs=0.01
    )
    for row in found.rows[:4]:
        assert row.adjusted_low < row.adjusted < row.adjusted_high
        assert row.adjusted_high - row.adjusted_low > row.high - row.low - 0.3
    assert found.rows[4].adjusted_low is found.rows[4].adjusted_high is None
    assert not any('Not adjusted' in note for note in found.notes)


def test_not_adjusted():
    confusion = np.diag([9, 96, 100, 0, 0])
    found = of(confusion=confusion)
    assert [row.adjusted is None for row in found.rows] == [
        True,
        False,
        False,
        True,
        True,
    ]
    assert found.rows[3].adjusted_low is found.rows[3].adjusted_high is None
    assert any('Not adjusted: BLA, LYT. ' in note for note in found.notes)
    assert any('no adjusted estimate' in note for note in of().notes)


def test_no_counted_cell():
    confusion = np.diag([100] * 5)
    with np.errstate(all='raise'):
        found = of([0, 0, 0, 0, 7], [0, 0, 0, 0, 3], confusion=confusion)
    assert (found.total, found.left_out, found.doubtful) == (0, 7, 0)
    for name in ('percent', 'low', 'high', 'percent_sure', 'adjusted'):
        assert column(found, name) == [None] * 5
    assert (found.me_ratio, found.me_low, found.me_high) == (None,) * 3
    assert found.warnings == (
        'There is no counted cell, so there are no percentages.',
    )
    assert not any('Not adjusted' in note for note in found.notes)


def test_more_cells_left_out_than_counted():
    with np.errstate(all='raise'):
        found = of([3, 0, 1, 0, 70], [0] * 5)
    assert column(found, 'percent') == [75, 0, 25, 0, None]
    assert (found.total, found.left_out) == (4, 70)


def test_all_cells_doubtful():
    found = of(doubtful=COUNTS)
    assert column(found, 'percent_sure') == [None] * 5
    assert column(found, 'percent')[0] == 5


def test_nothing_on_a_side_of_the_ratio():
    found = of([0, 500, 0, 0, 0], [0] * 5)
    assert found.me_ratio is None and found.me_high is None
    assert found.me_low == pytest.approx(500 / 1.959963984540054**2)
    assert any('no erythroid cell was counted' in x for x in found.notes)
    found = of([0, 0, 100, 400, 0], [0] * 5)
    assert (found.me_ratio, found.me_low) == (0, 0) and found.me_high < 0.05
    assert any('ratio is 0' in note for note in found.notes)


def test_a_class_that_is_not_counted_is_on_no_side(tmp_path):
    file = tmp_path / 'ours.csv'
    file.write_text(
        'code,group,counted\nBLA,myeloid,no\nNGS,myeloid,yes\n'
        'EBO,erythroid,yes\nLYT,other,yes\nART,other,no\n'
    )
    scheme = read_scheme(file, CODES)
    found = differential(COUNTS, DOUBTFUL, scheme, CODES, NAMES)
    assert found.me_ratio == 300 / 150
    assert (found.total, found.left_out) == (475, 65)
    assert found.rows[1].percent == pytest.approx(100 * 300 / 475)
    assert any('NGS to EBO: 300 to 150 cells' in x for x in found.notes)


def test_the_collection_s_classes():
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 60, 21)
    scheme = read_scheme(None, CLASSES)
    found = differential(counts, counts // 20, scheme, CLASSES, FULL_NAMES)
    counted = [i for i, x in enumerate(CLASSES) if x not in 'ART KSC NIF']
    assert found.total == counts[counted].sum()
    assert found.total + found.left_out == counts.sum()
    shown = [row.percent for row in found.rows if row.percent is not None]
    assert len(shown) == 18 and sum(shown) == pytest.approx(100)
    sides = [
        'ABE BAS BLA EOS FGC MMZ MON MYB NGB NGS PMO',
        'EBO PEB',
    ]
    myeloid, erythroid = (
        sum(counts[CLASSES.index(code)] for code in side.split())
        for side in sides
    )
    assert found.me_ratio == pytest.approx(myeloid / erythroid)
    assert any(f'{sides[0]} to {sides[1]}: ' in x for x in found.notes)
    assert any('megakaryocytes or mast cells' in x for x in found.notes)


def test_errors():
    with pytest.raises(InputError, match='of 5 classes: counts, doubtful'):
        of(counts=[1, 2, 3])
    with pytest.raises(InputError, match=r'expected \[.*\(5, 5\)\]'):
        of(confusion=np.eye(4))
    with pytest.raises(InputError, match='26 of 25 cells of BLA are doubtful'):
        of(doubtful=[26, 0, 0, 0, 0])
