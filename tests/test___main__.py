import sys

import pytest

from bm_plugins.__main__ import main


def test_help_names_an_example(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['bm_plugins', 'doctor', '--help'])
    with pytest.raises(SystemExit, match='0'):
        main()
    said = capsys.readouterr().out
    assert 'example: python -m bm_plugins doctor --data' in said


def test_without_a_command(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['bm_plugins'])
    with pytest.raises(SystemExit, match='2'):
        main()
    assert 'COMMAND' in capsys.readouterr().err
