# Linear evaluation the classic way: a linear classifier on the frozen
# ResNet-50, trained with augmentation; 100 epochs.
#   tools/dist_train.sh configs/linear_sgd_bm.py 4 \
#       --cfg-options load_from=PRETRAINED.pth
#   python tools/test.py configs/linear_sgd_bm.py \
#       work_dirs/linear_sgd_bm/epoch_100.pth
# linear_bm.py fits the same classifier in one pass; docs/results.md has both.
_base_ = [
    'linear_bm.py',
    '_base_/datasets/matek_linear_train.py',
    '_base_/schedules/linear_sgd_100e.py',
]

# nothing of the backbone changes, statistics included
model = dict(backbone=dict(frozen_stages=4, norm_eval=True))
load_from = 'work_dirs/swav_bm/epoch_200.pth'
test_cfg = dict(_delete_=True)
