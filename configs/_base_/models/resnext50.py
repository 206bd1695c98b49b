# mmpretrain's ResNeXt-50 32x4d
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNeXt', depth=50, groups=32, width_per_group=4),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=21,
        in_channels=2048,
        # the authors' code: no class weights
        loss=dict(type='CrossEntropyLoss'),
    ),
)
