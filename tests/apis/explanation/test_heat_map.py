"""Heat maps against an implementation by hand, in float64.

Attention against a loop, and against timm's own unfused weights.
"""

import numpy as np
import pytest
import timm
import torch
from mmpretrain.registry import MODELS
from scipy.special import softmax
from torch import nn

from bm_plugins.apis.bundle.bundle_model import BundleModel, build_model
from bm_plugins.apis.explanation.heat_map import (
    attention_rollout,
    grad_cam,
    heat_map,
    watch_attention,
)
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


VIT = dict(
    type='VisionTransformer',
    arch=dict(
        embed_dims=8, num_layers=3, num_heads=2, feedforward_channels=16
    ),
    img_size=48,
    patch_size=16,
)


def _rollout(layers, first, at_token):
    """By loops, in float64; layers of (heads, N, N), patches from first."""
    size = layers[0].shape[-1]
    total = np.eye(size)
    for heads in layers:
        step = np.zeros((size, size))
        for i in range(size):
            for j in range(size):
                step[i, j] = sum(h[i, j] for h in heads) / len(heads)
        total = (0.5 * step + 0.5 * np.eye(size)) @ total
    row = total[0, first:] if at_token else total[first:, first:].mean(0)
    return row - row.min()


@pytest.mark.parametrize(
    'out, token',
    [('cls_token', True), ('avg_featmap', False), ('avg_featmap', True)],
)
def test_mmpretrain(out, token):
    torch.manual_seed(0)
    config = dict(VIT, out_type=out, with_cls_token=token)
    model = BundleModel(MODELS.build(config), (128,) * 3, (60,) * 3, 8, 3)
    model.eval()
    for layer in model.backbone.layers:  # far from even
        torch.nn.init.normal_(layer.attn.qkv.weight, std=0.7)
    kept = []
    for layer in model.backbone.layers:
        layer.attn.qkv.register_forward_hook(
            lambda module, given, output: kept.append(output[0].detach())
        )
    image = torch.randint(256, (3, 48, 48), dtype=torch.uint8)
    heat = heat_map(model, image, 1)
    layers = []
    for output in kept:
        values = output.double().numpy().reshape(-1, 3, 2, 4)
        query, key = values[:, 0], values[:, 1]
        layers.append(
            [
                softmax(query[:, h] @ key[:, h].T / np.sqrt(4), axis=1)
                for h in range(2)
            ]
        )
    layers = np.array(layers)
    assert layers.shape == (3, 2, 9 + token, 9 + token)
    expected = _rollout(layers, int(token), out == 'cls_token').reshape(3, 3)
    assert heat.grid == (3, 3) and not heat.of_class
    found = torch.nn.functional.interpolate(
        torch.from_numpy(expected)[None, None], (48, 48), mode='bilinear'
    )[0, 0]
    torch.testing.assert_close(
        heat.values.double(), found / found.max(), atol=1e-5, rtol=1e-5
    )


def test_timm():
    """The weights are those that timm computes without the fused kernel."""
    torch.manual_seed(0)
    model = timm.create_model(
        'vit_tiny_patch16_224', img_size=48, depth=2, num_classes=0
    ).eval()
    images = torch.randn(1, 3, 48, 48)
    with torch.no_grad(), watch_attention() as found:
        model(images)
    expected = []
    for block in model.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(
            lambda module, given, output: expected.append(output)
        )
    with torch.no_grad():
        model(images)
    assert len(found) == len(expected) == 2
    for one, other in zip(found, expected, strict=True):
        assert one.shape == (1, 3, 10, 10)
        torch.testing.assert_close(one, other)
    rollout = attention_rollout(found, (3, 3), class_token=True)
    layers = [layer[0].numpy() for layer in expected]
    np.testing.assert_allclose(
        rollout, _rollout(layers, 1, True).reshape(3, 3), atol=1e-6
    )


@pytest.mark.parametrize('pool', ['token', 'avg'])
def test_timm_pooling(pool):
    """With avg a class token is there, but not what the features are."""
    torch.manual_seed(0)
    config = dict(model_name='vit_tiny_patch16_224', img_size=48, depth=2)
    backbone = MODELS.build(
        dict(type='TimmEncoder', global_pool=pool, **config)
    )
    model = BundleModel(backbone, (128,) * 3, (60,) * 3, 192, 3).eval()
    for block in backbone.timm_model.blocks:  # far from even
        torch.nn.init.normal_(block.attn.qkv.weight, std=0.7)
    image = torch.randint(256, (3, 48, 48), dtype=torch.uint8)
    with torch.no_grad(), watch_attention() as found:
        model(image[None])
    layers = [layer[0].numpy() for layer in found]
    expected = [
        _rollout(layers, 1, token).reshape(1, 1, 3, 3)
        for token in (pool == 'token', pool != 'token')
    ]
    right, wrong = (
        torch.nn.functional.interpolate(
            torch.from_numpy(rows), (48, 48), mode='bilinear'
        )[0, 0]
        for rows in expected
    )
    heat = heat_map(model, image, 0).values.double()
    torch.testing.assert_close(heat, right / right.max(), atol=1e-4, rtol=1e-4)
    assert (heat - wrong / wrong.max()).abs().max() > 0.01
