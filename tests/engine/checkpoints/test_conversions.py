import mmselfsup.models  # noqa: F401
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from timm.layers import SwiGLUPacked
from timm.models import VisionTransformer
from torch import nn

from bm_plugins.engine.checkpoints.conversions import (
    convert_dinobloom,
    convert_swav,
    timm_name,
)
from bm_plugins.errors import InputError
from bm_plugins.models.losses.swav_loss import swav_loss_of
from tests.engine.dinov2_reference import forward, published
from tests.engine.small_swav import small_model, small_swav


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


def build(name, **neck):
    """The config's SwAV, ResNet-18 and without synchronised norms."""
    cfg = Config.fromfile(f'configs/{name}.py')
    cfg.model.backbone.update(depth=18, norm_cfg=dict(type='BN'))
    cfg.model.neck.update(in_channels=512, **neck)
    cfg.model.head.loss.update(num_prototypes=30, queue_length=16)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg.model)
        model.init_weights()
    return model


def views(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(8, 3, 64, 64, generator=generator) for _ in range(2)]


def loss_of(model):
    model.train()
    return model(views(), mode='loss')['loss']


WIDE = dict(hid_channels=64, norm_cfg=dict(type='BN1d'))
OURS, THEIRS = 'swav_bm', 'swav_mmselfsup_bm'


@pytest.mark.slow
@pytest.mark.parametrize('neck', [{}, WIDE], ids=['linear', 'two_layers'])
@pytest.mark.parametrize('one,two', [(OURS, THEIRS), (THEIRS, OURS)])
def test_same_weights_and_batch_give_the_same_loss(one, two, neck):
    one, two = build(one, **neck), build(two, **neck)
    for weight in one.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    loss = swav_loss_of(one)
    loss.queue.normal_()
    loss.queue_fill.fill_(5)
    state = dict(state_dict=one.state_dict())
    two.load_state_dict(convert_swav(state, two, 'one.pth'))
    other = swav_loss_of(two)
    torch.testing.assert_close(other.queue, loss.queue)
    assert other._fill == 5
    torch.testing.assert_close(other.prototypes.weight, loss.prototypes.weight)
    first, second = loss_of(one), loss_of(two)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    first.backward()
    second.backward()
    for ours, theirs in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=0)


def stock(model):
    """mmselfsup's own loss in the place of ours."""
    model.head.loss = mmselfsup.models.SwAVLoss(
        feat_dim=128, num_prototypes=30, epsilon=0.03, num_crops=[2]
    )
    return model


def test_mmselfsups_own_loss_is_ours_on_one_rank():
    ours, theirs = build(OURS), stock(build(THEIRS))
    state = dict(state_dict=theirs.state_dict())
    ours.load_state_dict(convert_swav(state, ours, 'theirs.pth'))
    loss = swav_loss_of(ours)
    assert loss._fill == 0  # they save no queue
    torch.testing.assert_close(
        loss.prototypes.weight, theirs.head.loss.prototypes.weight
    )
    torch.testing.assert_close(
        loss_of(ours), loss_of(theirs), rtol=1e-5, atol=0
    )


def test_a_key_left_over_is_an_error():
    ours, theirs = build(OURS), stock(build(THEIRS))
    state = dict(state_dict=ours.state_dict())
    with pytest.raises(InputError, match='ours.pth holds 2 .*queue.*queue_f'):
        convert_swav(state, theirs, 'ours.pth')
    wide = build(THEIRS, **WIDE)
    state = dict(state_dict=wide.state_dict())
    with pytest.raises(InputError, match=r'wide.pth holds .*neck\.bn\.weight'):
        convert_swav(state, ours, 'wide.pth')


def test_a_missing_or_reshaped_key_is_an_error():
    ours, theirs = build(OURS), build(THEIRS)
    weights = theirs.state_dict()
    prototypes = weights.pop('head.loss.prototypes.weight')
    state = dict(state_dict=weights)
    with pytest.raises(InputError, match='head.loss_module.prototypes'):
        convert_swav(state, ours, 'theirs.pth')
    weights['head.loss.prototypes.weight'] = prototypes[:5]
    with pytest.raises(InputError, match='head.loss_module.prototypes'):
        convert_swav(state, ours, 'theirs.pth')


def test_hooks_want_the_loss_they_know(cells, tmp_path):
    runner = small_swav(cells, tmp_path)
    runner.model.head.loss_module = torch.nn.Identity()
    with pytest.raises(InputError, match='this model has Identity'):
        runner.train()


def test_the_same_run_through_the_same_runner(cells, tmp_path):
    ours = small_swav(cells, tmp_path / 'ours')
    model = small_model()
    model.update(type='mmselfsup.SwAV')
    # As the config; mmselfsup has no network as small.
    for part in ('data_preprocessor', 'backbone'):
        model[part]['type'] = 'mmpretrain.' + model[part]['type']
    for part in ('neck', 'head'):
        model[part]['type'] = 'mmselfsup.' + model[part]['type']
    model['head']['loss']['type'] = 'mmpretrain.GlobalSwAVLoss'
    theirs = small_swav(cells, tmp_path / 'theirs', model=model)
    ours.model.init_weights()
    state = dict(state_dict=ours.model.state_dict())
    start = convert_swav(state, theirs.model, 'start.pth')
    theirs.model.load_state_dict(start)
    for runner in (ours, theirs):
        runner.model.init_weights = lambda: None
        runner.train()
    assert swav_loss_of(theirs.model)._fill == 18
    state = dict(state_dict=theirs.model.state_dict())
    end = convert_swav(state, ours.model, 'end.pth')
    for key, value in ours.model.state_dict().items():
        torch.testing.assert_close(end[key], value, rtol=0, atol=0)
