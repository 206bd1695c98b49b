import csv
import os
import subprocess
import sys
from pathlib import Path

from bm_plugins.apis.bundle_file import load_bundle

ROOT = Path(__file__).resolve().parents[2]


def demo(*args):
    bin_dir = Path(sys.executable).parent
    return subprocess.run(
        [sys.executable, 'tools/demo.py', *map(str, args)],
        cwd=ROOT,
        env=dict(os.environ, PATH=f'{bin_dir}:{os.environ["PATH"]}'),
        capture_output=True,
        text=True,
    )


def test_own_cells_from_folder_to_table(tmp_path, tool):
    data, work_dir = tmp_path / 'cells', tmp_path / 'work'
    tool('make_synthetic_marrow', data, '--images', '168')
    done = demo('--data', data, '--epochs', 2, '--work-dir', work_dir)
    assert done.returncode == 0, done.stderr
    table = done.stdout[done.stdout.index('== F1 by class') :]
    for step in range(1, 7):
        assert f'== {step}/6 ' in done.stdout
    rows = {line.split()[0]: line.split() for line in table.splitlines()[2:23]}
    assert len(rows) == 21
    assert all(row[-3] == '2' for row in rows.values())  # of 8 cells each
    assert 'macro_f1' in table
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
