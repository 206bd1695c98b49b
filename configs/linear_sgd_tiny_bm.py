# linear_sgd_bm.py for the backbone of swav_tiny_bm.py.
#   tools/dist_train.sh configs/linear_sgd_tiny_bm.py 2 \
#       --cfg-options load_from=PRETRAINED.pth
_base_ = [
    'linear_tiny_bm.py',
    '_base_/datasets/matek_linear_train.py',
    '_base_/schedules/linear_sgd_100e.py',
]

model = dict(backbone=dict(frozen_stages=4, norm_eval=True))
load_from = 'work_dirs/swav_tiny_bm/epoch_120.pth'
test_cfg = dict(_delete_=True)

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
train_dataloader = dict(
    batch_size=32, num_workers=1, dataset=dict(pipeline=train_pipeline)
)
auto_scale_lr = dict(base_batch_size=64)
