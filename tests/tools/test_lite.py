"""From packaged ImageNet weights to figures, features and predictions."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from bm_plugins.datasets.prepare import prepare
from bm_plugins.models.backbones.timm_encoder import packaged_weights
from tests.apis.features.test_feature_evaluation import rows

CONFIG = 'configs/linear_lite_bm.py'
SMALL = 'dataset.pipeline.1.scale=(64,64)'
OPTIONS = [f'test_dataloader.{SMALL}', f'test_cfg.train_dataloader.{SMALL}']


@pytest.mark.slow
def test_no_checkpoint_is_needed(tool, tmp_path, cells, monkeypatch):
    root = shutil.copytree(cells, tmp_path / 'cells')
    (root / 'split.csv').unlink()
    prepare(root, test_fraction=0.65)
    monkeypatch.setenv('BM_DATA_ROOT', str(root))
    out, bundle = tmp_path / 'linear', tmp_path / 'lite.bundle'
    options = ['--cfg-options', *OPTIONS]
    status, said, error = tool('test', CONFIG, '--work-dir', out, *options)
    assert status == 0, error
    assert 'Loaded the backbone of checkpoint' in said + error
    tested = {row['path']: row for row in rows(out / 'predictions.csv')}
    (run,) = out.rglob('run.json')
    name = Path(packaged_weights('lite0')).name
    assert name in run.read_text()
    file = tmp_path / 'f.h5'
    status, _, error = tool(
        'extract_features', CONFIG, '--out', file, *options
    )
    assert status == 0, error
    with h5py.File(file) as stream:
        features = stream['features'][:]
    assert features.shape[1] == 1280 and features.std() > 0.1
    status, said, error = tool(
        'publish', CONFIG, '--out', bundle, '--calibration', 'test', *options
    )
    assert status == 0, error
    status, _, error = tool(
        *('predict', bundle, root, '--out', tmp_path / 'p', '--workers', 0)
    )
    assert status == 0, error
    predicted = {
        row['path']: float(row['p_BLA'])
        for row in rows(tmp_path / 'p/predictions.csv')
    }
    # Another fit and temperature; the order of the cells says the same.
    ours = np.array([predicted[path] for path in tested])
    theirs = np.array([float(row['p_BLA']) for row in tested.values()])
    assert np.corrcoef(ours, theirs)[0, 1] > 0.9


def test_a_config_without_weights_needs_a_checkpoint(tool, tmp_path, cells):
    config = 'configs/linear_tiny_bm.py'
    status, _, error = tool('test', config, '--work-dir', tmp_path)
    assert status == 2 and 'error: no checkpoint given' in error
    out = ('--out', tmp_path / 'f')
    status, _, error = tool('extract_features', config, *out)
    assert status == 2 and 'names no weights: give a CHECKPOINT' in error
    status, _, error = tool('publish', config, *out)
    assert status == 2 and 'expected CONFIG CHECKPOINT' in error
    # Weights of a supervised config are to be trained on, not tested.
    status, _, error = tool(
        'test', 'configs/lite_bm.py', '--work-dir', tmp_path
    )
    assert status == 2 and 'error: no checkpoint given' in error
