"""A small run of the simulation behind docs/differential.md."""

import pytest
from benchmarks.coverage import coverage


@pytest.fixture(scope='module')
def row():
    found = coverage(6, models=dict(good=3.0), cells=(300,), images=(20,))
    assert 0.8 < found['accuracy']['good'] < 0.9
    (row,) = found['rows']
    return row


@pytest.mark.slow
def test_intervals_of_the_estimate_hold_the_truth(row):
    # 42, 378, 288 and 372 intervals, and 60 of M:E; those of raw counts do not
    assert row['30 % or more'] >= 0.88
    for group in ('2 to 30 %', 'below 2 %', 'absent', 'M:E'):
        assert row[group] >= 0.9
    assert row['raw'] < 0.85
    assert row['width'] < 20


def test_sets_and_shares(row):
    assert 0.93 < row['sets'] < 0.97 and row['sets_lowest'] > 0.8
    assert row['error'] < row['error_raw']
    assert row['right_slide'] > row['right']
