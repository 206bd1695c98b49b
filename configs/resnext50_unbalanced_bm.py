# resnext50_bm.py with each image once an epoch, without balanced sampling.
#   tools/dist_train.sh configs/resnext50_unbalanced_bm.py 4
_base_ = 'resnext50_bm.py'

train_dataloader = dict(
    sampler=dict(_delete_=True, type='DefaultSampler', shuffle=True)
)
