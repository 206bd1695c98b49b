import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def compare(*args):
    return subprocess.run(
        [sys.executable, 'tools/compare_runs.py', *map(str, args)],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
    )


def write(folder, predictions, labels='AABB'):
    folder.mkdir()
    rows = zip(labels, predictions, strict=True)
    lines = [f'{i}.jpg,{a},{b}' for i, (a, b) in enumerate(rows)]
    text = '\n'.join(['path,label,pred', *lines, ''])
    (folder / 'predictions.csv').write_text(text)
    return folder


def test_table_and_what_cannot_be_compared(tmp_path):
    bad = write(tmp_path / 'bad', 'ABAB')
    good = write(tmp_path / 'good', 'AABB')
    done = compare('--before', bad, bad, '--after', good, bad)
    assert done.returncode == 0, done.stderr
    rows = [line.split()[:4] for line in done.stdout.splitlines()[-3:]]
    assert rows == [
        ['1', '0.5000', '1.0000', '+0.5000'],
        ['2', '0.5000', '0.5000', '+0.0000'],
        ['mean', '0.5000', '0.7500', '+0.2500'],
    ]
    other = write(tmp_path / 'other', 'AABB', labels='ABBB')
    done = compare('--before', bad, '--after', other)
    assert done.returncode == 2
    assert done.stderr.startswith('error: ') and str(other) in done.stderr
    done = compare('--before', tmp_path / 'none', '--after', good)
    assert done.returncode == 2 and 'predictions.csv' in done.stderr
