# Linear evaluation of frozen ResNet-50 features, any pretraining checkpoint:
#   python tools/test.py configs/linear_bm.py PRETRAINED.pth
# Untrained baseline:
#   python tools/test.py configs/linear_bm.py --cfg-options load_from=None
_base_ = ['_base_/datasets/matek_linear.py', '_base_/default_runtime.py']

model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=50),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=21, in_channels=2048),
)
