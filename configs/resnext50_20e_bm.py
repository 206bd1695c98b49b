# resnext50_bm.py for 20 epochs on one split: the paper's Table 2.
#   tools/dist_train.sh configs/resnext50_20e_bm.py 4
_base_ = 'resnext50_bm.py'

train_cfg = dict(max_epochs=20)
