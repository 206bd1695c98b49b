"""From images to a file of features."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from bm_plugins.apis.features.feature_extraction import extract_to_file
from bm_plugins.apis.features.feature_file import read_features
from bm_plugins.errors import InputError
from bm_plugins.experiments.experiment import read_config

FEW = ['test_dataloader.num_workers=0', 'test_dataloader.batch_size=8']


@pytest.fixture
def timm_config(cells, monkeypatch):
    monkeypatch.setenv('BM_DATA_ROOT', str(cells))
    monkeypatch.setenv('BM_TIMM', 'test_vit')
    monkeypatch.setenv('BM_TIMM_SIZE', '48')
    return read_config(Path('configs/linear_timm_bm.py'), FEW)


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(7)
    model = timm.create_model('test_vit', img_size=48)
    file = tmp_path / 'vit.safetensors'
    save_file(model.state_dict(), file)
    return file, model.eval()


def test_features_are_those_of_each_image(
    timm_config, cells, weights, tmp_path
):
    checkpoint, model = weights
    file = tmp_path / 'f.h5'
    number, length = extract_to_file(timm_config, str(checkpoint), file)
    assert (number, length) == (62, 64)
    found = read_features(file)
    rows = [
        line.split(',')
        for line in (cells / 'split.csv').read_text().splitlines()[1:]
    ]
    assert found.paths == [row[0] for row in rows]
    assert [found.classes[label] for label in found.labels] == [
        row[1] for row in rows
    ]
    assert found.splits == [row[2] for row in rows]
    for row in (0, 20, 61):
        image = cv2.imread(
            str(cells / 'BM_cytomorphology_data' / found.paths[row])
        )
        image = cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA)
        mean = np.array(model.pretrained_cfg['mean'])
        std = np.array(model.pretrained_cfg['std'])
        image = (image[..., ::-1] / 255 - mean) / std
        image = torch.tensor(image.transpose(2, 0, 1)[None]).float()
        with torch.no_grad():
            token = model.forward_features(image)[0, 0]
        np.testing.assert_allclose(found.features[row], token, atol=1e-4)


def test_it_says_where_the_features_come_from(
    timm_config, cells, weights, tmp_path
):
    checkpoint, _ = weights
    file = tmp_path / 'f.h5'
    extract_to_file(timm_config, str(checkpoint), file, ['test'])
    found = read_features(file)
    assert {*found.splits} == {'test'}
    said = found.attributes
    for key, content in (
        ('checkpoint_sha256', checkpoint.read_bytes()),
        ('manifest_sha256', (cells / 'split.csv').read_bytes()),
        ('config_sha256', said['config'].encode()),
    ):
        assert said[key] == hashlib.sha256(content).hexdigest()
    assert said['checkpoint'] == 'vit.safetensors'
    assert "model_name='test_vit'" in said['config']
    steps = json.loads(said['preprocessing'])
    assert steps['pipeline'][1]['scale'] == [48, 48]
    assert steps['data_preprocessor']['mean'] == [127.5] * 3
    assert json.loads(said['versions'])['timm'] == timm.__version__
    counts = dict(zip(found.classes, said['train_support'], strict=True))
    outside = [
        line.split(',')[1]
        for line in (cells / 'split.csv').read_text().splitlines()[1:]
        if line.split(',')[2] != 'test'
    ]
    assert {code: counts[code] for code in {*outside}} == {
        code: outside.count(code) for code in {*outside}
    }


def _on_ranks(cfg, checkpoint, folder):
    rank = torch.distributed.get_rank()
    length = extract_to_file(cfg, checkpoint, folder / f'{rank}.h5')[1]
    assert length == (0 if rank else 64)


@pytest.mark.slow
def test_two_ranks_write_what_one_does(
    timm_config, weights, run_ranks, tmp_path
):
    checkpoint = str(weights[0])
    run_ranks(_on_ranks, 2, timm_config, checkpoint, tmp_path)
    assert not (tmp_path / '1.h5').exists()
    extract_to_file(timm_config, checkpoint, tmp_path / 'one.h5')
    one, two = (read_features(tmp_path / f'{n}.h5') for n in ('one', '0'))
    np.testing.assert_allclose(two.features, one.features, atol=1e-5)
    assert two.paths == one.paths and two.splits == one.splits


def test_a_config_without_a_test(tmp_path):
    cfg = read_config(Path('configs/swav_bm.py'))
    with pytest.raises(InputError, match='no test part'):
        extract_to_file(cfg, None, tmp_path / 'f.h5')
