"""A log gets a line now and then, the more seldom the longer it takes."""

import os
import re
import time
from contextlib import redirect_stderr, suppress

import pytest

from bm_plugins.utils.progress import Progress, duration, next_line, track


def test_lines_in_a_log():
    lines = []
    with Progress(
        10, 'Fitting', 'fits', say=lines.append, every=0.02
    ) as progress:
        for _ in range(10):
            time.sleep(0.01)
            progress.add()
    assert 2 <= len(lines) <= 5
    counts = []
    for line in lines:
        form = r'Fitting: (\d+) of 10 fits after \d+ s, about \d+ s left'
        counts.append(int(re.fullmatch(form, line)[1]))
    assert counts[0] >= 2 and counts == sorted({*counts})


def test_how_often():
    # 10 s apart up to 50 s, then a fifth more each time
    assert [next_line(t) for t in (10, 40, 50)] == [20, 50, 60]
    assert next_line(3600) == 4320


def test_how_long():
    seconds = (0.4, 59.4, 59.6, 200, 3600, 7500)
    assert [duration(s) for s in seconds] == [
        *('0 s', '59 s', '1 min 00 s', '3 min 20 s'),
        *('1 h 00 min', '2 h 05 min'),
    ]


def test_what_is_quick_or_not_shown_says_nothing(capsys):
    assert list(track([3, 4], 'Reading')) == [3, 4]
    assert list(track(iter([5]), 'Reading', 1)) == [5]
    with Progress(2, 'Reading', shown=False, every=0) as progress:
        progress.add(2)
    with Progress(0, 'Reading', every=0) as progress:
        progress.add(0)
    assert capsys.readouterr() == ('', '')


@pytest.mark.parametrize('say', [None, print])
def test_to_standard_error_or_where_it_is_told(capsys, say):
    with Progress(4, 'Reading', say=say, every=0) as progress:
        progress.add(4)
    said = capsys.readouterr()
    line = 'Reading: 4 of 4 images after 0 s, about 0 s left\n'
    assert said == ((line, '') if say else ('', line))


def test_a_bar_on_a_terminal():
    master, slave = os.openpty()
    with (
        os.fdopen(slave, 'w') as terminal,
        redirect_stderr(terminal),
        Progress(10, 'Predicting', 'cells') as progress,
    ):
        progress.add(4)
        progress.add(6)
    said = b''
    with suppress(OSError):  # how Linux tells the end of a terminal
        while part := os.read(master, 100_000):
            said += part
    os.close(master)
    assert b'Predicting' in said and b'10/10' in said
