"""Cross-validation through the launch script, with real runs."""

import csv
import shutil

import numpy as np
import pytest

from bm_plugins.datasets.manifest import read_manifest
from bm_plugins.datasets.prepare import prepare
from bm_plugins.report.runs.run_folder import read_run

pytestmark = pytest.mark.slow

SHORT = [
    '--cfg-options',
    'train_cfg.max_epochs=1',
    'train_dataloader.batch_size=8',
    'train_dataloader.num_workers=0',
]
FEW = ['--test-options', 'test_dataloader.num_workers=0']


@pytest.fixture
def two_folds(cells, tmp_path, monkeypatch):
    """The cells in two folds."""
    root = tmp_path / 'cells'
    shutil.copytree(cells, root)
    prepare(root, folds=2, overwrite=True)
    monkeypatch.setenv('BM_DATA_ROOT', str(root))
    return root


def cross_validate(tool, config, out, *args):
    base = [f'configs/{config}.py', '--folds', '2', '--work-dir', out]
    return tool('kfold', *base, '--gpus', '1', *args)


def paths_of(root, fold):
    paths, _, _, folds = read_manifest(root / 'split.csv')
    return sorted(p for p, f in zip(paths, folds, strict=True) if f == fold)


def test_a_fold_that_fails_and_the_way_on(tool, two_folds, tmp_path):
    # Trains in fold 0, where it can be skipped, and tests in fold 1.
    broken = two_folds / 'BM_cytomorphology_data' / paths_of(two_folds, 1)[0]
    content = broken.read_bytes()
    broken.write_bytes(b'no image')
    out = tmp_path / 'out'
    args = [*SHORT, 'train_dataloader.dataset.on_unreadable=skip', *FEW]
    status, _, error = cross_validate(tool, 'resnet_tiny_bm', out, *args)
    assert status == 2 and len(error.splitlines()) == 1
    assert error.startswith('error: fold 1: ') and broken.name in error
    assert not (out / 'summary.csv').exists()
    done = (out / 'fold_0/test/predictions.csv').stat().st_mtime_ns
    trained = out / 'fold_1/train/epoch_1.pth'
    kept = trained.stat().st_mtime_ns

    broken.write_bytes(content)
    status, said, error = cross_validate(tool, 'resnet_tiny_bm', out, *args)
    assert status == 0, error
    assert (out / 'fold_0/test/predictions.csv').stat().st_mtime_ns == done
    assert trained.stat().st_mtime_ns == kept
    runs = [read_run(out / f'fold_{fold}/test') for fold in range(2)]
    for fold, run in enumerate(runs):
        assert run.paths == paths_of(two_folds, fold)
    with open(out / 'summary.csv', newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert ','.join(rows[0]) == 'code,name,metric,mean,std,folds'
    accuracies = [(run.predictions == run.labels).mean() for run in runs]
    row = next(r for r in rows if r['metric'] == 'accuracy')
    mean, std = np.mean(accuracies), np.std(accuracies, ddof=1)
    assert float(row['mean']) == pytest.approx(mean, abs=1e-6)
    assert float(row['std']) == pytest.approx(std, abs=1e-6)
    assert '2-fold, stratified, seed 0' in said
    lines = said.splitlines()
    folds = [line for line in lines if line.startswith('Fold ')]
    assert len(folds) == 2 and folds[1].startswith('Fold 1, 2 of 2, at ')
    assert f'{out}/fold_0/test is finished.' in lines
    for part in ('train', 'test'):
        assert f'  its output: {out}/fold_1/{part}/output.log' in lines
    assert (out / 'report.md').read_text() in said


def test_pretraining_once_on_all_images(tool, two_folds, tmp_path):
    out = tmp_path / 'out'
    args = ['--transductive', *SHORT, *FEW]
    status, said, error = cross_validate(tool, 'swav_tiny_bm', out, *args)
    assert status == 0, error
    assert 'transductive: pretraining saw the test images' in said
    assert not (out / 'fold_0/train').exists()
    # 62 images of both folds, in batches of 8
    log = (out / 'pretraining/train/output.log').read_text()
    assert '[1][7/7]' in log
    for fold in range(2):
        run = read_run(out / f'fold_{fold}/test')
        assert run.paths == paths_of(two_folds, fold)


def test_bad_input(tool, two_folds, tmp_path):
    def refused(config, *args):
        base = [f'configs/{config}.py', '--work-dir', tmp_path / 'out']
        status, _, error = tool('kfold', *base, *args)
        assert status == 2 and len(error.splitlines()) == 1, error
        return error

    assert '--folds 5: the folds in' in refused('resnet_tiny_bm')
    assert 'are 0 1' in refused('resnet_tiny_bm', '--folds', '3')
    assert 'expected 2 or more' in refused('resnet_tiny_bm', '--folds', '1')
    assert 'trains nothing' in refused('linear_tiny_bm', '--folds', '2')
    labels = ('--folds', '2', '--transductive')
    assert 'trains with labels' in refused('resnet_tiny_bm', *labels)
    assert 'does not exist' in refused('none', '--folds', '2')
    two_folds.joinpath('split.csv').unlink()
    assert 'split.csv does not exist' in refused('resnet_tiny_bm')
