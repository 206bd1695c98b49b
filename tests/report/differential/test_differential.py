import numpy as np
import pytest
from scipy.stats import binomtest

from bm_plugins.datasets.matek_classes import CLASSES, FULL_NAMES
from bm_plugins.errors import InputError
from bm_plugins.report.differential.differential import (
    differential,
    myeloid_erythroid,
)
from bm_plugins.report.differential.notes import ALL_DECIDED
from bm_plugins.report.differential.scheme import read_scheme
from tests.report.slide import slide_of

CODES = ('BLA', 'NGS', 'EBO', 'LYT', 'ART')
NAMES = ('Blasts', 'Segmented', 'Erythroblasts', 'Lymphocytes', 'Artefacts')
SCHEME = read_scheme(None, CODES)
COUNTS = [25, 300, 150, 25, 40]
DOUBTFUL = [5, 20, 10, 5, 30]
CELLS = sum(COUNTS)


def of(counts=COUNTS, doubtful=DOUBTFUL, **kwargs):
    return differential(counts, doubtful, SCHEME, CODES, NAMES, **kwargs)


def column(found, name):
    return [getattr(row, name) for row in found.rows]


def ends(found):
    """All intervals of the counts."""
    rows = (*found.rows, *found.by_smear)
    found_ends = [x for row in rows for x in (row.low, row.high)]
    return [*found_ends, found.me_low, found.me_high]


def test_by_hand():
    found = of(decided=CELLS)
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
        low, high = binomtest(row.count, 500).proportion_ci(method='wilson')
        assert row.low == pytest.approx(100 * low, rel=1e-12)
        assert row.high == pytest.approx(100 * high, rel=1e-12)
    assert found.rows[4].low is None and found.rows[4].high is None
    # (25 + 300) : 150.
    low, high = binomtest(325, 475).proportion_ci(method='wilson')
    assert found.me_ratio == pytest.approx(13 / 6)
    assert found.me_low == pytest.approx(low / (1 - low))
    assert found.me_high == pytest.approx(high / (1 - high))
    assert found.trust == ALL_DECIDED
    # 500 cells, and 40 of them doubtful, are within the limits.
    assert found.warnings == ()
    assert found.notes[0] == 'Research use only, not for diagnosis.'
    assert 'Cells left out of all percentages by the scheme: ART: 40.' in (
        found.notes
    )


@pytest.mark.parametrize('decided', [0, 1, CELLS - 1])
def test_no_interval_until_a_person_has_decided_on_every_cell(decided):
    smears = dict(s1=[5, 100, 50, 5, 0], s2=[20, 200, 100, 20, 40])
    found = of(decided=decided, smears=smears)
    assert {*ends(found)} == {None}
    assert column(found, 'percent')[:4] == [5, 60, 30, 5]
    assert found.by_smear[0].percent == 100 * 5 / 160
    assert found.me_ratio == pytest.approx(13 / 6)
    if decided:
        assert f'has decided on {decided} of the cells' in found.trust
    else:
        assert 'no interval can be given' in found.trust
    found = of(decided=CELLS, smears=smears)
    shown = [x is not None for x in ends(found)]
    # Those of the artefacts, which are not counted, are missing.
    assert shown == [True] * 8 + [False] * 2 + [True] * 18
    low, high = binomtest(5, 160).proportion_ci(method='wilson')
    assert found.by_smear[0].low == pytest.approx(100 * low)
    assert found.by_smear[0].high == pytest.approx(100 * high)


def test_adjusted_where_the_model_makes_no_error():
    true = [50, 250, 150, 50, 40]
    estimate, counts = slide_of(true, [30] * 5, apart=9)
    assert counts.tolist() == true
    found = of(counts, [0] * 5, estimate=estimate)
    # The artefacts are no part of the 100 %.
    assert column(found, 'adjusted') == pytest.approx(
        [10, 50, 30, 10, None], abs=0.01
    )
    m_e, low, high = found.me_adjusted
    assert m_e == pytest.approx(300 / 150, abs=0.01)
    # Nearly Wilson's: the 540 cells, and what 30 images may not have shown.
    for row in found.rows[:4]:
        by_chance = binomtest(row.count, 500).proportion_ci(method='wilson')
        wanted = 100 * (by_chance.high - by_chance.low)
        assert 0.8 * wanted < row.adjusted_high - row.adjusted_low < 2 * wanted
        assert row.adjusted_low < row.percent < row.adjusted_high
    assert found.rows[4].adjusted_low is found.rows[4].adjusted_high is None
    assert low < 2 < high
    assert {*ends(found)} == {None}
    assert 'Go by the intervals of the estimated' in found.trust
    assert 'lies outside' not in found.trust


