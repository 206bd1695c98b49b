# Supervised ResNeXt-50, balanced sampling: the paper's Table 3, 100 epochs.
#   tools/dist_train.sh configs/resnext50_bm.py 4
#   python tools/test.py configs/resnext50_bm.py CHECKPOINT
# The paper: five folds, tools/kfold.py. Each value's source stands beside it
# in the files below.
_base_ = [
    '_base_/models/resnext50.py',
    '_base_/datasets/matek_supervised.py',
    '_base_/schedules/sgd_cosine_100e.py',
    '_base_/default_runtime.py',
]
