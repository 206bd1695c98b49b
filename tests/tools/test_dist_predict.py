"""The launch script: two processes write what one writes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bm_plugins.apis.bundle.bundle_file import save_bundle
from bm_plugins.apis.prediction.predict import predict
from tests.apis.cell_folder import make_cells
from tests.apis.tiny_bundle import tiny_bundle

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def test_two_processes_write_the_same(tmp_path, python):
    bundle, cells = tmp_path / 'a.bundle', make_cells(tmp_path / 'cells')
    save_bundle(tiny_bundle(), bundle)
    one, two = tmp_path / 'one', tmp_path / 'two'
    predict(bundle, cells, one, workers=0, device='cpu', chunk=3)
    path = f'{python.parent}:{os.environ["PATH"]}'

    def launch(*args, **env):
        return subprocess.run(
            ['tools/dist_predict.sh', *map(str, args)],
            cwd=ROOT,
            env=dict(os.environ, PATH=path, **env),
            capture_output=True,
            text=True,
        )

    args = ['--workers', 0, '--device', 'cpu', '--chunk', 3]
    done = launch(bundle, 2, cells, '--out', two, *args)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('12 cells, 0 skipped') == 1
    for name in ('predictions.csv', 'skipped.csv', 'differential.csv'):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert launch(bundle, 2).returncode == 2
    # An interpreter that has imported nothing finds what it needs, too.
    args = [tmp_path / 'none', 1, cells, '--out', two]
    done = launch(*args, PYTHON=sys.executable)
    assert done.returncode == 2 and done.stderr.startswith('error: ')
    assert 'none does not exist' in done.stderr
