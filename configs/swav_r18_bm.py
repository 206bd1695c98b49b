# swav_bm.py on ResNet-18; next: configs/linear_r18_bm.py.
#   tools/dist_train.sh configs/swav_r18_bm.py 4
_base_ = 'swav_bm.py'

model = dict(backbone=dict(depth=18), neck=dict(in_channels=512))
