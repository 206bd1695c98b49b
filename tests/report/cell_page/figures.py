"""The figures that the page is to show."""

import numpy as np

from bm_plugins.report.cell_report import fixed
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
    ratio = [wanted.me_ratio, wanted.me_low, wanted.me_high]
    value = page.get('me').get_attribute('data-value').split()
    np.testing.assert_allclose([float(v) for v in value], ratio, rtol=1e-12)
    assert page.text('me') == '{} ({}–{})'.format(
        *(fixed(x, 2) for x in ratio)
    )
    found = {row[0]: row[1:] for row in page.figures()}
    for number, row in enumerate(wanted.rows):
        count, apart, percent, interval = found[number]
        assert (int(count), int(apart)) == (row.count, row.doubtful)
        if row.counted:
            got = [float(percent), *map(float, interval.split())]
            want = [row.percent, row.low, row.high]
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
        else:
            assert (percent, interval) == ('–', '–')
