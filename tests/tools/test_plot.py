"""Pictures from real checkpoints."""

import csv
import json
from hashlib import sha256

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from torch.nn.functional import normalize

from bm_plugins.compat.safe_loading import load
from tests.report.runs.test_calibration_report import overconfident


@pytest.fixture
def swav(tool, cells, tmp_path, monkeypatch):
    """A checkpoint of an epoch."""
    monkeypatch.setenv('BM_DATA_ROOT', str(cells))
    folder = tmp_path / 'swav'
    status, _, error = tool(
        'train',
        'configs/swav_tiny_bm.py',
        '--work-dir',
        folder,
        '--cfg-options',
        'train_cfg.max_epochs=1',
        'train_dataloader.batch_size=8',
        'train_dataloader.num_workers=0',
    )
    assert status == 0, error
    return folder / 'epoch_1.pth'


def sha256_of(file):
    return sha256(file.read_bytes()).hexdigest()


def rows(file):
    with open(file, newline='') as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_pictures_of_checkpoints(tool, swav, cells, tmp_path):
    out = tmp_path / 'out'
    args = ('configs/linear_tiny_bm.py', swav, '--out', out, '--seed', '3')
    split = ('--split', 'train', 'test', '--per-class', '9')
    status, said, error = tool('plot', 'tsne', *args, *split)
    assert status == 0, error
    assert len(said.splitlines()) == 2 and (out / 'tsne.png').is_file()
    found = rows(out / 'tsne.csv')
    codes = [row['code'] for row in found]
    assert {c: codes.count(c) for c in codes} == {'ABE': 7, 'BLA': 9, 'LYT': 9}
    tool('plot', 'tsne', *args, *split)
    assert rows(out / 'tsne.csv') == found
    made_of = json.loads((out / 'run_plot_tsne.json').read_text())
    assert made_of['data']['test']['images'] == 56
    assert made_of['checkpoint']['sha256'] == sha256_of(swav)
    assert made_of['config']['name'] == 'linear_tiny_bm.py'
    assert made_of['seeds'] == dict(seed=3)

    args = ('configs/swav_tiny_bm.py', swav, '--out', out)
    status, _, error = tool(
        'plot', 'prototypes', *args, '--count', '5', '--cells', '4'
    )
    assert status == 0, error
    found = rows(out / 'prototypes.csv')
    assert len(found) == 20 and (out / 'prototypes.png').is_file()
    assert len({row['prototype'] for row in found}) == 5
    images = [int(row['images']) for row in found[::4]]
    assert images == sorted(images, reverse=True) and sum(images) <= 43
    for first in range(0, 20, 4):
        likeness = [float(r['similarity']) for r in found[first : first + 4]]
        assert likeness == sorted(likeness, reverse=True)
        assert -1 <= likeness[-1] <= likeness[0] <= 1
    first = found[0]
    assert cosine(swav, cells, first['path'], int(first['prototype'])) == (
        pytest.approx(float(first['similarity']), abs=1e-4)
    )


def cosine(checkpoint, cells, path, prototype):
    """Of one image and one prototype, step by step."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(Config.fromfile('configs/swav_tiny_bm.py').model)
    weights = load(checkpoint)['state_dict']
    model.load_state_dict(weights)
    model.eval()
    image = cv2.imread(str(cells / 'BM_cytomorphology_data' / path))
    image = cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA)
    rgb = image[..., ::-1].astype(np.float64)
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    inputs = torch.tensor((rgb - mean) / std).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        maps = model.backbone(inputs)[-1].mean((2, 3))
        embedding = model.neck.projection_neck(maps)[0]
    vector = weights['head.loss_module.prototypes.weight'][prototype]
    return float(normalize(embedding, dim=0) @ normalize(vector, dim=0))


def test_bad_input_is_one_line(tool, tmp_path, cells, monkeypatch):
    monkeypatch.setenv('BM_DATA_ROOT', str(cells))

    def refused(*args):
        status, _, error = tool('plot', *args, '--out', tmp_path / 'out')
        assert status == 2 and error.startswith('error: '), error
        assert len(error.splitlines()) == 1
        return error

    missing = tmp_path / 'no.pth'
    tiny = 'configs/linear_tiny_bm.py'
    assert 'does not exist' in refused('tsne', tiny, missing)
    assert 'no test part' in refused('tsne', 'configs/swav_bm.py', missing)
    assert 'trains no SwAV' in refused('prototypes', tiny, missing)
    per_class = ('--per-class', '0')
    assert 'expected 1 or more' in refused('tsne', tiny, missing, *per_class)
    assert 'work-dir of tools/train.py' in refused('curves', tmp_path)
    run = overconfident(tmp_path / 'run', 50, 0).folder
    assert 'above 0' in refused('run', run, '--temperature', '0')


def test_pictures_of_runs(tool, tmp_path):
    run = overconfident(tmp_path / 'run', 50, 0).folder
    status, said, error = tool('plot', 'run', run, '--out', tmp_path / 'out')
    assert status == 0, error
    assert {f.name for f in (tmp_path / 'out').iterdir()} == {
        'confusion_matrix.png',
        'per_class.png',
        'reliability.png',
        'run_plot_run.json',
    }
    found = json.loads((tmp_path / 'out/run_plot_run.json').read_text())
    read = [run / f'{n}.csv' for n in ('predictions', 'figures', 'per_class')]
    assert [row['sha256'] for row in found['inputs']] == [
        sha256_of(file) for file in read
    ]
