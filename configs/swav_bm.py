# SwAV on ResNet-50 without labels: the paper's setting.
#   tools/dist_train.sh configs/swav_bm.py 4
# Global batch 256 on 4 GPUs; next: configs/linear_bm.py on the checkpoint.
# Each value's source stands beside it in the files below.
_base_ = [
    '_base_/models/swav_resnet50.py',
    '_base_/datasets/matek_views.py',
    '_base_/schedules/swav_lars_200e.py',
    '_base_/default_runtime.py',
]