def test_adjusted_where_one_kind_prevails():
    # Nine in ten are segmented; equal shares take too few of them for it.
    true = [10, 900, 50, 20, 20]
    estimate, counts = slide_of(true, [100] * 5, apart=1.5)
    assert counts[1] < 760
    found = of(counts, [0] * 5, estimate=estimate)
    shares = 100 * np.array(true[:4]) / 980
    for row, share in zip(found.rows, shares, strict=False):
        assert row.adjusted_low < share < row.adjusted_high
        assert row.adjusted_low <= row.adjusted <= row.adjusted_high
    assert sum(column(found, 'adjusted')[:4]) == pytest.approx(100)
    assert 'Here the count in % of BLA, NGS, ' in found.trust
    m_e, low, high = found.me_adjusted
    assert low <= m_e <= high and low < 910 / 50 < high
    assert found.me_ratio < 6 < m_e


def test_not_adjusted():
    images = [4, 96, 100, 0, 0]
    estimate, counts = slide_of(COUNTS, images)
    found = of(counts, [0] * 5, estimate=estimate)
    assert [row.adjusted is None for row in found.rows] == [
        True,
        False,
        False,
        True,
        True,
    ]
    assert found.rows[3].adjusted_low is found.rows[3].adjusted_high is None
    assert any('Not estimated: BLA, LYT. ' in note for note in found.notes)
    # Blasts are of the ratio though their own share is not shown.
    m_e, low, high = found.me_adjusted
    adjusted = column(found, 'adjusted')
    assert adjusted[1] / adjusted[2] < m_e and low <= m_e <= high
    without = of()
    assert any('no estimated percentages' in x for x in without.notes)
    assert without.me_adjusted == (None,) * 3
    assert {*column(without, 'adjusted')} == {None}


def test_no_ratio_is_estimated_where_a_side_is_not_measured():
    estimate, counts = slide_of(COUNTS, [50, 50, 4, 50, 50])
    found = of(counts, [0] * 5, estimate=estimate)
    assert found.me_adjusted == (None,) * 3
    assert found.me_ratio is not None


def test_no_counted_cell():
    estimate, counts = slide_of([0, 0, 0, 0, 7], [20] * 5, apart=9)
    assert counts.tolist() == [0, 0, 0, 0, 7]
    with np.errstate(all='raise'):
        found = of(counts, [0, 0, 0, 0, 3], estimate=estimate)
    assert (found.total, found.left_out, found.doubtful) == (0, 7, 0)
    for name in ('percent', 'low', 'high', 'percent_sure', 'adjusted'):
        assert column(found, name) == [None] * 5
    assert (found.me_ratio, found.me_low, found.me_high) == (None,) * 3
    assert found.warnings == (
        'There is no counted cell, so there are no percentages.',
    )
    assert found.me_adjusted == (None,) * 3 and found.trust == ''
    assert not any('Not estimated' in note for note in found.notes)


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
    found = of([0, 500, 0, 0, 0], [0] * 5, decided=500)
    assert found.me_ratio is None and found.me_high is None
    assert found.me_low == pytest.approx(500 / 1.959963984540054**2)
    assert any('no erythroid cell was counted' in x for x in found.notes)
    found = of([0, 0, 100, 400, 0], [0] * 5, decided=500)
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
    with pytest.raises(InputError, match=r'expected \(5,\) each'):
        of(doubtful=[1, 2, 3, 4])
    with pytest.raises(InputError, match='26 of 25 cells of BLA are doubtful'):
        of(doubtful=[26, 0, 0, 0, 0])


@pytest.mark.parametrize('myeloid, erythroid', [(300, 100), (1, 4), (7, 7)])
def test_interval_is_that_of_the_share(myeloid, erythroid):
    total = myeloid + erythroid
    ends = binomtest(myeloid, total).proportion_ci(method='wilson')
    ratio, low, high = myeloid_erythroid(myeloid, erythroid)
    assert ratio == myeloid / erythroid
    np.testing.assert_allclose(low, ends.low / (1 - ends.low), rtol=1e-12)
    np.testing.assert_allclose(high, ends.high / (1 - ends.high), rtol=1e-12)


def test_the_inverse_ratio_has_the_inverse_interval():
    ratio, low, high = myeloid_erythroid(30, 90)
    inverse = myeloid_erythroid(90, 30)
    np.testing.assert_allclose(
        [1 / ratio, 1 / high, 1 / low], inverse, rtol=1e-12
    )


def test_holds_the_true_ratio_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [
        myeloid_erythroid(m, 200 - m) for m in rng.binomial(200, 0.75, 2000)
    ]
    held = np.mean([low <= 3 <= high for _, low, high in found])
    assert 0.935 < held < 0.965


def test_nothing_on_a_side():
    # The score test: p = n / (n + z^2), of which p / (1 - p) = n / z^2.
    z2 = 1.959963984540054**2
    assert myeloid_erythroid(0, 0) == (None, None, None)
    ratio, low, high = myeloid_erythroid(40, 0)
    assert (ratio, high) == (None, None)
    assert low == pytest.approx(40 / z2, rel=1e-12)
    ratio, low, high = myeloid_erythroid(0, 40)
    assert (ratio, low) == (0, 0)
    assert high == pytest.approx(z2 / 40, rel=1e-12)
