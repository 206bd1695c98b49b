"""The figures that the page is to show."""

import numpy as np

from bm_plugins.report.cell_page.cell_report import fixed
from tests.report.cell_page.browser import CLASSES, COUNTS, DOUBTFUL, expected


def changed(counts=(), doubtful=()):
    """Python's differential after changes of classes' counts."""
    totals, apart = list(COUNTS), list(DOUBTFUL)
    for code, by in dict(counts).items():
        totals[CLASSES.index(code)] += by
    for code, by in dict(doubtful).items():
        apart[CLASSES.index(code)] += by
    return expected(totals, apart)


def assert_figures(page, wanted):
    """The page's figures are Python's, and its text is them rounded."""
    assert page.text('total') == str(wanted.total)
    assert page.text('left-out') == str(wanted.left_out)
    assert page.text('doubtful') == str(wanted.doubtful)
    checked = wanted.me_low is not None
    ratio = [wanted.me_ratio, wanted.me_low, wanted.me_high]
    ratio = ratio[: 3 if checked else 1]
    value = page.get('me').get_attribute('data-value').split()
    np.testing.assert_allclose([float(v) for v in value], ratio, rtol=1e-12)
    assert page.text('me') == ('{} ({}–{})' if checked else '{}').format(
        *(fixed(x, 2) for x in ratio)
    )
    live = f'{wanted.total} counted · M:E {page.text("me")}'
    assert page.text('live') == live
    found = {row[0]: row[1:] for row in page.figures()}
    for number, row in enumerate(wanted.rows):
        count, apart, percent, interval = found[number]
        assert (int(count), int(apart)) == (row.count, row.doubtful)
        if row.counted:
            np.testing.assert_allclose(float(percent), row.percent, 1e-12)
        else:
            assert percent == '–'
        if row.counted and checked:
            got = [*map(float, interval.split())]
            np.testing.assert_allclose(
                got, [row.low, row.high], rtol=1e-12, atol=1e-12
            )
        else:
            assert interval == '–'
    shown = page.js(
        'return [...document.querySelectorAll(".checked")].map('
        '(cell) => cell.checkVisibility())'
    )
    assert {*shown} == {checked}
