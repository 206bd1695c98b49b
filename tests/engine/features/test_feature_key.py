import copy

import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

from bm_plugins.datasets import Matek
from bm_plugins.engine.features.feature_key import feature_key

PIPELINE = [dict(type='LoadCellImage'), dict(type='Resize', scale=32)]


class Deep(Matek):
    def get_data_info(self, idx):
        return super().get_data_info(idx) | dict(bits=12)


@pytest.fixture
def model():
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(
            dict(
                type='ImageClassifier',
                data_preprocessor=dict(mean=[127.5] * 3, std=[60.0] * 3),
                backbone=dict(type='ResNet', depth=18),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(
                    type='LinearClsHead', num_classes=3, in_channels=512
                ),
            )
        )


@pytest.fixture
def key(model, cells):
    dataset = Matek(str(cells))

    def of(model=model, dataset=dataset, pipeline=PIPELINE, fp16=False):
        return feature_key(model, dataset, pipeline, fp16)

    return of


def test_stays_the_same(key, model, cells):
    first = key()
    assert len(first) == 64
    assert key() == key(dataset=Matek(str(cells))) == first
    with torch.no_grad():
        model.head.fc.weight += 1
    model.eval()
    assert key() == first


def test_differs_with_each_part(key, model, cells):
    stride = copy.deepcopy(model)
    stride.backbone.layer1[0].conv1.stride = (2, 2)
    statistics = copy.deepcopy(model)
    statistics.backbone.bn1.running_mean += 1
    scaled = copy.deepcopy(model)
    scaled.data_preprocessor.std *= 2
    reordered = Matek(str(cells))
    reordered.get_subset_([1, 0, *range(2, len(reordered))])
    keys = [
        key(),
        key(fp16=True),
        key(pipeline=PIPELINE[::-1]),
        key(pipeline=PIPELINE[:1]),
        key(dataset=Matek(str(cells), split='test')),
        key(dataset=reordered),
        key(dataset=Deep(str(cells))),
        key(stride),
        key(statistics),
        key(scaled),
    ]
    assert len({*keys}) == len(keys)
