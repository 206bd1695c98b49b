"""Each config builds, and swav_bm.py has the paper's values."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS, TRANSFORMS

import bm_plugins  # noqa: F401

LEAVES = sorted(Path('configs').glob('*.py'))


@pytest.mark.parametrize('file', LEAVES, ids=lambda file: file.stem)
def test_config_builds(file):
    cfg = Config.fromfile(file)
    assert cfg.default_scope == 'mmpretrain'
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        MODELS.build(cfg.model)
        parts = ('train', 'val', 'test')
        loaders = [cfg.get(f'{part}_dataloader') for part in parts]
        for loader in filter(None, loaders):
            for step in loader.dataset.pipeline:
                TRANSFORMS.build(step)


def swav():
    cfg = Config.fromfile('configs/swav_bm.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return cfg, MODELS.build(cfg.model)


def test_paper_model():
    cfg, model = swav()
    assert type(model).__module__.startswith('mmpretrain')
    assert cfg.model.backbone.type == 'ResNet'
    assert cfg.model.backbone.depth == 50
    neck = model.neck.projection_neck
    assert isinstance(neck, torch.nn.Linear)
    assert (neck.in_features, neck.out_features) == (2048, 128)
    assert cfg.model.neck.hid_channels == 0
    loss = model.head.loss_module
    assert loss.prototypes.weight.shape == (1000, 128)
    norms = loss.prototypes.weight.norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(1000))
    assert loss.queue.shape == (2, 1280, 128)
    assert loss.sinkhorn_iterations == 3
    assert loss.epsilon == 0.03
    assert loss.temperature == 0.1
    assert loss.crops_for_assign == [0, 1] and loss.num_crops == [2]


def test_paper_schedule():
    cfg, _ = swav()
    hook, monitor = cfg.custom_hooks
    assert monitor.type == 'SwAVMonitorHook'
    assert hook.type == 'SwAVScheduleHook'
    assert hook.queue_start_epoch == 15
    assert hook.freeze_prototypes_epochs == 2
    assert cfg.train_cfg.max_epochs == 200
    assert cfg.train_dataloader.batch_size * 4 == 256
    assert cfg.auto_scale_lr.base_batch_size == 256
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr) == ('LARS', 0.6)
    assert optimizer.weight_decay == 1e-6 and optimizer.momentum == 0.9
    (cosine,) = cfg.param_scheduler
    assert cosine.type == 'CosineAnnealingLR' and cosine.eta_min == 6e-4
    assert cosine.end == 200 and cosine.convert_to_iter_based


def test_paper_views():
    cfg, _ = swav()
    load, views, pack = cfg.train_dataloader.dataset.pipeline
    (group,) = views.views
    assert group == dict(num=2, size=224, scale=(0.14, 1.0))
    transform = TRANSFORMS.build(dict(views, type='mmpretrain.MultiCropViews'))
    assert transform.flip_prob == 0.5 and len(transform.views) == 2
    assert min(transform.jitter) > 0
    assert cfg.train_dataloader.dataset.with_label is False
    assert cfg.train_dataloader.dataset.split == ('train', 'val')


def test_multi_crop_adds_six_small_views():
    cfg = Config.fromfile('configs/swav_mcrop_bm.py')
    views = cfg.train_dataloader.dataset.pipeline[1].views
    assert views[1] == dict(num=6, size=96, scale=(0.05, 0.14))
    assert cfg.model.head.loss.num_crops == [2, 6]
    assert cfg.model.head.loss.num_prototypes == 1000


@pytest.mark.parametrize(
    'pretraining,linear',
    [('swav_bm', 'linear_bm'), ('swav_tiny_bm', 'linear_tiny_bm')],
)
def test_linear_config_has_the_backbone_of_pretraining(pretraining, linear):
    states = []
    for name in (pretraining, linear):
        cfg = Config.fromfile(f'configs/{name}.py')
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            backbone = MODELS.build(cfg.model).backbone
        states.append({k: v.shape for k, v in backbone.state_dict().items()})
    assert states[0] == states[1]


@pytest.mark.parametrize('name', ['linear_bm', 'linear_tiny_bm'])
def test_linear_evaluation_does_not_augment(name):
    cfg = Config.fromfile(f'configs/{name}.py')
    test = cfg.test_dataloader.dataset.pipeline
    train = cfg.test_cfg.train_dataloader.dataset.pipeline
    assert test == train
    assert [step.type for step in test] == [
        'LoadCellImage',
        'Resize',
        'PackInputs',
    ]


def test_environment_points_at_data_and_fold(monkeypatch):
    monkeypatch.setenv('BM_DATA_ROOT', 'elsewhere')
    monkeypatch.setenv('BM_FOLD', '3')
    for file in LEAVES:
        cfg = Config.fromfile(file)
        datasets = [
            cfg[key].dataset
            for key in ('train_dataloader', 'test_dataloader')
            if key in cfg
        ]
        if 'test_cfg' in cfg:
            datasets.append(cfg.test_cfg.train_dataloader.dataset)
        assert datasets
        for dataset in datasets:
            assert (dataset.data_root, dataset.fold) == ('elsewhere', '3')
