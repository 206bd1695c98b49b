# Linear evaluation of the backbone of swav_tiny_bm.py.
#   python tools/test.py configs/linear_tiny_bm.py PRETRAINED.pth
_base_ = 'linear_bm.py'

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

test_pipeline = [
    dict(type='LoadCellImage'),
    dict(type='Resize', scale=(48, 48), interpolation='area'),
    dict(type='PackInputs', meta_keys=('path', 'img_path', 'sample_idx')),
]
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_cfg = dict(
    train_dataloader=dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
)
