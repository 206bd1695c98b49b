"""A log gets ten lines, however many cells there are."""

import os
import re
from contextlib import redirect_stderr, suppress

from bm_plugins.apis.cell_progress import CellProgress


def test_ten_lines(capsys):
    with CellProgress(1000) as progress:
        for _ in range(250):
            progress.add(4)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0].startswith('100 of 1000 cells, ')
    assert re.fullmatch(
        r'1000 of 1000 cells, \d+ a second, 0 s left', lines[9]
    )


def test_not_shown(capsys):
    with CellProgress(10, shown=False) as progress:
        progress.add(10)
    with CellProgress(0) as progress:
        pass
    assert capsys.readouterr() == ('', '')


def test_a_bar_on_a_terminal():
    master, slave = os.openpty()
    with (
        os.fdopen(slave, 'w') as terminal,
        redirect_stderr(terminal),
        CellProgress(10) as progress,
    ):
        progress.add(4)
        progress.add(6)
    said = b''
    with suppress(OSError):  # how Linux tells the end of a terminal
        while part := os.read(master, 100_000):
            said += part
    os.close(master)
    assert b'Predicting' in said and b'10/10' in said
