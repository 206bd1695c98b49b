import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bm_plugins.doctor.examine import CHECKS, examine

ROOT = Path(__file__).resolve().parents[2]


def doctor(*args, **env):
    """Status, standard output and error of the command in a new process."""
    done = subprocess.run(
        [sys.executable, '-m', 'bm_plugins', 'doctor', *map(str, args)],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_a_machine_that_is_ready(cells):
    status, out, error = doctor('--data', cells)
    assert status == 0, out + error
    levels = [line.split()[0] for line in out.splitlines() if line]
    assert levels[-1] == 'No' and 'problem' not in levels
    assert f'ok      data           {cells}/split.csv: 62 images' in out
    assert 'two processes reach each other' in out
    assert error == ''


def test_a_broken_torch(tmp_path, cells):
    (tmp_path / 'torch.py').write_text(
        "raise ImportError('libcudart.so.12: cannot open shared object')\n"
    )
    status, out, error = doctor('--data', cells, PYTHONPATH=str(tmp_path))
    assert status == 1 and 'Traceback' not in out + error
    lines = [line for line in out.splitlines() if 'libcudart.so.12' in line]
    assert len(lines) == len(CHECKS) - 3  # versions, room and cells need none
    assert all(line.startswith('problem') for line in lines)
    assert 'install again' in lines[0] and 'mend the first' in out


def test_the_last_line_counts_the_warnings(
    cells, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr('bm_plugins.doctor.examine.CHECKS', ('collection',))
    assert examine(str(cells)) == 0
    assert capsys.readouterr().out.endswith('\nNo problem, no warning.\n')
    own = shutil.copytree(cells, tmp_path / 'own')
    (own / 'split.stamp.json').unlink()
    assert examine(str(own)) == 0
    out = capsys.readouterr().out
    assert 'warning verified' in out
    last = 'No problem, 1 warning: it runs, but read above what to do.'
    assert out.splitlines()[-1] == last


def test_each_problem_counts(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr('bm_plugins.doctor.examine.CHECKS', ('collection',))
    assert examine(str(tmp_path / 'none')) == 1
    out = capsys.readouterr().out
    assert out.startswith('problem data')
    assert out.endswith(
        '\n1 problem, 0 warnings: mend the first problem, then run this '
        'again.\n'
    )
