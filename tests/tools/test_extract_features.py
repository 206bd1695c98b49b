"""Features as a command line, and that they tell what tools/test.py tells."""

import csv

import numpy as np
import pytest
import timm
import torch

from bm_plugins.apis.features.feature_file import read_features

pytestmark = pytest.mark.slow

OPTIONS = ('--cfg-options', 'test_dataloader.num_workers=0')


@pytest.fixture
def weights(cells, tmp_path, monkeypatch):
    """A file of a timm model, named to the config."""
    for name, value in (
        ('BM_DATA_ROOT', str(cells)),
        ('BM_TIMM', 'test_resnet'),
        ('BM_TIMM_SIZE', '32'),
    ):
        monkeypatch.setenv(name, value)
    torch.manual_seed(2)
    file = tmp_path / 'resnet.pth'
    torch.save(timm.create_model('test_resnet').state_dict(), file)
    return file


def predictions(folder):
    with open(folder / 'predictions.csv', newline='') as stream:
        rows = list(csv.DictReader(stream))
    scores = [[float(v) for k, v in r.items() if k[:2] == 'p_'] for r in rows]
    return [(r['path'], r['label'], r['pred']) for r in rows], scores


def test_same_figures_as_a_test_of_the_config(tool, weights, tmp_path):
    config = 'configs/linear_timm_bm.py'
    status, _, error = tool(
        'test',
        config,
        weights,
        '--work-dir',
        tmp_path / 'test',
        *OPTIONS,
        'test_cfg.train_dataloader.num_workers=0',
    )
    assert status == 0, error
    file = tmp_path / 'f.h5'
    status, said, error = tool(
        'extract_features', config, weights, '--out', file, *OPTIONS
    )
    assert status == 0 and '62 features of length' in said, error
    assert said.startswith('Features of 62 images in 1 batches.')
    out = tmp_path / 'probe'
    status, said, error = tool('evaluate_features', file, '--out', out)
    assert status == 0, error
    assert 'on 49 features of length' in said and 'Fitted in' in said
    rows, scores = predictions(out)
    expected, theirs = predictions(tmp_path / 'test')
    assert rows == expected
    np.testing.assert_allclose(scores, theirs, atol=1e-4)
    for name in ('per_class.csv', 'confusion_matrix.csv'):
        ours = (out / name).read_text()
        assert ours == (tmp_path / 'test' / name).read_text()


def test_untrained_features_of_a_part(tool, weights, tmp_path):
    file = tmp_path / 'f.h5'
    args = ('configs/linear_timm_bm.py', 'none', '--out', file, *OPTIONS)
    status, _, error = tool('extract_features', *args, '--split', 'test')
    assert status == 0, error
    found = read_features(file)
    assert {*found.splits} == {'test'}
    assert found.attributes['checkpoint'] == 'none'


def test_bad_input_is_one_line(tool, weights, tmp_path, monkeypatch):
    def refused(*args):
        file = tmp_path / 'f.h5'
        status, _, error = tool('extract_features', *args, '--out', file)
        assert status == 2 and error.startswith('error: '), error
        assert len(error.splitlines()) == 1 and not file.exists()
        return error

    timm_config = 'configs/linear_timm_bm.py'
    assert 'does not exist' in refused('configs/no.py', weights)
    assert 'does not exist' in refused(timm_config, tmp_path / 'no.pth')
    assert 'no test part' in refused('configs/swav_bm.py', weights)
    assert 'Download it' in refused(timm_config, 'http://localhost/a.pth')
    status, _, error = tool(
        'extract_features', timm_config, weights, '--out', tmp_path
    )
    assert status == 2 and 'is a folder; name a file' in error
    monkeypatch.setenv('BM_TIMM', 'test_vit')
    error = refused(timm_config, weights)
    assert 'resnet.pth does not fit' in error and 'not test_vit' in error
    monkeypatch.setenv('BM_TIMM', 'resnet_nonsense')
    assert 'has no model' in refused(timm_config, weights)
