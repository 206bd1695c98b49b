"""LoRA and last blocks on timm's networks, against float64 by hand."""

import copy

import pytest
import timm
import torch
from mmengine.optim import build_optim_wrapper
from mmpretrain.registry import MODELS

from bm_plugins.engine.checkpoints.checkpoint_keys import backbone_weights
from bm_plugins.errors import InputError
from bm_plugins.models.backbones.timm_encoder import TimmEncoder
from bm_plugins.models.backbones.tuned_timm_encoder import (
    TunedTimmEncoder,
    plain_config,
)

SIDE = 32
# An Eva takes the weight of qkv past the layer's forward where it has a bias.
EVA = dict(
    model_name='vit_small_patch16_dinov3_qkvb',
    **dict(depth=2, embed_dim=32, num_heads=2, img_size=SIDE),
)
VIT = dict(model_name='test_vit', img_size=SIDE)


def trained(model):
    return [k for k, p in model.named_parameters() if p.requires_grad]


def drawn(**config):
    """An encoder whose updates are not 0, and a copy of all its weights."""
    torch.manual_seed(0)
    encoder = TunedTimmEncoder(**config).eval()
    with torch.no_grad():
        for name, weight in encoder.named_parameters():
            if 'lora_' in name:
                weight.normal_(std=0.1)
    state = copy.deepcopy(encoder.state_dict())
    return encoder, state


@pytest.mark.parametrize('config', [VIT, EVA], ids=['vit', 'eva'])
def test_starts_as_timms_model_with_the_weights_of_a_file(config):
    torch.manual_seed(1)
    arguments = dict(config)
    theirs = timm.create_model(arguments.pop('model_name'), **arguments).eval()
    encoder = TunedTimmEncoder(**config).eval()
    weights = backbone_weights(theirs.state_dict(), encoder, 'a.pth')
    encoder.load_state_dict(weights)
    images = torch.randn(2, 3, SIDE, SIDE)
    with torch.no_grad():
        whole = theirs.forward_head(
            theirs.forward_features(images), pre_logits=True
        )
        torch.testing.assert_close(encoder(images)[0], whole)
    lacking = theirs.state_dict()
    lacking.pop('blocks.1.attn.qkv.weight')
    with pytest.raises(InputError, match=r'lacks \S+blocks.1.attn.qkv'):
        backbone_weights(lacking, encoder, 'a.pth')


@pytest.mark.parametrize('config', [VIT, EVA], ids=['vit', 'eva'])
def test_only_the_updates_are_trained_and_all_of_them(config):
    encoder, _ = drawn(**config, lora_rank=3)
    names = trained(encoder)
    linear = [
        name
        for name, layer in TimmEncoder(**config).named_modules()
        if isinstance(layer, torch.nn.Linear)
    ]
    assert names == [
        f'{name}.parametrizations.weight.0.lora_{part}'
        for name in linear
        for part in 'ab'
    ]
    encoder(torch.randn(2, 3, SIDE, SIDE))[0].square().sum().backward()
    for name, weight in encoder.named_parameters():
        moved = weight.grad is not None and bool(weight.grad.abs().sum())
        assert moved == (name in names), name


@pytest.mark.parametrize('config', [VIT, EVA], ids=['vit', 'eva'])
def test_merged_weights_are_the_sums_in_float64(config):
    encoder, state = drawn(**config, lora_rank=4, lora_alpha=10)
    images = torch.randn(2, 3, SIDE, SIDE)
    with torch.no_grad():
        before = encoder(images)[0]
    encoder.merge()
    plain = TimmEncoder(**config).eval()
    plain.load_state_dict(encoder.state_dict())  # no key more or less
    sums = 0
    for key, value in plain.state_dict().items():
        whole = key.replace('.weight', '.parametrizations.weight')
        if f'{whole}.original' in state:
            w, a, b = (
                state[f'{whole}.{part}'].numpy().astype('float64')
                for part in ('original', '0.lora_a', '0.lora_b')
            )
            assert a.shape == (4, w.shape[1]) and abs(b @ a).max() > 0.05
            expected = torch.from_numpy(w + b @ a * 10 / 4).float()
            # Float32's rounding of float64 sums in another order.
            torch.testing.assert_close(value, expected, rtol=2**-23, atol=0)
            sums += 1
        else:
            assert torch.equal(value, state[key])
    assert sums == len(trained(TunedTimmEncoder(**config))) / 2 > 0
    with torch.no_grad():
        torch.testing.assert_close(plain(images)[0], before)


