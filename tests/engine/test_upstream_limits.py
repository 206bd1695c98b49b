"""What upstream's parts cannot do, found before they do it."""

from pathlib import Path

import pytest
from mmengine.config import Config

import bm_plugins  # noqa: F401
from bm_plugins.engine.config_check import check_config
from bm_plugins.errors import InputError

CONFIG = Path('configs/resnet_tiny_bm.py')


@pytest.mark.parametrize('hue', [0.1, (-0.2, 0.1), 0.9])
def test_hues_that_mmcv_cannot_lower(tmp_path, hue):
    file = tmp_path / 'own.py'
    jitter = f"dict(type='ColorJitter', brightness=0.2, hue={hue})"
    views = f"[dict(type='RandomApply', transforms=[{jitter}], prob=0.8)]"
    file.write_text(
        f"_base_ = '{CONFIG.resolve()}'\n"
        'train_dataloader = dict(dataset=dict(pipeline=['
        f"dict(type='MultiView', num_views=2, transforms=[{views}])]))\n"
    )
    with pytest.raises(InputError) as error:
        check_config(Config.fromfile(file))
    assert str(error.value).startswith(
        'train_dataloader.dataset.pipeline.0.transforms.0.0.transforms.0.'
        f'hue={hue}: '
    )
    assert 'MultiCropViews' in str(error.value)


@pytest.mark.parametrize('hue', [0, 0.0, None, (0, 0.1)])
def test_hues_that_it_can(hue):
    cfg = Config.fromfile(CONFIG)
    jitter = dict(type='ColorJitter', brightness=0.2, hue=hue)
    cfg.train_dataloader.dataset.pipeline.insert(1, jitter)
    check_config(cfg)
