"""Every tool's --help ends in an example, and the example is right."""

import argparse
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from bm_plugins import cli
from bm_plugins.datasets.matek_classes import CLASSES, FULL_NAMES
from bm_plugins.report.runs.folds import write_folds
from bm_plugins.report.runs.run_folder import read_run
from tests.report.written_run import draw, write_fold, write_run

ROOT = Path(__file__).resolve().parents[2]
TOOLS = [*cli.tools()]
# Those that end in seconds, in an order in which each finds its input.
CHEAP = ['prepare_matek', 'audit', 'pack', 'compare', 'calibrate', 'report']
CHEAP += ['plot']


def examples(text):
    """Commands of a tool's help: arguments by line, as the shell has them."""
    _, colon, rest = text.partition('example: ')
    lines = rest.replace('\\\n', ' ').splitlines() if colon else []
    commands = [line.strip().removeprefix('python ') for line in lines]
    return [shlex.split(c) for c in commands if c.startswith('tools/')]


def help_of(tool, name):
    status, out, error = tool(name, '--help')
    assert status == 0, error
    return out


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """A terminal in which no line is wrapped."""
    monkeypatch.setenv('COLUMNS', '400')


@pytest.mark.slow
@pytest.mark.parametrize('name', TOOLS)
def test_example_parses(tool, name, monkeypatch):
    def ending(parse):
        def parse_and_end(*args, **kwargs):
            parse(*args, **kwargs)
            print('parsed')
            raise SystemExit(0)

        return parse_and_end

    commands = examples(help_of(tool, name))
    assert commands, f'tools/{name}.py --help has no "example: tools/..."'
    for way in ('parse_args', 'parse_intermixed_args'):
        parse = getattr(argparse.ArgumentParser, way)
        monkeypatch.setattr(argparse.ArgumentParser, way, ending(parse))
    for script, *args in commands:
        assert script == f'tools/{name}.py'
        for config in re.findall(r'configs/\w+\.py', ' '.join(args)):
            assert (ROOT / config).is_file(), config
        status, out, error = tool(name, *args)
        assert status == 0 and 'parsed' in out, error


def test_examples_of_several_lines():
    text = 'Text.\n\nexample: tools/a.py x \\\n    --out y\n  tools/a.py z\n'
    assert examples(text) == [
        ['tools/a.py', 'x', '--out', 'y'],
        ['tools/a.py', 'z'],
    ]
    assert examples('Text.\n\n  tools/a.py x\n') == []


def test_launch_scripts_say_their_usage():
    scripts = [f for f in Path('tools').glob('*.sh') if os.access(f, os.X_OK)]
    assert len(scripts) >= 4
    for script in scripts:
        done = subprocess.run([script], capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stderr.startswith(f'usage: {script} ')


@pytest.fixture
def project(cells, tmp_path, monkeypatch):
    """A working directory with data and runs where the examples have them."""
    for name in ('tools', 'configs'):
        (tmp_path / name).symlink_to(ROOT / name)
    data = tmp_path / 'data/matek'
    shutil.copytree(
        cells, data, ignore=shutil.ignore_patterns('split*', '*.pack*')
    )
    runs = tmp_path / 'work_dirs'
    labels, _ = draw(60, 0.8, 0, classes=21)
    for seed, name in enumerate(
        ['test', 'val', 'run_a', 'run_b', 'linear_bm']
    ):
        _, scores = draw(60, 0.7, seed, classes=21, labels=labels)
        write_run(
            *(runs / name, labels, scores, CLASSES),
            prefix='val_' if name == 'val' else '',
            full_names=FULL_NAMES,
        )
    folds = []
    for fold in range(2):
        labels, scores = draw(60, 0.8, fold, classes=21)
        folder = write_fold(
            *(runs / 'kfold', fold, labels, scores, CLASSES),
            full_names=FULL_NAMES,
        )
        folds.append(read_run(folder))
    write_folds(folds, runs / 'kfold', '2 folds, by hand')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_examples_run_as_they_stand(tool, project):
    for name in CHEAP:
        for _, *args in examples(help_of(tool, name)):
            status, _, error = tool(name, *args)
            assert status == 0, (name, error)
    for file in (
        'data/matek/split.csv',
        'work_dirs/audit/audit.html',
        'work_dirs/audit/run.json',
        'work_dirs/test/calibration.csv',
        'work_dirs/test/run_calibrate.json',
        'work_dirs/report/run.json',
    ):
        assert (project / file).is_file(), file
