"""Heat maps against an implementation by hand, in float64."""

import numpy as np
import pytest
import timm
import torch
from torch import nn

from bm_plugins.apis.bundle.bundle_model import BundleModel, build_model
from bm_plugins.apis.explanation.heat_map import grad_cam, heat_map
from bm_plugins.errors import InputError
from tests.apis.tiny_bundle import tiny_bundle


def _cell(side=48):
    torch.manual_seed(3)
    return torch.randint(256, (3, side, side), dtype=torch.uint8)


def test_equals_the_equations_in_float64():
    """Equations 1 and 2 of the paper, from autograd on the maps."""
    model, image = build_model(tiny_bundle()), _cell()
    layer = model.backbone.layer4
    exact = build_model(tiny_bundle()).double()
    blank = 0
    for target in range(3):
        inputs = (image[None].double() - exact.mean) / exact.std
        maps = exact.backbone(inputs)[-1].detach().requires_grad_()
        logits = exact.fc(maps.mean((2, 3)))
        (slope,) = torch.autograd.grad(logits[0, target], maps)
        weights = slope[0].mean((1, 2))
        expected = np.zeros(maps.shape[2:])
        for weight, plane in zip(weights, maps[0].detach(), strict=True):
            expected += weight.item() * plane.numpy()
        expected = np.maximum(expected, 0)
        found = grad_cam(model, layer, image[None].float(), target)
        assert found.shape[:2] == (1, 1) and expected.shape == (3, 3)
        np.testing.assert_allclose(found[0, 0], expected, atol=1e-6)
        heat = heat_map(model, image, target)
        assert heat.grid == (3, 3) and heat.of_class
        assert heat.values.shape == (48, 48)
        if expected.max() > 0:
            assert heat.values.max() == 1 and heat.values.min() >= 0
            # The hottest place is where the hottest cell of the grid is.
            row, column = divmod(int(heat.values.argmax()), 48)
            best = np.unravel_index(expected.argmax(), expected.shape)
            assert (row // 16, column // 16) == best
        else:
            assert not heat.values.any()
            blank += 1
    assert blank < 3


def test_nothing_speaks_for_the_class():
    model, image = build_model(tiny_bundle()), _cell()
    with torch.no_grad():
        model.fc.weight[1] = -1  # the maps are at least 0, after ReLU
    assert not heat_map(model, image, 1).values.any()
    with torch.no_grad():
        model.fc.weight[1] = 1
    assert heat_map(model, image, 1).values.max() == 1


class _Pooled(nn.Module):
    """Averages by itself, as timm's networks do."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 8, 8)
        self.relu = nn.ReLU()
        self.mix = nn.Linear(channels, 5)

    def forward(self, images):
        return (self.mix(self.relu(self.conv(images)).mean((2, 3))),)


def test_network_that_averages_by_itself():
    torch.manual_seed(0)
    backbone, image = _Pooled(5), _cell()
    backbone.mix = nn.Identity()
    model = BundleModel(backbone, (0, 0, 0), (255, 255, 255), 5, 3).eval()
    maps = backbone.relu(backbone.conv(image[None] / 255)).detach()
    plane = torch.einsum('d,dhw->hw', model.fc.weight[0], maps[0]) / 36
    found = grad_cam(model, backbone.relu, image[None].float(), 0)[0, 0]
    torch.testing.assert_close(found, plane.detach().relu())
    assert heat_map(model, image, 0).grid == (6, 6)


def test_neither_maps_nor_attention():
    model = BundleModel(_Pooled(7), (0, 0, 0), (1, 1, 1), 5, 3).eval()
    with pytest.raises(InputError, match='_Pooled: no heat map'):
        heat_map(model, _cell(), 0)


def test_where_channels_come_last():
    """A transformer whose attention cannot be laid over the image."""
    torch.manual_seed(0)
    swin = timm.create_model(
        'swin_tiny_patch4_window7_224',
        **dict(img_size=64, embed_dim=8, depths=(1, 1), num_heads=(1, 2)),
        **dict(num_classes=0, window_size=4),
    )
    model = BundleModel(swin, (0, 0, 0), (1, 1, 1), 16, 3).eval()
    with pytest.raises(InputError, match='no heat map'):
        heat_map(model, _cell(64), 0)
    convnext = timm.create_model(
        'convnext_tiny',
        **dict(depths=(1,) * 4, dims=(8, 8, 8, 16), num_classes=0),
    )
    model = BundleModel(convnext, (0, 0, 0), (1, 1, 1), 16, 3).eval()
    heat = heat_map(model, _cell(64), 0)
    assert heat.grid == (2, 2) and heat.of_class
