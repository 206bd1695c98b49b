"""DinoBloom's weights in timm's models give what DINOv2's formulas give."""

import pytest
import torch
from timm.layers import SwiGLUPacked
from timm.models import VisionTransformer
from torch import nn

from bm_plugins.engine.checkpoints.dinobloom_conversion import (
    convert_dinobloom,
    timm_name,
)
from bm_plugins.errors import InputError
from tests.engine.dinov2_reference import forward, published


@pytest.mark.parametrize('swiglu', [False, True])
def test_timm_computes_the_papers_network(swiglu):
    """Two blocks, four patches; gated as in DinoBloom-G, or not."""
    saved = published(24, 2, 5, 40, swiglu)
    gated = dict(  # as timm's vit_giant_patch14_dinov2
        mlp_layer=SwiGLUPacked, act_layer=nn.SiLU, mlp_ratio=2 * 40 / 24
    )
    model = VisionTransformer(
        img_size=28,
        patch_size=14,
        embed_dim=24,
        depth=2,
        num_heads=2,
        init_values=1e-5,
        num_classes=0,
        **(gated if swiglu else dict(mlp_ratio=40 / 24)),
    ).double()
    model.load_state_dict(convert_dinobloom(saved, 'file'))
    image = torch.randn(3, 28, 28)
    with torch.no_grad():
        found = model(image.double()[None])[0]
    expected = forward(saved['teacher'], image, 2)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_dinov2s_own_files_are_the_same_without_a_teacher():
    saved = published(24, 1, 5, 40)
    own = {
        key.removeprefix('backbone.'): value
        for key, value in saved['teacher'].items()
        if 'head' not in key
    }
    found = convert_dinobloom(own, 'file')
    assert found.keys() == convert_dinobloom(saved, 'file').keys()
    assert 'mask_token' in own and 'mask_token' not in found


@pytest.mark.parametrize(
    ('width', 'tokens', 'expected'),
    [
        (384, 257, ('vit_small_patch14_dinov2', 224)),
        (768, 257, ('vit_base_patch14_dinov2', 224)),
        (1024, 1370, ('vit_large_patch14_dinov2', 518)),
        (1536, 257, ('vit_giant_patch14_dinov2', 224)),
    ],
)
def test_the_model_is_told_by_its_shapes(width, tokens, expected):
    weights = dict(pos_embed=torch.empty(1, tokens, width, device='meta'))
    assert timm_name(weights, 'file') == expected


def test_other_files_are_refused_in_one_line():
    registers = published(24, 1, 5, 40)
    registers['teacher']['backbone.register_tokens'] = torch.zeros(1, 4, 24)
    resnet = dict(state_dict={'conv1.weight': torch.zeros(1)})
    for other in (registers, resnet, {}, dict(teacher=torch.zeros(1))):
        with pytest.raises(InputError, match='x.pth is no file of DinoBloom'):
            convert_dinobloom(other, 'x.pth')
    for shape in ((1, 257, 24), (1, 256, 384)):
        with pytest.raises(InputError, match='x.pth has features of length'):
            timm_name(dict(pos_embed=torch.empty(shape)), 'x.pth')
