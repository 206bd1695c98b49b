import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from bm_plugins.errors import InputError
from bm_plugins.models import SupConLoss


def build():
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='SupCon',
            backbone=dict(type='ResNet_CIFAR', depth=18, base_channels=8),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='SupConHead', in_channels=64, out_channels=8),
        )
    )


def test_views_are_rows_with_the_labels_of_their_images():
    model = build().eval()
    views = [torch.randn(4, 3, 16, 16) for _ in range(2)]
    labels = [2, 0, 2, 1]
    samples = [DataSample().set_gt_label(label) for label in labels]
    loss = model(views, samples, mode='loss')['loss']
    features = [model.backbone(view)[-1].mean((2, 3)) for view in views]
    z = torch.cat([model.head((feature,)) for feature in features])
    expected = SupConLoss()(z, torch.tensor(labels + labels))
    torch.testing.assert_close(loss, expected)


def test_without_labels():
    with pytest.raises(InputError, match='with_label=True'):
        build()([torch.zeros(1, 3, 16, 16)], [DataSample()], mode='loss')
