# SwAV with a small backbone and small views, for a CPU and small data sets.
#   tools/dist_train.sh configs/swav_tiny_bm.py 2
# 0.7 M parameters. docs/results.md has what was measured.
_base_ = 'swav_bm.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet_CIFAR',
        depth=18,
        stem_channels=16,
        base_channels=16,
        strides=(2, 2, 2, 2),
        norm_cfg=dict(type='BN'),
    ),
    neck=dict(in_channels=128),
    head=dict(loss=dict(num_prototypes=100, queue_length=0)),
)

train_pipeline = [
    dict(type='LoadCellImage'),
    dict(
        type='MultiCropViews',
        views=[dict(num=2, size=48, scale=(0.3, 1.0))],
        hue=9,
        saturation=0.15,
        value=0.15,
    ),
    dict(type='PackViews'),
]
train_dataloader = dict(
    batch_size=32, num_workers=1, dataset=dict(pipeline=train_pipeline)
)

optim_wrapper = dict(
    optimizer=dict(
        _delete_=True, type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4
    )
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.01,
        by_epoch=True,
        end=1,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min=1e-4,
        by_epoch=True,
        begin=1,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=120)
auto_scale_lr = dict(base_batch_size=64)
