# swav_mcrop_bm.py with the colours of facebookresearch/swav: brightness,
# contrast, saturation and hue, grey, blur, and one flip.
#   tools/dist_train.sh configs/swav_mcrop_color_bm.py 4
# Strong for stained cells, whose colours tell them apart.
_base_ = 'swav_mcrop_bm.py'

train_pipeline = [
    dict(type='LoadCellImage'),
    dict(
        type='MultiCropViews',
        views=[
            dict(num=2, size=224, scale=(0.14, 1.0)),
            dict(num=6, size=96, scale=(0.05, 0.14)),
        ],
        color_jitter=dict(
            brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2
        ),
        grey_prob=0.2,
        blur_prob=0.5,
        flip_prob=(0.5, 0.0),
    ),
    dict(type='PackViews'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
