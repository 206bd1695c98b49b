# swav_bm.py with six further views of 96 px, facebookresearch/swav's.
#   tools/dist_train.sh configs/swav_mcrop_bm.py 4
_base_ = 'swav_bm.py'

model = dict(head=dict(loss=dict(num_crops=[2, 6])))

train_pipeline = [
    dict(type='LoadCellImage'),
    dict(
        type='MultiCropViews',
        views=[
            dict(num=2, size=224, scale=(0.14, 1.0)),
            dict(num=6, size=96, scale=(0.05, 0.14)),
        ],
        hue=18,
        saturation=0.3,
        value=0.3,
    ),
    dict(type='PackViews'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
