# Linear evaluation of any timm model's frozen features: the splits, metrics
# and report of linear_bm.py, beside which its results can be put.
#   BM_TIMM=vit_small_patch16_224 \
#       python tools/test.py configs/linear_timm_bm.py WEIGHTS.safetensors
# WEIGHTS: that model's, as timm names them, .pth, .pt or .safetensors; a
# weight that is missing or left over is an error, but for the classifier's.
# Random weights:
#   ... configs/linear_timm_bm.py --cfg-options load_from=None
# Weights that timm downloads:
#   ... --cfg-options load_from=None model.backbone.pretrained=True
# DinoBloom: tools/convert_dinobloom.py, which prints what to set; others may
# need arguments, as model.backbone.init_values=1e-5 for UNI.
# The whole image is resized, as everywhere here, to the size that the model
# was trained with, or BM_TIMM_SIZE; mean and standard deviation are its own.
_base_ = 'linear_bm.py'

from bm_plugins.models.backbones.timm_encoder import encoder_facts  # noqa: E402

name = '{{$BM_TIMM:vit_small_patch16_224}}'
encoder = encoder_facts(name, '{{$BM_TIMM_SIZE:own}}')
size = encoder['size']

data_preprocessor = dict(mean=encoder['mean'], std=encoder['std'])
model = dict(
    backbone=dict(
        _delete_=True, type='TimmEncoder', model_name=name, img_size=size
    ),
    neck=None,
    head=dict(in_channels=encoder['features']),
)

test_pipeline = [
    dict(type='LoadCellImage'),
    dict(
        type='Resize',
        scale=(size, size),
        # the release's images have 250 px
        interpolation='area' if size <= 250 else 'bicubic',
    ),
    dict(type='PackInputs', meta_keys=('path', 'img_path', 'sample_idx')),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_cfg = dict(train_dataloader=dict(dataset=dict(pipeline=test_pipeline)))
