# swav_bm.py, validated by nearest neighbours each 10th epoch.
#   tools/dist_train.sh configs/swav_knn_bm.py 4
# Keeps the checkpoint of the best macro F1 on the val part.
_base_ = ['swav_bm.py', '_base_/datasets/matek_knn.py']

train_cfg = dict(val_interval=10)
default_hooks = dict(
    checkpoint=dict(save_best='per_class/macro_f1', rule='greater')
)
