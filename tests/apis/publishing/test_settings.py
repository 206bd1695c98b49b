"""What a config gives a bundle, and what is refused."""

from pathlib import Path

import pytest
from mmengine.config import DictAction
from mmengine.registry import init_default_scope

from bm_plugins.apis.publishing.settings import read_settings
from bm_plugins.errors import InputError
from bm_plugins.experiments.experiment import read_config

LINEAR, SUPERVISED = 'linear_tiny_bm', 'resnext50_val_bm'
STEP = 'test_dataloader.dataset.pipeline'


def settings(name, *options):
    init_default_scope('mmpretrain')
    cfg = read_config(Path(f'configs/{name}.py'))
    pairs = dict(option.split('=', 1) for option in options)
    # what --cfg-options would refuse may stand in a config
    cfg.merge_from_dict({k: parsed(v) for k, v in pairs.items()})
    return read_settings(cfg)


def parsed(text):
    return DictAction._parse_iterable(text)


def test_linear_evaluation():
    found = settings(LINEAR)
    assert not found.supervised
    assert (found.size, found.interpolation) == ((48, 48), 'area')
    assert found.mean == (123.675, 116.28, 103.53)
    assert found.std == (58.395, 57.12, 57.375)
    assert found.model['backbone'] == dict(
        type='ResNet_CIFAR',
        depth=18,
        stem_channels=16,
        base_channels=16,
        strides=[2, 2, 2, 2],
    )
    assert found.train['split'] == ('train', 'val')
    assert (found.l2, found.folds, found.num_workers) == (None, 5, 1)
    assert settings(LINEAR, 'test_cfg.l2=0.1,0.2').l2 == (0.1, 0.2)
    assert found.class_weight == 'balanced'
    assert settings(LINEAR, 'test_cfg.class_weight=None').class_weight is None


def test_supervised():
    found = settings(SUPERVISED)
    assert found.supervised
    assert (found.size, found.batch_size) == ((250, 250), 64)
    assert found.mean == (143.565, 126.48, 187.425)
    assert found.train['split'] == 'train'


def test_weights_are_not_loaded_from_elsewhere():
    found = settings(
        LINEAR, 'model.backbone.init_cfg.type=Pretrained', *PRETRAINED
    )
    assert 'init_cfg' not in found.model['backbone']
    assert 'pretrained' not in found.model['backbone']


PRETRAINED = (
    'model.backbone.init_cfg.checkpoint=http://a/b.pth',
    'model.backbone.pretrained=True',
)


def test_no_normalisation_is_none():
    found = settings(
        LINEAR, 'data_preprocessor.mean=None', 'data_preprocessor.std=None'
    )
    assert (found.mean, found.std) == ((0, 0, 0), (1, 1, 1))


@pytest.mark.parametrize(
    ('name', 'option', 'message'),
    [
        ('swav_tiny_bm', None, "'SwAV'.*linear_.*.py config"),
        ('supcon_tiny_bm', None, "'SupCon'.*linear_.*.py config"),
        (LINEAR, 'test_cfg.type=TestLoop', None),
        (LINEAR, 'model.head.type=ArcFaceClsHead', 'ArcFaceClsHead'),
        (LINEAR, 'model.neck.type=GeneralizedMeanPooling', 'neck.type'),
        (LINEAR, f'{STEP}.1.type=CenterCrop', 'CenterCrop is not supported'),
        (LINEAR, f'{STEP}.0.type=LoadImageFromFile', 'LoadImageFromFile'),
        (LINEAR, f'{STEP}.0.type=Resize', 'Resize, Resize, PackInputs'),
        (LINEAR, f'{STEP}.1.keep_ratio=True', 'keep_ratio'),
        (LINEAR, f'{STEP}.1.backend=pillow', 'pillow|cv2'),
        (LINEAR, f'{STEP}.1.scale=64', 'is not.*give both the same'),
        (LINEAR, 'test_cfg.class_weight=none', "class_weight='none'"),
        (LINEAR, 'data_preprocessor.to_rgb=False', 'to_rgb=False'),
        (LINEAR, 'data_preprocessor.pad_size_divisor=32', 'pad_size'),
        (LINEAR, 'data_preprocessor.type=GPUViews', 'GPUViews'),
        (LINEAR, 'test_dataloader.dataset.type=ImageNet', 'a ImageNet'),
        (
            LINEAR,
            'model.backbone.type=os.system',
            '^model.backbone.type.*config',
        ),
    ],
)
def test_what_a_bundle_cannot_reproduce(name, option, message):
    if message is None:  # as a supervised test, without a training
        message = 'no train_dataloader'
    with pytest.raises(InputError, match=message):
        settings(name, *([option] if option else []))
