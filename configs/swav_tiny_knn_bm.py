# swav_tiny_bm.py, validated by nearest neighbours each 10th epoch.
#   tools/dist_train.sh configs/swav_tiny_knn_bm.py 2
_base_ = ['swav_tiny_bm.py', '_base_/datasets/matek_knn.py']

train_cfg = dict(val_interval=10)
default_hooks = dict(
    checkpoint=dict(save_best='per_class/macro_f1', rule='greater')
)

knn_pipeline = [
    dict(type='LoadCellImage'),
    dict(type='Resize', scale=(48, 48), interpolation='area'),
    dict(type='PackInputs', meta_keys=('path', 'img_path', 'sample_idx')),
]
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=knn_pipeline))
val_cfg = dict(
    train_dataloader=dict(num_workers=1, dataset=dict(pipeline=knn_pipeline))
)
