# resnet_tiny_bm.py trained on the train part alone; the val part chooses the
# epoch, by macro F1, and is free for tools/calibrate.py.
#   tools/dist_train.sh configs/resnet_tiny_val_bm.py 2
_base_ = ['resnet_tiny_bm.py', '_base_/datasets/matek_val.py']

train_dataloader = dict(dataset=dict(split='train'))
val_pipeline = [
    dict(type='LoadCellImage'),
    dict(type='Resize', scale=(48, 48), interpolation='area'),
    dict(type='PackInputs', meta_keys=('path', 'img_path', 'sample_idx')),
]
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=val_pipeline))
default_hooks = dict(
    checkpoint=dict(save_best='per_class/macro_f1', rule='greater')
)
