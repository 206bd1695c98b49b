"""What upstream's parts cannot do, found before they do it."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmpretrain.registry import MODELS
from torch.utils.data import BatchSampler, DataLoader

import bm_plugins  # noqa: F401
from bm_plugins.engine.config_check import check_config
from bm_plugins.engine.step_options import check_accumulation
from bm_plugins.engine.upstream_limits import check_queue
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


COSINE = dict(type='CosineSimilarityLoss')
PLAIN = dict(norm_cfg=None, act_cfg=None)
LINEAR = dict(
    type='LinearNeck', in_channels=64, out_channels=8, gap_dim=2, **PLAIN
)
GROUPS = dict(type='GN', num_groups=2)
PREDICTOR = dict(
    type='NonLinearNeck',
    in_channels=8,
    hid_channels=8,
    out_channels=8,
    with_avg_pool=False,
    norm_cfg=GROUPS,
)
CONTRAST = dict(type='ContrastiveHead', loss=dict(type='CrossEntropyLoss'))
PREDICT = dict(type='LatentPredictHead', loss=COSINE, predictor=PREDICTOR)
QUEUE = dict(queue_len=16, feat_dim=8)
SINKHORN = dict(type='SwAVLoss', feat_dim=8, num_prototypes=6)


def model_of(kind, head, neck=LINEAR, **options):
    """One of mmpretrain's, whose layers treat each image by itself."""
    sizes = dict(depth=18, stem_channels=8, base_channels=8)
    backbone = dict(type='ResNet_CIFAR', norm_cfg=GROUPS, **sizes)
    parts = dict(backbone=backbone, neck=neck, head=head)
    torch.manual_seed(0)
    return MODELS.build(dict(type=kind, **parts, **options))


def gradient(model, batches):
    """The mean over batches, as accumulation makes it."""
    model.zero_grad()
    for views in batches:
        (model.loss(views, None)['loss'] / len(batches)).backward()
    return model.backbone.conv1.weight.grad.clone()


@pytest.mark.parametrize(
    ('kind', 'head', 'reason', 'options'),
    [
        ('SimCLR', CONTRAST, 'contrasts an image with', {}),
        (
            'BarlowTwins',
            dict(
                type='LatentCrossCorrelationHead',
                in_channels=8,
                loss=dict(type='CrossCorrelationLoss'),
            ),
            'correlations are those of a step',
            {},
        ),
        (
            'SwAV',
            dict(type='SwAVHead', loss=SINKHORN),
            'equal shares',
            dict(
                neck=dict(
                    type='SwAVNeck',
                    in_channels=64,
                    hid_channels=0,
                    out_channels=8,
                )
            ),
        ),
        ('SimSiam', PREDICT, None, {}),
    ],
)
def test_it_is_refused_where_the_gradients_differ(kind, head, reason, options):
    model = model_of(kind, head, **options)
    views = torch.randn(2, 8, 3, 16, 16)
    whole = gradient(model, [[*views]])
    halves = gradient(model, [[*views[:, :4]], [*views[:, 4:]]])
    difference = (whole - halves).norm() / whole.norm()
    if reason is None:
        assert difference < 1e-4
        check_accumulation(model, 2)
        return
    assert difference > 0.01
    with pytest.raises(InputError, match=f'_counts=2 would .*{reason}'):
        check_accumulation(model, 2)
    check_accumulation(model, 1)


@pytest.mark.parametrize(
    ('kind', 'head', 'options'),
    [
        ('MoCo', CONTRAST, QUEUE),
        ('BYOL', PREDICT, {}),
    ],
)
def test_a_target_network_moves_in_each_step(kind, head, options):
    model = model_of(kind, head, **options)
    with pytest.raises(InputError, match='its target network moves in each'):
        check_accumulation(model, 2)


@pytest.mark.parametrize(
    ('images', 'batch', 'processes', 'drop_last', 'message'),
    [
        (
            *(40, 5, 1, True),
            r'^model.queue_len=16: .* multiple of 5, .* \(1 x 5\)\. '
            'Set model.queue_len=15, ',
        ),
        (40, 4, 6, True, r'multiple of 24, .* \(6 x 4\).*queue_len=24, '),
        (11, 4, 1, False, 'ends with a batch of 3 images, .*drop_last=True'),
        (11, 4, 1, True, None),
        (10, 4, 1, False, None),  # 2 divides 16, too
        (40, 4, 2, False, None),
    ],
)
def test_batches_that_fill_a_queue(
    images, batch, processes, drop_last, message
):
    data = torch.zeros(images, 1)
    sampler = DefaultSampler(data, shuffle=False)
    batches = BatchSampler(sampler, batch, drop_last)
    loader = DataLoader(data, batch_sampler=batches)
    model = model_of('MoCo', CONTRAST, **QUEUE)
    if message is None:
        check_queue(model, loader, processes)
        return
    with pytest.raises(InputError, match=message):
        check_queue(model, loader, processes)


def test_another_models_length_is_its_own():
    """No queue of upstream's: any batch will do."""
    model = model_of('SimSiam', PREDICT)
    model.queue_len = 7
    check_queue(model, DataLoader(torch.zeros(4, 1)), 1)
