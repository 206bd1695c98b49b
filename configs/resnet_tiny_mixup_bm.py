# resnet_tiny_bm.py with mixup.
#   tools/dist_train.sh configs/resnet_tiny_mixup_bm.py 2
_base_ = 'resnet_tiny_bm.py'

model = dict(
    # the authors' code: alpha
    train_cfg=dict(augments=dict(type='SyncFreeMixup', alpha=0.1)),
    head=dict(loss=dict(use_soft=True)),
)
