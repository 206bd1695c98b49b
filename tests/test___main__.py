import os
import runpy
import subprocess
import sys

import pytest


def test_it_is_bm(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['bm_plugins', 'doctor', '--help'])
    with pytest.raises(SystemExit, match='0'):
        runpy.run_module('bm_plugins', run_name='__main__')
    assert 'example: bm doctor --data' in capsys.readouterr().out


def test_a_reader_that_has_seen_enough():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, '-m', 'bm_plugins'],
        stdout=write,
        stderr=subprocess.PIPE,
        env=dict(os.environ, PYTHONUNBUFFERED='1'),
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b'')
