import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bm_plugins import cli
from bm_plugins.apis.bundle.bundle_file import load_bundle
from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.report.runs.run_folder import read_run
from tests.report.written_run import write_run

ROOT = Path(__file__).resolve().parents[2]
demo_tool = cli.load_tool('demo')


@pytest.mark.slow
def test_own_cells_from_folder_to_table(tmp_path, tool, python):
    data, work_dir = tmp_path / 'cells', tmp_path / 'work'
    tool('make_synthetic_marrow', data, '--images', '168')
    args = ['--data', data, '--epochs', '2', '--work-dir', work_dir]
    args.append('--from-scratch')
    done = subprocess.run(
        [python, 'tools/demo.py', *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        'Six steps: take your cells, pretrain 2 epochs without labels'
    )
    said = done.stdout[: done.stdout.index('== 1/6')]
    assert '5 to 6 minutes on two cores' in said and '15 to 35' in said
    assert f'{os.cpu_count()} cores' in said
    table = done.stdout[done.stdout.index('== F1 by class') :]
    for step in range(1, 7):
        headline = rf'== {step}/6 .* \(after (\d+ min )?\d+ s\)'
        assert re.search(headline, done.stdout)
    runs = [
        read_run(work_dir / f'linear_{name}')
        for name in ('untrained', 'pretrained')
    ]
    rows = table.splitlines()[3:24]
    for row, code in zip(rows, CLASSES, strict=True):
        pair = [run.figures['f1', code] for run in runs]
        assert row.split()[0] == code and ' 2  ' in row  # of 8 cells each
        assert row.endswith(f'{pair[0]!s:22}{pair[1]}')
    (macro,) = [x for x in table.splitlines() if x.startswith('macro_f1')]
    pair = [run.figures['macro_f1', 'all'] for run in runs]
    assert macro.endswith(f'{pair[0]!s:22}{pair[1]}')
    change = pair[1].value - pair[0].value
    assert f'Pretraining changed macro F1 by {change:+.3f} [' in table
    for line in ('pretrain/', 'linear_probe.pth', 'linear_untrained'):
        assert line in table
    assert (work_dir / 'linear_pretrained/linear_probe.pth').is_file()
    bundle = load_bundle(work_dir / 'cells.bundle')
    assert bundle.info['training']['method'] == 'SwAV'
    assert bundle.info['totals'][2] == 42
    with open(work_dir / 'report/predictions.csv') as file:
        assert sum(1 for _ in csv.DictReader(file)) == 42
    assert f'{work_dir}/report/report.html' in table
    assert (work_dir / 'report/report.html').is_file()


def test_weights_of_a_package_and_none(monkeypatch):
    assert demo_tool.has_weights()
    monkeypatch.setattr(demo_tool, 'find_spec', {'timm': 1}.get)
    assert not demo_tool.has_weights()


def test_data_that_is_not_there(tmp_path, tool):
    status, _, error = tool('demo', '--data', tmp_path / 'no')
    assert status == 2
    assert error.strip().endswith('is no folder.')


def test_other_classes_are_refused_before_training(tmp_path, tool):
    manifest = tmp_path / 'split.csv'
    manifest.write_text('path,label,split\ncat/1.jpg,cat,train\n')
    status, _, error = tool('demo', '--data', tmp_path)
    assert status == 2
    assert error.startswith('error: ') and 'cat' in error


@pytest.mark.parametrize(
    ('right', 'said'),
    [
        ((40, 80), 'more than noise: pretraining helped'),
        ((80, 40), 'more than noise: pretraining made it worse'),
        ((60, 62), 'no more than noise: they cannot tell'),
    ],
)
def test_one_sentence_says_whether_the_two_differ(tmp_path, right, said):
    # The first of 100 cells of two classes are right, the others wrong.
    labels, folders = np.arange(100) % 2, []
    for name, number in zip('ab', right, strict=True):
        found = np.where(np.arange(100) < number, labels, 1 - labels)
        folders.append(
            write_run(tmp_path / name, labels, np.eye(2)[found], 'AB')
        )
    text = demo_tool.comparison(*folders)
    change = (right[1] - right[0]) / 100  # F1 of both is the share of right
    assert f'changed macro F1 by {change:+.3f} [' in text
    assert 'on the same 100 images, ' + said in text


@pytest.mark.slow
def test_an_interruption_is_one_line_and_ends_what_runs(tmp_path):
    log = tmp_path / 'log'
    pid = os.fork()
    if not pid:
        environ = dict(os.environ)
        status = 1
        try:
            stream = os.open(log, os.O_WRONLY | os.O_CREAT)
            sys.stdout = sys.stderr = os.fdopen(stream, 'w', buffering=1)
            cli.run(lambda: demo_tool.run(['sleep', '100'], environ))
        except SystemExit as end:
            status = end.code
        finally:
            os._exit(status)
    children = Path(f'/proc/{pid}/task/{pid}/children')
    end = time.monotonic() + 20
    while not (child := children.read_text().strip()):
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(1)  # until it waits for that one
    os.kill(pid, signal.SIGINT)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert log.read_text() == '$ sleep 100\nstopped by SIGINT.\n'
    assert not Path('/proc', child).exists()
