"""Every training config runs two iterations, of few and small images."""

import json
import math
from pathlib import Path

import pytest
from mmengine.config import Config

QUICK = ('resnet_tiny_bm', 'swav_tiny_bm', 'linear_sgd_tiny_bm')
CONFIGS = [
    pytest.param(
        file,
        marks=[] if file.stem in QUICK else [pytest.mark.slow],
        id=file.stem,
    )
    for file in sorted(Path('configs').glob('*.py'))
    if 'train_cfg' in Config.fromfile(file)
]


@pytest.mark.parametrize('file', CONFIGS)
def test_two_iterations(file, tool, cells, tmp_path, monkeypatch):
    monkeypatch.setenv('BM_DATA_ROOT', str(cells))
    monkeypatch.setenv('BM_TIMM', 'test_vit')
    monkeypatch.setenv('BM_TIMM_SIZE', '64')
    config = Config.fromfile(file)
    loader = config.train_dataloader
    balanced = 'Balanced' in loader.sampler.type
    # Of three classes, in two batches.
    size, length = (
        (3, 'sampler.samples_per_class=2')
        if balanced
        else (2, 'dataset.indices=4')
    )
    crop, key = loader.dataset.pipeline[1], 'dataset.pipeline.1'
    sizes = (
        {'scale': min(crop.scale, 64)}
        if 'scale' in crop
        else {
            f'views.{i}.size': min(views['size'], 64 // (i + 1))
            for i, views in enumerate(crop.views)
        }
    )
    knn = 'KNNLoop' in str(config.get('val_cfg'))
    status, _, errors = tool(
        'train',
        file,
        '--work-dir',
        tmp_path,
        '--cfg-options',
        'train_cfg.max_epochs=1',
        f'train_dataloader.batch_size={size}',
        'train_dataloader.num_workers=0',
        f'train_dataloader.{length}',
        *(f'train_dataloader.{key}.{k}={v}' for k, v in sizes.items()),
        'default_hooks.logger.interval=1',
        'default_hooks.checkpoint=None',
        'load_from=None',
        *(['val_cfg.per_class=2'] if knn else []),
        *(
            ['val_dataloader.num_workers=0']
            if 'val_dataloader' in config
            else []
        ),
    )
    assert status == 0, errors
    (scalars,) = tmp_path.glob('*/vis_data/scalars.json')
    losses = [
        row['loss']
        for row in map(json.loads, scalars.read_text().splitlines())
        if 'loss' in row
    ]
    assert len(losses) == 2 and all(math.isfinite(x) for x in losses)
