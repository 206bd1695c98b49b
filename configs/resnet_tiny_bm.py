# Supervised training of the backbone of swav_tiny_bm.py, balanced sampling.
#   tools/dist_train.sh configs/resnet_tiny_bm.py 2
#   python tools/test.py configs/resnet_tiny_bm.py CHECKPOINT
# 0.7 M parameters, for a CPU and small data. docs/results.md has what was
# measured.
_base_ = 'resnext50_bm.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet_CIFAR',
        depth=18,
        stem_channels=16,
        base_channels=16,
        strides=(2, 2, 2, 2),
    ),
    head=dict(in_channels=128),
)

train_pipeline = [
    dict(type='LoadCellImage'),
    dict(
        type='RandomResizedCrop',
        scale=48,
        crop_ratio_range=(0.7, 1.0),
        interpolation='area',
    ),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadCellImage'),
    dict(type='Resize', scale=(48, 48), interpolation='area'),
    dict(type='PackInputs', meta_keys=('path', 'img_path', 'sample_idx')),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    dataset=dict(pipeline=train_pipeline),
    # an epoch is about as long as the training part
    sampler=dict(samples_per_class=None),
)
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
auto_scale_lr = dict(base_batch_size=64)
