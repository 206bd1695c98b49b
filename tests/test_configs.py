"""Each config builds, and those of the paper have its values."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATA_SAMPLERS, MODELS, TRANSFORMS

import bm_plugins  # noqa: F401
from bm_plugins.engine.checkpoints.checkpoint_keys import backbone_weights
from bm_plugins.engine.config_check import check_config
from bm_plugins.errors import InputError
from bm_plugins.experiments.experiment import read_config

LEAVES = sorted(Path('configs').glob('*.py'))


@pytest.mark.slow
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


def trainings():
    for file in LEAVES:
        text = file.read_text()
        if found := re.search(r'dist_train\.sh \S+ (\d)', text):
            yield pytest.param(file, int(found[1]), id=file.stem)


@pytest.mark.parametrize('file,processes', [*trainings()])
def test_the_learning_rate_is_for_the_command_of_the_config(file, processes):
    cfg = Config.fromfile(file)
    batch = processes * cfg.train_dataloader.batch_size
    assert batch == cfg.auto_scale_lr.base_batch_size
    assert batch == (64 if re.search('tiny|lite', file.stem) else 256)


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
    assert 'custom_hooks' not in cfg  # a child's would take their place
    assert cfg.model.head.loss.queue_start_epoch == 15
    assert cfg.model.head.loss.freeze_prototypes_epochs == 2
    assert cfg.train_cfg.max_epochs == 200
    assert cfg.train_dataloader.batch_size * 4 == 256
    assert cfg.auto_scale_lr.base_batch_size == 256
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr) == ('SyncFreeLARS', 0.6)
    assert optimizer.weight_decay == 1e-6 and optimizer.momentum == 0.9
    (cosine,) = cfg.param_scheduler
    assert cosine.type == 'CosineAnnealingLR' and cosine.eta_min == 6e-4
    assert not {'begin', 'end', 'T_max'} & {*cosine}  # those of the training
    assert cosine.convert_to_iter_based


def test_paper_views():
    cfg, _ = swav()
    load, views, pack = cfg.train_dataloader.dataset.pipeline
    (group,) = views.views
    assert group == dict(num=2, size=224, scale=(0.14, 1.0))
    transform = TRANSFORMS.build(dict(views, type='mmpretrain.MultiCropViews'))
    assert transform.drawer.flip_prob == (0.5, 0.5)
    assert len(transform.views) == 2
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
    [
        ('swav_bm', 'linear_bm'),
        ('supcon_bm', 'linear_bm'),
        ('supcon_mlp_bm', 'linear_bm'),
        ('swav_r18_bm', 'linear_r18_bm'),
        ('swav_tiny_pbc', 'linear_tiny_pbc'),
        ('swav_tiny_bm', 'linear_tiny_pbc'),
        ('linear_sgd_bm', 'linear_bm'),
        ('swav_tiny_bm', 'linear_tiny_bm'),
        ('supcon_tiny_bm', 'linear_tiny_bm'),
        ('resnet_tiny_bm', 'linear_tiny_bm'),
    ],
)
def test_linear_config_has_the_backbone_of_pretraining(pretraining, linear):
    states = []
    for name in (pretraining, linear):
        cfg = Config.fromfile(f'configs/{name}.py')
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            backbone = MODELS.build(cfg.model).backbone
        states.append({k: v.shape for k, v in backbone.state_dict().items()})
    assert states[0] == states[1]


def test_timm_models_are_tested_like_ours(monkeypatch):
    monkeypatch.setenv('BM_TIMM', 'vit_small_patch14_dinov2')
    for size, given, how in ((518, 'own', 'bicubic'), (224, '224', 'area')):
        monkeypatch.setenv('BM_TIMM_SIZE', given)
        cfg = Config.fromfile('configs/linear_timm_bm.py')
        assert cfg.model.backbone == dict(
            type='TimmEncoder',
            model_name='vit_small_patch14_dinov2',
            img_size=size,
        )
        assert cfg.model.head.in_channels == 384 and cfg.model.neck is None
        parts = [cfg.test_dataloader, cfg.test_cfg.train_dataloader]
        for loader in parts:
            resize = loader.dataset.pipeline[1]
            assert resize.scale == (size, size) and resize.interpolation == how
    ours = Config.fromfile('configs/linear_bm.py')
    assert cfg.data_preprocessor == ours.data_preprocessor  # ImageNet's
    assert cfg.test_dataloader == ours.test_dataloader
    assert cfg.test_cfg == ours.test_cfg
    monkeypatch.setenv('BM_TIMM', 'vit_tiny_patch16_224')
    cfg = Config.fromfile('configs/linear_timm_bm.py')
    assert cfg.data_preprocessor.mean == cfg.data_preprocessor.std
    assert cfg.data_preprocessor.mean == [127.5] * 3


def test_fine_tuning_is_tested_on_the_images_of_linear_evaluation(monkeypatch):
    monkeypatch.setenv('BM_TIMM', 'vit_small_patch14_dinov2')
    for given, size, how in (('own', 518, 'bicubic'), ('224', 224, 'area')):
        monkeypatch.setenv('BM_TIMM_SIZE', given)
        cfg = Config.fromfile('configs/timm_lora_bm.py')
        linear = Config.fromfile('configs/linear_timm_bm.py')
        for key in ('data_preprocessor', 'test_dataloader'):
            assert cfg[key] == linear[key]
        _, crop, *_ = cfg.train_dataloader.dataset.pipeline
        assert crop.scale == size and crop.interpolation == how
        assert cfg.model.backbone == dict(
            linear.model.backbone,
            type='TunedTimmEncoder',
            lora_rank=8,
            lora_alpha=16,
        )
        file = 'checkpoints/vit_small_patch14_dinov2.safetensors'
        assert cfg.load_from == file and not cfg.test_cfg and balanced(cfg)


@pytest.mark.parametrize(
    'name', ['linear_bm', 'linear_tiny_bm', 'linear_timm_bm']
)
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
        if 'train_dataloader' in cfg.get('test_cfg', {}):
            datasets.append(cfg.test_cfg.train_dataloader.dataset)
        assert datasets
        for dataset in datasets:
            assert (dataset.data_root, dataset.fold) == ('elsewhere', '3')


def balanced(cfg):
    sampler = cfg.train_dataloader.sampler
    return sampler.type == 'ClassBalancedSampler'


def test_supervised_values_of_the_paper_and_its_code():
    cfg = Config.fromfile('configs/resnext50_bm.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg.model)
    assert type(model.backbone).__name__ == 'ResNeXt'
    assert model.backbone.groups == 32 and model.backbone.base_channels == 64
    assert model.backbone.width_per_group == 4 and model.backbone.depth == 50
    assert model.head.fc.out_features == 21
    loss = model.head.loss_module
    assert type(loss).__name__ == 'CrossEntropyLoss'
    assert loss.class_weight is None
    assert cfg.optim_wrapper.optimizer == dict(
        type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-6
    )
    (cosine,) = cfg.param_scheduler
    assert cosine.type == 'CosineAnnealingLR' and cosine.eta_min == 0
    assert 'end' not in cosine and cfg.train_cfg.max_epochs == 100
    assert cfg.train_dataloader.batch_size == 64
    assert cfg.train_dataloader.sampler.samples_per_class == 10_000
    assert balanced(cfg)
    mean, std = (
        torch.tensor(cfg.data_preprocessor[key]) / 255
        for key in ('mean', 'std')
    )
    torch.testing.assert_close(mean, torch.tensor([0.563, 0.496, 0.735]))
    torch.testing.assert_close(std, torch.tensor([0.242, 0.283, 0.177]))
    assert cfg.data_preprocessor.to_rgb
    _, crop, left, up, _ = cfg.train_dataloader.dataset.pipeline
    assert crop.scale == 250 and crop.crop_ratio_range == (0.7, 1.0)
    flips = [(flip.type, flip.prob, flip.direction) for flip in (left, up)]
    assert flips == [
        ('RandomFlip', 0.5, 'horizontal'),
        ('RandomFlip', 0.5, 'vertical'),
    ]
    _, whole, _ = cfg.test_dataloader.dataset.pipeline
    assert whole.type == 'Resize' and whole.scale == (250, 250)
    assert cfg.train_dataloader.dataset.split == ('train', 'val')


@pytest.mark.parametrize('name', ['resnext50', 'resnet_tiny'])
def test_supervised_variants_differ_in_one_thing(name):
    base = Config.fromfile(f'configs/{name}_bm.py')
    mixup = Config.fromfile(f'configs/{name}_mixup_bm.py')
    augment = mixup.model.pop('train_cfg').augments
    assert augment == dict(type='SyncFreeMixup', alpha=0.1)
    assert mixup.model.head.loss.pop('use_soft')
    assert mixup.to_dict() == base.to_dict()
    weighted = Config.fromfile(f'configs/{name}_weighted_bm.py')
    assert weighted.model.head.loss.type == 'WeightedCrossEntropyLoss'
    assert weighted.model.head.loss.pop('class_weight') == 'inverse_frequency'
    weighted.model.head.loss.type = 'CrossEntropyLoss'
    assert weighted.to_dict() == base.to_dict()
    if name == 'resnet_tiny':
        near = Config.fromfile('configs/resnet_tiny_hierarchical_bm.py')
        loss = near.model.head.pop('loss')
        assert loss == dict(type='SoftLabelLoss', beta=15)
        near.model.head.loss = base.model.head.loss
        assert near.to_dict() == base.to_dict()
    unbalanced = Config.fromfile(f'configs/{name}_unbalanced_bm.py')
    assert not balanced(unbalanced) and balanced(base)
    unbalanced.train_dataloader.sampler = base.train_dataloader.sampler
    assert unbalanced.to_dict() == base.to_dict()


def test_twenty_epochs():
    base = Config.fromfile('configs/resnext50_bm.py')
    short = Config.fromfile('configs/resnext50_20e_bm.py')
    assert short.train_cfg.max_epochs == 20
    short.train_cfg.max_epochs = 100
    assert short.to_dict() == base.to_dict()


def test_supcon_values_of_the_paper():
    cfg = Config.fromfile('configs/supcon_bm.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg.model)
    assert model.backbone.depth == 50
    assert model.head.loss_module.temperature == 0.2
    projection = model.head.projection
    assert (projection.in_features, projection.out_features) == (2048, 128)
    like = Config.fromfile('configs/swav_bm.py')
    assert cfg.train_dataloader.dataset.pop('with_label')
    assert not like.train_dataloader.dataset.pop('with_label')
    for key in ('train_dataloader', 'optim_wrapper', 'param_scheduler'):
        assert cfg[key] == like[key], key
    assert cfg.train_cfg == dict(by_epoch=True, max_epochs=200)
    (views,) = cfg.train_pipeline[1].views
    assert views.num == 2 and cfg.train_dataloader.batch_size * 4 == 256


@pytest.mark.parametrize('name', ['linear_sgd', 'linear_sgd_tiny'])
def test_classic_linear_evaluation_freezes_the_backbone(name):
    cfg = Config.fromfile(f'configs/{name}_bm.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg.model).train()
    learned = [k for k, p in model.named_parameters() if p.requires_grad]
    assert learned == ['head.fc.weight', 'head.fc.bias']
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and not any(norm.training for norm in norms)
    assert cfg.train_cfg.max_epochs == 100
    assert cfg.optim_wrapper.optimizer.type == 'SGD'
    fitted = Config.fromfile(f'configs/{name.replace("_sgd", "")}_bm.py')
    assert cfg.test_dataloader == fitted.test_dataloader


def test_linear_evaluations_are_class_balanced():
    fitted = Config.fromfile('configs/linear_tiny_bm.py').test_cfg
    assert fitted.class_weight == 'balanced'
    file = Path('configs/linear_sgd_tiny_bm.py')
    assert balanced(read_config(file))
    natural = 'train_dataloader.sampler.type=DefaultSampler'
    for options, counts in (([], [10] * 3), ([natural], [24, 4, 2])):
        sampler = read_config(file, options).train_dataloader.sampler
        drawn = DATA_SAMPLERS.build(dict(sampler, dataset=LongTail(), seed=0))
        labels = LongTail().get_gt_labels()[list(drawn)]
        assert np.bincount(labels).tolist() == counts


class LongTail(list):
    """30 images of three classes."""

    metainfo = dict(classes='ABC')

    def __init__(self):
        super().__init__(range(30))

    def get_gt_labels(self):
        return np.repeat([0, 1, 2], [24, 4, 2])


@pytest.mark.parametrize('name', ['resnext50', 'resnet_tiny'])
def test_validation_part_chooses_and_is_not_trained_on(name):
    base = Config.fromfile(f'configs/{name}_bm.py')
    cfg = Config.fromfile(f'configs/{name}_val_bm.py')
    assert cfg.train_dataloader.dataset.split == 'train'
    assert cfg.val_dataloader.dataset.split == 'val'
    assert cfg.default_hooks.checkpoint.save_best == 'per_class/macro_f1'
    pipelines = [
        cfg[f'{part}_dataloader'].dataset.pipeline for part in ('val', 'test')
    ]
    assert pipelines[0] == pipelines[1]
    cfg.train_dataloader.dataset.split = ('train', 'val')
    assert cfg.train_dataloader == base.train_dataloader


def test_few_labels():
    base = Config.fromfile('configs/linear_bm.py')
    for percent in (1, 10):
        cfg = Config.fromfile(f'configs/linear_{percent}pct_bm.py')
        dataset = cfg.test_cfg.train_dataloader.dataset
        assert dataset.pop('fraction') == percent / 100
        assert cfg.to_dict() == base.to_dict()
    cfg = Config.fromfile('configs/resnext50_10pct_bm.py')
    assert cfg.train_dataloader.dataset.fraction == 0.1


def test_two_layers_of_projection():
    cfg = Config.fromfile('configs/supcon_mlp_bm.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        head = MODELS.build(cfg.model).head
    layers = [m for m in head.modules() if isinstance(m, torch.nn.Linear)]
    assert [(m.in_features, m.out_features) for m in layers] == [
        (2048, 2048),
        (2048, 128),
    ]


def test_classes_of_the_blood_cells():
    cfg = read_config(Path('configs/linear_tiny_pbc.py'))
    parts = [cfg.test_dataloader, cfg.test_cfg.train_dataloader]
    for loader in parts:
        assert len(loader.dataset.metainfo.classes) == 11
    assert cfg.model.head.num_classes == 11
    assert cfg.data_preprocessor.num_classes == 11


def test_class_set_of_a_supervised_config(tmp_path):
    file = tmp_path / 'own.py'
    text = f"_base_ = '{Path('configs/resnet_tiny_mixup_bm.py').resolve()}'\n"
    file.write_text(text + "class_set = dict(classes=('A', 'B'))\n")
    cfg = read_config(file)
    for part in ('train', 'val', 'test'):
        if loader := cfg.get(f'{part}_dataloader'):
            assert loader.dataset.metainfo.classes == ('A', 'B'), part
    assert cfg.model.head.num_classes == 2
    assert cfg.data_preprocessor.num_classes == 2
    check_config(cfg)
    file.write_text(text + "class_set = ('A', 'B')\n")
    with pytest.raises(InputError, match=r'class_set=dict\(classes='):
        read_config(file)


@pytest.mark.parametrize('prefix', ['', 'backbone.'])
def test_imagenet_weights_of_a_local_file(tmp_path, prefix):
    """torchvision's names, and mmpretrain's with another classifier."""
    cfg = Config.fromfile('configs/resnext50_imagenet_bm.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg.model)
    theirs = torchvision.models.resnext50_32x4d().eval()
    weights = {f'{prefix}{k}': v for k, v in theirs.state_dict().items()}
    if prefix:
        for key in ('weight', 'bias'):
            weights[f'head.fc.{key}'] = weights.pop(f'backbone.fc.{key}')
    state = backbone_weights(dict(state_dict=weights), model.backbone, 'file')
    model.backbone.load_state_dict(state)
    model.eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        (ours,) = model.backbone(images)
        theirs.avgpool, theirs.fc = torch.nn.Identity(), torch.nn.Identity()
        expected = theirs(images).view_as(ours)
    torch.testing.assert_close(ours, expected)
