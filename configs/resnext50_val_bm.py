# resnext50_bm.py trained on the train part alone; the val part chooses the
# epoch, by macro F1, and is free for tools/calibrate.py.
#   tools/dist_train.sh configs/resnext50_val_bm.py 4
_base_ = ['resnext50_bm.py', '_base_/datasets/matek_val.py']

train_dataloader = dict(dataset=dict(split='train'))
default_hooks = dict(
    checkpoint=dict(save_best='per_class/macro_f1', rule='greater')
)
