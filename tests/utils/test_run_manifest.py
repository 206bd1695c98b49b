import hashlib
import json
import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from yapf.yapflib.yapf_api import FormatCode

from bm_plugins import __version__
from bm_plugins.datasets import Matek
from bm_plugins.errors import InputError
from bm_plugins.utils.run_manifest import (
    code_version,
    command_line,
    config_facts,
    data_facts,
    file_facts,
    write_run_manifest,
)

ROOT = Path(__file__).resolve().parents[2]


def test_what_it_notes_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(
        sys, 'argv', [str(ROOT / 'tools/report.py'), 'a run', '--out', 'x']
    )
    start = datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    file = write_run_manifest(
        tmp_path / 'new', started=start, seeds=dict(seed=3), threshold=0.5
    )
    assert file == tmp_path / 'new/run.json'
    found = json.loads(file.read_text())
    assert found['command'] == "tools/report.py 'a run' --out x"
    assert found['started'] == '2020-01-02T03:04:05.000+00:00'
    ended = datetime.fromisoformat(found['ended'])
    assert abs((datetime.now(timezone.utc) - ended).total_seconds()) < 60
    assert found['code']['bm_plugins'] == __version__
    assert found['machine']['cores'] == len(os.sched_getaffinity(0))
    torch_version = torch.__version__.split('+')[0]
    assert found['machine']['versions']['torch'] == torch_version
    assert found['world_size'] == 1
    assert found['seeds'] == {'seed': 3} and found['threshold'] == 0.5
    assert str(ROOT) not in file.read_text()


def test_another_name_and_no_end(tmp_path):
    file = write_run_manifest(tmp_path, 'run_fit.json', finished=False)
    assert file.name == 'run_fit.json'
    assert json.loads(file.read_text())['ended'] is None


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='file/out cannot be made'):
        write_run_manifest(tmp_path / 'file/out')


def test_commit_and_changes_of_a_checkout(tmp_path):
    def git(*args):
        who = ['-c', 'user.name=a', '-c', 'user.email=a@b.c']
        command = ['git', '-C', str(tmp_path), *who, *args]
        done = subprocess.run(command, check=True, capture_output=True)
        return done.stdout.decode().strip()

    (tmp_path / 'code.py').write_text('')
    (tmp_path / 'site-packages').mkdir()
    git('init')
    git('add', '.')
    git('commit', '-m', 'all')
    clean = code_version(tmp_path)
    (tmp_path / 'untracked').write_text('')
    assert code_version(tmp_path) == clean
    (tmp_path / 'mine').mkdir()
    for name in ('score.py', 'tiny.yml'):  # BM_IMPORTS, a config
        (tmp_path / 'mine' / name).write_text('')
        assert code_version(tmp_path) == clean | dict(git_dirty=True)
        (tmp_path / '.git/info/exclude').write_text('mine/')
        assert code_version(tmp_path) == clean
        (tmp_path / '.git/info/exclude').write_text('')
        (tmp_path / 'mine' / name).unlink()
    (tmp_path / 'code.py').write_text('changed')
    changed = code_version(tmp_path)
    installed = code_version(tmp_path / 'site-packages')  # within a checkout
    commit = git('rev-parse', 'HEAD')
    assert len(commit) == 40
    one = dict(bm_plugins=__version__, git_commit=commit, git_dirty=False)
    assert clean == one and changed == one | dict(git_dirty=True)
    assert installed == dict(
        bm_plugins=__version__, git_commit=None, git_dirty=None
    )


def test_without_git_there_is_no_commit(monkeypatch, tmp_path):
    monkeypatch.setenv('PATH', str(tmp_path))
    assert code_version()['git_commit'] is None


def test_command_outside_the_project(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['elsewhere.py', '--a=b c'])
    assert command_line() == "elsewhere.py '--a=b c'"


def test_files_are_named_from_a_folder(tmp_path):
    file = tmp_path / 'a/b.txt'
    file.parent.mkdir()
    file.write_bytes(b'abc')
    # FIPS 180-2, appendix B.1
    wanted = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    assert file_facts([file], tmp_path) == [
        dict(file='a/b.txt', sha256=wanted)
    ]


def test_config_as_text(tmp_path, monkeypatch):
    # As it is outside of this suite.
    monkeypatch.setattr('mmengine.config.config.FormatCode', FormatCode)
    file = tmp_path / 'small.py'
    file.write_text('lr = 0.1\n')
    facts = config_facts(Config.fromfile(file))
    assert facts == dict(
        name='small.py',
        text='lr = 0.1\n',
        sha256=hashlib.sha256(b'lr = 0.1\n').hexdigest(),
    )


def test_data_of_a_part_and_of_another_class(cells):
    part = data_facts(Matek(str(cells), split='test'))
    assert part['images'] == sum(part['images_by_class'].values()) == 13
    assert part['manifest'] == f'{cells.name}/split.csv'
    without = data_facts(Matek(str(cells), with_label=False))
    assert 'images_by_class' not in without
    plain = torch.utils.data.TensorDataset(torch.zeros(4, 1))
    assert data_facts(plain) == dict(type='TensorDataset', images=4)
