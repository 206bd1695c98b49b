"""The network of a bundle, and what a crafted one may not do."""

import pytest
import torch
from mmpretrain.registry import MODELS

from bm_plugins.apis.bundle.bundle_model import build_model
from bm_plugins.errors import InputError
from tests.apis.tiny_bundle import BACKBONE, tiny_bundle


def test_equals_the_classifier_of_the_framework():
    bundle = tiny_bundle()
    whole = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=BACKBONE,
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=3, in_channels=64),
            data_preprocessor=dict(
                mean=bundle.mean, std=bundle.std, to_rgb=False
            ),
        )
    )
    whole.load_state_dict(
        {
            key.replace('fc.', 'head.fc.')
            if key[:3] == 'fc.'
            else key: torch.from_numpy(value)
            for key, value in bundle.weights.items()
        }
    )
    images = torch.randint(256, (4, 3, 48, 48), dtype=torch.uint8)
    data = whole.eval().data_preprocessor(dict(inputs=images))
    with torch.no_grad():
        features, logits = build_model(bundle)(images)
        pooled = whole.neck(whole.backbone(data['inputs']))[-1]
        torch.testing.assert_close(logits, whole.head.fc(pooled))
    torch.testing.assert_close(features, pooled)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(type='os.system'), 'not registered'),
        (dict(type='antigravity'), 'not registered'),
        (dict(type='ImageClassifier'), 'is no backbone of'),
        (dict(init_cfg=dict(type='Pretrained')), 'may not load'),
        (dict(pretrained=True), 'may not load'),
        (dict(norm_cfg=dict(type='evil.module')), 'not registered'),
        (dict(act_cfg=dict(type='ReLU', name='http://a')), 'an address'),
        (dict(depth=34), 'does not fit its weights'),
        (dict(nonsense=1), 'does not fit its weights'),
    ],
)
def test_backbone_that_is_refused(change, message):
    bundle = tiny_bundle(backbone={**BACKBONE, **change})
    with pytest.raises(InputError, match=message):
        build_model(bundle)


def test_timm_loads_nothing():
    """Neither a hub's model nor a file."""
    for name in ('hf-hub:a/b', 'local-dir:/x'):
        backbone = dict(type='TIMMBackbone', model_name=name)
        with pytest.raises(InputError, match='an address'):
            build_model(tiny_bundle(backbone=backbone))


def test_no_tf32_in_it_and_training_keeps_it():
    seen = []

    def precision(*_):
        seen.append(
            (
                torch.backends.cudnn.allow_tf32,
                torch.get_float32_matmul_precision(),
            )
        )

    model = build_model(tiny_bundle())
    model.backbone.register_forward_hook(precision)
    model.fc.register_forward_hook(precision)
    torch.set_float32_matmul_precision('high')
    try:
        model(torch.zeros(1, 3, 48, 48))
        precision()
    finally:
        torch.set_float32_matmul_precision('highest')
    assert seen == [(False, 'highest')] * 2 + [(True, 'high')]
