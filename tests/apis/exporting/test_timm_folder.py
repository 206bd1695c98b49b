"""A bundle's backbone in timm."""

import json

import pytest
import timm
import torch
from mmpretrain.registry import MODELS

from bm_plugins.apis.bundle.bundle_model import BundleModel
from bm_plugins.apis.exporting.timm_folder import export_timm, timm_twin
from bm_plugins.errors import InputError
from tests.apis.tiny_bundle import tiny_bundle


def _with(backbone, dim):
    """A bundle whose batch norms have seen something."""
    bundle = tiny_bundle(backbone=backbone)
    network = MODELS.build(dict(backbone))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 2)
    model = BundleModel(network, bundle.mean, bundle.std, dim, 3).eval()
    return bundle, model


@pytest.mark.slow
@pytest.mark.parametrize(
    ('backbone', 'dim', 'name'),
    [
        (dict(type='ResNet', depth=18), 512, 'resnet18'),
        (dict(type='ResNet', depth=50), 2048, 'resnet50'),
        (dict(type='ResNeXt', depth=50), 2048, 'resnext50_32x4d'),
    ],
)
def test_timm_gives_the_same_features(backbone, dim, name, tmp_path):
    bundle, model = _with(backbone, dim)
    images = torch.randint(256, (2, 3, 48, 48)).float()
    assert export_timm(bundle, model, tmp_path, images) < 1e-5
    twin = timm.create_model(f'local-dir:{tmp_path}', pretrained=True).eval()
    mean, std = (
        torch.tensor(twin.pretrained_cfg[key]).view(3, 1, 1)
        for key in ('mean', 'std')
    )
    with torch.no_grad():
        found = twin((images / 255 - mean) / std)
        expected, _ = model(images)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    config = json.loads((tmp_path / 'config.json').read_text())
    assert config['architecture'] == name
    assert config['pretrained_cfg']['input_size'] == [3, 48, 48]


def test_no_twin():
    with pytest.raises(InputError, match='ResNet_CIFAR 18 has no twin.*pt2'):
        timm_twin(tiny_bundle())


@pytest.mark.slow
@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(style='caffe'), "timm's resnet50 differs"),
        (dict(deep_stem=True), 'no twin'),
    ],
)
def test_almost_a_twin(change, message, tmp_path):
    bundle, model = _with(dict(type='ResNet', depth=50, **change), 2048)
    images = torch.randint(256, (1, 3, 48, 48)).float()
    with pytest.raises(InputError, match=message):
        export_timm(bundle, model, tmp_path, images)
    assert not any(tmp_path.iterdir())
