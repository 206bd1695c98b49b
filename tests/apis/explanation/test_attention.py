"""Attention against a loop, and against timm's own unfused weights."""

import numpy as np
import pytest
import timm
import torch
from mmpretrain.registry import MODELS
from scipy.special import softmax

from bm_plugins.apis.bundle.bundle_model import BundleModel
from bm_plugins.apis.explanation.attention import (
    attention_rollout,
    watch_attention,
)
from bm_plugins.apis.explanation.heat_map import heat_map

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
