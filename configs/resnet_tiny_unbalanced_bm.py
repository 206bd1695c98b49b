# resnet_tiny_bm.py without balanced sampling.
#   tools/dist_train.sh configs/resnet_tiny_unbalanced_bm.py 2
_base_ = 'resnet_tiny_bm.py'

train_dataloader = dict(
    sampler=dict(_delete_=True, type='DefaultSampler', shuffle=True)
)
