# Supervised contrastive learning with the backbone and views of
# swav_tiny_bm.py, for a CPU and small data sets.
#   tools/dist_train.sh configs/supcon_tiny_bm.py 2
# Next: configs/linear_tiny_bm.py. docs/results.md has what was measured.
_base_ = 'swav_tiny_bm.py'

model = dict(
    _delete_=True,
    type='SupCon',
    backbone=dict(
        type='ResNet_CIFAR',
        depth=18,
        stem_channels=16,
        base_channels=16,
        strides=(2, 2, 2, 2),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='SupConHead',
        in_channels=128,
        out_channels=128,
        loss=dict(type='SupConLoss', temperature=0.2),
    ),
)
train_dataloader = dict(dataset=dict(with_label=True))
