# resnext50_bm.py with mixup: the paper's Table 3.
#   tools/dist_train.sh configs/resnext50_mixup_bm.py 4
_base_ = 'resnext50_bm.py'

model = dict(
    # the authors' code: alpha
    train_cfg=dict(augments=dict(type='SyncFreeMixup', alpha=0.1)),
    head=dict(loss=dict(use_soft=True)),
)
