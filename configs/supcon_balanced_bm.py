# supcon_bm.py with each class equally often in a batch.
#   tools/dist_train.sh configs/supcon_balanced_bm.py 4
_base_ = 'supcon_bm.py'

train_dataloader = dict(
    sampler=dict(
        _delete_=True, type='ClassBalancedSampler', balance_batches=True
    )
)
