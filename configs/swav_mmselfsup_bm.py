# swav_bm.py on mmselfsup's SwAV, ResNet, neck and head.
#   tools/dist_train.sh configs/swav_mmselfsup_bm.py 4
# tools/convert_swav.py takes its checkpoints to swav_bm.py and back.
_base_ = 'swav_bm.py'

custom_imports = dict(
    imports=['bm_plugins.plugins', 'mmselfsup.models'],
    allow_failed_imports=False,
)

model = dict(
    type='mmselfsup.SwAV',
    backbone=dict(type='mmselfsup.ResNet'),
    neck=dict(type='mmselfsup.SwAVNeck'),
    # mmselfsup's own loss is wrong on more than one GPU, as mmpretrain's
    head=dict(
        type='mmselfsup.SwAVHead',
        loss=dict(type='mmpretrain.GlobalSwAVLoss'),
    ),
)
# mmselfsup's own takes lists of views alone
data_preprocessor = dict(type='mmpretrain.SyncFreeViewsPreprocessor')