def test_chosen_layers():
    encoder = TunedTimmEncoder(**VIT, lora_targets=['qkv', 'proj'])
    layers = {name.split('.parametrizations')[0] for name in trained(encoder)}
    assert layers == {
        f'timm_model.blocks.{i}.attn.{name}'
        for i in range(6)
        for name in ('qkv', 'proj')
    }
    alone = TunedTimmEncoder(**VIT, lora_targets='qkv')
    assert trained(alone) == [k for k in trained(encoder) if '.qkv.' in k]


def test_last_blocks_instead():
    encoder = TunedTimmEncoder(**VIT, unfreeze_blocks=2)
    plain = TimmEncoder(**VIT)
    last = ('timm_model.blocks.4.', 'timm_model.blocks.5.', 'timm_model.norm.')
    assert trained(encoder) == [
        k for k in trained(plain) if k.startswith(last)
    ]
    assert list(encoder.state_dict()) == list(plain.state_dict())
    # Its norm comes after the pooling, under a name of its own.
    pooled = TunedTimmEncoder(**VIT, global_pool='avg', unfreeze_blocks=1)
    assert 'timm_model.fc_norm.weight' in trained(pooled)
    assert not any('blocks.4' in name for name in trained(pooled))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            dict(lora_targets='qvk'),
            r"\('qvk',\): test_vit has .* fc1, fc2, proj, qkv\.",
        ),
        (dict(lora_targets=[]), r'lora_targets=\[\]'),
        (dict(lora_rank=0), 'lora_rank=0: expected a whole'),
        (dict(lora_rank=2.5), 'lora_rank=2.5'),
        (dict(lora_targets=3), 'lora_targets=.3,'),
        *(
            (dict(lora_alpha=alpha), f'lora_alpha={alpha}: expected a number')
            for alpha in ('a', 0, float('nan'), float('inf'))
        ),
        (dict(unfreeze_blocks=7), 'test_vit has 6 blocks'),
        (dict(unfreeze_blocks=0), 'unfreeze_blocks=0'),
        (
            dict(model_name='test_resnet', unfreeze_blocks=1),
            'test_resnet has 0 blocks',
        ),
        (dict(lora_rnk=4), 'timm cannot build test_vit with .*lora_rnk=4'),
    ],
)
def test_what_cannot_be(change, message):
    with pytest.raises(InputError, match=message):
        TunedTimmEncoder(**(VIT | change))


@pytest.mark.parametrize(
    'how', [dict(), dict(unfreeze_blocks=6)], ids=['lora', 'blocks']
)
def test_deeper_layers_have_higher_rates(how):
    head = dict(type='LinearClsHead', num_classes=3, in_channels=64)
    backbone = dict(VIT, type='TunedTimmEncoder', **how)
    model = dict(type='ImageClassifier', backbone=backbone, head=head)
    model = MODELS.build(model)
    wrapper = build_optim_wrapper(
        model,
        dict(
            optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.1),
            constructor='mmpretrain.LearningRateDecayOptimWrapperConstructor',
            paramwise_cfg=dict(layer_decay_rate=0.5),
        ),
    )
    groups = wrapper.optimizer.param_groups
    rates = {group['param_name']: group['lr'] for group in groups}
    assert sorted(rates) == sorted(trained(model))
    for name, rate in rates.items():
        if name.startswith('head.'):
            assert rate == 1
        elif '.norm.' in name:  # the last, with the last block
            assert rate == 0.5
        else:
            block = int(name.split('.blocks.')[1][0])
            assert rate == 0.5 ** (6 - block)
    assert TunedTimmEncoder(**VIT).get_layer_depth('timm_model.cls_token') == (
        0,
        8,
    )


def test_config_of_the_merged_one():
    tuned = dict(
        VIT, type='TunedTimmEncoder', lora_rank=2, unfreeze_blocks=None
    )
    assert plain_config(tuned) == dict(VIT, type='TimmEncoder')
    assert plain_config(dict(type='ResNet')) == dict(type='ResNet')
