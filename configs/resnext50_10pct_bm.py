# resnext50_bm.py with 10 % of each class's training images.
#   tools/dist_train.sh configs/resnext50_10pct_bm.py 4
_base_ = 'resnext50_bm.py'

train_dataloader = dict(dataset=dict(fraction=0.1))
