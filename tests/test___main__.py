import runpy
import sys

import pytest


def test_it_is_bm(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['bm_plugins', 'doctor', '--help'])
    with pytest.raises(SystemExit, match='0'):
        runpy.run_module('bm_plugins', run_name='__main__')
    assert 'example: bm doctor --data' in capsys.readouterr().out
